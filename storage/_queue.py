"""The queue: filling it, and leasing its sentences to tabs so that no two ever hold the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update

from storage import _projects
from storage._checks import known_ids
from storage._sentences import SENTENCE_COLUMNS, sentence_record
from storage._suggestions import suggestion_record
from storage.database import chunks, now, upsert
from storage.records import HandOut, Origin, QueueItem, Split
from storage.tables import Annotations, Queue, Selections, Sentences, ServingRuns, Suggestions

CHUNK = 5_000  # below the number of parameters either database takes
SMALLEST_SHARE = 2  # sentences a tab may hold however many tabs there are: one on the screen, one to go on with
SELECTION_FIELDS = ("origin", "rank", "strategy", "score", "propensity", "run_id", "round", "reason")


def fill(connection: Connection, project_id: int, items: Sequence[QueueItem], replace: bool) -> int:
    """Queue sentences; see Store.fill_queue."""
    _projects.lock(connection, project_id)
    splits = _splits(connection, project_id, [item.sentence_id for item in items])
    if replace:
        _drop_unleased(connection, project_id, {split for split, _ in splits.values()})
    fresh = {
        item.sentence_id: item for item in reversed(items) if item.sentence_id in splits and splits[item.sentence_id][1]
    }
    for chunk in chunks(list(fresh), CHUNK):
        waiting = connection.execute(select(Queue.sentence_id).where(Queue.sentence_id.in_(chunk))).scalars()
        for sentence_id in waiting:
            del fresh[sentence_id]
    selections = []
    places = []
    for item in fresh.values():
        sentence = {"sentence_id": item.sentence_id, "project_id": project_id, "split": splits[item.sentence_id][0]}
        selections.append({**sentence, **{name: getattr(item, name) for name in SELECTION_FIELDS}})
        places.append({**sentence, "rank": item.rank})
    upsert(connection, Selections, selections, ["sentence_id"], SELECTION_FIELDS)
    upsert(connection, Queue, places, ["sentence_id"], [])
    return len(places)


def ready(connection: Connection, project_id: int, split: Split) -> int:
    """How many sentences wait unleased."""
    statement = select(func.count()).select_from(Queue).where(*_is_free(project_id, split, now(connection)))
    return connection.execute(statement).scalar_one()


def claim(
    connection: Connection,
    project_id: int,
    annotator_id: int,
    client: str,
    split: Split,
    n: int,
    seconds: float,
    per_tab_share: bool,
) -> list[HandOut]:
    """Lease up to `n` more sentences to a tab; see Store.claim."""
    if n <= 0:
        return []
    at = now(connection)
    if per_tab_share:
        n = min(n, _room(connection, project_id, annotator_id, client, split, n, at))
        if n <= 0:
            return []
    annotated = exists().where(
        Annotations.project_id == project_id,
        Annotations.annotator_id == annotator_id,
        Annotations.sentence_id == Queue.sentence_id,
    )
    ids = list(
        connection.execute(
            select(Queue.sentence_id)
            .where(*_is_free(project_id, split, at), ~annotated)
            .order_by(Queue.rank, Queue.sentence_id)
            .limit(n)
            .with_for_update(skip_locked=True, of=Queue)
        ).scalars()
    )
    if not ids:
        return []
    connection.execute(
        update(Queue)
        .where(Queue.sentence_id.in_(ids))
        .values(annotator_id=annotator_id, client=client, leased_until=at + timedelta(seconds=seconds))
    )
    return hand_outs(connection, project_id, ids)


def held(connection: Connection, project_id: int, client: str, annotator_id: int) -> list[HandOut]:
    """What a tab holds now, in order of rank."""
    ids = connection.execute(
        select(Queue.sentence_id)
        .where(
            *_is_lease_of(annotator_id, client),
            Queue.project_id == project_id,
            Queue.leased_until > now(connection),
        )
        .order_by(Queue.rank, Queue.sentence_id)
    ).scalars()
    return hand_outs(connection, project_id, list(ids))


def leases(
    connection: Connection, project_id: int, annotator_id: int, client: str, sentence_ids: Sequence[int]
) -> tuple[datetime, dict[int, datetime]]:
    """The time now, and until when a tab holds which of these sentences (also leases run out that nobody took)."""
    rows = connection.execute(
        select(Queue.sentence_id, Queue.leased_until).where(
            Queue.sentence_id.in_(known_ids(sentence_ids)),
            Queue.project_id == project_id,
            *_is_lease_of(annotator_id, client),
        )
    )
    return now(connection), {sentence_id: until for sentence_id, until in rows if until is not None}


def renew(
    connection: Connection,
    project_id: int,
    annotator_id: int,
    client: str,
    sentence_ids: Sequence[int],
    seconds: float,
) -> list[int]:
    """Prolong those of the leases that the tab still holds; the ids of these."""
    rows = connection.execute(
        update(Queue)
        .where(
            Queue.sentence_id.in_(known_ids(sentence_ids)),
            Queue.project_id == project_id,
            *_is_lease_of(annotator_id, client),
        )
        .values(leased_until=now(connection) + timedelta(seconds=seconds))
        .returning(Queue.sentence_id)
    )
    return sorted(rows.scalars())


def release(connection: Connection, annotator_id: int, client: str | None) -> None:
    """Give back everything a tab holds, or all tabs of this person."""
    theirs = update(Queue).where(Queue.annotator_id == annotator_id, Queue.leased_until.is_not(None))
    if client is not None:
        theirs = theirs.where(Queue.client == client)
    connection.execute(theirs.values(annotator_id=None, client=None, leased_until=None))


def hand_outs(connection: Connection, project_id: int, ids: Sequence[int]) -> list[HandOut]:
    """Queued sentences as annotators get them, in the order of `ids`."""
    if not ids:
        return []
    serving = select(ServingRuns.run_id).where(ServingRuns.project_id == project_id).scalar_subquery()
    rows = connection.execute(
        select(
            *SENTENCE_COLUMNS,
            Selections.origin,
            Selections.run_id.label("selected_by"),
            Selections.reason,
            Suggestions.run_id,
            Suggestions.sentence_id,
            Suggestions.spans,
            Suggestions.word_confidence,
        )
        .join(Selections, Selections.sentence_id == Sentences.id)
        .outerjoin(Suggestions, and_(Suggestions.run_id == serving, Suggestions.sentence_id == Sentences.id))
        .where(Sentences.id.in_(ids))
    )
    found = {row.id: _hand_out(row) for row in rows}
    return [found[sentence_id] for sentence_id in ids]


def _hand_out(row: Any) -> HandOut:
    return HandOut(
        sentence=sentence_record(row),
        origin=Origin(row.origin),
        run_id=row.selected_by,
        reason=row.reason,
        suggestion=None if row.run_id is None else suggestion_record(row),
    )


def _splits(connection: Connection, project_id: int, ids: Sequence[int]) -> dict[int, tuple[str, bool]]:
    """Of these sentences of the project: split, and whether it may be queued (no annotation, no duplicate)."""
    annotated = exists().where(Annotations.sentence_id == Sentences.id)
    may_wait = and_(Sentences.duplicate_of.is_(None), ~annotated)
    found = {}
    for chunk in chunks(known_ids(ids), CHUNK):
        rows = connection.execute(
            select(Sentences.id, Sentences.split, may_wait.label("may_wait")).where(
                Sentences.id.in_(chunk), Sentences.project_id == project_id
            )
        )
        found.update({row.id: (row.split, bool(row.may_wait)) for row in rows})
    return found


def _drop_unleased(connection: Connection, project_id: int, splits: set[str]) -> None:
    at = now(connection)
    for split in splits:
        dropped = connection.execute(
            delete(Queue).where(*_is_free(project_id, Split(split), at)).returning(Queue.sentence_id)
        ).scalars()
        for chunk in chunks(list(dropped), CHUNK):
            connection.execute(delete(Selections).where(Selections.sentence_id.in_(chunk)))


def _is_free(project_id: int, split: Split, at: datetime) -> tuple[Any, ...]:
    return (
        Queue.project_id == project_id,
        Queue.split == split.value,
        or_(Queue.leased_until.is_(None), Queue.leased_until <= at),
    )


def _is_lease_of(annotator_id: int, client: str) -> tuple[Any, ...]:
    return Queue.annotator_id == annotator_id, Queue.client == client, Queue.leased_until.is_not(None)


def _room(
    connection: Connection, project_id: int, annotator_id: int, client: str, split: Split, n: int, at: datetime
) -> int:
    """How many more sentences a tab may take, so that enough are left for others when few are open."""
    tabs: dict[tuple[int | None, str | None], int] = {}
    rows = connection.execute(
        select(Queue.annotator_id, Queue.client, func.count())
        .where(Queue.project_id == project_id, Queue.split == split.value, Queue.leased_until > at)
        .group_by(Queue.annotator_id, Queue.client)
    )
    for holder, tab, count in rows:
        tabs[holder, tab] = count
    own = tabs.pop((annotator_id, client), 0)
    n_tabs = len(tabs) + 1
    enough = 2 * n_tabs * (n + own)
    free = select(Queue.sentence_id).where(*_is_free(project_id, split, at)).limit(enough).subquery()
    n_open = own + connection.execute(select(func.count()).select_from(free)).scalar_one()
    return max(SMALLEST_SHARE, n_open // (2 * n_tabs)) - own
