"""The whole network in one file: an encoder and one linear layer, read at the given positions.

It is not a model of `transformers`, but its weights are saved under the names of a `...ForTokenClassification` model.
Sonkar, Wang, Baraniuk: "MANER" (2023), section 3.
"""

from typing import Any

import torch
from torch import Tensor, nn


class TokenTagger(nn.Module):
    """Encoder + dropout + linear head; one tag distribution for each position that is asked for."""

    encoder: Any  # a model of `transformers`; torch's own stubs would call every attribute of it a Tensor

    def __init__(self, encoder: Any, n_tags: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, n_tags)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, attention_mask: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and encoder states of the words at (rows[i], columns[i]).

        ids, attention_mask: (batch, length); rows, columns: (n_words,) -> (n_words, n_tags), (n_words, hidden), float32
        """
        states = self.encoder(input_ids=ids, attention_mask=attention_mask).last_hidden_state  # (batch, length, hidden)
        words = states[rows, columns].float()  # (n_words, hidden)
        logits = self.head(self.dropout(words))  # (n_words, n_tags)
        return logits.float(), words


class TrimmedEmbedding(nn.Module):
    """The rows of an embedding that a text uses, under their old ids: what the rest of the network sees is unchanged.

    A row that never occurs has no gradient, so without weight decay AdamW leaves it as it is: leaving such rows out of the
    optimiser saves their memory and time and changes nothing else.
    """

    row_of: Tensor

    def __init__(self, full: nn.Embedding, used: Tensor) -> None:
        """`used`: (n_used,) distinct ids."""
        super().__init__()
        self.register_buffer("used", used)
        row_of = torch.zeros(full.num_embeddings, dtype=torch.long)
        row_of[used] = torch.arange(len(used))
        self.register_buffer("row_of", row_of)
        self.weight = nn.Parameter(full.weight.detach()[used].clone())  # (n_used, hidden)

    def forward(self, ids: Tensor) -> Tensor:
        """(…) -> (…, hidden)"""
        return nn.functional.embedding(self.row_of[ids], self.weight)


def trim_vocabulary(encoder: Any, used: Tensor) -> TrimmedEmbedding:
    """Replace the encoder's input embedding by the rows `used`: (n_used,) distinct ids."""
    trimmed = TrimmedEmbedding(encoder.get_input_embeddings(), used)
    encoder.set_input_embeddings(trimmed)
    return trimmed
