"""The part of a Store that gives all its rows away and takes them back."""

from collections.abc import Callable, Iterable, Iterator

from storage import _backup
from storage._backup import Row
from storage.database import Database


class BackupStore:
    """What a Store does with everything at once."""

    _database: Database

    def dump(self, take: Callable[[str, Iterator[Row]], None]) -> str:
        """Give every table's name and rows to `take`, as they are at one moment; the revision of the tables.

        People may go on working meanwhile. Who is signed in and which workers live is left out. InvalidInput for a database
        without tables.
        """
        return self._database.read(_backup.dump, take)

    def load(
        self, revision: str, names: Iterable[str], rows_of: Callable[[str], Iterable[Row]], replace: bool = False
    ) -> None:
        """Fill the database with the rows of a dump of this or an earlier revision and bring it up to date: all or nothing.

        `rows_of` gives the rows of each of the tables `names`, and may be asked again. Refused where there are projects or
        accounts already, unless they may be replaced; DatabaseTooNew for a revision of a newer release.
        """
        self._database.write(_backup.load, revision, names, rows_of, replace)
