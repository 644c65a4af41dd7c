"""Who is signed in where, and how often signing in went wrong. Secrets are known here by their hashes only."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from storage import _accounts, _queue, _workers
from storage.account_tables import Accounts, Sessions, SignInTries
from storage.database import now, upsert
from storage.records import Person

SEEN_EVERY = timedelta(seconds=60)  # how exactly it is noted when a person was last seen
FIRST_PAUSE = 5.0  # seconds after the last free try; each further one doubles it
TRIES_REMEMBERED = timedelta(hours=1)  # since the last wrong try

SESSION = select(Sessions.annotator_id, Sessions.created_at, Sessions.seen_at).where(
    Sessions.token_hash == bindparam("token_hash")
)


def start(connection: Connection, token_hash: str, annotator_id: int, whole: float) -> None:
    """A browser is signed in; what has been longer than `whole` seconds goes."""
    at = now(connection)
    connection.execute(delete(Sessions).where(Sessions.created_at < at - timedelta(seconds=whole)))
    row = {"token_hash": token_hash, "annotator_id": annotator_id, "created_at": at, "seen_at": at}
    connection.execute(insert(Sessions).values(row))
    connection.execute(update(Accounts).where(Accounts.annotator_id == annotator_id).values(seen_at=at))
    _workers.record(connection, None, annotator_id, "signed_in", {})


def person(connection: Connection, token_hash: str, idle: float, whole: float) -> tuple[Person | None, bool]:
    """Who is signed in with this token, and whether it is time to note that they were seen.

    Nobody once `idle` seconds passed unseen or `whole` seconds since the start, nor where the account was disabled.
    """
    row = connection.execute(SESSION, {"token_hash": token_hash}).one_or_none()
    at = now(connection)
    if row is None or at - row.seen_at > timedelta(seconds=idle) or at - row.created_at > timedelta(seconds=whole):
        return None, False
    if _accounts.account(connection, row.annotator_id).disabled:
        return None, False
    return _accounts.person(connection, row.annotator_id), at - row.seen_at > SEEN_EVERY


def seen(connection: Connection, token_hash: str) -> None:
    """Note that the person of this session is here."""
    row = connection.execute(SESSION, {"token_hash": token_hash}).one_or_none()
    if row is None:
        return
    at = now(connection)
    connection.execute(update(Sessions).where(Sessions.token_hash == token_hash).values(seen_at=at))
    connection.execute(update(Accounts).where(Accounts.annotator_id == row.annotator_id).values(seen_at=at))


def end(connection: Connection, token_hash: str) -> None:
    """Sign one browser out. With the last one of a person, what was leased to them goes back."""
    row = connection.execute(SESSION, {"token_hash": token_hash}).one_or_none()
    if row is None:
        return
    connection.execute(delete(Sessions).where(Sessions.token_hash == token_hash))
    if connection.execute(select(Sessions.token_hash).where(Sessions.annotator_id == row.annotator_id)).first() is None:
        _queue.release(connection, row.annotator_id, None)
    _workers.record(connection, None, row.annotator_id, "signed_out", {})


def end_others(connection: Connection, annotator_id: int, keep: str) -> int:
    """Sign a person out everywhere but in one browser; how many sessions ended."""
    others = (Sessions.annotator_id == annotator_id, Sessions.token_hash != keep)
    return connection.execute(delete(Sessions).where(*others)).rowcount


def count_try(connection: Connection, free_tries: Mapping[str, int], longest: float) -> float:
    """Count a try to sign in under each key, before it is known whether it is right; 0, or seconds to wait instead.

    After so many free tries a key must wait 5, 10, 20, … seconds, `longest` at most; while it waits nothing is counted,
    and nobody may look whether the password is right.
    """
    at = now(connection)
    connection.execute(delete(SignInTries).where(SignInTries.last_at < at - TRIES_REMEMBERED))
    # In one order, and locked: of two tries at the same time, the second sees what the first one counted.
    upsert(
        connection,
        SignInTries,
        [{"key": key, "failures": 0, "last_at": at, "free_at": at} for key in sorted(free_tries)],
        ["key"],
        [],
    )
    rows = connection.execute(
        select(SignInTries.__table__).where(SignInTries.key.in_(free_tries)).order_by(SignInTries.key).with_for_update()
    ).all()
    waiting: float = max((row.free_at - at).total_seconds() for row in rows)
    if waiting > 0:
        return waiting
    for row in rows:
        connection.execute(
            update(SignInTries)
            .where(SignInTries.key == row.key)
            .values(_one_more(row, at, free_tries[row.key], longest))
        )
    return 0.0


def _one_more(row: Any, at: Any, free: int, longest: float) -> dict[str, Any]:
    failures = row.failures + 1
    pause = 0.0 if failures < free else min(FIRST_PAUSE * 2.0 ** min(failures - free, 30), longest)
    return {"failures": failures, "last_at": at, "free_at": at + timedelta(seconds=pause)}


def forget_try(connection: Connection, forget: str, take_back: Sequence[str]) -> None:
    """The try was right: forget all tries of one key, and take this one back from the others."""
    connection.execute(delete(SignInTries).where(SignInTries.key == forget))
    at = now(connection)
    connection.execute(
        update(SignInTries)
        .where(SignInTries.key.in_(take_back), SignInTries.failures > 0)
        .values(failures=SignInTries.failures - 1, free_at=at)
    )
