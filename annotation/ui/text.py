"""Text of people and files on its way into Markdown."""

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    r"""The text with every sign escaped that Markdown could read: `"a*b" -> "a\*b"`."""
    return _PUNCTUATION.sub(r"\\\1", text)


def counted(n: int, noun: str) -> str:
    """A number with its noun: `1, "sentence" -> "1 sentence"`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
