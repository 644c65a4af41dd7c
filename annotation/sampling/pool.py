"""What a query strategy sees of the unlabelled sentences: numpy arrays and nothing else.

No text, no ids, no tagger: row i of everything here is the i-th sentence handed in, and the caller keeps the ids. What
belongs to words lies flat, the words of all sentences below each other: 100,000 sentences are a few arrays, and no
padding can get into a score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from annotation.sampling.cost import Cost
from maner_core.errors import InvalidInput
from maner_core.spans import OUTSIDE

FloatArray = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

SMALLEST_PROBABILITY = 1e-12
"""Probabilities are clipped here before their logarithm is taken: a float32 softmax does reach 0."""


@dataclass(frozen=True, eq=False)
class Head:
    """The last layer of the tagger, for strategies that ask it again: logits = weight @ state + bias."""

    weight: FloatArray
    """(n_tags, hidden)"""
    bias: FloatArray
    """(n_tags,)"""
    dropout: float
    """The share of a state's values that training drops before this layer, 0 to 1."""


@dataclass(frozen=True, eq=False)
class WordStates:
    """The encoder's state of every word of some sentences; all sentences of a large pool would not fit into memory."""

    sentences: Indices
    """Which sentences of the pool, (n_read,)."""
    vectors: FloatArray
    """(words of these sentences, hidden), in the order of `sentences`."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The sentences to choose from; derived arrays are computed on first use, so a strategy pays for what it reads."""

    lengths: Indices
    """Words of each sentence, (n_sentences,)."""
    tags: tuple[str, ...] = ()
    """The columns of `word_probs`: O, B-PER, I-PER, ..."""
    word_probs: FloatArray | None = None
    """(words of all sentences, n_tags); None while there is no tagger yet."""
    embeddings: FloatArray | None = None
    """(n_sentences, hidden), or None where nothing asked for them."""
    states: WordStates | None = None
    """For strategies of NEEDS_STATES: of the sentences that a cheaper score put first."""
    head: Head | None = None
    """What makes tags of `states`."""
    label_shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the labelled words that carry a label (`PER`) or `O`; a label that is missing has 0."""
    history: FloatArray | None = None
    """(n_sentences, n_rounds): `mnlp` of earlier taggers, oldest first; nan where a sentence was not read."""
    cost: Cost = field(default_factory=Cost)
    """Seconds that a sentence costs a person."""
    seed: int = 0
    """Of the round: chance inside a score, such as a dropout mask, comes from it."""

    def __post_init__(self) -> None:
        words = int(self.lengths.sum())
        if self.word_probs is not None and self.word_probs.shape != (words, len(self.tags)):
            raise InvalidInput(
                f"the tag probabilities are {self.word_probs.shape} for {len(self)} sentences of {words} words with "
                f"{len(self.tags)} tags; give ({words}, {len(self.tags)})"
            )
        rows = (self.embeddings, self.history)
        if any(array is not None and len(array) != len(self) for array in rows):
            raise InvalidInput(f"embeddings and history need one row for each of the {len(self)} sentences")
        if self.states is not None and len(self.states.vectors) != self.lengths[self.states.sentences].sum():
            raise InvalidInput("the word states are not as many as the words of their sentences")

    @classmethod
    def of(cls, tag_probs: Sequence[FloatArray], tags: Sequence[str], embeddings: FloatArray | None = None) -> "Pool":
        """The pool of sentences given one by one, each as (n_words, n_tags)."""
        lengths = np.array([len(probs) for probs in tag_probs], dtype=np.intp)
        flat = np.concatenate([np.zeros((0, len(tags)), np.float32), *tag_probs])
        return cls(lengths, tuple(tags), flat, embeddings)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def probs(self) -> FloatArray:
        """`word_probs`. Raises InvalidInput without a tagger."""
        if self.word_probs is None:
            raise InvalidInput("this query strategy needs a tagger and there is none yet; use the strategy 'random'")
        return self.word_probs

    @cached_property
    def owners(self) -> Indices:
        """The sentence of each word, (words of all sentences,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def surprisal(self) -> Values:
        """-log of each word's best tag probability, in nats, (words of all sentences,)."""
        best = self.probs.max(axis=1, initial=0.0).astype(np.float64)
        surprisal: Values = -np.log(best.clip(SMALLEST_PROBABILITY, 1.0))
        return surprisal

    @cached_property
    def outside(self) -> Values:
        """The probability of O for each word, (words of all sentences,)."""
        return self.probs[:, self.tags.index(OUTSIDE)].astype(np.float64)

    @cached_property
    def expected_entities(self) -> Values:
        """The sum of all probabilities that a word begins an entity, (n_sentences,)."""
        begins = [column for column, tag in enumerate(self.tags) if tag.startswith("B-")]
        return self.sum_words(self.probs[:, begins].sum(axis=1, dtype=np.float64))

    def sum_words(self, values: Values) -> Values:
        """Values of words (words of all sentences,) summed by sentence, (n_sentences,)."""
        totals: Values = np.bincount(self.owners, values, minlength=len(self)).astype(np.float64)
        return totals

    def mean_words(self, values: Values) -> Values:
        """Values of words averaged by sentence, (n_sentences,)."""
        means: Values = self.sum_words(values) / np.maximum(self.lengths, 1)
        return means

    def max_words(self, values: Values) -> Values:
        """The greatest of the values of a sentence's words, none below 0, (n_sentences,)."""
        greatest = np.zeros(len(self))
        np.maximum.at(greatest, self.owners, values)
        return greatest

    def words_of(self, sentences: Indices) -> Indices:
        """Where the words of these sentences lie in the flat arrays, sentence after sentence: (their words,)."""
        ends = np.cumsum(self.lengths)
        lengths = self.lengths[sentences]
        shift = np.repeat(ends[sentences] - np.cumsum(lengths), lengths)
        return np.arange(lengths.sum()) + shift
