"""What the commands show: results in words, tables, progress bars on a terminal."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Never

import typer

if TYPE_CHECKING:
    from maner_core.training import Progress


def show(result: dict[str, Any], lines: Sequence[str], as_json: bool) -> None:
    """Print the result as one JSON object, or the lines that say it in words."""
    typer.echo(json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines))


def train_lines(result: dict[str, Any]) -> list[str]:
    """The end of a training for people."""
    lines = [
        f"{result['checkpoint']} written: {result['config']['system']} trained on {result['sentences']:,} sentences "
        f"({', '.join(result['labels'])}), {result['steps']:,} steps in {result['seconds']:.0f} s on "
        f"{result['device']}, F1 on these sentences {result['train_f1']:.3f}.",
        *_repaired(result),
    ]
    if result["restarts"]:
        lines.append(
            f"  Trained {result['restarts'] + 1} times, each time with another seed, because it had not learned these "
            f"sentences; this is the best, with seed {result['seed']}."
        )
    if calibration := result["calibration"]:
        lines.append(
            f"  Temperature {calibration['temperature']:.2f} from {calibration['folds']} trainings without a part of them: "
            f"calibration error of words {calibration['ece']:.3f}, with it {calibration['ece_calibrated']:.3f}."
        )
    if result["uncalibrated"]:
        lines.append(f"  No temperature was fitted: {result['uncalibrated']}.")
    if result["train_f1"] < result["config"]["min_train_f1"]:
        lines.append("  It has not learned even these sentences; train longer, and check their labels.")
    return lines + (measure_lines(result["test"]) if "test" in result else [])


def measure_lines(result: dict[str, Any]) -> list[str]:
    """A measurement for people: a line for all labels, then one for each."""
    return [
        f"F1 {result['f1']:.3f} ({result['f1_low']:.3f} to {result['f1_high']:.3f} with 95% confidence) on "
        f"{result['sentences']:,} sentences of {result['file']}: precision {result['precision']:.3f}, "
        f"recall {result['recall']:.3f}, {result['n_gold']:,} entities.",
        *(
            f"  {label}: F1 {score['f1']:.3f}, precision {score['precision']:.3f}, recall {score['recall']:.3f}, "
            f"{score['n_gold']:,} entities"
            for label, score in result["per_label"].items()
        ),
        *_repaired(result),
        *_seen(result),
    ]


def _seen(result: dict[str, Any]) -> list[str]:
    n = result.get("trained_on_evaluation_sentences", 0)
    return (
        [f"  Beware: {n:,} evaluation sentences of its project were trained on; with them in the file F1 is too high."]
        if n
        else []
    )


def _repaired(result: dict[str, Any]) -> list[str]:
    n = result["repaired_tags"]
    return [f"  {n:,} I- tags of the file continued nothing and were read as B-, as conlleval does."] if n else []


@contextmanager
def training_bar(wanted: bool = True) -> Iterator[Callable[["Progress"], None]]:
    """A bar of optimiser steps on stderr, on a terminal only, and only if it is wanted."""
    from tqdm import tqdm

    bar: tqdm[Never]
    with tqdm(desc="train", unit="step", disable=None if wanted else True, leave=False) as bar:

        def advance(progress: "Progress") -> None:
            bar.total, bar.n = progress.steps, progress.step
            bar.set_description("adapt" if progress.phase == "adapting" else "train", refresh=False)
            bar.set_postfix(loss=f"{progress.loss:.3f}", refresh=False)
            bar.refresh()

        yield advance


@contextmanager
def count_bar(name: str, total: int, unit: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr that is told how many of `total` units are done, on a terminal only."""
    from tqdm import tqdm

    bar: tqdm[Never]
    with tqdm(desc=name, total=total, unit=unit, disable=None, leave=False) as bar:

        def advance(done: float) -> None:
            bar.n = round(done)
            bar.refresh()

        yield advance


# The analysis.

Row = Sequence[str]

_HEADER = ("gold", "predicted", "right", "boundary", "type", "both", "missed", "spurious", "precision", "recall", "F1")
_DIVISIONS = (
    ("by_label", "By label"),
    ("by_training", "By training: had these words this label there?"),
    ("by_entity_words", "By words of the entity"),
    ("by_sentence_words", "By words of the sentence"),
)
_NO_ENTITY = "(nothing)"


def analysis_lines(result: dict[str, Any], examples: int) -> list[str]:
    """An analysis for people: a table for each division, the confusion of labels, and some errors of each kind."""
    groups = {"": {"all entities": result["overall"]}} | {title: result[name] for name, title in _DIVISIONS}
    rows = [
        ("", *_HEADER),
        *(_score_row(name, score) for its in groups.values() for name, score in (its or {}).items()),
    ]
    header, *scores = _table(rows)
    lines = [
        f"{result['file']}: {result['sentences']:,} sentences, {result['overall']['n_gold']:,} entities, F1 "
        f"{result['overall']['f1']:.3f}.",
        *_repaired(result),
        header,
    ]
    for title, its in groups.items():
        lines += [title] if title else []
        lines += scores[: len(its or {})]
        scores = scores[len(its or {}) :]
        if its is None:
            lines.append("  not known: the checkpoint does not say what it was trained on; name the file with --train")
    return [*lines, "", *_confusion_table(result["confusion"]), *_examples(result["errors"], examples)]


def _score_row(name: str, score: dict[str, Any]) -> Row:
    counts = ("n_gold", "n_predicted", "correct", "boundary", "type", "both", "missed", "spurious")
    return (
        f"  {name}",
        *(f"{score[count]:,}" for count in counts),
        *(f"{score[share]:.3f}" for share in ("precision", "recall", "f1")),
    )


def _confusion_table(confusion: dict[str, dict[str, int]]) -> list[str]:
    """Gold labels down, predicted ones across, boundaries aside; "" stands last."""
    predicted = sorted({label for row in confusion.values() for label in row}, key=lambda label: (not label, label))
    rows = [
        (f"  {gold or _NO_ENTITY}", *(f"{confusion[gold].get(label, 0):,}" for label in predicted))
        for gold in sorted(confusion, key=lambda label: (not label, label))
    ]
    return _table([("Gold label, and what was predicted", *(label or _NO_ENTITY for label in predicted)), *rows])


def _examples(errors: Sequence[dict[str, Any]], n: int) -> list[str]:
    lines: list[str] = []
    for kind in dict.fromkeys(_HEADER[3:8]):
        its = [error for error in errors if error["kind"] == kind]
        shown = [
            f"  sentence {error['sentence'] + 1}: {_entity(error['gold'])} -> {_entity(error['predicted'])}"
            for error in its
        ]
        if shown[:n]:
            lines += ["", f"{kind.capitalize()}, {len(shown[:n])} of {len(its):,}", *shown[:n]]
    return lines


def _entity(span: dict[str, Any] | None) -> str:
    return f"{span['text']} [{span['label']}]" if span else _NO_ENTITY


def _table(rows: Sequence[Row]) -> list[str]:
    """Columns as wide as their widest cell, the first to the left and numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
