"""The database of the first release (tests/data/first_release.sql), and every row of a database to compare."""

import sqlite3
from pathlib import Path
from typing import Any

from storage import Store

DUMP = Path(__file__).parent / "data" / "first_release.sql"
Rows = dict[str, list[dict[str, Any]]]


def open_first_release(path: Path) -> Store:
    """A store on a new SQLite file as the first release left it; it is not migrated yet."""
    connection = sqlite3.connect(path)
    connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    return Store(f"sqlite:///{path}")


def all_rows(store: Store) -> Rows:
    """The rows of every table that a backup holds."""
    rows: Rows = {}
    store.dump(lambda table, of_table: rows.update({table: list(of_table)}))
    return rows


def lost(before: Rows, after: Rows) -> Rows:
    """The rows of `before` that are not in `after`, whatever columns came to them there."""
    missing: Rows = {}
    for table, rows in before.items():
        names = rows[0].keys() if rows else ()
        there = [{name: row[name] for name in names} for row in after[table]]
        if gone := [row for row in rows if row not in there]:
            missing[table] = gone
    return missing
