"""Acquisition functions: pool -> scores (n_sentences,), higher = annotate first.

Pure numpy on the tag probabilities. A sentence's score depends on that sentence alone, and every sentence gets
one, also where the tagger sees no entity: leaving those out would never find what the tagger misses.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from annotation.sampling.pool import Pool

Scores = npt.NDArray[np.float64]
AcquisitionFunction = Callable[[Pool], Scores]


def mnlp(pool: Pool) -> Scores:
    """Maximum normalised log-probability (Shen et al. 2017): mean over the words of -log max_y p(y), in nats.

    Two words whose best tags have 0.5 and 1.0 -> (0.693 + 0) / 2 = 0.347.
    """
    return pool.sum_words(pool.surprisal) / np.maximum(pool.lengths, 1)


def least_confidence(pool: Pool) -> Scores:
    """1 - probability of the best tag sequence (Culotta & McCallum 2005). Ranks by length: a control, not a default.

    Two words whose best tags have 0.5 and 0.8 -> 1 - 0.4 = 0.6.
    """
    scores: Scores = -np.expm1(-pool.sum_words(pool.surprisal))
    return scores


ACQUISITION_FUNCTIONS: dict[str, AcquisitionFunction] = {"mnlp": mnlp, "least_confidence": least_confidence}
