"""Input schemes by hand, and windows that hold every word exactly once."""

from pathlib import Path
from typing import Any

import pytest
from encoders import TINY_ENCODERS
from hypothesis import given, settings
from hypothesis import strategies as st

from maner_core.backbones import load_backbone
from maner_core.encoding import (
    INPUT_SCHEMES,
    MAX_PIECES_PER_WORD,
    Specials,
    Window,
    WordEncoder,
    encode_maner,
    encode_sner,
    input_scheme,
    special_ids,
)
from maner_core.errors import UnknownName, UnsupportedBackbone

SPECIALS = Specials(begin=0, end=2, mask=9, pad=1, unknown=3)


class LengthTokenizer:
    """A word becomes as many sub-words as it has letters; a word of underscores has none."""

    bos_token_id, cls_token_id, eos_token_id, sep_token_id = 0, None, 2, None
    mask_token_id, pad_token_id, unk_token_id = 9, 1, 3
    calls = 0

    def __call__(self, words: list[list[str]], **options: bool) -> dict[str, list[list[int]]]:
        assert options == {"is_split_into_words": True, "add_special_tokens": False}
        self.calls += 1
        return {"input_ids": [[100 + ord(letter) for letter in word.replace("_", "")] for [word] in words]}


def windows_of(sentence: list[str], system: str = "maner", max_length: int = 16) -> list[Window]:
    [windows] = WordEncoder(LengthTokenizer(), system, max_length).windows([sentence])
    return windows


def test_maner_puts_a_mask_before_every_word_and_reads_there() -> None:
    ids, positions = encode_maner([[5], [6, 7], [8]], SPECIALS)
    assert ids == [0, 9, 5, 9, 6, 7, 9, 8, 2]
    assert positions == [1, 3, 6]


def test_sner_reads_the_first_sub_word_of_every_word() -> None:
    ids, positions = encode_sner([[5], [6, 7], [8]], SPECIALS)
    assert ids == [0, 5, 6, 7, 8, 2]
    assert positions == [1, 2, 4]


@pytest.mark.parametrize("system", INPUT_SCHEMES)
def test_a_sentence_without_words_is_begin_and_end(system: str) -> None:
    assert input_scheme(system)([], SPECIALS) == ([0, 2], [])


@settings(deadline=None)
@given(
    system=st.sampled_from(sorted(INPUT_SCHEMES)),
    pieces=st.lists(st.lists(st.integers(10, 99), min_size=1, max_size=5), max_size=10),
)
def test_every_scheme_keeps_all_sub_words_in_order_and_gives_a_position_for_each_word(
    system: str, pieces: list[list[int]]
) -> None:
    ids, positions = input_scheme(system)(pieces, SPECIALS)
    assert [i for i in ids if i >= 10] == [i for word in pieces for i in word]
    assert len(positions) == len(pieces)
    assert positions == sorted(set(positions))
    assert ids[0] == SPECIALS.begin
    assert ids[-1] == SPECIALS.end


def test_an_unknown_system_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownName, match="there is no system 'crf'; choose one of maner, sner"):
        input_scheme("crf")


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_a_real_tokenizer_gives_ids_that_read_back_as_the_sentence(encoder: str, tmp_path: Path) -> None:
    _, tokenizer = load_backbone(str(TINY_ENCODERS[encoder](tmp_path)))
    [[window]] = WordEncoder(tokenizer, "maner", 128).windows([["Asha", "left"]])
    begin, mask, end = {"bert": ("[CLS]", "[MASK]", "[SEP]"), "xlmr": ("<s>", "<mask>", "</s>")}[encoder]
    words = {"bert": ["A ##sha", "l ##e ##f ##t"], "xlmr": ["▁ A sha", "▁ l e f t"]}[encoder]
    expected = [begin, mask, *words[0].split(), mask, *words[1].split(), end]
    assert tokenizer.convert_ids_to_tokens(window.ids) == expected
    assert [window.ids[i] for i in window.positions] == [tokenizer.mask_token_id] * 2
    assert (window.start, window.end) == (0, 2)


@pytest.mark.parametrize("missing", ["mask", "pad", "eos"])
def test_a_tokenizer_without_a_special_token_is_refused_by_name(missing: str) -> None:
    tokenizer: Any = LengthTokenizer()
    setattr(tokenizer, f"{missing}_token_id", None)
    name = {"mask": "a mask token", "pad": "a padding token", "eos": "an end token"}[missing]
    with pytest.raises(UnsupportedBackbone, match=f"lacks {name}"):
        special_ids(tokenizer)


WORDS = st.text(alphabet="ab_", min_size=0, max_size=40)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60), st.sampled_from(sorted(INPUT_SCHEMES)), st.sampled_from([16, 17, 24, 40, 100]))
def test_windows_hold_every_word_exactly_once_and_none_is_too_long(
    sentence: list[str], system: str, max_length: int
) -> None:
    windows = windows_of(sentence, system, max_length)
    assert [i for window in windows for i in range(window.start, window.end)] == list(range(len(sentence)))
    for window in windows:
        assert len(window.ids) <= max_length
        assert len(window.positions) == window.end - window.start
        for position, word in zip(window.positions, sentence[window.start : window.end], strict=True):
            first = position + 1 if system == "maner" else position
            assert system == "sner" or window.ids[position] == SPECIALS.mask
            letters = word.replace("_", "")
            assert window.ids[first] == (100 + ord(letters[0]) if letters else SPECIALS.unknown)


def test_windows_repeat_words_of_their_neighbours_as_context() -> None:
    # Sixteen sub-words hold seven words of one letter after begin and end; two sub-words of margin hold one word.
    windows = windows_of(list("abcdefghijklm"))
    assert [(window.start, window.end) for window in windows] == [(0, 6), (6, 11), (11, 13)]
    letters = ["".join(chr(i - 100) for i in window.ids if i >= 100) for window in windows]
    assert letters == ["abcdefg", "fghijkl", "klm"]


def test_a_sentence_that_just_fits_is_one_window() -> None:
    assert len(windows_of(list("abcdefg"))) == 1
    assert len(windows_of(list("abcdefgh"))) == 2


def test_a_very_long_word_is_cut_for_the_encoder() -> None:
    [window] = windows_of(["x" * 1000, "y"], max_length=100)
    assert window.ids == [0, 9, *[100 + ord("x")] * 25, 9, 100 + ord("y"), 2]
    [window] = windows_of(["x" * 1000], max_length=512)
    assert len(window.ids) == MAX_PIECES_PER_WORD + 3


def test_a_word_without_sub_words_is_read_as_unknown() -> None:
    [window] = windows_of(["a", "_", ""], system="sner")
    assert window.ids == [0, 197, 3, 3, 2]
    assert window.positions == [1, 2, 3]


def test_each_distinct_word_is_tokenized_once() -> None:
    tokenizer = LengthTokenizer()
    words = WordEncoder(tokenizer, "maner", 16)
    first = words.windows([["a", "b", "a"], ["b"]])
    assert words.windows([["a", "b", "a"], ["b"]]) == first
    assert tokenizer.calls == 1
