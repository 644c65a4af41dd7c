"""Which run serves: F1 of every run on today's evaluation labels, the gate a new run must pass, and which weights stay.

Runs keep their predictions on the whole reserve, so nothing here needs a tagger: when evaluation labels arrive, the F1
of all earlier runs is computed again on the same sentences, and no curve ever mixes two test sets.
"""

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotation.training_set import once
from maner_core.errors import Refused
from maner_core.evaluation import FEWEST_SENTENCES, bootstrap_f1, entity_counts, f1_report, paired_bootstrap
from maner_core.spans import Span
from storage import PINNED, Project, Run, RunState, Split, Store

SIGNIFICANCE = 0.05
"""A new run is refused where it is worse than the serving one with p below this."""
KEPT_RUNS = 5
"""Newest runs whose weights stay on disk, besides the serving and the best one."""

UNFINISHED_SECONDS = 3600.0
_RUN = re.compile(r"run (\d{1,18})")

Predictions = Mapping[int, tuple[Span, ...]]
"""Sentence id -> predicted spans."""
Gold = Sequence[tuple[int, tuple[Span, ...]]]
"""(sentence id, spans a person gave it)."""


@dataclass(frozen=True, slots=True)
class RunF1:
    """One point of the curve: F1 (0 to 1) of a run with its 95 % interval, on `evaluation_sentences` sentences."""

    run: Run
    f1: float
    f1_low: float
    f1_high: float
    evaluation_sentences: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a new run serves, why, and how surprising its F1 is if it were no worse (None: not compared).

    `instead` is the run that goes on serving where the new one does not and whose weights can still be asked.
    """

    serves: bool
    why: str
    p_worse: float | None = None
    instead: int | None = None


def evaluation_labels(store: Store, project_id: int) -> list[tuple[int, tuple[Span, ...]]]:
    """Today's gold annotations of the reserve; of sentences with the same words one counts."""
    return [(item.sentence.id, item.gold.spans) for item in once(store.labelled(project_id, Split.RESERVE))]


def evaluate(gold: Gold, predictions: Predictions) -> dict[str, Any]:
    """F1 of stored predictions as a run's metrics keep it; f1 and its interval are None without evaluation labels."""
    gold, spans, predicted = _side_by_side(gold, predictions)
    report = f1_report(spans, predicted)
    low, high = bootstrap_f1(entity_counts(spans, predicted))
    known = bool(gold)
    return {
        "f1": report.f1 if known else None,
        "f1_low": low if known else None,
        "f1_high": high if known else None,
        "precision": report.precision if known else None,
        "recall": report.recall if known else None,
        "evaluation_sentences": len(gold),
        "evaluation_entities": report.n_gold,
        "per_label": {label: asdict(score) for label, score in report.per_label.items()},
    }


def f1_history(store: Store, project_id: int) -> list[RunF1]:
    """F1 of finished runs on all of today's evaluation labels, oldest run first; empty without any. Loads no tagger.

    A run from before some of these sentences were imported has no predictions on them, so it is left out.
    """
    gold = evaluation_labels(store, project_id)
    runs = [run for run in store.runs(project_id) if run.state is RunState.DONE] if gold else []
    history = []
    for run in sorted(runs, key=lambda run: run.id):
        metrics = evaluate(gold, store.predictions(run.id))
        if metrics["evaluation_sentences"] == len(gold):
            history.append(
                RunF1(run, metrics["f1"], metrics["f1_low"], metrics["f1_high"], metrics["evaluation_sentences"])
            )
    return history


def judge(store: Store, project: Project, predictions: Predictions, home: Path) -> Verdict:
    """Whether a new run with these predictions may serve: unless it is significantly worse than the serving one.

    A pinned run is never replaced; on fewer than FEWEST_SENTENCES nothing is called worse. Who serves is asked anew: a lead
    may have chosen another run during the training.
    """
    project = store.project(project.id)
    if project.serving_run is None:
        return Verdict(True, "This is the first tagger of the project.")
    serving = store.run(project.serving_run)
    has_weights = checkpoint_folder(home, serving).is_dir()
    if project.pinned:
        return Verdict(False, PINNED.format(run=serving.id), instead=serving.id if has_weights else None)
    if serving.final:
        why = f"Run {serving.id}, which served until now, learned from the evaluation sentences: it is not compared."
        return Verdict(True, why)
    if not has_weights:
        return Verdict(True, f"The weights of run {serving.id}, which served until now, are gone.")
    stored = store.predictions(serving.id)
    gold = [item for item in evaluation_labels(store, project.id) if item[0] in stored and item[0] in predictions]
    if not gold:
        return Verdict(True, f"There are no evaluation labels yet to compare it with run {serving.id}.")
    if len(gold) < FEWEST_SENTENCES:
        why = f"There are too few evaluation sentences to compare it with run {serving.id}: {len(gold)}"
        return Verdict(True, f"{why}, and {FEWEST_SENTENCES} are needed.")
    _, spans, before = _side_by_side(gold, stored)
    _, _, after = _side_by_side(gold, predictions)
    counts_before, counts_after = entity_counts(spans, before), entity_counts(spans, after)
    p_worse = paired_bootstrap(counts_before, counts_after)
    new, old = f1_report(spans, after).f1, f1_report(spans, before).f1
    against = f"F1 {100 * new:.1f} against {100 * old:.1f} of run {serving.id} on {len(gold)} evaluation sentences"
    if new < old and p_worse < SIGNIFICANCE:
        why = f"Run {serving.id} goes on serving: {against} is significantly worse."
        return Verdict(False, why, p_worse, instead=serving.id)
    better = new > old and paired_bootstrap(counts_after, counts_before) < SIGNIFICANCE
    how = "significantly better" if better else "not significantly worse"
    return Verdict(True, f"It is {how}: {against}.", p_worse)


def choose_run(store: Store, run_id: int, home: Path, *, pinned: bool, by: int | None) -> None:
    """Let a run serve that a person chose, whatever the gate said, and pin it where asked; stands in the audit trail.

    Raises Refused for a run that is not done or whose weights are gone; those of the run that serves now may be.
    """
    run = store.run(run_id)
    serves = store.project(run.project_id).serving_run == run_id
    if not serves and not checkpoint_folder(home, run).is_dir():
        raise Refused(f"the weights of run {run_id} are no longer there; choose a run that still has them")
    store.serve_run(run_id, pinned, by)


def run_folder(home: Path, run_id: int) -> Path:
    """Where the weights of a run live."""
    return home / "runs" / str(run_id)


def checkpoint_folder(home: Path, run: Run) -> Path:
    """Where a finished run's weights are or were."""
    return home / run.checkpoint if run.checkpoint else run_folder(home, run.id)


def prune_checkpoints(store: Store, project_id: int, home: Path) -> list[int]:
    """Delete the weights of this project's runs but the serving, the best and the newest; the ids of those deleted.

    Final runs keep theirs unless they failed, and so do runs that the settings of any project name. Rows, metrics and
    predictions stay. Only call it between rounds: what a running run writes is not spared otherwise.
    """
    runs = sorted(store.runs(project_id), key=lambda run: run.id)
    done = [run.id for run in runs if run.state is RunState.DONE]
    kept = set(done[-KEPT_RUNS:])
    history = [point for point in f1_history(store, project_id) if checkpoint_folder(home, point.run).is_dir()]
    if history:
        kept.add(max(history, key=lambda point: point.f1).run.id)
    final = store.final_runs(project_id)
    kept |= {run.id for run in final if run.state is RunState.DONE}
    deleted = []
    for run in (*runs, *final):
        folder = run_folder(home, run.id)
        if run.id in kept or run.state is RunState.RUNNING or not folder.exists():
            continue
        if run.id not in _named_now(store, project_id, home):  # asked last: somebody may just have chosen it
            shutil.rmtree(folder, ignore_errors=True)
            deleted.append(run.id)
    _sweep(home / "runs")
    _sweep(home / "backbones")
    return deleted


def _named_now(store: Store, project_id: int, home: Path) -> set[int | None]:
    """The run that serves, and those that a project starts from or has for a backbone."""
    projects = store.projects()
    words = [word for each in projects for word in (each.settings.starting_tagger, each.settings.backbone)]
    return {store.project(project_id).serving_run, *(run_of(word, home) for word in words)}


def run_of(word: str, home: Path) -> int | None:
    """The run that a setting names, as "run 17" or by its folder under `home`; None for anything else."""
    if named := _RUN.fullmatch(word):
        return int(named[1])
    folder = Path(word).resolve()
    inside = folder.is_relative_to((home / "runs").resolve()) and folder.name.isdecimal()
    return int(folder.name) if inside else None


def _sweep(folder: Path) -> None:
    """Delete what killed workers left half written: nobody takes an hour to write a checkpoint."""
    for unfinished in folder.glob(".unfinished-*"):
        with suppress(FileNotFoundError):  # its writer was alive after all and has just renamed it
            if time.time() - unfinished.stat().st_mtime > UNFINISHED_SECONDS:
                shutil.rmtree(unfinished, ignore_errors=True)


def _side_by_side(gold: Gold, predictions: Predictions) -> tuple[Gold, list[Sequence[Span]], list[Sequence[Span]]]:
    """The gold annotations that have predictions, their spans, and the predicted spans in the same order."""
    both = [item for item in gold if item[0] in predictions]
    return both, [spans for _, spans in both], [predictions[sentence_id] for sentence_id, _ in both]
