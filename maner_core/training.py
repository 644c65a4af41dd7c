"""train(sentences, spans, labels, config, folder) -> checkpoint: the whole training, top to bottom.

Cross-entropy over the words of the labelled sentences, AdamW, linear warm-up and decay. Always from the pretrained backbone:
a tagger that is trained on from the last one generalises worse (Ash & Adams 2020).
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor, nn

from maner_core.attention import use_fast_attention, use_plain_attention
from maner_core.backbone_checks import check_vocabulary
from maner_core.backbones import load_encoder, load_masked_lm, load_tokenizer
from maner_core.batches import in_parts, random_batches
from maner_core.calibration import Calibration
from maner_core.checkpoints import save_checkpoint
from maner_core.config import SEEDS, TrainConfig
from maner_core.devices import (
    best_device,
    has_bfloat16,
    is_out_of_memory,
    peak_memory,
    return_freed_memory,
    reused_memory,
    subwords_at_once,
)
from maner_core.dropout import use_fast_dropout
from maner_core.encoding import Specials, Window, WordEncoder, longest_window, mask_words
from maner_core.entity_forms import EntityForms
from maner_core.errors import InvalidInput, RunFailed
from maner_core.evaluation import f1_report
from maner_core.frozen import FrozenLayers, KeptStates, freeze
from maner_core.inference import Tagger, pad_windows
from maner_core.lora import add_adapter, merge_adapter, weights_sha256
from maner_core.masked_lm import SecondLoss
from maner_core.model import TokenTagger, add_random_token, reinitialise, set_dropout, trim_vocabulary
from maner_core.model_card import TrainingData
from maner_core.optimiser import Optimiser
from maner_core.out_of_fold import calibrate_by_folds
from maner_core.processes import Processes
from maner_core.recomputation import recomputed_layers
from maner_core.spans import Span, iob2_tags, spans_to_tags, validate_spans


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands: `step` of `steps`, the loss of the last step, and a guess of the seconds left."""

    step: int
    steps: int
    loss: float
    seconds_left: float
    phase: str = "training"
    """Or "adapting": hidden words of the unlabelled text are being guessed, before the training."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training cost and came to."""

    seconds: float
    steps: int
    loss: float
    train_f1: float
    """Entity F1 on the training sentences themselves: below TrainConfig.min_train_f1 the run has failed."""
    peak_memory_bytes: int
    device: str
    seed: int
    restarts: int
    subwords_at_once: int
    """Sub-words that went through the network at once; less than configured where memory was short."""
    calibration: Calibration | None = None
    """The temperature and what it is good for, with TrainConfig.calibration_folds."""
    uncalibrated: str = ""
    """Why there is none although it was asked for."""


OnProgress = Callable[[Progress], None]


def train(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    config: TrainConfig,
    folder: Path,
    on_progress: OnProgress | None = None,
    *,
    text: Sequence[Sequence[str]] = (),
    cache: Path | None = None,
) -> TrainReport:
    """Train a tagger for `labels` on `sentences` (their words) and their gold `spans`, and save it to `folder`.

    `folder` appears whole or not at all. `on_progress` is called after every step and may raise to stop the training. Of
    several processes (`accelerate launch`), which all call this alike, the first alone writes and tells of progress.
    `text`: sentences without labels for the adaptation that `config` asks for. `cache`: where the bundled backbone is kept.
    Raises InvalidInput or InvalidSpans on unusable sentences, UnsupportedBackbone, and RunFailed when no repetition gives
    finite weights.
    """
    _check(sentences, spans, labels)
    if config.adaptation != "none" and not any(map(len, text)):
        raise InvalidInput(
            f"the adaptation {config.adaptation!r} needs unlabelled sentences; give some, or choose none"
        )
    processes = Processes()
    on_progress = on_progress if processes.first else None
    from maner_core.adaptation import adapted_backbone  # which needs this module

    with adapted_backbone(text, config, folder, on_progress, cache) as backbone:
        config_here = replace(config, backbone=backbone)
        tagger, report = _train_until_it_learns(
            sentences, spans, labels, text, config_here, _share(on_progress, 0, config.calibration_folds + 1), cache
        )
        if not math.isfinite(report.loss):
            raise RunFailed(
                f"the loss became {report.loss} in each of {report.restarts + 1} trainings; lower the learning rate"
            )
        if config.calibration_folds:
            started, uncalibrated = time.perf_counter(), ""
            learned = replace(config_here, seed=report.seed)
            try:
                tagger.calibration = _calibrate(sentences, spans, labels, text, learned, folder, on_progress, cache)
            except _NotLearned as failure:
                uncalibrated = str(failure)
            seconds = report.seconds + time.perf_counter() - started
            report = replace(report, calibration=tagger.calibration, uncalibrated=uncalibrated, seconds=seconds)
        return_freed_memory()  # before the whole vocabulary is put back
        if processes.first:
            data, entities = TrainingData.of(sentences, spans), EntityForms.of(sentences, spans)
            save_checkpoint(folder, tagger, config, report, cache, data, entities)
        processes.wait()
    return report


def _train_until_it_learns(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    text: Sequence[Sequence[str]],
    config: TrainConfig,
    on_progress: OnProgress | None,
    cache: Path | None,
) -> tuple[Tagger, TrainReport]:
    """The first training that has learned its own sentences, or the best of those that may be tried.

    Each tells of its progress from the first step on. The loss of the best is no number where that of all is none.
    """
    return_freed_memory()  # of the tagger this process may have used before
    best: tuple[Tagger, TrainReport] | None = None
    started = time.perf_counter()
    for restart in range(config.max_restarts + 1):
        attempt = replace(config, seed=(config.seed + restart) % SEEDS)
        tagger, report = _train_where_it_fits(sentences, spans, labels, text, attempt, on_progress, cache)
        # A training whose loss is no number is worse than any other, whatever its tagger happens to predict.
        if best is None or _success(report) > _success(best[1]):
            best = tagger, report
        if _success(report) >= config.min_train_f1:
            break
    assert best is not None
    tagger, report = best
    seconds, memory = time.perf_counter() - started, peak_memory(tagger.device)
    return tagger, replace(report, restarts=restart, seconds=seconds, peak_memory_bytes=memory)


class _NotLearned(RunFailed):
    """A training without one part of the sentences has not learned the others, so it says nothing of a tagger that has."""


def _calibrate(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    text: Sequence[Sequence[str]],
    config: TrainConfig,
    folder: Path,
    on_progress: OnProgress | None,
    cache: Path | None,
) -> Calibration | None:
    """As `calibrate_by_folds`. Raises _NotLearned where no repetition helps a training."""
    folds = config.calibration_folds

    def part(fold: int, its: Sequence[Sequence[str]], its_spans: Sequence[Sequence[Span]], place: Path) -> None:
        tell = _share(on_progress, fold + 1, folds + 1)
        tagger, report = _train_until_it_learns(its, its_spans, labels, text, config, tell, cache)
        if _success(report) < config.min_train_f1:
            raise _NotLearned(
                f"training {fold + 1} of {folds} without a part of the sentences has not learned the others (F1 "
                f"{report.train_f1:.3f}, loss {report.loss:.3f})"
            )
        save_checkpoint(place, tagger, config, report, cache)

    return calibrate_by_folds(sentences, spans, labels, folds, part, folder, config.seed, cache)


def _share(on_progress: OnProgress | None, before: int, trainings: int) -> OnProgress | None:
    """What tells of one training among several of like length as of a part of the whole; `before` of them are done.

    One that is repeated tells of the same part once more.
    """
    if on_progress is None or trainings == 1:
        return on_progress
    started = time.perf_counter()

    def tell(progress: Progress) -> None:
        passed = time.perf_counter() - started
        on_progress(
            replace(
                progress,
                step=before * progress.steps + progress.step,
                steps=trainings * progress.steps,
                seconds_left=passed * progress.steps / progress.step * (trainings - before) - passed,
            )
        )

    return tell


def _success(report: TrainReport) -> float:
    """The F1 on the training sentences, or -1 without finite weights."""
    return report.train_f1 if math.isfinite(report.loss) else -1.0


def _check(sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]], labels: Sequence[str]) -> None:
    if len(sentences) != len(spans):
        raise InvalidInput(f"{len(sentences)} sentences came with spans for {len(spans)}; each needs its own")
    if not any(len(sentence) for sentence in sentences):
        raise InvalidInput("there is no word to train on; give at least one labelled sentence")
    for sentence, its_spans in zip(sentences, spans, strict=True):
        validate_spans(its_spans, len(sentence), labels)


def _train_where_it_fits(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    text: Sequence[Sequence[str]],
    config: TrainConfig,
    on_progress: OnProgress | None,
    cache: Path | None,
) -> tuple[Tagger, TrainReport]:
    """One training on the best device; when its memory runs out with half the sub-words at once, at last on the CPU."""
    device = best_device()
    at_once = subwords_at_once(config.subwords_at_once, device)
    while True:
        try:
            return _train_once(
                sentences, spans, labels, text, config, torch.device(device), at_once, on_progress, cache
            )
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if Processes().count > 1:  # the others are in the middle of a step
                raise RunFailed(
                    f"the memory of a GPU is too short for {at_once} sub-words at once; set subwords_at_once to fewer, or "
                    "gradient_checkpointing"
                ) from None
            if device == "cpu":
                raise RunFailed("the machine has too little memory for this backbone; choose a smaller one") from None
        # Outside the handler, where the failed attempt's tensors are no longer held by its traceback.
        torch.cuda.empty_cache()
        # Less than one window at once is one window.
        device, at_once = ("cuda", at_once // 2) if at_once > config.max_length else ("cpu", config.subwords_at_once)


def _train_once(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    text: Sequence[Sequence[str]],
    config: TrainConfig,
    device: torch.device,
    at_once: int,
    on_progress: OnProgress | None,
    cache: Path | None,
) -> tuple[Tagger, TrainReport]:
    set_seed(config.seed)
    encoder, tokenizer = load_encoder(config.backbone, cache), load_tokenizer(config.backbone, cache)
    sha256 = weights_sha256(encoder) if config.lora_rank else ""  # of the weights as others will find them
    if config.system == "maner_rand":
        add_random_token(encoder, tokenizer, config.seed)
    check_vocabulary(encoder, tokenizer)
    words = WordEncoder(tokenizer, config.system, longest_window(config.max_length, encoder, tokenizer))
    tags = iob2_tags(labels)
    examples = _examples(words.windows(sentences), spans, sentences, tags)
    steps = config.steps(len(examples))
    beside = SecondLoss(text, words, config, steps) if config.adaptation == "beside" and config.mlm_weight else None
    del tokenizer
    words.put_tokenizer_away()
    return_freed_memory()
    if config.trim_vocabulary:
        used = {i for window, _ in examples for i in window.ids} | {words.specials.pad, words.specials.mask}
        used |= beside.ids if beside else set()
        trim_vocabulary(encoder, torch.tensor(sorted(used)))
    if config.encoder_dropout >= 0:
        set_dropout(encoder, config.encoder_dropout)
    if config.attention_dropout:
        use_plain_attention(encoder)
    reinitialise(encoder, config.layers_anew)
    frozen = freeze(encoder, config)
    adapted = add_adapter(encoder, config) if config.lora_rank else None
    model = TokenTagger(encoder, len(tags), config.dropout)
    if beside:
        beside.join(model, load_masked_lm(config.backbone, cache))
    loss, steps = _optimise(
        model.to(device), examples, words.specials, config, device, at_once, on_progress, frozen, beside
    )
    if beside:
        beside.leave(model)
    adapter = merge_adapter(adapted, sha256) if adapted else None
    use_fast_attention(encoder)
    return_freed_memory()
    tagger = Tagger(model.eval(), words, list(labels), config, adapter=adapter)
    processes = Processes()
    predicted = [prediction.spans for prediction in tagger.predict(sentences if processes.first else [])]
    report = TrainReport(
        seconds=0.0,
        steps=steps,
        loss=loss,
        train_f1=f1_report(spans, predicted).f1 if processes.first and any(spans) else 1.0,
        peak_memory_bytes=0,
        device=str(device),
        seed=config.seed,
        restarts=0,
        subwords_at_once=at_once,
    )
    return tagger, processes.same(report)


Example = tuple[Window, list[int]]
"""A window and the tag numbers of the words between its start and end."""


def _examples(
    windows: Sequence[Sequence[Window]],
    spans: Sequence[Sequence[Span]],
    sentences: Sequence[Sequence[str]],
    tags: Sequence[str],
) -> list[Example]:
    number = {tag: i for i, tag in enumerate(tags)}
    examples = []
    for its_windows, its_spans, sentence in zip(windows, spans, sentences, strict=True):
        gold = [number[tag] for tag in spans_to_tags(its_spans, len(sentence))]
        examples += [(window, gold[window.start : window.end]) for window in its_windows if window.positions]
    return examples


def _optimise(
    model: TokenTagger,
    examples: Sequence[Example],
    specials: Specials,
    config: TrainConfig,
    device: torch.device,
    at_once: int,
    on_progress: OnProgress | None,
    frozen: FrozenLayers | None = None,
    beside: SecondLoss | None = None,
) -> tuple[float, int]:
    """Run the optimiser; returns the mean loss per word of the last tenth of the steps, and their number.

    Stops at a loss or gradient that is not finite, before it reaches the weights, and returns nan.
    """
    steps = config.steps(len(examples))
    lengths = [len(window.ids) for window, _ in examples]
    batches = random_batches(lengths, config.batch_size, np.random.default_rng(config.seed))
    processes = Processes()
    processes.align(model)
    seed = processes.own_seed(config.seed)
    random = use_fast_dropout(model, seed) if device.type == "cpu" else None
    hide = _hide_words(config, specials.mask)
    bfloat16 = config.mixed_precision and has_bfloat16(device)
    losses: list[float] = []
    model.train()
    with (
        reused_memory(),
        recomputed_layers(model.encoder, config, random),
        closing(Optimiser(model, config, steps, bfloat16)) as optimiser,
    ):
        kept = None
        if frozen is not None:
            frozen.drop_nothing()
            if config.system != "mlm_ner":  # which hides other words at every step
                windows = [window for window, _ in examples]
                kept = KeptStates(frozen, windows, in_parts(range(len(windows)), lengths, at_once), specials.pad)
        started = time.perf_counter()
        for step in range(1, steps + 1):
            batch = sorted(next(batches), key=lengths.__getitem__)
            n_words = sum(len(examples[i][1]) for i in batch)
            shown = {i: (hide(examples[i][0]), examples[i][1]) for i in batch}
            loss = 0.0
            for part in in_parts(processes.share(batch), lengths, at_once):
                encode = partial(kept.encode, part) if kept else None
                part_loss = _loss(model, [shown[i] for i in part], specials.pad, device, encode) / n_words
                part_loss.backward()  # type: ignore[no-untyped-call]
                loss += part_loss.item()
            if beside is not None:
                beside.add_gradients(model, step, steps, at_once, processes.share)
            loss = processes.total(loss, device)
            processes.add_gradients(model)
            if not math.isfinite(loss) or not math.isfinite(optimiser.step()):
                return math.nan, step
            losses.append(loss)
            if on_progress is not None:
                seconds = time.perf_counter() - started
                on_progress(Progress(step, steps, loss, seconds / step * (steps - step)))
    return float(np.mean(losses[-max(1, steps // 10) :])), steps


def _hide_words(config: TrainConfig, mask: int) -> Callable[[Window], Window]:
    """What `mlm_ner` does to a window each time it is seen, drawn from the seed of the training; nothing for the others."""
    if config.system != "mlm_ner":
        return lambda window: window
    rng = np.random.default_rng([config.seed, 1])  # apart from the order of the sentences
    return lambda window: mask_words(window, mask, config.mask_probability, rng)


def _loss(
    model: TokenTagger,
    examples: Sequence[Example],
    pad: int,
    device: torch.device,
    encode: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Cross-entropy summed over the words of these windows; `encode`: attention mask -> their states, if kept."""
    ids, mask, rows, columns = (tensor.to(device) for tensor in pad_windows([window for window, _ in examples], pad))
    gold = torch.tensor([tag for _, tags in examples for tag in tags], device=device)  # (n_words,)
    logits, _ = (
        model.read(encode(mask), rows, columns) if encode else model(ids, mask, rows, columns)
    )  # (n_words, n_tags)
    return nn.functional.cross_entropy(logits, gold, reduction="sum")
