"""What several people say of the same sentence, each for themselves: what agreement is measured on."""

from sqlalchemy import Connection, and_, exists, select

from storage import _gold
from storage._sentences import SENTENCE_COLUMNS, sentence_record
from storage.database import chunks
from storage.records import DoubledSentence
from storage.review_tables import GoldDecisions
from storage.tables import Annotations, Selections, Sentences


def doubled(connection: Connection, project_id: int) -> list[DoubledSentence]:
    """Doubled sentences that two people or more have annotated; see Store.doubled."""
    drawn = select(Selections.sentence_id).where(Selections.project_id == project_id, Selections.seats > 1)
    decided_before = exists().where(
        GoldDecisions.sentence_id == Annotations.sentence_id, GoldDecisions.annotation_seq < Annotations.seq
    )
    independent = and_(
        Annotations.project_id == project_id,
        Annotations.sentence_id.in_(drawn),
        Annotations.imported.is_(False),
        Annotations.suggestion_run.is_(None),
        Annotations.names_shown.is_(None),
        ~decided_before,
    )
    annotations = _gold.newest_annotations(connection, independent)
    ids = sorted(sentence_id for sentence_id, own in annotations.items() if len(own) > 1)
    found = []
    for chunk in chunks(ids):
        rows = connection.execute(
            select(*SENTENCE_COLUMNS, Selections.seats)
            .join(Selections, Selections.sentence_id == Sentences.id)
            .where(Sentences.id.in_(chunk))
            .order_by(Sentences.id)
        )
        found += [DoubledSentence(sentence_record(row), row.seats, tuple(annotations[row.id])) for row in rows]
    return found
