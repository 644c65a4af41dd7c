"""The part of a Store that knows the lead's list of names."""

from collections.abc import Sequence
from datetime import datetime

from storage import _names
from storage.database import Database
from storage.records import ListedName


class NameStore:
    """What a Store remembers of names."""

    _database: Database

    def replace_names(
        self, project_id: int, names: Sequence[ListedName], source: str = "", by: int | None = None
    ) -> None:
        """Make these the project's list of names, in place of the one before; none removes it. NotFound.

        Of the same name the last counts. InvalidInput names the first that is no name or has a label the project lacks.
        """
        self._database.write(_names.replace, project_id, names, source, by)

    def listed_names(self, project_id: int) -> list[ListedName]:
        """The project's list of names, in order of the names."""
        return self._database.read(_names.names, project_id)

    def names_stamp(self, project_id: int) -> tuple[int, datetime | None, int, int]:
        """What is another thing whenever what names are known may be another.

        The size of the list, when it was put in place, and the numbers of the newest annotation and decision.
        """
        return self._database.read(_names.stamp, project_id)
