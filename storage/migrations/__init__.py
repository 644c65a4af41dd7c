"""Alembic, driven from the program: no alembic.ini, one function.

To change the tables: change tables.py, write versions/rNNNN_what.py after the newest one, run tests/test_store_schema.py:
it compares the migrated database with the tables on both databases, and upgrades a database of the first release.
"""

import os
import sqlite3
import threading
from contextlib import closing
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from maner_core.errors import DatabaseTooNew, DatabaseUnavailable

LOCK_NUMBER = 0x6D616E6572  # "maner": the advisory lock under which one process migrates a PostgreSQL database


def migrate(connection: Connection) -> None:
    """Bring the database to the newest revision, within the connection's transaction; DatabaseTooNew.

    Of a SQLite database of an earlier release a copy stays beside it, named after its revision: `maner.db.r0001`.
    DatabaseUnavailable where there is no room for that: then nothing was changed.
    """
    revision = revision_of(connection)
    if revision in known_revisions()[1:]:
        keep_copy(connection, str(revision))
    upgrade(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database to a revision, the newest by default, within the connection's transaction; DatabaseTooNew."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK_NUMBER)))
    at = revision_of(connection)
    if at is not None and at not in known_revisions():
        raise DatabaseTooNew(
            f"the database has revision {at}, which this release does not know; install a newer release"
        )
    config = _config()
    config.attributes["connection"] = connection
    with _alembic_lock():
        command.upgrade(config, revision)


def revision_of(connection: Connection) -> str | None:
    """The revision the database has; None before its first migration."""
    return MigrationContext.configure(connection).get_current_revision()


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions of this release, newest first."""
    return tuple(revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions())


def keep_copy(connection: Connection, suffix: str) -> Path | None:
    """Copy what is committed in a SQLite database to a file beside it, whole or not at all; None on PostgreSQL.

    People may go on working meanwhile, and within a transaction that writes nobody can. DatabaseUnavailable.
    """
    if connection.dialect.name != "sqlite":
        return None
    path = Path(str(connection.engine.url.database))
    copy, draft = path.with_name(f"{path.name}.{suffix}"), path.with_name(f".{path.name}.{suffix}")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without one for its journal
            [(verdict,)] = target.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        os.replace(draft, copy)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise DatabaseUnavailable(
            f"the database cannot be copied to {copy} first ({error}); make room there and try again"
        ) from error
    return copy


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@cache
def _alembic_lock() -> threading.Lock:
    """Alembic keeps its current migration in a module, so one thread at a time."""
    return threading.Lock()
