"""What the threads of a training may do while they wait for each other: seconds of a step, turn by turn.

    PYTHONPATH=.:tests python tests/benchmarks/waiting_threads.py compare --data FOLDER [--busy 2] [--rounds 2]

FOLDER holds train.txt in two columns. OpenMP reads its settings when torch is loaded, so each arm is a process. `--busy`
counts other processes that compute meanwhile, as a second training would.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Annotated

import typer

from annotation.children import gentle_threads

ALL = gentle_threads()["OMP_NUM_THREADS"]
ARMS = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "all cores, asleep at once": {"OMP_NUM_THREADS": ALL, "OMP_WAIT_POLICY": "PASSIVE"},
    "all cores, as the worker": gentle_threads(),
    "all cores, as OpenMP does by itself": {"OMP_NUM_THREADS": ALL},
}
WARM_STEPS, STEPS = 6, 24
app = typer.Typer(add_completion=False)


@app.command()
def compare(
    data: Annotated[Path, typer.Option(help="A folder with train.txt.")], busy: int = 0, rounds: int = 2
) -> None:
    """Print a Markdown table."""
    seconds: dict[str, list[float]] = {name: [] for name in ARMS}
    with _others(busy):
        for _ in range(rounds):
            for name, settings in ARMS.items():
                command = [sys.executable, __file__, "one", str(data)]
                clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
                done = subprocess.run(command, env=clean | settings, check=True, capture_output=True, text=True)
                seconds[name].append(float(done.stdout))
    sys.stdout.write(f"| beside {busy} busy processes | seconds a step, each round |\n|---|---|\n")
    for name, its in seconds.items():
        sys.stdout.write(f"| {name} | {', '.join(f'{value:.2f}' for value in its)} |\n")


@app.command()
def one(data: Path) -> None:
    """Train `maner` for a few steps and print the median seconds of one."""
    from maner_core.config import TrainConfig
    from maner_core.conll import read
    from maner_core.training import train

    corpus = read(data / "train.txt")
    chosen = Random(0).sample(range(len(corpus.sentences)), 100)
    labels = sorted({span.label for spans in corpus.spans for span in spans})
    steps = WARM_STEPS + STEPS
    config = TrainConfig(min_steps=steps, max_steps=steps, max_restarts=0)
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            [corpus.sentences[i] for i in chosen],
            [corpus.spans[i] for i in chosen],
            labels,
            config,
            Path(folder) / "checkpoint",
            lambda progress: marks.append(perf_counter()),
        )
    each = [after - before for before, after in pairwise(marks)]
    sys.stdout.write(f"{statistics.median(each[WARM_STEPS - 1 :])}\n")


@contextmanager
def _others(n: int) -> Iterator[None]:
    """So many processes multiply matrices, on one thread each, until the end of the block."""
    work = "import torch\nm = torch.rand(512, 512)\nwhile True: m @ m"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen([sys.executable, "-c", work], env=environment) for _ in range(n)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    app()
