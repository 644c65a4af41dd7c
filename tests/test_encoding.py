"""Input schemes by hand, and windows that hold every word exactly once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders import TINY_ENCODERS
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from maner_core.backbones import load_backbone
from maner_core.encoding import (
    INPUT_SCHEMES,
    MAX_PIECES_PER_WORD,
    RANDOM_TOKEN,
    Specials,
    Window,
    WordEncoder,
    encode_maner,
    encode_maner_rand,
    encode_mlm_ner,
    encode_sner,
    input_scheme,
    longest_window,
    mask_words,
    special_ids,
    word_prefix,
)
from maner_core.errors import UnknownName, UnsupportedBackbone

SPECIALS = Specials(begin=0, end=2, mask=9, pad=1, unknown=3, random=8)
MASKED = ("maner", "maner_rand")
"""The systems that put a token before every word."""


class LengthTokenizer:
    """A word becomes as many sub-words as it has letters; a word of underscores has none."""

    bos_token_id, cls_token_id, eos_token_id, sep_token_id = 0, None, 2, None
    mask_token_id, pad_token_id, unk_token_id = 9, 1, 3
    is_fast = True
    calls = 0

    def get_added_vocab(self) -> dict[str, int]:
        return {RANDOM_TOKEN: 8}

    def __call__(self, words: Any, **options: bool) -> dict[str, list[Any]]:
        if isinstance(words, str):
            return {"input_ids": [100 + ord(letter) for letter in words if letter != " "]}
        assert options == {"is_split_into_words": True, "add_special_tokens": False}
        self.calls += 1
        return {"input_ids": [[100 + ord(letter) for letter in word.strip(" _").replace("_", "")] for [word] in words]}


def windows_of(sentence: list[str], system: str = "maner", max_length: int = 16) -> list[Window]:
    [windows] = WordEncoder(LengthTokenizer(), system, max_length).windows([sentence])
    return windows


def test_maner_puts_a_mask_before_every_word_and_reads_there() -> None:
    ids, positions = encode_maner([[5], [6, 7], [8]], SPECIALS)
    assert ids == [0, 9, 5, 9, 6, 7, 9, 8, 2]
    assert positions == [1, 3, 6]


def test_maner_rand_puts_its_own_token_before_every_word_and_reads_there() -> None:
    ids, positions = encode_maner_rand([[5], [6, 7], [8]], SPECIALS)
    assert ids == [0, 8, 5, 8, 6, 7, 8, 8, 2]
    assert positions == [1, 3, 6]


def test_maner_rand_without_its_token_is_refused() -> None:
    with pytest.raises(UnsupportedBackbone, match="the tokenizer lacks <maner-random>, which the system maner_rand"):
        encode_maner_rand([[5]], replace(SPECIALS, random=None))


def test_mlm_ner_reads_the_plain_sentence() -> None:
    assert encode_mlm_ner([[5], [6, 7], [8]], SPECIALS) == ([0, 5, 6, 7, 8, 2], [1, 2, 4])


class Draws:
    """A generator whose draws a test chose."""

    def __init__(self, *draws: float) -> None:
        self._draws = list(draws)

    def random(self, n: int) -> Any:
        drawn, self._draws = self._draws[:n], self._draws[n:]
        return np.array(drawn)


@pytest.mark.parametrize(
    ("draws", "ids", "positions"),
    [
        ((0.9, 0.1, 0.9), [0, 5, 9, 8, 2], [1, 2, 3]),
        ((0.1, 0.9, 0.9), [0, 9, 6, 7, 8, 2], [1, 2, 4]),
        ((0.9, 0.9, 0.1), [0, 5, 6, 7, 9, 2], [1, 2, 4]),
        ((0.1, 0.1, 0.1), [0, 9, 9, 9, 2], [1, 2, 3]),
        ((0.9, 0.9, 0.15), [0, 5, 6, 7, 8, 2], [1, 2, 4]),
    ],
)
def test_a_masked_word_becomes_one_mask_from_which_its_tag_is_read(
    draws: tuple[float, ...], ids: list[int], positions: list[int]
) -> None:
    window = Window(*encode_mlm_ner([[5], [6, 7], [8]], SPECIALS), 0, 3, 5)
    rng: Any = Draws(*draws)
    assert mask_words(window, 9, 0.15, rng) == Window(ids, positions, 0, 3, len(ids) - 1)


def test_words_of_context_are_never_masked() -> None:
    # Sixteen sub-words hold fourteen of these words; two of them are context on the side of a neighbour.
    windows = windows_of(list("abcdefghijklmnopqrstu"), "mlm_ner")
    masked = [mask_words(window, 9, 1.0, np.random.default_rng(0)) for window in windows]
    letters = ["".join("-" if i == 9 else chr(i - 100) for i in window.ids if i >= 9) for window in masked]
    assert letters == ["------------mn", "kl---------"]
    assert [window.positions for window in masked] == [list(range(1, 13)), list(range(3, 12))]
    assert [(window.start, window.end) for window in masked] == [(0, 12), (12, 21)]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(10, 99), min_size=1, max_size=5), min_size=1, max_size=10),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_masking_keeps_every_other_word_whole_and_in_place(
    pieces: list[list[int]], probability: float, seed: int
) -> None:
    ids, positions = encode_mlm_ner(pieces, SPECIALS)
    window = mask_words(
        Window(ids, positions, 0, len(pieces), len(ids) - 1), 9, probability, np.random.default_rng(seed)
    )
    ends = [*window.positions[1:], window.stop]
    words = [window.ids[first:last] for first, last in zip(window.positions, ends, strict=True)]
    assert all(word in ([9], gold) for word, gold in zip(words, pieces, strict=True))
    assert [SPECIALS.begin, *(i for word in words for i in word), SPECIALS.end] == window.ids


def test_the_share_of_masked_words_is_the_probability_and_each_draw_is_new() -> None:
    window = Window(*encode_mlm_ner([[5]] * 1000, SPECIALS), 0, 1000, 1001)
    rng = np.random.default_rng(12345)
    first, second = (mask_words(window, 9, 0.15, rng).ids for _ in range(2))
    assert first.count(9) == pytest.approx(150, abs=40)
    assert first != second


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
    with pytest.raises(UnknownName, match="there is no system 'crf'; choose one of maner, maner_rand, sner, mlm_ner"):
        input_scheme("crf")


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_a_real_tokenizer_gives_ids_that_read_back_as_the_sentence(encoder: str, tmp_path: Path) -> None:
    _, tokenizer = load_backbone(str(TINY_ENCODERS[encoder](tmp_path)))
    [[window]] = WordEncoder(tokenizer, "maner", 128).windows([["Asha", "left"]])
    begin, mask, end = ("<s>", "<mask>", "</s>") if encoder == "xlmr" else ("[CLS]", "[MASK]", "[SEP]")
    words = {
        "bert": ["A ##sha", "l ##e ##f ##t"],
        "xlmr": ["▁ A sha", "▁ l e f t"],
        "deberta": ["▁ A sha", "▁ l e f t"],
        "modernbert": ["Ġ A sha", "Ġ l e f t"],
    }[encoder]
    expected = [begin, mask, *words[0].split(), mask, *words[1].split(), end]
    assert tokenizer.convert_ids_to_tokens(window.ids) == expected
    assert [window.ids[i] for i in window.positions] == [tokenizer.mask_token_id] * 2
    assert (window.start, window.end) == (0, 2)


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_a_word_is_cut_by_itself_as_it_is_within_a_text(encoder: str, tmp_path: Path) -> None:
    _, tokenizer = load_backbone(str(TINY_ENCODERS[encoder](tmp_path)))
    [[window]] = WordEncoder(tokenizer, "sner", 128).windows([["left", "in", "Asha"]])
    assert window.ids == tokenizer("left in Asha")["input_ids"]
    assert word_prefix(tokenizer) == ""


def test_a_tokenizer_that_marks_spaces_and_not_words_gets_a_space_before_each_word() -> None:
    pieces = ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "▁", "a", "b", "▁a"]
    core = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, [("▁", "a")], unk_token="<unk>"))
    core.normalizer = normalizers.Replace(" ", "▁")
    names = {"unk": "<unk>", "cls": "<s>", "sep": "</s>", "pad": "<pad>", "mask": "<mask>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, **{f"{name}_token": token for name, token in names.items()}
    )
    assert word_prefix(tokenizer) == " "
    [[window]] = WordEncoder(tokenizer, "sner", 16).windows([["a", "ba"]])
    assert tokenizer.convert_ids_to_tokens(window.ids) == ["<s>", "▁a", "▁", "b", "a", "</s>"]


@pytest.mark.parametrize(("encoder", "length"), [("bert", 20), ("xlmr", 18), ("deberta", 20), ("modernbert", 20)])
def test_a_window_is_no_longer_than_the_positions_of_the_encoder(encoder: str, length: int, tmp_path: Path) -> None:
    """RoBERTa and its kin begin to count behind their padding index: two positions are never used."""
    folder = TINY_ENCODERS[encoder](tmp_path)
    values = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"max_position_embeddings": 20}
    model = AutoModel.from_config(AutoConfig.for_model(**values)).eval()
    tokenizer = load_backbone(str(folder))[1]
    assert longest_window(256, model, tokenizer) == length
    assert longest_window(17, model, tokenizer) == 17
    window, *_ = WordEncoder(tokenizer, "maner", length).windows([["a"] * 40])[0]
    ids = torch.tensor([window.ids + [tokenizer.pad_token_id] * (length - len(window.ids))])
    with torch.inference_mode():
        assert model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state.isfinite().all()


def test_an_encoder_with_too_few_positions_is_refused(tmp_path: Path) -> None:
    encoder, tokenizer = load_backbone(str(TINY_ENCODERS["bert"](tmp_path)))
    encoder.config.max_position_embeddings = 10
    with pytest.raises(UnsupportedBackbone, match="reads 10 sub-words at once; a sentence with its masks needs at lea"):
        longest_window(256, encoder, tokenizer)


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
            first = position + 1 if system in MASKED else position
            before = {"maner": SPECIALS.mask, "maner_rand": SPECIALS.random}
            assert system not in MASKED or window.ids[position] == before[system]
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
    before = tokenizer.calls
    first = words.windows([["a", "b", "a"], ["b"]])
    assert words.windows([["a", "b", "a"], ["b"]]) == first
    assert tokenizer.calls == before + 1
