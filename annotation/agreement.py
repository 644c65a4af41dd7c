"""How far people agree, on sentences that were doubled by chance and labelled without suggestions.

The headline is the F1 of entities between two people, either as gold: the number of words that nobody marks, on which
kappa depends, has no meaning for spans (Hripcsak & Rothschild 2005). Cohen's kappa and Krippendorff's alpha are
given beside it on those words alone that at least one person marked; with all the others they would be high by themselves.
Of one label they ask of the same words whether they have this label or not (Fleiss 1971, section 4, does so for his kappa).
Intervals are those of a bootstrap over sentences (Efron 1979).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from maner_core.evaluation import Counts, bootstrap_f1, entity_counts, f1_of_counts
from maner_core.spans import Span
from storage import DoubledSentence, Status

FEWEST_SENTENCES = 50  # doubled sentences below which the figures are said to be shaky
DRAWS = 1_000  # of the bootstrap
ALPHA_DRAWS = 200  # the library takes one draw at a time

Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """What two people or more say of a sentence of `n_tokens`: annotator id -> spans."""

    sentence_id: int
    n_tokens: int
    spans: Mapping[int, Spans]

    @property
    def differ(self) -> bool:
        """Whether not all say the same."""
        return len({frozenset(own) for own in self.spans.values()}) > 1


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure and its 95% interval; `value` is None where there is nothing it could be computed from."""

    value: float | None
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class EntityAgreement:
    """F1 (0 to 1) of entities: same words and label; same words; a word in common and the same label."""

    exact: Measured
    span_only: Measured
    overlap: Measured
    n_entities: int  # marked by any of the people, each counted


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Of one label: its entities; kappa and alpha (-1 to 1) on marked words, this label against all else.

    `kappa` is the mean over the pairs of people, each counted by its words.
    """

    entities: EntityAgreement
    kappa: Measured
    alpha: Measured


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How two annotators agree on the sentences both labelled; kappa (-1 to 1) is Cohen's, on words either marked."""

    first: int
    second: int
    n_sentences: int
    entities: EntityAgreement
    kappa: Measured
    by_label: Mapping[str, tuple[EntityAgreement, Measured]]
    """Entities and kappa of each label that somebody used."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement in all (every pair of people on a sentence counts), by pair and by label.

    `alpha` (-1 to 1) is Krippendorff's, nominal, on words that somebody marked. `differing` are ids of sentences.
    """

    n_sentences: int
    n_people: int
    entities: EntityAgreement
    alpha: Measured
    pairs: tuple[PairAgreement, ...]
    by_label: Mapping[str, LabelAgreement]
    differing: tuple[int, ...]


def answers_of(doubled: Sequence[DoubledSentence]) -> list[Answers]:
    """What can be compared: sentences that two people or more have labelled; who skipped or flagged one is left out."""
    found = []
    for one in doubled:
        spans = {own.annotator_id: own.spans for own in one.annotations if own.status is Status.LABELLED}
        if len(spans) > 1:
            found.append(Answers(one.sentence.id, len(one.sentence.tokens), spans))
    return found


def agreement(answers: Sequence[Answers]) -> Agreement:
    """Everything about these sentences; figures are None where nobody marked anything."""
    people = sorted({who for one in answers for who in one.spans})
    labels = sorted({span.label for one in answers for spans in one.spans.values() for span in spans})
    units = _units(answers, labels)
    pairs = [two for two in combinations(people, 2) if any(one.spans.keys() >= set(two) for one in answers)]
    return Agreement(
        n_sentences=len(answers),
        n_people=len(people),
        entities=_entities(answers),
        alpha=_alpha(units),
        pairs=tuple(_pair(answers, first, second, labels) for first, second in pairs),
        by_label={
            label: LabelAgreement(
                entities=_entities([_only(one, label) for one in answers]),
                kappa=_mean_kappa([_confusions(answers, first, second, [label]) for first, second in pairs]),
                alpha=_alpha([_one_against_all(table, number) for table in units]),
            )
            for number, label in enumerate(labels, start=1)
        },
        differing=tuple(one.sentence_id for one in answers if one.differ),
    )


def in_words(found: Agreement) -> str:
    """What the figures say, for people: `Two people who label the same sentence agree on 80 % of the names …`."""
    exact, span_only, overlap = found.entities.exact, found.entities.span_only, found.entities.overlap
    if not found.n_sentences:
        return "No sentence has been labelled by two people yet."
    if exact.value is None or span_only.value is None or overlap.value is None:
        return f"Nobody has marked a name in the {found.n_sentences} doubled sentences yet."
    words = (
        f"Two people who label the same sentence agree on {exact.value:.0%} of the names "
        f"(F1; 95%: {exact.low:.0%} to {exact.high:.0%})."
    )
    about_labels, about_ends = span_only.value - exact.value, overlap.value - exact.value
    if exact.value == 1:
        words += " They differ nowhere."
    elif about_labels >= 2 * about_ends and about_labels > 0.02:
        words += " Where they differ, it is more about the label than about where a name starts and ends."
    elif about_ends >= 2 * about_labels and about_ends > 0.02:
        words += " Where they differ, it is more about where a name starts and ends than about the label."
    elif max(about_labels, about_ends) <= 0.02:
        words += " Where they differ, it is about what is a name at all."
    if found.n_sentences < FEWEST_SENTENCES:
        words += f" That rests on few sentences: {FEWEST_SENTENCES} at least make a figure to rely on."
    return words


def overlapping(first: Sequence[Span], second: Sequence[Span]) -> int:
    """How many entities of two readings pair off, each once, where two share a word and the label.

    `[PER 0-2, LOC 3-5], [PER 1-2, LOC 4-6] -> 2`
    """
    one, two = sorted(first), sorted(second)
    i = j = pairs = 0
    while i < len(one) and j < len(two):
        a, b = one[i], two[j]
        if a.start < b.end and b.start < a.end and a.label == b.label:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif a.end <= b.end:
            i += 1
        else:
            j += 1
    return pairs


def kappas(confusions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cohen's kappa of each of many confusion matrices, NaN where chance alone would agree on everything.

    `(draws, n_labels, n_labels) -> (draws,)`
    """
    total = confusions.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(confusions, axis1=1, axis2=2) / total
        expected = (confusions.sum(axis=1) * confusions.sum(axis=2)).sum(axis=1) / total**2
        return np.asarray((observed - expected) / (1 - expected))


def _entities(answers: Sequence[Answers]) -> EntityAgreement:
    exact = _f1(answers, lambda first, second: entity_counts([first], [second])[0])
    span_only = _f1(answers, lambda first, second: entity_counts([_bare(first)], [_bare(second)])[0])
    overlap = _f1(answers, lambda first, second: np.array((overlapping(first, second), len(second), len(first))))
    n_entities = sum(len(spans) for one in answers for spans in one.spans.values())
    return EntityAgreement(exact, span_only, overlap, n_entities)


def _f1(answers: Sequence[Answers], count: Callable[[Spans, Spans], NDArray[np.int64]]) -> Measured:
    """F1 over all pairs of people of all sentences; sentences, with all their pairs, are what is resampled."""
    counts: Counts = np.zeros((len(answers), 3), dtype=np.int64)  # (n_sentences, 3)
    for row, one in enumerate(answers):
        for first, second in combinations(sorted(one.spans), 2):
            counts[row] += count(one.spans[first], one.spans[second])
    found, n_second, n_first = counts.sum(axis=0).tolist()
    if not n_second + n_first:
        return Measured(None)
    return Measured(f1_of_counts(found, n_second, n_first), *bootstrap_f1(counts, DRAWS))


def _pair(answers: Sequence[Answers], first: int, second: int, labels: Sequence[str]) -> PairAgreement:
    both = [
        Answers(one.sentence_id, one.n_tokens, {first: one.spans[first], second: one.spans[second]})
        for one in answers
        if first in one.spans and second in one.spans
    ]
    by_label = {
        label: (_entities([_only(one, label) for one in both]), _kappa(_confusions(both, first, second, [label])))
        for label in labels
    }
    kappa = _kappa(_confusions(both, first, second, labels))
    return PairAgreement(first, second, len(both), _entities(both), kappa, by_label)


def _confusions(answers: Sequence[Answers], first: int, second: int, labels: Sequence[str]) -> NDArray[np.float64]:
    """What two people say of each word that either marked: (n_sentences, n_labels + 1, n_labels + 1), 0 for none of these.

    A sentence that one of them has not labelled has no words.
    """
    number = {label: place for place, label in enumerate(labels, start=1)}
    confusions = np.zeros((len(answers), len(number) + 1, len(number) + 1))
    for row, one in enumerate(answers):
        if first in one.spans and second in one.spans:
            for said in _marked_words(one, (first, second)).values():
                confusions[row, number.get(said.get(first, ""), 0), number.get(said.get(second, ""), 0)] += 1
    return confusions


def _kappa(confusions: NDArray[np.float64]) -> Measured:
    """Cohen's kappa on all sentences."""
    return _mean_kappa([confusions])


def _mean_kappa(pairs: Sequence[NDArray[np.float64]]) -> Measured:
    """The mean of Cohen's kappas of pairs of people, each counted by its words; None where none of them is defined."""
    if not pairs:
        return Measured(None)

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(draws, n_sentences) -> (draws,)`"""
        drawn = np.stack([np.tensordot(weights, confusions, axes=1) for confusions in pairs])
        found, words = kappas(drawn.reshape(-1, *drawn.shape[2:])).reshape(drawn.shape[:2]), drawn.sum(axis=(2, 3))
        words[np.isnan(found)] = 0
        with np.errstate(invalid="ignore"):
            return np.asarray((np.nan_to_num(found) * words).sum(axis=0) / words.sum(axis=0))

    n = len(pairs[0])
    [value] = mean(np.ones((1, n))).tolist()
    return Measured(None) if math.isnan(value) else _measured(value, mean(_weights(n, DRAWS)))


def _units(answers: Sequence[Answers], labels: Sequence[str]) -> list[NDArray[np.int64]]:
    """How many people call each marked word what, of each sentence: (n_words, n_labels + 1), first who do not mark it."""
    number = {label: place for place, label in enumerate(labels, start=1)}
    units = []
    for one in answers:
        words = _marked_words(one, one.spans)
        table = np.zeros((len(words), len(number) + 1), dtype=np.int64)
        for row, said in enumerate(words.values()):
            for who in one.spans:
                table[row, number.get(said.get(who, ""), 0)] += 1
        units.append(table)
    return units


def _one_against_all(table: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """`(n_words, n_labels + 1) -> (n_words, 2)`: how many people call a word anything else, and how many this."""
    return np.stack([table.sum(axis=1) - table[:, number], table[:, number]], axis=1)


def _alpha(units: Sequence[NDArray[np.int64]]) -> Measured:
    """Krippendorff's alpha of all people on the words that any of them marked."""
    value = _alpha_of(np.concatenate(units)) if units else None
    if value is None:
        return Measured(None)
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(units), size=len(units)) for _ in range(ALPHA_DRAWS))
    drawn = [_alpha_of(np.concatenate([units[row] for row in rows])) for rows in draws]
    return _measured(value, np.array([one for one in drawn if one is not None]))


def _alpha_of(units: NDArray[np.int64]) -> float | None:
    """Alpha of (n_words, n_labels) counts; None where all people say the same of all words, which makes it 0 / 0."""
    import krippendorff

    if np.count_nonzero(units.sum(axis=0)) < 2:
        return None
    return float(krippendorff.alpha(value_counts=units, level_of_measurement="nominal"))


def _measured(value: float, drawn: NDArray[np.float64]) -> Measured:
    """A value with the percentile interval of its bootstrap draws; draws in which it is undefined say nothing."""
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (value, value)
    return Measured(value, float(low), float(high))


def _weights(n_sentences: int, draws: int) -> NDArray[np.float64]:
    """How often each sentence is drawn: (draws, n_sentences), each row sums to n_sentences."""
    rng = np.random.default_rng(0)
    return rng.multinomial(n_sentences, np.full(n_sentences, 1 / n_sentences), size=draws).astype(np.float64)


def _marked_words(one: Answers, people: Iterable[int]) -> dict[int, dict[int, str]]:
    """The words that one of these people marked, and as what by whom: `{3: {annotator: "PER"}}`."""
    words: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for who in people:
        for span in one.spans[who]:
            for word in range(span.start, span.end):
                words[word][who] = span.label
    return dict(sorted(words.items()))


def _bare(spans: Spans) -> Spans:
    return tuple(Span(span.start, span.end, "any") for span in spans)


def _only(one: Answers, label: str) -> Answers:
    own = {who: tuple(span for span in spans if span.label == label) for who, spans in one.spans.items()}
    return Answers(one.sentence_id, one.n_tokens, own)
