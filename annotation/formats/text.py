"""Plain text, one sentence a line, cut into tokens at the word boundaries of Unicode (UAX #29).

The rules know no dictionary: in scripts written without spaces between words (Thai, Lao, Khmer, Burmese, Han, kana)
each written cluster becomes a token of its own. Any name can be marked that way, only with more tokens, and the
reading says so; text that was cut into words before can be read with `pretokenized`.
"""

from collections.abc import Sequence

import regex

from annotation.formats.records import Reading, ReadOptions, ReadSentence
from maner_core.errors import FormatError, InvalidInput

_BOUNDARY = regex.compile(r"\b", regex.WORD | regex.V1)
# Between words: white space, control and format characters (among them ZWSP, which parts words in some scripts).
_GAP = regex.compile(r"[\p{White_Space}\p{Cc}\p{Cf}]+")
_WITHOUT_SPACES = regex.compile(
    r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Han}\p{Hiragana}]"
)


def read(file: str, lines: Sequence[str], options: ReadOptions) -> Reading:
    """Read one sentence from each line that holds a token. Raises FormatError if there is none."""
    reading = Reading(file, "text")
    for number, line in enumerate(lines, 1):
        try:
            tokens, spaces = cut(line, options)
        except InvalidInput as error:
            reading.set_aside(number, error)
            continue
        if tokens:
            reading.sentences.append(ReadSentence(number, tuple(tokens), text=line, spaces=tuple(spaces)))
    if not reading.sentences and not reading.errors:
        raise FormatError(file, None, "holds no sentence", "write one sentence a line")
    if not options.pretokenized:
        note_scripts_without_spaces(reading)
    return reading


def cut(text: str, options: ReadOptions) -> tuple[list[str], list[bool]]:
    """Tokens as `options` ask for, and whether white space follows each. Raises InvalidInput on cut text with a tab."""
    if not options.pretokenized:
        return segment(text)
    if "\t" in text or "\n" in text:
        what = "a tab" if "\t" in text else "a line break"
        raise InvalidInput(f"holds {what}; part the tokens by single spaces, or import it as plain text")
    return split_at_spaces(text)


def segment(text: str) -> tuple[list[str], list[bool]]:
    """Words and whether white space follows each: `"Asha, Nairobi." -> ["Asha", ",", "Nairobi", "."], [F, T, F, F]`.

    Each token is a piece of the text as it stands; only what lies between words is not a token.
    """
    tokens: list[str] = []
    spaces: list[bool] = []
    for piece in _BOUNDARY.split(text):
        if not piece:
            continue
        if not _GAP.fullmatch(piece):
            tokens.append(piece)
            spaces.append(False)
        elif tokens and not spaces[-1]:
            spaces[-1] = any(character.isspace() for character in piece)
    return tokens, spaces


def split_at_spaces(text: str) -> tuple[list[str], list[bool]]:
    """Tokens between spaces (U+0020 alone) and whether a space follows: `"a\\u00a0b c" -> ["a\\u00a0b", "c"], [T, F]`."""
    tokens = [piece for piece in text.split(" ") if piece and not piece.isspace()]
    spaces = [True] * len(tokens)
    if tokens:
        spaces[-1] = text.endswith(" ")
    return tokens, spaces


def note_scripts_without_spaces(reading: Reading) -> None:
    """Say it when most tokens are single clusters because the script has no spaces between words."""
    n_tokens = n_clusters = 0
    for sentence in reading.sentences:
        n_tokens += len(sentence.tokens)
        if sentence.text and _WITHOUT_SPACES.search(sentence.text):
            n_clusters += sum(1 for token in sentence.tokens if _WITHOUT_SPACES.match(token))
    if n_clusters * 2 > n_tokens:
        reading.notes.append(
            "the script has no spaces between words, so each written cluster is a token; "
            "cut the text into words first and import it as pretokenized to label whole words"
        )
