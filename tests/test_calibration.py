"""Temperature scaling by hand and on made-up logits; a training that fits one keeps it with its checkpoint."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from encoders import FAST, LABELS, SENTENCES, SPANS, tiny_bert
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from maner_core.calibration import (
    FEWEST_SPANS,
    Calibration,
    SpanScaling,
    apply_temperature,
    calibrate,
    expected_calibration_error,
    fit_span_scaling,
    fit_temperature,
    fold_numbers,
    negative_log_likelihood,
    out_of_fold_predictions,
)
from maner_core.inference import Tagger
from maner_core.spans import Span
from maner_core.training import Progress, train


def drawn(temperature: float, n_words: int = 4000) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Probabilities as a tagger gives them that is `temperature` times too sure, and gold tags drawn as they should be."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (n_words, 5))
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = np.array([rng.choice(5, p=row) for row in right])
    sure = np.exp(logits * temperature)
    return sure / sure.sum(axis=1, keepdims=True), gold


@pytest.mark.parametrize("temperature", [0.6, 1.5, 3.0])
def test_the_temperature_that_made_the_logits_too_sure_is_found_again(temperature: float) -> None:
    probabilities, gold = drawn(temperature)
    assert fit_temperature(probabilities, gold) == pytest.approx(temperature, rel=0.05)
    assert fit_temperature(probabilities.astype(np.float32), gold) == pytest.approx(temperature, rel=0.05)


def test_a_temperature_by_hand() -> None:
    # Nine times out of ten 0.9 is right, but here it is right three times out of four: log 9 / T = log 3, so T = 2.
    probabilities = np.array([[0.9, 0.1]] * 4)
    assert fit_temperature(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(2.0, rel=1e-6)


def test_a_tagger_that_is_as_sure_as_it_may_be_keeps_its_probabilities() -> None:
    probabilities, gold = drawn(1.0)
    assert fit_temperature(probabilities, gold) == 1.0
    assert fit_temperature(np.zeros((0, 5)), np.zeros(0, np.intp)) == 1.0


def test_a_temperature_stays_within_its_bounds() -> None:
    always_right, always_wrong = np.array([0, 0, 0]), np.array([1, 1, 1])
    probabilities = np.array([[0.6, 0.4]] * 3)
    assert fit_temperature(probabilities, always_right) == pytest.approx(0.5)
    assert fit_temperature(probabilities, always_wrong) == pytest.approx(5.0)
    assert fit_temperature(np.array([[1.0, 0.0]] * 3), always_wrong) == pytest.approx(5.0)


def test_scaled_probabilities_by_hand() -> None:
    scaled = apply_temperature(np.array([[0.8, 0.2], [0.5, 0.5]]), 2.0)
    np.testing.assert_allclose(scaled, [[2 / 3, 1 / 3], [0.5, 0.5]])


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=9), st.floats(0.5, 5))
def test_scaling_changes_no_order(weights: list[float], temperature: float) -> None:
    row = np.array(weights) / sum(weights)
    scaled = apply_temperature(row[None], temperature)[0]
    assert scaled.sum() == pytest.approx(1)
    for i, j in np.argwhere(row[:, None] > row[None] * (1 + 1e-6)):
        assert scaled[i] > scaled[j]


def test_likelihood_by_hand() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert negative_log_likelihood(probabilities, np.array([0, 0])) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert math.isfinite(negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])))


def test_calibration_error_by_hand() -> None:
    # 0.9 and 0.95 fall into one of two bins, one of them right: |1.85 - 1| = 0.85; 0.5 into the other, wrong: 0.5.
    confidences, right = np.array([0.9, 0.95, 0.5]), np.array([True, False, False])
    assert expected_calibration_error(confidences, right, bins=2) == pytest.approx((0.85 + 0.5) / 3)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_a_calibration_says_what_it_changed() -> None:
    probabilities, gold = drawn(3.0)
    found = calibrate(probabilities, gold, 5)
    assert (found.folds, found.words) == (5, 4000)
    assert found.temperature == pytest.approx(3.0, rel=0.05)
    assert found.nll_calibrated < found.nll - 0.1
    assert found.ece_calibrated < 0.03 < 0.1 < found.ece


@given(st.integers(2, 60), st.integers(2, 10), st.integers(0, 2**32))
def test_folds_are_as_even_as_can_be(n_sentences: int, folds: int, seed: int) -> None:
    sizes = np.bincount(fold_numbers(n_sentences, folds, np.random.default_rng(seed)), minlength=folds)
    assert sizes.sum() == n_sentences
    assert sizes.max() - sizes.min() <= 1


def test_no_sentence_is_predicted_by_a_tagger_that_saw_it() -> None:
    seen: list[set[str]] = []

    def train_without(fold: int, sentences: list[Sequence[str]], spans: list[Sequence[Span]]) -> object:
        assert fold == len(seen)
        assert [SPANS[SENTENCES.index(list(sentence))] for sentence in sentences] == spans
        seen.append({" ".join(sentence) for sentence in sentences})

        def predict(held_out: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
            assert {" ".join(sentence) for sentence in held_out} == {" ".join(s) for s in SENTENCES} - seen[-1]
            return [np.full((len(sentence), 5), len(sentence[0]), np.float32) for sentence in held_out]

        return predict

    found = out_of_fold_predictions(SENTENCES, SPANS, train_without, 3, np.random.default_rng(0))  # type: ignore[arg-type]
    assert len(seen) == 3
    assert [rows.shape for rows in found] == [(len(sentence), 5) for sentence in SENTENCES]
    assert [rows[0, 0] for rows in found] == [len(sentence[0]) for sentence in SENTENCES]


def test_a_training_with_folds_keeps_its_temperature_with_the_checkpoint(tmp_path: Path) -> None:
    told: list[Progress] = []
    config = replace(FAST, backbone=str(tiny_bert(tmp_path / "tiny")), calibration_folds=2)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", told.append)
    assert isinstance(report.calibration, Calibration)
    assert (report.calibration.folds, report.calibration.words) == (2, sum(map(len, SENTENCES)))
    tagger = Tagger.load(tmp_path / "run", device="cpu")
    assert tagger.calibration == report.calibration
    assert tagger.temperature == report.calibration.temperature
    assert json.loads((tmp_path / "run" / "maner.json").read_text())["report"]["calibration"]["folds"] == 2
    assert [(progress.step, progress.steps) for progress in told] == [(step, 60) for step in range(1, 61)]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_training_without_folds_has_no_calibration(tmp_path: Path) -> None:
    config = replace(FAST, backbone=str(tiny_bert(tmp_path / "tiny")))
    assert train(SENTENCES, SPANS, LABELS, config, tmp_path / "run").calibration is None
    assert Tagger.load(tmp_path / "run", device="cpu").temperature == 1.0


def test_fewer_sentences_than_folds_make_as_many_folds_as_sentences(tmp_path: Path) -> None:
    config = replace(FAST, backbone=str(tiny_bert(tmp_path / "tiny")), calibration_folds=5)
    report = train(SENTENCES[:2], SPANS[:2], LABELS, config, tmp_path / "two")
    assert report.calibration is not None
    assert report.calibration.folds == 2
    assert train(SENTENCES[:1], SPANS[:1], LABELS, config, tmp_path / "one").calibration is None


# Whole names.


def test_the_curve_that_made_names_right_is_found_again() -> None:
    made = SpanScaling(0.4, -0.5, 0)
    rng = np.random.default_rng(5)
    confidences = 1 / (1 + np.exp(-rng.uniform(0, 10, 5000)))
    right = rng.random(5000) < [made(confidence) for confidence in confidences]
    found = fit_span_scaling(confidences, right)
    assert found is not None
    assert found.slope == pytest.approx(0.4, abs=0.05)
    assert found.intercept == pytest.approx(-0.5, abs=0.15)
    assert found.spans == 5000


def test_what_one_confidence_is_worth_by_hand() -> None:
    """Of 80 names with 0.9 sixty are right: Platt aims at 61/62 for these and at 1/22 for the others."""
    found = fit_span_scaling(np.full(80, 0.9), np.arange(80) < 60)
    assert found is not None
    assert found(0.9) == pytest.approx((60 * 61 / 62 + 20 / 22) / 80, abs=1e-3)


def test_names_that_were_all_right_promise_nothing() -> None:
    found = fit_span_scaling(np.full(80, 0.9), np.ones(80, np.bool_))
    assert found is not None
    assert found(0.9) == pytest.approx(81 / 82, abs=1e-3)


def test_a_curve_wants_enough_names() -> None:
    confidences = np.linspace(0.5, 0.99, FEWEST_SPANS)
    right = confidences > 0.8
    assert fit_span_scaling(confidences, right) is not None
    assert fit_span_scaling(confidences[1:], right[1:]) is None
    assert fit_span_scaling(np.zeros(0), np.zeros(0, np.bool_)) is None


def test_where_surer_names_are_rather_wrong_all_are_worth_the_same() -> None:
    confidences = np.linspace(0.5, 0.99, 80)
    right = np.arange(80) < 20
    found = fit_span_scaling(confidences, right)
    assert found is not None
    worth = (20 * 21 / 22 + 60 / 62) / 80
    assert [found(0.5), found(0.99)] == pytest.approx([worth, worth])


@given(st.floats(0.001, 5), st.floats(-10, 10), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_a_surer_name_stays_the_surer_one(slope: float, intercept: float, two: list[float]) -> None:
    scaling = SpanScaling(slope, intercept, 100)
    low, high = (scaling(confidence) for confidence in sorted(two))
    assert 0 <= low <= high + 1e-12  # the logarithm of neighbouring numbers may be rounded either way
    assert high <= 1
