"""Attention that is fast for short sentences on a CPU, without dropout of attention weights.

torch's fused CPU kernel is several times slower backward in bfloat16 than in float32, and dropping attention weights forces a
path that writes out every weight. So training in bfloat16 writes the weights out as two matrix products and a softmax, and
all else uses the fused kernel. That one takes keys in blocks of 16 and what is left over one by one, so prediction fills up the
last block: 43 keys then take little more than half the time. Measured by tests/benchmarks/attention_speed.py.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "maner_sdpa"

_KEY_BLOCK = 16
_FEW_LEFT_OVER = 2
"""So many keys one by one are quicker than a block that is filled up."""


def use_fast_attention(encoder: Any) -> None:
    """Let an encoder that uses torch's attention use this one, without its dropout of weights; others stay as they are."""
    if encoder.config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        encoder.set_attn_implementation(NAME)


def use_plain_attention(encoder: Any) -> None:
    """Give an encoder back torch's attention, which in training drops weights too, by the share it was pretrained with."""
    if encoder.config._attn_implementation == NAME:
        encoder.set_attn_implementation("sdpa")


def attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """query, key, value: (batch, heads, length, head width) -> (batch, length, heads, head width), and no weights.

    attention_mask: (batch, 1, length, length), True where a position may be seen; None where all may.
    """
    options["dropout"] = 0.0
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and torch.is_grad_enabled():
        return _written_out(query, key, value, attention_mask, options.get("scaling")), None
    if query.device.type == "cpu" and not torch.is_grad_enabled() and key.shape[2] % _KEY_BLOCK > _FEW_LEFT_OVER:
        key, value, attention_mask = _whole_blocks(key, value, attention_mask)
    states, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return states, None


def _written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = (query * scaling) @ key.transpose(-1, -2)  # (batch, heads, length, length)
    if mask is not None:
        scores = scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    return (scores.softmax(dim=-1) @ value).transpose(1, 2).contiguous()  # (batch, length, heads, head width)


def _whole_blocks(key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The keys and values with as many masked ones behind them as make whole blocks, and the mask for them."""
    missing = -key.shape[2] % _KEY_BLOCK
    if mask is None:
        mask = torch.ones(1, 1, 1, key.shape[2], dtype=torch.bool)
    key, value = (nn.functional.pad(states, (0, 0, 0, missing)) for states in (key, value))
    return key, value, nn.functional.pad(mask, (0, missing), value=False)
