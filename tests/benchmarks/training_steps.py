"""What each measure brings: seconds of a training step with all of them and with each one taken away, turn by turn.

    PYTHONPATH=. python tests/benchmarks/training_steps.py --data FOLDER [--system maner] [--rounds 3]

FOLDER holds train.txt in two columns. Every arm trains the same network on the same 100 sentences from the same seed. The last
lines count the floating-point operations of a step and set the time beside the rate at which this machine multiplies matrices.
"""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import torch
import typer
from _limits import matrix_rate, operations_of
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from maner_core import batches, optimiser, training
from maner_core.attention import NAME
from maner_core.backbones import load_backbone
from maner_core.batches import in_parts, random_batches
from maner_core.config import TrainConfig
from maner_core.conll import read
from maner_core.devices import has_bfloat16
from maner_core.encoding import Specials, WordEncoder
from maner_core.model import TokenTagger, trim_vocabulary
from maner_core.spans import iob2_tags

SENTENCES = 100
Changes = tuple[dict[str, Any], Callable[[], AbstractContextManager[Any]]]


@contextmanager
def _attention_in_float32() -> Iterator[None]:
    from transformers import AttentionInterface

    def fused(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[Any, None]:
        options["dropout"] = 0.0
        states, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), mask, **options)
        return states.to(query.dtype), None

    before = AttentionInterface()[NAME]
    AttentionInterface.register(NAME, fused)
    try:
        yield
    finally:
        AttentionInterface.register(NAME, before)


ARMS: dict[str, Changes] = {
    "all measures": ({}, contextlib.nullcontext),
    "the whole vocabulary": ({"trim_vocabulary": False}, contextlib.nullcontext),
    "float32": ({"mixed_precision": False}, contextlib.nullcontext),
    "torch's attention, in float32": ({}, _attention_in_float32),
    "torch's dropout": ({}, lambda: patch.object(training, "use_fast_dropout", lambda model, seed: None)),
    "batches not sorted by length": ({}, lambda: patch.object(batches, "_BUCKET_BATCHES", 1)),
    "memory returned at once": ({}, lambda: patch.object(training, "reused_memory", contextlib.nullcontext)),
    "all weights updated together": ({}, lambda: patch.object(optimiser, "_SLICE", 1 << 40)),
}


def main(
    data: Annotated[Path, typer.Option(help="A folder with train.txt.")],
    system: str = "maner",
    steps: int = 26,
    rounds: int = 3,
    threads: int = 1,
) -> None:
    """Print a Markdown table of milliseconds a step and what follows for the machine."""
    torch.set_num_threads(threads)
    corpus = read(data / "train.txt")
    chosen = Random(0).sample(range(len(corpus.sentences)), SENTENCES)
    config = TrainConfig(system=system, epochs=0, min_steps=steps, max_steps=0)
    cost: dict[str, list[tuple[float, float]]] = {name: [] for name in ARMS}
    padded = operations = 0.0
    for _ in range(rounds):
        for name, (changes, context) in ARMS.items():
            with context():
                model, examples, specials, _ = network(replace(config, **changes), corpus, chosen)
                counting = name == "all measures" and not operations
                if counting:
                    padded, operations = _work(model, examples, specials.pad, config)
                cost[name].append(_milliseconds(model, examples, specials, replace(config, **changes)))
    write = sys.stdout.write
    write("| taken away | wall ms a step, median (range) | CPU ms | slower by |\n|---|---|---|---|\n")
    base = statistics.median(cpu for _, cpu in cost["all measures"])
    for name, pairs in cost.items():
        wall, cpu = [pair[0] for pair in pairs], statistics.median(pair[1] for pair in pairs)
        spread = f"{statistics.median(wall):.0f} ({min(wall):.0f}-{max(wall):.0f})"
        write(f"| {'nothing' if name == 'all measures' else name} | {spread} | {cpu:.0f} | {cpu / base - 1:.0%} |\n")
    device = torch.device("cpu")
    kind = torch.bfloat16 if config.mixed_precision and has_bfloat16(device) else torch.float32
    rate = matrix_rate(kind, device)
    best = min(wall for wall, _ in cost["all measures"])
    write(
        f"\nA step of {padded:.0f} sub-words with padding takes {operations / 1e9:.1f} GFLOP. This machine multiplies "
        f"{str(kind).removeprefix('torch.')} matrices at {rate / 1e9:.0f} GFLOP/s ({threads} thread(s)): "
        f"{operations / rate * 1e3:.0f} ms at least. The fastest round reached "
        f"{operations / (best / 1e3) / rate:.0%} of that rate.\n"
    )


def network(config: TrainConfig, corpus: Any, chosen: list[int]) -> tuple[TokenTagger, Any, Specials, Any]:
    """An untrained tagger for these sentences of a corpus, their examples, special tokens, and the tokenizer."""
    sentences, spans = [corpus.sentences[i] for i in chosen], [corpus.spans[i] for i in chosen]
    tags = iob2_tags(sorted({span.label for its_spans in corpus.spans for span in its_spans}))
    encoder, tokenizer = load_backbone(config.backbone)
    words = WordEncoder(tokenizer, config.system, config.max_length)
    examples = training._examples(words.windows(sentences), spans, sentences, tags)
    if config.trim_vocabulary:
        trim_vocabulary(
            encoder, torch.tensor(sorted({i for window, _ in examples for i in window.ids} | {words.specials.pad}))
        )
    torch.manual_seed(0)
    return TokenTagger(encoder, len(tags), config.dropout), examples, words.specials, tokenizer


def _milliseconds(model: TokenTagger, examples: Any, specials: Specials, config: TrainConfig) -> tuple[float, float]:
    """Wall and CPU milliseconds of a step, the first ten steps not counted."""
    warm, marks = 10, []

    def mark(progress: training.Progress) -> None:
        marks.append((time.perf_counter(), time.process_time()))

    longer = replace(config, min_steps=config.min_steps + warm)
    training._optimise(model, examples, specials, longer, torch.device("cpu"), config.subwords_at_once, mark)
    (wall, cpu), (wall_end, cpu_end) = marks[warm - 1], marks[-1]
    return (wall_end - wall) / config.min_steps * 1e3, (cpu_end - cpu) / config.min_steps * 1e3


def _work(model: TokenTagger, examples: Any, pad: int, config: TrainConfig) -> tuple[float, float]:
    """Sub-words with their padding, and floating-point operations, of a mean step."""
    lengths = [len(window.ids) for window, _ in examples]
    drawn = list(islice(random_batches(lengths, config.batch_size, np.random.default_rng(config.seed)), 13))
    parts = [part for batch in drawn for part in in_parts(batch, lengths, config.subwords_at_once)]

    def run() -> None:
        for part in parts:
            training._loss(model, [examples[i] for i in part], pad, torch.device("cpu")).backward()  # type: ignore[no-untyped-call]

    operations = operations_of(run)
    padded = sum(len(part) * max(lengths[i] for i in part) for part in parts)
    model.zero_grad(set_to_none=True)
    return padded / len(drawn), operations / len(drawn)


if __name__ == "__main__":
    typer.run(main)
