"""The lead's list of names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from maner_core.errors import InvalidInput
from storage import _decisions, _projects, _reports, _workers
from storage._checks import refuse_unstorable
from storage.database import insert_rows, now
from storage.records import ListedName
from storage.tables import ListedNames

LONGEST_NAME = 300  # characters


def replace(connection: Connection, project_id: int, names: Sequence[ListedName], source: str, by: int | None) -> None:
    """Make these the project's list; see Store.replace_names."""
    _projects.lock(connection, project_id)
    labels = _projects.label_names(connection, project_id)
    rows: dict[str, dict[str, Any]] = {}
    at = now(connection)
    for it in names:
        refuse_unstorable(it.name, f"the name {it.name!r}")
        if not 0 < len(it.name) <= LONGEST_NAME:
            raise InvalidInput(f"a name has {len(it.name)} characters; write 1 to {LONGEST_NAME}")
        if it.label not in labels:
            raise InvalidInput(
                f"the name {it.name!r} has the label {it.label!r}; the project has {', '.join(sorted(labels)) or 'none'}"
            )
        rows[it.name] = {"project_id": project_id, "name": it.name, "label": it.label, "added_at": at}
    connection.execute(delete(ListedNames).where(ListedNames.project_id == project_id))
    insert_rows(connection, ListedNames, list(rows.values()))
    _workers.record(connection, project_id, by, "names_listed", {"names": len(rows), "source": source})


def names(connection: Connection, project_id: int) -> list[ListedName]:
    """The project's list, by name."""
    columns = select(ListedNames.name, ListedNames.label).where(ListedNames.project_id == project_id)
    return sorted((ListedName(name, label) for name, label in connection.execute(columns)), key=lambda it: it.name)


def stamp(connection: Connection, project_id: int) -> tuple[int, datetime | None, int, int]:
    """What changes with the list and with what people say: names, when they came, newest annotation, newest decision."""
    columns = select(func.count(), func.max(ListedNames.added_at)).where(ListedNames.project_id == project_id)
    count, at = connection.execute(columns).one()
    return count, at, _reports.max_seq(connection, project_id), _decisions.max_decision(connection, project_id)
