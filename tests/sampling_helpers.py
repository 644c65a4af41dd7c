"""Pools for tests of the query strategies, made from a seed or by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from annotation.sampling import Head, Pool, WordStates
from maner_core.spans import iob2_tags

TAGS = tuple(iob2_tags(["PER", "ORG"]))
HIDDEN = 8


def make_pool(n: int, seed: int = 0, with_states: int | None = None) -> Pool:
    """Everything a strategy can read of `n` random sentences; word states of the first `with_states`, or of all."""
    rng = np.random.default_rng(seed)
    probs = [rng.dirichlet(np.ones(len(TAGS)), rng.integers(1, 12)).astype(np.float32) for _ in range(n)]
    return whole(Pool.of(probs, TAGS), rng, with_states)


def whole(pool: Pool, rng: np.random.Generator, with_states: int | None = None) -> Pool:
    """The pool with random embeddings, states, head and history."""
    read = np.arange(len(pool))[:with_states]
    return replace(
        pool,
        embeddings=rng.normal(size=(len(pool), HIDDEN)).astype(np.float32),
        states=WordStates(read, rng.normal(size=(pool.lengths[read].sum(), HIDDEN)).astype(np.float32)),
        head=Head(rng.normal(size=(len(TAGS), HIDDEN)), rng.normal(size=len(TAGS)), 0.1),
        history=rng.random((len(pool), 2)),
        label_shares={"O": 0.8, "PER": 0.2},
    )


def pool_of(*best: Sequence[float]) -> Pool:
    """Sentences given by the probability of each word's best tag, O; all else that is left is B-PER."""
    return Pool.of([np.array([[p, 1 - p, 0.0, 0.0, 0.0] for p in words]) for words in best], TAGS)


def pool_like(sentence: Sequence[float], n: int) -> Pool:
    """`n` sentences that no strategy can tell apart."""
    pool = pool_of(*[sentence] * n)
    words = n * len(sentence)
    return replace(
        pool,
        embeddings=np.ones((n, HIDDEN)),
        states=WordStates(np.arange(n), np.ones((words, HIDDEN))),
        head=Head(np.ones((len(TAGS), HIDDEN)), np.zeros(len(TAGS)), 0.1),
    )


def reordered(pool: Pool, order: Sequence[int]) -> Pool:
    """The same sentences in another order."""
    chosen = np.asarray(order, dtype=np.intp)
    assert pool.word_probs is not None
    assert pool.states is not None
    assert len(pool.states.sentences) == len(pool)
    words = pool.words_of(chosen)
    return replace(
        pool,
        lengths=pool.lengths[chosen],
        word_probs=pool.word_probs[words],
        embeddings=None if pool.embeddings is None else pool.embeddings[chosen],
        states=WordStates(np.arange(len(chosen)), pool.states.vectors[words]),
        history=None if pool.history is None else pool.history[chosen],
    )
