"""The whole network in one file: an encoder and one linear layer, read at the given positions.

It is not a model of `transformers`, but its weights are saved under the names of a `...ForTokenClassification` model.
Sonkar, Wang, Baraniuk: "MANER" (2023), section 3.
"""

import re
from typing import Any

import torch
from torch import Tensor, nn

from maner_core.encoding import RANDOM_TOKEN
from maner_core.errors import InvalidConfig

LAYER_NAME = re.compile(r"\blayers?\.(\d+)\.")
"""How the encoders of `transformers` name the weights of their layers: `encoder.layer.3.…`, `layers.3.…`."""


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
        return self.read(self.encoder(input_ids=ids, attention_mask=attention_mask).last_hidden_state, rows, columns)

    def read(self, states: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """The same from the encoder's states: (batch, length, hidden) -> (n_words, n_tags), (n_words, hidden), float32"""
        words = states[rows, columns].float()  # (n_words, hidden)
        logits = self.head(self.dropout(words))  # (n_words, n_tags)
        return logits.float(), words


class TrimmedEmbedding(nn.Module):
    """The rows of an embedding that a text uses, under their old ids: what the rest of the network sees is unchanged.

    A row that never occurs has no gradient, so without weight decay AdamW leaves it as it is: leaving such rows out of the
    optimiser saves their memory and time and changes nothing else.
    """

    used: Tensor
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
    # The other weights are still pages of the file they were loaded from. While one of them is, what was read of the
    # whole file counts as this process's memory, the rows left out before all.
    for weight in encoder.parameters():
        weight.data = weight.data.clone()
    return trimmed


def number_of_layers(encoder: Any) -> int:
    """How many layers an encoder has, by the names of its weights."""
    numbers = [int(found[1]) for name, _ in encoder.named_parameters() if (found := LAYER_NAME.search(name))]
    return max(numbers, default=-1) + 1


def set_dropout(encoder: Any, p: float) -> None:
    """Let every dropout of an encoder drop this share, 0 to 1."""
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = p


def reinitialise(encoder: Any, n_layers: int) -> None:
    """Give the top layers of an encoder the random weights that it would have had before its pretraining.

    Zhang et al. 2021, section 4. Raises InvalidConfig when it has fewer layers than that.
    """
    layers = number_of_layers(encoder)
    if n_layers > layers:
        raise InvalidConfig(f"reinitialised_layers is {n_layers}, but this backbone has {layers} layers; ask for fewer")
    for name, module in encoder.named_modules():
        found = LAYER_NAME.search(f"{name}.")
        if found and int(found[1]) >= layers - n_layers:
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False  # else transformers leaves it alone
            encoder._init_weights(module)


def add_random_token(encoder: Any, tokenizer: Any, seed: int) -> None:
    """Give tokenizer and encoder the untrained token of `maner_rand`: one row of the embedding, random from `seed`.

    The row is drawn as the encoder draws its own, normal with its `initializer_range`. It is the one behind the last
    sub-word; where a table has rows to spare there, it takes the first of them.
    """
    tokenizer.add_tokens([RANDOM_TOKEN], special_tokens=True)
    row = tokenizer.convert_tokens_to_ids(RANDOM_TOKEN)
    if row >= encoder.get_input_embeddings().num_embeddings:
        encoder.resize_token_embeddings(row + 1, mean_resizing=False)
    weight = encoder.get_input_embeddings().weight  # (vocabulary, hidden)
    spread = getattr(encoder.config, "initializer_range", 0.02)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight[row] = torch.normal(0.0, spread, weight[row].shape, generator=generator)
