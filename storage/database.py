"""One database: its engine, its transactions, and what its errors mean to people.

SQLite and PostgreSQL differ here and nowhere else (but for upserts and row locks, which are written once below).
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    create_engine,
    event,
    exc,
    func,
    insert,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from maner_core.errors import DatabaseFull, DatabaseUnavailable, InvalidConfig, InvalidInput, Refused
from storage.columns import Base
from storage.turns import Turns

BUSY_SECONDS: float = 30
ATTEMPTS_AT_DEADLOCK = 5
WRITE = "maner_write"
LIGHT = "maner_light"
DEADLOCK_STATES = {"40001", "40P01"}  # serialization failure, deadlock: PostgreSQL asks to repeat the transaction
MANY_ROWS = 500  # new rows that change what a database should know of a table
MOST_PARAMETERS = 5_000  # of one statement: either database takes more
DISK_FULL = "53100"  # PostgreSQL; SQLite has a result code of its own
UNDEFINED_TABLE = "42P01"  # PostgreSQL; SQLite says "no such table" as an operational error
TO_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
LONGEST_LEASE = timedelta(hours=1)
"""Nobody asks for more: a lease that would last longer was written before the clock was set back."""
SERVER_TIME = select(func.clock_timestamp())

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """Runs functions of a connection in one transaction each; connections never leave."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._turns = _turns(Path(str(self._engine.url.database)).resolve()) if _is_sqlite(self._engine) else None

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work(connection, ...)` returns, reading one unchanging state of the database."""
        with _translated_errors(), self._engine.connect() as connection:
            if not _is_sqlite(self._engine):
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                return work(connection, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work(connection, ...)` returns, its changes on the disk, or none of them when it raises.

        `work` may be called again after a deadlock on PostgreSQL, so it must not use up its arguments.
        """
        return self._write({WRITE: True}, work, *args, **kwargs)

    def write_light(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write`, but a power cut may undo it, as long as no other write has followed; the end of a program cannot.

        For leases and signs of life, of which there are many: they do not wait for the disk.
        """
        return self._write({WRITE: True, LIGHT: True}, work, *args, **kwargs)

    def _write(
        self,
        options: dict[str, Any],
        work: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        attempts_left = ATTEMPTS_AT_DEADLOCK
        with _translated_errors():
            while True:
                try:
                    with self._one_writer(), self._engine.connect() as connection:
                        connection = connection.execution_options(**options)
                        with connection.begin():
                            return work(connection, *args, **kwargs)
                except exc.OperationalError as error:
                    attempts_left -= 1
                    if not attempts_left or getattr(error.orig, "sqlstate", None) not in DEADLOCK_STATES:
                        raise

    def _one_writer(self) -> AbstractContextManager[None]:
        """SQLite takes one writer at a time, and does not care who came first; we do."""
        return nullcontext() if self._turns is None else self._turns.turn(BUSY_SECONDS)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def now(connection: Connection) -> datetime:
    """The time by the database's clock: workers on other machines may have theirs wrong."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    at: datetime = connection.execute(SERVER_TIME).scalar_one()
    return at.astimezone(UTC)


def insert_rows(connection: Connection, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that are all new."""
    if rows:
        connection.execute(_many(connection, _insert(connection, table)), rows)


def insert_numbered(
    connection: Connection, table: type[Base], rows: Sequence[dict[str, Any]], number: str, key: str
) -> list[int]:
    """Insert rows that are all new; what the database puts into their column `number`, rising in the order of the rows.

    `key` names a column that tells most rows apart: a statement ends where a value comes again. For want of such a column
    SQLAlchemy has SQLite insert row by row, which takes more than twice as long.
    """
    # PostgreSQL is free to number rows in another order; SQLite goes by theirs.
    statement = _numbering_insert(table, number, key, in_order=connection.dialect.name == "postgresql")
    numbers: list[int] = []
    for part in _without_repetition(rows, key):
        found = {value: new for new, value in connection.execute(statement, part)}
        numbers += [found[row[key]] for row in part]
    return numbers


@cache
def _numbering_insert(table: type[Base], number: str, key: str, in_order: bool) -> Executable:
    """Built once: building a statement takes several times as long as running it."""
    return insert(table).returning(getattr(table, number), getattr(table, key), sort_by_parameter_order=in_order)


def _without_repetition(rows: Sequence[dict[str, Any]], key: str) -> Iterator[list[dict[str, Any]]]:
    """The rows in pieces in which no value of `key` comes twice: `a b b c -> a b, b c`."""
    part: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row[key] in part:
            yield list(part.values())
            part = {}
        part[row[key]] = row
    if part:
        yield list(part.values())


def upsert(
    connection: Connection, table: type[Base], rows: Iterable[dict[str, Any]], key: Sequence[str], update: Sequence[str]
) -> None:
    """Insert rows; of a row whose `key` exists already, change the columns `update` (none: leave it as it is)."""
    last_of_each = list({tuple(row[column] for column in key): row for row in rows}.values())
    if not last_of_each:
        return
    statement = _insert(connection, table)
    if update:
        changes = {column: statement.excluded[column] for column in update}
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(_many(connection, statement), last_of_each)


def _insert(connection: Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def _many(connection: Connection, statement: postgresql.Insert | sqlite.Insert) -> Executable:
    """On PostgreSQL, rows travel together only with a statement that returns something, else one by one."""
    return statement.returning(literal_column("1")) if connection.dialect.name == "postgresql" else statement


def refresh_statistics(connection: Connection, table: type[Base]) -> None:
    """Let PostgreSQL look at a table that has just grown.

    It would do so by itself a minute later; until then every foreign-key check may walk all rows of a project.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {table.__tablename__}"))


def chunks(items: Sequence[T], size: int = MOST_PARAMETERS) -> Iterator[Sequence[T]]:
    """The items in pieces of at most `size`: `[1, 2, 3], 2 -> [1, 2], [3]`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise InvalidConfig(
            f"{url!r} is not a database URL; write for example sqlite:///data/maner.db or postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or "mode=memory" in url:
            raise InvalidConfig("SQLite needs a file, for example sqlite:///data/maner.db; memory keeps nothing")
        folder = Path(parsed.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidConfig(
                f"the folder {folder} for the database cannot be made ({error}); choose another MANER_HOME"
            ) from error
        arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}}
    elif backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        arguments = {"connect_args": {"connect_timeout": 10}, "pool_pre_ping": True}
    else:
        raise InvalidConfig(f"the database {backend!r} is not supported; use sqlite or postgresql")
    engine = create_engine(
        parsed, pool_size=10, max_overflow=30, pool_timeout=BUSY_SECONDS, json_serializer=TO_JSON, **arguments
    )
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Leave transactions to us, then choose durability and waiting over speed and errors."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
    connection.execute("PRAGMA foreign_keys=ON")
    _switch_to_wal(connection)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Changing the journal mode does not wait for other processes that do the same, so we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the write lock at once: a reader that turns writer later could not wait for it."""
    options = connection.get_execution_options()
    if WRITE not in options:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if LIGHT in options else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    if LIGHT in connection.get_execution_options():
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


@cache
def _turns(path: Path) -> Turns:
    """One for each file in this process, however many stores are open on it."""
    return Turns(path)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise Refused(f"the database refuses this change: {_first_line(error)}") from error
    except exc.DataError as error:
        raise InvalidInput(f"the database cannot hold a value: {_first_line(error)}") from error
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        raise DatabaseUnavailable(f"the database is not migrated yet: {_first_line(error)}") from error
    except exc.OperationalError as error:
        if _is_full(error.orig):
            raise DatabaseFull(
                "the disk of the database is full, so nothing was saved; make room and try again"
            ) from error
        raise DatabaseUnavailable(f"the database does not answer: {_first_line(error)}; try again") from error
    except (exc.InterfaceError, exc.TimeoutError) as error:
        raise DatabaseUnavailable(f"the database does not answer: {_first_line(error)}; try again") from error
    except exc.DatabaseError as error:
        if getattr(error.orig, "sqlite_errorcode", None) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        raise DatabaseUnavailable(
            f"the file of the database is none, or is damaged: {_first_line(error)}; restore a backup, or name another file"
        ) from error


def _is_full(error: object) -> bool:
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return full or getattr(error, "sqlstate", None) == DISK_FULL


def _first_line(error: exc.SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
