"""The part of the Store that answers how well tool and people work."""

from storage import _work
from storage.database import Database
from storage.evaluation_records import SuggestedWork


class EvaluationStore:
    """What a Store is asked about work and its measure."""

    _database: Database

    def suggested_work(self, project_id: int) -> list[SuggestedWork]:
        """First labellings of pool sentences, oldest first, with what was or could have been suggested."""
        return self._database.read(_work.suggested_work, project_id)
