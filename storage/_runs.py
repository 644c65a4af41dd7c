"""Runs: one row for each training, its heartbeat and its end."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, exists, insert, select, update
from sqlalchemy.orm import aliased

from maner_core.errors import LeaseLost, NotFound, Refused
from storage import _projects, _workers
from storage._checks import known_ids
from storage._suggestions import project_of_run
from storage.database import chunks, now, upsert
from storage.final_tables import FinalRuns
from storage.records import PINNED, PINNED_EVENT, SERVED_EVENT, UNPINNED_EVENT, Run, RunState, Split
from storage.tables import Runs, RunTrainingSentences, Sentences, ServingRuns

IS_FINAL = exists().where(FinalRuns.run_id == Runs.id)
RUNS = select(Runs.__table__, IS_FINAL.label("final"))


def start(
    connection: Connection,
    project_id: int,
    round: int,
    config: Mapping[str, Any],
    seed: int,
    watermark: int,
    n_train: int,
    attempt: int,
    decision_watermark: int,
) -> Run:
    """A new run, running; NotFound if there is no such project."""
    _projects.project(connection, project_id)
    at = now(connection)
    row = {
        "project_id": project_id,
        "round": round,
        "state": RunState.RUNNING.value,
        "phase": "starting",
        "progress": 0.0,
        "message": "",
        "attempt": attempt,
        "config": dict(config),
        "seed": seed,
        "watermark": watermark,
        "decision_watermark": decision_watermark,
        "n_train": n_train,
        "metrics": {},
        "served": False,
        "started_at": at,
        "heartbeat_at": at,
    }
    run_id = connection.execute(insert(Runs).values(**row).returning(Runs.id)).scalar_one()
    return run(connection, run_id)


def heartbeat(
    connection: Connection, run_id: int, phase: str, progress: float, seconds_left: float | None, message: str
) -> None:
    """Note that the run is alive and how far it is; LeaseLost when it was ended meanwhile."""
    _change_running(
        connection,
        run_id,
        phase=phase,
        progress=min(max(progress, 0.0), 1.0),
        seconds_left=seconds_left,
        message=message,
        heartbeat_at=now(connection),
    )


def finish(
    connection: Connection, run_id: int, metrics: Mapping[str, Any], checkpoint: str | None, served: bool, message: str
) -> None:
    """The run is done; with `served` its suggestions are shown from now on. LeaseLost when it was ended meanwhile.

    Where somebody has pinned another run since the gate was asked, that one goes on serving.
    """
    at, project_id = now(connection), project_of_run(connection, run_id)
    _projects.lock(connection, project_id)
    if served and (pinned := _pinned(connection, project_id)) is not None:
        served, message = False, PINNED.format(run=pinned)
    _change_running(
        connection,
        run_id,
        state=RunState.DONE.value,
        progress=1.0,
        seconds_left=None,
        metrics=dict(metrics),
        checkpoint=checkpoint,
        served=served,
        message=message,
        heartbeat_at=at,
        finished_at=at,
    )
    if served:
        serving = {"project_id": project_id, "run_id": run_id, "pinned": False}
        upsert(connection, ServingRuns, [serving], ["project_id"], ["run_id"])


def serve(connection: Connection, run_id: int, pinned: bool, by: int | None) -> None:
    """A person's choice: this run serves from now on and, if pinned, no training replaces it. Refused unless it is done."""
    chosen = run(connection, run_id)
    if chosen.state is not RunState.DONE:
        raise Refused(f"run {run_id} is {chosen.state} and cannot serve; choose one that is done")
    _projects.lock(connection, chosen.project_id)
    before = _projects.project(connection, chosen.project_id)
    if chosen.final and not pinned and before.serving_run != run_id:
        raise Refused(
            f"run {run_id} learned from the evaluation sentences too and serves only where it is pinned; pin it"
        )
    if (before.serving_run, before.pinned) == (run_id, pinned):
        return
    serving = {"project_id": chosen.project_id, "run_id": run_id, "pinned": pinned}
    upsert(connection, ServingRuns, [serving], ["project_id"], ["run_id", "pinned"])
    unpinned = before.serving_run == run_id
    kind = PINNED_EVENT if pinned else UNPINNED_EVENT if unpinned else SERVED_EVENT
    _workers.record(connection, chosen.project_id, by, kind, {"run": run_id, "before": before.serving_run})


def fail(connection: Connection, run_id: int, failure: str) -> None:
    """The run ended without a result. A run that failed before stays as it is; Refused for one that is done."""
    state = run(connection, run_id).state
    if state is RunState.DONE:
        raise Refused(f"run {run_id} is done and cannot fail any more")
    if state is RunState.FAILED:
        return
    _change_running(
        connection,
        run_id,
        state=RunState.FAILED.value,
        failure=failure,
        seconds_left=None,
        finished_at=now(connection),
    )


def run(connection: Connection, run_id: int) -> Run:
    """The run; NotFound if there is none."""
    row = connection.execute(RUNS.where(Runs.id == run_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run_id}")
    return _record(row)


def runs(connection: Connection, project_id: int, final: bool = False) -> list[Run]:
    """The project's runs, oldest first: the final ones, or all others."""
    kind = IS_FINAL if final else ~IS_FINAL
    rows = connection.execute(RUNS.where(Runs.project_id == project_id, kind).order_by(Runs.id))
    return [_record(row) for row in rows]


def running(connection: Connection, project_id: int) -> list[Run]:
    """Runs of either kind that are running, oldest first."""
    alive = RUNS.where(Runs.project_id == project_id, Runs.state == RunState.RUNNING.value)
    return [_record(row) for row in connection.execute(alive.order_by(Runs.id))]


def last_run(connection: Connection, project_id: int) -> Run | None:
    """The project's newest run that is not a final one, None before the first."""
    newest = RUNS.where(Runs.project_id == project_id, ~IS_FINAL).order_by(Runs.id.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return None if row is None else _record(row)


def add_training_sentences(connection: Connection, run_id: int, sentence_ids: Sequence[int]) -> None:
    """Note what the run is trained on; Refused for evaluation sentences and for their duplicates in the pool."""
    project_id = project_of_run(connection, run_id)
    for chunk in chunks(known_ids(sentence_ids)):
        twins = connection.execute(_twins_of_reserve(chunk)).scalars().all()
        if twins:
            raise Refused(
                f"sentences {', '.join(map(str, twins[:10]))} say the same as evaluation sentences "
                "and cannot be trained on; leave them out"
            )
    rows = [
        {"run_id": run_id, "sentence_id": number, "project_id": project_id, "split": Split.POOL.value}
        for number in sentence_ids
    ]
    upsert(connection, RunTrainingSentences, rows, ["run_id", "sentence_id"], [])


def training_sentences(connection: Connection, run_id: int) -> set[int]:
    """The sentences that the run is trained on."""
    ids = select(RunTrainingSentences.sentence_id).where(RunTrainingSentences.run_id == run_id)
    return set(connection.execute(ids).scalars())


def _twins_of_reserve(ids: Sequence[int]) -> Select[int]:
    root = aliased(Sentences)
    has_twin = exists().where(root.id == Sentences.duplicate_of, root.split == Split.RESERVE.value)
    return select(Sentences.id).where(Sentences.id.in_(ids), has_twin)


def _pinned(connection: Connection, project_id: int) -> int | None:
    where = (ServingRuns.project_id == project_id, ServingRuns.pinned)
    return connection.execute(select(ServingRuns.run_id).where(*where)).scalar()


def _change_running(connection: Connection, run_id: int, **values: Any) -> None:
    changed = connection.execute(
        update(Runs).where(Runs.id == run_id, Runs.state == RunState.RUNNING.value).values(**values)
    ).rowcount
    if not changed:
        state = run(connection, run_id).state
        raise LeaseLost(f"run {run_id} is not running but {state}; somebody else ended it")


def _record(row: Any) -> Run:
    values = dict(row._mapping)
    values["state"] = RunState(values["state"])
    return Run(**values)
