"""The part of the Store that keeps what a tagger of another language said of the pool."""

from collections.abc import Sequence

from storage import _starting
from storage.database import Database
from storage.starting_records import StartingRead, StartingScore


class StartingStore:
    """What a Store keeps of a starting tagger."""

    _database: Database

    def save_starting_read(
        self,
        project_id: int,
        tagger: str,
        seed: int,
        n_pool: int,
        scores: Sequence[StartingScore] = (),
        failure: str | None = None,
    ) -> None:
        """Keep what a starting tagger said, or why it could not, in place of what was kept of the last one.

        Refused for evaluation sentences; NotFound.
        """
        self._database.write(_starting.save, project_id, tagger, seed, n_pool, scores, failure)

    def starting_read(self, project_id: int) -> StartingRead | None:
        """The newest try to read the pool by a starting tagger, None where there was none."""
        return self._database.read(_starting.newest, project_id)

    def starting_scores(self, project_id: int) -> list[StartingScore]:
        """What the starting tagger said, the highest score first; equal ones in import order."""
        return self._database.read(_starting.scores, project_id)

    def on_screens(self, project_id: int) -> set[int]:
        """Ids of unlabelled sentences of the pool that a tab holds now."""
        return self._database.read(_starting.on_screens, project_id)
