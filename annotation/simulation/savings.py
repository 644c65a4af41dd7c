"""How much a query strategy saves against random order at equal F1, with intervals: the number a claim may rest on.

Levels are shares of the F1 that `random` reaches in the end. The curves are means over the seeds, made monotone by
isotonic regression, and inverted; intervals come from drawing sets, and seeds within sets, again: whatever is done to the
curves is done anew in every draw. A strategy that does not reach a level has saved nothing there: "not reached" is a
result, and counts as worse than any number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from annotation.simulation.points import AXES, Point

BASELINE = "random"
LEVELS = (0.90, 0.95, 0.98)
DRAWS = 1000
ALL_SETS = "all sets"
NOT_REACHED = float("-inf")
FEWEST_SEEDS = 3
"""Repetitions below which an interval says nothing, over all sets together as well."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Saving:
    """What a strategy saves on one axis at one level: 1 - at / random_at, with its 95 % interval; None: not reached.

    `target_f1` is the level, 0 to 1. `draws_reached`: the share of the draws in which the strategy reached it.
    """

    set: str
    strategy: str
    axis: str
    level: float
    target_f1: float
    at: float | None
    random_at: float | None
    saving: float | None
    low: float | None
    high: float | None
    draws_reached: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Area:
    """Mean height of a curve, F1 0 to 1, and how much higher it is than that of `random` (95 % interval).

    Over what the curves of all strategies have in common of the axis; nan where that is nothing.
    """

    set: str
    strategy: str
    axis: str
    area: float
    gain: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Match:
    """With how many labels a strategy is where `random` ends: `at`, with its 95 % interval; None: not reached.

    `labels` and `f1` (0 to 1) are where `random` ends.
    """

    set: str
    strategy: str
    labels: int
    f1: float
    at: float | None
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, slots=True)
class _Curves:
    """The curves of all strategies: `by_set` holds (1 + n_axes, n_strategies, n_seeds, n_points), F1 and then the axes.

    Row i of the seeds is the same seed in every strategy, which begins with the same sentences in each of them.
    """

    strategies: tuple[str, ...]
    by_set: Mapping[str, Values]

    @property
    def seeds(self) -> int:
        """Repetitions that every strategy and set has."""
        return min(int(values.shape[2]) for values in self.by_set.values())

    def mean(self, rng: np.random.Generator | None = None) -> Values:
        """Over seeds, then sets: (1 + n_axes, n_strategies, n_points); with `rng` of both drawn with replacement."""
        sets = list(self.by_set.values())
        if rng is not None:
            sets = [sets[i] for i in rng.integers(0, len(sets), len(sets))]
            sets = [values[:, :, rng.integers(0, values.shape[2], values.shape[2])] for values in sets]
        mean: Values = np.mean([values.mean(axis=2) for values in sets], axis=0)
        return mean


def savings(points: Sequence[Point], draws: int = DRAWS, seed: int = 0) -> list[Saving]:
    """For each set (and all together, where there are several), strategy but `random`, axis and level.

    Only seeds and numbers of labels that every strategy has are compared; nothing without `random`.
    """
    found = []
    for name, curves in _groups(points):
        rng = np.random.default_rng(seed)
        baseline = curves.strategies.index(BASELINE)
        here = _reached(curves.mean(), baseline)
        again = np.array([_saved(_reached(curves.mean(rng), baseline), baseline) for _ in range(draws)])
        lows, highs = np.quantile(again, [0.025, 0.975], axis=0, method="inverted_cdf")
        saved, end = _saved(here, baseline), curves.mean()[0, baseline, -1]
        for i, level in enumerate(LEVELS):
            for j, axis in enumerate(AXES):
                for k, strategy in enumerate(curves.strategies):
                    if k != baseline:
                        found.append(
                            Saving(
                                set=name,
                                strategy=strategy,
                                axis=axis,
                                level=level,
                                target_f1=level * float(end),
                                at=_number(here[i, j, k]),
                                random_at=_number(here[i, j, baseline]),
                                saving=_number(saved[i, j, k]),
                                low=_number(lows[i, j, k]),
                                high=_number(highs[i, j, k]),
                                draws_reached=float(np.mean(again[:, i, j, k] > NOT_REACHED)),
                                seeds=curves.seeds,
                            )
                        )
    return found


def areas(points: Sequence[Point], draws: int = DRAWS, seed: int = 0) -> list[Area]:
    """For each set (and all together, where there are several), strategy and axis."""
    found = []
    for name, curves in _groups(points):
        rng = np.random.default_rng(seed)
        baseline = curves.strategies.index(BASELINE)
        here = _heights(curves.mean())
        again = np.array([_heights(curves.mean(rng)) for _ in range(draws)])
        lows, highs = np.quantile(again - again[:, :, [baseline]], [0.025, 0.975], axis=0)
        for j, axis in enumerate(AXES):
            for k, strategy in enumerate(curves.strategies):
                height, gain = float(here[j, k]), float(here[j, k] - here[j, baseline])
                low, high = float(lows[j, k]), float(highs[j, k])
                found.append(Area(name, strategy, axis, height, gain, low, high, curves.seeds))
    return found


def matches(points: Sequence[Point], draws: int = DRAWS, seed: int = 0) -> list[Match]:
    """For each set (and all together, where there are several) and strategy but `random`; nothing without `random`."""
    found = []
    for name, curves in _groups(points):
        rng = np.random.default_rng(seed)
        baseline, mean = curves.strategies.index(BASELINE), curves.mean()
        here = _labels_to_the_end(mean, baseline)
        again = np.array([_labels_to_the_end(curves.mean(rng), baseline) for _ in range(draws)])
        lows, highs = np.quantile(again, [0.025, 0.975], axis=0, method="inverted_cdf")
        end, labels = float(mean[0, baseline, -1]), int(mean[1, baseline, -1])
        for k, strategy in enumerate(curves.strategies):
            if k != baseline:
                at, low, high = (_number(bound[k]) for bound in (here, lows, highs))
                found.append(Match(name, strategy, labels, end, at, low, high, curves.seeds))
    return found


def savings_table(found: Sequence[Saving], axis: str = "hard_minutes") -> str:
    """The savings on one axis as text, a line for each: `95 % of random's F1: 23 % (4 % to 38 %)`."""
    lines = [f"Saved against random order, by {AXES[axis]} (95 % interval):"] if found else []
    for each in found:
        if each.axis == axis:
            said = (
                f"{each.set}, {each.strategy}, {100 * each.level:.0f} % of random's F1 ({100 * each.target_f1:.1f}): "
            )
            lines.append(said + in_words(each))
    return "\n".join(lines)


def in_words(saving: Saving) -> str:
    """`23 % (4 % to 38 %)`, `no reliable saving: 5 % (-12 % to 20 %)` or `not reached`.

    With fewer than FEWEST_SEEDS repetitions, however many sets: `23 %, too few repetitions for an interval`.
    """
    if saving.saving is None:
        return "not reached"
    if saving.seeds < FEWEST_SEEDS:
        return f"{100 * saving.saving:.0f} %, too few repetitions for an interval"
    low, high = ("not reached" if bound is None else f"{100 * bound:.0f} %" for bound in (saving.low, saving.high))
    told = f"{100 * saving.saving:.0f} % ({low} to {high})"
    return told if saving.low is not None and saving.low > 0 else f"no reliable saving: {told}"


def reached_at(axis: Values, monotone: Values, target: float) -> float:
    """Where a curve that never falls first reaches `target`, interpolated; NOT_REACHED: nowhere.

    A curve that begins above it reaches it at its first point. `axis` rises; both are (n_points,).
    """
    reached = np.flatnonzero(monotone >= target - 1e-12)
    if not len(reached):
        return NOT_REACHED
    first = int(reached[0])
    if first == 0:
        return float(axis[0])
    share = (target - monotone[first - 1]) / (monotone[first] - monotone[first - 1])
    return float(axis[first - 1] + min(max(share, 0.0), 1.0) * (axis[first] - axis[first - 1]))


def _groups(points: Sequence[Point]) -> list[tuple[str, _Curves]]:
    """The curves of each set, and of all sets together where there are several; those that can be compared."""
    names = sorted({point.set for point in points})
    groups = [(name, _curves(points, [name])) for name in names]
    if len(names) > 1:
        groups.append((ALL_SETS, _curves(points, names)))
    return [(name, curves) for name, curves in groups if curves is not None]


def _curves(points: Sequence[Point], sets: Sequence[str]) -> _Curves | None:
    """What all strategies have in common on these sets; None without `random` or without anything to compare."""
    own = [point for point in points if point.set in sets]
    known = {(point.set, point.strategy, point.seed, point.labels): point for point in own}
    strategies = tuple(dict.fromkeys(point.strategy for point in own))
    trained_at = [
        {point.labels for point in own if (point.set, point.strategy) == pair} for pair in product(sets, strategies)
    ]
    sizes = sorted(set.intersection(*trained_at))
    if BASELINE not in strategies or not sizes:
        return None
    by_set = {}
    for name in sets:
        seeds = [
            seed
            for seed in sorted({point.seed for point in own if point.set == name})
            if all((name, strategy, seed, size) in known for strategy in strategies for size in sizes)
        ]
        if not seeds:
            return None
        by_set[name] = np.array(
            [
                [
                    [[getattr(known[name, strategy, seed, size], field) for size in sizes] for seed in seeds]
                    for strategy in strategies
                ]
                for field in ("f1", *AXES)
            ],
            dtype=np.float64,
        )
    return _Curves(strategies, by_set)


def _reached(curves: Values, baseline: int, levels: Sequence[float] = LEVELS) -> Values:
    """Where each strategy reaches each level on each axis: (n_levels, n_axes, n_strategies)."""
    from sklearn.isotonic import (
        isotonic_regression,
    )  # takes a second to import, and the web process reads this package too

    f1, axes = curves[0], curves[1:]
    monotone = [isotonic_regression(own) for own in f1]
    return np.array(
        [
            [[reached_at(axis[k], monotone[k], level * f1[baseline, -1]) for k in range(len(f1))] for axis in axes]
            for level in levels
        ]
    )


def _labels_to_the_end(curves: Values, baseline: int) -> Values:
    """With how many labels each strategy is where `random` ends: (n_strategies,), more than any number: not reached."""
    labels = list(AXES).index("labels")
    reached = _reached(curves, baseline, levels=(1.0,))[0, labels]
    return np.where(reached == NOT_REACHED, -NOT_REACHED, reached)


def _saved(reached: Values, baseline: int) -> Values:
    """1 - at / random_at, of the shape of `reached`; NOT_REACHED where one of both is not reached."""
    known = (reached > NOT_REACHED) & (reached[:, :, [baseline]] > 0)
    return np.where(known, 1 - reached / np.where(known, reached[:, :, [baseline]], 1.0), NOT_REACHED)


def _number(value: float) -> float | None:
    return None if np.isinf(value) else float(value)


def _heights(curves: Values) -> Values:
    """Mean height of each curve over what all of them have in common of an axis (trapezoid): (n_axes, n_strategies).

    nan where they have nothing in common: one ends, at so many words or minutes, before another begins.
    """
    f1, axes = curves[0], curves[1:]
    if f1.shape[1] == 1:
        return np.broadcast_to(f1[:, 0], axes.shape[:2])
    return np.array(
        [[_height(x, y, axis[:, 0].max(), axis[:, -1].min()) for x, y in zip(axis, f1, strict=True)] for axis in axes]
    )


def _height(x: Values, y: Values, start: float, end: float) -> float:
    """Mean height of a curve from `start` to `end`, both within its rising `x`: `[0, 2], [0, 1], 1, 2 -> 0.75`."""
    if start >= end:
        return float("nan")
    within = np.array([start, *x[(x > start) & (x < end)], end])
    return float(np.trapezoid(np.interp(within, x, y), within) / (end - start))
