"""How far two trainings on the same labels differ."""

from sqlalchemy import Connection, select

from storage._suggestions import project_of_run
from storage.database import upsert
from storage.evaluation_records import NoiseFloor
from storage.evaluation_tables import NoiseFloors


def save(connection: Connection, floor: NoiseFloor) -> None:
    """Keep what was measured after a run; NotFound for an unknown run."""
    row = {
        "run_id": floor.run_id,
        "project_id": project_of_run(connection, floor.run_id),
        "n_labels": floor.n_labels,
        "f1": floor.f1,
        "sentences": floor.sentences,
    }
    upsert(connection, NoiseFloors, [row], ["run_id"], ["n_labels", "f1", "sentences"])


def floors(connection: Connection, project_id: int) -> list[NoiseFloor]:
    """All of a project, in the order of the runs."""
    rows = connection.execute(
        select(NoiseFloors.__table__).where(NoiseFloors.project_id == project_id).order_by(NoiseFloors.run_id)
    )
    return [NoiseFloor(row.run_id, row.n_labels, row.f1, row.sentences) for row in rows]
