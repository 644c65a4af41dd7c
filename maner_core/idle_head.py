"""ModernBERT's `ForTokenClassification` has a prediction head before its linear layer; the network here has none.

So that such a checkpoint opens in `transformers` all the same, it gets a head that changes nothing: a dense layer that is the
identity, no activation, and a norm. The norm of what is normalised already is itself, so the weights of the encoder's last
norm move into it and leave ones behind. Only the norm's epsilon shows, by about one part in 100,000.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

_MODEL_TYPE = "modernbert"
_NORM = "head.norm"


def add_idle_head(config: Any, state: dict[str, Tensor], prefix: str) -> None:
    """Give a checkpoint of ModernBERT its head: changes its `config` and its weights; others stay as they are.

    state: every weight of the encoder under `prefix` and its own name.
    """
    if config.model_type != _MODEL_TYPE:
        return
    config.classifier_activation = "linear"
    state["head.dense.weight"] = torch.eye(config.hidden_size)
    if config.classifier_bias:
        state["head.dense.bias"] = torch.zeros(config.hidden_size)
    for name, idle in (("weight", torch.ones), ("bias", torch.zeros)):
        if (last := f"{prefix}.final_norm.{name}") in state:
            state[f"{_NORM}.{name}"] = state[last]
            state[last] = idle(config.hidden_size)


def take_back_norm(encoder: Any, weights: Path) -> None:
    """Undo it for an encoder out of such a checkpoint: its last norm has its own weights again. Raises OSError."""
    if encoder.config.model_type != _MODEL_TYPE:
        return
    with safe_open(weights, framework="pt") as stored, torch.no_grad():
        for name, parameter in encoder.final_norm.named_parameters():
            parameter.copy_(stored.get_tensor(f"{_NORM}.{name}"))
