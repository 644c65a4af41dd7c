"""Which sentences several people label: drawn by chance, so that agreement says something about all the others.

A doubled sentence has as many rows in the queue (seats) as people are still to label it, and shows nobody suggestions.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from storage.chance import drawn
from storage.database import now
from storage.tables import Annotations, Queue

STARTED = 2**40  # taken off the rank of what somebody has labelled already: it comes before everything new

N_AUTHORS = select(func.count(Annotations.annotator_id.distinct())).where(
    Annotations.sentence_id == bindparam("sentence")
)
OF_SENTENCE = Queue.sentence_id == bindparam("sentence")
SEATS = select(Queue.seat, Queue.annotator_id, Queue.leased_until).where(OF_SENTENCE)
LEAVE = delete(Queue).where(OF_SENTENCE, Queue.seat.in_(bindparam("gone", expanding=True)))
COMES_FIRST = update(Queue).where(OF_SENTENCE, Queue.rank >= 0).values(rank=Queue.rank - STARTED)


def seats(salt: str, sentence_id: int, overlap: int, share: float) -> int:
    """How many people are to label a sentence: `overlap` of them where a salted hash falls into the share, else one.

    The same sentences are drawn every time; a larger share keeps those of a smaller one.
    """
    if overlap == 1:
        return 1
    return overlap if drawn(salt, "overlap", sentence_id) < share else 1


def leave(connection: Connection, annotator_id: int, sentence_id: int, seats: int) -> None:
    """One of `seats` people has labelled a sentence: keep as many rows of the queue as others are still to come.

    Their own row goes, else a free one; one that somebody else holds only where more hold it than are wanted.
    """
    authors = connection.execute(N_AUTHORS, {"sentence": sentence_id}).scalar_one()
    at = now(connection)
    rows = connection.execute(SEATS, {"sentence": sentence_id}).all()

    def place(row: Any) -> tuple[bool, datetime, int]:
        return row.annotator_id != annotator_id, max(row.leased_until or at, at), row.seat

    n_gone = max(len(rows) - max(seats - authors, 0), 0)
    gone = [row.seat for row in sorted(rows, key=place)[:n_gone]]
    connection.execute(LEAVE, {"sentence": sentence_id, "gone": gone})
    connection.execute(COMES_FIRST, {"sentence": sentence_id})
