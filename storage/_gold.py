"""Which annotation counts: the one place that says what the gold of a sentence is.

The rule, first that holds:

1. the newest decision that stands (of an adjudicator; one that was undone does not stand);
2. where the newest annotations of all people agree in status and spans, that;
3. the newest annotation.

A sentence that was sent back has no gold until somebody annotates it anew: older annotations then count no more.
Training, evaluation, counts and exports all ask here. `gold` is the rule; `gold_seqs` says the same in SQL, for counts.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select
from sqlalchemy.orm import aliased

from maner_core.spans import Span
from storage._suggestions import names_record
from storage.database import chunks
from storage.records import Annotation, Origin, SkipReason, Split, Status
from storage.review_records import Decision, DecisionKind, Gold, GoldRule, Moment
from storage.review_tables import GoldDecisions, GoldDecisionSources, GoldDecisionSpans
from storage.tables import Annotations, AnnotationSpans

ANNOTATION_COLUMNS = (
    Annotations.id.label("annotation_id"),
    Annotations.seq,
    Annotations.sentence_id,
    Annotations.annotator_id,
    Annotations.status,
    Annotations.skip_reason,
    Annotations.comment,
    Annotations.origin,
    Annotations.suggestion_run,
    Annotations.names_shown,
    Annotations.milliseconds,
    Annotations.client_time,
    Annotations.created_at,
    Annotations.supersedes,
)


def gold(
    annotations: Sequence[Annotation], decision: Decision | None = None, sources: Sequence[Annotation] = ()
) -> Gold | None:
    """The gold that follows from everybody's newest annotations (oldest first) and the decision that stands, if any.

    `sources` are the annotations that the decision was made from.
    """
    if decision is not None and decision.status is not None:
        return Gold(
            rule=GoldRule.DECISION,
            status=decision.status,
            spans=decision.spans,
            people=(decision.decided_by,),
            at=decision.decided_at,
            annotations=tuple(sources),
            decision=decision,
        )
    if decision is not None:
        annotations = [annotation for annotation in annotations if annotation.seq > decision.annotation_seq]
    if not annotations:
        return None
    newest = annotations[-1]
    agreed = len(annotations) > 1 and all(same_content(annotation, newest) for annotation in annotations)
    counted = tuple(annotations) if agreed else (newest,)
    return Gold(
        rule=GoldRule.AGREEMENT if agreed else GoldRule.NEWEST,
        status=newest.status,
        spans=newest.spans,
        people=tuple(annotation.annotator_id for annotation in counted),
        at=newest.created_at,
        annotations=counted,
    )


def same_content(first: Annotation, second: Annotation) -> bool:
    """Whether two annotations say the same of their sentence."""
    return (first.status, first.spans) == (second.status, second.spans)


# Reading.


def golds(
    connection: Connection,
    annotations: ColumnElement[bool],
    about: ColumnElement[bool],
    until: Moment | None = None,
) -> dict[int, Gold]:
    """The gold by sentence, out of those `annotations` and the decisions `about` the same sentences."""
    newest = newest_annotations(connection, annotations, until)
    standing_now = decisions(connection, about, until)
    by_seq = {annotation.seq: annotation for own in newest.values() for annotation in own}
    wanted = {seq for decision in standing_now.values() for seq in decision.sources}
    for chunk in chunks(sorted(wanted - by_seq.keys())):
        older = _annotations(connection, Annotations.seq.in_(chunk), AnnotationSpans.annotation_seq.in_(chunk))
        by_seq |= {annotation.seq: annotation for own in older.values() for annotation in own}
    found = {}
    for sentence_id, own in newest.items():
        decision = standing_now.get(sentence_id)
        sources = [by_seq[seq] for seq in decision.sources] if decision is not None else []
        if (it := gold(own, decision, sources)) is not None:
            found[sentence_id] = it
    return found


def newest_annotations(
    connection: Connection, which: ColumnElement[bool], until: Moment | None = None
) -> dict[int, list[Annotation]]:
    """Everybody's newest annotation of those sentences whose annotations are `which`, oldest first."""
    seqs = select(func.max(Annotations.seq)).where(which)
    if until is not None:
        seqs = seqs.where(Annotations.seq <= until.annotation)
    seqs = seqs.group_by(Annotations.sentence_id, Annotations.annotator_id)
    return _annotations(connection, Annotations.seq.in_(seqs), AnnotationSpans.annotation_seq.in_(seqs))


def _annotations(
    connection: Connection, which: ColumnElement[bool], spans_of: ColumnElement[bool]
) -> dict[int, list[Annotation]]:
    rows = connection.execute(select(*ANNOTATION_COLUMNS).where(which).order_by(Annotations.seq)).all()
    spans = _spans(
        connection,
        select(AnnotationSpans.annotation_seq, AnnotationSpans.start, AnnotationSpans.end, AnnotationSpans.label)
        .where(spans_of)
        .order_by(AnnotationSpans.annotation_seq, AnnotationSpans.start),
    )
    found: defaultdict[int, list[Annotation]] = defaultdict(list)
    for row in rows:
        found[row.sentence_id].append(_annotation(row, spans.get(row.seq, ())))
    return found


def decisions(connection: Connection, which: ColumnElement[bool], until: Moment | None = None) -> dict[int, Decision]:
    """The decision that stands, by sentence, among those `which`."""
    return {found.sentence_id: found for found in _decisions(connection, GoldDecisions.seq.in_(standing(which, until)))}


def all_decisions(connection: Connection, sentence_id: int) -> list[Decision]:
    """Everything ever decided about a sentence, oldest first."""
    return _decisions(connection, GoldDecisions.sentence_id == sentence_id)


def all_annotations(connection: Connection, sentence_id: int) -> list[Annotation]:
    """Every annotation of a sentence, oldest first."""
    seqs = select(Annotations.seq).where(Annotations.sentence_id == sentence_id)
    own = Annotations.sentence_id == sentence_id
    return _annotations(connection, own, AnnotationSpans.annotation_seq.in_(seqs)).get(sentence_id, [])


def _decisions(connection: Connection, which: ColumnElement[bool]) -> list[Decision]:
    rows = connection.execute(select(GoldDecisions.__table__).where(which).order_by(GoldDecisions.seq)).all()
    if not rows:
        return []
    seqs = select(GoldDecisions.seq).where(which)
    spans = _spans(
        connection,
        select(GoldDecisionSpans.decision_seq, GoldDecisionSpans.start, GoldDecisionSpans.end, GoldDecisionSpans.label)
        .where(GoldDecisionSpans.decision_seq.in_(seqs))
        .order_by(GoldDecisionSpans.decision_seq, GoldDecisionSpans.start),
    )
    sources: defaultdict[int, list[int]] = defaultdict(list)
    for decision_seq, annotation_seq in connection.execute(
        select(GoldDecisionSources.decision_seq, GoldDecisionSources.annotation_seq)
        .where(GoldDecisionSources.decision_seq.in_(seqs))
        .order_by(GoldDecisionSources.decision_seq, GoldDecisionSources.annotation_seq)
    ):
        sources[decision_seq].append(annotation_seq)
    return [_decision(row, spans.get(row.seq, ()), tuple(sources[row.seq])) for row in rows]


def _spans(connection: Connection, statement: Select[int, int, int, str]) -> dict[int, tuple[Span, ...]]:
    """Spans by the seq of what they belong to."""
    found: defaultdict[int, list[Span]] = defaultdict(list)
    for seq, start, end, label in connection.execute(statement):
        found[seq].append(Span(start, end, label))
    return {seq: tuple(spans) for seq, spans in found.items()}


def _annotation(row: Any, spans: tuple[Span, ...]) -> Annotation:
    return Annotation(
        id=row.annotation_id,
        seq=row.seq,
        sentence_id=row.sentence_id,
        annotator_id=row.annotator_id,
        status=Status(row.status),
        spans=spans,
        comment=row.comment,
        origin=Origin(row.origin),
        suggestion_run=row.suggestion_run,
        names_shown=names_record(row.names_shown),
        milliseconds=row.milliseconds,
        client_time=row.client_time,
        created_at=row.created_at,
        supersedes=row.supersedes,
        skip_reason=None if row.skip_reason is None else SkipReason(row.skip_reason),
    )


def _decision(row: Any, spans: tuple[Span, ...], sources: tuple[int, ...]) -> Decision:
    return Decision(
        seq=row.seq,
        sentence_id=row.sentence_id,
        kind=DecisionKind(row.kind),
        status=None if row.status is None else Status(row.status),
        spans=spans,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        comment=row.comment,
        run_id=row.run_id,
        annotation_seq=row.annotation_seq,
        sources=sources,
        supersedes=row.supersedes,
    )


# The same in SQL, for counts.


def standing(which: ColumnElement[bool], until: Moment | None = None) -> Select[int]:
    """The seqs of the decisions that stand among those `which`: of each sentence the newest that no other has undone."""
    undo = aliased(GoldDecisions)
    undone = exists().where(undo.supersedes == GoldDecisions.seq, undo.kind == DecisionKind.UNDO.value)
    seqs = select(func.max(GoldDecisions.seq)).where(which, GoldDecisions.kind != DecisionKind.UNDO.value)
    if until is not None:
        undone = undone.where(undo.seq <= until.decision)
        seqs = seqs.where(GoldDecisions.seq <= until.decision)
    return seqs.where(~undone).group_by(GoldDecisions.sentence_id)


def in_split(project_id: int, split: Split) -> ColumnElement[bool]:
    """Whether a decision is about this split of the project."""
    return (GoldDecisions.project_id == project_id) & (GoldDecisions.split == split.value)


def decided_otherwise(project_id: int, split: Split) -> ColumnElement[bool]:
    """Whether a decision stands that takes the place of an annotation, or sends it back."""
    stands = GoldDecisions.seq.in_(standing(in_split(project_id, split)))
    still_counts = (GoldDecisions.status.is_not(None)) | (GoldDecisions.annotation_seq >= Annotations.seq)
    return exists().where(GoldDecisions.sentence_id == Annotations.sentence_id, stands, still_counts)


def gold_seqs(project_id: int, split: Split) -> Select[int]:
    """The seqs of the newest annotations of those sentences about which no decision stands."""
    return (
        select(func.max(Annotations.seq))
        .where(Annotations.project_id == project_id, Annotations.split == split.value)
        .where(~decided_otherwise(project_id, split))
        .group_by(Annotations.sentence_id)
    )


def decided(project_id: int, split: Split, statuses: Collection[Status]) -> ColumnElement[bool]:
    """Whether a decision stands and gives its sentence one of these statuses."""
    return GoldDecisions.seq.in_(standing(in_split(project_id, split))) & GoldDecisions.status.in_(
        [status.value for status in statuses]
    )
