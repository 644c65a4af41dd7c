"""Reading annotations back: gold sentences, progress, export rows.

The gold annotation of a sentence is its newest one. (Each annotator's newest one counts for that annotator, and gold
is the newest of these: the same row.)
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from maner_core.spans import Span
from storage import _projects
from storage._sentences import PAGE, SENTENCE_COLUMNS, sentence_record
from storage._suggestions import suggestion_record
from storage.records import (
    Annotation,
    ExportRow,
    LabelledSentence,
    Origin,
    Progress,
    QueueItem,
    Split,
    Status,
    Suggestion,
    Timing,
)
from storage.tables import (
    Annotations,
    AnnotationSpans,
    Annotators,
    Selections,
    Sentences,
    ServingRuns,
    Suggestions,
)

ANNOTATION_COLUMNS = (
    Annotations.id.label("annotation_id"),
    Annotations.seq,
    Annotations.sentence_id,
    Annotations.annotator_id,
    Annotations.status,
    Annotations.comment,
    Annotations.origin,
    Annotations.suggestion_run,
    Annotations.milliseconds,
    Annotations.client_time,
    Annotations.created_at,
    Annotations.supersedes,
)


def labelled(
    connection: Connection, project_id: int, split: Split, statuses: Collection[Status]
) -> list[LabelledSentence]:
    """Gold sentences of a split, in the order in which they were annotated."""
    gold = _gold_seqs(project_id, split)
    chosen = and_(Annotations.seq.in_(gold), Annotations.status.in_([status.value for status in statuses]))
    rows = connection.execute(
        select(*ANNOTATION_COLUMNS, *SENTENCE_COLUMNS)
        .join(Sentences, Sentences.id == Annotations.sentence_id)
        .where(chosen, ~_is_twin_of_reserve())
        .order_by(Annotations.seq)
    ).all()
    spans = _spans(connection, AnnotationSpans.annotation_seq.in_(gold))
    return [LabelledSentence(sentence_record(row), _annotation(row, spans)) for row in rows]


def training_labels_since(connection: Connection, project_id: int, seq: int) -> int:
    """How many sentences of the pool have a labelled gold annotation newer than `seq`."""
    newer = aliased(Annotations)
    is_gold = ~exists().where(newer.sentence_id == Annotations.sentence_id, newer.seq > Annotations.seq)
    statement = (
        select(func.count())
        .select_from(Annotations)
        .join(Sentences, Sentences.id == Annotations.sentence_id)
        .where(
            Annotations.project_id == project_id,
            Annotations.split == Split.POOL.value,
            Annotations.seq > seq,
            Annotations.status == Status.LABELLED.value,
            is_gold,
            ~_is_twin_of_reserve(),
        )
    )
    return connection.execute(statement).scalar_one()


def max_seq(connection: Connection, project_id: int) -> int:
    """The number of the project's newest annotation, 0 before the first."""
    newest = select(func.max(Annotations.seq)).where(Annotations.project_id == project_id)
    return connection.execute(newest).scalar() or 0


def progress(connection: Connection, project_id: int) -> Progress:
    """Counts of what is what; NotFound."""
    _projects.project(connection, project_id)
    rows = connection.execute(
        select(Sentences.split, func.count(), func.count(Sentences.duplicate_of))
        .where(Sentences.project_id == project_id)
        .group_by(Sentences.split)
    )
    sentences = {Split(split): (count, duplicates) for split, count, duplicates in rows}
    n_pool, pool_duplicates = sentences.get(Split.POOL, (0, 0))
    n_reserve, reserve_duplicates = sentences.get(Split.RESERVE, (0, 0))
    statuses, touched = _status_counts(connection, project_id)
    pool, reserve = Split.POOL.value, Split.RESERVE.value
    return Progress(
        sentences=n_pool + n_reserve,
        pool=n_pool,
        reserve=n_reserve,
        unlabelled_pool=n_pool - pool_duplicates - touched,
        labelled=statuses[pool, Status.LABELLED.value],
        no_entity=_no_entity(connection, project_id),
        skipped=statuses[pool, Status.SKIPPED.value],
        flagged=statuses[pool, Status.FLAGGED.value],
        evaluation_labelled=statuses[reserve, Status.LABELLED.value],
        duplicates=pool_duplicates + reserve_duplicates,
        by_label=_by_label(connection, project_id),
        annotators=_by_annotator(connection, project_id),
    )


def done(connection: Connection, project_id: int, annotator_id: int) -> int:
    """How many sentences of the project this person has annotated; imported annotations are not work."""
    statement = select(func.count(Annotations.sentence_id.distinct())).where(
        Annotations.project_id == project_id,
        Annotations.annotator_id == annotator_id,
        Annotations.imported.is_(False),
    )
    return connection.execute(statement).scalar_one()


def timings(connection: Connection, project_id: int) -> list[Timing]:
    """Times of first labellings of pool sentences, oldest first; imports, skips and untimed ones are left out."""
    n_spans = (
        select(func.count())
        .where(AnnotationSpans.annotation_seq == Annotations.seq)
        .correlate(Annotations)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(Annotations.annotator_id, Sentences.n_tokens, n_spans.label("n_spans"), Annotations.milliseconds)
        .join(Sentences, Sentences.id == Annotations.sentence_id)
        .where(
            Annotations.project_id == project_id,
            Annotations.split == Split.POOL.value,
            Annotations.status == Status.LABELLED.value,
            Annotations.imported.is_(False),
            Annotations.supersedes.is_(None),
            Annotations.milliseconds > 0,
        )
        .order_by(Annotations.seq)
    )
    return [Timing(row.annotator_id, row.n_tokens, row.n_spans, row.milliseconds / 1000) for row in rows]


def labels_per_hour(connection: Connection, project_id: int) -> list[tuple[datetime, str, int]]:
    """(start of the hour, annotator, sentences labelled in it), oldest hour first; imports are not counted."""
    rows = connection.execute(
        select(Annotations.sentence_id, Annotations.annotator_id, Annotations.status, Annotations.created_at)
        .where(Annotations.project_id == project_id, Annotations.imported.is_(False))
        .order_by(Annotations.seq)
    )
    newest = {(row.sentence_id, row.annotator_id): (row.status, row.created_at) for row in rows}
    counts = Counter(
        (at.replace(minute=0, second=0, microsecond=0), annotator_id)
        for (_, annotator_id), (status, at) in newest.items()
        if status == Status.LABELLED.value
    )
    people = select(Annotators.id, Annotators.name).where(Annotators.id.in_({who for _, who in counts}))
    names = {row.id: row.name for row in connection.execute(people)}
    return sorted((hour, names[annotator_id], count) for (hour, annotator_id), count in counts.items())


def export_page(
    connection: Connection,
    project_id: int,
    split: Split | None,
    statuses: Collection[Status],
    include_unlabelled: bool,
    after: int,
    until_seq: int,
) -> tuple[list[ExportRow], int | None]:
    """Rows of the next sentences with ids above `after`, and the last id looked at, None when there are no more.

    Annotations newer than `until_seq` are left out, so that all pages show one state.
    """
    statement = select(*SENTENCE_COLUMNS).where(Sentences.project_id == project_id, Sentences.id > after)
    if split is not None:
        statement = statement.where(Sentences.split == split.value)
    sentences = connection.execute(statement.order_by(Sentences.id).limit(PAGE)).all()
    if not sentences:
        return [], None
    ids = [row.id for row in sentences]
    newest = (
        select(func.max(Annotations.seq))
        .where(Annotations.sentence_id.in_(ids), Annotations.seq <= until_seq)
        .group_by(Annotations.sentence_id)
    )
    gold = connection.execute(
        select(*ANNOTATION_COLUMNS, Annotators.name)
        .join(Annotators, Annotators.id == Annotations.annotator_id)
        .where(Annotations.seq.in_(newest))
    ).all()
    spans = _spans(connection, AnnotationSpans.annotation_seq.in_([row.seq for row in gold]))
    annotations = {row.sentence_id: _annotation(row, spans) for row in gold}
    names = {row.sentence_id: row.name for row in gold}
    chosen = connection.execute(select(Selections.__table__).where(Selections.sentence_id.in_(ids)))
    selections = {row.sentence_id: _selection(row) for row in chosen}
    suggestions = _shown_suggestions(connection, project_id, annotations, ids)
    rows = [
        ExportRow(
            sentence=sentence_record(row),
            annotation=annotations.get(row.id),
            annotator=names.get(row.id),
            queue=selections.get(row.id),
            suggestion=suggestions.get(row.id),
        )
        for row in sentences
        if (annotations[row.id].status in statuses if row.id in annotations else include_unlabelled)
    ]
    return rows, ids[-1]


def _gold_seqs(project_id: int, split: Split) -> Select[int]:
    return (
        select(func.max(Annotations.seq))
        .where(Annotations.project_id == project_id, Annotations.split == split.value)
        .group_by(Annotations.sentence_id)
    )


def _is_twin_of_reserve() -> Any:
    """Whether a pool sentence says the same as an evaluation sentence: it must not be trained on."""
    root = aliased(Sentences)
    return exists().where(
        root.id == Sentences.duplicate_of, root.split == Split.RESERVE.value, Sentences.split == Split.POOL.value
    )


def _spans(connection: Connection, which: Any) -> dict[int, tuple[Span, ...]]:
    """Spans of annotations by their seq, in order of position."""
    found: defaultdict[int, list[Span]] = defaultdict(list)
    rows = connection.execute(
        select(AnnotationSpans.annotation_seq, AnnotationSpans.start, AnnotationSpans.end, AnnotationSpans.label)
        .where(which)
        .order_by(AnnotationSpans.annotation_seq, AnnotationSpans.start)
    )
    for seq, start, end, label in rows:
        found[seq].append(Span(start, end, label))
    return {seq: tuple(spans) for seq, spans in found.items()}


def _annotation(row: Any, spans: dict[int, tuple[Span, ...]]) -> Annotation:
    return Annotation(
        id=row.annotation_id,
        seq=row.seq,
        sentence_id=row.sentence_id,
        annotator_id=row.annotator_id,
        status=Status(row.status),
        spans=spans.get(row.seq, ()),
        comment=row.comment,
        origin=Origin(row.origin),
        suggestion_run=row.suggestion_run,
        milliseconds=row.milliseconds,
        client_time=row.client_time,
        created_at=row.created_at,
        supersedes=row.supersedes,
    )


def _selection(row: Any) -> QueueItem:
    return QueueItem(
        sentence_id=row.sentence_id,
        origin=Origin(row.origin),
        rank=row.rank,
        strategy=row.strategy,
        score=row.score,
        propensity=row.propensity,
        run_id=row.run_id,
        round=row.round,
        seed=row.seed,
        reason=row.reason,
    )


def _shown_suggestions(
    connection: Connection, project_id: int, annotations: dict[int, Annotation], ids: Iterable[int]
) -> dict[int, Suggestion]:
    """What the annotator was shown; for sentences without an annotation, what the serving run suggests."""
    serving = connection.execute(select(ServingRuns.run_id).where(ServingRuns.project_id == project_id)).scalar()
    runs: defaultdict[int, list[int]] = defaultdict(list)
    for sentence_id in ids:
        run_id = annotations[sentence_id].suggestion_run if sentence_id in annotations else serving
        if run_id is not None:
            runs[run_id].append(sentence_id)
    if not runs:
        return {}
    wanted = [
        and_(Suggestions.run_id == run_id, Suggestions.sentence_id.in_(sentence_ids))
        for run_id, sentence_ids in runs.items()
    ]
    rows = connection.execute(select(Suggestions.__table__).where(or_(*wanted)))
    return {row.sentence_id: suggestion_record(row) for row in rows}


def _status_counts(connection: Connection, project_id: int) -> tuple[Counter[tuple[str, str]], int]:
    """Gold annotations by (split, status), and how many sentences of the pool but for duplicates have one."""
    counts = Counter[tuple[str, str]]()
    touched = 0
    for split in Split:
        duplicate = Sentences.duplicate_of.is_not(None)
        rows = connection.execute(
            select(Annotations.status, duplicate, func.count())
            .join(Sentences, Sentences.id == Annotations.sentence_id)
            .where(Annotations.seq.in_(_gold_seqs(project_id, split)))
            .group_by(Annotations.status, duplicate)
        )
        for status, is_duplicate, count in rows:
            counts[split.value, status] += count
            touched += count if split is Split.POOL and not is_duplicate else 0
    return counts, touched


def _gold_labelled_pool(project_id: int) -> Any:
    return and_(Annotations.seq.in_(_gold_seqs(project_id, Split.POOL)), Annotations.status == Status.LABELLED.value)


def _no_entity(connection: Connection, project_id: int) -> int:
    has_span = exists().where(AnnotationSpans.annotation_seq == Annotations.seq)
    statement = select(func.count()).select_from(Annotations).where(_gold_labelled_pool(project_id), ~has_span)
    return connection.execute(statement).scalar_one()


def _by_label(connection: Connection, project_id: int) -> dict[str, int]:
    rows = connection.execute(
        select(AnnotationSpans.label, func.count())
        .join(Annotations, Annotations.seq == AnnotationSpans.annotation_seq)
        .where(_gold_labelled_pool(project_id))
        .group_by(AnnotationSpans.label)
        .order_by(AnnotationSpans.label)
    )
    return dict(rows.all())


def _by_annotator(connection: Connection, project_id: int) -> dict[str, int]:
    n_sentences = func.count(Annotations.sentence_id.distinct())
    rows = connection.execute(
        select(Annotators.name, n_sentences)
        .join(Annotations, Annotations.annotator_id == Annotators.id)
        .where(Annotations.project_id == project_id, Annotations.imported.is_(False))
        .group_by(Annotators.id, Annotators.name)
        .order_by(n_sentences.desc(), Annotators.name)
    )
    return dict(rows.all())
