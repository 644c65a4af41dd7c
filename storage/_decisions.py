"""Deciding about annotated sentences: the rows are only ever added, and nobody decides about their own work."""

from sqlalchemy import Connection, exists, func, insert, select

from maner_core.errors import InvalidInput, NotAllowed, NotFound, Refused
from maner_core.spans import Span, validate_spans
from storage import _gold, _projects, _sentences
from storage._checks import refuse_unstorable
from storage.database import insert_rows, now
from storage.records import Annotation, Status
from storage.review_records import Decision, DecisionDraft, DecisionKind, History
from storage.review_tables import GoldDecisions, GoldDecisionSources, GoldDecisionSpans
from storage.tables import Annotations, Annotators, Sentences


def decide(connection: Connection, project_id: int, by: int, draft: DecisionDraft, alone: bool) -> Decision:
    """Keep a decision; see Store.decide."""
    _projects.lock(connection, project_id)
    _projects.annotator_by_id(connection, by)
    refuse_unstorable(draft.comment, "the comment")
    sentence = connection.execute(
        select(Sentences.split, Sentences.n_tokens).where(
            Sentences.id == draft.sentence_id, Sentences.project_id == project_id
        )
    ).one_or_none()
    if sentence is None:
        raise NotFound(f"this project has no sentence {draft.sentence_id}")
    current = _gold.newest_annotations(connection, Annotations.sentence_id == draft.sentence_id).get(
        draft.sentence_id, []
    )
    if not current:
        raise Refused(f"nobody has annotated sentence {draft.sentence_id} yet; there is nothing to decide")
    _refuse_own(connection, draft.sentence_id, by, alone)
    _refuse_if_moved_on(connection, draft, current)
    standing = _gold.decisions(connection, GoldDecisions.sentence_id == draft.sentence_id).get(draft.sentence_id)
    sources = _sources(draft, current)
    status, spans = _outcome(draft, sources)
    if draft.kind is DecisionKind.UNDO and standing is None:
        raise Refused("no decision stands about this sentence; there is nothing to undo")
    if draft.kind is DecisionKind.SEND_BACK and not draft.comment.strip():
        raise InvalidInput("a sentence goes back with a comment; say what is to be done")
    validate_spans(spans, sentence.n_tokens, _projects.label_names(connection, project_id))
    row = {
        "project_id": project_id,
        "sentence_id": draft.sentence_id,
        "split": sentence.split,
        "kind": draft.kind.value,
        "status": None if status is None else status.value,
        "decided_by": by,
        "decided_at": now(connection),
        "comment": draft.comment.strip(),
        "run_id": draft.run_id,
        "annotation_seq": current[-1].seq,
        "supersedes": None if standing is None else standing.seq,
    }
    seq = connection.execute(insert(GoldDecisions).values(**row).returning(GoldDecisions.seq)).scalar_one()
    of_decision = {"decision_seq": seq, "project_id": project_id}
    insert_rows(connection, GoldDecisionSources, [{**of_decision, "annotation_seq": source.seq} for source in sources])
    insert_rows(
        connection,
        GoldDecisionSpans,
        [{**of_decision, "start": span.start, "end": span.end, "label": span.label} for span in spans],
    )
    return _gold.all_decisions(connection, draft.sentence_id)[-1]


def max_decision(connection: Connection, project_id: int) -> int:
    """The number of the project's newest decision, 0 before the first."""
    newest = select(func.max(GoldDecisions.seq)).where(GoldDecisions.project_id == project_id)
    return connection.execute(newest).scalar() or 0


def history(connection: Connection, project_id: int, sentence_id: int) -> History:
    """Everything that was ever said of a sentence; NotFound if the project has no such sentence."""
    sentence = _sentences.sentence(connection, sentence_id)
    if sentence.project_id != project_id:
        raise NotFound(f"this project has no sentence {sentence_id}")
    annotations = _gold.all_annotations(connection, sentence_id)
    decisions = _gold.all_decisions(connection, sentence_id)
    about = GoldDecisions.sentence_id == sentence_id
    gold = _gold.golds(connection, Annotations.sentence_id == sentence_id, about).get(sentence_id)
    people = {annotation.annotator_id for annotation in annotations} | {decision.decided_by for decision in decisions}
    names = connection.execute(select(Annotators.id, Annotators.name).where(Annotators.id.in_(people)))
    return History(sentence, tuple(annotations), tuple(decisions), gold, dict(names.all()))


def _refuse_own(connection: Connection, sentence_id: int, by: int, alone: bool) -> None:
    """Nobody adjudicates what they annotated; alone, with nobody else's annotation beside one's own, one may.

    What came with a file is nobody's work here, so whoever imported it may decide about it.
    """
    of_sentence = (Annotations.sentence_id == sentence_id, Annotations.imported.is_(False))
    own = connection.execute(select(exists().where(*of_sentence, Annotations.annotator_id == by))).scalar_one()
    others = connection.execute(select(exists().where(*of_sentence, Annotations.annotator_id != by))).scalar_one()
    if own and (others or not alone):
        raise NotAllowed("You annotated this sentence yourself; somebody else has to decide about it.")


def _refuse_if_moved_on(connection: Connection, draft: DecisionDraft, current: list[Annotation]) -> None:
    """A decision is about what its author has seen: not about an annotation or a decision that came meanwhile."""
    newest = select(func.max(GoldDecisions.seq)).where(GoldDecisions.sentence_id == draft.sentence_id)
    if (connection.execute(newest).scalar() or 0) != draft.seen_decision:
        raise Refused("somebody has decided about this sentence meanwhile; look at it again")
    if current[-1].seq != draft.seen_annotation:
        raise Refused("this sentence was annotated anew meanwhile; look at it again")


def _sources(draft: DecisionDraft, current: list[Annotation]) -> list[Annotation]:
    if draft.kind is DecisionKind.UNDO:
        return []
    sources = [annotation for annotation in current if annotation.id in draft.sources]
    if len(sources) != len(set(draft.sources)) or not sources:
        raise InvalidInput("a decision names current annotations of its sentence; look at it again")
    if draft.kind is DecisionKind.TAKE and draft.run_id is None and len(sources) != 1:
        raise InvalidInput("one version can be taken at a time; edit the sentence to merge two")
    return sources


def _outcome(draft: DecisionDraft, sources: list[Annotation]) -> tuple[Status | None, tuple[Span, ...]]:
    """Status and spans that the decision gives the sentence; a flagged version that is taken counts as labelled."""
    if draft.kind is DecisionKind.TAKE and draft.run_id is not None:
        return Status.LABELLED, draft.spans
    if draft.kind is DecisionKind.TAKE:
        source = sources[0]
        return Status.SKIPPED if source.status is Status.SKIPPED else Status.LABELLED, source.spans
    if draft.kind is DecisionKind.EDIT:
        if draft.status is Status.FLAGGED:
            raise InvalidInput("a decision makes a sentence labelled or skipped; flagged is what is to be decided")
        return draft.status, () if draft.status is Status.SKIPPED else draft.spans
    return None, ()
