"""A copy of a network whose layers compute in bfloat16, for prediction: weights are rounded once, not at every batch.

Measured by tests/benchmarks/inference_speed.py.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from maner_core.model import TokenTagger


def bfloat16_copy(model: TokenTagger) -> TokenTagger:
    """The same network with its encoder in bfloat16; the embedding of the sub-words and the head are shared with `model`.

    What buffers hold stays in float32 (positions of rotary encoders need it), and so do the logits. Changes to the layers of
    `model` after this are not seen by the copy. Memory: 2 bytes for each weight of the layers.
    """
    embedding = model.encoder.get_input_embeddings()
    shared: list[nn.Module] = [model.head, embedding]
    known: dict[int, Any] = {id(module): module for module in shared}
    own = {id(parameter) for parameter in embedding.parameters()}
    for parameter in model.encoder.parameters():
        if id(parameter) not in own and parameter.is_floating_point():
            known[id(parameter)] = nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False)
    halved = copy.deepcopy(model, known)
    halved.encoder.set_input_embeddings(_RoundedEmbedding(embedding))
    return halved.eval()


class _RoundedEmbedding(nn.Module):
    """An embedding whose looked-up rows are rounded to bfloat16: the same as a rounded table, without a second table."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, ids: Tensor) -> Tensor:
        """(…) -> (…, hidden)"""
        rows: Tensor = self.embedding(ids)
        return rows.to(torch.bfloat16)
