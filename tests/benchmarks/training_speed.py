"""Training of 100 sentences: this tagger against the Trainer of `transformers`, turn by turn on the same data.

    PYTHONPATH=. python tests/benchmarks/training_speed.py compare --data DIR --seeds 3 --out results/training_speed.jsonl

Each training is a process of its own, so that its peak memory is its own too. All have the same sentences, batch size,
number of steps, peak learning rate and bundled backbone; F1 is strict, on the first test sentences. What `out` already
holds is not trained again.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import mean
from typing import Annotated, Any

import typer

from maner_core.backbones import bundled_folder, load_backbone
from maner_core.config import TrainConfig
from maner_core.conll import read
from maner_core.evaluation import f1_report
from maner_core.spans import Span, iob2_tags, repair_tags, spans_to_tags, tags_to_spans

ARMS = ("trainer-fp32", "trainer-bf16", "sner", "maner")
BATCH_SIZE, EPOCHS, LEARNING_RATE = 8, 30, 1e-4
Sentences = list[list[str]]
Spans = list[list[Span]]

app = typer.Typer(add_completion=False)


@app.command()
def compare(
    data: Annotated[Path, typer.Option(help="Folder with train.txt and test.txt, two columns, IOB2.")],
    out: Annotated[Path, typer.Option(help="JSON lines, one a training; the table is made of them.")],
    seeds: int = 3,
    train_size: int = 100,
    test_size: int = 500,
) -> None:
    """Run every arm with every seed, alternating, and print the table."""
    bundled_folder()  # built once, outside every clock
    out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    for seed in range(seeds):
        for arm in ARMS:
            if any(row["arm"] == arm and row["seed"] == seed for row in done):
                continue
            command = [sys.executable, __file__, "one", arm, str(seed), str(data), str(train_size), str(test_size)]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            done.append(json.loads(line))
            with out.open("a") as file:
                file.write(line + "\n")
            sys.stderr.write(line + "\n")
    sys.stdout.write(table(done))


@app.command()
def one(arm: str, seed: int, data: Path, train_size: int, test_size: int) -> None:
    """Train once and print one JSON object: seconds of the training alone (wall and CPU), peak bytes of the process, F1."""
    sentences, spans = _read(data / "train.txt")
    chosen = Random(seed).sample(range(len(sentences)), train_size)
    train = [sentences[i] for i in chosen], [spans[i] for i in chosen]
    labels = sorted({span.label for its_spans in spans for span in its_spans})
    all_test, all_gold = _read(data / "test.txt")
    test, gold = all_test[:test_size], all_gold[:test_size]
    run = _trainer if arm.startswith("trainer") else _tagger
    seconds, cpu, peak, predicted = run(arm, seed, *train, labels, test)
    row = {
        "arm": arm,
        "seed": seed,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_bytes": peak,
        "f1": f1_report(gold, predicted).f1,
    }
    sys.stdout.write(json.dumps(row) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over seeds as a Markdown table, with each arm's ratio to the Trainer in fp32."""
    lines = [
        "| arm | seconds (each seed) | CPU seconds | times as fast as fp32 / bf16 | by CPU time | peak GB | F1 (each seed) |",
        "|---|---|---|---|---|---|---|",
    ]
    by_arm = {arm: sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["seed"]) for arm in ARMS}
    for arm, its in by_arm.items():
        if not its:
            continue
        wall, cpu = (
            " / ".join(_ratio(by_arm[base], its, clock) for base in ("trainer-fp32", "trainer-bf16"))
            for clock in ("seconds", "cpu_seconds")
        )
        seconds, f1 = [row["seconds"] for row in its], [row["f1"] for row in its]
        cpu_seconds = _each([row["cpu_seconds"] for row in its], 0)
        peak = mean(row["peak_bytes"] for row in its) / 1e9
        lines.append(f"| {arm} | {_each(seconds, 0)} | {cpu_seconds} | {wall} | {cpu} | {peak:.2f} | {_each(f1, 3)} |")
    return "\n".join(lines) + "\n"


def _each(values: Sequence[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def _ratio(base: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], clock: str) -> str:
    paired = [b[clock] / r[clock] for b in base for r in rows if b["seed"] == r["seed"]]
    return f"{mean(paired):.1f}" if paired else "-"


def _tagger(
    arm: str, seed: int, sentences: Sentences, spans: Spans, labels: list[str], test: Sentences
) -> tuple[float, float, int, Spans]:
    from maner_core.inference import Tagger
    from maner_core.training import train

    config = TrainConfig(
        system=arm, seed=seed, epochs=EPOCHS, min_steps=0, max_steps=0, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE,
        max_restarts=0, reinitialised_layers=0,  # as Trainer starts
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        started, cpu_started = time.perf_counter(), time.process_time()
        train(sentences, spans, labels, config, Path(folder) / "checkpoint")
        seconds, cpu, peak = time.perf_counter() - started, time.process_time() - cpu_started, _peak_bytes()
        predictions = Tagger.load(Path(folder) / "checkpoint").predict(test)
    return seconds, cpu, peak, [prediction.spans for prediction in predictions]


def _trainer(
    arm: str, seed: int, sentences: Sentences, spans: Spans, labels: list[str], test: Sentences
) -> tuple[float, float, int, Spans]:
    import torch
    from transformers import (
        AutoModelForTokenClassification,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
    )

    tags = iob2_tags(labels)
    _, tokenizer = load_backbone("bundled")

    def encode(sentence: list[str], gold: list[str] | None) -> dict[str, Any]:
        encoded = tokenizer(sentence, is_split_into_words=True, truncation=True, max_length=256)
        words = encoded.word_ids()
        first = [word is not None and word != before for word, before in zip(words, [None, *words[:-1]], strict=True)]
        if gold is not None:
            encoded["labels"] = [
                tags.index(gold[word]) if new and word is not None else -100
                for word, new in zip(words, first, strict=True)
            ]
        return dict(encoded)

    with tempfile.TemporaryDirectory() as folder:
        started, cpu_started = time.perf_counter(), time.process_time()
        model = AutoModelForTokenClassification.from_pretrained(bundled_folder(), num_labels=len(tags))
        examples = [encode(s, spans_to_tags(g, len(s))) for s, g in zip(sentences, spans, strict=True)]
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE,
            warmup_steps=0.1, seed=seed, bf16=arm.endswith("bf16"),
            use_cpu=not torch.cuda.is_available(), report_to="none", disable_tqdm=True, save_strategy="no",
            logging_strategy="no",
        )  # fmt: skip
        collator = DataCollatorForTokenClassification(tokenizer)
        trainer = Trainer(model=model, args=arguments, train_dataset=examples, data_collator=collator)
        trainer.train()
        trainer.save_model(str(Path(folder) / "checkpoint"))
        seconds, cpu, peak = time.perf_counter() - started, time.process_time() - cpu_started, _peak_bytes()
    predicted = []
    with torch.inference_mode():
        for sentence in test:
            encoded = tokenizer(
                [sentence], is_split_into_words=True, return_tensors="pt", truncation=True, max_length=512
            )
            best = model.eval()(**encoded).logits[0].argmax(-1).tolist()
            words = encoded.word_ids()
            read = {word: tags[best[i]] for i, word in reversed(list(enumerate(words))) if word is not None}
            predicted.append(tags_to_spans(repair_tags([read.get(i, "O") for i in range(len(sentence))])))
    return seconds, cpu, peak, predicted


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _read(path: Path) -> tuple[Sentences, Spans]:
    corpus = read(path)
    return corpus.sentences, corpus.spans


if __name__ == "__main__":
    app()
