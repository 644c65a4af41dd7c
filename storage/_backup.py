"""All rows of a database out, and into another one: the same way on SQLite and PostgreSQL, and from one to the other.

Tables are read as they are in the database, not as tables.py has them now, so that rows of an earlier release go into
tables of that release, which are then brought up to date like any others.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    func,
    inspect,
    select,
    text,
)

from maner_core.errors import DatabaseTooNew, InvalidInput, Refused
from storage._checks import LARGEST_ID, unstorable
from storage.columns import Base
from storage.migrations import keep_copy, known_revisions, revision_of, upgrade

Row = dict[str, Any]
"""A row by the names of its columns, of JSON values only; times as ISO 8601 in UTC."""

LEFT_OUT = frozenset({"sessions", "sign_in_tries", "workers", "worker_leases"})
"""What is only true while it lasts: whoever was signed out after the backup must not be signed in by restoring it."""

ROWS_AT_ONCE = 1_000

KINDS: dict[type[Any], Any] = {
    Boolean: bool,
    Integer: int,
    Float: (int, float),
    DateTime: str,
    String: str,
}
"""What a value is in a line of JSON, by the type of its column; columns of JSON may hold anything."""


def dump(connection: Connection, take: Callable[[str, Iterator[Row]], None]) -> str:
    """Give the rows of every table to `take`, and return the revision of the tables; InvalidInput without tables."""
    revision = revision_of(connection)
    if revision is None:
        raise InvalidInput("the database is empty: there is nothing to back up; look at MANER_DATABASE_URL")
    _refuse_unknown(revision)
    for table in _tables(connection, set(Base.metadata.tables) - LEFT_OUT):
        take(table.name, _rows(connection, table))
    return revision


def load(
    connection: Connection, revision: str, names: Iterable[str], rows_of: Callable[[str], Iterable[Row]], replace: bool
) -> None:
    """Make the tables of a revision, fill those of these `names`, and bring them up to date.

    Raises Refused where there are projects or accounts already, unless they may be replaced (then a copy of a SQLite file
    stays beside it); DatabaseTooNew.
    """
    _refuse_unknown(revision, "the backup")
    _make_room(connection, replace)
    upgrade(connection, revision)
    tables = _tables(connection, set(names))
    if unknown := set(names) - {table.name for table in tables}:
        raise InvalidInput(f"the backup has rows of {', '.join(sorted(unknown))}, which revision {revision} lacks")
    _check_references_later(connection, tables)
    for table in tables:
        _fill(connection, table, rows_of(table.name))
    _check_references_now(connection, tables)
    upgrade(connection)


def _refuse_unknown(revision: str | None, what: str = "the database") -> None:
    if revision not in known_revisions():
        raise DatabaseTooNew(
            f"{what} has revision {revision}, which this release does not know; install a newer release"
        )


def _tables(connection: Connection, names: set[str]) -> list[Table]:
    """Those tables of these names that there are, each after the ones it refers to."""
    metadata = MetaData()
    there = names.intersection(inspect(connection).get_table_names())
    metadata.reflect(connection, only=sorted(there), resolve_fks=False)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True  # as tables.py: nothing is NULL, never the word null
    return metadata.sorted_tables


def _rows(connection: Connection, table: Table) -> Iterator[Row]:
    statement = select(table).order_by(*table.primary_key).execution_options(yield_per=ROWS_AT_ONCE)
    for row in connection.execute(statement).mappings():
        yield {name: _utc(value).isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _make_room(connection: Connection, replace: bool) -> None:
    """Drop our tables and no others: on PostgreSQL there may be others beside them."""
    tables = _tables(connection, {*Base.metadata.tables, "alembic_version"})
    precious = [table for table in tables if table.name in ("projects", "accounts")]
    held = [table.name for table in precious if connection.scalar(select(func.count()).select_from(table))]
    if held and not replace:
        raise Refused(f"the database has {held[0]} already; restore into an empty one, or say --replace")
    if held:
        _refuse_unknown(revision_of(connection))
        # By the time: a second restore must not cost the copy that the first one made.
        keep_copy(connection, f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    _check_references_later(connection, [])
    for table in reversed(tables):
        table.drop(connection)


def _fill(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    iterator = iter(rows)
    while chunk := [_checked(table, row) for row in islice(iterator, ROWS_AT_ONCE)]:
        connection.execute(table.insert(), chunk)
    _count_on(connection, table)


def _checked(table: Table, row: Row) -> Row:
    """The row as the table takes it. SQLite would hold a word where a number belongs, so it is looked at here."""
    if row.keys() != {column.name for column in table.columns}:
        raise InvalidInput(f"a row of {table.name} in the backup has other columns than the table: it is damaged")
    checked = {}
    for column in table.columns:
        value = checked[column.name] = row[column.name]
        kinds = next((kinds for type_, kinds in KINDS.items() if isinstance(column.type, type_)), None)
        if value is None or kinds is None:
            continue
        try:
            if not isinstance(value, kinds) or (isinstance(value, int) and abs(value) > LARGEST_ID):
                raise ValueError("another kind of value")
            if isinstance(value, str) and unstorable(value):
                raise ValueError("no text that a database holds")
            if isinstance(column.type, DateTime):
                checked[column.name] = _utc(datetime.fromisoformat(value))
        except ValueError:
            raise InvalidInput(
                f"a row of {table.name} in the backup has {column.name} {value!r:.100}, which cannot be: it is damaged"
            ) from None
    return checked


def _count_on(connection: Connection, table: Table) -> None:
    """On PostgreSQL new rows get their numbers from a sequence, which has not seen these."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key:
        if isinstance(column.type, Integer):
            sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
            if sequence is not None and (last := connection.scalar(select(func.max(column)))) is not None:
                connection.execute(select(func.setval(sequence, last)))


def _check_references_later(connection: Connection, tables: Iterable[Table]) -> None:
    """A sentence may repeat one that came after it. SQLite checks at the end of the transaction if asked to."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA defer_foreign_keys=ON"))
    else:
        _alter_references(connection, tables, "DEFERRABLE INITIALLY DEFERRED")


def _check_references_now(connection: Connection, tables: Iterable[Table]) -> None:
    if connection.dialect.name == "sqlite":
        if broken := connection.execute(text("PRAGMA foreign_key_check")).first():
            raise InvalidInput(f"a row of {broken[0]} in the backup refers to one of {broken[2]} that is not there")
    else:
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        _alter_references(connection, tables, "NOT DEFERRABLE")


def _alter_references(connection: Connection, tables: Iterable[Table], how: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    for table in tables:
        for reference in table.foreign_key_constraints:
            name = quote(str(reference.name))
            connection.execute(text(f"ALTER TABLE {quote(table.name)} ALTER CONSTRAINT {name} {how}"))
