"""What the runs of a benchmark come to: means over seeds, gains over SNER, wins and losses. Numbers only, no text.

Two systems are compared on the same sets, training sentences, seeds and test sentences. Intervals and p come from a paired
bootstrap over seeds and test sentences (Koehn 2004, with the seeds resampled as well): they cover the luck of both draws,
but with one seed only that of the test sentences, and never that of the choice of languages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from maner_core.benchmark_runs import Run, unpack_counts
from maner_core.evaluation import Counts

BASELINE = "sner"
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Score:
    """A system on a set: mean over seeds and sample deviation (None for one seed); F1 and the like in 0 to 1."""

    set_name: str
    script: str
    seen: float
    """Share of the test sentences that are among the drawn training sentences, 0 to 1."""
    system: str
    n_seeds: int
    f1: float
    deviation: float | None
    precision: float
    recall: float
    train_f1: float
    seconds: float
    test_seconds: float
    peak_memory_bytes: int
    """The largest of the runs."""
    restarts: int
    """Of all runs together."""


@dataclass(frozen=True, slots=True)
class LabelMean:
    """One label of a system on a set: mean F1 over seeds, deviation, and its gold entities in the test sentences."""

    set_name: str
    system: str
    label: str
    f1: float
    deviation: float | None
    n_gold: int


@dataclass(frozen=True, slots=True)
class Gain:
    """What a system gains over the baseline on a set, by the seeds that both have."""

    set_name: str
    system: str
    n_seeds: int
    baseline_f1: float
    f1: float
    low: float
    high: float
    """95% interval of `absolute`."""
    p: float
    """Two-sided: how surprising the gain is if there is none."""

    @property
    def absolute(self) -> float:
        """Difference of mean F1, -1 to 1."""
        return self.f1 - self.baseline_f1

    @property
    def relative(self) -> float | None:
        """Share of the baseline's mean F1; None where that is 0."""
        return self.absolute / self.baseline_f1 if self.baseline_f1 else None

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Overall:
    """Gains of a system over some sets together, every set counting alike."""

    about: str
    """Which sets: a collection, or "all"."""
    system: str
    n_sets: int
    baseline_f1: float
    f1: float
    """Means over the sets."""
    low: float
    high: float
    p: float
    relative: float | None
    """Mean of the relative gains of the sets; the paper's 12% is of this kind."""
    best_set: str
    best: float
    wins: int
    ties: int
    losses: int
    clear_wins: int
    clear_losses: int

    @property
    def absolute(self) -> float:
        """Mean gain over the sets, -1 to 1."""
        return self.f1 - self.baseline_f1

    @property
    def relative_of_means(self) -> float | None:
        """Gain of the mean F1 as a share of the baseline's mean F1."""
        return self.absolute / self.baseline_f1 if self.baseline_f1 else None


@dataclass(frozen=True, slots=True)
class GrandMean:
    """A system over all sets on which every system was run: mean F1 and the deviation of that mean over seeds."""

    system: str
    n_sets: int
    n_seeds: int
    f1: float
    deviation: float | None


def scores(runs: Sequence[Run]) -> list[Score]:
    """One score for each set and system, in the order in which they first come."""
    return [
        Score(
            set_name=set_name,
            script=group[0].script,
            seen=fmean(run.n_seen / max(1, run.n_test) for run in group),
            system=system,
            n_seeds=len(group),
            f1=fmean(run.f1 for run in group),
            deviation=deviation([run.f1 for run in group]),
            precision=fmean(run.precision for run in group),
            recall=fmean(run.recall for run in group),
            train_f1=fmean(run.training["train_f1"] for run in group),
            seconds=fmean(run.training["seconds"] for run in group),
            test_seconds=fmean(run.test_seconds for run in group),
            peak_memory_bytes=max(run.training["peak_memory_bytes"] for run in group),
            restarts=sum(run.training["restarts"] for run in group),
        )
        for (set_name, system), group in _by_set_and_system(runs).items()
    ]


def label_means(runs: Sequence[Run]) -> list[LabelMean]:
    """One mean for each set, system and label; a label that a run neither met nor predicted is left out of it."""
    means = []
    for (set_name, system), group in _by_set_and_system(runs).items():
        for label in sorted({label for run in group for label in run.per_label}):
            its = [run.per_label[label] for run in group if label in run.per_label]
            f1 = [score["f1"] for score in its]
            n_gold = max(int(score["n_gold"]) for score in its)
            means.append(LabelMean(set_name, system, label, fmean(f1), deviation(f1), n_gold))
    return means


def gains(runs: Sequence[Run], about: str = "all", draws: int = DRAWS) -> tuple[list[Gain], list[Overall]]:
    """Gains over the baseline by set and system, and for each system over all these sets; none without a baseline."""
    groups = _by_set_and_system(runs)
    by_set: list[Gain] = []
    drawn: dict[str, list[NDArray[np.float64]]] = {}
    rng = np.random.default_rng(0)
    for (set_name, system), group in groups.items():
        pairs = _pairs(groups.get((set_name, BASELINE), []), group)
        if system == BASELINE or not pairs:
            continue
        before, after = (np.stack([unpack_counts(run.counts) for run in half]) for half in zip(*pairs, strict=True))
        differences = gain_draws(before, after, draws)
        low, high = interval(differences)
        baseline_f1, f1 = (fmean(run.f1 for run in half) for half in zip(*pairs, strict=True))
        p = two_sided_p(differences)
        by_set.append(Gain(set_name, system, len(pairs), baseline_f1, f1, low, high, p))
        # Sets of equal size share their weights; in another order the draws of one say nothing of those of the next.
        drawn.setdefault(system, []).append(rng.permutation(differences))
    overall = [
        _overall(about, system, [gain for gain in by_set if gain.system == system], np.mean(differences, axis=0))
        for system, differences in drawn.items()
    ]
    return by_set, overall


def grand_means(runs: Sequence[Run]) -> list[GrandMean]:
    """Mean over the sets that every system has run with the same seeds; none where there is no such set."""
    systems = list(dict.fromkeys(run.cell.system for run in runs))
    f1 = {(run.cell.set_name, run.cell.seed, run.cell.system): run.f1 for run in runs}
    # (set, seed) pairs that every system has, by set.
    seeds: dict[str, set[int]] = {}
    for set_name, seed, _ in f1:
        if all((set_name, seed, system) in f1 for system in systems):
            seeds.setdefault(set_name, set()).add(seed)
    if not seeds:
        return []
    common = sorted(set.intersection(*seeds.values()))
    means = []
    for system in systems:
        by_set = [fmean(f1[set_name, seed, system] for seed in its) for set_name, its in seeds.items()]
        by_seed = [fmean(f1[set_name, seed, system] for set_name in seeds) for seed in common]
        means.append(GrandMean(system, len(seeds), len(common), fmean(by_set), deviation(by_seed)))
    return means


def gain_draws(before: Counts, after: Counts, draws: int = DRAWS) -> NDArray[np.float64]:
    """(draws,) gains of mean F1 under resampling of seeds and sentences.

    before, after: (n_seeds, n_sentences, 3). A draw takes the same sentences for every seed and both systems.
    """
    n_seeds, n_sentences, _ = before.shape
    sentences = _sentence_weights(n_sentences, draws)
    differences = _f1(sentences, after) - _f1(sentences, before)  # (draws, n_seeds)
    rng = np.random.default_rng(n_seeds)
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=draws) / n_seeds  # (draws, n_seeds)
    drawn: NDArray[np.float64] = (differences * seeds).sum(axis=1)
    return drawn


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """95% percentile interval."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def two_sided_p(drawn: NDArray[np.float64]) -> float:
    """Twice the share of draws on the rarer side of 0, never 0: with 2,000 draws 0.001 is the least."""
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(drawn) + 1))


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None of fewer than two."""
    return stdev(values) if len(values) > 1 else None


def _overall(about: str, system: str, its: Sequence[Gain], differences: NDArray[np.float64]) -> Overall:
    low, high = interval(differences)
    best = max(its, key=lambda gain: gain.absolute)
    relative = [gain.relative for gain in its if gain.relative is not None]
    return Overall(
        about=about,
        system=system,
        n_sets=len(its),
        baseline_f1=fmean(gain.baseline_f1 for gain in its),
        f1=fmean(gain.f1 for gain in its),
        low=low,
        high=high,
        p=two_sided_p(differences),
        relative=fmean(relative) if relative else None,
        best_set=best.set_name,
        best=best.absolute,
        wins=sum(gain.absolute > 0 for gain in its),
        ties=sum(gain.absolute == 0 for gain in its),
        losses=sum(gain.absolute < 0 for gain in its),
        clear_wins=sum(gain.clear and gain.absolute > 0 for gain in its),
        clear_losses=sum(gain.clear and gain.absolute < 0 for gain in its),
    )


def _by_set_and_system(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.cell.set_name, run.cell.system), []).append(run)
    return groups


def _pairs(baseline: Sequence[Run], other: Sequence[Run]) -> list[tuple[Run, Run]]:
    """The runs of both with the same seed."""
    of_seed = {run.cell.seed: run for run in baseline}
    return [(of_seed[run.cell.seed], run) for run in other if run.cell.seed in of_seed]


@lru_cache(maxsize=2)
def _sentence_weights(n_sentences: int, draws: int) -> NDArray[np.float64]:
    """(draws, n_sentences): how often each sentence is taken; kept, since drawing takes longer than all the rest."""
    rng = np.random.default_rng(n_sentences)
    return rng.multinomial(n_sentences, np.full(n_sentences, 1 / n_sentences), size=draws).astype(np.float64)


def _f1(weights: NDArray[np.float64], counts: Counts) -> NDArray[np.float64]:
    """(draws, n_seeds) F1 of counts (n_seeds, n_sentences, 3)."""
    totals = weights @ counts.astype(np.float64)  # (n_seeds, draws, 3)
    found, predicted, gold = np.moveaxis(totals, -1, 0)
    f1: NDArray[np.float64] = (2 * found / np.maximum(predicted + gold, 1)).T
    return f1
