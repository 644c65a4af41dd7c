"""Work with and without suggestions: what people saved beside what a run said of the sentence."""

from bisect import bisect_right
from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from maner_core.spans import Span
from storage._suggestions import names_record
from storage.database import chunks
from storage.evaluation_records import FirstAnnotation, SuggestedWork
from storage.records import SERVING_EVENTS, RunState, Split, Status, SuggestedSpan
from storage.tables import Annotations, AnnotationSpans, AuditEvents, Runs, Sentences, Suggestions

Said = dict[tuple[int, int], tuple[SuggestedSpan, ...]]
"""(run, sentence) -> what the run suggests."""


def suggested_spans(connection: Connection, run_id: int) -> dict[int, tuple[SuggestedSpan, ...]]:
    """All that a run suggests, by sentence."""
    rows = connection.execute(select(Suggestions.sentence_id, Suggestions.spans).where(Suggestions.run_id == run_id))
    return {sentence_id: tuple(SuggestedSpan(*span) for span in spans) for sentence_id, spans in rows}


def suggested_work(connection: Connection, project_id: int) -> list[SuggestedWork]:
    """First labellings of pool sentences, oldest first; imports, corrections, skips and flags are left out."""
    first_labels = (
        Annotations.project_id == project_id,
        Annotations.split == Split.POOL.value,
        Annotations.status == Status.LABELLED.value,
        Annotations.imported.is_(False),
        Annotations.supersedes.is_(None),
    )
    columns = (
        Annotations.seq,
        Annotations.sentence_id,
        Annotations.annotator_id,
        Annotations.suggestion_run,
        Annotations.names_shown,
        Annotations.milliseconds,
        Annotations.created_at,
        Sentences.n_tokens,
    )
    rows = connection.execute(
        select(*columns)
        .join(Sentences, Sentences.id == Annotations.sentence_id)
        .where(*first_labels)
        .order_by(Annotations.seq)
    ).all()
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for seq, start, end, label in connection.execute(
        select(AnnotationSpans.annotation_seq, AnnotationSpans.start, AnnotationSpans.end, AnnotationSpans.label)
        .join(Annotations, Annotations.seq == AnnotationSpans.annotation_seq)
        .where(*first_labels)
        .order_by(AnnotationSpans.annotation_seq, AnnotationSpans.start)
    ):
        spans[seq].append(Span(start, end, label))
    asked = _runs_asked(connection, project_id, rows)
    said = _said(connection, asked, rows)
    return [
        SuggestedWork(
            sentence_id=row.sentence_id,
            annotator_id=row.annotator_id,
            words=row.n_tokens,
            seconds=row.milliseconds / 1000,
            spans=tuple(spans.get(row.seq, ())),
            shown=row.suggestion_run is not None,
            names=names_record(row.names_shown),
            suggestion=None if run is None else said.get((run, row.sentence_id)),
            created_at=row.created_at,
            run_id=run,
        )
        for row, run in zip(rows, asked, strict=True)
    ]


def first_annotations(connection: Connection, project_id: int) -> dict[int, FirstAnnotation]:
    """The first annotation of each pool sentence, by sentence."""
    first = (
        select(func.min(Annotations.seq))
        .where(Annotations.project_id == project_id, Annotations.split == Split.POOL.value)
        .group_by(Annotations.sentence_id)
    )
    rows = connection.execute(
        select(Annotations.sentence_id, Annotations.seq, Annotations.milliseconds, Annotations.imported).where(
            Annotations.seq.in_(first)
        )
    )
    return {
        sentence_id: FirstAnnotation(seq, milliseconds / 1000, imported)
        for sentence_id, seq, milliseconds, imported in rows
    }


def _runs_asked(connection: Connection, project_id: int, rows: Any) -> list[int | None]:
    """For each annotation the run that was shown or, where none was, the one that served when it was saved."""
    by_the_gate = connection.execute(
        select(Runs.finished_at, Runs.id).where(
            Runs.project_id == project_id, Runs.state == RunState.DONE.value, Runs.served
        )
    ).all()
    by_people = connection.execute(
        select(AuditEvents.at, AuditEvents.details).where(
            AuditEvents.project_id == project_id, AuditEvents.kind.in_(SERVING_EVENTS)
        )
    ).all()
    changes = sorted([*((at, run_id) for at, run_id in by_the_gate), *((at, said["run"]) for at, said in by_people)])
    since = [at for at, _ in changes]

    def serving(at: datetime) -> int | None:
        place = bisect_right(since, at)
        return changes[place - 1][1] if place else None

    return [row.suggestion_run if row.suggestion_run is not None else serving(row.created_at) for row in rows]


def _said(connection: Connection, asked: list[int | None], rows: Any) -> Said:
    wanted: defaultdict[int, list[int]] = defaultdict(list)
    for run, row in zip(asked, rows, strict=True):
        if run is not None:
            wanted[run].append(row.sentence_id)
    said: Said = {}
    for run, sentence_ids in wanted.items():
        for chunk in chunks(sentence_ids):
            found = select(Suggestions.sentence_id, Suggestions.spans).where(
                Suggestions.run_id == run, Suggestions.sentence_id.in_(chunk)
            )
            said |= {
                (run, sentence_id): tuple(SuggestedSpan(*span) for span in suggested)
                for sentence_id, suggested in connection.execute(found)
            }
    return said
