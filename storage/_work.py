"""Work with and without suggestions: what people saved beside what a run said of the sentence."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from maner_core.spans import Span
from storage._suggestions import names_record
from storage.database import chunks
from storage.evaluation_records import SuggestedWork
from storage.records import RunState, Split, Status, SuggestedSpan
from storage.tables import Annotations, AnnotationSpans, Runs, Sentences, Suggestions

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
        )
        for row, run in zip(rows, asked, strict=True)
    ]


def _runs_asked(connection: Connection, project_id: int, rows: Any) -> list[int | None]:
    """For each annotation the run that was shown or, where none was, the newest that served when it was saved."""
    served = connection.execute(
        select(Runs.id, Runs.finished_at)
        .where(Runs.project_id == project_id, Runs.state == RunState.DONE.value, Runs.served)
        .order_by(Runs.id.desc())
    ).all()

    def newest_by(at: Any) -> int | None:
        return next((run.id for run in served if run.finished_at is not None and run.finished_at <= at), None)

    return [row.suggestion_run if row.suggestion_run is not None else newest_by(row.created_at) for row in rows]


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
