"""Annotations: saving what people decided. Rows are only ever added; reading them back is in _reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, select

from maner_core.errors import InvalidSpans
from maner_core.spans import Span, validate_spans
from storage import _overlap, _projects
from storage._checks import LARGEST_ID, known_ids, unstorable
from storage._suggestions import names_columns
from storage.database import MANY_ROWS, insert_numbered, insert_rows, now, refresh_statistics
from storage.records import AnnotationDraft, Origin, Rejection, SkipReason, Split, Status, SuggestedName
from storage.tables import Annotations, AnnotationSpans, Queue, Runs, Selections, Sentences

# The statements are built once: building one takes several times as long as running it.
IDS: BindParameter[Any] = bindparam("ids", expanding=True)
AUTHORS = select(Annotations.id, Annotations.annotator_id, Annotations.sentence_id).where(Annotations.id.in_(IDS))
RUNS = select(Runs.id).where(Runs.id.in_(IDS), Runs.project_id == bindparam("project_id"))
FIRST_ORIGIN = (
    select(Annotations.origin)
    .where(Annotations.sentence_id == Sentences.id)
    .order_by(Annotations.seq)
    .limit(1)
    .scalar_subquery()
)
SENTENCES = (
    select(
        Sentences.id,
        Sentences.split,
        Sentences.n_tokens,
        func.coalesce(FIRST_ORIGIN, Selections.origin).label("origin"),
        func.coalesce(Selections.seats, 1).label("seats"),
    )
    .outerjoin(Selections, Selections.sentence_id == Sentences.id)
    .where(Sentences.id.in_(IDS), Sentences.project_id == bindparam("project_id"))
)
LEAVE_QUEUE = delete(Queue).where(Queue.sentence_id.in_(IDS))


@dataclass(frozen=True, slots=True)
class _KnownSentence:
    """What saving needs to know of a sentence."""

    split: Split
    n_tokens: int
    chosen_as: str | None  # its origin when first annotated, else when queued, else None
    seats: int  # how many people are asked to label it

    def origin(self) -> Origin:
        """Where the sentence came from in sampling."""
        return Origin(self.chosen_as or (Origin.EVALUATION if self.split is Split.RESERVE else Origin.RANDOM))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database holds around a batch of drafts."""

    authors: dict[str, tuple[int, int]]  # annotation id -> (annotator, sentence)
    sentences: dict[int, _KnownSentence]
    labels: set[str]
    runs: set[int]


def save(
    connection: Connection, project_id: int, annotator_id: int, drafts: Sequence[AnnotationDraft]
) -> tuple[list[str], list[Rejection]]:
    """Save drafts; see Store.save_annotations."""
    _projects.annotator_by_id(connection, annotator_id)
    known = _known(connection, project_id, drafts)
    acks: list[str] = []
    rejections: list[Rejection] = []
    accepted: list[AnnotationDraft] = []
    for draft in drafts:
        if known.authors.get(draft.id) == (annotator_id, draft.sentence_id):
            acks.append(draft.id)
        elif why := _problem(draft, annotator_id, known):
            rejections.append(Rejection(draft.id, why))
        else:
            known.authors[draft.id] = (annotator_id, draft.sentence_id)
            accepted.append(draft)
            acks.append(draft.id)
    if accepted:
        _insert_drafts(connection, project_id, annotator_id, accepted, known)
    return acks, rejections


def import_gold(
    connection: Connection, project_id: int, annotator_id: int, golds: Sequence[tuple[int, Split, tuple[Span, ...]]]
) -> None:
    """Annotations of (sentence id, split, valid spans) that came with a file."""
    at = now(connection)
    rows = [
        _row(
            id=str(uuid4()),
            project_id=project_id,
            sentence_id=sentence_id,
            split=split,
            annotator_id=annotator_id,
            status=Status.LABELLED,
            origin=Origin.EVALUATION if split is Split.RESERVE else Origin.IMPORT,
            imported=True,
            client_time=at,
            created_at=at,
        )
        for sentence_id, split, _ in golds
    ]
    _insert(connection, project_id, rows, [spans for _, _, spans in golds])


def _known(connection: Connection, project_id: int, drafts: Sequence[AnnotationDraft]) -> _Known:
    """Read it, and lock the project; what no other save can change is read before, so that they wait less for each other."""
    sentence_ids = known_ids({draft.sentence_id for draft in drafts})
    sentences = connection.execute(SENTENCES, {"ids": sentence_ids, "project_id": project_id}).all()
    run_ids = known_ids({draft.suggestion_run for draft in drafts if draft.suggestion_run is not None})
    runs = connection.execute(RUNS, {"ids": run_ids, "project_id": project_id}).scalars().all() if run_ids else ()
    _projects.lock(connection, project_id)
    ids = {draft.id for draft in drafts} | {draft.supersedes for draft in drafts if draft.supersedes}
    authors = connection.execute(AUTHORS, {"ids": [id_ for id_ in ids if not unstorable(id_)]})
    labels = _projects.label_names(connection, project_id) if any(draft.spans for draft in drafts) else set()
    return _Known(
        authors={row.id: (row.annotator_id, row.sentence_id) for row in authors},
        sentences={row.id: _KnownSentence(Split(row.split), row.n_tokens, row.origin, row.seats) for row in sentences},
        labels=labels,
        runs=set(runs),
    )


def _problem(draft: AnnotationDraft, annotator_id: int, known: _Known) -> str | None:
    """Why the draft cannot be saved, in a sentence for its author, or None."""
    if draft.id in known.authors:
        return "this annotation's id belongs to another annotation; reload the page and label the sentence again"
    if not 0 < len(draft.id) <= 64 or unstorable(draft.id):
        return "this annotation's id is not a text of 1 to 64 characters; reload the page"
    if draft.sentence_id not in known.sentences:
        return f"this project has no sentence {draft.sentence_id}; go on with the next one"
    sentence = known.sentences[draft.sentence_id]
    if not 0 <= draft.milliseconds <= LARGEST_ID:
        return f"the time spent is {draft.milliseconds} milliseconds; it cannot be negative"
    if draft.client_time.tzinfo is None:
        return "the time of this annotation has no time zone; reload the page"
    if problem := unstorable(draft.comment):
        return f"the comment {problem}; remove it"
    if draft.suggestion_run is not None and sentence.split is Split.RESERVE:
        return "an evaluation sentence is labelled without suggestions; reload the page and label it again"
    if draft.suggestion_run is not None and draft.suggestion_run not in known.runs:
        return f"this project has no run {draft.suggestion_run}; reload the page"
    if draft.names_shown and sentence.split is Split.RESERVE:
        return "an evaluation sentence is labelled without known names; reload the page and label it again"
    if any(not 0 <= name.start < name.end <= sentence.n_tokens for name in draft.names_shown):
        return "a name that was shown lies outside the sentence; reload the page and label it again"
    superseded = known.authors.get(draft.supersedes) if draft.supersedes else None
    if superseded is not None and superseded != (annotator_id, draft.sentence_id):
        return "the annotation to be replaced is another person's or another sentence's; label the sentence anew"
    if draft.skip_reason is not None and draft.status is not Status.SKIPPED:
        return "a reason to skip belongs to a skipped sentence; reload the page and label the sentence again"
    try:
        validate_spans(draft.spans, sentence.n_tokens, known.labels)
    except InvalidSpans as error:
        return str(error)
    return None


def _insert_drafts(
    connection: Connection, project_id: int, annotator_id: int, drafts: Sequence[AnnotationDraft], known: _Known
) -> None:
    at = now(connection)
    rows = []
    for draft in drafts:
        sentence = known.sentences[draft.sentence_id]
        # What a draft replaces may have been rejected itself: then there is nothing to point at.
        supersedes = draft.supersedes if draft.supersedes in known.authors else None
        rows.append(
            _row(
                id=draft.id,
                project_id=project_id,
                sentence_id=draft.sentence_id,
                split=sentence.split,
                annotator_id=annotator_id,
                status=Status(draft.status),
                origin=sentence.origin(),
                imported=False,
                client_time=draft.client_time,
                created_at=at,
                comment=draft.comment,
                suggestion_run=draft.suggestion_run,
                names_shown=draft.names_shown,
                milliseconds=draft.milliseconds,
                supersedes=supersedes,
                skip_reason=draft.skip_reason,
            )
        )
    _insert(connection, project_id, rows, [() if draft.status is Status.SKIPPED else draft.spans for draft in drafts])
    answered = {draft.sentence_id for draft in drafts}
    doubled = {sentence_id for sentence_id in answered if known.sentences[sentence_id].seats > 1}
    connection.execute(LEAVE_QUEUE, {"ids": sorted(answered - doubled)})
    for sentence_id in sorted(doubled):
        _overlap.leave(connection, annotator_id, sentence_id, known.sentences[sentence_id].seats)


def _row(
    *,
    id: str,
    project_id: int,
    sentence_id: int,
    split: Split,
    annotator_id: int,
    status: Status,
    origin: Origin,
    imported: bool,
    client_time: datetime,
    created_at: datetime,
    comment: str = "",
    suggestion_run: int | None = None,
    names_shown: tuple[SuggestedName, ...] = (),
    milliseconds: int = 0,
    supersedes: str | None = None,
    skip_reason: SkipReason | None = None,
) -> dict[str, Any]:
    return {
        "id": id,
        "project_id": project_id,
        "sentence_id": sentence_id,
        "split": split.value,
        "annotator_id": annotator_id,
        "status": status.value,
        "origin": origin.value,
        "imported": imported,
        "skip_reason": None if skip_reason is None else skip_reason.value,
        "comment": comment,
        "suggestion_run": suggestion_run,
        "names_shown": names_columns(names_shown),
        "milliseconds": milliseconds,
        "client_time": client_time,
        "created_at": created_at,
        "supersedes": supersedes,
    }


def _insert(
    connection: Connection, project_id: int, rows: Sequence[dict[str, Any]], spans: Sequence[tuple[Span, ...]]
) -> None:
    """Insert annotation rows and, for each, its spans."""
    if not rows:
        return
    seqs = insert_numbered(connection, Annotations, rows, number="seq", key="id")
    if len(rows) >= MANY_ROWS:
        refresh_statistics(connection, Annotations)
    span_rows = [
        {"annotation_seq": seq, "project_id": project_id, "start": span.start, "end": span.end, "label": span.label}
        for seq, own_spans in zip(seqs, spans, strict=True)
        for span in own_spans
    ]
    insert_rows(connection, AnnotationSpans, span_rows)
