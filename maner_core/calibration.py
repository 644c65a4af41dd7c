"""Temperature scaling: chances that can be taken at their word, from predictions on sentences that were not trained on.

One number divides all logits, so no predicted tag changes. Guo, Pleiss, Sun, Weinberger: "On Calibration of Modern Neural
Networks" (2017). No torch here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maner_core.spans import Span

LOWEST, HIGHEST = 0.5, 5.0
"""Bounds of a temperature: outside of them it says more about the few words it was fitted on than about the tagger."""

MIN_GAIN = 0.01
"""Share of the loss that a temperature must save to be used; below it 1 stays."""

_TINY = 1e-12
_HALVINGS = 40

Floats = NDArray[np.floating]
Predict = Callable[[Sequence[Sequence[str]]], Sequence[NDArray[np.float32]]]
"""Sentences -> probabilities (n_words, n_tags) of each."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, what it was fitted on, and what it changed there."""

    temperature: float
    """What logits are divided by: above 1 the tagger was too sure of itself."""
    folds: int
    """Parts of the labelled sentences, each predicted by a tagger trained on the others."""
    words: int
    """Words of the labelled sentences: all were predicted so, and the temperature was fitted on them."""
    nll: float
    """Mean negative log-likelihood of the gold tags (nats per word) without the temperature."""
    nll_calibrated: float
    """The same with it."""
    ece: float
    """Expected calibration error, 0 to 1, without the temperature."""
    ece_calibrated: float
    """The same with it."""


def calibrate(probabilities: Floats, gold: NDArray[np.intp], folds: int) -> Calibration:
    """The temperature for out-of-fold predictions of all words. probabilities: (n_words, n_tags), gold: (n_words,)."""
    temperature = fit_temperature(probabilities, gold)
    scaled = apply_temperature(probabilities, temperature)
    return Calibration(
        temperature=temperature,
        folds=folds,
        words=len(gold),
        nll=negative_log_likelihood(probabilities, gold),
        nll_calibrated=negative_log_likelihood(scaled, gold),
        ece=_word_error(probabilities, gold),
        ece_calibrated=_word_error(scaled, gold),
    )


def fit_temperature(probabilities: Floats, gold: NDArray[np.intp]) -> float:
    """The temperature with the least negative log-likelihood, between LOWEST and HIGHEST; 1 where it gains under MIN_GAIN.

    probabilities: (n_words, n_tags), gold: (n_words,). The loss is convex in 1 / temperature, so its slope is bisected.
    """
    if not len(gold):
        return 1.0
    logits = np.log(np.maximum(probabilities, _TINY, dtype=np.float64))  # (n_words, n_tags), up to a constant a word
    wanted = _of_gold(logits, gold).mean()
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = (_softmax(logits * middle) * logits).sum(axis=1).mean() - wanted
        low, high = (low, middle) if slope > 0 else (middle, high)
    temperature = float(np.clip(2 / (low + high), LOWEST, HIGHEST))
    before = negative_log_likelihood(probabilities, gold)
    after = negative_log_likelihood(apply_temperature(probabilities, temperature), gold)
    return temperature if after < (1 - MIN_GAIN) * before else 1.0


def apply_temperature(probabilities: Floats, temperature: float) -> NDArray[np.float64]:
    """Each row to the power of 1 / temperature, normalised: `[0.8, 0.2], 2 -> [0.667, 0.333]`; (n_words, n_tags)."""
    return _softmax(np.log(np.maximum(probabilities, _TINY, dtype=np.float64)) / temperature)


def negative_log_likelihood(probabilities: Floats, gold: NDArray[np.intp]) -> float:
    """Mean over words, in nats. probabilities: (n_words, n_tags), gold: (n_words,); 0 without words."""
    if not len(gold):
        return 0.0
    return float(-np.log(np.maximum(_of_gold(probabilities, gold), _TINY)).mean())


def expected_calibration_error(confidences: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """How far confidence and share of right ones lie apart, 0 to 1: the mean over bins of equal width, weighted by size.

    confidences, right: (n,). Guo et al. 2017, equation 3; 0 without predictions.
    """
    if not len(confidences):
        return 0.0
    place = np.clip(np.ceil(confidences * bins).astype(np.intp) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=confidences - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidences))


def fold_numbers(n_sentences: int, folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(n_sentences,): the fold of each sentence, 0 to folds - 1, drawn at random, all folds of one size give or take one."""
    return rng.permutation(np.arange(n_sentences) % folds)


def out_of_fold_predictions(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    train: Callable[[int, list[Sequence[str]], list[Sequence[Span]]], Predict],
    folds: int,
    rng: np.random.Generator,
) -> list[NDArray[np.float32]]:
    """(n_words, n_tags) for each sentence, from a tagger trained on the sentences of the other folds alone.

    `train` gets the number of the fold left out, and the sentences and spans of the others. Costs `folds` trainings.
    """
    fold_of = fold_numbers(len(sentences), folds, rng)
    found: dict[int, NDArray[np.float32]] = {}
    for fold in range(folds):
        held_out = np.flatnonzero(fold_of == fold).tolist()
        others = np.flatnonzero(fold_of != fold).tolist()
        predict = train(fold, [sentences[i] for i in others], [spans[i] for i in others])
        found.update(zip(held_out, predict([sentences[i] for i in held_out]), strict=True))
    return [found[i] for i in range(len(sentences))]


def _word_error(probabilities: Floats, gold: NDArray[np.intp]) -> float:
    """Expected calibration error of the most probable tags of words."""
    if not len(gold):
        return 0.0
    return expected_calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == gold)


def _of_gold(values: Floats, gold: NDArray[np.intp]) -> Floats:
    """(n_words, n_tags), (n_words,) -> (n_words,): what stands at the gold tag."""
    return values[np.arange(len(gold)), gold]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
