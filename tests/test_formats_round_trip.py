"""What is exported comes back the same: any tokens, any script, any spans, any state of a sentence."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.formats import EXPORT_FORMATS, ReadOptions, ReadSentence, SourceFile, WriteOptions, read_file
from annotation.formats.schemes import SCHEMES
from annotation.labels import make_labels
from maner_core.errors import InvalidInput
from maner_core.spans import Span
from storage import Annotation, ExportRow, Origin, Project, ProjectSettings, Sentence, Split, Status
from storage._gold import gold

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)

any_character = st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r\0")
# Marks, joiners, directions, emoji, look-alikes of separators and of the format's own words turn up often this way.
tricky = st.sampled_from(
    ["#", "# ", "-DOCSTART", "O", "B-PER", "=", "\ufeff", "\u00a0", "\u200b", "\u200d", "\u200f", "\u2028", "\u0085", "\x0b",
     "\x1c", "e\u0301", "👩🏾\u200d🌾", "🇰🇪", "ߒߞߏ", "नि", "กำ", "token", "{", "}", '"', "\\", "1", "2", "3"]
)  # fmt: skip
tokens = (st.text(any_character, min_size=1, max_size=6) | tricky.map(lambda text: text.replace(" ", ""))).filter(
    lambda token: token != "-DOCSTART-"
)
label_names = st.sampled_from(["PER", "LOC", "B-2", "ቦታ", "=", "-"])
spaced_label_names = st.sampled_from(["PER", "jina la mahali", "# a = b"])


@st.composite
def rows(draw: st.DrawFn, labels: st.SearchStrategy[str], tokens: st.SearchStrategy[str] = tokens) -> ExportRow:
    """A sentence in any state; spans often touch."""
    words = tuple(draw(st.lists(tokens, min_size=1, max_size=8)))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
    spans = [Span(start, end, draw(labels)) for start, end in pairwise(cuts) if draw(st.booleans())]
    status = draw(st.sampled_from([None, *Status]))
    text, spaces = None, None
    if draw(st.booleans()):
        spaces = tuple(draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words))))
        text = "".join(token + " " * follows for token, follows in zip(words, spaces, strict=True))
    document = draw(st.sampled_from([None, "moja", "mbili"]))
    meta = draw(st.dictionaries(st.text(any_character, max_size=3), st.text(any_character, max_size=3), max_size=2))
    split = draw(st.sampled_from(list(Split)))
    sentence = Sentence(1, 1, words, text, spaces, document, "faili:1", split, "", None, meta)
    if status is None:
        return export_row(sentence, None)
    return export_row(sentence, annotation(status, spans))


def export_row(sentence: Sentence, annotation: Annotation | None) -> ExportRow:
    """A sentence with what Asha alone said of it."""
    if annotation is None:
        return ExportRow(sentence, None, None, None, None, None)
    return ExportRow(sentence, annotation, "Asha", None, None, gold([annotation]), {1: "Asha"})


def annotation(status: Status, spans: Sequence[Span] = ()) -> Annotation:
    kept = () if status is Status.SKIPPED else tuple(spans)
    return Annotation("id", 1, 1, 1, status, kept, "", Origin.RANDOM, None, 900, NOW, NOW, None)


def project(labels: Sequence[str]) -> Project:
    return Project(1, ProjectSettings("Jaribio", labels=make_labels(labels)), "chumvi", None, NOW)


def written(format: str, rows: Sequence[ExportRow], scheme: str = "iob2") -> str:
    used = {span.label for row in rows if row.annotation for span in row.annotation.spans}
    return "".join(EXPORT_FORMATS[format](rows, project(sorted(used)), WriteOptions(scheme)))


def read_back(text: str, format: str, scheme: str = "auto") -> list[ReadSentence]:
    reading = read_file(SourceFile("a.txt", text.encode()), format, ReadOptions(scheme))
    assert reading.errors == []
    assert reading.repairs == []
    return reading.sentences


def state(row: ExportRow) -> tuple[str, tuple[Span, ...] | None]:
    if row.annotation is None:
        return "unlabelled", None
    status = str(row.annotation.status)
    return status, None if status == "skipped" else row.annotation.spans


def document_breaks(documents: Sequence[str | None]) -> list[bool]:
    return [one != other for one, other in pairwise([None, *documents])]


def assert_same(rows: Sequence[ExportRow], back: Sequence[ReadSentence]) -> None:
    assert [sentence.tokens for sentence in back] == [row.sentence.tokens for row in rows]
    assert [(sentence.status, sentence.spans) for sentence in back] == [state(row) for row in rows]


@pytest.mark.parametrize("format", ["conll", "conll4"])
@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(rows(label_names) | rows(spaced_label_names), min_size=1, max_size=5))
def test_conll_brings_back_tokens_spans_states_and_documents(format: str, rows: list[ExportRow]) -> None:
    back = read_back(written(format, rows), "conll")
    assert_same(rows, back)
    documents = [row.sentence.document for row in rows]
    assert document_breaks([sentence.document for sentence in back]) == document_breaks(documents)


@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(rows(label_names), min_size=1, max_size=4), st.sampled_from(sorted(SCHEMES)))
def test_conll_comes_back_from_every_scheme(rows: list[ExportRow], scheme: str) -> None:
    assert_same(rows, read_back(written("conll", rows, scheme), "conll", scheme))


@pytest.mark.parametrize("format", ["conll", "conll4"])
@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(rows(label_names), min_size=1, max_size=4))
def test_an_exported_file_is_detected_as_what_it_is(format: str, rows: list[ExportRow]) -> None:
    assert_same(rows, read_back(written(format, rows), "auto"))
    assert_same(rows, read_back(written("jsonl", rows), "auto"))


@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(rows(label_names), min_size=1, max_size=4))
def test_writing_what_was_read_gives_the_same_bytes(rows: list[ExportRow]) -> None:
    once = written("conll", rows)
    again = [
        export_row(
            Sentence(1, 1, s.tokens, None, None, s.document, "", Split.POOL, "", None, {}),
            None if s.status == "unlabelled" else annotation(Status(s.status), s.spans or ()),
        )
        for s in read_back(once, "conll")
    ]
    assert written("conll", again) == once


@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(rows(label_names, tokens | st.sampled_from(["New York", "a\nb", "a\tb"])), min_size=1, max_size=5))
def test_jsonl_brings_back_everything_that_is_read(rows: list[ExportRow]) -> None:
    text = written("jsonl", rows)
    back = read_back(text, "jsonl")
    assert_same(rows, back)
    assert len(text.splitlines()) == len(rows)
    for row, sentence in zip(rows, back, strict=True):
        assert (sentence.text, sentence.spaces) == (row.sentence.text, row.sentence.spaces)
        assert (sentence.document, sentence.meta) == (row.sentence.document, row.sentence.meta)
        assert sentence.reserved == (row.sentence.split is Split.RESERVE)


@pytest.mark.parametrize("token", ["New York", "a\tb", "a\nb", "a\rb", "-DOCSTART-", ""])
@pytest.mark.parametrize("format", ["conll", "conll4"])
def test_a_token_that_conll_cannot_carry_is_refused_with_its_sentence(format: str, token: str) -> None:
    sentence = Sentence(17, 1, ("Asha", token), None, None, None, "", Split.POOL, "", None, {})
    row = export_row(sentence, annotation(Status.LABELLED))
    with pytest.raises(InvalidInput, match=r"sentence 17 holds the token .*; export it as jsonl"):
        written(format, [row])


@pytest.mark.parametrize("label", ["a\tb", "a\nb", " LOC", "LOC "])
def test_a_label_that_conll_cannot_carry_is_refused_with_its_sentence(label: str) -> None:
    sentence = Sentence(17, 1, ("Asha",), None, None, None, "", Split.POOL, "", None, {})
    row = export_row(sentence, annotation(Status.LABELLED, [Span(0, 1, label)]))
    with pytest.raises(InvalidInput, match="sentence 17 holds the label"):
        written("conll", [row])
