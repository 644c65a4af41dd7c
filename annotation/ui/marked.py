"""Sentences with their names marked in the colours of the labels, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape

from maner_core.spans import Span


def marked(tokens: Sequence[str], spans: Sequence[Span], colors: Mapping[str, str], direction: str = "auto") -> str:
    """The sentence with each span underlined and named; everything that people wrote is escaped."""
    starts = {span.start: span for span in spans}
    parts, position = list[str](), 0
    while position < len(tokens):
        span = starts.get(position)
        end = position + 1 if span is None else max(span.end, position + 1)
        words = escape(" ".join(tokens[position:end]))
        parts.append(words if span is None else _name(words, span.label, colors.get(span.label, "gray")))
        position = end
    return f'<div dir="{escape(direction)}">{" ".join(parts)}</div>'


def _name(words: str, label: str, color: str) -> str:
    line = f"border-bottom: 3px solid {escape(color)}; padding-bottom: 1px"
    return f'<span style="{line}">{words}</span> <small style="opacity: 0.7">{escape(label)}</small>'
