"""Plain text: what is a token in many scripts, and what is kept of the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.formats import Reading, ReadOptions, SourceFile, read_file
from annotation.formats.text import segment
from maner_core.errors import FormatError


def read(text: str, pretokenized: bool = False) -> Reading:
    return read_file(SourceFile("a.txt", text.encode()), "text", ReadOptions(pretokenized=pretokenized))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Asha anaishi Nairobi.", ["Asha", "anaishi", "Nairobi", "."]),
        ("ng'ombe wa Ng’ang’a", ["ng'ombe", "wa", "Ng’ang’a"]),
        ("Saa 3.30, shilingi 1,500!", ["Saa", "3.30", ",", "shilingi", "1,500", "!"]),
        ("mtu-wa", ["mtu", "-", "wa"]),
        ("o\u0323\u0300gbe\u0301ni ọ̀gbẹ́ni", ["o\u0323\u0300gbe\u0301ni", "ọ̀gbẹ́ni"]),
        ("አዲስ አበባ።", ["አዲስ", "አበባ", "።"]),
        ("العَرَبِيّة لغة", ["العَرَبِيّة", "لغة"]),
        ('צה"ל בירושלים', ['צה"ל', "בירושלים"]),
        ("ߒߞߏ ߞߊ߲", ["ߒߞߏ", "ߞߊ߲"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया", "।"]),
        ("👩🏾\u200d🌾 yupo 🇰🇪🇺🇬", ["👩🏾\u200d🌾", "yupo", "🇰🇪", "🇺🇬"]),
        ("a\u00a0b\u3000c", ["a", "b", "c"]),
        ("ក\u200bខ", ["ក", "ខ"]),
        ("วัน", ["วั", "น"]),
        ("我爱北京", ["我", "爱", "北", "京"]),
    ],
)
def test_words_follow_unicode_in_every_script(text: str, tokens: list[str]) -> None:
    assert segment(text)[0] == tokens


def test_the_line_is_kept_and_spaces_say_what_follows_each_token() -> None:
    sentence = read("  Asha,  anaishi\tNairobi. \n").sentences[0]
    assert sentence.text == "  Asha,  anaishi\tNairobi. "
    assert sentence.tokens == ("Asha", ",", "anaishi", "Nairobi", ".")
    assert sentence.spaces == (False, True, True, False, True)


def test_each_line_with_a_word_is_a_sentence_with_its_line() -> None:
    reading = read("Asha\n\n \u00a0\nJuma\r\n")
    assert [(sentence.line, sentence.tokens) for sentence in reading.sentences] == [(1, ("Asha",)), (4, ("Juma",))]
    assert [sentence.gold for sentence in reading.sentences] == [None, None]


def test_text_without_words_is_refused() -> None:
    with pytest.raises(FormatError, match="holds no sentence; write one sentence a line"):
        read("\u200b\n \n")


def test_a_script_without_spaces_is_cut_into_clusters_and_the_reading_says_so() -> None:
    assert "each written cluster is a token" in read("วันนี้อากาศดี\n").notes[0]
    assert read("Asha anaishi 北京 na Nairobi\n").notes == []


def test_pretokenized_text_is_split_at_spaces_alone() -> None:
    sentence = read("วัน นี้  อากาศ\u00a0ดี Dr. \n", pretokenized=True).sentences[0]
    assert sentence.tokens == ("วัน", "นี้", "อากาศ\u00a0ดี", "Dr.")
    assert sentence.spaces == (True, True, True, True)
    assert sentence.text == "วัน นี้  อากาศ\u00a0ดี Dr. "


def test_a_tab_in_pretokenized_text_is_reported_with_its_line() -> None:
    reading = read("Asha yupo\nAsha\tyupo\n", pretokenized=True)
    assert [(error.line, error.problem) for error in reading.errors] == [(2, "holds a tab")]
    assert len(reading.sentences) == 1


@settings(deadline=None)  # a loaded machine is no bug
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")))
def test_tokens_are_pieces_of_the_text_in_order_and_only_gaps_are_left_out(text: str) -> None:
    tokens, spaces = segment(text)
    assert len(tokens) == len(spaces)
    position = 0
    rest = ""
    for token in tokens:
        start = text.index(token, position)
        rest += text[position:start]
        position = start + len(token)
    rest += text[position:]
    assert all(character.isspace() or not character.isprintable() for character in rest)
