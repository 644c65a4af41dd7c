"""What tests/test_processes.py starts by `accelerate launch`: some trainings one after the other, the last by the command."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from encoders import FAST, LABELS, SENTENCES, SPANS

from maner_core.__main__ import main
from maner_core.config import TrainConfig
from maner_core.processes import Processes
from maner_core.training import Progress, train

TRAININGS: dict[str, dict[str, Any]] = {
    # With one sentence a step the second process has nothing to do. No F1 is above 1, so it starts again.
    "one sentence a step": {"system": "mlm_ner", "batch_size": 1, "min_train_f1": 1.0, "max_restarts": 1},
    "second loss": {"adaptation": "beside", "frozen_layers": 1, "mlm_batch_size": 3, "subwords_at_once": 40},
    "adapted before": {"adaptation": "before", "mlm_steps": 3},
}


def configuration(name: str, backbone: Path) -> TrainConfig:
    """One of TRAININGS, short and without dropout."""
    quiet: dict[str, Any] = {"dropout": 0.0, "min_steps": 4, "max_steps": 4}
    return replace(FAST, backbone=str(backbone), **quiet | TRAININGS[name])


def run(folder: Path) -> None:
    """Every training of TRAININGS, to `folder` / its name; what each process heard of it to a file of its own."""
    for name in TRAININGS:
        heard: list[Progress] = []
        config = configuration(name, folder / "backbone")
        text = SENTENCES if config.adaptation != "none" else ()
        report = train(SENTENCES, SPANS, LABELS, config, folder / name, heard.append, text=text)
        told = {"heard": len(heard), "loss": report.loss, "restarts": report.restarts, "train_f1": report.train_f1}
        (folder / f"{name} {Processes().number}.json").write_text(json.dumps(told), encoding="utf-8")
    words = [
        "train",
        "--train",
        str(folder / "train.conll"),
        "--out",
        str(folder / "command"),
        "--steps",
        "2",
        "--json",
    ]
    sys.exit(main([*words, "--set", "max_restarts=0", "--backbone", str(folder / "backbone")]))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
