"""Hiding words of a text for a masked language model to guess: which, what stands in their place, and what is asked.

Whole words are hidden, so that no part of a word gives the rest of it away; 80 % of their sub-words become the mask, 10 % some
other sub-word, 10 % stay, all of them are asked for. Devlin et al. 2019 (section 3.1; whole words: the release of May 2019),
Gu et al. 2021 (section 2.3.1: whole words serve adaptation to a domain better). No torch here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from maner_core.batches import random_batches
from maner_core.encoding import InputScheme, Pieces, Specials, WordEncoder, encode_maner, encode_sner
from maner_core.errors import InvalidInput

NOT_ASKED = -1
"""Stands in `MaskedInput.asked` wherever nothing is to be guessed; no sub-word has this id."""
MASK_SHARE = 0.8
"""Of the hidden sub-words so many are replaced by the mask ..."""
OTHER_SHARE = 0.1
"""... and so many by another sub-word; the rest stays as it is."""


@dataclass(frozen=True, slots=True)
class MaskedInput:
    """One encoder input: `ids`, and for each of them the id to guess there, or NOT_ASKED."""

    ids: list[int]
    asked: list[int]


def choose_words(n_words: int, probability: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """The words to hide, ascending: this share of them, one at least, each as likely as any other.

    A number of words and not of sub-words: a budget of sub-words would leave long words out of short sentences.
    """
    n_chosen = min(n_words, max(1, round(probability * n_words)))
    return np.sort(rng.choice(n_words, n_chosen, replace=False)) if n_words else np.zeros(0, np.intp)


def replace_pieces(pieces: Sequence[int], draws: NDArray[np.float64], others: Sequence[int], mask: int) -> list[int]:
    """What stands in place of hidden sub-words, by one draw (0 to 1) and one other sub-word for each of them.

    With mask 9: `[5, 6, 7], draws [0.79, 0.89, 0.9], others [3, 4, 8] -> [9, 4, 7]`
    """
    return [
        mask if draw < MASK_SHARE else other if draw < MASK_SHARE + OTHER_SHARE else piece
        for piece, draw, other in zip(pieces, draws.tolist(), others, strict=True)
    ]


def masked_input(
    pieces: Pieces,
    scheme: InputScheme,
    specials: Specials,
    vocabulary: NDArray[np.int64],
    probability: float,
    rng: np.random.Generator,
) -> MaskedInput:
    """The input of these words under `scheme` with some words hidden; `vocabulary` (n_ids,) gives the other sub-words.

    Only sub-words of the text are ever asked for: what the scheme puts around them, special tokens and prepended masks,
    passes through it as NOT_ASKED. With begin 0, end 2, mask 9 and the second word hidden behind masks, as `maner`:
    `[[5], [6, 7]] -> ids [0, 9, 5, 9, 9, 9, 2], asked [-1, -1, -1, -1, 6, 7, -1]`
    """
    shown = [list(word) for word in pieces]
    asked = [[NOT_ASKED] * len(word) for word in pieces]
    for word in choose_words(len(pieces), probability, rng):
        n = len(shown[word])
        asked[word] = shown[word]
        shown[word] = replace_pieces(shown[word], rng.random(n), rng.choice(vocabulary, n).tolist(), specials.mask)
    nothing = Specials(*[NOT_ASKED] * len(fields(Specials)))
    return MaskedInput(scheme(shown, specials)[0], scheme(asked, nothing)[0])


def cut_to_length(
    pieces: Pieces, scheme: InputScheme, specials: Specials, max_length: int
) -> list[list[Sequence[int]]]:
    """The words in consecutive parts whose inputs have at most `max_length` sub-words; every word once.

    A word that is too long for any input is left out.
    """
    empty = len(scheme([], specials)[0])
    parts: list[list[Sequence[int]]] = []
    room = 0
    for word in pieces:
        needed = len(scheme([word], specials)[0]) - empty
        if empty + needed > max_length:
            continue
        if not parts or needed > room:
            parts.append([])
            room = max_length - empty
        parts[-1].append(word)
        room -= needed
    return parts


FORMATS: dict[str, tuple[InputScheme, ...]] = {"maner": (encode_sner, encode_maner)}
"""The inputs in which words are hidden, by system: the plain sentence for those that are not named here."""


class HiddenWords:
    """Sentences as endless batches of encoder inputs with hidden words, drawn anew each time a sentence is read.

    Each batch is in one of the formats of the system: the plain sentence and, for MANER, as often the one with a mask before
    every word. Nothing in the pre-training looks like the latter, so what is learned on plain text alone might not carry over.
    """

    def __init__(self, text: Sequence[Sequence[str]], words: WordEncoder, system: str) -> None:
        """Raises InvalidInput when the text has no word."""
        self._schemes = FORMATS.get(system, (encode_sner,))
        self._specials = words.specials
        # The last format is the longest.
        self._parts = [
            part
            for pieces in words.pieces(text)
            for part in cut_to_length(pieces, self._schemes[-1], words.specials, words.max_length)
        ]
        if not self._parts:
            raise InvalidInput("the text to adapt to holds no word; give some sentences")
        self._vocabulary = np.unique([i for part in self._parts for word in part for i in word])  # (n_ids,)

    @property
    def ids(self) -> set[int]:
        """All that these inputs may hold: the sub-words of the text and the special ones."""
        specials = self._specials
        return {*self._vocabulary.tolist(), specials.begin, specials.end, specials.mask, specials.pad}

    def batches(self, batch_size: int, probability: float, rng: np.random.Generator) -> Iterator[list[MaskedInput]]:
        """Every part once a pass, parts of like length together; all chance comes from `rng`."""
        lengths = [sum(map(len, part)) for part in self._parts]
        for batch in random_batches(lengths, batch_size, rng):
            scheme = self._schemes[rng.integers(len(self._schemes))]
            yield [
                masked_input(self._parts[i], scheme, self._specials, self._vocabulary, probability, rng) for i in batch
            ]


def some_of(text: Sequence[Sequence[str]], n: int, rng: np.random.Generator) -> list[Sequence[str]]:
    """At most `n` sentences of the text, drawn by chance, in their order: no more than a training can read is kept."""
    if len(text) <= n:
        return list(text)
    return [text[i] for i in np.sort(rng.choice(len(text), n, replace=False))]
