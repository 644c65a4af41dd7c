"""Hiding words by hand: which ids stand where, what is asked for, and that nothing else ever is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maner_core.encoding import Specials, encode_maner, encode_sner
from maner_core.masking import (
    NOT_ASKED,
    MaskedInput,
    choose_words,
    cut_to_length,
    masked_input,
    replace_pieces,
)

SPECIALS = Specials(begin=0, end=2, mask=9, pad=1, unknown=3)
VOCABULARY = np.array([50, 51, 52])
SCHEMES = {"maner": encode_maner, "sner": encode_sner}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("seed", "ids", "asked"),
    [
        (0, [0, 5, 9, 9, 2], [-1, -1, 6, 7, -1]),  # the second word behind masks
        (2, [0, 5, 9, 51, 2], [-1, -1, 6, 7, -1]),  # ... its second sub-word behind another one
        (4, [0, 5, 9, 7, 2], [-1, -1, 6, 7, -1]),  # ... and as it is
        (6, [0, 9, 6, 7, 2], [-1, 5, -1, -1, -1]),  # the first word
    ],
)
def test_a_hidden_word_of_a_plain_sentence_is_asked_for_whole(seed: int, ids: list[int], asked: list[int]) -> None:
    assert masked_input([[5], [6, 7]], encode_sner, SPECIALS, VOCABULARY, 0.5, rng(seed)) == MaskedInput(ids, asked)


@pytest.mark.parametrize(
    ("seed", "ids", "asked"),
    [
        (0, [0, 9, 5, 9, 9, 9, 2], [-1, -1, -1, -1, 6, 7, -1]),
        (6, [0, 9, 9, 9, 6, 7, 2], [-1, -1, 5, -1, -1, -1, -1]),
    ],
)
def test_the_masks_put_before_the_words_are_asked_nothing(seed: int, ids: list[int], asked: list[int]) -> None:
    assert masked_input([[5], [6, 7]], encode_maner, SPECIALS, VOCABULARY, 0.5, rng(seed)) == MaskedInput(ids, asked)


def test_of_ten_hidden_sub_words_eight_become_the_mask_one_another_and_one_stays() -> None:
    draws = np.array([0.0, 0.79, 0.8, 0.899, 0.9, 0.999])
    assert replace_pieces([5, 5, 6, 6, 7, 7], draws, [50, 51, 52, 53, 54, 55], 9) == [9, 9, 52, 53, 7, 7]
    many = 20_000
    shown = np.array(replace_pieces([5] * many, rng().random(many), [50] * many, 9))
    shares = [(shown == value).mean() for value in (9, 50, 5)]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


@pytest.mark.parametrize(
    ("n_words", "probability", "expected"),
    [(0, 0.15, 0), (1, 0.15, 1), (3, 0.15, 1), (10, 0.15, 2), (20, 0.15, 3), (100, 0.15, 15), (2, 1.0, 2)],
)
def test_so_many_words_are_hidden(n_words: int, probability: float, expected: int) -> None:
    chosen = choose_words(n_words, probability, rng())
    assert len(chosen) == len(set(chosen.tolist())) == expected
    assert chosen.tolist() == sorted(chosen.tolist())


def test_every_word_is_hidden_equally_often_whatever_its_length() -> None:
    generator = rng()
    pieces = [[5], [6, 6, 6, 6], [7], [8, 8], [4]]
    times = np.zeros(5)
    for _ in range(4000):
        asked = masked_input(pieces, encode_sner, SPECIALS, VOCABULARY, 0.2, generator).asked
        times += [asked[at] != NOT_ASKED for at in (1, 2, 6, 7, 9)]
    assert times / 4000 == pytest.approx([0.2] * 5, abs=0.03)


words = st.lists(st.lists(st.integers(10, 49), min_size=1, max_size=5), min_size=1, max_size=12)


@settings(deadline=None)
@given(words, st.sampled_from(sorted(SCHEMES)), st.floats(0.01, 1.0), st.integers(0, 99))
def test_whole_words_are_asked_for_and_nothing_that_the_scheme_added(
    pieces: list[list[int]], system: str, probability: float, seed: int
) -> None:
    scheme = SCHEMES[system]
    found = masked_input(pieces, scheme, SPECIALS, VOCABULARY, probability, rng(seed))
    original, positions = scheme(pieces, SPECIALS)
    assert len(found.ids) == len(found.asked) == len(original)
    of_text = [i >= 10 for i in original]
    for shown, asked, was, is_text in zip(found.ids, found.asked, original, of_text, strict=True):
        assert asked in ({NOT_ASKED, was} if is_text else {NOT_ASKED})
        assert shown == was or asked == was
        assert shown in {was, SPECIALS.mask, *VOCABULARY}
    first_of_word = positions if system == "sner" else [position + 1 for position in positions]
    for first, word in zip(first_of_word, pieces, strict=True):
        assert len({asked == NOT_ASKED for asked in found.asked[first : first + len(word)]}) == 1
    n_hidden = sum(found.asked[first] != NOT_ASKED for first in first_of_word)
    assert n_hidden == len(choose_words(len(pieces), probability, rng()))


def test_the_same_seed_hides_the_same() -> None:
    pieces = [[i, i + 1] for i in range(10, 40)]
    first, second, third = (
        masked_input(pieces, encode_maner, SPECIALS, VOCABULARY, 0.15, rng(seed)) for seed in (1, 1, 2)
    )
    assert first == second
    assert first != third


def test_long_sentences_are_cut_between_words_by_hand() -> None:
    pieces = [[5], [6, 7], [8], [4] * 9, [5, 6]]
    # begin, end and a mask a word leave room for 2 + 3 sub-words of the first two words in eight.
    assert cut_to_length(pieces, encode_maner, SPECIALS, 8) == [[[5], [6, 7]], [[8], [5, 6]]]
    assert cut_to_length(pieces, encode_sner, SPECIALS, 8) == [[[5], [6, 7], [8], [5, 6]]]
    assert cut_to_length([], encode_sner, SPECIALS, 8) == []


@settings(deadline=None)
@given(words, st.sampled_from(sorted(SCHEMES)), st.integers(8, 30))
def test_parts_hold_every_word_once_and_fit(pieces: list[list[int]], system: str, max_length: int) -> None:
    parts = cut_to_length(pieces, SCHEMES[system], SPECIALS, max_length)
    assert [word for part in parts for word in part] == pieces
    assert all(part and len(SCHEMES[system](part, SPECIALS)[0]) <= max_length for part in parts)
