"""The masked language model of a backbone, apart from its encoder: what guesses hidden sub-words, and the loss of guessing.

The guess is a softmax over the sub-words of the text only, those whose embeddings a training keeps (TrimmedEmbedding), and
is made at the hidden positions only: no tensor is ever (batch, length, vocabulary). Leaving the rest of the vocabulary out of
the softmax means that a sub-word is told apart from those of the same text alone; rows that the text never uses get no gradient
and stay as the pre-training left them. Output and input embeddings are the same weights where the backbone ties them
(Press & Wolf 2017), and so they are in a head made for a backbone that has none.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from maner_core.batches import in_parts
from maner_core.config import TrainConfig
from maner_core.encoding import WordEncoder
from maner_core.errors import UnsupportedBackbone
from maner_core.masking import NOT_ASKED, HiddenWords, MaskedInput, some_of
from maner_core.model import TokenTagger, TrimmedEmbedding, trim_vocabulary


class GuessHead(nn.Module):
    """What a masked language model puts on its encoder's states to guess sub-words, at chosen positions.

    `masked_lm` loses its encoder and its output table to it: what is left between the two, often a dense layer and a layer
    norm, differs from architecture to architecture and is used as it is.
    """

    weight: nn.Parameter | None
    """(n_rows, width): the output table where it is not the input embedding."""
    bias: nn.Parameter | None
    """(n_rows,), where the backbone's output table has one."""

    def __init__(self, masked_lm: Any, used: Tensor) -> None:
        """`used`: (n_rows,) the ids that can be guessed, in the order of the encoder's rows. Raises UnsupportedBackbone."""
        super().__init__()
        decoder, name = masked_lm.get_output_embeddings(), type(masked_lm).__name__
        if decoder is None or masked_lm.base_model is masked_lm:
            raise UnsupportedBackbone(f"{name} has no output table to guess words with; train without adaptation")
        tied = decoder.weight is masked_lm.get_input_embeddings().weight
        self.weight = None if tied else nn.Parameter(decoder.weight.detach()[used].clone())
        self.bias = None if decoder.bias is None else nn.Parameter(decoder.bias.detach()[used].clone())
        masked_lm.set_output_embeddings(_NoDecoder())
        setattr(masked_lm, masked_lm.base_model_prefix, _NoEncoder())
        self.between = masked_lm
        self._check(name, decoder.weight.shape[1])

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """states: (n_asked, hidden), table: (n_rows, width) the encoder's input embedding -> logits (n_asked, n_rows)."""
        guessed = self.between(inputs_embeds=states[None]).logits[0]  # (n_asked, width)
        return nn.functional.linear(guessed, table if self.weight is None else self.weight, self.bias).float()

    def _check(self, name: str, width: int) -> None:
        """Whether what is left between encoder and output table works without the two."""
        try:
            with torch.no_grad():
                fits = self.between(inputs_embeds=torch.zeros(1, 1, self.between.config.hidden_size)).logits.shape[-1]
        except (AttributeError, TypeError) as error:
            raise UnsupportedBackbone(
                f"{name} cannot guess words at chosen positions; train without adaptation"
            ) from error
        if fits != width:
            raise UnsupportedBackbone(
                f"{name} gives {fits} values where its table has {width}; train without adaptation"
            )


class _NoEncoder(nn.Module):
    """In place of the encoder: hands on the states it is given."""

    def forward(self, input_ids: None = None, *, inputs_embeds: Tensor, **_: object) -> BaseModelOutput:
        """(1, n_asked, hidden) -> the same as `last_hidden_state`"""
        return BaseModelOutput(last_hidden_state=inputs_embeds)


class _NoDecoder(nn.Identity):
    """In place of the output table: hands on what would be compared with its rows."""

    bias = None


class WordGuesser(nn.Module):
    """A masked language model that reads and guesses the sub-words of one text only."""

    encoder: Any

    def __init__(self, masked_lm: Any, used: Tensor) -> None:
        """`used`: (n_rows,) ids of the text and of the special sub-words; the rest of the table is left out."""
        super().__init__()
        self.encoder = masked_lm.base_model
        self.head = GuessHead(masked_lm, used)
        trim_vocabulary(self.encoder, used)


Share = Callable[[Sequence[int]], list[int]]


def add_gradients(
    encoder: Any,
    head: GuessHead,
    inputs: Sequence[MaskedInput],
    pad: int,
    at_once: int,
    weight: float = 1.0,
    share: Share = list,
) -> float:
    """Add the gradient of `weight` times the mean loss of these guesses to the network's; returns the loss itself.

    At most `at_once` sub-words go through the encoder together. The inputs must ask for something. `share`: which of
    the inputs are read here, as numbers; gradient and loss are parts of the whole then.
    """
    n_asked = sum(i != NOT_ASKED for item in inputs for i in item.asked)
    lengths = [len(item.ids) for item in inputs]
    mean = 0.0
    for part in in_parts(share(range(len(inputs))), lengths, at_once):
        loss = guess_loss(encoder, head, [inputs[i] for i in part], pad) / n_asked
        (weight * loss).backward()  # type: ignore[no-untyped-call]
        mean += loss.item()
    return mean


def guess_loss(encoder: Any, head: GuessHead, inputs: Sequence[MaskedInput], pad: int) -> Tensor:
    """Cross-entropy of the guesses, summed over the sub-words that these inputs ask for."""
    table = encoder.get_input_embeddings()
    ids, mask, rows, columns, asked = (tensor.to(table.weight.device) for tensor in pad_inputs(inputs, pad))
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state[rows, columns]  # (n_asked, hidden)
    logits = head(states.float(), table.weight.float())  # (n_asked, n_rows)
    return nn.functional.cross_entropy(logits, table.row_of[asked], reduction="sum")


def pad_inputs(inputs: Sequence[MaskedInput], pad: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """ids and attention mask (batch, length); row, column and the id to guess (n_asked,) of every hidden sub-word."""
    length = max(len(item.ids) for item in inputs)
    ids = torch.tensor([item.ids + [pad] * (length - len(item.ids)) for item in inputs])
    mask = torch.tensor([[1] * len(item.ids) + [0] * (length - len(item.ids)) for item in inputs])
    asked = [(row, at, i) for row, item in enumerate(inputs) for at, i in enumerate(item.asked) if i != NOT_ASKED]
    rows, columns, targets = torch.tensor(asked).T
    return ids, mask, rows, columns, targets


_GUESSES = "guesses"


class SecondLoss:
    """Guessing hidden words of a text while a tagger is trained, with a weight that falls to 0.

    Recalling the old task fades as the new one is learned (Chen et al. 2020, "objective shifting").
    """

    def __init__(self, text: Sequence[Sequence[str]], words: WordEncoder, config: TrainConfig, steps: int) -> None:
        """`steps`: those of the training. Raises InvalidInput when the text has no word."""
        self._config, self._pad = config, words.specials.pad
        rng = np.random.default_rng([config.seed, 3])  # apart from the order of the labelled sentences
        self._hidden = HiddenWords(some_of(text, steps * config.mlm_batch_size, rng), words, config.system)
        self._batches = self._hidden.batches(config.mlm_batch_size, config.mlm_probability, rng)

    @property
    def ids(self) -> set[int]:
        """The sub-words that the encoder must have rows for."""
        return self._hidden.ids

    def join(self, model: TokenTagger, backbone: tuple[Any, bool]) -> None:
        """Put what guesses words on the tagger's encoder, as a part of the network that is trained with it.

        `backbone`: what `load_masked_lm` gives. A pretrained head stays as it is, so that the encoder must go on making sense
        to it; a new one learns.
        """
        masked_lm, pretrained = backbone
        table: TrimmedEmbedding = model.encoder.get_input_embeddings()
        if len(table.row_of) > masked_lm.get_input_embeddings().num_embeddings:  # by the token of `maner_rand`
            masked_lm.resize_token_embeddings(len(table.row_of), mean_resizing=False)
        head = GuessHead(masked_lm, table.used)
        model.add_module(_GUESSES, head.requires_grad_(not pretrained))

    def leave(self, model: TokenTagger) -> None:
        """Undo `join`."""
        delattr(model, _GUESSES)

    def add_gradients(self, model: TokenTagger, step: int, steps: int, at_once: int, share: Share = list) -> None:
        """Add the second loss to the gradients of this step, counted from 1; nothing once its weight is 0."""
        weight = second_weight(self._config, step, steps)
        if weight:
            head: Any = getattr(model, _GUESSES)
            add_gradients(model.encoder, head, next(self._batches), self._pad, at_once, weight, share)


def second_weight(config: TrainConfig, step: int, steps: int) -> float:
    """Weight of the second loss at a step counted from 1: weight 0.3, fraction 0.5, 10 steps: 0.3, 0.24, …, 0.06, 0, 0 …"""
    if not config.mlm_fraction:
        return 0.0
    return config.mlm_weight * max(0.0, 1 - (step - 1) / (config.mlm_fraction * steps))
