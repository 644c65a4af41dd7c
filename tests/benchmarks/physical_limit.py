"""How near training and prediction come to what the machine can do: operations, seconds, share of its matrix rate.

    PYTHONPATH=. python tests/benchmarks/physical_limit.py --data DIR [--system maner] [--sentences 100] [--steps 20]

DIR holds train.txt in two columns. Operations are those of matrix products, attention included; padding counts as work. The
rate is measured in the number type that is used, on the same threads, just before. On one CPU thread seconds are those of the
CPU, so that other work on the machine matters less; else they are those of the wall.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from _limits import matrix_rate, operations_of
from training_steps import network

from maner_core import training
from maner_core.config import TrainConfig
from maner_core.conll import read
from maner_core.devices import best_device, has_bfloat16
from maner_core.encoding import WordEncoder
from maner_core.inference import Tagger

WARM_UP = 3
"""Steps that are not timed."""


def main(
    data: Annotated[Path, typer.Option(help="A folder with train.txt.")],
    system: Annotated[list[str], typer.Option()] = ["maner", "sner"],  # noqa: B006  # typer copies it
    backbone: str = "bundled",
    sentences: int = 100,
    steps: int = 20,
    rounds: int = 3,
    threads: int = 1,
) -> None:
    """Print a Markdown table: the fastest of some rounds of training steps and of predictions of these sentences."""
    torch.set_num_threads(threads)
    device = torch.device(best_device())
    clock = time.process_time if device.type == "cpu" and threads == 1 else time.perf_counter
    sys.stdout.write(
        "| work | numbers | GFLOP | seconds | GFLOP/s | machine's GFLOP/s | share |\n|---|---|---|---|---|---|---|\n"
    )
    for its_system in system:
        for mixed in (True, False):
            config = TrainConfig(
                system=its_system, backbone=backbone, epochs=0, min_steps=steps, max_steps=steps, mixed_precision=mixed
            )
            kind = torch.bfloat16 if mixed and has_bfloat16(device) else torch.float32
            if mixed and kind == torch.float32:
                continue  # the same as without
            rate = matrix_rate(kind, device, clock)
            numbers = str(kind).removeprefix("torch.")
            for work, (operations, seconds) in {
                f"{its_system}, training step": _step(config, data, sentences, device, rounds, clock),
                f"{its_system}, prediction of a sentence": _prediction(config, data, sentences, device, rounds, clock),
            }.items():
                reached = operations / seconds
                sys.stdout.write(
                    f"| {work} | {numbers} | {operations / 1e9:.2f} | {seconds:.4f} | {reached / 1e9:.1f} "
                    f"| {rate / 1e9:.1f} | {reached / rate:.0%} |\n"
                )
                sys.stdout.flush()


def _step(
    config: TrainConfig, data: Path, sentences: int, device: torch.device, rounds: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Operations and seconds of a mean training step."""
    corpus = read(data / "train.txt")
    model, examples, specials, _ = network(config, corpus, list(range(sentences)))
    marks: list[float] = []

    def train(config: TrainConfig) -> None:
        marks.clear()
        training._optimise(
            model.to(device),
            examples,
            specials,
            config,
            device,
            config.subwords_at_once,
            lambda _: marks.append(clock()),
        )

    operations = operations_of(lambda: train(config)) / config.min_steps
    seconds = []
    for _ in range(rounds):
        train(replace(config, min_steps=config.min_steps + WARM_UP, max_steps=config.max_steps + WARM_UP))
        seconds.append((marks[-1] - marks[WARM_UP - 1]) / config.min_steps)
    return operations, min(seconds)


def _prediction(
    config: TrainConfig, data: Path, sentences: int, device: torch.device, rounds: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Operations and seconds of predicting a mean sentence, cutting words into sub-words and all."""
    corpus = read(data / "train.txt")
    model, _, _, tokenizer = network(replace(config, trim_vocabulary=False), corpus, list(range(sentences)))
    words = WordEncoder(tokenizer, config.system, config.max_length)
    tagger = Tagger(model.to(device), words, corpus.labels, config)
    texts = corpus.sentences[:sentences]
    operations = operations_of(lambda: tagger.predict(texts))
    seconds = []
    for _ in range(rounds):
        started = clock()
        tagger.predict(texts)
        seconds.append(clock() - started)
    return operations / sentences, min(seconds) / sentences


if __name__ == "__main__":
    typer.run(main)
