"""Attention that is fast for short sentences on a CPU: float32, without dropout of attention weights.

In bfloat16 the CPU kernel's backward pass is several times slower than in float32, and dropping attention weights forces a
path that writes out every weight. Measured by tests/benchmarks/attention_speed.py.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "maner_sdpa"


def use_fast_attention(encoder: Any) -> None:
    """Let an encoder that uses torch's attention use this one; others stay as they are."""
    if encoder.config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        encoder.set_attn_implementation(NAME)


def attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """query, key, value: (batch, heads, length, head width) -> (batch, length, heads, head width), and no weights."""
    options["dropout"] = 0.0
    if query.device.type != "cpu":
        states, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return states, None
    with torch.autocast("cpu", enabled=False):
        states, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, **options)
    return states.to(query.dtype), None
