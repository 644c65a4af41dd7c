"""Prediction: this tagger against `pipeline("token-classification")` on the same checkpoint, turn by turn in one run.

    PYTHONPATH=. python tests/benchmarks/inference_speed.py compare --checkpoint FOLDER --data FILE [--rounds 3]
    PYTHONPATH=. python tests/benchmarks/inference_speed.py batches --checkpoint FOLDER --data FILE
    PYTHONPATH=. python tests/benchmarks/inference_speed.py stream --checkpoint FOLDER --data FILE [--sentences 100000]

FOLDER is a checkpoint of the system `sner`, which both read alike; FILE has two columns. Every arm of `compare` runs in a
process of its own on one thread, so that its peak memory is its own too; loading is not counted. Seconds of the wall suffer
from whatever else the machine does, those of the CPU less. `batches` tries numbers of sub-words at once, `stream` measures the
memory that a long text takes.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from maner_core.conll import words

Sentences = list[list[str]]
Tags = list[list[str]]

PIPELINES = {
    f"pipeline, {kind}, batch {size}": (kind, size) for kind in ("float32", "bfloat16") for size in (1, 4, 8, 16, 32)
}
ARMS = (*PIPELINES, "tagger, float32", "tagger, bfloat16")
BASE = "pipeline, float32, batch 1"
"""Its tags are what the others are held against: nothing is padded, nothing is rounded."""

Checkpoint = Annotated[Path, typer.Option(help="A checkpoint of the system sner.")]
Data = Annotated[Path, typer.Option(help="Sentences, two columns.")]
app = typer.Typer(add_completion=False)


@app.command()
def compare(
    checkpoint: Checkpoint,
    data: Data,
    sentences: int = 500,
    rounds: int = 3,
    out: Annotated[Path | None, typer.Option(help="JSON lines, one a measurement.")] = None,
) -> None:
    """All arms once, then in every further round the best pipeline of each kind and the tagger; prints the table."""
    rows: list[dict[str, Any]] = []
    for turn in range(rounds):
        arms = ARMS if turn == 0 else (*_best_pipelines(rows), *ARMS[-2:])
        for arm in arms:
            command = [sys.executable, __file__, "one", arm, str(checkpoint), str(data), str(sentences)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=_one_thread())
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            sys.stderr.write(f"{arm}: {rows[-1]['wall']:.1f} s, CPU {rows[-1]['cpu']:.1f} s\n")
            if out is not None:
                with out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    sys.stdout.write(_table(rows))


@app.command()
def one(arm: str, checkpoint: Path, data: Path, sentences: int) -> None:
    """One arm in this process; prints one JSON object."""
    texts = list(islice(words(data), sentences))
    predict, work = _arm(arm, checkpoint)
    predict(texts[:40])
    wall, cpu = time.perf_counter(), time.process_time()
    tags = predict(texts)
    wall, cpu, peak = time.perf_counter() - wall, time.process_time() - cpu, _peak()
    row = {
        "arm": arm,
        "sentences": len(texts),
        "wall": wall,
        "cpu": cpu,
        "peak": peak,
        "tags": tags,
        "operations": work(texts) if work else 0,
        "rate": _rate(arm.rpartition(" ")[2]) if work else 0,
    }
    sys.stdout.write(json.dumps(row) + "\n")


@app.command()
def batches(checkpoint: Checkpoint, data: Data, sentences: int = 300, rounds: int = 3) -> None:
    """CPU seconds by the number of sub-words that go through the network at once."""
    from maner_core.inference import Tagger

    texts, tagger = list(islice(words(data), sentences)), Tagger.load(checkpoint)
    cost: dict[int, list[float]] = {budget: [] for budget in (512, 1024, 2048, 4096, 8192)}
    for _ in range(rounds):
        for budget, its in cost.items():
            tagger._budget = budget
            tagger.predict(texts[:40])
            started = time.process_time()
            tagger.predict(texts)
            its.append(time.process_time() - started)
    for budget, its in cost.items():
        sys.stdout.write(f"{budget:5} sub-words: {median(its):.2f} s ({min(its):.2f}-{max(its):.2f})\n")


@app.command()
def stream(checkpoint: Checkpoint, data: Data, sentences: int = 100_000) -> None:
    """Read the file again and again through `Tagger.stream`, every word made new by a number, and print the peak memory."""
    from maner_core.inference import Tagger

    tagger = Tagger.load(checkpoint)
    loaded, started = _peak(), time.perf_counter()
    texts = ([f"{word}{i // 1000}" for word in sentence] for i, sentence in enumerate(cycle(words(data))))
    entities = sum(len(prediction.spans) for prediction in tagger.stream(islice(texts, sentences)))
    sys.stdout.write(
        f"{sentences:,} sentences, {entities:,} entities, {time.perf_counter() - started:.0f} s; peak memory "
        f"{_peak() / 1e9:.2f} GB, of which {loaded / 1e9:.2f} GB after loading\n"
    )


def _arm(arm: str, checkpoint: Path) -> tuple[Callable[[Sentences], Tags], Callable[[Sentences], float] | None]:
    """What predicts, and what counts the floating-point operations of a prediction."""
    import torch

    torch.set_num_threads(1)
    if arm in PIPELINES:
        kind, size = PIPELINES[arm]
        return _pipeline(checkpoint, getattr(torch, kind), size), None
    from _limits import operations_of

    from maner_core.inference import Tagger

    tagger = Tagger.load(checkpoint, device="cpu")
    tagger.config = replace(tagger.config, mixed_precision=arm.endswith("bfloat16"))

    def predict(texts: Sentences) -> Tags:
        return [prediction.tags for prediction in tagger.predict(texts)]

    return predict, lambda texts: operations_of(lambda: predict(texts))


def _pipeline(checkpoint: Path, dtype: Any, size: int) -> Callable[[Sentences], Tags]:
    from transformers import pipeline

    from maner_core.spans import repair_tags

    read = pipeline("token-classification", model=str(checkpoint), dtype=dtype, device="cpu", ignore_labels=[])

    def predict(texts: Sentences) -> Tags:
        found = read(texts, batch_size=size, is_split_into_words=True)
        return [repair_tags(_first_of_each(sentence, rows)) for sentence, rows in zip(texts, found, strict=True)]

    return predict


def _first_of_each(sentence: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[str]:
    """The tag at the first sub-word of each word; the pipeline counts characters of the words with a space between."""
    tags, start, left = [], 0, iter(rows)
    row = next(left, None)
    for word in sentence:
        while row is not None and row["start"] < start:
            row = next(left, None)
        tags.append(row["entity"] if row is not None and row["start"] <= start + len(word) else "O")
        start += len(word) + 1
    return tags


def _best_pipelines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The batch size that took the least CPU time, of each kind, and the one that the tags are compared with."""
    cpu = {row["arm"]: row["cpu"] for row in rows if row["arm"] in PIPELINES}
    kinds = {kind for kind, _ in PIPELINES.values()}
    best = [min((arm for arm in cpu if PIPELINES[arm][0] == kind), key=cpu.__getitem__) for kind in sorted(kinds)]
    return best


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Medians over the rounds as a Markdown table, and the last lines about the physical limit."""
    base = next(row["tags"] for row in rows if row["arm"] == BASE)
    best = min(rows, key=lambda row: row["cpu"] if "pipeline, float32" in row["arm"] else float("inf"))["arm"]
    of_best = median(row["cpu"] for row in rows if row["arm"] == best)
    lines = [
        "| arm | rounds | sentences a second: wall | CPU | times the best float32 pipeline (CPU) | equal tags | peak GB |",
        "|---|---|---|---|---|---|---|",
    ]
    limits = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        its = [row for row in rows if row["arm"] == arm]
        n, cpu = its[0]["sentences"], median(row["cpu"] for row in its)
        fastest = max(n / row["wall"] for row in its)
        lines.append(
            f"| {arm} | {len(its)} | {median(n / row['wall'] for row in its):.1f} (best {fastest:.1f}) | {n / cpu:.1f} "
            f"| {of_best / cpu:.2f} | {_equal(base, its[0]['tags']):.2%} | {max(row['peak'] for row in its) / 1e9:.2f} |"
        )
        if its[0]["operations"]:
            kind = arm.rpartition(" ")[2]
            rate, operations = max(row["rate"] for row in its), its[0]["operations"]
            least = min(row["cpu"] for row in its)
            limits.append(
                f"{arm}: {operations / n / 1e9:.2f} GFLOP a sentence; this machine multiplies {kind} matrices at "
                f"{rate / 1e9:.0f} GFLOP/s on one thread, so {rate / operations * n:.0f} sentences a second at most; "
                f"the fastest round reached {operations / least / rate:.0%} of that rate."
            )
    return "\n".join([*lines, "", *limits]) + "\n"


def _equal(one: Tags, other: Tags) -> float:
    """Share of words with the same tag."""
    pairs = [(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


def _rate(kind: str) -> float:
    import torch
    from _limits import matrix_rate

    return matrix_rate(getattr(torch, kind), torch.device("cpu"), time.process_time)


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _peak() -> int:
    """Bytes: the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    app()
