"""A worker that never rests: writes scores, suggestions and heartbeats of a run until its standard input closes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage import Split, Store, Suggestion


@contextmanager
def busy_worker(url: str, project_id: int, run_id: int) -> Iterator[None]:
    """Such a worker in another process meanwhile; AssertionError at the end where it met an error or wrote nothing."""
    script = Path(__file__)
    command = [sys.executable, str(script), url, str(project_id), str(run_id)]
    environment = {"PYTHONPATH": str(script.parents[1])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield
        finally:
            output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert int(output) > 0


def write(url: str, project_id: int, run_id: int) -> int:
    """Write until nobody listens any more; how often."""
    store = Store(url)
    ids = [sentence.id for sentence in store.sentences(project_id, Split.POOL)]
    closed = threading.Event()
    threading.Thread(target=_wait_for_end, args=(closed,), daemon=True).start()
    rounds = 0
    while not closed.is_set():
        store.save_scores(run_id, [(sentence_id, rounds / 7) for sentence_id in ids])
        store.save_suggestions(run_id, [Suggestion(run_id, sentence_id, (), ()) for sentence_id in ids])
        store.heartbeat(run_id, "scoring", 0.5, None, f"round {rounds}")
        store.worker_seen("writer", "scoring")
        rounds += 1
    store.close()
    return rounds


def _wait_for_end(closed: threading.Event) -> None:
    sys.stdin.read()
    closed.set()


if __name__ == "__main__":
    sys.stdout.write(f"{write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))}\n")
