"""The part of a Store that knows which workers live and what they hold, and what happened."""

from typing import Any

from storage import _workers
from storage.database import Database
from storage.records import AuditEvent, WorkerStatus


class WorkerStore:
    """What a Store remembers of workers, and the events on record."""

    _database: Database

    # Workers.

    def take_lease(self, project_id: int, holder: str, seconds: float) -> bool:
        """Whether the holder now has the project to itself for so many seconds."""
        return self._database.write_light(_workers.take_lease, project_id, holder, seconds)

    def renew_lease(self, project_id: int, holder: str, seconds: float) -> None:
        """Prolong the lease; LeaseLost when the holder has it no longer."""
        self._database.write_light(_workers.renew_lease, project_id, holder, seconds)

    def release_lease(self, project_id: int, holder: str) -> None:
        """Give the project back, if the holder still has it."""
        self._database.write_light(_workers.release_lease, project_id, holder)

    def worker_seen(self, holder: str, state: str) -> None:
        """A worker process is alive and does this."""
        self._database.write_light(_workers.seen, holder, state)

    def workers(self, alive_within_seconds: float) -> list[WorkerStatus]:
        """Worker processes heard of in the last so many seconds, the latest first."""
        return self._database.read(_workers.workers, alive_within_seconds)

    # Audit.

    def record(self, project_id: int | None, annotator_id: int | None, kind: str, **details: Any) -> None:
        """Keep an event; details must be JSON values."""
        self._database.write(_workers.record, project_id, annotator_id, kind, details)

    def audit(self, project_id: int | None) -> list[AuditEvent]:
        """The project's events or, without one, those of no project; oldest first."""
        return self._database.read(_workers.audit, project_id)
