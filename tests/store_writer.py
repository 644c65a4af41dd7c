"""A worker process that writes scores, suggestions and signs of life of a run until its standard input closes.

It never rests, or it writes as the real one does: a sign of life every second, and what a round writes every so many seconds.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage import Split, Store, Suggestion

SCORED, SUGGESTED = 5_000, 2_000  # sentences in a round, as annotation/choosing.py has it
SIGN_OF_LIFE_SECONDS = 1.0


@contextmanager
def busy_worker(url: str, project_id: int, run_id: int, round_seconds: float = 0.0) -> Iterator[None]:
    """Such a worker in another process meanwhile, which has written already; AssertionError where it met an error."""
    script = Path(__file__)
    command = [sys.executable, str(script), url, str(project_id), str(run_id), str(round_seconds)]
    environment = {"PYTHONPATH": str(script.parents[1])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        try:
            yield
        finally:
            _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert first == "written\n"


def write(url: str, project_id: int, run_id: int, round_seconds: float) -> None:
    """Write until nobody listens any more; says "written" once."""
    store = Store(url)
    ids = [sentence.id for sentence in store.sentences(project_id, Split.POOL)]
    closed = threading.Event()
    threading.Thread(target=_wait_for_end, args=(closed,), daemon=True).start()
    rounds = 0
    while not closed.is_set():
        store.save_scores(run_id, [(sentence_id, rounds / 7) for sentence_id in ids[:SCORED]])
        store.save_suggestions(run_id, [Suggestion(run_id, sentence_id, (), ()) for sentence_id in ids[:SUGGESTED]])
        if not rounds:
            sys.stdout.write("written\n")
            sys.stdout.flush()
        ended = time.monotonic()
        while True:
            store.heartbeat(run_id, "scoring", 0.5, None, f"round {rounds}")
            store.worker_seen("writer", "scoring")
            if time.monotonic() - ended >= round_seconds or closed.wait(SIGN_OF_LIFE_SECONDS):
                break
        rounds += 1
    store.close()


def _wait_for_end(closed: threading.Event) -> None:
    sys.stdin.read()
    closed.set()


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
