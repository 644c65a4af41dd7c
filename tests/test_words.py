"""The catalogue of words: whole in every language, with the same gaps to fill, and chosen as people ask."""

import re
from pathlib import Path

import pytest

from annotation.ui import navigation
from annotation.ui.words import CATALOGUE, LANGUAGES, words_for
from storage import Role

UI = Path(__file__).parents[1] / "annotation" / "ui"


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


def code_of_pages() -> str:
    """Python, JavaScript and HTML of the pages, without the catalogue."""
    files = (path for path in UI.rglob("*") if path.suffix in (".py", ".js", ".html") and path.parent.name != "words")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_word_the_code_asks_for_is_there() -> None:
    asked = re.findall(
        r'\b(?:say|advice)\("(\w+)"|\bdata-(?:say|say-label|word)="(\w+)"|words(?:\(\))?\["(\w+)"|_ended\(words, "(\w+)"',
        code_of_pages(),
    )
    keys = {key for found in asked for key in found if key} | set(navigation.PAGES) | set(Role)
    assert len(keys) > 60
    assert keys <= set(CATALOGUE["en"]), keys - set(CATALOGUE["en"])


def test_every_word_is_asked_for() -> None:
    code = code_of_pages()
    idle = {key for key in CATALOGUE["en"] if f'"{key}"' not in code and f"words.{key}" not in code} - set(Role)
    commands = {f"key_{command}" for command in re.findall(r'^  \["(\w+)", "[^"]+"\],$', code, re.MULTILINE)}
    assert idle == commands


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
