"""Tag schemes: which one a file follows, what its tags mean, which of them break it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.formats.schemes import SCHEMES, Parsed, breaches, decode, detect_scheme, encode, parse_tag
from maner_core.errors import InvalidInput
from maner_core.spans import Span, spans_to_tags


def parsed(tags: str) -> Parsed:
    """`"O B-PER" -> [("O", ""), ("B", "PER")]`; every tag must be one."""
    found = [parse_tag(tag) for tag in tags.split(" ")]
    return [tag for tag in found if tag is not None and len(found) == len(tags.split(" "))]


# Ada Lovelace met Bob, in each scheme; the second pair of names touches the first.
TOUCHING = {
    "iob1": "I-PER I-PER B-PER O I-LOC",
    "iob2": "B-PER I-PER B-PER O B-LOC",
    "ioe1": "I-PER E-PER I-PER O I-LOC",
    "ioe2": "I-PER E-PER E-PER O E-LOC",
    "iobes": "B-PER E-PER S-PER O S-LOC",
    "bilou": "B-PER L-PER U-PER O U-LOC",
}
SPANS = (Span(0, 2, "PER"), Span(2, 3, "PER"), Span(4, 5, "LOC"))


@pytest.mark.parametrize(("scheme", "tags"), TOUCHING.items())
def test_each_scheme_is_detected_read_and_written(scheme: str, tags: str) -> None:
    assert detect_scheme([parsed(tags)]) == scheme
    assert decode(parsed(tags)) == SPANS
    assert breaches(parsed(tags), scheme) == []
    assert encode(SPANS, 5, scheme) == tags.split(" ")


def test_bioes_is_another_name_of_iobes() -> None:
    assert encode(SPANS, 5, "bioes") == encode(SPANS, 5, "iobes")


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O O O", "iob2"),
        ("B-PER O B-PER", "iob2"),
        ("I-PER O I-LOC", "iob1"),
        ("I-PER B-PER O", "iob1"),
        ("O U-PER O", "bilou"),
        ("B-PER L-PER O", "bilou"),
        ("O S-PER O", "iobes"),
        ("B-PER E-PER O", "iobes"),
        ("I-PER E-PER O", "ioe2"),
        ("E-PER I-PER O", "ioe1"),
        ("B-PER I-PER O I-LOC O B-LOC B-ORG", "iob2"),
        ("I-PER O I-LOC O I-ORG O B-LOC", "iob1"),
    ],
)
def test_the_scheme_follows_the_safe_rule(tags: str, scheme: str) -> None:
    assert detect_scheme([parsed(tags)]) == scheme


def test_ends_that_fit_neither_ioe_scheme_are_asked_about() -> None:
    with pytest.raises(InvalidInput, match="neither IOE1 nor IOE2"):
        detect_scheme([parsed("I-PER E-PER O I-LOC O")])


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O I-PER I-PER O", (Span(1, 3, "PER"),)),
        ("B-PER I-LOC I-LOC", (Span(0, 1, "PER"), Span(1, 3, "LOC"))),
        ("I-PER O I-PER", (Span(0, 1, "PER"), Span(2, 3, "PER"))),
        ("O -LOC -LOC", (Span(1, 3, "LOC"),)),
        ("E-PER E-PER", (Span(0, 1, "PER"), Span(1, 2, "PER"))),
        ("B-PER O E-PER", (Span(0, 1, "PER"), Span(2, 3, "PER"))),
        ("S-PER I-PER", (Span(0, 1, "PER"), Span(1, 2, "PER"))),
    ],
)
def test_broken_tags_are_read_as_conlleval_reads_them(tags: str, spans: tuple[Span, ...]) -> None:
    assert decode(parsed(tags)) == spans


@pytest.mark.parametrize(
    ("tags", "scheme", "positions"),
    [
        ("O I-PER O", "iob2", [1]),
        ("B-PER I-LOC O", "iob2", [1]),
        ("B-PER O", "iob1", [0]),
        ("B-PER O", "iobes", [0]),
        ("B-PER I-PER", "bilou", [1]),
        ("O E-PER", "iobes", [1]),
        ("I-PER O", "ioe2", [0]),
        ("I-PER E-PER O", "ioe1", [1]),
        ("O -LOC B-LOC", "iob2", [1]),
        ("S-PER E-PER", "iob2", [0, 0, 1, 1]),
    ],
)
def test_tags_that_break_the_scheme_are_found_at_their_token(tags: str, scheme: str, positions: list[int]) -> None:
    assert sorted({position for position, _ in breaches(parsed(tags), scheme)}) == sorted(set(positions))


def test_out_is_another_word_for_o() -> None:
    assert parse_tag("OUT") == parse_tag("O")


@pytest.mark.parametrize("text", ["", "-", "B-", "-X-", "LOC", "B_LOC", "b-LOC", "X-LOC", "0"])
def test_what_is_no_tag_is_not_taken_for_one(text: str) -> None:
    assert parse_tag(text) is None


@st.composite
def sentences_with_spans(draw: st.DrawFn) -> tuple[int, list[Span]]:
    """A number of tokens and spans over them that do not overlap but often touch."""
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=8))
    spans, start = [], 0
    for length in lengths:
        label = draw(st.sampled_from(["", "PER", "LOC", "jina la mahali"]))
        if label:
            spans.append(Span(start, start + length, label))
        start += length
    return start, spans


@settings(deadline=None)  # a loaded machine is no bug
@given(sentences_with_spans(), st.sampled_from(sorted(SCHEMES)))
def test_spans_survive_every_scheme(sentence: tuple[int, list[Span]], scheme: str) -> None:
    n_tokens, spans = sentence
    tags = [tag for tag in map(parse_tag, encode(spans, n_tokens, scheme)) if tag is not None]
    assert len(tags) == n_tokens
    assert decode(tags) == tuple(spans)
    assert breaches(tags, scheme) == []


@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=8))
def test_spans_of_broken_iob2_are_those_of_the_repaired_tags(tags: list[str]) -> None:
    spans = decode([tag for tag in map(parse_tag, tags) if tag is not None])
    assert encode(spans, len(tags)) == spans_to_tags(spans, len(tags))
    covered = {position for span in spans for position in range(span.start, span.end)}
    assert covered == {position for position, tag in enumerate(tags) if tag != "O"}
