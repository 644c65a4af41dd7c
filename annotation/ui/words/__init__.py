"""The words of the interface in several languages: what everybody sees. What only leads see is English.

To add a language, copy english.py, translate its values and name it below; tests/test_words.py says what is missing.
English stands in nowhere: a language is whole or not offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from annotation.ui.words import arabic, english, swahili

LANGUAGES: Mapping[str, str] = {"en": "English", "sw": "Kiswahili", "ar": "العربية"}
CATALOGUE: Mapping[str, Mapping[str, str]] = {"en": english.WORDS, "sw": swahili.WORDS, "ar": arabic.WORDS}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language of LANGUAGES."""

    language: str

    def __getitem__(self, key: str) -> str:
        return CATALOGUE[self.language][key]

    @property
    def right_to_left(self) -> bool:
        """Whether the language is written from right to left."""
        return self["direction"] == "rtl"

    def all(self) -> dict[str, str]:
        """Every word by its key, for the browser."""
        return dict(CATALOGUE[self.language])


def words_for(wanted: str | None, locale: str | None) -> Words:
    """The words a person chose or, where they chose none, those of the browser (`"sw-KE" -> Swahili`), else English."""
    for language in (wanted, (locale or "").replace("_", "-").split("-")[0].lower()):
        if language in LANGUAGES:
            return Words(str(language))
    return Words("en")
