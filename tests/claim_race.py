"""Many annotators in several processes who claim and label as fast as they can, or at a pace, and what that took."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from types import ModuleType

from store_helpers import draft

from storage import Split, Store


@dataclass(slots=True)
class Turns:
    """What one annotator got, and how long each call took in seconds.

    `empty` counts claims that brought nothing although there was something later, `waited` is the longest time from wanting
    a sentence to having it, `begun` and `ended` are the first call and the last save by the machine's monotonic clock.
    """

    annotator: int
    sentences: list[int] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    saves: list[float] = field(default_factory=list)
    empty: int = 0
    waited: float = 0.0
    begun: float = 0.0
    ended: float = 0.0


def race(
    url: str,
    project_id: int,
    annotators: Sequence[int],
    processes: int,
    seconds: float | None = None,
    pace: float = 0.0,
    patience: float = 0.0,
) -> list[Turns]:
    """Let all of them label at once until nothing is left or, with `seconds`, so long; each every `pace` seconds.

    Somebody who gets nothing asks again for `patience` seconds. Raises the first error that any call raised.
    """
    shares = [share for start in range(processes) if (share := list(annotators[start::processes]))]
    context = get_context("spawn")
    with (
        _no_main_module(),
        context.Manager() as manager,
        ProcessPoolExecutor(len(shares), mp_context=context) as pool,
    ):
        start = manager.Barrier(len(annotators))
        work = [pool.submit(_annotate_all, url, project_id, share, start, seconds, pace, patience) for share in shares]
        try:
            return [turns for done in work for turns in done.result()]
        except (KeyboardInterrupt, SystemExit):
            for child in active_children():  # the pool would wait until they have labelled everything
                child.terminate()
            raise


@contextmanager
def _no_main_module() -> Iterator[None]:
    """New processes begin by running the main module again, and tests of pages leave their script in its place."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _annotate_all(
    url: str,
    project_id: int,
    annotators: Sequence[int],
    start: threading.Barrier,
    seconds: float | None,
    pace: float,
    patience: float,
) -> list[Turns]:
    store = Store(url)
    store.projects()

    def annotate(position: int) -> Turns:
        start.wait()
        return _annotate(store, project_id, annotators[position], seconds, pace, patience, position / len(annotators))

    with ThreadPoolExecutor(len(annotators)) as pool:
        done = list(pool.map(annotate, range(len(annotators))))
    store.close()
    return done


def _annotate(
    store: Store, project_id: int, who: int, seconds: float | None, pace: float, patience: float, phase: float
) -> Turns:
    turns = Turns(who)
    turns.begun = wanted_at = time.monotonic()
    empty = 0
    nothing_at_all = threading.Event()
    while seconds is None or time.monotonic() - turns.begun < seconds:
        if pace and (rest := turns.begun + (len(turns.sentences) + phase) * pace - time.monotonic()) > 0:
            nothing_at_all.wait(rest)
            wanted_at = time.monotonic()
        asked_at = time.monotonic()
        got = store.claim(project_id, who, "tab", Split.POOL, 1, per_tab_share=False)
        now = time.monotonic()
        turns.claims.append(now - asked_at)
        if not got:
            empty += 1
            if now - wanted_at > patience:
                break
            nothing_at_all.wait(0.01)
            continue
        turns.empty, empty = turns.empty + empty, 0
        turns.waited = max(turns.waited, now - wanted_at)
        sentence_id = got[0].sentence.id
        _, rejections = store.save_annotations(project_id, who, [draft(sentence_id, (0, 1, "PER"))])
        assert not rejections
        turns.ended = wanted_at = time.monotonic()
        turns.saves.append(wanted_at - now)
        turns.sentences.append(sentence_id)
    return turns
