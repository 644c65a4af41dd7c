"""Entity F1 in strict IOB2 as seqeval counts it, and bootstrap intervals over sentences. No torch here.

A predicted entity counts only if its start, end and label are all those of a gold entity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maner_core.errors import InvalidInput
from maner_core.spans import Span, spans_to_tags

Counts = NDArray[np.int64]
"""(n_sentences, 3): entities found, entities predicted, entities in the gold annotation, by sentence."""

FEWEST_SENTENCES = 20
"""Sentences from which on two taggers are compared, or a curve of them is carried on.

Draws from fewer vary too little: a single sentence read worse is worse in every draw, and so are four of four, which a
sign test still takes for chance (p = 1/16).
"""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Precision, recall and F1 (0 to 1) of one label, and how many gold entities it has."""

    precision: float
    recall: float
    f1: float
    n_gold: int


@dataclass(frozen=True, slots=True)
class F1Report:
    """Micro-averaged precision, recall and F1 (0 to 1), the counts behind them, and the scores by label."""

    precision: float
    recall: float
    f1: float
    n_gold: int
    n_predicted: int
    per_label: dict[str, LabelScore] = field(default_factory=dict)


def entity_counts(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> Counts:
    """What the F1 of any selection of these sentences is made of: `[[PER 0-1]], [[PER 0-1, LOC 2-3]] -> [[1, 2, 1]]`."""
    if len(gold) != len(predicted):
        raise InvalidInput(f"{len(gold)} gold sentences cannot be compared with {len(predicted)} predicted ones")
    rows = [(len(set(g) & set(p)), len(p), len(g)) for g, p in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def f1_of_counts(found: float, predicted: float, gold: float) -> float:
    """F1 in 0 to 1 from entity counts; 0 when there is nothing to find and nothing was predicted, as in seqeval."""
    return float(2 * found / (predicted + gold)) if predicted + gold else 0.0


def f1_report(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> F1Report:
    """Precision, recall and F1 of predicted spans against gold ones, in all and by label. Raises InvalidInput."""
    totals = entity_counts(gold, predicted).sum(axis=0)
    labels = sorted({span.label for spans in (*gold, *predicted) for span in spans})
    per_label = {label: _label_score(only_label(gold, label), only_label(predicted, label)) for label in labels}
    found, n_predicted, n_gold = (int(total) for total in totals)
    return F1Report(
        precision=found / n_predicted if n_predicted else 0.0,
        recall=found / n_gold if n_gold else 0.0,
        f1=f1_of_counts(found, n_predicted, n_gold),
        n_gold=n_gold,
        n_predicted=n_predicted,
        per_label=per_label,
    )


def seqeval_f1(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]], n_tokens: Sequence[int]) -> float:
    """The same F1 out of seqeval itself (`mode="strict"`, IOB2), which the counts above are tested to equal.

    The pages draw curves and intervals from counts, since seqeval brings scikit-learn with it; commands report this.
    """
    from seqeval.metrics import f1_score  # imported here because it pulls in scikit-learn, which the web has no use for
    from seqeval.scheme import IOB2

    def tags(sentences: Iterable[Sequence[Span]]) -> list[list[str]]:
        return [spans_to_tags(spans, n) for spans, n in zip(sentences, n_tokens, strict=True)]

    return float(f1_score(tags(gold), tags(predicted), mode="strict", scheme=IOB2, zero_division=0))


def bootstrap_f1(counts: Counts, draws: int = 1000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of F1 under resampling of sentences (Efron); (0, 0) without sentences."""
    if not len(counts):
        return 0.0, 0.0
    f1 = _f1(_resampled(counts, draws, seed))
    low, high = np.quantile(f1, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_bootstrap(before: Counts, after: Counts, draws: int = 2000, seed: int = 0) -> float:
    """How surprising the F1 of `after` is if it were no worse than `before`: small means significantly worse.

    Both (n_sentences, 3) over the same sentences, resampled together (Koehn 2004). Returns the share of draws in which
    `after` is at least as good, but never less than a sign test could say of the sentences that differ: draws from three
    of a hundred nearly always hold one of them. 1.0 without sentences.
    """
    if before.shape != after.shape:
        raise InvalidInput(f"{len(before)} sentences cannot be paired with {len(after)}")
    if not len(before):
        return 1.0
    share = float(np.mean(_f1(_resampled(after, draws, seed)) >= _f1(_resampled(before, draws, seed))))
    return max(share, _least_of_a_sign_test(before, after))


def paired_difference(
    before: Counts, after: Counts, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the F1 of `after` less that of `before`, the sentences of both resampled together.

    Both (n_sentences, 3) over the same sentences. It holds 0 where so few of them differ that a sign test could not tell
    the two apart at this level: fewer than six at 95 %. (0, 0) without sentences; InvalidInput for unlike numbers of them.
    """
    if before.shape != after.shape:
        raise InvalidInput(f"{len(before)} sentences cannot be paired with {len(after)}")
    if not len(before):
        return 0.0, 0.0
    differences = _f1(_resampled(after, draws, seed)) - _f1(_resampled(before, draws, seed))
    low, high = (float(end) for end in np.quantile(differences, [(1 - level) / 2, (1 + level) / 2]))
    if 2 * _least_of_a_sign_test(before, after) > 1 - level:
        return min(low, 0.0), max(high, 0.0)
    return low, high


def _least_of_a_sign_test(before: Counts, after: Counts) -> float:
    """The smallest p, one-sided, that a sign test has where all sentences that differ do so to one side: 2 ** -n of them."""
    return 0.5 ** int((before != after).any(axis=1).sum())


def _label_score(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> LabelScore:
    found, n_predicted, n_gold = (int(total) for total in entity_counts(gold, predicted).sum(axis=0))
    precision = found / n_predicted if n_predicted else 0.0
    recall = found / n_gold if n_gold else 0.0
    return LabelScore(precision, recall, f1_of_counts(found, n_predicted, n_gold), n_gold)


def only_label(sentences: Sequence[Sequence[Span]], label: str) -> list[list[Span]]:
    """The spans of one label in each sentence."""
    return [[span for span in spans if span.label == label] for spans in sentences]


def _resampled(counts: Counts, draws: int, seed: int) -> NDArray[np.float64]:
    """(draws, 3) totals over sentences drawn with replacement; the same draws for the same seed and size."""
    weights = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=draws)
    totals: NDArray[np.float64] = weights.astype(np.float64) @ counts.astype(np.float64)
    return totals


def _f1(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    found, predicted, gold = totals.T
    f1: NDArray[np.float64] = 2 * found / np.maximum(predicted + gold, 1)
    return f1
