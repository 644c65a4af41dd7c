"""Query strategies: (pool, n, rng) -> indices of the sentences to annotate next, best first.

The contract of every entry of QUERY_STRATEGIES: min(n, len(pool)) distinct indices; the same for the same seed; an
empty answer for an empty pool; randomness from `rng` alone. To add one, write the function and its line in a dict: an
acquisition function goes into ACQUISITION_FUNCTIONS and becomes a strategy by itself.
"""

from collections.abc import Callable
from functools import partial
from inspect import signature

import numpy as np

from annotation.sampling.acquisition import ACQUISITION_FUNCTIONS, AcquisitionFunction
from annotation.sampling.diverse import badge, kmeans
from annotation.sampling.pool import Indices, Pool
from maner_core.errors import InvalidConfig, UnknownName

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
    """The strategy of that name, an acquisition function with other parameters if it says so. Raises UnknownName.

    `ent_mnlp:alpha=1,gamma=0` is `ent_mnlp` that looks at the mean over the words and at no cost.
    """
    acquisition = acquisition_function(name)
    if acquisition is not None:
        return top(acquisition)
    if name not in QUERY_STRATEGIES:
        raise UnknownName(f"there is no query strategy {name!r}; choose one of {', '.join(QUERY_STRATEGIES)}")
    return QUERY_STRATEGIES[name]


def acquisition_function(name: str) -> AcquisitionFunction | None:
    """The score behind a query strategy, None where it has none (or there is no such strategy).

    Raises UnknownName where it has no such parameter, InvalidConfig where the value is no number.
    """
    base, colon, settings = name.partition(":")
    function = ACQUISITION_FUNCTIONS.get(base)
    if function is None or not colon:
        return function
    known = list(signature(function).parameters)[1:]
    chosen = {}
    for setting in settings.split(","):
        parameter, _, value = setting.partition("=")
        if parameter not in known:
            has = ", ".join(known) or "none"
            raise UnknownName(f"the query strategy {base!r} has no parameter {parameter!r}; it has {has}")
        try:
            chosen[parameter] = float(value)
        except ValueError:
            raise InvalidConfig(f"{parameter} of {base!r} is {value!r}; it must be a number") from None
    return partial(function, **chosen)
