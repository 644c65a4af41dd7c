"""Spans and IOB2 tags: there and back, and what no sentence can carry."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maner_core.errors import InvalidSpans
from maner_core.spans import Span, iob2_tags, repair_tags, spans_to_tags, tags_to_spans, validate_spans

LABELS = ["PER", "LOC", "ORG", "B-MIXED", "名前"]


@st.composite
def sentences_with_spans(draw: st.DrawFn) -> tuple[int, list[Span]]:
    """A sentence length and spans that it can carry, in order."""
    n_tokens = draw(st.integers(0, 30))
    cuts = draw(st.lists(st.integers(0, n_tokens), unique=True).map(sorted))
    spans = [Span(start, end, draw(st.sampled_from(LABELS))) for start, end in pairwise(cuts)]
    return n_tokens, [span for span in spans if draw(st.booleans())]


TAGS = st.lists(st.sampled_from(iob2_tags(LABELS)), max_size=30)


@settings(deadline=None)
@given(sentences_with_spans())
def test_spans_survive_the_way_to_tags_and_back(sentence: tuple[int, list[Span]]) -> None:
    n_tokens, spans = sentence
    tags = spans_to_tags(spans, n_tokens)
    assert len(tags) == n_tokens
    assert tags_to_spans(tags) == spans


@settings(deadline=None)
@given(sentences_with_spans(), st.randoms())
def test_the_order_of_spans_does_not_matter(sentence: tuple[int, list[Span]], random: Random) -> None:
    n_tokens, spans = sentence
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert validate_spans(shuffled, n_tokens) == spans
    assert spans_to_tags(shuffled, n_tokens) == spans_to_tags(spans, n_tokens)


@settings(deadline=None)
@given(TAGS)
def test_repaired_tags_are_legal_and_repairing_them_again_changes_nothing(tags: list[str]) -> None:
    repaired = repair_tags(tags)
    assert spans_to_tags(tags_to_spans(repaired), len(tags)) == repaired
    assert repair_tags(repaired) == repaired
    assert [tag.partition("-")[2] for tag in repaired] == [tag.partition("-")[2] for tag in tags]


@settings(deadline=None)
@given(TAGS)
def test_tags_are_refused_exactly_when_repair_would_change_them(tags: list[str]) -> None:
    if repair_tags(tags) == tags:
        assert spans_to_tags(tags_to_spans(tags), len(tags)) == tags
    else:
        with pytest.raises(InvalidSpans, match="illegal in IOB2"):
            tags_to_spans(tags)


def test_two_spans_of_one_label_side_by_side_stay_two() -> None:
    spans = [Span(0, 2, "PER"), Span(2, 3, "PER")]
    assert spans_to_tags(spans, 4) == ["B-PER", "I-PER", "B-PER", "O"]
    assert tags_to_spans(["B-PER", "I-PER", "B-PER", "O"]) == spans


@pytest.mark.parametrize(
    ("tags", "repaired"),
    [
        (["I-PER"], ["B-PER"]),
        (["O", "I-PER", "I-PER"], ["O", "B-PER", "I-PER"]),
        (["B-PER", "I-LOC", "I-LOC"], ["B-PER", "B-LOC", "I-LOC"]),
        (["B-PER", "O", "I-PER"], ["B-PER", "O", "B-PER"]),
        (["I-PER", "B-PER", "I-PER"], ["B-PER", "B-PER", "I-PER"]),
        ([], []),
    ],
)
def test_illegal_tags_are_read_as_conlleval_reads_them(tags: list[str], repaired: list[str]) -> None:
    assert repair_tags(tags) == repaired


@pytest.mark.parametrize("tags", [["I-PER"], ["B-PER", "I-LOC"], ["B-"], ["B"], ["E-PER"], ["o"], [""]])
def test_illegal_tags_are_refused(tags: list[str]) -> None:
    with pytest.raises(InvalidSpans, match=f"at token {len(tags) - 1} is illegal in IOB2"):
        tags_to_spans(tags)


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([Span(0, 0, "PER")], "span 0-0 .* outside a sentence of 3 tokens"),
        ([Span(2, 1, "PER")], "span 2-1 .* outside"),
        ([Span(-1, 1, "PER")], "span -1-1 .* outside"),
        ([Span(2, 4, "PER")], "span 2-4 .* outside a sentence of 3 tokens"),
        ([Span(0, 1, "")], "span 0-1 has no label"),
        ([Span(1, 2, "DATE")], "span 1-2 has the label 'DATE'; this project knows PER, LOC"),
        ([Span(1, 3, "LOC"), Span(0, 2, "PER")], r"spans 0-2 \(PER\) and 1-3 \(LOC\) share a token"),
        ([Span(0, 1, "PER"), Span(0, 1, "PER")], "share a token"),
        ([Span(0, 3, "PER"), Span(1, 2, "PER")], "share a token"),
    ],
)
def test_spans_that_a_sentence_cannot_carry_are_refused(spans: list[Span], reason: str) -> None:
    with pytest.raises(InvalidSpans, match=reason):
        validate_spans(spans, 3, ["PER", "LOC"])


def test_spans_that_touch_are_accepted() -> None:
    spans = [Span(0, 1, "PER"), Span(1, 3, "LOC")]
    assert validate_spans(reversed(spans), 3, ["PER", "LOC"]) == spans


def test_the_tag_set_begins_with_outside_and_keeps_the_order_of_labels() -> None:
    assert iob2_tags(["PER", "LOC"]) == ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    assert iob2_tags([]) == ["O"]
