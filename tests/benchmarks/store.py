"""What the store's hot paths cost with 100,000 sentences.

    PYTHONPATH=. python tests/benchmarks/store.py [URL]

Times are medians and 95th percentiles; CPU time is this process's own, so that a busy machine does not hide
what a call costs. Without a URL a SQLite file in a temporary folder is used.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median, quantiles
from uuid import uuid4

from maner_core.spans import Span
from storage import (
    AnnotationDraft,
    Label,
    NewSentence,
    Origin,
    ProjectSettings,
    QueueItem,
    Split,
    Status,
    Store,
)

N_SENTENCES = 100_000
N_CALLS = 300


def main(url: str) -> None:
    """Measure and print one JSON object."""
    store = Store(url)
    store.migrate()
    results: dict[str, object] = {}
    project = store.create_project(ProjectSettings("bench", labels=(Label("PER", "#000", "1"),)))
    asha = store.annotator("Asha").id

    for size in (10_000, N_SENTENCES - 10_000):
        new = [sentence() for _ in range(size)]
        start = time.perf_counter()
        store.add_sentences(project.id, new, asha, "benchmark")
        results[f"import of {size:,}, seconds"] = round(time.perf_counter() - start, 2)
    ids = store.unqueued_pool_ids(project.id)
    items = [QueueItem(id_, Origin.RANDOM, rank, "random", None, None, None, 1) for rank, id_ in enumerate(ids[:2_000])]
    results["fill_queue of 2,000"] = timed(lambda: store.fill_queue(project.id, items, replace=True), 1)
    run = store.start_run(project.id, 1, {}, 1, 0, 0).id
    results["save_scores of 100,000"] = timed(lambda: store.save_scores(run, [(id_, 0.5) for id_ in ids]), 1)

    held = [hand_out.sentence.id for hand_out in store.claim(project.id, asha, "tab", Split.POOL, 400)]
    waiting = iter(held[20:])
    results["save one annotation"] = timed(
        lambda: store.save_annotations(project.id, asha, [draft(next(waiting))]), N_CALLS
    )
    results["renew 20, nothing to write"] = timed(lambda: store.renew(project.id, asha, "tab", held[:20]), N_CALLS)
    results["renew 20"] = timed(lambda: store.renew(project.id, asha, "tab", held[:20], 3_600), 1)
    results["claim one"] = timed(lambda: store.claim(project.id, asha, "other", Split.POOL, 1), N_CALLS)
    results["claim ten"] = timed(lambda: store.claim(project.id, asha, "third", Split.POOL, 10), 20)
    results["held, 20"] = timed(lambda: store.held(project.id, "tab", asha), N_CALLS)
    results["ready"] = timed(lambda: store.ready(project.id, Split.POOL), N_CALLS)
    results["training_labels_since"] = timed(lambda: store.training_labels_since(project.id, 0), N_CALLS)
    results["progress"] = timed(lambda: store.progress(project.id), 20)
    results["project"] = timed(lambda: store.project(project.id), N_CALLS)
    store.close()
    sys.stdout.write(json.dumps(results, indent=1) + "\n")


def sentence() -> NewSentence:
    """26 tokens, as sentences of news have."""
    return NewSentence(tuple(f"{uuid4()} {'neno ' * 25}".split()))


def draft(sentence_id: int) -> AnnotationDraft:
    """An annotation with two spans."""
    spans = (Span(0, 2, "PER"), Span(5, 6, "PER"))
    return AnnotationDraft(str(uuid4()), sentence_id, Status.LABELLED, spans, "", 900, datetime.now(UTC), None, None)


def timed(call: Callable[[], object], n: int) -> dict[str, float]:
    """Milliseconds of n calls: median, 95th percentile, CPU time of one."""
    seconds = []
    cpu = time.process_time()
    for _ in range(n):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    p95 = quantiles(seconds, n=20)[-1] if n > 1 else seconds[0]
    return {"median": round(1e3 * median(seconds), 2), "p95": round(1e3 * p95, 2), "cpu": round(1e3 * cpu / n, 2)}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"sqlite:///{folder}/maner.db")
