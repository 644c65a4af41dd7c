"""Final trainings: asked for once, trained on the reserve too, and kept apart from all other runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from maner_core.errors import NotFound, Refused
from storage import _projects, _runs, _workers
from storage.database import now, upsert
from storage.evaluation_records import FinalRequest
from storage.final_tables import FinalRequests, FinalRuns, FinalTrainingSentences
from storage.records import Run, Split


def ask(connection: Connection, project_id: int, by: int) -> None:
    """Note that a person wants a final training; Refused while one is wanted already."""
    _projects.lock(connection, project_id)
    if request(connection, project_id) is not None:
        raise Refused("a final training has been asked for already; wait until it has ended")
    row = {"project_id": project_id, "requested_by": by, "requested_at": now(connection)}
    connection.execute(insert(FinalRequests).values(**row))
    _workers.record(connection, project_id, by, "final_training_requested", {})


def request(connection: Connection, project_id: int) -> FinalRequest | None:
    """The final training that is wanted and has not ended yet, None where there is none."""
    row = connection.execute(
        select(FinalRequests.requested_by, FinalRequests.requested_at).where(FinalRequests.project_id == project_id)
    ).one_or_none()
    return None if row is None else FinalRequest(row.requested_by, row.requested_at)


def end_request(connection: Connection, project_id: int) -> None:
    """What was wanted has been done or given up."""
    connection.execute(delete(FinalRequests).where(FinalRequests.project_id == project_id))


def start(
    connection: Connection,
    project_id: int,
    config: Mapping[str, Any],
    seed: int,
    watermark: int,
    decision_watermark: int,
    attempt: int,
    pool_ids: Sequence[int],
    reserve_ids: Sequence[int],
) -> Run:
    """A new final run, running, of the training that is wanted, with all that it is trained on; see Store.start_final_run."""
    wanted = request(connection, project_id)
    if wanted is None:
        raise NotFound("nobody asks for a final training any more")
    n_train = len(pool_ids) + len(reserve_ids)
    run = _runs.start(connection, project_id, 0, config, seed, watermark, n_train, attempt, decision_watermark)
    row = {"run_id": run.id, "project_id": project_id, "requested_by": wanted.requested_by}
    connection.execute(insert(FinalRuns).values(**row))
    _runs.add_training_sentences(connection, run.id, pool_ids)
    of_reserve = {"run_id": run.id, "project_id": project_id, "split": Split.RESERVE.value}
    rows = [{**of_reserve, "sentence_id": sentence_id} for sentence_id in reserve_ids]
    upsert(connection, FinalTrainingSentences, rows, ["run_id", "sentence_id"], [])
    return _runs.run(connection, run.id)


def finish(connection: Connection, run_id: int, metrics: Mapping[str, Any], checkpoint: str, message: str) -> None:
    """The run is done, and what was wanted with it. It does not serve. LeaseLost when it was ended meanwhile."""
    _runs.finish(connection, run_id, metrics, checkpoint, False, message)
    end_request(connection, _runs.run(connection, run_id).project_id)


def evaluation_sentences(connection: Connection, run_id: int) -> list[int]:
    """Ids of the evaluation sentences that a final run was trained on, in ascending order."""
    rows = select(FinalTrainingSentences.sentence_id).where(FinalTrainingSentences.run_id == run_id)
    return list(connection.execute(rows.order_by(FinalTrainingSentences.sentence_id)).scalars())
