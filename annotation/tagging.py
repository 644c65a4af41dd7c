"""What the loop needs of a tagger: a way to train one and a way to load one, so that a stand-in fits in its place.

Importing this module loads no torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from maner_core.config import TrainConfig
from maner_core.model_card import DataCard, describe
from maner_core.spans import Span


class TrainProgress(Protocol):
    """What a training tells after each step."""

    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def seconds_left(self) -> float: ...


class TaggerPrediction(Protocol):
    """What a tagger says of one sentence: probabilities (n_words, n_tags), embedding (hidden,)."""

    @property
    def probabilities(self) -> npt.NDArray[np.float32]: ...
    @property
    def embedding(self) -> npt.NDArray[np.float32]: ...
    @property
    def spans(self) -> list[Span]: ...
    def span_confidences(self) -> list[float]: ...
    def word_confidences(self) -> npt.NDArray[np.float32]: ...


class LoadedTagger(Protocol):
    """A tagger that can be asked."""

    @property
    def labels(self) -> list[str]: ...
    @property
    def head(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]: ...  # weight, bias, dropout
    def word_states(self, sentences: Sequence[Sequence[str]]) -> Sequence[npt.NDArray[np.float32]]: ...
    def predict(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None] | None = None
    ) -> Sequence[TaggerPrediction]: ...


class QuickScorer(LoadedTagger, Protocol):
    """A tagger that is trained in seconds, and answers at once for sentences that it has read before."""

    def knows(self, sentence: Sequence[str]) -> bool: ...


QuickFunction = Callable[
    [
        Sequence[Sequence[str]],  # sentences
        Sequence[Sequence[Span]],  # their gold spans
        Sequence[str],  # labels
        TrainConfig,  # of which backbone and seed count
        Path,  # folder where what was read of the backbone is kept
    ],
    QuickScorer,
]
"""Trains the quick scorer."""

TrainFunction = Callable[
    [
        Sequence[Sequence[str]],  # sentences
        Sequence[Sequence[Span]],  # their gold spans
        Sequence[str],  # labels
        TrainConfig,
        Path,  # folder of the checkpoint
        Sequence[Sequence[str]],  # sentences without labels, for an adaptation beside the training
        Callable[[TrainProgress], None],  # called after each step, may raise to stop
    ],
    Any,
]
"""maner_core.training.train, or a stand-in; returns a dataclass of plain values with `train_f1` among them."""

LoadFunction = Callable[[Path], LoadedTagger]
DescribeFunction = Callable[[Path, DataCard], None]

AdaptFunction = Callable[
    [
        Sequence[Sequence[str]],  # sentences without labels
        TrainConfig,
        Path,  # folder of the backbone
        Callable[[TrainProgress], None],  # called after each step, may raise to stop
    ],
    Any,
]
"""maner_core.adaptation.adapt, or a stand-in; returns a dataclass of plain values."""


def adapt_backbone(
    text: Sequence[Sequence[str]],
    config: TrainConfig,
    folder: Path,
    on_progress: Callable[[TrainProgress], None],
    cache: Path | None = None,
) -> Any:
    """maner_core's own adaptation; torch is imported when it is called."""
    from maner_core import adaptation

    return adaptation.adapt(text, config, folder, on_progress, cache=cache)


@dataclass(frozen=True, slots=True)
class Tools:
    """How to train a tagger, how to load one, how to adapt the backbone it starts from, and where to write what it is."""

    train: TrainFunction
    load: LoadFunction
    adapt: AdaptFunction = adapt_backbone
    describe: DescribeFunction = lambda folder, card: None
    quick: QuickFunction | None = None
    """None: there is no quick scorer, and of a large pool the tagger reads a sub-sample."""


def real_tools(cache: Path | None = None) -> Tools:
    """maner_core's own; `cache` is where the bundled backbone is kept. torch is imported when one of them is called."""

    def train(
        sentences: Sequence[Sequence[str]],
        spans: Sequence[Sequence[Span]],
        labels: Sequence[str],
        config: TrainConfig,
        folder: Path,
        text: Sequence[Sequence[str]],
        on_progress: Callable[[TrainProgress], None],
    ) -> Any:
        from maner_core import training

        return training.train(sentences, spans, labels, config, folder, on_progress, text=text, cache=cache)

    def load(folder: Path) -> LoadedTagger:
        from maner_core.inference import Tagger

        return Tagger.load(folder, cache=cache)

    def quick(
        sentences: Sequence[Sequence[str]],
        spans: Sequence[Sequence[Span]],
        labels: Sequence[str],
        config: TrainConfig,
        folder: Path,
    ) -> QuickScorer:
        from maner_core.features import WordFeatures
        from maner_core.quick import train_quick

        features = WordFeatures(folder, config.backbone, cache=cache)
        return train_quick(sentences, spans, labels, config.seed, features)[0]

    return Tools(train, load, partial(adapt_backbone, cache=cache), describe, quick)
