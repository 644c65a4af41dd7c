"""A worker process with the stub tagger, that hangs or dawdles where a test wants it to.

    python stub_worker.py DATABASE_URL HOME WHERE

WHERE is a phase of the round, `finish` (just before the run is marked done), `slow` (a training of many short steps),
or `never`. It prints `there` when it gets to that place.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from stub_tagger import STUB, StubProgress

import annotation.worker
from annotation.children import PARENT_VARIABLE
from annotation.phases import RoundProgress
from annotation.tagging import Tools
from annotation.worker import Pulse, Worker
from storage import Store


def there() -> None:
    print("there", flush=True)  # noqa: T201


def hang() -> None:
    there()
    threading.Event().wait()


def hang_in(phase: str) -> None:
    tell = Pulse.__call__

    def tell_and_hang(self: Pulse, progress: RoundProgress) -> None:
        tell(self, progress)
        if progress.phase == phase:
            hang()

    Pulse.__call__ = tell_and_hang  # type: ignore[method-assign]


def slow_train(*arguments: Any) -> Any:
    on_progress = arguments[-1]
    there()
    for step in range(100_000):
        on_progress(StubProgress(step, 100_000, 1.0))
        threading.Event().wait(0.01)


def main(url: str, home: str, where: str) -> None:
    annotation.worker.LEASE_SECONDS, annotation.worker.BEAT_SECONDS = 1.0, 0.2
    if where == "finish":
        Store.finish_run = lambda *_: hang()  # type: ignore[method-assign]
    elif where not in ("slow", "never"):
        hang_in(where)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    tools = Tools(slow_train, STUB.load) if where == "slow" else STUB
    parent = os.environ.get(PARENT_VARIABLE)
    store = Store(url)
    Worker(store, Path(home), stop, int(parent) if parent else None, tools=tools).serve()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
