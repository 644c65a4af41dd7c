"""The quick scorer in a project and in a simulation: where its word vectors lie, and how it stands in for a tagger.

Importing this module loads no torch.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from annotation.tagging import LoadedTagger, Tools, TrainProgress
from maner_core.config import TrainConfig
from maner_core.spans import Span

QUICK = "quick"
"""What a simulation and a project call it."""


def features_folder(parent: Path, backbone: str) -> Path:
    """Where the word vectors of a backbone lie under `parent`: a folder of their own for each."""
    return parent / f"features-{sha256(backbone.encode()).hexdigest()[:12]}"


def train_quick_scorer(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    config: TrainConfig,
    features: Path,
    on_progress: Callable[[float], None] | None = None,
    cache: Path | None = None,
) -> tuple[LoadedTagger, Any]:
    """A quick scorer and its report; `features` is where the vectors of its backbone are kept."""
    from maner_core.features import WordFeatures
    from maner_core.quick import train_quick

    vectors = WordFeatures(features, config.backbone, cache=cache)
    return train_quick(sentences, spans, labels, config.seed, vectors, on_progress)


@dataclass(frozen=True, slots=True)
class _Step:
    """One training is one step."""

    step: int
    steps: int
    seconds_left: float


def quick_tools(parent: Path, backbone: str, cache: Path | None = None) -> Tools:
    """The quick scorer in place of the tagger; vectors of the backbone are kept under `parent`, for all trainings."""
    features = features_folder(parent, backbone)

    def train(
        sentences: Sequence[Sequence[str]],
        spans: Sequence[Sequence[Span]],
        labels: Sequence[str],
        config: TrainConfig,
        folder: Path,
        text: Sequence[Sequence[str]],
        on_progress: Callable[[TrainProgress], None],
    ) -> Any:
        from maner_core.features import WordFeatures
        from maner_core.quick import train_quick

        started = time.monotonic()
        tagger, report = train_quick(
            sentences, spans, labels, config.seed, WordFeatures(features, backbone, cache=cache)
        )
        tagger.save(folder)
        on_progress(_Step(1, 1, time.monotonic() - started))
        return report

    def load(folder: Path) -> LoadedTagger:
        from maner_core.features import WordFeatures
        from maner_core.quick import QuickTagger

        return QuickTagger.load(folder, WordFeatures(features, backbone, cache=cache))

    return Tools(train, load)
