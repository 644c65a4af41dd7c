"""The quick scorer: a small network on the kept vectors of a frozen backbone. Seconds to train, matrix products to ask.

Vysogorets & Gopal, "Deep active learning in the open world of frozen representations" (2024) select by such heads for text
classification at a fraction of the cost of fine-tuning; how far its ranking agrees with that of the tagger is measured.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maner_core.errors import NoCheckpoint
from maner_core.evaluation import f1_report
from maner_core.features import Vectors, WordFeatures
from maner_core.inference import Prediction
from maner_core.spans import Span, iob2_tags, repair_tags, spans_to_tags

UNITS = 128
DROPOUT = 0.3
EPOCHS = 12
WORDS_PER_BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
WORDS_AT_ONCE = 65_536
"""Words that are scored together: bounds memory whatever the pool is."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class QuickHead:
    """relu(standardised word vector @ hidden) @ output: everything as plain arrays, float32."""

    mean: Array
    """(hidden,), of the words of the training sentences."""
    spread: Array
    """(hidden,)"""
    hidden_weight: Array
    """(UNITS, hidden)"""
    hidden_bias: Array
    """(UNITS,)"""
    weight: Array
    """(n_tags, UNITS)"""
    bias: Array
    """(n_tags,)"""

    @classmethod
    def train(cls, vectors: Array, tags: NDArray[np.int64], n_tags: int, seed: int) -> "QuickHead":
        """From word vectors (n_words, hidden) and their tags (n_words,), numbers below `n_tags`.

        Cross-entropy, AdamW, a learning rate that falls to 0; EPOCHS times over all words. The same for the same seed.
        """
        mean, spread = vectors.mean(axis=0), vectors.std(axis=0) + np.float32(1e-3)
        inputs = torch.from_numpy((vectors - mean) / spread)
        targets = torch.from_numpy(tags)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = nn.Sequential(
                nn.Dropout(DROPOUT),
                nn.Linear(vectors.shape[1], UNITS),
                nn.ReLU(),
                nn.Dropout(DROPOUT),
                nn.Linear(UNITS, n_tags),
            )
            _fit(network, inputs, targets)
        parameters = [parameter.detach().numpy() for parameter in network.parameters()]
        return cls(mean, spread, *parameters)

    def states(self, vectors: NDArray[np.floating]) -> Array:
        """What the last layer reads: (n_words, hidden) -> (n_words, UNITS)."""
        standard = (vectors.astype(np.float32) - self.mean) / self.spread
        states: Array = np.maximum(standard @ self.hidden_weight.T + self.hidden_bias, 0)
        return states

    def probabilities(self, states: Array) -> Array:
        """(n_words, UNITS) -> (n_words, n_tags)"""
        logits = states @ self.weight.T + self.bias
        grown = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances: Array = grown / grown.sum(axis=1, keepdims=True)
        return chances


def _fit(network: nn.Sequential, inputs: Tensor, targets: Tensor) -> None:
    steps = EPOCHS * -(-len(inputs) // WORDS_PER_BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.0, 1 - step / steps))
    network.train()
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(inputs)), WORDS_PER_BATCH):
            loss = nn.functional.cross_entropy(network(inputs[batch]), targets[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    network.eval()


class QuickTagger:
    """A quick scorer with its labels and the vectors it reads; it answers as maner_core.inference.Tagger does."""

    def __init__(self, quick: QuickHead, labels: list[str], features: WordFeatures) -> None:
        self.quick = quick
        self.labels = labels
        self.features = features

    @property
    def head(self) -> tuple[Array, Array, float]:
        """The last layer: weight (n_tags, UNITS), bias (n_tags,), and the share of values dropped before it in training."""
        return self.quick.weight, self.quick.bias, DROPOUT

    def word_states(self, sentences: Sequence[Sequence[str]]) -> list[Array]:
        """What the last layer reads, dropout off: (n_words, UNITS) for each sentence."""
        return [self.quick.states(vectors) for vectors in self.features.of(sentences)]

    def predict(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None] | None = None
    ) -> list[Prediction]:
        """One prediction for each sentence, in their order; the embedding is the mean of its word vectors.

        `on_progress` hears the share done (0 to 1), most of which is reading sentences for the first time.
        """
        vectors = self.features.of(sentences, on_progress)
        found: list[Prediction] = []
        tags = iob2_tags(self.labels)
        for part in _parts(vectors):
            flat = np.concatenate(part).astype(np.float32)
            chances = self.quick.probabilities(self.quick.states(flat))
            best = chances.argmax(axis=1).tolist()
            end = 0
            for own in part:
                start, end = end, end + len(own)
                its_tags = repair_tags([tags[i] for i in best[start:end]])
                embedding = flat[start:end].mean(axis=0) if len(own) else np.zeros(flat.shape[1], np.float32)
                found.append(Prediction(its_tags, chances[start:end], embedding))
        if on_progress is not None:
            on_progress(1.0)
        return found

    def knows(self, sentence: Sequence[str]) -> bool:
        """Whether it can answer for this sentence without reading it first."""
        return self.features.knows(sentence)

    def save(self, folder: Path) -> None:
        """Keep it in `folder`, all or nothing; the vectors stay where they are."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / ".unfinished-quick.npz"
        with draft.open("wb") as file:
            np.savez(file, labels=np.array(json.dumps(self.labels)), **vars(self.quick))
        os.replace(draft, folder / "quick.npz")

    @classmethod
    def load(cls, folder: Path, features: WordFeatures) -> "QuickTagger":
        """The quick scorer kept in `folder`. Raises NoCheckpoint."""
        try:
            with np.load(folder / "quick.npz", allow_pickle=False) as kept:
                labels = json.loads(str(kept["labels"]))
                head = QuickHead(**{name: kept[name] for name in kept.files if name != "labels"})
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise NoCheckpoint(f"{folder} holds no quick scorer; train one there first") from error
        return cls(head, labels, features)


@dataclass(frozen=True, slots=True)
class QuickReport:
    """What a training of the quick scorer came to: F1 on its own sentences (0 to 1), the seed, words learned from."""

    train_f1: float
    seed: int
    words: int


def train_quick(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    seed: int,
    features: WordFeatures,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[QuickTagger, QuickReport]:
    """A quick scorer that has learned the gold `spans`. `on_progress`: the share of unknown sentences read, 0 to 1."""
    tags = iob2_tags(labels)
    vectors = features.of(sentences, on_progress)
    numbers = [
        tags.index(tag)
        for words, own in zip(sentences, spans, strict=True)
        for tag in spans_to_tags(list(own), len(words))
    ]
    flat = np.concatenate(vectors).astype(np.float32)
    head = QuickHead.train(flat, np.array(numbers, np.int64), len(tags), seed)
    tagger = QuickTagger(head, list(labels), features)
    predicted = [prediction.spans for prediction in tagger.predict(sentences)]
    return tagger, QuickReport(f1_report(spans, predicted).f1, seed, len(flat))


def _parts(vectors: Sequence[Vectors]) -> list[list[Vectors]]:
    """The sentences in groups of about WORDS_AT_ONCE words."""
    groups: list[list[Vectors]] = []
    room = 0
    for own in vectors:
        if not groups or room < len(own):
            groups.append([])
            room = WORDS_AT_ONCE
        groups[-1].append(own)
        room -= len(own)
    return groups
