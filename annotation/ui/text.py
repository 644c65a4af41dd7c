"""Text of people and files on its way into Markdown and tables."""

import re

_FORMULA = ("=", "+", "-", "@")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    r"""The text with every sign escaped that Markdown could read: `"a*b" -> "a\*b"`."""
    return _PUNCTUATION.sub(r"\\\1", text)


def counted(n: int, noun: str) -> str:
    """A number with its noun: `1, "sentence" -> "1 sentence"`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def cell(text: str) -> str:
    """A text for a table, which a person may download as CSV: no spreadsheet takes it for a formula. `"=1+1" -> "'=1+1"`."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text[:1] in ("\t", "\r", "\n") else text
