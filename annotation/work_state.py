"""What the worker does for a project, in one word and one sentence, read from the database only."""

from dataclasses import dataclass
from datetime import UTC, datetime

from annotation.loop import STOPPED
from annotation.trigger import ATTEMPTS
from storage import Project, Run, RunState, Store

WORKER_SILENT_SECONDS = 30  # a worker not heard of for so long is gone


@dataclass(frozen=True, slots=True)
class WorkState:
    """`state` is off, idle, training, scoring or failed; `progress` is 0 to 1 and `seconds_left` an estimate while it works.

    `until_training` is how many more labelled sentences start the next training (0: it starts by itself any moment).
    """

    state: str
    text: str
    until_training: int | None
    progress: float | None = None
    seconds_left: float | None = None
    run: Run | None = None


def work_state(store: Store, project: Project) -> WorkState:
    """What happens to this project's labels now: changes nothing."""
    run = store.last_run(project.id)
    if project.archived_at is not None:
        return WorkState(
            "off", "This project is in the archive: what you finish is saved, nothing new comes", None, run=run
        )
    missing = until_training(store, project, run)
    if not store.workers(WORKER_SILENT_SECONDS):
        return WorkState("off", "No worker is running: labels are saved, training waits", missing, run=run)
    if running := store.running(project.id):
        return _working(running[-1], missing)
    if store.retrain_requested(project.id):
        return WorkState("idle", "Training starts in a moment", 0, run=run)
    if store.final_request(project.id) is not None:
        return WorkState("idle", "The final training starts in a moment", missing, run=run)
    if run is not None and run.state is RunState.FAILED:
        return _failed(run, missing)
    if missing == 0 and not any(store.progress(project.id).by_label.values()):
        return WorkState("idle", "Training starts once a labelled sentence has a name in it", missing, run=run)
    return WorkState("idle", _waiting_text(missing), missing, run=run)


def until_training(store: Store, project: Project, run: Run | None) -> int:
    """Labelled sentences still missing for the next training, counted from the last run's watermarks."""
    seen = (run.watermark, run.decision_watermark) if run is not None else (0, 0)
    new = store.training_labels_since(project.id, *seen)
    return max(project.settings.retrain_every - new, 0)


def duration(seconds: float) -> str:
    """A length of time as people say it: `95 -> "2 min"`."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _working(run: Run, missing: int) -> WorkState:
    if (datetime.now(UTC) - run.heartbeat_at).total_seconds() > 2 * WORKER_SILENT_SECONDS:
        return WorkState("idle", "The training was interrupted and starts again soon", missing, run=run)
    training = run.phase in ("", "adapting", "training")
    text = run.message or (f"Training on {run.n_train} sentences" if training else "Choosing the next sentences")
    return WorkState("training" if training else "scoring", text, missing, run.progress, run.seconds_left, run)


def _failed(run: Run, missing: int) -> WorkState:
    if run.failure == STOPPED:
        return WorkState("idle", "The training was interrupted and starts again soon", missing, run=run)
    text = f"The last training failed: {run.failure or 'no reason given'}"
    if run.attempt < ATTEMPTS:
        text = f"{text.rstrip('.')}. It is tried once more by itself."
    return WorkState("failed", text, missing, run=run)


def _waiting_text(missing: int) -> str:
    if missing == 0:
        return "Training starts in a moment"
    return f"Next training after {missing} more label{'s' if missing != 1 else ''}"
