"""From words to what the encoder reads: sub-word ids, and the positions at which each word's tag is read.

One function per input scheme; INPUT_SCHEMES names them. Sub-words exist only here: everything else counts words.
The four schemes are those of Sonkar, Wang, Baraniuk: "MANER" (2023).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from maner_core.errors import UnknownName, UnsupportedBackbone

if TYPE_CHECKING:  # the command line reads the names of the systems here, and must start at once
    import numpy as np

RANDOM_TOKEN = "<maner-random>"
"""The untrained token of `maner_rand` in the tokenizer."""

MIN_WINDOW = 16
"""Sub-words that a window must have room for."""

MAX_PIECES_PER_WORD = 32
"""A longer word is cut for the encoder (never in the data): its tail says little about its tag and may be endless."""

WORDS_REMEMBERED = 200_000
"""Words whose sub-words are kept; beyond it all are forgotten, so that an endless text fits into memory."""

CONTEXT_FRACTION = 0.25
"""Share of a window that repeats words of its neighbours, so that every word is read with some context on both sides."""


@dataclass(frozen=True, slots=True)
class Specials:
    """The ids of the special sub-words of one tokenizer."""

    begin: int
    end: int
    mask: int
    pad: int
    unknown: int
    random: int | None = None
    """RANDOM_TOKEN, which only a tokenizer prepared for `maner_rand` has."""


@dataclass(frozen=True, slots=True)
class Window:
    """One encoder input: `ids` and, for the words `start` to `end` of the sentence, where to read their tags."""

    ids: list[int]
    positions: list[int]
    start: int
    end: int
    stop: int
    """Where the words that are read end in `ids`: behind it come words of context and the end token."""


Pieces = Sequence[Sequence[int]]
"""The sub-word ids of each word of a sentence or of a part of one; no word is empty."""

InputScheme = Callable[[Pieces, Specials], tuple[list[int], list[int]]]
"""(pieces of n words, specials) -> (ids, n positions into ids)."""


def encode_maner(pieces: Pieces, specials: Specials) -> tuple[list[int], list[int]]:
    """A mask before every word, and the tag read from that mask (Sonkar et al. 2023).

    With begin 0, end 2, mask 9: `[[5], [6, 7]] -> ids [0, 9, 5, 9, 6, 7, 2], positions [1, 3]`
    """
    ids, positions = [specials.begin], []
    for word in pieces:
        positions.append(len(ids))
        ids += [specials.mask, *word]
    return [*ids, specials.end], positions


def encode_maner_rand(pieces: Pieces, specials: Specials) -> tuple[list[int], list[int]]:
    """As `maner`, with a token that no text of the pre-training held in place of the mask ("MANER (rand)").

    With begin 0, end 2, random 11: `[[5], [6, 7]] -> ids [0, 11, 5, 11, 6, 7, 2], positions [1, 3]`
    """
    if specials.random is None:
        raise UnsupportedBackbone(f"the tokenizer lacks {RANDOM_TOKEN}, which the system maner_rand puts before words")
    return encode_maner(pieces, replace(specials, mask=specials.random))


def encode_sner(pieces: Pieces, specials: Specials) -> tuple[list[int], list[int]]:
    """The plain sentence, and the tag read from the first sub-word of each word.

    With begin 0, end 2: `[[5], [6, 7]] -> ids [0, 5, 6, 7, 2], positions [1, 2]`
    """
    ids, positions = [specials.begin], []
    for word in pieces:
        positions.append(len(ids))
        ids += word
    return [*ids, specials.end], positions


def encode_mlm_ner(pieces: Pieces, specials: Specials) -> tuple[list[int], list[int]]:
    """The plain sentence as `sner` reads it; in training `mask_words` then hides some of its words ("MLM-NER").

    With begin 0, end 2: `[[5], [6, 7]] -> ids [0, 5, 6, 7, 2], positions [1, 2]`
    """
    return encode_sner(pieces, specials)


INPUT_SCHEMES: dict[str, InputScheme] = {
    "maner": encode_maner,
    "maner_rand": encode_maner_rand,
    "sner": encode_sner,
    "mlm_ner": encode_mlm_ner,
}


def input_scheme(name: str) -> InputScheme:
    """The scheme of this name, or UnknownName with the list of those there are."""
    if name not in INPUT_SCHEMES:
        raise UnknownName(f"there is no system {name!r}; choose one of {', '.join(INPUT_SCHEMES)}")
    return INPUT_SCHEMES[name]


def mask_words(window: Window, mask: int, probability: float, rng: "np.random.Generator") -> Window:
    """The window of a plain sentence with each of its words replaced by one `mask` with this probability, 0 to 1.

    The tag of a masked word is read from its mask. Words that a window only repeats as context stay: they are drawn in
    the window that reads them. With mask 9 and the second of three words drawn:
    `ids [0, 5, 6, 7, 8, 2], positions [1, 2, 4] -> ids [0, 5, 9, 8, 2], positions [1, 2, 3]`
    """
    if not window.positions:
        return window
    drawn = rng.random(len(window.positions)) < probability
    ids, positions = window.ids[: window.positions[0]], []
    for (first, last), masked in zip(pairwise([*window.positions, window.stop]), drawn, strict=True):
        positions.append(len(ids))
        ids += [mask] if masked else window.ids[first:last]
    return replace(window, ids=ids + window.ids[window.stop :], positions=positions, stop=len(ids))


def special_ids(tokenizer: Any) -> Specials:
    """The special ids of a fast Hugging Face tokenizer, or UnsupportedBackbone naming what is missing."""
    if not tokenizer.is_fast:
        raise UnsupportedBackbone(
            f"the tokenizer of this backbone ({type(tokenizer).__name__}) has no fast version; choose a backbone whose "
            "folder holds a tokenizer.json"
        )
    begin = tokenizer.bos_token_id if tokenizer.cls_token_id is None else tokenizer.cls_token_id
    end = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
    found = {
        "a begin token": begin,
        "an end token": end,
        "a mask token": tokenizer.mask_token_id,
        "a padding token": tokenizer.pad_token_id,
    }
    for name, value in found.items():
        if value is None:
            raise UnsupportedBackbone(f"the tokenizer of this backbone lacks {name}; choose a masked language model")
    unknown = found["a mask token"] if tokenizer.unk_token_id is None else tokenizer.unk_token_id
    random = tokenizer.get_added_vocab().get(RANDOM_TOKEN)
    return Specials(begin, end, tokenizer.mask_token_id, tokenizer.pad_token_id, unknown, random)


def longest_window(max_length: int, encoder: Any, tokenizer: Any) -> int:
    """Sub-words that a window may have: `max_length`, or fewer where encoder or tokenizer say so.

    RoBERTa and its kin count positions from behind their padding index, so they have as many fewer than their tables.
    Raises UnsupportedBackbone below MIN_WINDOW.
    """
    positions = getattr(encoder.config, "max_position_embeddings", None) or 0
    if positions > 0:
        tables = [module for name, module in encoder.named_modules() if name.endswith("position_embeddings")]
        paddings = [getattr(table, "padding_idx", None) for table in tables]
        positions -= max((padding + 1 for padding in paddings if padding is not None), default=0)
        max_length = min(max_length, positions)
    length = int(min(max_length, tokenizer.model_max_length))
    if length < MIN_WINDOW:
        raise UnsupportedBackbone(
            f"this backbone reads {length} sub-words at once; a sentence with its masks needs at least {MIN_WINDOW}"
        )
    return length


def word_prefix(tokenizer: Any) -> str:
    """What a word needs in front to be cut as it is within a text: a space for byte-level and some other tokenizers.

    Tokenizers that mark the beginning of a word by themselves, or the continuation of one, need nothing.
    """
    alone, after_space = _ids(tokenizer, ["a", " a"])
    second = tokenizer("a a", add_special_tokens=False)["input_ids"][len(alone) :]
    return " " if second == after_space != alone else ""


def _ids(tokenizer: Any, words: Sequence[str]) -> list[list[int]]:
    """The sub-words of each word by itself."""
    encoded = tokenizer([[word] for word in words], is_split_into_words=True, add_special_tokens=False)
    return list(encoded["input_ids"])


class WordEncoder:
    """Words to windows for one tokenizer and one input scheme; remembers the sub-words of words it has seen.

    A tokenizer of 250,000 pieces takes 300 MB, and remembered words do not need it. So it can be put away meanwhile, as
    the files that it is saved in (20 MB); it comes back when it is asked for.
    """

    def __init__(self, tokenizer: Any, system: str, max_length: int) -> None:
        self.specials = special_ids(tokenizer)
        self._tokenizer = tokenizer
        self._files: dict[str, bytes] = {}
        self._scheme = input_scheme(system)
        self.max_length = max_length
        # Four such words always fit into a window, so a window never ends before its first word.
        self._max_pieces = min(MAX_PIECES_PER_WORD, max_length // 4)
        self._prefix = word_prefix(tokenizer)
        self._pieces: dict[str, list[int]] = {}

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, loaded again if it was put away."""
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            with TemporaryDirectory() as folder:
                self.save_tokenizer(Path(folder))
                self._tokenizer = AutoTokenizer.from_pretrained(folder)
        return self._tokenizer

    def put_tokenizer_away(self) -> None:
        """Free the memory of the tokenizer until it is asked for; tokens added to it after this call are lost."""
        if not self._files:
            with TemporaryDirectory() as folder:
                self._tokenizer.save_pretrained(folder)
                self._files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
        self._tokenizer = None

    def save_tokenizer(self, folder: Path) -> None:
        """Write the tokenizer's files into `folder`, which exists, as its `save_pretrained` does."""
        if not self._files:
            self._tokenizer.save_pretrained(folder)
        for name, content in self._files.items():
            (folder / name).write_bytes(content)

    def windows(self, sentences: Sequence[Sequence[str]]) -> list[list[Window]]:
        """The windows of each sentence, in order; together they hold every word exactly once between start and end."""
        return [self._windows(its_pieces) for its_pieces in self.pieces(sentences)]

    def pieces(self, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """The sub-words of each word of each sentence."""
        self._learn(sentences)
        return [[self._pieces[word] for word in sentence] for sentence in sentences]

    def _learn(self, sentences: Sequence[Sequence[str]]) -> None:
        """Tokenize the distinct words that are new in one call: a tokenizer is slow word by word."""
        if len(self._pieces) > WORDS_REMEMBERED:
            self._pieces.clear()
        new = [word for word in dict.fromkeys(chain.from_iterable(sentences)) if word not in self._pieces]
        if not new:
            return
        for word, ids in zip(new, _ids(self.tokenizer, [self._prefix + word for word in new]), strict=True):
            # A word of control characters alone has no sub-word, yet its tag must be read somewhere.
            self._pieces[word] = ids[: self._max_pieces] or [self.specials.unknown]

    def _windows(self, pieces: list[list[int]]) -> list[Window]:
        if self._length(pieces) <= self.max_length:
            ids, positions = self._scheme(pieces, self.specials)
            return [Window(ids, positions, 0, len(pieces), len(ids) - 1)]
        margin = int(self.max_length * CONTEXT_FRACTION / 2)
        windows: list[Window] = []
        start = 0
        while start < len(pieces):
            left = self._reach(pieces, start, -1, margin)
            right = self._reach(pieces, left, +1, self.max_length - self._length([]))
            end = right if right == len(pieces) else max(start + 1, self._reach(pieces, right, -1, margin))
            ids, positions = self._scheme(pieces[left:right], self.specials)
            stop = [*positions, len(ids) - 1][end - left]
            windows.append(Window(ids, positions[start - left : end - left], start, end, stop))
            start = end
        return windows

    def _length(self, pieces: Pieces) -> int:
        return len(self._scheme(pieces, self.specials)[0])

    def _reach(self, pieces: list[list[int]], start: int, step: int, budget: int) -> int:
        """How far one comes from `start` in steps of one word, going forward or back, on `budget` sub-words."""
        empty = self._length([])
        while 0 <= (position := start if step > 0 else start - 1) < len(pieces):
            budget -= self._length([pieces[position]]) - empty
            if budget < 0:
                break
            start += step
        return start
