"""The two arms of a comparison: taggers that learned from labels drawn by chance, and from labels chosen."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from maner_core.spans import Span
from storage._suggestions import project_of_run
from storage.database import upsert
from storage.evaluation_records import ArmMeasure
from storage.evaluation_tables import ArmMeasures

COLUMNS = ("project_id", "n_labels", "seconds", "predictions")


def save(connection: Connection, measures: Sequence[ArmMeasure]) -> None:
    """Keep what the taggers of some arms say of the reserve; NotFound for an unknown run."""
    rows = [
        {
            "run_id": measure.run_id,
            "arm": measure.arm,
            "project_id": project_of_run(connection, measure.run_id),
            "n_labels": measure.n_labels,
            "seconds": measure.seconds,
            "predictions": [
                [sentence_id, [[span.start, span.end, span.label] for span in spans]]
                for sentence_id, spans in measure.predictions.items()
            ],
        }
        for measure in measures
    ]
    upsert(connection, ArmMeasures, rows, ("run_id", "arm"), COLUMNS)


def measures(connection: Connection, project_id: int) -> list[ArmMeasure]:
    """All measures of a project, in the order of the runs."""
    rows = connection.execute(
        select(ArmMeasures.__table__)
        .where(ArmMeasures.project_id == project_id)
        .order_by(ArmMeasures.run_id, ArmMeasures.arm)
    )
    return [
        ArmMeasure(
            run_id=row.run_id,
            arm=row.arm,
            n_labels=row.n_labels,
            seconds=row.seconds,
            predictions={sentence_id: tuple(Span(*span) for span in spans) for sentence_id, spans in row.predictions},
        )
        for row in rows
    ]
