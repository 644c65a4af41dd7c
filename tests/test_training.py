"""Training on small random encoders: same weights for the same seed, whatever is saved on memory; and how it ends badly."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, TINY_ENCODERS, spans_of, tiny_bert, tiny_xlmr
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from maner_core import training
from maner_core.backbones import load_backbone
from maner_core.batches import random_batches
from maner_core.config import PRESETS, TrainConfig
from maner_core.encoding import INPUT_SCHEMES, RANDOM_TOKEN, WordEncoder
from maner_core.errors import InvalidConfig, InvalidInput, InvalidSpans, ManerError, RunFailed, UnknownName
from maner_core.evaluation import f1_report
from maner_core.inference import Tagger
from maner_core.model import add_random_token
from maner_core.optimiser import warm_up_and_decay
from maner_core.training import Progress, TrainReport, train


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return tensors


def fast(backbone: Path, **changes: Any) -> TrainConfig:
    return replace(FAST, backbone=str(backbone), **changes)


# What the training does.


@pytest.mark.parametrize("system", INPUT_SCHEMES)
def test_eight_sentences_are_learned_by_heart(bert: Path, tmp_path: Path, system: str) -> None:
    config = fast(bert, system=system, min_steps=150, max_steps=150, mask_probability=0.05)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    assert report.train_f1 == 1.0
    assert report.loss < 0.1
    predictions = Tagger.load(tmp_path / "run").predict(SENTENCES)
    assert [prediction.spans for prediction in predictions] == SPANS


@pytest.mark.parametrize(
    ("encoder", "system"),
    [("bert", "sner"), ("xlmr", "maner"), ("xlmr", "maner_rand"), ("deberta", "mlm_ner"), ("modernbert", "maner")],
)
def test_training_the_used_rows_gives_the_weights_of_training_the_whole_table(
    tmp_path: Path, encoder: str, system: str
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    for trim in (True, False):
        train(SENTENCES, SPANS, LABELS, fast(backbone, system=system, trim_vocabulary=trim), tmp_path / str(trim))
    trimmed, full = weights(tmp_path / "True"), weights(tmp_path / "False")
    assert trimmed.keys() == full.keys()
    for name, tensor in trimmed.items():
        torch.testing.assert_close(tensor, full[name], rtol=1e-5, atol=1e-6, msg=name)
    [name] = [name for name in trimmed if "word_embeddings" in name or "tok_embeddings" in name]
    original = weights(backbone)[name.partition(".")[2]]
    _, tokenizer = load_backbone(str(tmp_path / "True"))
    windows = WordEncoder(tokenizer, system, 128).windows(SENTENCES)
    occurring = {i for its_windows in windows for window in its_windows for i in window.ids}
    occurring |= {tokenizer.mask_token_id} if system == "mlm_ner" else set()
    for table in (trimmed[name], full[name]):
        assert len(table) == len(original) + (system == "maner_rand")
        changed = (table[: len(original)] != original).any(dim=1).nonzero().flatten().tolist()
        assert {*changed, *range(len(original), len(table))} == occurring
    assert len(occurring) < len(original)


@pytest.mark.parametrize(
    ("system", "tokens", "positions"),
    [
        ("maner", "[CLS] [MASK] A ##sha [MASK] l ##e ##f ##t [SEP]", [1, 4]),
        ("maner_rand", "[CLS] <maner-random> A ##sha <maner-random> l ##e ##f ##t [SEP]", [1, 4]),
        ("sner", "[CLS] A ##sha l ##e ##f ##t [SEP]", [1, 3]),
        ("mlm_ner", "[CLS] A ##sha l ##e ##f ##t [SEP]", [1, 3]),
    ],
)
def test_ids_positions_and_labels_by_hand(bert: Path, system: str, tokens: str, positions: list[int]) -> None:
    encoder, tokenizer = load_backbone(str(bert))
    add_random_token(encoder, tokenizer, seed=1)
    windows = WordEncoder(tokenizer, system, 128).windows([["Asha", "left"]])
    tags = ["O", "B-PER", "I-PER"]
    [(window, labels)] = training._examples(windows, [spans_of((0, 1, "PER"))], [["Asha", "left"]], tags)
    assert tokenizer.convert_ids_to_tokens(window.ids) == tokens.split()
    assert (window.positions, labels) == (positions, [1, 0])
    hidden = training._hide_words(fast(bert, system=system, mask_probability=1.0), tokenizer.mask_token_id)(window)
    expected = ("[CLS] [MASK] [MASK] [SEP]", [1, 2]) if system == "mlm_ner" else (tokens, positions)
    assert (" ".join(tokenizer.convert_ids_to_tokens(hidden.ids)), hidden.positions) == expected


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
@pytest.mark.parametrize("system", INPUT_SCHEMES)
def test_every_system_on_every_encoder_is_trained_saved_loaded_and_asked(
    tmp_path: Path, encoder: str, system: str
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    config = fast(backbone, system=system, min_steps=12, max_steps=12, mask_probability=0.05, mixed_precision=True)
    heard: list[Progress] = []
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", heard.append)
    assert heard[-1].loss < 0.9 * heard[0].loss
    shutil.rmtree(backbone)
    predictions = Tagger.load(tmp_path / "run", device="cpu").predict(SENTENCES)
    assert [len(prediction.tags) for prediction in predictions] == list(map(len, SENTENCES))
    assert f1_report(SPANS, [prediction.spans for prediction in predictions]).f1 == report.train_f1


def test_the_untrained_token_is_drawn_from_the_seed_as_wide_as_the_encoder_s_own(tmp_path: Path) -> None:
    rows = []
    for seed in (1, 1, 2):
        encoder, tokenizer = load_backbone(str(tiny_xlmr(tmp_path)))
        before = encoder.get_input_embeddings().weight.detach().clone()
        add_random_token(encoder, tokenizer, seed)
        after = encoder.get_input_embeddings().weight.detach()
        assert torch.equal(after[:-1], before)
        assert tokenizer.convert_tokens_to_ids(RANDOM_TOKEN) == len(before)
        rows.append(after[-1])
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])
    assert rows[0].std().item() == pytest.approx(encoder.config.initializer_range, rel=0.5)


def test_the_untrained_token_takes_a_spare_row_where_the_table_has_one(tmp_path: Path) -> None:
    encoder, tokenizer = load_backbone(str(tiny_bert(tmp_path)))
    encoder.resize_token_embeddings(len(tokenizer) + 5, mean_resizing=False)
    add_random_token(encoder, tokenizer, seed=1)
    assert encoder.get_input_embeddings().num_embeddings == len(tokenizer) - 1 + 5


def test_the_untrained_token_is_trained_and_kept_in_the_checkpoint(tmp_path: Path) -> None:
    backbone = str(tiny_bert(tmp_path / "backbone"))
    train(SENTENCES, SPANS, LABELS, fast(Path(backbone), system="maner_rand"), tmp_path / "run")
    encoder, tokenizer = load_backbone(backbone)
    add_random_token(encoder, tokenizer, FAST.seed)
    row = tokenizer.convert_tokens_to_ids(RANDOM_TOKEN)
    loaded = Tagger.load(tmp_path / "run", device="cpu")
    assert loaded.tokenizer.convert_tokens_to_ids(RANDOM_TOKEN) == row
    trained = loaded.model.encoder.get_input_embeddings().weight[row]
    untrained = encoder.get_input_embeddings().weight[row]
    assert 1e-4 < (trained - untrained).abs().max().item() < 0.1
    mask = tokenizer.mask_token_id
    tables = (loaded.model.encoder, encoder)
    assert torch.equal(*(table.get_input_embeddings().weight[mask] for table in tables))


class Masked:
    """What the windows of a training become, step by step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: list[tuple[int, ...]] = []
        self._loss = training._loss
        monkeypatch.setattr(training, "_loss", self)

    def __call__(self, model: Any, examples: Any, *arguments: Any) -> torch.Tensor:
        self.ids += [tuple(window.ids) for window, _ in examples]
        assert all(len(window.positions) == len(tags) for window, tags in examples)
        return self._loss(model, examples, *arguments)


def test_mlm_ner_hides_other_words_in_every_step_and_the_same_for_the_same_seed(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for seed in (1, 1, 2):
        masked = Masked(monkeypatch)
        config = fast(bert, system="mlm_ner", mask_probability=0.5, seed=seed)
        train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
        seen.append(masked.ids)
        monkeypatch.undo()
    first, again, other = seen
    assert first == again
    assert first != other
    assert len(set(first)) > 2 * len(SENTENCES)
    mask = load_backbone(str(bert))[1].mask_token_id
    share = sum(ids.count(mask) for ids in first) / (20 * sum(map(len, SENTENCES)))
    assert share == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("system", ["maner", "maner_rand", "sner"])
def test_the_other_systems_see_every_sentence_whole_in_every_step(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    masked = Masked(monkeypatch)
    train(SENTENCES, SPANS, LABELS, fast(bert, system=system, min_steps=5, max_steps=5), tmp_path / "run")
    assert len(set(masked.ids)) == len(SENTENCES)


def test_the_same_seed_gives_the_same_weights_whatever_came_before(bert: Path, tmp_path: Path) -> None:
    train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "first")
    torch.rand(17)
    np.random.default_rng().random(17)
    train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "second")
    train(SENTENCES, SPANS, LABELS, fast(bert, seed=1), tmp_path / "third")
    first, second, third = (weights(tmp_path / name) for name in ("first", "second", "third"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], third["classifier.weight"])


def test_progress_counts_every_step_and_the_report_tells_what_it_cost(bert: Path, tmp_path: Path) -> None:
    heard: list[Progress] = []
    report = train(SENTENCES, SPANS, LABELS, fast(bert, seed=7), tmp_path / "run", heard.append)
    assert [progress.step for progress in heard] == list(range(1, 21))
    assert {progress.steps for progress in heard} == {20}
    assert heard[-1].seconds_left == 0.0
    assert heard[0].seconds_left > 0.0
    assert heard[0].loss == pytest.approx(math.log(5), rel=0.3)  # five tags, none preferred
    assert (report.steps, report.seed, report.restarts, report.subwords_at_once) == (20, 7, 0, 1024)
    assert report.loss == pytest.approx(np.mean([progress.loss for progress in heard[-2:]]))
    assert report.device in ("cpu", "cuda")
    assert report.seconds > 0
    assert report.peak_memory_bytes > 1_000_000


def test_the_report_and_the_configuration_are_kept_with_the_weights(bert: Path, tmp_path: Path) -> None:
    config = fast(bert)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "maner.json").read_text(encoding="utf-8"))
    assert kept["labels"] == LABELS
    assert TrainConfig.from_dict(kept["config"]) == config
    assert TrainReport(**kept["report"]) == report


def test_a_sentence_longer_than_a_window_is_learned_whole(bert: Path, tmp_path: Path) -> None:
    sentence = ["we", "saw", "Asha", "and"] * 25
    spans = spans_of(*((i, i + 1, "PER") for i in range(2, 100, 4)))
    config = fast(bert, system="sner", max_length=32, min_steps=40, max_steps=40)
    report = train([sentence], [spans], LABELS, config, tmp_path / "run")
    assert report.train_f1 == 1.0


def test_sentences_without_any_entity_and_without_words_can_be_trained_on(bert: Path, tmp_path: Path) -> None:
    report = train([["it", "rained"], []], [[], []], LABELS, fast(bert), tmp_path / "run")
    assert report.train_f1 == 1.0
    assert Tagger.load(tmp_path / "run").predict([["it", "rained"]])[0].tags == ["O", "O"]


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path: Path) -> None:
    backbone = tiny_bert(tmp_path / "backbone")
    settings_file = backbone / "config.json"
    values = json.loads(settings_file.read_text(encoding="utf-8"))
    values |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    settings_file.write_text(json.dumps(values), encoding="utf-8")
    losses: dict[int, list[float]] = {}
    for at_once in (1024, 40):
        heard: list[Progress] = []
        config = fast(backbone, dropout=0.0)
        training._train_once(SENTENCES, SPANS, LABELS, (), config, torch.device("cpu"), at_once, heard.append, None)
        losses[at_once] = [progress.loss for progress in heard]
    assert losses[40] == pytest.approx(losses[1024], rel=1e-3)
    assert losses[40][-1] < losses[40][0]


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 99))
def test_every_pass_sees_each_sentence_once(lengths: list[int], batch_size: int, seed: int) -> None:
    n_batches = math.ceil(len(lengths) / batch_size)
    batches: Iterator[list[int]] = random_batches(lengths, batch_size, np.random.default_rng(seed))
    for _ in range(2):
        one_pass = list(islice(batches, n_batches))
        assert sorted(i for batch in one_pass for i in batch) == list(range(len(lengths)))
        assert max(map(len, one_pass)) <= batch_size


def test_batches_hold_sentences_of_like_length_in_a_new_order_each_pass() -> None:
    lengths = [i % 16 for i in range(128)]
    batches = random_batches(lengths, 8, np.random.default_rng(0))
    first, second = list(islice(batches, 16)), list(islice(batches, 16))
    assert all(len({lengths[i] for i in batch}) == 1 for batch in first)
    assert first != second


def test_the_learning_rate_rises_and_falls_by_hand() -> None:
    factor = warm_up_and_decay(10, 0.2)
    expected = [1 / 2, 1, 8 / 9, 7 / 9, 6 / 9, 5 / 9, 4 / 9, 3 / 9, 2 / 9, 1 / 9]
    assert [factor(done) for done in range(10)] == pytest.approx(expected)
    without_warm_up = warm_up_and_decay(4, 0.0)
    assert [without_warm_up(done) for done in range(4)] == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4])
    constant = warm_up_and_decay(4, 0.0, 1.0)
    assert [constant(done) for done in range(4)] == [1, 1, 1, 1]
    half = warm_up_and_decay(4, 0.5, 0.5)
    assert [half(done) for done in range(4)] == pytest.approx([1 / 2, 1, 5 / 6, 2 / 3])


# How it ends badly.


def test_progress_may_stop_the_training_and_nothing_is_left_behind(bert: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise Stop

    with pytest.raises(Stop):
        train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "runs" / "7", stop)
    assert list(tmp_path.iterdir()) == []


class ShortOfMemory:
    """The real training, except that some devices and batches run out of memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fits: str) -> None:
        self.tried: list[tuple[str, int]] = []
        self._fits = fits
        self._train_once = training._train_once
        monkeypatch.setattr(training, "best_device", lambda: "cuda")
        monkeypatch.setattr(training, "_train_once", self)

    def __call__(self, *arguments: Any) -> tuple[Tagger, TrainReport]:
        *before, device, at_once, on_progress, cache = arguments
        cpu = torch.device("cpu")
        self.tried.append((device.type, at_once))
        if f"{device.type} {at_once}" != self._fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._train_once(*[*before, cpu, at_once, on_progress, cache])


def test_out_of_memory_halves_the_sub_words_at_once(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = ShortOfMemory(monkeypatch, fits="cuda 256")
    report = train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "run")
    assert machine.tried == [("cuda", 4096), ("cuda", 2048), ("cuda", 1024), ("cuda", 512), ("cuda", 256)]
    assert report.subwords_at_once == 256


def test_out_of_memory_with_a_single_window_goes_to_the_cpu_with_all_that_was_configured(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = ShortOfMemory(monkeypatch, fits="cpu 150")
    config = fast(bert, subwords_at_once=150, max_length=128)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    assert machine.tried == [("cuda", 600), ("cuda", 300), ("cuda", 150), ("cuda", 75), ("cpu", 150)]
    assert (report.subwords_at_once, report.device) == (150, "cpu")


def test_out_of_memory_everywhere_fails_with_a_remedy(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ShortOfMemory(monkeypatch, fits="nowhere")
    with pytest.raises(RunFailed, match="too little memory for this backbone; choose a smaller one"):
        train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_cpu_without_memory_fails_with_a_remedy_and_another_error_as_it_is(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "best_device", lambda: "cpu")
    monkeypatch.setattr(training, "_loss", lambda *_: torch.empty(2**50))  # a petabyte
    with pytest.raises(RunFailed, match="too little memory for this backbone; choose a smaller one"):
        train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "run")
    monkeypatch.setattr(training, "_loss", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="size"):
        train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "run")


@pytest.mark.parametrize("spans", [SPANS, [[] for _ in SPANS]], ids=["with entities", "without"])
def test_a_loss_that_is_no_number_fails_after_every_repetition(bert: Path, tmp_path: Path, spans: Any) -> None:
    heard: list[Progress] = []
    config = fast(bert, learning_rate=1e38, head_learning_rate=1e38, max_restarts=1, min_train_f1=0.9)
    with pytest.raises(RunFailed, match="the loss became nan in each of 2 trainings; lower the learning rate"):
        train(SENTENCES, spans, LABELS, config, tmp_path / "run", heard.append)
    assert list(tmp_path.iterdir()) == []
    assert all(math.isfinite(progress.loss) for progress in heard)


def test_a_gradient_that_is_no_number_never_reaches_the_weights(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_loss = training._loss

    def loss_with_infinite_slope(*arguments: Any) -> torch.Tensor:
        loss = real_loss(*arguments)
        return loss + (loss - loss.detach()).sqrt()  # adds 0, with the derivative of a root at 0

    monkeypatch.setattr(training, "_loss", loss_with_infinite_slope)
    with pytest.raises(RunFailed, match="became nan in each of 1 trainings"):
        train(SENTENCES, SPANS, LABELS, fast(bert, max_restarts=0), tmp_path / "run")


class Outcomes:
    """The real training with the outcomes (loss, train F1) that a test wants, one for each seed in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: tuple[float, float]) -> None:
        self.seeds: list[int] = []
        self._outcomes = list(outcomes)
        self._train_once = training._train_once
        monkeypatch.setattr(training, "_train_once", self)

    def __call__(self, *arguments: Any) -> tuple[Tagger, TrainReport]:
        tagger, report = self._train_once(*arguments)
        self.seeds.append(report.seed)
        loss, train_f1 = self._outcomes.pop(0)
        return tagger, replace(report, loss=loss, train_f1=train_f1)


@pytest.mark.parametrize(
    ("outcomes", "n_trainings", "kept"),
    [
        ([(0.1, 0.95)], 1, 0),
        ([(0.9, 0.20), (0.1, 0.95)], 2, 1),
        ([(0.9, 0.20), (0.8, 0.50), (0.9, 0.30)], 3, 1),
        ([(0.8, 0.50), (0.9, 0.20), (0.9, 0.50)], 3, 0),
        ([(math.nan, 0.00), (0.9, 0.00), (math.nan, 1.00)], 3, 1),
    ],
    ids=["good at once", "good at the second", "best is the second", "best is the first", "finite is better"],
)
def test_a_training_that_did_not_take_is_repeated_with_another_seed_and_the_best_is_kept(
    bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: list[tuple[float, float]],
    n_trainings: int,
    kept: int,
) -> None:
    trainings = Outcomes(monkeypatch, *outcomes)
    config = fast(bert, seed=40, min_train_f1=0.9, max_restarts=2, min_steps=2, max_steps=2)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    assert trainings.seeds == list(range(40, 40 + n_trainings))
    assert (report.seed, report.restarts) == (40 + kept, n_trainings - 1)
    assert (report.loss, report.train_f1) == outcomes[kept]


def test_trainings_for_a_temperature_start_from_the_seed_that_learned_and_are_repeated_too(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, learned = (math.nan, 0.20), (0.1, 0.95)
    trainings = Outcomes(monkeypatch, failed, learned, failed, learned, learned)
    config = fast(bert, seed=40, min_train_f1=0.9, calibration_folds=2, min_steps=2, max_steps=2)
    heard: list[Progress] = []
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", heard.append)
    assert trainings.seeds == [40, 41, 41, 42, 41]
    assert [(progress.step, progress.steps) for progress in heard] == [(i, 6) for i in (1, 2, 1, 2, 3, 4, 3, 4, 5, 6)]
    assert report.calibration is not None
    assert (report.calibration.folds, report.uncalibrated) == (2, "")


def test_a_training_that_failed_sets_no_temperature(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Outcomes(monkeypatch, (0.1, 0.95), (0.1, 0.95), (0.9, 0.20), (math.nan, 1.00))
    config = fast(bert, seed=40, min_train_f1=0.9, calibration_folds=2, min_steps=2, max_steps=2)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    assert trainings.seeds == [40, 40, 40, 41]
    reason = "training 2 of 2 without a part of the sentences has not learned the others (F1 0.200, loss 0.900)"
    assert (report.calibration, report.uncalibrated) == (None, reason)
    assert Tagger.load(tmp_path / "run").temperature == 1.0
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_after_the_largest_seed_comes_the_smallest(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Outcomes(monkeypatch, (0.9, 0.20), (0.1, 0.95))
    train(SENTENCES, SPANS, LABELS, fast(bert, seed=2**32 - 1, min_train_f1=0.9), tmp_path / "run")
    assert trainings.seeds == [2**32 - 1, 0]


@pytest.mark.parametrize(
    ("sentences", "spans", "error", "reason"),
    [
        ([["a"], ["b"]], [[]], InvalidInput, "2 sentences came with spans for 1"),
        ([], [], InvalidInput, "there is no word to train on"),
        ([[], []], [[], []], InvalidInput, "there is no word to train on"),
        ([["a"]], [spans_of((0, 1, "DATE"))], InvalidSpans, "label 'DATE'"),
        ([["a"]], [spans_of((0, 2, "PER"))], InvalidSpans, "outside a sentence of 1 tokens"),
    ],
)
def test_sentences_that_cannot_be_trained_on_are_refused(
    tmp_path: Path, sentences: list[list[str]], spans: Any, error: type[ManerError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        train(sentences, spans, LABELS, TrainConfig(backbone="never loaded"), tmp_path / "run")


def test_an_unknown_system_is_refused(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="there is no system 'crf'"):
        train(SENTENCES, SPANS, LABELS, fast(bert, system="crf"), tmp_path / "run")


# The configuration.


@pytest.mark.parametrize(
    ("settings", "n_sentences", "steps"),
    [
        ({}, 1, 400),
        ({}, 10_000, 1500),
        ({"epochs": 30}, 100, 400),  # 390 by the epochs, but at least 400
        ({}, 300, 456),  # 12 passes over 38 batches
        ({"epochs": 30}, 200, 750),
        ({"epochs": 30}, 10_000, 1500),
        ({"epochs": 30, "min_steps": 0}, 100, 390),
        ({"epochs": 30, "min_steps": 0}, 97, 390),
        ({"epochs": 30, "min_steps": 0}, 96, 360),
        ({"epochs": 0.5, "min_steps": 0}, 100, 6),
        ({"epochs": 30, "min_steps": 0, "max_steps": 0, "batch_size": 1}, 10_000, 300_000),
    ],
)
def test_steps_follow_from_epochs_batches_and_bounds(settings: dict[str, Any], n_sentences: int, steps: int) -> None:
    assert TrainConfig(**settings).steps(n_sentences) == steps


def test_the_paper_preset_holds_the_published_values() -> None:
    paper = TrainConfig.preset("paper")
    assert (paper.backbone, paper.epochs, paper.learning_rate) == ("xlm-roberta-large", 30, 5e-6)
    assert paper.head_learning_rate == paper.learning_rate
    assert (paper.system, paper.seed) == ("maner", 12345)
    assert paper.steps(100) == 30 * 13
    assert (paper.max_restarts, paper.warmup_fraction, paper.final_rate_fraction) == (0, 0.0, 1.0)
    assert (paper.mixed_precision, paper.attention_dropout) == (False, True)
    assert replace(paper, backbone="bundled").layers_anew == 0


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({}, 1),
        ({"backbone": "xlm-roberta-base"}, 0),
        ({"adaptation": "before"}, 0),
        ({"adaptation": "beside"}, 1),
        ({"lora_rank": 8}, 0),
        ({"reinitialised_layers": 0}, 0),
        ({"backbone": "xlm-roberta-base", "reinitialised_layers": 3}, 3),
    ],
)
def test_the_top_layer_starts_anew_where_the_backbone_is_the_bundled_one_and_nothing_else_is_asked_for(
    settings: dict[str, Any], layers: int
) -> None:
    assert TrainConfig(**settings).layers_anew == layers


def test_a_preset_takes_overrides_and_refuses_what_it_does_not_know() -> None:
    assert TrainConfig.preset("paper", seed=1, system="sner") == replace(PRESETS["paper"], seed=1, system="sner")
    with pytest.raises(UnknownName, match="there is no preset 'fast'; choose one of default, paper"):
        TrainConfig.preset("fast")
    with pytest.raises(InvalidConfig, match="'colour' is no setting of a training; choose among"):
        TrainConfig.preset("default", colour="red")


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_survives_json(name: str) -> None:
    config = TrainConfig.preset(name, seed=3)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be greater than 0"),
        ({"learning_rate": -1e-4}, "learning_rate is -0.0001; it must be greater than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan; it must be a finite number"),
        ({"epochs": math.inf}, "epochs is inf; it must be a finite number"),
        ({"encoder_dropout": -math.inf}, "encoder_dropout is -inf; it must be a finite number"),
        (
            {"encoder_dropout": 2.0},
            "encoder_dropout is 2.0; it must lie between 0 and 1, or be negative to stay as pretrained",
        ),
        ({"seed": -1}, "seed is -1; it must lie between 0 and 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296; it must lie between 0 and 4294967295"),
        ({"head_learning_rate": 0}, "head_learning_rate is 0"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        ({"epochs": -1}, "epochs is -1; it must not be negative"),
        ({"reinitialised_layers": -2}, "reinitialised_layers is -2; it must be -1"),
        ({"max_restarts": -1}, "max_restarts is -1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"dropout": 1.5}, "dropout is 1.5; it must lie between 0 and 1"),
        ({"warmup_fraction": -0.1}, "warmup_fraction is -0.1"),
        ({"min_train_f1": 90}, "min_train_f1 is 90"),
        ({"system": "maner_rand", "frozen_layers": 1}, "frozen_layers is 1, but maner_rand must train the embedding"),
        ({"mask_probability": 1.5}, "mask_probability is 1.5"),
        ({"final_rate_fraction": -1}, "final_rate_fraction is -1"),
        ({"min_steps": 0, "epochs": 0}, "epochs and min_steps are both 0"),
        ({"max_steps": 100}, "max_steps is 100, below min_steps 400"),
        ({"max_length": 15}, "max_length is 15; a window needs at least 16 sub-words"),
    ],
)
def test_a_setting_outside_its_range_is_refused_by_name_and_value(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidConfig, match=reason):
        TrainConfig(**settings)
