"""Does guessing hidden words of unlabelled text help a tagger? Nothing, before and beside, for several systems and seeds.

    PYTHONPATH=. python tests/benchmarks/adaptation.py --data DIR --data DIR --seeds 3 --out results/adaptation.jsonl

An arm is none, before or beside, and may set fields of TrainConfig: `--arm before:mlm_steps=1000,mlm_learning_rate=5e-5`.
For each seed all arms have the same labelled sentences, drawn from train.txt; the unlabelled text is drawn from the rest of
it, without tags. F1 is strict, on the first sentences of test.txt. What `out` already holds is not trained again.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Annotated, Any

import typer

from maner_core.config import TrainConfig
from maner_core.conll import read
from maner_core.evaluation import bootstrap_f1, entity_counts, f1_report
from maner_core.inference import Tagger
from maner_core.training import train

KEY = ("set", "system", "arm", "seed", "labelled", "backbone")


def main(
    data: Annotated[list[Path], typer.Option(help="Folder with train.txt and test.txt, two columns, IOB2.")],
    out: Annotated[Path, typer.Option(help="JSON lines, one a training; the table is made of them.")],
    system: Annotated[list[str] | None, typer.Option(help="Input scheme, given again for more.")] = None,
    arm: Annotated[list[str] | None, typer.Option(help="none, before or beside, with settings behind a colon.")] = None,
    seeds: int = 1,
    labelled: int = 100,
    unlabelled: int = 2000,
    test_size: int = 500,
    backbone: str = "bundled",
) -> None:
    """Run what is missing and print the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {tuple(row[name] for name in KEY) for row in rows}
    for seed in range(1, seeds + 1):
        for folder in data:
            for its_system in system or ["maner", "sner"]:
                for its_arm in arm or ["none", "before", "beside"]:
                    if (folder.name, its_system, its_arm, seed, labelled, backbone) in done:
                        continue
                    config = _config(its_arm, its_system, backbone, seed)
                    row = {"set": folder.name, "arm": its_arm, **_run(folder, config, labelled, unlabelled, test_size)}
                    rows.append(row)
                    with out.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    sys.stderr.write(table(rows[-1:]))
    sys.stdout.write(table([row for row in rows if row["labelled"] == labelled and row["backbone"] == backbone]))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """F1 in percent by set, system and arm: the mean over seeds, and the mean difference to the arm none of the same seed."""
    lines = ["| set | system | arm | F1 | against none | seeds | CPU seconds |", "|---|---|---|---|---|---|---|"]
    for place in dict.fromkeys((row["set"], row["system"], row["arm"]) for row in rows):
        its = [row for row in rows if (row["set"], row["system"], row["arm"]) == place]
        plain = {
            row["seed"]: row["f1"] for row in rows if (row["set"], row["system"], row["arm"]) == (*place[:2], "none")
        }
        gains = [row["f1"] - plain[row["seed"]] for row in its if row["seed"] in plain]
        each = ", ".join(f"{100 * gain:+.1f}" for gain in gains)
        against = f"{100 * fmean(gains):+.1f} ({each})" if gains else "-"
        f1, seconds = 100 * fmean(row["f1"] for row in its), fmean(row["cpu_seconds"] for row in its)
        lines.append(f"| {' | '.join(place)} | {f1:.1f} | {against} | {len(its)} | {seconds:.0f} |")
    return "\n".join(lines) + "\n"


def _config(arm: str, system: str, backbone: str, seed: int) -> TrainConfig:
    """The default preset with what the arm says: `before:mlm_steps=1000`."""
    adaptation, _, settings = arm.partition(":")
    given = dict(setting.split("=", 1) for setting in settings.split(",") if setting)
    values = {name: json.loads(value) for name, value in given.items()}
    config = TrainConfig.preset("default", system=system, backbone=backbone, seed=seed)
    return replace(config, adaptation=adaptation, **values)


def _run(folder: Path, config: TrainConfig, labelled: int, unlabelled: int, test_size: int) -> dict[str, Any]:
    """One training and its F1 on the test sentences."""
    corpus, test = read(folder / "train.txt"), read(folder / "test.txt")
    order = Random(config.seed).sample(range(len(corpus.sentences)), len(corpus.sentences))
    chosen, rest = order[:labelled], order[labelled : labelled + unlabelled]
    text = [corpus.sentences[i] for i in rest]
    gold, sentences = [corpus.spans[i] for i in chosen], [corpus.sentences[i] for i in chosen]
    started, started_cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = Path(temporary) / "checkpoint"
        report = train(sentences, gold, corpus.labels, config, checkpoint, text=text)
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        predictions = Tagger.load(checkpoint).predict(test.sentences[:test_size])
    expected, found = test.spans[:test_size], [prediction.spans for prediction in predictions]
    low, high = bootstrap_f1(entity_counts(expected, found))
    return {
        "system": config.system,
        "seed": config.seed,
        "labelled": labelled,
        "unlabelled": len(text),
        "test": len(expected),
        "backbone": config.backbone,
        "f1": f1_report(expected, found).f1,
        "f1_low": low,
        "f1_high": high,
        "train_f1": report.train_f1,
        "loss": report.loss,
        "restarts": report.restarts,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "config": config.to_dict(),
    }


if __name__ == "__main__":
    typer.run(main)
