"""Processes that the server starts beside itself: gentle on the machine, and over soon after it is gone."""

import os
import signal
import threading
from pathlib import Path
from typing import NoReturn

from annotation.settings import Settings

PARENT_VARIABLE = "MANER_WORKER_PARENT"
"""Names the process that a child belongs to."""
LOOK_SECONDS = 0.5
"""Between two looks whether that process is there."""
END_SECONDS = 10.0
"""How long a child that was told to end may take to tidy up."""
NICENESS = 15
SPIN_COUNT = 1_000
"""Turns of a loop: enough for most gaps between two operations of a training. More of them cost
other processes more than the training gains (tests/benchmarks/waiting_threads.py)."""
STOPPED = 143  # what a shell calls the end by SIGTERM


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that belongs to this one and keeps its things in the same places."""
    root = str(Path(__file__).resolve().parents[1])
    return {
        **os.environ,
        **gentle_threads(),
        "MANER_HOME": str(settings.home),
        "MANER_DATABASE_URL": settings.database_url,
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        PARENT_VARIABLE: str(os.getpid()),
    }


def gentle_threads() -> dict[str, str]:
    """Threads on all cores, of which the pages get what they need by their priority, and whose waiting costs others little.

    Waking up costs a thread that sleeps at once most of what a second core brings; one that runs for long while it waits
    takes cores that others need (tests/benchmarks/waiting_threads.py). Only GNU's OpenMP counts how long it may run.
    A container with a part of the machine counts as having that part; LOKY_MAX_CPU_COUNT allows fewer.
    """
    from joblib import cpu_count  # with numpy, for which a command that starts no process need not wait

    threads = str(cpu_count())
    return {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": str(SPIN_COUNT),
    }


def belong_to_parent() -> None:
    """Give way to everything else, and end by SystemExit on SIGTERM or when the parent is gone; nothing without a parent.

    To be called on the main thread, which may be in the middle of a long computation: if it has not ended after
    END_SECONDS, the process ends as it is.
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if not parent:
        return
    os.nice(max(0, NICENESS - os.nice(0)))

    def end(*_: object) -> NoReturn:
        last = threading.Timer(END_SECONDS, os._exit, (STOPPED,))
        last.daemon = True
        last.start()
        raise SystemExit(STOPPED)

    def watch() -> None:
        while os.getppid() == int(parent):
            rest.wait(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    rest = threading.Event()
    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, name="parent watch", daemon=True).start()
