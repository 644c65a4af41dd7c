"""The quick scorer in a project and in a simulation: where its word vectors lie, and how it stands in for a tagger.

Importing this module loads no torch.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from annotation.sampling.pool import Values
from annotation.tagging import LoadedTagger, Tools, TrainProgress
from maner_core.config import TrainConfig
from maner_core.spans import Span

COMPARED_SENTENCES = 200
"""Random sentences of the pool that the tagger reads too, in every round, to see how far both rank them alike."""
LOWEST_CORRELATION = 0.4
"""Below this rank correlation the quick scorer does not choose."""


def features_folder(parent: Path, backbone: str) -> Path:
    """Where the word vectors of a backbone lie under `parent`: a folder of their own for each."""
    return parent / f"features-{sha256(backbone.encode()).hexdigest()[:12]}"


def features_of_project(home: Path, project_id: int, backbone: str) -> Path:
    """Where the word vectors of a project's sentences lie."""
    return features_folder(home / "features" / f"project-{project_id}", backbone)


def in_words(comparison: Mapping[str, Any]) -> str:
    """What a lead is told of how far quick scorer and tagger agreed in a run (its metrics["quick"])."""
    figure = f"{comparison['rank_correlation']:.2f} on {comparison['sentences']} random sentences"
    if comparison["used"]:
        return f"by the quick scorer; its ranking and the tagger's agree with a rank correlation of {figure}"
    return (
        f"by the tagger from a part of the pool: the quick scorer ranks otherwise, with a rank correlation of {figure} "
        f"(from {LOWEST_CORRELATION} on it would choose)"
    )


def for_a_lead(comparison: Mapping[str, Any]) -> str:
    """The same in one sentence of its own, for those who do not know what a rank correlation is."""
    figure = f"{comparison['rank_correlation']:.2f} on {comparison['sentences']} random sentences"
    if comparison["used"]:
        return (
            f"The quick scorer ranks like the tagger: {figure} (1: in the same order, 0: by chance). So it reads the large "
            "pool in the tagger's place."
        )
    return (
        f"The quick scorer ranks otherwise than the tagger: {figure} (1: in the same order, 0: by chance), below "
        f"{LOWEST_CORRELATION}. So the tagger scores a sub-sample of the pool itself."
    )


def rank_correlation(first: Values, second: Values) -> float:
    """Spearman's: the correlation of the ranks, equal values sharing the mean of theirs; 0 where one does not vary.

    `[1, 2, 3], [10, 30, 20]` -> 0.5
    """
    ranks = np.array([_ranks(first), _ranks(second)])
    away = ranks - ranks.mean(axis=1, keepdims=True)
    spread = float(np.sqrt((away[0] ** 2).sum() * (away[1] ** 2).sum()))
    return float((away[0] * away[1]).sum()) / spread if spread else 0.0


def _ranks(values: Values) -> Values:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Values = last - (counts - 1) / 2
    return mean[place]


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
