"""Which sentences to annotate next: acquisition functions, query strategies and the order of the queue."""

from annotation.sampling.acquisition import (
    ACQUISITION_FUNCTIONS,
    AcquisitionFunction,
    bald,
    density,
    ent_mnlp,
    entropy_max,
    entropy_mean,
    entropy_sum,
    fluctuation,
    least_confidence,
    margin,
    margin_min,
    mnlp,
    tag_count,
)
from annotation.sampling.cost import Cost
from annotation.sampling.diverse import badge, kmeans
from annotation.sampling.pool import Head, Pool, WordStates
from annotation.sampling.selection import RANDOM_REASON, Pick, select, why
from annotation.sampling.strategies import NEEDS_STATES, QUERY_STRATEGIES, QueryStrategy, query_strategy, random, top

__all__ = [
    "ACQUISITION_FUNCTIONS",
    "NEEDS_STATES",
    "QUERY_STRATEGIES",
    "RANDOM_REASON",
    "AcquisitionFunction",
    "Cost",
    "Head",
    "Pick",
    "Pool",
    "QueryStrategy",
    "WordStates",
    "badge",
    "bald",
    "density",
    "ent_mnlp",
    "entropy_max",
    "entropy_mean",
    "entropy_sum",
    "fluctuation",
    "kmeans",
    "least_confidence",
    "margin",
    "margin_min",
    "mnlp",
    "query_strategy",
    "random",
    "select",
    "tag_count",
    "top",
    "why",
]
