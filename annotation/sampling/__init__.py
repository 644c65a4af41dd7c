"""Which sentences to annotate next: acquisition functions, query strategies and the order of the queue."""

from annotation.sampling.acquisition import ACQUISITION_FUNCTIONS, AcquisitionFunction, least_confidence, mnlp
from annotation.sampling.pool import Pool
from annotation.sampling.selection import RANDOM_REASON, Pick, select, why
from annotation.sampling.strategies import QUERY_STRATEGIES, QueryStrategy, query_strategy, random, top

__all__ = [
    "ACQUISITION_FUNCTIONS",
    "QUERY_STRATEGIES",
    "RANDOM_REASON",
    "AcquisitionFunction",
    "Pick",
    "Pool",
    "QueryStrategy",
    "least_confidence",
    "mnlp",
    "query_strategy",
    "random",
    "select",
    "top",
    "why",
]
