"""Workers: who works on a project, which processes are alive; and the audit trail."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from maner_core.errors import LeaseLost
from storage.database import LONGEST_LEASE, now, upsert
from storage.records import AuditEvent, WorkerStatus
from storage.tables import AuditEvents, WorkerLeases, Workers


def take_lease(connection: Connection, project_id: int, holder: str, seconds: float) -> bool:
    """Whether the holder now has the project to itself: it was free, run out, or its own already."""
    at = now(connection)
    is_free = or_(WorkerLeases.holder == holder, WorkerLeases.until <= at, WorkerLeases.until > at + LONGEST_LEASE)
    row = {"project_id": project_id, "holder": holder, "until": at + timedelta(seconds=seconds)}
    taken = connection.execute(
        update(WorkerLeases).where(WorkerLeases.project_id == project_id, is_free).values(row)
    ).rowcount
    if not taken:
        upsert(connection, WorkerLeases, [row], ["project_id"], [])
    found = connection.execute(select(WorkerLeases.holder).where(WorkerLeases.project_id == project_id))
    return found.scalar() == holder


def renew_lease(connection: Connection, project_id: int, holder: str, seconds: float) -> None:
    """Prolong the lease; LeaseLost when another holds it or nobody does."""
    renewed = connection.execute(
        update(WorkerLeases)
        .where(WorkerLeases.project_id == project_id, WorkerLeases.holder == holder)
        .values(until=now(connection) + timedelta(seconds=seconds))
    ).rowcount
    if not renewed:
        raise LeaseLost(f"{holder} no longer holds project {project_id}; another worker took it over")


def release_lease(connection: Connection, project_id: int, holder: str) -> None:
    """Give the project back, if the holder still has it."""
    connection.execute(delete(WorkerLeases).where(WorkerLeases.project_id == project_id, WorkerLeases.holder == holder))


def seen(connection: Connection, holder: str, state: str) -> None:
    """Note that a worker process is alive and what it does."""
    row = {"holder": holder, "state": state, "seen_at": now(connection)}
    upsert(connection, Workers, [row], ["holder"], ["state", "seen_at"])


def workers(connection: Connection, alive_within_seconds: float) -> list[WorkerStatus]:
    """Workers heard of in the last so many seconds, the latest first."""
    limit = now(connection) - timedelta(seconds=alive_within_seconds)
    rows = connection.execute(
        select(Workers.holder, Workers.state, Workers.seen_at)
        .where(Workers.seen_at >= limit)
        .order_by(Workers.seen_at.desc())
    )
    return [WorkerStatus(*row) for row in rows]


def record(
    connection: Connection, project_id: int | None, annotator_id: int | None, kind: str, details: dict[str, Any]
) -> None:
    """Keep an event."""
    connection.execute(
        insert(AuditEvents).values(
            project_id=project_id, annotator_id=annotator_id, at=now(connection), kind=kind, details=details
        )
    )


def audit(connection: Connection, project_id: int | None) -> list[AuditEvent]:
    """The project's events or, without one, those of no project, oldest first."""
    rows = connection.execute(
        select(AuditEvents.__table__).where(AuditEvents.project_id == project_id).order_by(AuditEvents.id)
    )
    return [AuditEvent(**row._mapping) for row in rows]
