"""Alembic, driven from the program: no alembic.ini, one function.

To change the tables: change tables.py, write versions/rNNNN_what.py after the newest one, run tests/test_store_schema.py:
it compares the migrated database with the tables on both databases.
"""

import threading
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from maner_core.errors import DatabaseTooNew

LOCK_NUMBER = 0x6D616E6572  # "maner": the advisory lock under which one process migrates a PostgreSQL database


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest revision, within the connection's transaction; DatabaseTooNew."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK_NUMBER)))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise DatabaseTooNew(
            f"the database has revision {', '.join(unknown)}, which this release does not know; install a newer release"
        )
    with _alembic_lock():
        command.upgrade(config, "head")


@cache
def _alembic_lock() -> threading.Lock:
    """Alembic keeps its current migration in a module, so one thread at a time."""
    return threading.Lock()
