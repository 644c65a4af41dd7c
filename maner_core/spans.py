"""Spans and tags: Span(start, end, label) with an exclusive end, counted in tokens, and IOB2 tags beside them.

Only IOB2 exists here; every other tag scheme lives in annotation/formats.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from maner_core.errors import InvalidSpans

OUTSIDE = "O"


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """`label` over the tokens `start` up to but not including `end`."""

    start: int
    end: int
    label: str


def validate_spans(spans: Iterable[Span], n_tokens: int, labels: Collection[str] | None = None) -> list[Span]:
    """The spans in order of position, or InvalidSpans if a sentence of `n_tokens` cannot carry them.

    A span must lie within the sentence and hold at least one token, no two may share a token, and its label must be
    one of `labels` where these are given.
    """
    ordered = sorted(spans)
    previous: Span | None = None
    for span in ordered:
        if not 0 <= span.start < span.end <= n_tokens:
            raise InvalidSpans(
                f"span {span.start}-{span.end} ({span.label}) is outside a sentence of {n_tokens} tokens; "
                "start and end must satisfy 0 <= start < end <= number of tokens"
            )
        if not span.label:
            raise InvalidSpans(f"span {span.start}-{span.end} has no label; give it one")
        if labels is not None and span.label not in labels:
            raise InvalidSpans(
                f"span {span.start}-{span.end} has the label {span.label!r}; this project knows {', '.join(labels)}"
            )
        if previous is not None and span.start < previous.end:
            raise InvalidSpans(
                f"spans {previous.start}-{previous.end} ({previous.label}) and {span.start}-{span.end} ({span.label}) "
                "share a token; remove one of them"
            )
        previous = span
    return ordered


def spans_to_tags(spans: Iterable[Span], n_tokens: int) -> list[str]:
    """IOB2 tags of a sentence: `[Span(1, 3, "PER")], 4 -> ["O", "B-PER", "I-PER", "O"]`. Raises InvalidSpans."""
    tags = [OUTSIDE] * n_tokens
    for span in validate_spans(spans, n_tokens):
        tags[span.start] = f"B-{span.label}"
        tags[span.start + 1 : span.end] = [f"I-{span.label}"] * (span.end - span.start - 1)
    return tags


def tags_to_spans(tags: Sequence[str]) -> list[Span]:
    """The spans of legal IOB2 tags: `["O", "B-PER", "I-PER", "O"] -> [Span(1, 3, "PER")]`.

    Raises InvalidSpans on an illegal tag; `repair_tags` makes tags legal first.
    """
    spans: list[Span] = []
    for position, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        prefix, _, label = tag.partition("-")
        if prefix == "B" and label:
            spans.append(Span(position, position + 1, label))
        elif prefix == "I" and spans and spans[-1].end == position and spans[-1].label == label:
            spans[-1] = Span(spans[-1].start, position + 1, label)
        else:
            raise InvalidSpans(
                f"tag {tag!r} at token {position} is illegal in IOB2; it must continue a span of its label"
            )
    return spans


def repair_tags(tags: Sequence[str]) -> list[str]:
    """Make IOB2 tags legal the way conlleval reads them: an I-X that continues nothing opens a span.

    `["O", "I-PER", "I-LOC"] -> ["O", "B-PER", "B-LOC"]`
    """
    repaired: list[str] = []
    previous_label = ""
    for tag in tags:
        prefix, _, label = tag.partition("-")
        if prefix == "I" and label != previous_label:
            tag = f"B-{label}"
        repaired.append(tag)
        previous_label = label
    return repaired


def iob2_tags(labels: Iterable[str]) -> list[str]:
    """The tag set of these labels, O first: `["PER"] -> ["O", "B-PER", "I-PER"]`. The order is the classifier's."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in ("B", "I"))]
