"""Chances that can be taken at their word, from predictions on sentences that were not trained on; no tag changes.

Of words, by temperature scaling: one number divides all logits. Guo, Pleiss, Sun, Weinberger: "On Calibration of Modern
Neural Networks" (2017). Of whole names, by a curve of two numbers. Platt: "Probabilistic Outputs for Support Vector
Machines" (1999). No torch here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maner_core.spans import Span

LOWEST, HIGHEST = 0.5, 5.0
"""Bounds of a temperature: outside of them it says more about the few words it was fitted on than about the tagger."""

MIN_GAIN = 0.01
"""Share of the loss that a temperature must save to be used; below it 1 stays."""

FEWEST_SPANS = 30
"""Predicted names from which on the curve of their confidences is fitted."""

_TINY = 1e-12
_NEAREST = 1e-6  # to 0 or 1 that a confidence is taken for: there float32 has few numbers left
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


@dataclass(frozen=True, slots=True)
class SpanScaling:
    """What the confidence in a name is worth: of names that get c, the share sigmoid(slope * logit(c) + intercept) is right."""

    slope: float
    intercept: float
    spans: int
    """How many predicted names it was fitted on."""

    def __call__(self, confidence: float) -> float:
        """The chance, 0 to 1, that a name with this confidence is right; never less for more."""
        value = self.slope * float(_logit(np.array(confidence))) + self.intercept
        return (1 + math.tanh(value / 2)) / 2  # the sigmoid, which overflows nowhere in this form


def fit_span_scaling(confidences: Floats, right: NDArray[np.bool_]) -> SpanScaling | None:
    """The curve for names of which is known whether they are right; confidences, right: (n,).

    Its aims are those of Platt, (n_right + 1) / (n_right + 2) and 1 / (n_wrong + 2), so that a few names, all of them right,
    promise nothing. Where surer names are not more often right, all are worth the same. None for fewer than FEWEST_SPANS.
    """
    if len(right) < FEWEST_SPANS:
        return None
    from sklearn.linear_model import LogisticRegression  # imported here because it takes a second

    n_right = int(right.sum())
    aims = np.where(right, (n_right + 1) / (n_right + 2), 1 / (len(right) - n_right + 2))
    # A soft aim is both outcomes, each weighted by its chance.
    logits, both = np.tile(_logit(confidences), 2)[:, None], np.repeat([1, 0], len(right))
    fitted = LogisticRegression(C=1e6).fit(logits, both, sample_weight=np.concatenate([aims, 1 - aims]))
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        slope, intercept = 0.0, float(_logit(aims.mean()))
    return SpanScaling(slope, intercept, len(right))


def _logit(chances: Floats) -> NDArray[np.float64]:
    bounded = np.clip(chances.astype(np.float64), _NEAREST, 1 - _NEAREST)
    logits: NDArray[np.float64] = np.log(bounded / (1 - bounded))
    return logits


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
