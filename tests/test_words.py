"""The catalogue of words: whole in every language, with the same gaps to fill, and chosen as people ask."""

import re

import pytest

from annotation.ui.words import CATALOGUE, LANGUAGES, words_for


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word_and_every_gap(language: str) -> None:
    words, english = CATALOGUE[language], CATALOGUE["en"]
    assert set(words) == set(english)
    for key, text in words.items():
        assert text.strip() == text != ""
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english[key]))
    assert words["direction"] in ("ltr", "rtl")


def test_no_language_borrows_english_words() -> None:
    for language in set(LANGUAGES) - {"en"}:
        same = {key for key, text in CATALOGUE[language].items() if text == CATALOGUE["en"][key]}
        assert same <= {"direction", "data"}


@pytest.mark.parametrize(
    ("wanted", "locale", "language"),
    [
        (None, "sw-KE", "sw"),
        (None, "ar", "ar"),
        (None, "AR_EG", "ar"),
        ("sw", "ar-EG", "sw"),
        ("xx", "ar-EG", "ar"),
        (None, "fi-FI", "en"),
        (None, None, "en"),
    ],
)
def test_a_choice_goes_before_the_browser_and_english_comes_last(
    wanted: str | None, locale: str | None, language: str
) -> None:
    assert words_for(wanted, locale).language == language
