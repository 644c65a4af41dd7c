"""Which inputs are drawn for a step, and which of them go through the encoder together."""

from collections.abc import Iterator, Sequence

import numpy as np

_BUCKET_BATCHES = 16
"""So many batches are drawn at random together and then sorted by length: little padding, still a random order."""


def random_batches(lengths: Sequence[int], batch_size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Endless batches of indices; every index once per pass, sentences of like length together."""
    bucket = batch_size * _BUCKET_BATCHES
    while True:
        order = rng.permutation(len(lengths))
        batches = []
        for first in range(0, len(order), bucket):
            by_length = sorted(order[first : first + bucket].tolist(), key=lambda i: lengths[i])
            batches += [by_length[i : i + batch_size] for i in range(0, len(by_length), batch_size)]
        for i in rng.permutation(len(batches)):
            yield batches[i]


def in_parts(batch: Sequence[int], lengths: Sequence[int], at_once: int) -> list[list[int]]:
    """Cut a batch into parts of at most `at_once` sub-words with their padding; one window may be longer than that."""
    parts: list[list[int]] = []
    for i in sorted(batch, key=lambda i: lengths[i]):
        if not parts or (len(parts[-1]) + 1) * lengths[i] > at_once:
            parts.append([])
        parts[-1].append(i)
    return parts
