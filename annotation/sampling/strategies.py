"""Query strategies: (pool, n, rng) -> indices of the sentences to annotate next, best first.

The contract of every entry of QUERY_STRATEGIES: min(n, len(pool)) distinct indices; the same for the same seed; an
empty answer for an empty pool; randomness from `rng` alone. To add one, write the function and its line in a dict: an
acquisition function goes into ACQUISITION_FUNCTIONS and becomes a strategy by itself.
"""

from collections.abc import Callable

import numpy as np

from annotation.sampling.acquisition import ACQUISITION_FUNCTIONS, AcquisitionFunction
from annotation.sampling.diverse import badge, kmeans
from annotation.sampling.pool import Indices, Pool
from maner_core.errors import UnknownName

QueryStrategy = Callable[[Pool, int, np.random.Generator], Indices]


def random(pool: Pool, n: int, rng: np.random.Generator) -> Indices:
    """`n` sentences, each with the same chance; reads nothing but the size of the pool."""
    return rng.permutation(len(pool))[:n]


def top(acquisition: AcquisitionFunction) -> QueryStrategy:
    """The strategy that takes the `n` highest scores of `acquisition`; `rng` decides between equal ones."""

    def highest(pool: Pool, n: int, rng: np.random.Generator) -> Indices:
        order = rng.permutation(len(pool))
        return order[np.argsort(-acquisition(pool)[order], kind="stable")][:n]

    return highest


QUERY_STRATEGIES: dict[str, QueryStrategy] = {
    "random": random,
    **{name: top(acquisition) for name, acquisition in ACQUISITION_FUNCTIONS.items()},
    "kmeans": kmeans,
    "badge": badge,
}

NEEDS_STATES = frozenset({"bald", "badge"})
"""Strategies that read `Pool.states`: of a few thousand sentences, those that `mnlp` puts first."""


def query_strategy(name: str) -> QueryStrategy:
    """The strategy of that name. Raises UnknownName."""
    if name not in QUERY_STRATEGIES:
        raise UnknownName(f"there is no query strategy {name!r}; choose one of {', '.join(QUERY_STRATEGIES)}")
    return QUERY_STRATEGIES[name]
