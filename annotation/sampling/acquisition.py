"""Acquisition functions: pool -> scores (n_sentences,), higher = annotate first, none below 0.

Pure numpy. Notation: a sentence of n words, p_t(y) the probability of tag y at word t, y^_t its best tag. Every sentence
gets a score, also where the tagger sees no entity: leaving those out would never find what the tagger misses.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from annotation.sampling.pool import SMALLEST_PROBABILITY, FloatArray, Head, Pool, Values
from maner_core.errors import InvalidConfig, InvalidInput
from maner_core.spans import OUTSIDE

Scores = npt.NDArray[np.float64]
AcquisitionFunction = Callable[[Pool], Scores]

DROPOUT_PASSES = 10
REMEMBERED_ROUNDS = 3
"""Rounds over which `fluctuation` looks, this one among them."""


def mnlp(pool: Pool) -> Scores:
    """Maximum normalised log-probability: (1/n) sum_t -log p_t(y^_t), in nats. Leans to short sentences.

    Shen et al., "Deep active learning for named entity recognition" (2017).
    Two words whose best tags have 0.5 and 1.0 -> (0.693 + 0) / 2 = 0.347.
    """
    return pool.mean_words(pool.surprisal)


def least_confidence(pool: Pool) -> Scores:
    """1 - prod_t p_t(y^_t), the doubt about the whole reading. Ranks by length: a control, not a default.

    Culotta & McCallum, "Reducing labeling effort for structured prediction tasks" (2005).
    Two words whose best tags have 0.5 and 0.8 -> 1 - 0.4 = 0.6.
    """
    scores: Scores = -np.expm1(-pool.sum_words(pool.surprisal))
    return scores


def entropy_mean(pool: Pool) -> Scores:
    """Token entropy: the mean over the words of H_t = -sum_y p_t(y) log p_t(y), in nats.

    Settles & Craven, "An analysis of active learning strategies for sequence labeling tasks" (2008).
    Two words with (0.5, 0.5) and (1, 0) -> (0.693 + 0) / 2 = 0.347.
    """
    return pool.mean_words(_entropy(pool.probs))


def entropy_max(pool: Pool) -> Scores:
    """The greatest H_t: one word decides, so it sees a single doubtful name, and noise (Settles & Craven 2008)."""
    return pool.max_words(_entropy(pool.probs))


def entropy_sum(pool: Pool) -> Scores:
    """Total token entropy, sum_t H_t: grows with length, and so does the work (Settles & Craven 2008)."""
    return pool.sum_words(_entropy(pool.probs))


def margin(pool: Pool) -> Scores:
    """Breaking ties: the mean over the words of 1 - (p_t(best) - p_t(second)).

    Luo et al., "Active learning to recognize multiple types of plankton" (2005).
    Two words with (0.6, 0.4) and (1, 0) -> (0.8 + 0) / 2 = 0.4.
    """
    return pool.mean_words(1 - _lead(pool.probs))


def margin_min(pool: Pool) -> Scores:
    """1 - min_t (p_t(best) - p_t(second)): the closest race of any word (Luo et al. 2005)."""
    return pool.max_words(1 - _lead(pool.probs))


def tag_count(pool: Pool) -> Scores:
    """Expected number of words with an entity tag, sum_t 1 - p_t(O): prefers sentences that hold many names.

    Kohl et al., "Scoring-based active learning for entity recognition" (2024) count the best tags; the expectation
    has no ties and no blind spot for a name that the tagger only half suspects.
    """
    return pool.sum_words(1 - pool.outside)


def ent_mnlp(pool: Pool, alpha: float = 0.5, beta_w: float = 0.1, gamma: float = 0.5, weighted: bool = True) -> Scores:
    """Entity-weighted MNLP by cost: (sum_t v_t u_t) / n^alpha / cost^gamma.

    u_t = -log p_t(y^_t);  e_t = 1 - p_t(O);  w(c) = (beta_w + f_O) / (beta_w + f_c) for the share f_c of the labelled
    words that carry label c, so that w(O) = 1;  v_t = e_t w(c_t) + (1 - e_t) for the label c_t of word t's likeliest tag but O.
    cost = seconds for a person, with sum_t p_t(B-*) entities. alpha: from 0, the sum, to 1, the mean over the words;
    gamma: from 0, cost is nothing, to 1, doubt by the second. Not `weighted`: v_t = 1.
    With alpha=1, gamma=0 and not weighted it is `mnlp`.

    Re-weighting in the way of Luo et al., "Re-weighting tokens: a simple and effective active learning strategy for
    named entity recognition" (2023); cost after Haertel et al. 2008. The form is this project's own.
    """
    weights = _entity_weights(pool, beta_w) if weighted else np.ones(len(pool.surprisal))
    doubt = pool.sum_words(weights * pool.surprisal) / np.maximum(pool.lengths, 1) ** alpha
    scores: Scores = doubt / pool.cost.seconds(pool.lengths, pool.expected_entities) ** gamma
    return scores


def bald(pool: Pool) -> Scores:
    """Head-only BALD: the mean over the words of H(mean_m p_t^m) - mean_m H(p_t^m) for m = 1..10 dropout masks.

    The encoder runs once, without dropout; each mask drops the same values of all states before the head. What the
    passes agree on is noise in the data, what they disagree on is what a label would teach. Sentences without states
    get 0. Raises InvalidConfig when the head has no dropout (all scores would be 0), InvalidInput without states.

    Houlsby et al., "Bayesian active learning" (2011); Siddhant & Lipton, "Deep Bayesian active learning for natural
    language processing" (2018); the head alone: Shelmanov et al. (2021).
    """
    if pool.head is None or pool.states is None:
        raise InvalidInput("the strategy 'bald' needs the word states and the head of a tagger; use 'mnlp' without")
    if not 0 < pool.head.dropout < 1:
        raise InvalidConfig(
            f"the dropout before the head is {pool.head.dropout}, so that 'bald' is 0 everywhere; "
            "train with a dropout above 0 or choose another strategy"
        )
    disagreement = _disagreement(pool.states.vectors, pool.head, pool.seed)
    by_word = np.zeros(len(pool.owners))
    by_word[pool.words_of(pool.states.sentences)] = disagreement
    return pool.mean_words(by_word)


def fluctuation(pool: Pool) -> Scores:
    """`mnlp` now plus its standard deviation over the last three rounds: what is unsure, and what the taggers disputed.

    Kohl et al. (2024) found it among the best; they leave the exact form open. A sentence never read before gets its
    `mnlp`. mnlp 0.5 now, 0.3 and 0.1 before -> 0.5 + 0.163 = 0.663.
    """
    now = mnlp(pool)
    if pool.history is None:
        return now
    rounds = np.column_stack([pool.history, now])[:, -REMEMBERED_ROUNDS:].astype(np.float64)
    scores: Scores = now + np.nanstd(rounds, axis=1)
    return scores


def density(pool: Pool) -> Scores:
    """Information density: `mnlp` times the mean cosine to all sentences of the pool, none below 0.

    Settles & Craven (2008) with beta = 1. The mean of all cosines is one product with the mean direction. It depends on
    the pool by its nature, and likes what is repeated: near-duplicates must be out of the pool before.
    """
    if pool.embeddings is None:
        raise InvalidInput("the strategy 'density' needs sentence embeddings; use 'mnlp' without")
    directions = unit_rows(pool.embeddings)
    typical = directions @ directions.mean(axis=0) if len(directions) else np.zeros(0)
    scores: Scores = mnlp(pool) * typical.clip(0.0)
    return scores


def unit_rows(vectors: FloatArray) -> Values:
    """Each row divided by its length; a row of zeros stays one."""
    rows = vectors.astype(np.float64)
    units: Values = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(SMALLEST_PROBABILITY)
    return units


def _entropy(probs: FloatArray) -> Values:
    """In nats, over the last axis: (..., n_tags) -> (...)."""
    certain = probs.astype(np.float64)
    entropy: Values = -(certain * np.log(certain.clip(SMALLEST_PROBABILITY))).sum(axis=-1)
    return entropy.clip(0.0)


def _lead(probs: FloatArray) -> Values:
    """How far the best tag of each word is ahead of the second: (n_words, n_tags) -> (n_words,)."""
    if probs.shape[1] < 2:
        return np.ones(len(probs))
    two = np.partition(probs, -2, axis=1)[:, -2:].astype(np.float64)
    lead: Values = two[:, 1] - two[:, 0]
    return lead


def _entity_weights(pool: Pool, beta_w: float) -> Values:
    """v_t of `ent_mnlp`, (words of all sentences,)."""
    columns = [column for column, tag in enumerate(pool.tags) if tag != OUTSIDE]
    if not columns:
        return np.ones(len(pool.outside))
    labels = [pool.tags[column].partition("-")[2] for column in columns]
    base = beta_w + pool.label_shares.get(OUTSIDE, 0.0)
    weight_of = np.array([base / (beta_w + pool.label_shares.get(label, 0.0)) for label in labels])
    likeliest = weight_of[pool.probs[:, columns].argmax(axis=1)]
    weights: Values = (1 - pool.outside) * likeliest + pool.outside
    return weights


def _disagreement(states: FloatArray, head: Head, seed: int) -> Values:
    """Mutual information between tag and dropout mask of each word, in nats: (n_words, hidden) -> (n_words,)."""
    kept = np.random.default_rng(seed).random((DROPOUT_PASSES, states.shape[1])) >= head.dropout
    n_tags = len(head.weight)
    mean, mean_entropy = np.zeros((len(states), n_tags)), np.zeros(len(states))
    for mask in kept:
        weight = head.weight * mask / (1 - head.dropout)  # dropping values of the state is dropping columns of the head
        probs = _softmax(states @ weight.T + head.bias)
        mean += probs / DROPOUT_PASSES
        mean_entropy += _entropy(probs) / DROPOUT_PASSES
    return (_entropy(mean) - mean_entropy).clip(0.0)


def _softmax(logits: FloatArray) -> Values:
    grown = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probs: Values = grown / grown.sum(axis=1, keepdims=True)
    return probs


ACQUISITION_FUNCTIONS: dict[str, AcquisitionFunction] = {
    "mnlp": mnlp,
    "ent_mnlp": ent_mnlp,
    "entropy_mean": entropy_mean,
    "entropy_max": entropy_max,
    "entropy_sum": entropy_sum,
    "margin": margin,
    "margin_min": margin_min,
    "tag_count": tag_count,
    "bald": bald,
    "fluctuation": fluctuation,
    "density": density,
    "least_confidence": least_confidence,
}
