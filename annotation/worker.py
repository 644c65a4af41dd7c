"""The process that trains: looks for projects that are due, holds the lease of one, and runs its round.

`python -m annotation worker`, started by the app or by hand on another machine with the same database. All it knows is
in the database, so that it may be killed at any moment and any number of workers may run.
"""

import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from platform import node

from annotation import control_arm, final_training, label_errors, noise_floor, starting
from annotation.children import PARENT_VARIABLE, gentle_threads
from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.queue_filling import queue_anew
from annotation.settings import Settings
from annotation.tagging import Tools, real_tools
from annotation.trigger import Due, Trigger
from maner_core.errors import DatabaseUnavailable, LeaseLost, RunStopped
from storage import Project, Run, Store

POLL_SECONDS = 1.5
"""Between two looks at the database while nothing is due."""
BEAT_SECONDS = 3.0
"""Between two signs of life."""
LEASE_SECONDS = 30.0
"""A worker silent for so long has died, and another may take over."""
TOLD_SECONDS = 1.0
"""Progress is written so often at most: every write costs the annotators' database a sync to disk."""
BACK_OFF_SECONDS = 10.0
"""Rest of a project after a failure, times the number of failures in a row, up to LONGEST_BACK_OFF_SECONDS."""
LONGEST_BACK_OFF_SECONDS = 300.0
NICENESS = 10
KILLED = "The worker died during this run (phase: {phase}): it was killed, or the machine ran out of memory."

log = logging.getLogger("annotation.worker")


class Pulse:
    """Signs of life from a thread of its own: of the worker always, of its lease and run while a round is going.

    It is also what a round reports to: calling it stores the progress, or raises RunStopped or LeaseLost.
    """

    def __init__(self, store: Store, holder: str, stop: threading.Event, parent: int | None = None) -> None:
        self.stop = stop
        self._store = store
        self._holder = holder
        self._parent = parent
        self._lock = threading.Lock()
        self._project_id: int | None = None
        self._latest: RoundProgress | None = None
        self._told_at = float("-inf")
        self._lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_the_end, name="pulse", daemon=True)

    def __enter__(self) -> "Pulse":
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def begin(self, project_id: int) -> None:
        """From now on renew the lease of this project."""
        with self._lock:
            self._project_id, self._latest, self._lost, self._told_at = project_id, None, False, float("-inf")

    def end(self) -> None:
        """The round is over."""
        with self._lock:
            self._project_id = self._latest = None

    def go_on(self) -> None:
        """Raises RunStopped when asked to stop, LeaseLost when another worker took over."""
        if self.stop.is_set():
            raise RunStopped("the worker was asked to stop")
        with self._lock:
            self._refuse_if_lost()

    def _refuse_if_lost(self) -> None:
        if self._lost:
            raise LeaseLost("another worker has taken over this project")

    def __call__(self, progress: RoundProgress) -> None:
        """Take note of a round's progress. Raises RunStopped when asked to stop, LeaseLost when another took over."""
        if self.stop.is_set():
            raise RunStopped("the worker was asked to stop")
        with self._lock:
            self._refuse_if_lost()
            new_phase = self._latest is None or self._latest.phase != progress.phase
            self._latest = progress
            if new_phase or time.monotonic() - self._told_at >= TOLD_SECONDS:
                try:
                    self._tell(progress)
                except DatabaseUnavailable:  # no reason to throw a training away
                    log.exception("the progress could not be stored")

    def beat(self) -> None:
        """One sign of life, and one look whether the app that started this worker is still there."""
        if self._parent is not None and os.getppid() != self._parent:
            self.stop.set()
        with self._lock:
            self._store.worker_seen(self._holder, "idle" if self._latest is None else self._latest.phase)
            if self._project_id is None:
                return
            try:
                self._store.renew_lease(self._project_id, self._holder, LEASE_SECONDS)
                if self._latest is not None:
                    self._tell(self._latest)
            except LeaseLost:
                self._lost = True

    def _tell(self, progress: RoundProgress) -> None:
        self._told_at = time.monotonic()
        self._store.heartbeat(
            progress.run_id, progress.phase, progress.progress, progress.seconds_left, progress.message
        )

    def _beat_until_the_end(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                self.beat()
            except Exception:  # a busy or absent database must not end the signs of life for good
                log.exception("a sign of life could not be stored")


class Worker:
    """Runs the rounds of all projects in turn. `stop` ends it between two steps of whatever it does."""

    def __init__(
        self,
        store: Store,
        home: Path,
        stop: threading.Event,
        parent: int | None = None,
        tools: Tools | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.holder = f"{node()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        self.failures = 0
        self._store = store
        self._home = home
        self._stop = stop
        self._parent = parent
        self._tools = tools
        self._now = now
        self._trigger = Trigger(store)
        self._failed_in_a_row: dict[int, int] = {}
        self._rests_until: dict[int, float] = {}
        self._no_arms: dict[int, int] = {}  # project -> its run after which no arms were due
        self._gave_way: set[tuple[int, str]] = set()  # project and check that will not give way to a round again

    def serve(self, once: bool = False) -> None:
        """Look for work until stopped; with `once`, until nothing is due."""
        with Pulse(self._store, self.holder, self._stop, self._parent) as pulse:
            while not self._stop.is_set():
                worked = self._look(pulse)
                if once and not worked:
                    return
                if not worked:
                    self._stop.wait(POLL_SECONDS)

    def _look(self, pulse: Pulse) -> bool:
        """One turn over all projects; whether there was anything to do."""
        try:
            projects = self._projects()
        except Exception:  # the database may be restarting
            log.exception("the projects could not be read")
            return False
        worked = False
        for project in projects:
            if not self._stop.is_set():
                worked = self._attend(project, pulse) or worked
        return worked

    def _projects(self) -> list[Project]:
        """Those that are not in the archive."""
        return [project for project in self._store.projects() if project.archived_at is None]

    def _attend(self, project: Project, pulse: Pulse) -> bool:
        """Run one round of the project if one is due; nothing that happens in it ends the worker."""
        if time.monotonic() < self._rests_until.get(project.id, 0.0):
            return False
        try:
            worked = self._attend_under_lease(project, pulse)
        except RunStopped:
            log.info("%s: stopped", project.settings.name)
            return True
        except Exception:
            log.exception("%s: the round failed", project.settings.name)
            self._rest(project.id)
            return True
        if worked:
            self._failed_in_a_row.pop(project.id, None)
        return worked

    def _attend_under_lease(self, project: Project, pulse: Pulse) -> bool:
        last = self._store.last_run(project.id)
        orphaned = bool(self._store.running(project.id))
        checks = not orphaned and (
            starting.due(self._store, project, self._home)
            or final_training.due(self._store, project.id)
            or label_errors.due(self._store, project.id)
            or self._arms_due(project, last)
            or noise_floor.due(self._store, project)
        )
        if not orphaned and not checks and self._trigger.due(project, self._now()) is None:
            return False
        if not self._store.take_lease(project.id, self.holder, LEASE_SECONDS):
            return False
        try:
            self._fail_orphans(project.id)
            # Asked again: the worker that held the lease until now may have done it.
            if starting.due(self._store, project, self._home):
                self._read_pool(project, pulse)
                return True
            due = self._trigger.due(project, self._now())
            if due is not None:
                self._run(project.id, due, pulse)
            elif final_training.due(self._store, project.id):
                self._train_finally(project.id, pulse)
                return True
            elif label_errors.due(self._store, project.id):
                self._check_labels(project.id, pulse)
                return True
            elif self._arms_due(project, self._store.last_run(project.id)):
                self._compare_arms(project, pulse)
                return True
            elif noise_floor.due(self._store, project):
                self._measure_noise(project, pulse)
                return True
            return due is not None or orphaned
        finally:
            self._store.release_lease(project.id, self.holder)

    def _run(self, project_id: int, due: Due, pulse: Pulse) -> None:
        project = self._store.project(project_id)
        log.info("%s: training begins, attempt %d: %s", project.settings.name, due.attempt, due.why)
        self._store.clear_retrain_request(project_id)
        pulse.begin(project_id)
        try:
            run = run_round(self._store, project, self._home, pulse, tools=self._tools, attempt=due.attempt)
        finally:
            pulse.end()
        log.info("%s: run %d is done: %s", project.settings.name, run.id, run.message)

    def _read_pool(self, project: Project, pulse: Pulse) -> None:
        """Let the starting tagger say which sentences come first: it takes less time than a training, which may use it."""
        log.info("%s: the starting tagger reads the pool", project.settings.name)
        pulse.begin(project.id)
        try:
            if starting.read(self._store, project, self._home, self._tools or real_tools(), pulse.go_on):
                queue_anew(self._store, project.id)
        finally:
            pulse.end()

    def _train_finally(self, project_id: int, pulse: Pulse) -> None:
        """Train on the evaluation sentences too; a training that is due comes first."""
        project = self._store.project(project_id)
        log.info("%s: the final training begins", project.settings.name)
        pulse.begin(project_id)
        try:
            final_training.train(self._store, project, self._home, self._tools or real_tools(), pulse)
        finally:
            pulse.end()

    def _check_labels(self, project_id: int, pulse: Pulse) -> None:
        """Look for errors among the labels; a training that is due comes first."""
        project = self._store.project(project_id)
        log.info("%s: the search for label errors begins", project.settings.name)
        with self._giving_way_once(project_id, "label errors", pulse) as still_wanted:
            tools = self._tools or real_tools()
            found = label_errors.search(self._store, project, self._home, tools, still_wanted)
        log.info("%s: %d sentences are doubted", project.settings.name, len(found))

    def _arms_due(self, project: Project, last: Run | None) -> bool:
        """Asked once for each run: the answer reads all labels, and does not change before the next run."""
        if last is None or not project.settings.control_share or self._no_arms.get(project.id) == last.id:
            return False
        due = control_arm.due(self._store, project)
        if not due:
            self._no_arms[project.id] = last.id
        return due

    def _compare_arms(self, project: Project, pulse: Pulse) -> None:
        """Train on drawn and on chosen labels apart; a training that is due comes first."""
        log.info("%s: the comparison of drawn with chosen sentences begins", project.settings.name)
        with self._giving_way_once(project.id, "arms", pulse) as still_wanted:
            control_arm.measure(self._store, project, self._home, self._tools or real_tools(), still_wanted)

    def _measure_noise(self, project: Project, pulse: Pulse) -> None:
        """Train once more on the same labels; given up as soon as a training of any project is due."""
        log.info("%s: the chance in trainings is measured", project.settings.name)
        pulse.begin(project.id)
        try:
            tools = self._tools or real_tools()
            noise_floor.measure(self._store, project, self._home, tools, self._until_a_round(pulse))
        finally:
            pulse.end()

    @contextmanager
    def _giving_way_once(self, project_id: int, check: str, pulse: Pulse) -> Iterator[Callable[[], None]]:
        """What a check calls at every step: ends it when a training of any project is due.

        When it is begun again it runs to its end: where people label fast, it would never come to one.
        """
        gave_way = (project_id, check) in self._gave_way
        pulse.begin(project_id)
        try:
            yield pulse.go_on if gave_way else self._until_a_round(pulse)
        except RunStopped:
            self._gave_way.add((project_id, check))
            raise
        finally:
            pulse.end()
        self._gave_way.discard((project_id, check))

    def _until_a_round(self, pulse: Pulse) -> Callable[[], None]:
        """Raises RunStopped once a training of any project is due, and what `pulse` raises."""
        looked_at = time.monotonic()

        def still_wanted() -> None:
            nonlocal looked_at
            pulse.go_on()
            if time.monotonic() - looked_at >= POLL_SECONDS:
                looked_at = time.monotonic()
                if any(self._round_due(other) for other in self._projects()):
                    raise RunStopped("a training is due, which comes first")

        return still_wanted

    def _round_due(self, project: Project) -> bool:
        rests = time.monotonic() < self._rests_until.get(project.id, 0.0)
        return not rests and self._trigger.due(project, self._now()) is not None

    def _fail_orphans(self, project_id: int) -> None:
        """Whoever holds the lease knows that no other run of the project is alive."""
        for run in self._store.running(project_id):
            self._store.fail_run(run.id, KILLED.format(phase=run.phase or "start"))
            log.warning("run %d was left behind by a dead worker", run.id)

    def _rest(self, project_id: int) -> None:
        self.failures += 1
        in_a_row = self._failed_in_a_row[project_id] = self._failed_in_a_row.get(project_id, 0) + 1
        seconds = min(BACK_OFF_SECONDS * in_a_row, LONGEST_BACK_OFF_SECONDS)
        self._rests_until[project_id] = time.monotonic() + seconds


def main(settings: Settings, once: bool = False) -> int:
    """What `python -m annotation worker` runs; the exit code: 1 if `once` and a round failed, else 0."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    os.environ.update(gentle_threads())  # before torch is imported, which is when OpenMP reads it
    os.nice(max(0, NICENESS - os.nice(0)))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parent = os.environ.get(PARENT_VARIABLE)
    store = Store(settings.database_url)
    try:
        store.migrate()
        worker = Worker(
            store,
            settings.home,
            stop,
            parent=int(parent) if parent else None,
            tools=real_tools(settings.home / "backbones"),
        )
        log.info("worker %s looks for work", worker.holder)
        worker.serve(once)
        log.info("worker %s ends", worker.holder)
    finally:
        store.close()
    return 1 if once and worker.failures else 0
