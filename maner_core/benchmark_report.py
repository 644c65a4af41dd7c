"""The tables of a benchmark as files: report.md for people, and CSV files with every number.

Only runs of one recipe, backbone and training size are compared. A cell without a run says so.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

from maner_core.benchmark_figures import by_recipe_and_backbone, draw_figures
from maner_core.benchmark_runs import Cell, Run, read_runs
from maner_core.benchmark_statistics import (
    BASELINE,
    DRAWS,
    Gain,
    GrandMean,
    LabelMean,
    Overall,
    Score,
    gains,
    grand_means,
    label_means,
    scores,
)
from maner_core.encoding import INPUT_SCHEMES
from maner_core.errors import InvalidInput

REPORT = "report.md"
NOT_RUN = "not run"
SYSTEM_ORDER = (BASELINE, *(name for name in INPUT_SCHEMES if name != BASELINE))


@dataclass(frozen=True, slots=True)
class Block:
    """What may be compared with each other: runs of one recipe and backbone on one number of training sentences."""

    recipe: str
    """Preset, what differs from it, and the limit of test sentences."""
    backbone: str
    size: int
    runs: list[Run]
    """Those that did not fail."""
    failed: list[Run]
    scores: list[Score]
    labels: list[LabelMean]
    gains: list[Gain]
    overall: list[Overall]
    """Over all sets and, where there are several collections, over each of them."""
    grand: list[GrandMean]

    @property
    def title(self) -> str:
        return f"{self.recipe}, {self.backbone}, {self.size} training sentences"

    @property
    def systems(self) -> list[str]:
        """The systems that were tried, the baseline first."""
        there = {run.cell.system for run in (*self.runs, *self.failed)}
        return [*(name for name in SYSTEM_ORDER if name in there), *sorted(there.difference(SYSTEM_ORDER))]

    @property
    def set_names(self) -> list[str]:
        return sorted({run.cell.set_name for run in (*self.runs, *self.failed)})

    @property
    def n_seeds(self) -> int:
        return len({run.cell.seed for run in (*self.runs, *self.failed)})


def write_report(out: Path, runs_file: Path) -> list[Path]:
    """Write report.md, the CSV files and the figures of the runs in `runs_file` to `out`; returns what was written.

    Raises InvalidInput where there is no run, FormatError on a file that holds something else.
    """
    runs = list(read_runs(runs_file).values())
    if not runs:
        raise InvalidInput(f"{runs_file} holds no run; make some before asking for tables")
    blocks = make_blocks(runs)
    written = [
        _write_csv(out / "scores.csv", Score, (), [(block, row) for block in blocks for row in block.scores]),
        _write_csv(out / "labels.csv", LabelMean, (), [(block, row) for block in blocks for row in block.labels]),
        _write_csv(
            out / "gains.csv", Gain, ("absolute", "relative"), [(block, row) for block in blocks for row in block.gains]
        ),
        _write_csv(
            out / "overall.csv",
            Overall,
            ("absolute", "relative_of_means"),
            [(block, row) for block in blocks for row in block.overall],
        ),
    ]
    figures, note = draw_figures(out / "figures", blocks)
    (out / REPORT).write_text(as_markdown(runs, blocks, [file.relative_to(out) for file in figures], note), "utf-8")
    return [out / REPORT, *written, *figures]


def make_blocks(runs: Sequence[Run]) -> list[Block]:
    """The runs by recipe, backbone and size, with everything that is computed of them."""
    recipe_of, named = _recipes(runs), _with_distinct_sets(runs)
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for run in named:
        recipe = recipe_of[run.cell.config_hash, run.cell.test_limit]
        groups.setdefault((recipe, run.cell.backbone, run.cell.size), []).append(run)
    return [_block(*key, groups[key]) for key in sorted(groups)]


def _block(recipe: str, backbone: str, size: int, runs: Sequence[Run]) -> Block:
    good = [run for run in runs if not run.failed]
    collections = sorted({run.cell.collection for run in good})
    by_set, overall = gains(good, "all" if len(collections) > 1 else "".join(collections))
    if len(collections) > 1:
        for name in collections:
            overall += gains([run for run in good if run.cell.collection == name], name)[1]
    failed = [run for run in runs if run.failed]
    return Block(
        recipe, backbone, size, good, failed, scores(good), label_means(good), by_set, overall, grand_means(good)
    )


def _recipes(runs: Sequence[Run]) -> dict[tuple[str, int | None], str]:
    """A name for each configuration and test limit: preset and what differs from it, with the hash where needed."""
    names: dict[tuple[str, int | None], str] = {}
    for run in runs:
        overrides = ", ".join(f"{name}={value}" for name, value in sorted(run.overrides.items()))
        limit = "" if run.cell.test_limit is None else f"at most {run.cell.test_limit} test sentences"
        name = ", ".join(part for part in (run.preset, overrides, limit) if part)
        names[run.cell.config_hash, run.cell.test_limit] = name
    return {key: f"{name} [{key[0]}]" if list(names.values()).count(name) > 1 else name for key, name in names.items()}


def _with_distinct_sets(runs: Sequence[Run]) -> list[Run]:
    """The runs, those of equally named sets with different sentences told apart by their fingerprint."""
    hashes: dict[str, set[str]] = {}
    for run in runs:
        hashes.setdefault(run.cell.set_name, set()).add(run.cell.data_hash)

    def named(cell: Cell) -> Cell:
        if len(hashes[cell.set_name]) == 1:
            return cell
        return replace(cell, language=" ".join(filter(None, (cell.language, f"[{cell.data_hash}]"))))

    return [replace(run, cell=named(run.cell)) for run in runs]


# CSV: every number as it is, F1 and the like in 0 to 1.


def _write_csv(file: Path, kind: type[Any], more: Sequence[str], rows: Iterable[tuple[Block, Any]]) -> Path:
    """Every field of the rows, which are of this kind, and the properties `more`, with the block of each."""
    names = [*(item.name for item in fields(kind)), *more]
    with file.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["recipe", "backbone", "size", *names])
        for block, row in rows:
            values = [block.recipe, block.backbone, block.size, *(getattr(row, name) for name in names)]
            table.writerow([_no_formula(value) for value in values])
    return file


def _no_formula(value: Any) -> Any:
    """The value; a text that a spreadsheet would run, such as a label named =1+1 in some file, begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.lstrip()[:1] in tuple("=+-@") else value


# Markdown: F1 in points.


def as_markdown(runs: Sequence[Run], blocks: Sequence[Block], figures: Sequence[Path], note: str) -> str:
    """The whole report."""
    parts = ["# Benchmark", _preface(runs)]
    for block in blocks:
        parts += [f"## {block.title}", _score_table(block)]
        parts += [_gain_table(block), _overall_table(block)] if block.gains else []
        parts += [_label_table(block), _cost_table(block)] if block.scores else []
    parts += _size_tables(blocks)
    parts += [f"## Figures\n\n{note}".rstrip(), *(f"![{file.stem}]({file.as_posix()})" for file in figures)]
    failed = [f"- {run.cell}: {run.error}" for block in blocks for run in block.failed]
    parts += ["## Failed runs", "\n".join(failed)] if failed else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _preface(runs: Sequence[Run]) -> str:
    good = [run for run in runs if not run.failed]
    days = sorted(run.date[:10] for run in runs)
    devices = sorted({str(run.training["device"]) for run in good})
    lines = [
        f"{len(good)} runs, {len(runs) - len(good)} failed; {days[0]} to {days[-1]}; on {', '.join(devices) or 'nothing'}.",
        "F1 is strict (IOB2, entity level, micro-averaged), in points; ± is the sample deviation over seeds.",
        "Seen is the share of the test sentences that are among the training sentences as well.",
        "A seed draws the training sentences, the same ones for every system, and starts the training.",
        "Gains are over SNER with the same seeds; their 95% intervals and two-sided p come from a paired bootstrap over",
        f"seeds and test sentences ({DRAWS:,} draws; with one seed over the sentences alone) and are not corrected for the",
        "number of comparisons.",
    ]
    for name in sorted({name for run in good for name in run.versions}):
        used = sorted({run.versions.get(name, "?") for run in good})
        if len(used) > 1:
            lines.append(f"Beware: the runs come from several versions of {name}: {', '.join(used)}.")
    return "\n".join(lines)


def _score_table(block: Block) -> str:
    by_cell = {(score.set_name, score.system): score for score in block.scores}
    failed = {(run.cell.set_name, run.cell.system) for run in block.failed}
    scripts = {run.cell.set_name: run.script for run in (*block.runs, *block.failed)}

    def cell(set_name: str, system: str) -> str:
        score = by_cell.get((set_name, system))
        if score is None:
            return "failed" if (set_name, system) in failed else NOT_RUN
        return _mean(score.f1, score.deviation) + _of_seeds(score.n_seeds, block.n_seeds)

    seen = {score.set_name: f"{100 * score.seen:.0f}%" for score in block.scores}
    rows = [
        [name, scripts[name], seen.get(name, ""), *(cell(name, system) for system in block.systems)]
        for name in block.set_names
    ]
    grand = {mean.system: mean for mean in block.grand}
    if len(block.set_names) > 1 and grand:
        n_sets = next(iter(grand.values())).n_sets
        rows.append(
            [f"**mean of {n_sets} sets**", "", ""]
            + [_mean(grand[system].f1, grand[system].deviation) if system in grand else "" for system in block.systems]
        )
    return _table(
        f"F1 by set, {block.n_seeds} seed{'s' * (block.n_seeds != 1)}", ["set", "script", "seen", *block.systems], rows
    )


def _gain_table(block: Block) -> str:
    by_cell = {(gain.set_name, gain.system): gain for gain in block.gains}
    others = [system for system in block.systems if system != BASELINE]

    def cell(set_name: str, system: str) -> str:
        gain = by_cell.get((set_name, system))
        if gain is None:
            return NOT_RUN
        share = "" if gain.relative is None else f" ({100 * gain.relative:+.0f}%)"
        return f"{_points(gain.absolute)}{share} [{_points(gain.low)}, {_points(gain.high)}] p {_p(gain.p)}"

    rows = [[name, *(cell(name, system) for system in others)] for name in block.set_names]
    return _table("Gain over SNER: points (relative) [95% interval] p", ["set", *others], rows)


def _overall_table(block: Block) -> str:
    columns = [
        "sets",
        "system",
        "n",
        "SNER",
        "system's F1",
        "gain [95% interval] p",
        "relative: mean of sets",
        "of means",
    ]
    columns += ["best", "better / equal / worse", "clearly better / worse"]
    rows = [
        [
            item.about,
            item.system,
            str(item.n_sets),
            f"{100 * item.baseline_f1:.1f}",
            f"{100 * item.f1:.1f}",
            f"{_points(item.absolute)} [{_points(item.low)}, {_points(item.high)}] p {_p(item.p)}",
            _percent(item.relative),
            _percent(item.relative_of_means),
            f"{item.best_set} {_points(item.best)}",
            f"{item.wins} / {item.ties} / {item.losses}",
            f"{item.clear_wins} / {item.clear_losses}",
        ]
        for item in block.overall
    ]
    return _table("Gain over SNER over all sets; clearly: the interval of the set excludes 0", columns, rows)


def _label_table(block: Block) -> str:
    labels = sorted({mean.label for mean in block.labels})
    rows = []
    for label in labels:
        cells = []
        for system in block.systems:
            f1 = [mean.f1 for mean in block.labels if (mean.label, mean.system) == (label, system)]
            cells.append(f"{100 * sum(f1) / len(f1):.1f}" if f1 else NOT_RUN)
        rows.append([label, *cells])
    return _table("F1 by label, mean over the sets of each system", ["label", *block.systems], rows)


def _cost_table(block: Block) -> str:
    columns = ["system", "runs", "seconds of training", "of testing", "peak memory", "restarts", "lowest training F1"]
    rows = []
    for system in block.systems:
        its = [run for run in block.runs if run.cell.system == system]
        if its:
            cells = [
                len(its),
                f"{median(run.training['seconds'] for run in its):.0f}",
                f"{median(run.test_seconds for run in its):.0f}",
                f"{max(run.training['peak_memory_bytes'] for run in its) / 1e9:.1f} GB",
                sum(run.training["restarts"] for run in its),
                f"{100 * min(run.training['train_f1'] for run in its):.1f}",
                sum(run.training["train_f1"] < run.config.get("min_train_f1", 0) for run in its),
            ]
            rows.append([system, *map(str, cells)])
    title = "What a run costs (medians, the largest memory), and the runs that have not learned their own training sentences"
    return _table(title, [*columns, "not learned"], rows)


def _size_tables(blocks: Sequence[Block]) -> list[str]:
    """F1 against training size for each recipe and backbone with more than one size."""
    parts = []
    for (recipe, backbone), its in by_recipe_and_backbone(blocks).items():
        if len(its) < 2:
            continue
        systems = list(dict.fromkeys(system for block in its for system in block.systems))
        by_cell = {(score.set_name, block.size, score.system): score for block in its for score in block.scores}
        rows = []
        for name in sorted({name for block in its for name in block.set_names}):
            for block in its:
                found = [by_cell.get((name, block.size, system)) for system in systems]
                cells = [NOT_RUN if score is None else _mean(score.f1, score.deviation) for score in found]
                rows.append([name, str(block.size), *cells])
        parts += [f"## F1 against training size: {recipe}, {backbone}"]
        parts += [_table("F1 by set and number of training sentences", ["set", "sentences", *systems], rows)]
    return parts


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"**{title}**", "", _row(columns), "|" + "---|" * len(columns), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _mean(f1: float, spread: float | None) -> str:
    return f"{100 * f1:.1f}" + ("" if spread is None else f" ± {100 * spread:.1f}")


def _of_seeds(n: int, expected: int) -> str:
    return "" if n == expected else f" ({n} of {expected} seeds)"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.1f}%"


def _p(p: float) -> str:
    return f"{p:.3f}"
