"""Earlier states of a project: found by time, kept under a name. Nothing is copied, all rows they consist of stay."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select

from maner_core.errors import InvalidInput, NotFound, Refused
from storage import _projects, _runs, _workers
from storage._checks import refuse_unstorable
from storage.database import now
from storage.records import Run
from storage.review_records import Moment, Snapshot
from storage.review_tables import FormerDuplicates, GoldDecisions, Snapshots
from storage.tables import Annotations, Annotators, Sentences

KEPT_SETTINGS = ("name", "language", "direction", "suggestion_threshold")
"""What an export depends on beside the labels."""


def moment_at(connection: Connection, project_id: int, at: datetime) -> Moment:
    """The state of the project at a time: the newest rows that were there. Sentences of unnoted time were always there."""
    _projects.project(connection, project_id)
    annotation = select(func.max(Annotations.seq)).where(
        Annotations.project_id == project_id, Annotations.created_at <= at
    )
    decision = select(func.max(GoldDecisions.seq)).where(
        GoldDecisions.project_id == project_id, GoldDecisions.decided_at <= at
    )
    sentence = select(func.max(Sentences.id)).where(
        Sentences.project_id == project_id, or_(Sentences.added_at.is_(None), Sentences.added_at <= at)
    )
    return Moment(*(connection.execute(newest).scalar() or 0 for newest in (annotation, decision, sentence)))


def create(connection: Connection, project_id: int, name: str, by: int, run_id: int | None) -> Snapshot:
    """Keep the state of now, or what a run was trained on, under a name; see Store.create_snapshot."""
    _projects.lock(connection, project_id)
    name = " ".join(name.split())
    if not 0 < len(name) <= 200:
        raise InvalidInput("a snapshot has a name of 1 to 200 characters; choose another one")
    refuse_unstorable(name, "the name of the snapshot")
    if connection.execute(
        select(Snapshots.id).where(Snapshots.project_id == project_id, Snapshots.name == name)
    ).scalar():
        raise Refused(f"there is already a snapshot named {name!r}; choose another name")
    at = now(connection)
    moment = moment_at(connection, project_id, at)
    if run_id is not None:
        run = _runs.run(connection, run_id)
        if run.project_id != project_id:
            raise NotFound(f"this project has no run {run_id}")
        moment = _moment_of(connection, run)
    settings = _projects.project(connection, project_id).settings
    kept: dict[str, Any] = {field: getattr(settings, field) for field in KEPT_SETTINGS}
    row = {
        "project_id": project_id,
        "name": name,
        "made_by": by,
        "made_at": at,
        "annotation_seq": moment.annotation,
        "decision_seq": moment.decision,
        "sentence_id": moment.sentence,
        "run_id": run_id,
        "settings": {**kept, "labels": [label.name for label in settings.labels]},
    }
    connection.execute(insert(Snapshots).values(**row))
    _workers.record(connection, project_id, by, "snapshot_made", {"name": name})
    return snapshot(connection, project_id, name)


def snapshots(connection: Connection, project_id: int) -> list[Snapshot]:
    """The project's snapshots, oldest first."""
    rows = connection.execute(
        select(Snapshots.__table__, Annotators.name.label("maker"))
        .join(Annotators, Annotators.id == Snapshots.made_by)
        .where(Snapshots.project_id == project_id)
        .order_by(Snapshots.id)
    )
    return [
        Snapshot(
            name=row.name,
            made_by=row.maker,
            made_at=row.made_at,
            moment=Moment(row.annotation_seq, row.decision_seq, row.sentence_id),
            settings=row.settings,
            run_id=row.run_id,
        )
        for row in rows
    ]


def of_run(connection: Connection, run_id: int) -> list[Snapshot]:
    """The snapshots of just what the run was trained on, oldest first; NotFound."""
    run = _runs.run(connection, run_id)
    moment = _moment_of(connection, run)
    return [found for found in snapshots(connection, run.project_id) if found.moment == moment]


def _moment_of(connection: Connection, run: Run) -> Moment:
    then = moment_at(connection, run.project_id, run.started_at)
    return Moment(run.watermark, run.decision_watermark, then.sentence)


def snapshot(connection: Connection, project_id: int, name: str) -> Snapshot:
    """The snapshot of that name; NotFound, with the names there are."""
    known = {found.name: found for found in snapshots(connection, project_id)}
    if name not in known:
        raise NotFound(f"there is no snapshot named {name!r}; there are: {', '.join(known) or 'none yet'}")
    return known[name]


def former_duplicates(connection: Connection, ids: list[int], newest_sentence: int) -> dict[int, int | None]:
    """What these sentences duplicated while that sentence was the newest, where an import has changed it since."""
    rows = connection.execute(
        select(FormerDuplicates.sentence_id, FormerDuplicates.duplicate_of)
        .where(FormerDuplicates.sentence_id.in_(ids), FormerDuplicates.until_sentence >= newest_sentence)
        .order_by(FormerDuplicates.until_sentence.desc())
    )
    return dict(rows.all())  # of several the one nearest to that time, which comes last
