"""Tagger.load(folder).predict(sentences) -> predictions, in windows for sentences longer than the encoder's limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maner_core.config import TrainConfig
from maner_core.devices import best_device, has_bfloat16
from maner_core.encoding import Window, WordEncoder
from maner_core.model import TokenTagger
from maner_core.spans import Span, iob2_tags, repair_tags, tags_to_spans

_SUBWORDS_PER_BATCH = 2048
"""Sub-words, padding included, that go through the encoder at once: bounds memory whatever the sentences are."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the tagger says of one sentence of n words."""

    tags: list[str]
    """n tags, legal IOB2: the most probable tag of each word, repaired as conlleval reads them."""
    probabilities: NDArray[np.float32]
    """(n_words, n_tags), columns in the order of `iob2_tags(labels)`."""
    embedding: NDArray[np.float32]
    """(hidden,): the mean of the encoder's states at the positions that were read; zeros without words."""

    @property
    def spans(self) -> list[Span]:
        """The predicted spans."""
        return tags_to_spans(self.tags)

    def span_confidences(self) -> list[float]:
        """For each of `spans` the probability of the tag of its least certain word, 0 to 1."""
        certainty = self.word_confidences()
        return [float(certainty[span.start : span.end].min()) for span in self.spans]

    def word_confidences(self) -> NDArray[np.float32]:
        """(n_words,): the probability of each word's most probable tag."""
        certainty: NDArray[np.float32] = self.probabilities.max(axis=1, initial=0.0)
        return certainty


class Tagger:
    """A trained tagger: the network, its tokenizer, its labels, and how it was trained."""

    def __init__(self, model: TokenTagger, tokenizer: Any, labels: list[str], config: TrainConfig) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.labels = labels
        self.config = config
        self._words = WordEncoder(tokenizer, config.system, min(config.max_length, tokenizer.model_max_length))

    @classmethod
    def load(cls, folder: Path | str, device: str | None = None) -> "Tagger":
        """The tagger saved in `folder`, on the GPU if there is one. Raises NoCheckpoint when the folder holds none."""
        from maner_core.checkpoints import load_checkpoint

        tagger = load_checkpoint(Path(folder))
        tagger.model.to(device or best_device())
        return tagger

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.head.weight.device

    @property
    def head(self) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """The last layer: weight (n_tags, hidden), bias (n_tags,), and the share of values dropped before it in training."""
        layer = self.model.head
        weight, bias = (parameter.detach().float().cpu().numpy() for parameter in (layer.weight, layer.bias))
        return weight, bias, self.model.dropout.p

    def word_states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """What the head reads, dropout off: (n_words, hidden) for each sentence. Large: ask for few sentences."""
        flat = self._by_length(sentences)
        states = [np.zeros((len(sentence), self.model.head.in_features), np.float32) for sentence in sentences]
        self.model.eval()
        for batch in _by_budget(flat):
            first = 0
            _, found = self._read([window for _, window in batch])
            for i, window in batch:
                last = first + len(window.positions)
                states[i][window.start : window.end] = found[first:last]
                first = last
        return states

    def predict(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None] | None = None
    ) -> list[Prediction]:
        """One prediction for each sentence, in their order; `on_progress` hears the share done (0 to 1).

        Sentences are read in batches of like length; no gradient is kept and dropout is off.
        """
        flat = self._by_length(sentences)
        n_tags, hidden = self.model.head.weight.shape
        probabilities = [np.zeros((len(sentence), n_tags), np.float32) for sentence in sentences]
        sums = np.zeros((len(sentences), hidden), np.float32)
        self.model.eval()
        done = 0
        for batch in _by_budget(flat):
            chances, states = self._read([window for _, window in batch])
            first = 0
            for i, window in batch:
                last = first + len(window.positions)
                probabilities[i][window.start : window.end] = chances[first:last]
                sums[i] += states[first:last].sum(axis=0)
                first = last
            done += len(batch)
            if on_progress is not None:
                on_progress(done / len(flat))
        tags = iob2_tags(self.labels)
        return [
            Prediction(
                tags=repair_tags([tags[i] for i in chances.argmax(axis=1)]),
                probabilities=chances,
                embedding=total / np.float32(max(1, len(chances))),
            )
            for chances, total in zip(probabilities, sums, strict=True)
        ]

    def _by_length(self, sentences: Sequence[Sequence[str]]) -> list[tuple[int, Window]]:
        """The windows of all sentences, each with the number of its sentence, the shortest first."""
        windows = self._words.windows(sentences)
        flat = [(i, window) for i, its_windows in enumerate(windows) for window in its_windows if window.positions]
        return sorted(flat, key=lambda item: len(item[1].ids))

    @torch.inference_mode()
    def _read(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n_words, n_tags) probabilities and (n_words, hidden) states of the words of these windows, in order."""
        padded = pad_windows(windows, self._words.specials.pad)
        ids, mask, rows, columns = (tensor.to(self.device) for tensor in padded)
        autocast = self.config.mixed_precision and has_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=autocast):
            logits, states = self.model(ids, mask, rows, columns)
        return logits.softmax(dim=-1).cpu().numpy(), states.cpu().numpy()


def pad_windows(windows: Sequence[Window], pad: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ids and attention mask (batch, length), and row and column (n_words,) of every position to read."""
    length = max(len(window.ids) for window in windows)
    ids = torch.tensor([window.ids + [pad] * (length - len(window.ids)) for window in windows])
    mask = torch.tensor([[1] * len(window.ids) + [0] * (length - len(window.ids)) for window in windows])
    rows = torch.tensor([row for row, window in enumerate(windows) for _ in window.positions])
    columns = torch.tensor([column for window in windows for column in window.positions])
    return ids, mask, rows, columns


def _by_budget(items: Sequence[tuple[int, Window]]) -> list[list[tuple[int, Window]]]:
    """Cut items sorted by length into batches of at most _SUBWORDS_PER_BATCH sub-words with their padding."""
    batches: list[list[tuple[int, Window]]] = []
    for item in items:
        if not batches or (len(batches[-1]) + 1) * len(item[1].ids) > _SUBWORDS_PER_BATCH:
            batches.append([])
        batches[-1].append(item)
    return batches
