"""What a sentence is written in, so that it goes to people who read it: the language it names, else its script."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import regex

LONGEST_NAME = 40  # characters of a language's name
# The scripts of Unicode in which people write today, under their names in its property Script.
SCRIPTS = (
    "Latin", "Arabic", "Cyrillic", "Devanagari", "Han", "Hiragana", "Katakana", "Hangul", "Ethiopic", "Greek", "Hebrew",
    "Adlam", "Armenian", "Balinese", "Bamum", "Bassa_Vah", "Batak", "Bengali", "Bopomofo", "Buginese", "Buhid",
    "Canadian_Aboriginal", "Chakma", "Cham", "Cherokee", "Coptic", "Georgian", "Gujarati", "Gurmukhi",
    "Hanifi_Rohingya", "Hanunoo", "Javanese", "Kannada", "Kayah_Li", "Khmer", "Lao", "Lepcha", "Limbu", "Lisu",
    "Malayalam", "Mandaic", "Medefaidrin", "Meetei_Mayek", "Mende_Kikakui", "Miao", "Mongolian", "Mro", "Myanmar",
    "New_Tai_Lue", "Newa", "Nko", "Nyiakeng_Puachue_Hmong", "Ol_Chiki", "Oriya", "Osage", "Osmanya", "Pahawh_Hmong",
    "Pau_Cin_Hau", "Rejang", "Samaritan", "Saurashtra", "Sinhala", "Sora_Sompeng", "Sundanese", "Syloti_Nagri",
    "Syriac", "Tagalog", "Tagbanwa", "Tai_Le", "Tai_Tham", "Tai_Viet", "Takri", "Tamil", "Telugu", "Thaana", "Thai",
    "Tibetan", "Tifinagh", "Tirhuta", "Vai", "Wancho", "Warang_Citi", "Yi",
)  # fmt: skip
_SCRIPT = regex.compile("|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in SCRIPTS))


def written_in(tokens: Sequence[str], meta: Mapping[str, str]) -> str | None:
    """The language in `meta`, else the commonest script of first characters: `["Ali", "أحمد", "Juma"] -> "Latin"`.

    None where no token starts with a letter of a script that people write today.
    """
    language = meta.get("language", "").strip()
    if 0 < len(language) <= LONGEST_NAME:
        return language
    counts = Counter(script for token in tokens if (script := _script(token[0])) is not None)
    return counts.most_common(1)[0][0] if counts else None


@lru_cache(maxsize=10_000)
def _script(character: str) -> str | None:
    found = _SCRIPT.match(character)
    return None if found is None else found.lastgroup
