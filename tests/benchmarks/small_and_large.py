"""What makes a training small: frozen layers, LoRA and gradient checkpointing beside the full one, at some sizes and seeds.

    PYTHONPATH=. python tests/benchmarks/small_and_large.py compare --data DIR --size 100 --size 300 --seeds 3 --out FILE

DIR holds train.txt and test.txt in two columns. Each training is a process of its own on one thread, so that its peak memory is
its own too; all arms of a seed have the same sentences, and F1 is strict, on the first test sentences. What FILE already holds
is not trained again. A row is one training, no repetition; `--steps` makes it shorter, to try the script out.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Annotated, Any

import typer

from maner_core.config import TrainConfig
from maner_core.conll import read

ARMS: dict[str, dict[str, Any]] = {
    "full": {},
    "6 layers frozen": {"frozen_layers": 6},
    "9 layers frozen": {"frozen_layers": 9},
    "LoRA of rank 8": {"lora_rank": 8},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "LoRA and gradient checkpointing": {"lora_rank": 8, "gradient_checkpointing": True},
}
KEY = ("set", "system", "backbone", "arm", "size", "seed", "steps")

app = typer.Typer(add_completion=False)


@app.command()
def compare(
    data: Annotated[Path, typer.Option(help="Folder with train.txt and test.txt, two columns, IOB2.")],
    out: Annotated[Path, typer.Option(help="JSON lines, one a training; the table is made of them.")],
    size: Annotated[list[int], typer.Option(help="Training sentences.")] = [100, 300],  # noqa: B006  # typer copies it
    arm: Annotated[list[str] | None, typer.Option(help="Only these; by default all.")] = None,
    seeds: int = 1,
    system: str = "maner",
    backbone: str = "bundled",
    test_size: int = 500,
    steps: Annotated[int, typer.Option(help="Optimiser steps; 0 leaves them to the default preset.")] = 0,
) -> None:
    """Run what is missing, arm by arm within a seed, and print the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {tuple(row[name] for name in KEY) for row in rows}
    for seed in range(seeds):
        for its_size in size:
            for its_arm in arm or ARMS:
                key = (data.name, system, backbone, its_arm, its_size, seed, steps)
                if key in done:
                    continue
                settings = dict(zip(KEY, key, strict=True)) | {"data": str(data), "test_size": test_size}
                command = [sys.executable, __file__, "one", json.dumps(settings)]
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
                rows.append(json.loads(output.splitlines()[-1]))
                with out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                sys.stderr.write(f"{its_arm}, {its_size} sentences, seed {seed}: {rows[-1]['cpu']:.0f} s of CPU\n")
    fixed = {"set": data.name, "system": system, "backbone": backbone, "steps": steps}
    sys.stdout.write(table([row for row in rows if all(row[name] == value for name, value in fixed.items())]))


@app.command()
def one(settings: str) -> None:
    """Train once and print one JSON object: seconds of the training with loading and saving, bytes, F1."""
    from maner_core.evaluation import f1_report
    from maner_core.inference import Tagger
    from maner_core.training import train

    row = json.loads(settings)
    folder, seed = Path(row.pop("data")), row["seed"]
    corpus, test = read(folder / "train.txt"), read(folder / "test.txt")
    chosen = Random(seed).sample(range(len(corpus.sentences)), row["size"])
    length = {"epochs": 0.0, "min_steps": row["steps"], "max_steps": row["steps"]} if row["steps"] else {}
    config = TrainConfig.preset(
        "default",
        system=row["system"],
        backbone=row["backbone"],
        seed=seed,
        max_restarts=0,
        **ARMS[row["arm"]],
        **length,
    )
    sentences, spans = [corpus.sentences[i] for i in chosen], [corpus.spans[i] for i in chosen]
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = Path(temporary) / "checkpoint"
        started, cpu = time.perf_counter(), time.process_time()
        report = train(sentences, spans, corpus.labels, config, checkpoint)
        row |= {
            "wall": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "done_steps": report.steps,
            "device": report.device,
            "peak_training": report.peak_memory_bytes,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "checkpoint": sum(file.stat().st_size for file in checkpoint.iterdir()),
            "train_f1": report.train_f1,
        }
        predictions = Tagger.load(checkpoint).predict(test.sentences[: row["test_size"]])
    row["f1"] = f1_report(test.spans[: row["test_size"]], [prediction.spans for prediction in predictions]).f1
    sys.stdout.write(json.dumps(row) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over seeds as a Markdown table; the time also as a share of the full training's, seed by seed."""
    lines = [
        "| sentences | arm | seeds | CPU seconds | of full | peak GB: training | and saving | checkpoint MB | F1 (each seed) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in sorted({row["size"] for row in rows}):
        full = {row["seed"]: row for row in rows if (row["size"], row["arm"]) == (size, "full")}
        for arm in ARMS:
            its = [row for row in rows if (row["size"], row["arm"]) == (size, arm)]
            if not its:
                continue
            shares = [row["cpu"] / full[row["seed"]]["cpu"] for row in its if row["seed"] in full]
            lines.append(
                f"| {size} | {arm} | {len(its)} | {fmean(row['cpu'] for row in its):.0f} "
                f"| {f'{fmean(shares):.0%}' if shares else '-'} | {fmean(row['peak_training'] for row in its) / 1e9:.2f} "
                f"| {fmean(row['peak'] for row in its) / 1e9:.2f} | {fmean(row['checkpoint'] for row in its) / 1e6:.1f} "
                f"| {100 * fmean(row['f1'] for row in its):.1f} ({', '.join(format(100 * row['f1'], '.1f') for row in its)}) |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    app()
