"""Reading annotations back: gold sentences (what is gold: _gold.py), progress, export rows."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from storage import _gold, _hidden, _projects, _snapshots
from storage._sentences import PAGE, SENTENCE_COLUMNS, sentence_record
from storage._suggestions import suggestion_record
from storage.records import Annotation, Origin, Progress, QueueItem, Split, Status, Suggestion, Timing
from storage.review_records import ExportRow, Gold, LabelledSentence, Moment
from storage.review_tables import GoldDecisions, GoldDecisionSpans
from storage.tables import Annotations, AnnotationSpans, Annotators, Selections, Sentences, ServingRuns, Suggestions


def labelled(
    connection: Connection, project_id: int, split: Split, statuses: Collection[Status]
) -> list[LabelledSentence]:
    """Gold sentences of a split, in the order in which they were annotated."""
    own = and_(Annotations.project_id == project_id, Annotations.split == split.value)
    gold = _gold.golds(connection, own, _gold.in_split(project_id, split))
    chosen = {sentence_id: it for sentence_id, it in gold.items() if it.status in statuses}
    annotated = exists().where(Annotations.sentence_id == Sentences.id)
    of_split = and_(Sentences.project_id == project_id, Sentences.split == split.value)
    rows = connection.execute(select(*SENTENCE_COLUMNS).where(of_split, annotated, ~_is_twin_of_reserve()))
    found = [
        LabelledSentence(sentence_record(row), chosen[row.id].annotations[-1], chosen[row.id])
        for row in rows
        if row.id in chosen
    ]
    return sorted(found, key=lambda item: item.annotation.seq)


def training_labels_since(connection: Connection, project_id: int, seq: int, decision: int) -> int:
    """How many sentences of the pool are labelled by an annotation newer than `seq` or a decision newer than that."""
    newer = aliased(Annotations)
    is_newest = ~exists().where(newer.sentence_id == Annotations.sentence_id, newer.seq > Annotations.seq)
    annotated = (
        select(func.count())
        .select_from(Annotations)
        .join(Sentences, Sentences.id == Annotations.sentence_id)
        .where(
            Annotations.project_id == project_id,
            Annotations.split == Split.POOL.value,
            Annotations.seq > seq,
            Annotations.status == Status.LABELLED.value,
            is_newest,
            ~_gold.decided_otherwise(project_id, Split.POOL),
            ~_is_twin_of_reserve(),
        )
    )
    decided = (
        select(func.count())
        .select_from(GoldDecisions)
        .join(Sentences, Sentences.id == GoldDecisions.sentence_id)
        .where(
            GoldDecisions.seq > decision,
            _gold.decided(project_id, Split.POOL, (Status.LABELLED,)),
            ~_is_twin_of_reserve(),
        )
    )
    return connection.execute(annotated).scalar_one() + connection.execute(decided).scalar_one()


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
    hidden = _hidden.count(connection, project_id)
    pool, reserve = Split.POOL.value, Split.RESERVE.value
    return Progress(
        sentences=n_pool + n_reserve,
        pool=n_pool,
        reserve=n_reserve,
        unlabelled_pool=n_pool - pool_duplicates - touched - hidden,
        labelled=statuses[pool, Status.LABELLED.value],
        no_entity=_no_entity(connection, project_id),
        skipped=statuses[pool, Status.SKIPPED.value],
        flagged=statuses[pool, Status.FLAGGED.value],
        evaluation_labelled=statuses[reserve, Status.LABELLED.value],
        duplicates=pool_duplicates + reserve_duplicates,
        hidden=hidden,
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
    until: Moment,
) -> tuple[list[ExportRow], int | None]:
    """Rows of the next sentences with ids above `after`, and the last id looked at, None when there are no more.

    What is newer than `until` is left out, so that all pages show one state. Of an earlier state only what can change no
    more is given: not how sentences were chosen, nor what the model says of those without gold.
    """
    frozen = until.sentence is not None
    statement = select(*SENTENCE_COLUMNS).where(Sentences.project_id == project_id, Sentences.id > after)
    if split is not None:
        statement = statement.where(Sentences.split == split.value)
    if until.sentence is not None:
        statement = statement.where(Sentences.id <= until.sentence)
    sentences = connection.execute(statement.order_by(Sentences.id).limit(PAGE)).all()
    if not sentences:
        return [], None
    ids = [row.id for row in sentences]
    about = GoldDecisions.sentence_id.in_(ids)
    gold = _gold.golds(connection, Annotations.sentence_id.in_(ids), about, until)
    annotations = {sentence_id: it.annotations[-1] for sentence_id, it in gold.items()}
    names = _names(connection, gold.values())
    chosen = connection.execute(select(Selections.__table__).where(Selections.sentence_id.in_(ids)))
    selections = {row.sentence_id: _selection(row) for row in chosen}
    suggestions = _shown_suggestions(connection, project_id, annotations, annotations if frozen else ids)
    former = {} if until.sentence is None else _snapshots.former_duplicates(connection, ids, until.sentence)
    rows = [
        ExportRow(
            sentence=replace(sentence_record(row), duplicate_of=former.get(row.id, row.duplicate_of)),
            annotation=annotations.get(row.id),
            annotator=names[annotations[row.id].annotator_id] if row.id in annotations else None,
            queue=None if frozen else selections.get(row.id),
            suggestion=suggestions.get(row.id),
            gold=gold.get(row.id),
            names=names,
        )
        for row in sentences
        if (gold[row.id].status in statuses if row.id in gold else include_unlabelled)
    ]
    return rows, ids[-1]


def _names(connection: Connection, golds: Iterable[Gold]) -> dict[int, str]:
    """The names of everybody who had a part in these."""
    people = {annotation.annotator_id for gold in golds for annotation in gold.annotations}
    people |= {annotator_id for gold in golds for annotator_id in gold.people}
    rows = connection.execute(select(Annotators.id, Annotators.name).where(Annotators.id.in_(people)))
    return dict(rows.all())


def _is_twin_of_reserve() -> Any:
    """Whether a pool sentence says the same as an evaluation sentence: it must not be trained on."""
    root = aliased(Sentences)
    return exists().where(
        root.id == Sentences.duplicate_of, root.split == Split.RESERVE.value, Sentences.split == Split.POOL.value
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
    """Gold by (split, status), and how many sentences of the pool but for duplicates have one."""
    counts = Counter[tuple[str, str]]()
    touched = 0
    duplicate = Sentences.duplicate_of.is_not(None)
    for split in Split:
        annotated = (
            select(Annotations.status, duplicate, func.count())
            .join(Sentences, Sentences.id == Annotations.sentence_id)
            .where(Annotations.seq.in_(_gold.gold_seqs(project_id, split)))
            .group_by(Annotations.status, duplicate)
        )
        decided = (
            select(GoldDecisions.status, duplicate, func.count())
            .join(Sentences, Sentences.id == GoldDecisions.sentence_id)
            .where(_gold.decided(project_id, split, tuple(Status)))
            .group_by(GoldDecisions.status, duplicate)
        )
        for status, is_duplicate, count in [*connection.execute(annotated), *connection.execute(decided)]:
            counts[split.value, status] += count
            touched += count if split is Split.POOL and not is_duplicate else 0
    return counts, touched


def _annotated_pool(project_id: int) -> Any:
    """Whether an annotation is the gold of a labelled sentence of the pool."""
    gold = Annotations.seq.in_(_gold.gold_seqs(project_id, Split.POOL))
    return and_(gold, Annotations.status == Status.LABELLED.value)


def _no_entity(connection: Connection, project_id: int) -> int:
    in_annotation = exists().where(AnnotationSpans.annotation_seq == Annotations.seq)
    annotated = select(func.count()).select_from(Annotations).where(_annotated_pool(project_id), ~in_annotation)
    in_decision = exists().where(GoldDecisionSpans.decision_seq == GoldDecisions.seq)
    labelled = _gold.decided(project_id, Split.POOL, (Status.LABELLED,))
    decided = select(func.count()).select_from(GoldDecisions).where(labelled, ~in_decision)
    return connection.execute(annotated).scalar_one() + connection.execute(decided).scalar_one()


def _by_label(connection: Connection, project_id: int) -> dict[str, int]:
    annotated = (
        select(AnnotationSpans.label, func.count())
        .join(Annotations, Annotations.seq == AnnotationSpans.annotation_seq)
        .where(_annotated_pool(project_id))
        .group_by(AnnotationSpans.label)
    )
    decided = (
        select(GoldDecisionSpans.label, func.count())
        .join(GoldDecisions, GoldDecisions.seq == GoldDecisionSpans.decision_seq)
        .where(_gold.decided(project_id, Split.POOL, (Status.LABELLED,)))
        .group_by(GoldDecisionSpans.label)
    )
    counts = Counter[str]()
    for label, count in [*connection.execute(annotated), *connection.execute(decided)]:
        counts[label] += count
    return dict(sorted(counts.items()))


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
