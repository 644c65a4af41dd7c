"""Trainings that end badly: stopped, short of memory, not learning, or never begun because of what they were given."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, spans_of, tiny_bert

from maner_core import training
from maner_core.config import TrainConfig
from maner_core.errors import InvalidInput, InvalidSpans, ManerError, RunFailed, UnknownName
from maner_core.inference import Tagger
from maner_core.training import Progress, TrainReport, train


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


def fast(backbone: Path, **changes: Any) -> TrainConfig:
    return replace(FAST, backbone=str(backbone), **changes)


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
