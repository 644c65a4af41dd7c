"""When a project is trained again: by how many labels have come since the last run's watermarks, and how long they wait.

Never by `count % N`: two labels that arrive together would step over the multiple.
"""

from dataclasses import dataclass, field
from datetime import datetime

from annotation.loop import STOPPED
from annotation.training_set import training_set
from storage import Gold, Project, Run, RunState, Split, Store

FEWEST_NEW_LABELS = 5
"""New labels that are worth a training once they have waited `retrain_after_seconds`."""
ATTEMPTS = 2
"""A run that fails is tried again by itself until it has failed so often; then people must ask, or label more."""


@dataclass(frozen=True, slots=True)
class Due:
    """A training that should begin now, and why."""

    attempt: int
    why: str


@dataclass(slots=True)
class Trigger:
    """Answers whether a training is due. It remembers only what the database would answer the same way again."""

    store: Store
    _waiting_since: dict[tuple[int, int, int], datetime] = field(default_factory=dict)

    def due(self, project: Project, now: datetime) -> Due | None:
        """The training that should begin at `now` (UTC), or None; never while a run of the project is running."""
        last = self.store.last_run(project.id)
        due = self._wanted(project, last, now)
        return due if due is not None and self._has_entities(project) else None

    def _wanted(self, project: Project, last: Run | None, now: datetime) -> Due | None:
        if last is not None and last.state is RunState.RUNNING:
            return None
        if last is not None and last.state is RunState.FAILED and last.failure == STOPPED:
            return Due(last.attempt, f"run {last.id} was stopped")
        if self.store.retrain_requested(project.id):
            return Due(1, "somebody asked for it")
        if last is not None and last.state is RunState.FAILED and last.attempt < ATTEMPTS:
            return Due(last.attempt + 1, f"run {last.id} failed")
        return self._enough_labels(project, last, now)

    def _enough_labels(self, project: Project, last: Run | None, now: datetime) -> Due | None:
        seen = (last.watermark, last.decision_watermark) if last is not None else (0, 0)
        new = self.store.training_labels_since(project.id, *seen)
        if new >= project.settings.retrain_every:
            return Due(1, f"{new} new labels")
        if new < FEWEST_NEW_LABELS:
            return None
        waited = (now - self._oldest_since(project.id, *seen, now)).total_seconds()
        if waited < project.settings.retrain_after_seconds:
            return None
        return Due(1, f"{new} new labels have waited {waited:.0f} s")

    def _oldest_since(self, project_id: int, watermark: int, decision_watermark: int, now: datetime) -> datetime:
        """When the first of the labels after these watermarks was saved; read once, it does not change."""
        key = (project_id, watermark, decision_watermark)
        if key not in self._waiting_since:
            gold = (item.gold for item in self.store.labelled(project_id, Split.POOL))
            saved = [it.at for it in gold if _is_new(it, watermark, decision_watermark)]
            self._waiting_since = {known: at for known, at in self._waiting_since.items() if known[0] != project_id}
            self._waiting_since[key] = min(saved, default=now)
        return self._waiting_since[key]

    def _has_entities(self, project: Project) -> bool:
        """Whether there is anything to learn; a wish that cannot be granted is put on record and dropped."""
        # The counts cost less but have sentences twice that the training has once: they say no for sure, not yes.
        counted = any(self.store.progress(project.id).by_label.values())
        if counted and training_set(self.store, project.id).n_entities:
            return True
        if self.store.retrain_requested(project.id):
            self.store.clear_retrain_request(project.id)
            self.store.record(project.id, None, "retrain_refused", why="no labelled sentence has an entity yet")
        return False


def _is_new(gold: Gold, watermark: int, decision_watermark: int) -> bool:
    if gold.decision is not None:
        return gold.decision.seq > decision_watermark
    return gold.annotations[-1].seq > watermark
