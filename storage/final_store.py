"""The part of the Store that keeps final trainings, which learn from evaluation sentences too."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage import _finals, _runs
from storage.database import Database
from storage.evaluation_records import FinalRequest
from storage.records import Run


class FinalStore:
    """What a Store keeps of final trainings. Their runs are no part of `runs`: no curve, gate or trigger sees them."""

    _database: Database

    def request_final_training(self, project_id: int, by: int) -> None:
        """A person wants a training on the evaluation sentences too, and knows that no estimate is left.

        It stands in the audit trail. Refused while one is wanted already; NotFound.
        """
        self._database.write(_finals.ask, project_id, by)

    def final_request(self, project_id: int) -> FinalRequest | None:
        """The final training that is wanted and has not ended yet."""
        return self._database.read(_finals.request, project_id)

    def end_final_request(self, project_id: int) -> None:
        """Give up the final training that is wanted."""
        self._database.write(_finals.end_request, project_id)

    def start_final_run(
        self,
        project_id: int,
        config: Mapping[str, Any],
        seed: int,
        watermark: int,
        decision_watermark: int,
        attempt: int,
        pool_ids: Sequence[int],
        reserve_ids: Sequence[int],
    ) -> Run:
        """A new final run, running, trained on these sentences of the pool and these of the reserve.

        Refused for sentences of another split; NotFound where nobody asks for a final training any more.
        """
        return self._database.write(
            _finals.start, project_id, config, seed, watermark, decision_watermark, attempt, pool_ids, reserve_ids
        )

    def finish_final_run(self, run_id: int, metrics: Mapping[str, Any], checkpoint: str, message: str) -> None:
        """The final run is done, and so is the request; it does not serve. LeaseLost when it was ended meanwhile."""
        self._database.write(_finals.finish, run_id, metrics, checkpoint, message)

    def final_runs(self, project_id: int) -> list[Run]:
        """The project's final runs, oldest first."""
        return self._database.read(_runs.runs, project_id, True)

    def running(self, project_id: int) -> list[Run]:
        """Runs of either kind that are running, oldest first; more than one where workers died."""
        return self._database.read(_runs.running, project_id)

    def final_evaluation_sentences(self, run_id: int) -> list[int]:
        """Ids of the evaluation sentences that a final run was trained on; none for any other run."""
        return self._database.read(_finals.evaluation_sentences, run_id)
