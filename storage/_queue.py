"""The queue: filling it, and leasing its sentences to tabs so that no two ever hold the same."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Integer, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from maner_core.errors import NotFound
from storage import _overlap, _projects
from storage._checks import known_ids
from storage._sentences import SENTENCE_COLUMNS, is_unlabelled, sentence_record
from storage._suggestions import suggestion_record
from storage.account_tables import Accounts, Roles
from storage.database import LONGEST_LEASE, MANY_ROWS, chunks, now, refresh_statistics, upsert
from storage.records import HandOut, Origin, QueueItem, Split
from storage.tables import Annotations, Annotators, Projects, Queue, Selections, Sentences, ServingRuns, Suggestions

SMALLEST_SHARE = 2  # sentences a tab may hold however many tabs there are: one on the screen, one to go on with

# The statements are built once: building one takes several times as long as running it.
IN_LINE = and_(Queue.project_id == bindparam("in_project"), Queue.split == bindparam("in_split"))
AT: BindParameter[Any] = bindparam("at")  # see _times
LATEST: BindParameter[Any] = bindparam("latest")
IS_HELD = and_(Queue.leased_until > AT, Queue.leased_until <= LATEST)
IS_FREE = and_(IN_LINE, or_(Queue.leased_until.is_(None), ~IS_HELD))
IS_THEIRS = and_(Queue.annotator_id == bindparam("holder"), Queue.leased_until.is_not(None))
IS_OWN = and_(IS_THEIRS, Queue.client == bindparam("tab"))
IS_OWN_HERE = and_(IS_OWN, Queue.project_id == bindparam("in_project"))
IS_NEW = Queue.rank >= 0
IS_GIVEN = Queue.sentence_id.in_(bindparam("ids", expanding=True))
BY_RANK = (Queue.rank, Queue.sentence_id)
HAS_ANNOTATED = exists().where(
    Annotations.sentence_id == Queue.sentence_id, Annotations.annotator_id == bindparam("holder")
)
N = bindparam("n", type_=Integer)

# The other rows of a doubled sentence: nobody may hold two of them, and of the free ones the first is taken first.
OTHER = aliased(Queue)
IS_OTHER = and_(OTHER.sentence_id == Queue.sentence_id, OTHER.seat != Queue.seat)
OTHER_IS_HELD = and_(OTHER.leased_until > AT, OTHER.leased_until <= LATEST)
HOLDS_ANOTHER = and_(OTHER_IS_HELD, OTHER.annotator_id == bindparam("holder"))
ANOTHER_IS_FIRST = and_(OTHER.seat < Queue.seat, or_(OTHER.leased_until.is_(None), ~OTHER_IS_HELD))
IS_THE_SEAT_TO_TAKE = ~exists().where(IS_OTHER, or_(HOLDS_ANOTHER, ANOTHER_IS_FIRST))
CAN_READ = exists().where(
    Sentences.id == Queue.sentence_id,
    or_(Sentences.written_in.is_(None), Sentences.written_in.in_(bindparam("reads", expanding=True))),
)
IS_FOR_THEM = and_(IS_FREE, ~HAS_ANNOTATED, IS_THE_SEAT_TO_TAKE)

# One claim of a person at a time, so that two tabs never get two seats of one sentence.
READER = select(Annotators.reads).where(Annotators.id == bindparam("holder")).with_for_update(key_share=True)
COUNT_NEW = select(func.count()).select_from(Queue).where(IS_FREE, IS_NEW)
TABS = (
    select(Queue.annotator_id, Queue.client, func.count())
    .where(IN_LINE, IS_HELD)
    .group_by(Queue.annotator_id, Queue.client)
)
FOR_THEM = select(Queue.sentence_id, Queue.seat).where(IS_FOR_THEM)
COUNT_SOME = select(func.count()).select_from(FOR_THEM.limit(N).subquery())
COUNT_SOME_READABLE = select(func.count()).select_from(FOR_THEM.where(CAN_READ).limit(N).subquery())
PICK = FOR_THEM.order_by(*BY_RANK).limit(N).with_for_update(skip_locked=True, of=Queue)
PICK_READABLE = PICK.where(CAN_READ)
PICK_BEGUN, PICK_READABLE_BEGUN = PICK.where(~IS_NEW), PICK_READABLE.where(~IS_NEW)
ANY_BEGUN = select(exists().where(IS_FREE, ~IS_NEW))
LEASE = (
    update(Queue)
    .where(IS_GIVEN, Queue.seat == bindparam("of_seat"))
    .values(annotator_id=bindparam("holder"), client=bindparam("tab"), leased_until=bindparam("until"))
)
HELD = select(Queue.sentence_id).where(IS_OWN_HERE, IS_HELD).order_by(*BY_RANK)
LEASES = select(Queue.sentence_id, Queue.leased_until).where(IS_GIVEN, IS_OWN_HERE)
GIVE_BACK = update(Queue).values(annotator_id=None, client=None, leased_until=None)
RENEW = (
    update(Queue)
    .where(IS_GIVEN, IS_OWN_HERE, ~exists().where(IS_OTHER, HOLDS_ANOTHER))
    .values(leased_until=bindparam("until"))
    .returning(Queue.sentence_id)
)
IS_UNTOUCHED = and_(IS_FREE, IS_NEW, ~exists().where(IS_OTHER, OTHER_IS_HELD))
# A claim that is under way on one seat must be over before it can be said that a sentence is untouched.
FREE_SEATS = select(Queue.seat).where(IS_FREE).order_by(Queue.sentence_id, Queue.seat).with_for_update(of=Queue)
DROP_FREE = delete(Queue).where(IS_UNTOUCHED).returning(Queue.sentence_id, Queue.annotator_id)
UNTOUCHED = (
    select(Queue.sentence_id, Queue.split, Queue.rank, func.count().label("seats"))
    .where(IS_UNTOUCHED)
    .group_by(Queue.sentence_id, Queue.split, Queue.rank)
)
# Whoever has a role in the project and may sign in.
READERS = (
    select(Annotators.reads)
    .join(Roles, Roles.annotator_id == Annotators.id)
    .outerjoin(Accounts, Accounts.annotator_id == Annotators.id)
    .where(Roles.project_id == bindparam("in_project"), Accounts.disabled.is_not(True))
)
HOW_DOUBLED = select(Projects.split_salt, Projects.overlap, Projects.overlap_share).where(
    Projects.id == bindparam("in_project")
)
SERVING_RUN = select(ServingRuns.run_id).where(ServingRuns.project_id == bindparam("in_project")).scalar_subquery()
HAND_OUTS = (
    select(
        *SENTENCE_COLUMNS,
        Selections.origin,
        Selections.run_id.label("selected_by"),
        Selections.reason,
        Selections.seats,
        Suggestions.run_id,
        Suggestions.sentence_id,
        Suggestions.spans,
        Suggestions.word_confidence,
    )
    .join(Selections, Selections.sentence_id == Sentences.id)
    .outerjoin(
        Suggestions,
        # People who all correct the same suggestion would agree with it rather than with each other.
        and_(Suggestions.run_id == SERVING_RUN, Suggestions.sentence_id == Sentences.id, Selections.seats == 1),
    )
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
    doubling = connection.execute(HOW_DOUBLED, {"in_project": project_id}).one()
    selections = []
    places = []
    for item in fresh.values():
        seats = _overlap.seats(doubling.split_salt, item.sentence_id, doubling.overlap, doubling.overlap_share)
        sentence = {"sentence_id": item.sentence_id, "project_id": project_id, "split": splits[item.sentence_id][0]}
        selections.append({**sentence, **{name: getattr(item, name) for name in SELECTION_FIELDS}, "seats": seats})
        places += [{**sentence, "rank": item.rank, "seat": seat} for seat in range(seats)]
    upsert(connection, Selections, selections, ["sentence_id"], (*SELECTION_FIELDS, "seats"))
    upsert(connection, Queue, places, ["sentence_id", "seat"], [])
    if len(places) >= MANY_ROWS:
        refresh_statistics(connection, Queue)
    return len(selections)


def reseat(connection: Connection, project_id: int) -> None:
    """Double the sentences in the queue as the project wants it now; those that somebody has begun stay as they are."""
    _projects.lock(connection, project_id)
    salt, overlap, share = connection.execute(HOW_DOUBLED, {"in_project": project_id}).one()
    for split in Split:
        line = {"in_project": project_id, "in_split": split.value, **_times(now(connection))}
        for row in connection.execute(UNTOUCHED, line).all():
            wanted = _overlap.seats(salt, row.sentence_id, overlap, share)
            if wanted == row.seats:
                continue
            too_many = and_(IS_FREE, Queue.sentence_id == row.sentence_id, Queue.seat >= wanted)
            connection.execute(delete(Queue).where(too_many), line)
            place = {"sentence_id": row.sentence_id, "project_id": project_id, "split": row.split, "rank": row.rank}
            upsert(connection, Queue, [{**place, "seat": seat} for seat in range(wanted)], ["sentence_id", "seat"], [])
            chosen = Selections.sentence_id == row.sentence_id
            connection.execute(update(Selections).where(chosen).values(seats=wanted))


def ready(connection: Connection, project_id: int, split: Split) -> int:
    """How many seats of sentences that nobody has labelled yet wait unleased."""
    line = {"in_project": project_id, "in_split": split.value, **_times(now(connection))}
    return connection.execute(COUNT_NEW, line).scalar_one()


def begun(connection: Connection, project_id: int, split: Split) -> bool:
    """Whether a seat of a sentence that somebody has labelled waits unleased."""
    line = {"in_project": project_id, "in_split": split.value, **_times(now(connection))}
    return bool(connection.execute(ANY_BEGUN, line).scalar())


def claim(
    connection: Connection,
    project_id: int,
    annotator_id: int,
    client: str,
    split: Split,
    n: int,
    seconds: float,
    per_tab_share: bool,
    begun: bool,
) -> list[HandOut]:
    """Lease up to `n` more sentences to a tab; see Store.claim."""
    reads = connection.execute(READER, {"holder": annotator_id}).scalar_one_or_none()
    if reads is None:
        raise NotFound(f"there is no annotator {annotator_id}")
    at = now(connection)
    line = {"in_project": project_id, "in_split": split.value, **_times(at)}
    tab = {"holder": annotator_id, "tab": client}
    reader = {**line, "holder": annotator_id, **({"reads": reads} if reads else {})}
    if per_tab_share:
        n = min(n, _room(connection, line, reader, client, n))
    if n <= 0:
        return []
    pick = (PICK_READABLE_BEGUN if begun else PICK_READABLE) if reads else (PICK_BEGUN if begun else PICK)
    seats = connection.execute(pick, {**reader, "n": n}).all()
    by_number: defaultdict[int, list[int]] = defaultdict(list)
    for sentence_id, seat in seats:
        by_number[seat].append(sentence_id)
    for seat, ids in by_number.items():
        connection.execute(LEASE, {**tab, "until": at + timedelta(seconds=seconds), "ids": ids, "of_seat": seat})
    return _hand_outs(connection, project_id, [sentence_id for sentence_id, _ in seats])


def held(connection: Connection, project_id: int, client: str, annotator_id: int) -> list[HandOut]:
    """What a tab holds now, in order of rank."""
    tab = {"in_project": project_id, "holder": annotator_id, "tab": client, **_times(now(connection))}
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
    at = now(connection)
    renewed = connection.execute(RENEW, {**tab, **_times(at), "until": at + timedelta(seconds=seconds)})
    return sorted(renewed.scalars())


def release(connection: Connection, annotator_id: int, client: str | None, project_id: int | None = None) -> None:
    """Give back everything a tab holds, or all tabs of this person, in a project or anywhere."""
    tab = {} if client is None else {"tab": client}
    given_back = GIVE_BACK.where(IS_THEIRS if client is None else IS_OWN)
    if project_id is not None:
        given_back = given_back.where(Queue.project_id == project_id)
    connection.execute(given_back, {"holder": annotator_id, **tab})


def release_unreadable(connection: Connection, annotator_id: int, reads: Sequence[str]) -> None:
    """Give back what a person holds in languages and scripts they do not read."""
    connection.execute(GIVE_BACK.where(IS_THEIRS, ~CAN_READ), {"holder": annotator_id, "reads": reads})


def unread(connection: Connection, project_id: int) -> dict[str, int]:
    """What no member of the project reads of the unlabelled pool: language or script -> sentences; see Store.unread."""
    waiting = (
        select(Sentences.written_in, func.count())
        .where(*is_unlabelled(project_id), Sentences.written_in.is_not(None))
        .group_by(Sentences.written_in)
        .order_by(func.count().desc(), Sentences.written_in)
    )
    members = connection.execute(READERS, {"in_project": project_id}).scalars().all()
    if not members or not all(members):
        return {}
    counts = connection.execute(waiting).all()
    return {name: count for name, count in counts if name is not None and not any(name in reads for reads in members)}


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
        seats=row.seats,
    )


def _times(at: datetime) -> dict[str, datetime]:
    """What tells a lease that holds from one that has run out, or is from before the clock was set back."""
    return {"at": at, "latest": at + LONGEST_LEASE}


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
        line = {"in_project": project_id, "in_split": split, **_times(at)}
        connection.execute(FREE_SEATS, line).all()
        dropped = connection.execute(DROP_FREE, line).all()
        # Whoever holds one whose lease ran out may still send it: how it was chosen is said of it then.
        may_come = {row.sentence_id for row in dropped if row.annotator_id is not None}
        for chunk in chunks(sorted({row.sentence_id for row in dropped} - may_come)):
            connection.execute(delete(Selections).where(Selections.sentence_id.in_(chunk)))


def _room(connection: Connection, line: dict[str, Any], reader: dict[str, Any], client: str, n: int) -> int:
    """How many more sentences a tab may take, so that enough are left for others when few are open."""
    tabs = {(holder, tab): count for holder, tab, count in connection.execute(TABS, line)}
    own = tabs.pop((reader["holder"], client), 0)
    n_tabs = len(tabs) + 1
    most_needed = 2 * n_tabs * (n + own)
    count = COUNT_SOME_READABLE if "reads" in reader else COUNT_SOME
    n_open = own + connection.execute(count, {**reader, "n": most_needed}).scalar_one()
    return max(SMALLEST_SHARE, n_open // (2 * n_tabs)) - own
