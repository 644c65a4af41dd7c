"""What adjudicators look at: sentences with everybody's newest annotation and what was decided."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from storage import _gold
from storage._checks import known_ids
from storage._sentences import SENTENCE_COLUMNS, sentence_record
from storage.database import chunks
from storage.records import Annotation, Sentence, Status
from storage.review_records import Case, DecisionKind, SentBack
from storage.review_tables import GoldDecisions, GoldDecisionSources
from storage.tables import Annotations, Annotators, Sentences


def disputed(connection: Connection, project_id: int) -> list[Case]:
    """Sentences that several people annotated or somebody flagged; see Store.disputed."""
    of_project = Annotations.project_id == project_id
    several = (
        select(Annotations.sentence_id)
        .where(of_project)
        .group_by(Annotations.sentence_id)
        .having(func.count(Annotations.annotator_id.distinct()) > 1)
    )
    newest = (
        select(func.max(Annotations.seq)).where(of_project).group_by(Annotations.sentence_id, Annotations.annotator_id)
    )
    flagged = select(Annotations.sentence_id).where(
        Annotations.seq.in_(newest), Annotations.status == Status.FLAGGED.value
    )
    ids = {*connection.execute(several).scalars(), *connection.execute(flagged).scalars()}
    return cases(connection, project_id, sorted(ids))


def decided(connection: Connection, project_id: int) -> list[Case]:
    """Sentences about which a decision stands, the newest decision first."""
    standing = _gold.standing(GoldDecisions.project_id == project_id)
    newest_first = (
        select(GoldDecisions.sentence_id).where(GoldDecisions.seq.in_(standing)).order_by(GoldDecisions.seq.desc())
    )
    ids = connection.execute(newest_first).scalars().all()
    found = {case.sentence.id: case for case in cases(connection, project_id, sorted(ids))}
    return [found[sentence_id] for sentence_id in ids]


def cases(connection: Connection, project_id: int, sentence_ids: Sequence[int]) -> list[Case]:
    """These sentences, as far as somebody annotated them, in import order."""
    found = []
    for chunk in chunks(sorted(set(known_ids(sentence_ids)))):
        found += _chunk(connection, project_id, chunk)
    return found


def _chunk(connection: Connection, project_id: int, ids: Sequence[int]) -> list[Case]:
    own = Annotations.sentence_id.in_(ids)
    about = GoldDecisions.sentence_id.in_(ids)
    annotations = _gold.newest_annotations(connection, own)
    standing = _gold.decisions(connection, about)
    golds = _gold.golds(connection, own, about)
    newest = dict(
        connection.execute(
            select(GoldDecisions.sentence_id, func.max(GoldDecisions.seq))
            .where(about)
            .group_by(GoldDecisions.sentence_id)
        ).all()
    )
    authors: defaultdict[int, set[int]] = defaultdict(set)
    at_work = select(Annotations.sentence_id, Annotations.annotator_id).where(own, Annotations.imported.is_(False))
    for sentence_id, annotator_id in connection.execute(at_work.distinct()):
        authors[sentence_id].add(annotator_id)
    people = {annotation.annotator_id for its in annotations.values() for annotation in its}
    people |= {decision.decided_by for decision in standing.values()}
    names = dict(connection.execute(select(Annotators.id, Annotators.name).where(Annotators.id.in_(people))).all())
    rows = connection.execute(
        select(*SENTENCE_COLUMNS)
        .where(Sentences.id.in_(annotations), Sentences.project_id == project_id)
        .order_by(Sentences.id)
    )
    return [
        Case(
            sentence=sentence_record(row),
            annotations=tuple(annotations[row.id]),
            decision=standing.get(row.id),
            gold=golds.get(row.id),
            authors=frozenset(authors[row.id]),
            names=names,
            seen_annotation=annotations[row.id][-1].seq,
            seen_decision=newest.get(row.id, 0),
        )
        for row in rows
    ]


def sent_back(connection: Connection, project_id: int, annotator_id: int) -> list[SentBack]:
    """What was sent back to a person and still waits for them, the oldest first."""
    standing = _gold.standing(GoldDecisions.project_id == project_id)
    theirs = (
        select(GoldDecisions.seq, GoldDecisions.sentence_id, GoldDecisions.annotation_seq, GoldDecisions.comment)
        .add_columns(Annotators.name)
        .join(GoldDecisionSources, GoldDecisionSources.decision_seq == GoldDecisions.seq)
        .join(Annotations, Annotations.seq == GoldDecisionSources.annotation_seq)
        .join(Annotators, Annotators.id == GoldDecisions.decided_by)
        .where(
            GoldDecisions.project_id == project_id,
            GoldDecisions.kind == DecisionKind.SEND_BACK.value,
            Annotations.annotator_id == annotator_id,
            GoldDecisions.seq.in_(standing),
        )
        .order_by(GoldDecisions.seq)
    )
    found = []
    for row in connection.execute(theirs).all():
        own = Annotations.sentence_id == row.sentence_id
        [newest] = _gold.newest_annotations(connection, own & (Annotations.annotator_id == annotator_id))[
            row.sentence_id
        ]
        if newest.seq <= row.annotation_seq:
            sentence = connection.execute(select(*SENTENCE_COLUMNS).where(Sentences.id == row.sentence_id)).one()
            found.append(SentBack(sentence_record(sentence), newest, row.comment, row.name))
    return found


def done_last(connection: Connection, project_id: int, annotator_id: int, n: int) -> list[tuple[Sentence, Annotation]]:
    """What a person annotated last, the newest last; see ReviewStore.done_last."""
    back = {item.sentence.id for item in sent_back(connection, project_id, annotator_id)}
    newest = func.max(Annotations.seq)
    ids = connection.execute(
        select(Annotations.sentence_id)
        .where(
            Annotations.project_id == project_id,
            Annotations.annotator_id == annotator_id,
            Annotations.imported.is_(False),
            Annotations.sentence_id.not_in(back),
        )
        .group_by(Annotations.sentence_id)
        .order_by(newest.desc())
        .limit(n)
    ).scalars()
    own = Annotations.sentence_id.in_(list(ids)) & (Annotations.annotator_id == annotator_id)
    made = [annotation for [annotation] in _gold.newest_annotations(connection, own).values()]
    rows = select(*SENTENCE_COLUMNS).where(Sentences.id.in_([annotation.sentence_id for annotation in made]))
    sentences = {row.id: sentence_record(row) for row in connection.execute(rows)}
    return [(sentences[it.sentence_id], it) for it in sorted(made, key=lambda annotation: annotation.seq)]
