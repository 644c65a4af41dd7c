"""Suspected label errors: what taggers doubt that had not seen a sentence."""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, insert, select, update

from maner_core.errors import NotFound
from maner_core.spans import Span
from storage._suggestions import project_of_run
from storage.database import insert_rows, now
from storage.records import Split
from storage.review_records import Doubt, LabelCheck
from storage.review_tables import GoldDecisions, LabelChecks, LabelDoubts
from storage.tables import Annotations, Projects


def save(
    connection: Connection,
    run_id: int,
    folds: int,
    n_sentences: int,
    seen: tuple[int, int],
    doubts: Sequence[Doubt],
) -> None:
    """Keep a search for errors; see Store.save_label_check."""
    project_id = project_of_run(connection, run_id)
    row = {
        "project_id": project_id,
        "run_id": run_id,
        "folds": folds,
        "n_sentences": n_sentences,
        "watermark": seen[0],
        "decision_watermark": seen[1],
        "made_at": now(connection),
    }
    check_id = connection.execute(insert(LabelChecks).values(**row).returning(LabelChecks.id)).scalar_one()
    rows = [
        {
            "check_id": check_id,
            "sentence_id": doubt.sentence_id,
            "project_id": project_id,
            "split": Split.POOL.value,
            "quality": doubt.quality,
            "sure": doubt.sure,
            "spans": [[span.start, span.end, span.label] for span in doubt.spans],
        }
        for doubt in doubts
    ]
    insert_rows(connection, LabelDoubts, rows)


def last(connection: Connection, project_id: int) -> LabelCheck | None:
    """The newest search of the project."""
    row = connection.execute(
        select(LabelChecks.__table__)
        .where(LabelChecks.project_id == project_id)
        .order_by(LabelChecks.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return LabelCheck(row.run_id, row.folds, row.n_sentences, row.watermark, row.decision_watermark, row.made_at)


def doubts(connection: Connection, project_id: int) -> list[Doubt]:
    """What the newest search doubts and nobody has touched since; what it is sure of first, then the worst."""
    newest = select(LabelChecks.id).where(LabelChecks.project_id == project_id).order_by(LabelChecks.id.desc()).limit(1)
    annotated = exists().where(
        Annotations.sentence_id == LabelDoubts.sentence_id, Annotations.seq > LabelChecks.watermark
    )
    decided = exists().where(
        GoldDecisions.sentence_id == LabelDoubts.sentence_id, GoldDecisions.seq > LabelChecks.decision_watermark
    )
    rows = connection.execute(
        select(LabelDoubts.sentence_id, LabelDoubts.quality, LabelDoubts.sure, LabelDoubts.spans, LabelChecks.run_id)
        .join(LabelChecks, LabelChecks.id == LabelDoubts.check_id)
        .where(LabelChecks.id == newest.scalar_subquery(), ~annotated, ~decided)
        .order_by(LabelDoubts.sure.desc(), LabelDoubts.quality, LabelDoubts.sentence_id)
    )
    return [
        Doubt(row.sentence_id, row.quality, row.sure, tuple(Span(*span) for span in row.spans), row.run_id)
        for row in rows
    ]


def set_request(connection: Connection, project_id: int, requested: bool) -> None:
    """Note that somebody wants a search, or that it has been answered; NotFound."""
    changed = update(Projects).where(Projects.id == project_id).values(check_requested=requested)
    if not connection.execute(changed).rowcount:
        raise NotFound(f"there is no project {project_id}")


def requested(connection: Connection, project_id: int) -> bool:
    """Whether somebody wants a search now; NotFound."""
    found = connection.execute(select(Projects.check_requested).where(Projects.id == project_id)).scalar()
    if found is None:
        raise NotFound(f"there is no project {project_id}")
    return found
