"""What a query strategy sees of the unlabelled sentences: numpy arrays and nothing else.

No text, no ids, no tagger: row i of everything here is the i-th sentence handed in, and the caller keeps the ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from maner_core.errors import InvalidInput

FloatArray = npt.NDArray[np.floating]

SMALLEST_PROBABILITY = 1e-12
"""Probabilities are clipped here before their logarithm is taken: a float32 softmax does reach 0."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The sentences to choose from; derived arrays are computed on first use, so a strategy pays for what it reads."""

    lengths: npt.NDArray[np.intp]
    """Words of each sentence, (n_sentences,)."""
    tags: tuple[str, ...] = ()
    """The columns of `tag_probs`: O, B-PER, I-PER, ..."""
    tag_probs: Sequence[FloatArray] | None = None
    """One array of (n_words, n_tags) a sentence; None while there is no tagger yet."""
    embeddings: FloatArray | None = None
    """(n_sentences, hidden), or None where nothing asked for them."""

    def __post_init__(self) -> None:
        if self.tag_probs is None:
            return
        shapes = [probs.shape for probs in self.tag_probs]
        if shapes != [(length, len(self.tags)) for length in self.lengths]:
            raise InvalidInput(
                f"the tag probabilities do not fit {len(self.lengths)} sentences with {len(self.tags)} tags; "
                "give one array of (words, tags) for each sentence"
            )

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def word_probs(self) -> npt.NDArray[np.float64]:
        """All words one below the other, (words of all sentences, n_tags). Raises InvalidInput without a tagger."""
        if self.tag_probs is None:
            raise InvalidInput("this query strategy needs a tagger and there is none yet; use the strategy 'random'")
        if not len(self):
            return np.zeros((0, len(self.tags)))
        return np.concatenate(self.tag_probs).astype(np.float64)

    @cached_property
    def surprisal(self) -> npt.NDArray[np.float64]:
        """-log of each word's best tag probability, in nats, (words of all sentences,)."""
        if not len(self.word_probs):
            return np.zeros(0)
        surprisal: npt.NDArray[np.float64] = -np.log(self.word_probs.max(axis=1).clip(SMALLEST_PROBABILITY, 1.0))
        return surprisal

    def sum_words(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values of words (words of all sentences,) summed by sentence, (n_sentences,)."""
        totals = np.zeros(len(self))
        np.add.at(totals, np.repeat(np.arange(len(self)), self.lengths), values)
        return totals
