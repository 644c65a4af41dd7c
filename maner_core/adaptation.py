"""Masked-language-model training on unlabelled text: before a tagging, or beside it as a second loss.

Before: the encoder first learns to guess hidden words of the project's own text (Gururangan et al. 2020, "task-adaptive
pretraining"; Margatina et al. 2022 for active learning), and the result is a backbone like any other. Beside: the same loss
is added to the tagging loss with a weight that falls to 0, against the forgetting that Sonkar et al. 2023 suspect.
"""

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor

from maner_core.backbones import load_masked_lm, load_tokenizer, quiet_transformers
from maner_core.config import ADAPTATION_RECORD, TrainConfig
from maner_core.devices import (
    best_device,
    has_bfloat16,
    is_out_of_memory,
    return_freed_memory,
    reused_memory,
    subwords_at_once,
)
from maner_core.dropout import use_fast_dropout
from maner_core.encoding import WordEncoder, longest_window
from maner_core.errors import RunFailed
from maner_core.masked_lm import WordGuesser, add_gradients
from maner_core.masking import HiddenWords, MaskedInput, some_of
from maner_core.optimiser import Optimiser
from maner_core.processes import Processes
from maner_core.recomputation import recomputed_layers
from maner_core.training import OnProgress, Progress
from maner_core.whole_folder import written_whole


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """What an adaptation cost and came to; losses are means per hidden sub-word, in nats."""

    seconds: float
    steps: int
    first_loss: float
    """Over the first tenth of the steps."""
    loss: float
    """Over the last tenth of the steps."""
    sentences: int
    """Sentences of the text."""
    sentences_read: int
    """Those of them that were read: no more than all steps can hold, drawn by chance."""
    subwords: int
    """Different sub-words among which the guess was."""
    device: str
    seed: int


def adapt(
    text: Sequence[Sequence[str]],
    config: TrainConfig,
    folder: Path,
    on_progress: OnProgress | None = None,
    *,
    cache: Path | None = None,
) -> AdaptReport:
    """Train the backbone of `config` to guess hidden words of `text` (sentences of words), and save it to `folder`.

    `folder` appears whole or not at all and is an ordinary masked language model of `transformers`: a later training takes it
    as its backbone, a later adaptation goes on from it. `on_progress` is called after every step and may raise to stop.
    Of `config` only system, backbone, seed, the mlm_ fields and how to optimise matter. `cache`: where the bundled backbone is
    kept. Of several processes (`accelerate launch`) the first alone writes and tells of progress. Raises InvalidInput on a
    text without words, UnsupportedBackbone, and RunFailed.
    """
    started = time.perf_counter()
    set_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    tokenizer = load_tokenizer(config.backbone, cache)
    masked_lm, pretrained = load_masked_lm(config.backbone, cache)
    words = WordEncoder(tokenizer, config.system, longest_window(config.max_length, masked_lm, tokenizer))
    read = some_of(text, config.mlm_steps * config.mlm_batch_size, rng)
    hidden = HiddenWords(read, words, config.system)
    used = torch.tensor(sorted(hidden.ids))
    processes = Processes()
    model = WordGuesser(masked_lm, used).to(best_device())
    return_freed_memory()  # the rest of the vocabulary
    rate = config.mlm_learning_rate
    head_rate = rate if pretrained else config.head_learning_rate
    rates = replace(config, learning_rate=rate, head_learning_rate=head_rate, layer_decay=1.0)
    batches = hidden.batches(config.mlm_batch_size, config.mlm_probability, rng)
    try:
        losses = _optimise(model, batches, words.specials.pad, rates, on_progress)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise RunFailed("the machine has too little memory for this backbone; choose a smaller one") from None
    tenth = max(1, len(losses) // 10)
    report = AdaptReport(
        seconds=time.perf_counter() - started,
        steps=len(losses),
        first_loss=float(np.mean(losses[:tenth])),
        loss=float(np.mean(losses[-tenth:])),
        sentences=len(text),
        sentences_read=len(read),
        subwords=len(used),
        device=str(model.encoder.device),
        seed=config.seed,
    )
    if processes.first:
        _save(folder, model.cpu(), used, tokenizer, config, report, cache)
    processes.wait()
    return report


@contextmanager
def adapted_backbone(
    text: Sequence[Sequence[str]], config: TrainConfig, folder: Path, on_progress: OnProgress | None, cache: Path | None
) -> Iterator[str]:
    """The backbone that a training for `folder` starts from, a name or a folder.

    One that is adapted to `text` first, as `config` may ask for, lies beside `folder` meanwhile.
    """
    if config.adaptation != "before":
        yield config.backbone
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as temporary:
        backbone = Processes().same(str(Path(temporary) / "backbone"))
        adapt(text, config, Path(backbone), on_progress, cache=cache)
        yield backbone


def _optimise(
    model: WordGuesser,
    batches: Iterator[list[MaskedInput]],
    pad: int,
    config: TrainConfig,
    on_progress: OnProgress | None,
) -> list[float]:
    """Run the optimiser; the loss of each step. Raises RunFailed at one that is not finite."""
    steps, device, processes = config.mlm_steps, model.encoder.device, Processes()
    processes.align(model)
    seed = processes.own_seed(config.seed)
    random = use_fast_dropout(model, seed) if device.type == "cpu" else None
    at_once = subwords_at_once(config.subwords_at_once, device.type)
    losses: list[float] = []
    started = time.perf_counter()
    model.train()
    with (
        reused_memory(),
        recomputed_layers(model.encoder, config, random),
        closing(Optimiser(model, config, steps, config.mixed_precision and has_bfloat16(device))) as optimiser,
    ):
        for step, batch in enumerate(islice(batches, steps), 1):
            part = add_gradients(model.encoder, model.head, batch, pad, at_once, share=processes.share)
            loss = processes.total(part, device)
            processes.add_gradients(model)
            if not math.isfinite(loss + optimiser.step()):
                raise RunFailed(f"the loss became {loss} in the adaptation to the text; lower mlm_learning_rate")
            losses.append(loss)
            if on_progress is not None and processes.first:
                seconds = time.perf_counter() - started
                on_progress(Progress(step, steps, loss, seconds / step * (steps - step), "adapting"))
    return losses


def _save(
    folder: Path,
    model: WordGuesser,
    used: Tensor,
    tokenizer: Any,
    config: TrainConfig,
    report: AdaptReport,
    cache: Path | None,
) -> None:
    """Write the masked language model to `folder`, replacing what is there. Raises RunFailed when the disk does not take it."""
    with written_whole(folder) as unfinished:
        with quiet_transformers():
            _whole(model, used, config.backbone, cache).save_pretrained(unfinished)
            _save_tokenizer(tokenizer, unfinished)
        record = {"config": config.to_dict(), "report": asdict(report), "versions": {"torch": torch.__version__}}
        (unfinished / ADAPTATION_RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=2), encoding="utf-8")


def _save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write the tokenizer's files. Raises OSError when the disk does not take them."""
    try:
        tokenizer.save_pretrained(folder)
    except Exception as error:  # all that `tokenizers` raises is a plain Exception
        raise OSError(str(error)) from error


@torch.no_grad()
def _whole(model: WordGuesser, used: Tensor, backbone: str, cache: Path | None) -> Any:
    """The masked language model with the trained weights; rows that the text does not use come from `backbone`."""
    whole, _ = load_masked_lm(backbone, cache)
    table, decoder, head = whole.get_input_embeddings(), whole.get_output_embeddings(), model.head
    table.weight[used] = model.encoder.get_input_embeddings().weight
    model.encoder.set_input_embeddings(table)
    whole.base_model.load_state_dict(model.encoder.state_dict())
    whole.load_state_dict(head.between.state_dict(), strict=False)  # it lacks the encoder and the output table
    if head.weight is not None:
        decoder.weight[used] = head.weight
    if head.bias is not None:
        decoder.bias[used] = head.bias
    return whole
