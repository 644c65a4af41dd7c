"""The points of a simulation: one row of points.csv for each training, and their means."""

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeVar


@dataclass(frozen=True)
class Point:
    """One training of one repetition: what was labelled until then, and the F1 (0 to 1) on the whole test file."""

    set: str
    strategy: str
    seed: int
    labels: int
    words: int
    entities: int
    """Those the annotator marked."""
    minutes: float
    """What the labels cost at the same pace for every sentence: Cost()."""
    hard_minutes: float
    """The same with the slower pace on sentences chosen by doubt: HARD_PACE."""
    f1: float
    f1_low: float
    f1_high: float
    train_f1: float
    training_seconds: float
    """Next to none where another strategy has trained on the same sentences before."""
    round_seconds: float
    chosen: str
    """Fingerprint of the labelled sentences in their order: equal for equal choices."""
    last: bool
    """Whether the repetition ends here."""


@dataclass(frozen=True)
class Mean:
    """A strategy at a number of labels: mean and sample deviation of F1 over the seeds (None for one seed)."""

    set: str
    strategy: str
    labels: int
    f1: float
    deviation: float | None
    words: float
    entities: float
    minutes: float
    hard_minutes: float
    seeds: int


AXES = {
    "labels": "labelled sentences",
    "words": "words in them",
    "entities": "entities marked",
    "hard_minutes": "modelled minutes, slower on hard sentences",
}
"""What F1 is shown against: fields of Point and Mean, and what to call them."""


def summarise(points: Sequence[Point]) -> list[Mean]:
    """Mean and deviation over the seeds for each set, strategy and number of labels, in that order."""
    groups: dict[tuple[str, str, int], list[Point]] = {}
    for point in points:
        groups.setdefault((point.set, point.strategy, point.labels), []).append(point)
    return [
        Mean(
            set=name,
            strategy=strategy,
            labels=labels,
            f1=fmean(point.f1 for point in group),
            deviation=stdev(point.f1 for point in group) if len(group) > 1 else None,
            words=fmean(point.words for point in group),
            entities=fmean(point.entities for point in group),
            minutes=fmean(point.minutes for point in group),
            hard_minutes=fmean(point.hard_minutes for point in group),
            seeds=len(group),
        )
        for (name, strategy, labels), group in sorted(groups.items())
    ]


def as_table(means: Sequence[Mean]) -> str:
    """The summary as text: a line for each set and number of labels, mean F1 (points) and deviation for each strategy."""
    strategies = sorted({mean.strategy for mean in means})
    known = {(mean.set, mean.strategy, mean.labels): mean for mean in means}
    width = max(22, *map(len, strategies)) if strategies else 22
    lines = []
    for name in sorted({mean.set for mean in means}):
        lines += [name, "labels  " + "  ".join(f"{strategy:>{width}}" for strategy in strategies)]
        for labels in sorted({mean.labels for mean in means if mean.set == name}):
            cells = [known.get((name, strategy, labels)) for strategy in strategies]
            row = "  ".join(f"{'' if mean is None else _cell(mean):>{width}}" for mean in cells)
            lines.append(f"{labels:>6}  {row}")
    return "\n".join(lines)


def _cell(mean: Mean) -> str:
    spread = "" if mean.deviation is None else f" ± {100 * mean.deviation:.1f}"
    return f"{100 * mean.f1:.1f}{spread}, {mean.words:.0f} words"


# The file.


_PARSERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: lambda text: text == "True",
    float | None: lambda text: float(text) if text else None,
}

Row = TypeVar("Row")


def read_points(file: Path) -> list[Point]:
    """The rows of a points.csv; empty where there is none."""
    return read_rows(file, Point)


def read_rows(file: Path, kind: type[Row]) -> list[Row]:
    """The rows of a CSV file as records of the dataclass `kind`; empty where there is no file."""
    if not file.exists():
        return []
    by_name = {item.name: _PARSERS[item.type] for item in fields(kind)}  # type: ignore[arg-type]
    with file.open(encoding="utf-8", newline="") as rows:
        # A row that a dead process left half written counts as not there.
        whole = [row for row in csv.DictReader(rows) if None not in row.values()]
        return [kind(**{name: by_name[name](text) for name, text in row.items()}) for row in whole]


def append(file: Path, point: Point) -> None:
    """One more row."""
    with file.open("a", encoding="utf-8", newline="") as rows:
        writer = csv.DictWriter(rows, [item.name for item in fields(Point)])
        if not rows.tell():
            writer.writeheader()
        writer.writerow(asdict(point))


def drop_unfinished(file: Path) -> set[tuple[str, str, int]]:
    """Keep the points of finished repetitions only, and say which these are: (set, strategy, seed)."""
    points = read_points(file)
    whole = not file.exists() or file.read_bytes()[-1:] in (b"", b"\n")
    finished = {(point.set, point.strategy, point.seed) for point in points if point.last}
    kept = [point for point in points if (point.set, point.strategy, point.seed) in finished]
    if len(kept) != len(points) or not whole:  # a row after half a row would be none
        rest = file.with_suffix(".unfinished")
        rest.unlink(missing_ok=True)
        for point in kept:
            append(rest, point)
        rest.touch()
        os.replace(rest, file)
    return finished
