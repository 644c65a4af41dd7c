"""The queue: filling it, and leasing its sentences to tabs so that no two ever hold the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, and_, bindparam, delete, exists, func, or_, select, update

from storage import _projects
from storage._checks import known_ids
from storage._sentences import SENTENCE_COLUMNS, sentence_record
from storage._suggestions import suggestion_record
from storage.database import MANY_ROWS, chunks, now, refresh_statistics, upsert
from storage.records import HandOut, Origin, QueueItem, Split
from storage.tables import Annotations, Queue, Selections, Sentences, ServingRuns, Suggestions

SMALLEST_SHARE = 2  # sentences a tab may hold however many tabs there are: one on the screen, one to go on with

# The statements are built once: building one takes several times as long as running it.
IN_LINE = and_(Queue.project_id == bindparam("in_project"), Queue.split == bindparam("in_split"))
IS_FREE = and_(IN_LINE, or_(Queue.leased_until.is_(None), Queue.leased_until <= bindparam("at")))
IS_THEIRS = and_(Queue.annotator_id == bindparam("holder"), Queue.leased_until.is_not(None))
IS_OWN = and_(IS_THEIRS, Queue.client == bindparam("tab"))
IS_OWN_HERE = and_(IS_OWN, Queue.project_id == bindparam("in_project"))
IS_GIVEN = Queue.sentence_id.in_(bindparam("ids", expanding=True))
BY_RANK = (Queue.rank, Queue.sentence_id)
HAS_ANNOTATED = exists().where(
    Annotations.sentence_id == Queue.sentence_id, Annotations.annotator_id == bindparam("holder")
)
N = bindparam("n", type_=Integer)

COUNT_FREE = select(func.count()).select_from(Queue).where(IS_FREE)
COUNT_SOME_FREE = select(func.count()).select_from(select(Queue.sentence_id).where(IS_FREE).limit(N).subquery())
TABS = (
    select(Queue.annotator_id, Queue.client, func.count())
    .where(IN_LINE, Queue.leased_until > bindparam("at"))
    .group_by(Queue.annotator_id, Queue.client)
)
PICK_FREE = (
    select(Queue.sentence_id)
    .where(IS_FREE, ~HAS_ANNOTATED)
    .order_by(*BY_RANK)
    .limit(N)
    .with_for_update(skip_locked=True, of=Queue)
)
LEASE = (
    update(Queue)
    .where(IS_GIVEN)
    .values(annotator_id=bindparam("holder"), client=bindparam("tab"), leased_until=bindparam("until"))
)
HELD = select(Queue.sentence_id).where(IS_OWN_HERE, Queue.leased_until > bindparam("at")).order_by(*BY_RANK)
LEASES = select(Queue.sentence_id, Queue.leased_until).where(IS_GIVEN, IS_OWN_HERE)
RENEW = update(Queue).where(IS_GIVEN, IS_OWN_HERE).values(leased_until=bindparam("until")).returning(Queue.sentence_id)
DROP_FREE = delete(Queue).where(IS_FREE).returning(Queue.sentence_id)
SERVING_RUN = select(ServingRuns.run_id).where(ServingRuns.project_id == bindparam("in_project")).scalar_subquery()
HAND_OUTS = (
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
    .outerjoin(Suggestions, and_(Suggestions.run_id == SERVING_RUN, Suggestions.sentence_id == Sentences.id))
    .where(Sentences.id.in_(bindparam("ids", expanding=True)))
)

SELECTION_FIELDS = ("origin", "rank", "strategy", "score", "propensity", "run_id", "round", "seed", "reason")


def fill(connection: Connection, project_id: int, items: Sequence[QueueItem], replace: bool) -> int:
    """Queue sentences; see Store.fill_queue."""
    _projects.lock(connection, project_id)
    splits = _splits(connection, project_id, [item.sentence_id for item in items])
    if replace:
        _drop_unleased(connection, project_id, {split for split, _ in splits.values()})
    fresh = {
        item.sentence_id: item for item in reversed(items) if item.sentence_id in splits and splits[item.sentence_id][1]
    }
    for chunk in chunks(list(fresh)):
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
    if len(places) >= MANY_ROWS:
        refresh_statistics(connection, Queue)
    return len(places)


def ready(connection: Connection, project_id: int, split: Split) -> int:
    """How many sentences wait unleased."""
    line = {"in_project": project_id, "in_split": split.value, "at": now(connection)}
    return connection.execute(COUNT_FREE, line).scalar_one()


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
    at = now(connection)
    line = {"in_project": project_id, "in_split": split.value, "at": at}
    tab = {"holder": annotator_id, "tab": client}
    if per_tab_share:
        n = min(n, _room(connection, line, annotator_id, client, n))
    if n <= 0:
        return []
    ids = connection.execute(PICK_FREE, {**line, "holder": annotator_id, "n": n}).scalars().all()
    if not ids:
        return []
    connection.execute(LEASE, {**tab, "until": at + timedelta(seconds=seconds), "ids": ids})
    return _hand_outs(connection, project_id, ids)


def held(connection: Connection, project_id: int, client: str, annotator_id: int) -> list[HandOut]:
    """What a tab holds now, in order of rank."""
    tab = {"in_project": project_id, "holder": annotator_id, "tab": client, "at": now(connection)}
    return _hand_outs(connection, project_id, connection.execute(HELD, tab).scalars().all())


def leases(
    connection: Connection, project_id: int, annotator_id: int, client: str, sentence_ids: Sequence[int]
) -> tuple[datetime, dict[int, datetime]]:
    """The time now, and until when a tab holds which of these sentences (also leases run out that nobody took)."""
    tab = {"in_project": project_id, "holder": annotator_id, "tab": client, "ids": known_ids(sentence_ids)}
    until = {row.sentence_id: row.leased_until for row in connection.execute(LEASES, tab)}
    return now(connection), until


def renew(
    connection: Connection,
    project_id: int,
    annotator_id: int,
    client: str,
    sentence_ids: Sequence[int],
    seconds: float,
) -> list[int]:
    """Prolong those of the leases that the tab still holds; the ids of these."""
    tab = {"in_project": project_id, "holder": annotator_id, "tab": client, "ids": known_ids(sentence_ids)}
    until = now(connection) + timedelta(seconds=seconds)
    return sorted(connection.execute(RENEW, {**tab, "until": until}).scalars())


def release(connection: Connection, annotator_id: int, client: str | None) -> None:
    """Give back everything a tab holds, or all tabs of this person."""
    whose = IS_THEIRS if client is None else IS_OWN
    given_back = update(Queue).where(whose).values(annotator_id=None, client=None, leased_until=None)
    connection.execute(given_back, {"holder": annotator_id, "tab": client})


def _hand_outs(connection: Connection, project_id: int, ids: Sequence[int]) -> list[HandOut]:
    """Queued sentences as annotators get them, in the order of `ids`."""
    if not ids:
        return []
    rows = connection.execute(HAND_OUTS, {"in_project": project_id, "ids": ids})
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
    for chunk in chunks(known_ids(ids)):
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
        dropped = connection.execute(DROP_FREE, {"in_project": project_id, "in_split": split, "at": at}).scalars()
        for chunk in chunks(list(dropped)):
            connection.execute(delete(Selections).where(Selections.sentence_id.in_(chunk)))


def _room(connection: Connection, line: dict[str, Any], annotator_id: int, client: str, n: int) -> int:
    """How many more sentences a tab may take, so that enough are left for others when few are open."""
    tabs = {(holder, tab): count for holder, tab, count in connection.execute(TABS, line)}
    own = tabs.pop((annotator_id, client), 0)
    n_tabs = len(tabs) + 1
    most_needed = 2 * n_tabs * (n + own)
    n_open = own + connection.execute(COUNT_SOME_FREE, {**line, "n": most_needed}).scalar_one()
    return max(SMALLEST_SHARE, n_open // (2 * n_tabs)) - own
