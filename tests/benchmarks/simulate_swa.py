"""Random order against MNLP on Swahili news, gold tags for an annotator: F1 at 50 to 300 labels.

    python tests/benchmarks/simulate_swa.py --data DIR --out DIR --seeds 3

A repetition is 11 trainings; what `out` already holds is not run again, so it may be broken off at any time. Prints mean
F1 by number of labels and words, the area under the curves, and how many labels MNLP needs for what random order reaches
in the end. Sentences are not time: people are slower on the sentences that a tagger is unsure of.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import typer

from annotation.simulation import Mean, Point, SimulationConfig, as_table, read_points, simulate

STRATEGIES = ("random", "mnlp")
TARGET = 0.95  # share of the F1 of random order at the end


def main(
    data: Annotated[Path, typer.Option(help="Folder with train.txt and test.txt, two columns, IOB2.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    seeds: int = 3,
    batch: int = 25,
    budget: int = 300,
    steps: Annotated[int | None, typer.Option(help="Steps of every training; default: as the tool does.")] = None,
    pool_limit: int | None = None,
    test_limit: int | None = None,
) -> None:
    """Simulate both strategies and print what came of it."""
    config = SimulationConfig(
        strategies=STRATEGIES,
        seeds=seeds,
        batch=batch,
        budget=budget,
        overrides={} if steps is None else {"min_steps": steps, "max_steps": steps},
        pool_limit=pool_limit,
        test_limit=test_limit,
    )
    means = simulate(data / "train.txt", data / "test.txt", out, config)
    points = read_points(out / "points.csv")
    result = {
        "area": {name: _area((mean.labels, mean.f1) for mean in means if mean.strategy == name) for name in STRATEGIES},
        "area_difference_by_seed": _differences(points),
        "labels_for_target": {name: _labels_for_target(means, name) for name in STRATEGIES},
        "training_seconds": fmean(point.training_seconds for point in points),
    }
    sys.stdout.write(as_table(means) + "\n" + json.dumps(result) + "\n")


def _area(curve: Iterable[tuple[int, float]]) -> float:
    """Mean height of an F1 curve of (labels, F1) between its ends (trapezoid); the height where it is one point."""
    labels, f1 = zip(*sorted(curve), strict=True)
    return float(np.trapezoid(f1, labels) / (labels[-1] - labels[0])) if len(labels) > 1 else float(f1[0])


def _differences(points: Sequence[Point]) -> list[float]:
    """Area of MNLP less that of random order, for each seed: they began with the same sentences."""

    def area(strategy: str, seed: int) -> float:
        return _area((p.labels, p.f1) for p in points if (p.strategy, p.seed) == (strategy, seed))

    return [area("mnlp", seed) - area("random", seed) for seed in sorted({point.seed for point in points})]


def _labels_for_target(means: Sequence[Mean], strategy: str) -> float | None:
    """Labels at which the curve first reaches TARGET of random order's last F1, interpolated; None: not reached."""
    last = max((mean for mean in means if mean.strategy == "random"), key=lambda mean: mean.labels)
    curve = sorted((mean for mean in means if mean.strategy == strategy), key=lambda mean: mean.labels)
    highest = np.maximum.accumulate([mean.f1 for mean in curve])  # a dip after the target is noise of few seeds
    if highest[-1] < TARGET * last.f1:
        return None
    return float(np.interp(TARGET * last.f1, highest, [mean.labels for mean in curve]))


if __name__ == "__main__":
    typer.run(main)
