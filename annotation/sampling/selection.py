"""From a query strategy to the order of the queue: most places by the strategy, some by chance, and why in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from annotation.sampling.pool import FloatArray, Pool
from annotation.sampling.strategies import QueryStrategy, random
from maner_core.spans import OUTSIDE

RANDOM_REASON = "drawn at random"
"""What a person is told of every sentence chosen by chance, evaluation sentences too: they must look the same."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen sentence: `index` into the pool, and how it was chosen."""

    index: int
    by_chance: bool
    propensity: float
    """Chance that this rule had to choose this sentence: the share drawn of the pool, or 1 for a ranked one."""


def select(pool: Pool, n: int, strategy: QueryStrategy, random_share: float, rng: np.random.Generator) -> list[Pick]:
    """The next min(n, len(pool)) sentences in the order they are to be served.

    A `random_share` of them is drawn from the whole pool first, ranked high or not, so that these alone are an unbiased
    sample; the strategy fills the other places from the rest. The drawn ones are spread over the order, one in every
    stretch of it, so that stopping early does not change the share.
    """
    n = min(n, len(pool))
    n_random = n if strategy is random else round(random_share * n)
    drawn = random(pool, n_random, rng)
    ranked = strategy(pool, n, rng) if n_random < n else np.zeros(0, dtype=np.intp)
    ranked = ranked[~np.isin(ranked, drawn)][: n - n_random]
    places = _spread(n_random, n, rng)
    picks = [Pick(int(index), by_chance=False, propensity=1.0) for index in ranked]
    for place, index in zip(places, drawn, strict=True):
        picks.insert(place, Pick(int(index), by_chance=True, propensity=n_random / len(pool)))
    return picks


def _spread(n_random: int, n: int, rng: np.random.Generator) -> list[int]:
    """A place in each of `n_random` stretches of 0..n-1, ascending: `2, 20 -> [7, 13]`."""
    edges = np.linspace(0, n, n_random + 1).astype(int)
    return [int(rng.integers(low, high)) for low, high in pairwise(edges)]


def why(tag_probs: FloatArray, tags: Sequence[str], tokens: Sequence[str]) -> str:
    """What the tagger doubts most about a sentence: `unsure between ORG and LOC at «Nairobi»: 51 % / 46 %`.

    `tag_probs` is (n_words, n_tags) with the columns `tags`.
    """
    if not len(tokens):
        return ""
    word = int(tag_probs.max(axis=1).argmin())
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
