"""The worker that the app keeps beside itself: started, started again when it dies, stopped with the app."""

import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

from annotation.children import child_environment
from annotation.settings import Settings

STOP_SECONDS = 10.0
RESTART_SECONDS = 2.0
"""Between two looks whether the worker lives."""
LONGEST_PAUSE_SECONDS = 300.0
"""Before a worker that keeps dying is started again."""
KEPT_LOGS = 10

log = logging.getLogger("annotation.worker")


def start_worker(settings: Settings) -> "subprocess.Popen[bytes]":
    """Start a worker beside this process, with a log file of its own under home; it ends when this process does."""
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for old in sorted(logs.glob("worker-*.log"))[: -KEPT_LOGS + 1]:
        old.unlink(missing_ok=True)
    started = datetime.now(UTC)
    with (logs / f"worker-{started:%Y%m%dT%H%M%S%f}.log").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "annotation", "worker"],
            env=child_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the app, which then stops its worker in order
        )


def stop_worker(process: "subprocess.Popen[bytes]", seconds: float = STOP_SECONDS) -> int:
    """Ask a worker to stop, kill it after `seconds`; its exit code. A run it leaves behind starts again next time."""
    process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class KeptWorker:
    """A worker that is started again when it dies, until it is stopped: whoever labels cannot start one.

    It waits RESTART_SECONDS before that, twice as long after each death in a row, so that a worker that cannot live does
    not take the machine from the people.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopped = threading.Event()
        self._process = start_worker(settings)
        self._thread = threading.Thread(target=self._keep, name="worker keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the worker for good."""
        self._stopped.set()
        self._thread.join()
        stop_worker(self._process)

    def _keep(self) -> None:
        pause, started = RESTART_SECONDS, time.monotonic()
        while not self._stopped.wait(RESTART_SECONDS):
            if self._process.poll() is None:
                continue
            died_old = time.monotonic() - started >= LONGEST_PAUSE_SECONDS
            pause = RESTART_SECONDS if died_old else pause
            log.warning("the worker ended with code %s; another starts in %.0f s", self._process.returncode, pause)
            if self._stopped.wait(pause):
                return
            started, pause = time.monotonic(), min(pause * 2, LONGEST_PAUSE_SECONDS)
            try:
                self._process = start_worker(self._settings)
            except OSError:  # no memory to fork, no room for a log: later there may be
                log.exception("the worker could not be started")
