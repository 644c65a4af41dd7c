"""F1 of runs on today's evaluation labels, as pages draw it; what was computed once is kept while the labels stay."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from annotation.learning_curve import Forecast, forecast
from annotation.run_comparison import compare_runs, in_words
from annotation.serving import evaluate, evaluation_labels
from annotation.stopping import NEXT
from annotation.ui.charts import CurvePoint
from maner_core.evaluation import entity_counts
from maner_core.spans import Span
from storage import Project, Run, RunState, Store

Labelled = tuple[int, tuple[Span, ...]]
"""A sentence's id and the spans people gave it."""


def curve(store: Store, project: Project, runs: Sequence[Run]) -> tuple[list[CurvePoint], dict[int, dict[str, Any]]]:
    """The points of all finished runs on today's evaluation labels, oldest first, and the metrics of each run by id."""
    gold = tuple(evaluation_labels(store, project.id))
    done = sorted((run for run in runs if run.state is RunState.DONE), key=lambda run: run.id) if gold else []
    key = _key(gold)
    per_run = {run.id: _metrics(run.id, run.started_at, key, store, gold) for run in done}
    points = [
        CurvePoint(
            run=run.id,
            annotations=run.n_train,
            f1=metrics["f1"],
            low=metrics["f1_low"],
            high=metrics["f1_high"],
            serves=run.id == project.serving_run,
            per_label={label: score["f1"] for label, score in metrics["per_label"].items()},
        )
        for run in done
        if (metrics := per_run[run.id])["evaluation_sentences"] == len(gold)
    ]
    return points, per_run


def last_change(store: Store, project: Project, points: Sequence[CurvePoint]) -> str:
    """How the newest run on the curve compares with the one before, in words; "" before the second."""
    if len(points) < 2:
        return ""
    before, after = points[-2].run, points[-1].run
    gold = tuple(evaluation_labels(store, project.id))
    return _compared(before, after, _key(gold), store, gold)


def forecasts(store: Store, project: Project, runs: Sequence[Run]) -> list[Forecast]:
    """What more labels are expected to add, by these runs (oldest first) on today's evaluation labels."""
    gold = tuple(evaluation_labels(store, project.id))
    return _forecasts(tuple((run.id, run.n_train) for run in runs), _key(gold), store, gold)


@st.cache_data(max_entries=50, show_spinner=False)
def _forecasts(
    runs: tuple[tuple[int, int], ...], gold_key: str, _store: Store, _gold: tuple[Labelled, ...]
) -> list[Forecast]:
    truth = [spans for _, spans in _gold]
    read = [_store.predictions(run_id) for run_id, _ in runs]
    counts = [entity_counts(truth, [found[sentence_id] for sentence_id, _ in _gold]) for found in read]
    return forecast([n for _, n in runs], counts, NEXT)


@st.cache_data(max_entries=50, show_spinner=False)
def _compared(before: int, after: int, gold_key: str, _store: Store, _gold: tuple[Labelled, ...]) -> str:
    return in_words(before, after, compare_runs(_gold, _store.predictions(before), _store.predictions(after)))


def _key(gold: tuple[Labelled, ...]) -> str:
    return hashlib.sha256(repr(gold).encode()).hexdigest()


@st.cache_data(max_entries=500, show_spinner=False)
def _metrics(
    run_id: int, started_at: datetime, gold_key: str, _store: Store, _gold: tuple[Labelled, ...]
) -> dict[str, Any]:
    """A run's metrics on these evaluation labels; the same run and labels are not computed twice."""
    return evaluate(_gold, _store.predictions(run_id))
