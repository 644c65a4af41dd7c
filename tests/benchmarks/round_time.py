"""From the N-th label to the new queue: how long a round of the real worker takes, phase by phase.

    PYTHONPATH=.:tests python tests/benchmarks/round_time.py --pool FILE [--pool FILE …] --test FILE --sentences 6000

The sentences of all --pool files (two columns, IOB2) are the pool, as many as asked for; gold tags take the place of a person.
Meanwhile a second person takes a sentence from the queue every half second: the longest that they waited, and how often there
was none, are in the row. One JSON line for each round; the first one also reads the pool for the quick scorer. With --cached
it has read the whole pool before, so every round scores all of it; the seconds of that reading are the first line.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Never

import typer
from _app import machine, quantile
from tqdm import tqdm

from annotation.formats import ReadSentence, read_file
from annotation.queue_filling import top_up
from annotation.quick_scorer import features_of_project
from annotation.simulation.annotator import SimulatedAnnotator
from annotation.simulation.config import SimulationConfig
from maner_core.features import WordFeatures
from storage import Project, Run, RunState, Split, Store

LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 3600.0


def main(
    pool: Annotated[list[Path], typer.Option(help="Labelled sentences, two columns; again for more.")],
    test: Annotated[Path, typer.Option(help="Evaluation sentences, two columns.")],
    sentences: Annotated[int, typer.Option(help="Size of the pool.")] = 6000,
    labels: Annotated[str, typer.Option(help="Train at these numbers of labels.")] = "50,100,300",
    evaluation: Annotated[int, typer.Option(help="Evaluation sentences.")] = 100,
    cached: Annotated[bool, typer.Option(help="Read the pool for the quick scorer first.")] = False,
    seed: int = 0,
) -> None:
    """Label up to each number and wait for the round that follows."""
    sizes = [int(size) for size in labels.split(",")]
    least = min(after - before for before, after in zip([0, *sizes], sizes, strict=False))
    config = SimulationConfig(strategies=("ent_mnlp",), seed_size=sizes[0], batch=least, at=tuple(sizes))
    found = list(islice(chain.from_iterable(gold_sentences(file) for file in pool), sentences))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/maner.db"
        with closing(Store(url)) as store:
            simulated = SimulatedAnnotator.begin(
                store, config, "round", "ent_mnlp", seed, found, list(islice(gold_sentences(test), evaluation))
            )
            if cached:
                seconds = read_all(Path(folder), simulated.project, found)
                typer.echo(json.dumps({"read": len(found), "seconds": round(seconds, 1), **machine()}))
            environment = {"MANER_HOME": folder, "MANER_DATABASE_URL": url}
            with worker(environment, Path(folder) / "worker.log"), Visitor(url, simulated.project.id) as visitor:
                for number, size in enumerate(sizes, start=1):
                    simulated.label_up_to(size)
                    started = time.monotonic()
                    run = finished_run(store, simulated.project.id, number)
                    row = {"labels": size, "pool": len(found), "seconds": round(time.monotonic() - started, 1)}
                    phases = {phase: round(seconds, 1) for phase, seconds in run.metrics["seconds"].items()}
                    quick = run.metrics.get("quick")
                    typer.echo(json.dumps({**row, "phases": phases, "quick": quick, **visitor.since(), **machine()}))


def gold_sentences(file: Path) -> Iterator[ReadSentence]:
    """Those of a file that have gold tags."""
    return (sentence for sentence in read_file(file).sentences if sentence.gold is not None)


def read_all(home: Path, project: Project, found: Sequence[ReadSentence]) -> float:
    """Keep the word vectors of all these sentences for the project's quick scorer; how many seconds it took."""
    backbone = project.settings.backbone
    started = time.monotonic()
    features = WordFeatures(features_of_project(home, project.id, backbone), backbone)
    bar: tqdm[Never]
    with tqdm(total=1.0, bar_format="{l_bar}{bar} {elapsed}") as bar:

        def show(share: float) -> None:
            bar.update(share - bar.n)

        features.of([sentence.tokens for sentence in found], show)
    return time.monotonic() - started


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    """The real worker, until the end of the block."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "annotation", "worker"],
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def finished_run(store: Store, project_id: int, number: int) -> Run:
    """The run of this round, as soon as it is done and its queue is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for run in store.runs(project_id):
            if run.state is RunState.FAILED:
                raise SystemExit(f"run {run.id} failed: {run.failure}")
            if run.round == number and run.state is RunState.DONE:
                return run
        time.sleep(LOOK_SECONDS)
    raise SystemExit(f"no run of round {number} after {PATIENCE_SECONDS:.0f} s")


class Visitor:
    """Somebody who takes a sentence every half second while the worker trains."""

    def __init__(self, url: str, project_id: int) -> None:
        self._store, self._project_id = Store(url), project_id
        self._annotator = self._store.annotator("visitor").id
        self._ended, self._waits, self._empty = threading.Event(), list[float](), 0
        self._thread = threading.Thread(target=self._visit)

    def __enter__(self) -> "Visitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._store.close()

    def _visit(self) -> None:
        while not self._ended.wait(0.5):
            started = time.monotonic()
            client = f"visitor-{started}"
            got = self._store.claim(self._project_id, self._annotator, client, Split.POOL, 1, 60.0)
            if not got:  # as a sync does
                top_up(self._store, self._project_id)
                got = self._store.claim(self._project_id, self._annotator, client, Split.POOL, 1, 60.0)
            self._waits.append(time.monotonic() - started)
            self._empty += not got
            self._store.release(self._annotator, client)

    def since(self) -> dict[str, Any]:
        """What happened since the last call."""
        waits, self._waits = self._waits, []
        empty, self._empty = self._empty, 0
        ms = [round(1e3 * value, 1) for value in (quantile(waits, 0.5), quantile(waits, 0.95), max(waits))]
        return {"claims": len(waits), "claim_ms": ms, "without_a_sentence": empty}


if __name__ == "__main__":
    typer.run(main)
