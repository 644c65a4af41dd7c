"""From scores to the order of the queue: most places by the scores, some by chance, nothing twice over, and why in words.

Everything random comes from the seed in streams of its own, so that the same scores and the same seed give the same
queue again, whatever else was drawn meanwhile.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from annotation.sampling.acquisition import unit_rows
from annotation.sampling.pool import SMALLEST_PROBABILITY, FloatArray, Indices, Values
from maner_core.errors import InvalidConfig
from maner_core.spans import OUTSIDE

RANDOM_REASON = "drawn at random"
"""What a person is told of every sentence chosen by chance, evaluation sentences too: they must look the same."""
CERTAIN = 0.995
"""Chance of a word's best tag that is shown as 100 %."""
CERTAIN_REASON = "no word of it is in doubt"
REASONS = {"kmeans": "stands for many sentences like it", "tag_count": "many names expected here"}
"""What is said of a sentence by strategies that do not look at doubt."""


class Stream(IntEnum):
    """What chance is used for in a round; each use draws from a generator of its own."""

    SUBSAMPLE = 0
    STRATEGY = 1
    POWER = 2
    CHANCE = 3
    PLACES = 4
    COMPARED = 5

    def generator(self, seed: int) -> np.random.Generator:
        """The generator of this use in the round of that seed."""
        return np.random.default_rng([seed, self])


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """How scores become a queue; stored with the run."""

    random_share: float = 0.1
    """Share of the queue drawn by chance: it finds what the tagger is wrongly sure of. 0 to 1."""
    power: float | None = 4.0
    """A sentence is drawn with a chance proportional to its score to this power; None: strictly by score."""
    alike: float = 0.9
    """A sentence whose cosine to one already chosen is above this is passed over; 1 or more: none is."""
    candidates: int = 10
    """The draw is among the highest scores, this many times the labels between two trainings."""
    subsample: int = 5000
    """Sentences that are read and scored, drawn from a larger pool anew each round."""

    def __post_init__(self) -> None:
        if not 0 <= self.random_share <= 1:
            raise InvalidConfig(f"random_share is {self.random_share}; it must be from 0 to 1")
        for name in ("candidates", "subsample"):
            if getattr(self, name) < 1:
                raise InvalidConfig(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.power is not None and self.power <= 0:
            raise InvalidConfig(f"power is {self.power}; it must be above 0, or none for strictly by score")


DEFAULT_RULE = SelectionRule()


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen sentence: `index` into the pool, and how it was chosen."""

    index: int
    by_chance: bool
    propensity: float | None
    """Chance that this rule had to choose this sentence. Of one drawn by chance: the share drawn of the pool, None where only
    what names had left was drawn from. Of a ranked one: once it was read (see `by_power`; 1 where nothing is drawn, None where
    it only took the place of others too alike, or holds a listed name); that it was read at all is another chance, where a
    `subsample` of the pool is."""


TooAlike = Callable[[int, Sequence[int]], int | None]
"""(a sentence of the pool, those chosen before) -> the one of these that it is too like, or None."""


@dataclass(frozen=True)
class Ranking:
    """What was scored of a pool: `sentences` are indices into it, best first."""

    sentences: Indices
    scores: Values | None = None
    """In the same order, falling; None where the strategy chooses whole batches and must not be mixed up."""
    too_alike: TooAlike = lambda index, chosen: None

    @classmethod
    def by_score(cls, sentences: Indices, scores: Values, seed: int, too_alike: TooAlike | None = None) -> "Ranking":
        """The `sentences` in falling order of their `scores`; chance decides between equal ones."""
        shuffled = Stream.STRATEGY.generator(seed).permutation(len(sentences))
        order = shuffled[np.argsort(-scores[shuffled], kind="stable")]
        return cls(sentences[order], scores[order], too_alike or (lambda index, chosen: None))


@dataclass(frozen=True)
class Selection:
    """The new order of the queue, and what was passed over for it: {a sentence: the chosen one that it is too like}."""

    picks: list[Pick]
    left_out: dict[int, int] = field(default_factory=dict)


def subsample(size: int, n: int, seed: int) -> Indices:
    """min(n, size) sentences of a pool, drawn by chance, in its order.

    The best 20 of 5,000 are the best 0.4 %: no worse in practice than the best 20 of a million, and less often outliers.
    """
    chosen: Indices = np.sort(Stream.SUBSAMPLE.generator(seed).permutation(size)[:n])
    return chosen


def select(
    size: int,
    n: int,
    ranking: Ranking | None,
    rule: SelectionRule,
    batch: int,
    seed: int,
    barred: Collection[int] = frozenset(),
    drawn_order: Sequence[int] | None = None,
) -> Selection:
    """The next `n` (or fewer) sentences of a pool of `size` that are not `barred`, in the order they are to be served.

    A `random_share` of them is drawn from the whole pool first, scored or not, so that these alone are an unbiased
    sample; the ranking fills the other places. The drawn ones are spread over the order, one in every stretch of it, so
    that stopping early does not change the share. Without a ranking, or where it is too short, chance fills all places.
    `batch`: labels between two trainings. `drawn_order`: the sentences in the order in which chance takes them (default: by the
    seed).
    """
    by_chance = Stream.CHANCE.generator(seed).permutation(size).tolist() if drawn_order is None else drawn_order
    shuffled = [index for index in by_chance if index not in barred]
    size = len(shuffled)
    n = min(n, size)
    n_random = n if ranking is None else round(rule.random_share * n)
    drawn = shuffled[:n_random]
    ranked, left_out = _ranked(ranking, n - n_random, drawn, rule, batch, seed, barred)
    if missing := n - n_random - len(ranked):
        taken = {*drawn, *(pick.index for pick in ranked)}
        drawn += [index for index in shuffled if index not in taken][:missing]
    n = len(drawn) + len(ranked)
    places = _spread(len(drawn), n, Stream.PLACES.generator(seed))
    for place, index in zip(places, drawn, strict=True):
        ranked.insert(place, Pick(index, by_chance=True, propensity=len(drawn) / size))
    return Selection(ranked, left_out)


def by_power(scores: Values, power: float, n: int, seed: int) -> tuple[Indices, Values]:
    """An order of the `scores`, (n_sentences,), and each one's chance to be among the first `n`, (n_sentences,).

    Keys power * log(score) + Gumbel noise, highest first: drawing one after the other without replacement, each with a
    chance proportional to score^power. Kirsch et al., "Stochastic batch acquisition: a simple baseline for deep active
    learning" (2023). The chance given is 1 - exp(-score^power / e^k) for the highest key k that is not among the first
    n, as in Kool et al., "Stochastic beams and where to find them" (2019): dividing by it gives unbiased sums.
    """
    log_weights = power * np.log(scores + SMALLEST_PROBABILITY)
    keys = log_weights + Stream.POWER.generator(seed).gumbel(size=len(scores))
    order: Indices = np.argsort(-keys, kind="stable")
    if n >= len(scores):
        return order, np.ones(len(scores))
    threshold = keys[order[n]]
    # exp overflows only where the chance is 1 anyway.
    propensities: Values = -np.expm1(-np.exp((log_weights - threshold).clip(max=50.0)))
    return order, propensities


def alike_by_cosine(sentences: Indices, embeddings: FloatArray, above: float) -> TooAlike:
    """Too alike are sentences whose embeddings, less the mean of all, have a cosine above `above`.

    `embeddings` (n, hidden) belong to `sentences` (n,) of the pool. The mean is taken off because all vectors of an
    encoder share a direction that says nothing of the sentence: Mu & Viswanath, "All-but-the-top" (2018).
    """
    rows = {index: row for row, index in enumerate(sentences.tolist())}
    directions = centred(embeddings)

    def too_alike(index: int, chosen: Sequence[int]) -> int | None:
        known = [other for other in chosen if other in rows]
        if index not in rows or not known or above >= 1:
            return None
        cosines = directions[[rows[other] for other in known]] @ directions[rows[index]]
        nearest = int(cosines.argmax())
        return known[nearest] if cosines[nearest] > above else None

    return too_alike


def neighbours(embeddings: FloatArray, of: FloatArray, above: float) -> dict[int, int]:
    """Rows of `embeddings` (n, hidden) with a cosine above `above` to a row of `of` (m, hidden): {row: the nearest}.

    From the mean of all `embeddings`, as in `alike_by_cosine`.
    """
    if not len(embeddings) or not len(of):
        return {}
    mean = embeddings.mean(axis=0, dtype=np.float64)
    cosines = unit_rows(embeddings - mean) @ unit_rows(of - mean).T
    return {int(row): int(cosines[row].argmax()) for row in np.flatnonzero(cosines.max(axis=1) > above)}


def centred(embeddings: FloatArray) -> Values:
    """Directions from the mean of all rows, each of length 1; equal rows all become 0."""
    away = embeddings.astype(np.float64)
    return unit_rows(away - away.mean(axis=0)) if len(away) else away


def _ranked(
    ranking: Ranking | None,
    n: int,
    drawn: Sequence[int],
    rule: SelectionRule,
    batch: int,
    seed: int,
    barred: Collection[int],
) -> tuple[list[Pick], dict[int, int]]:
    """At most `n` picks by the ranking that are not among `drawn`, and what was too like one of them or of those."""
    picks: list[Pick] = []
    left_out: dict[int, int] = {}
    if ranking is None or n <= 0:
        return picks, left_out
    not_again, chosen = {*drawn, *barred}, list(drawn)
    for index, propensity in _in_turn(ranking, n, rule, batch, seed):
        if len(picks) == n:
            break
        if index in not_again:
            continue
        twin = ranking.too_alike(index, chosen)
        if twin is not None:
            left_out[index] = twin
            continue
        picks.append(Pick(index, by_chance=False, propensity=propensity))
        chosen.append(index)
    # Where nothing else is left, what is alike comes at the end after all: a queue must not run dry.
    late = list(left_out)[: n - len(picks)]
    picks += [Pick(index, by_chance=False, propensity=None) for index in late]
    return picks, left_out


def _in_turn(ranking: Ranking, n: int, rule: SelectionRule, batch: int, seed: int) -> list[tuple[int, float | None]]:
    """(sentence, propensity) in the order in which they are to be tried: the drawn candidates, then the rest by score."""
    sentences = ranking.sentences
    if ranking.scores is None or rule.power is None:
        return [(index, 1.0) for index in sentences.tolist()]
    top = max(rule.candidates * batch, 2 * n)
    order, propensities = by_power(ranking.scores[:top], rule.power, n, seed)
    drawn = zip(sentences[:top][order].tolist(), propensities[order].tolist(), strict=True)
    return [*drawn, *((index, None) for index in sentences[top:].tolist())]


def _spread(n_random: int, n: int, rng: np.random.Generator) -> list[int]:
    """A place in each of `n_random` stretches of 0..n-1, ascending: `2, 20 -> [7, 13]`."""
    edges = np.linspace(0, n, n_random + 1).astype(int)
    return [int(rng.integers(low, high)) for low, high in pairwise(edges)]


def why(tag_probs: FloatArray, tags: Sequence[str], tokens: Sequence[str]) -> str:
    """What the tagger doubts most about a sentence: `unsure between ORG and LOC at «Nairobi»: 51 % / 46 %`.

    `tag_probs` is (n_words, n_tags) with the columns `tags`. CERTAIN_REASON where it doubts none.
    """
    if not len(tokens):
        return ""
    word = int(tag_probs.max(axis=1).argmin())
    if tag_probs[word].max() >= CERTAIN:
        return CERTAIN_REASON
    first, second = _two_best(tag_probs[word], tags)
    at = f"at «{tokens[word]}»: {100 * first[1]:.0f} % / {100 * second[1]:.0f} %"
    if first[0] == second[0]:
        return f"unsure whether {first[0]} begins or goes on {at}"
    return f"unsure between {first[0]} and {second[0]} {at}"


def _two_best(probs: npt.NDArray[np.floating], tags: Sequence[str]) -> tuple[tuple[str, float], tuple[str, float]]:
    """Label and probability of the two likeliest tags of a word."""
    ranked = np.argsort(-probs, kind="stable")[:2]
    best = [("no entity" if tags[i] == OUTSIDE else tags[i].partition("-")[2], float(probs[i])) for i in ranked]
    return best[0], best[1]
