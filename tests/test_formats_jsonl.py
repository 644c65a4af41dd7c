"""Our JSON lines: what is read, in which spellings, and what is refused."""

import json
from typing import Any

import pytest

from annotation.formats import Reading, ReadSentence, SourceFile, read_file
from maner_core.errors import FormatError
from maner_core.spans import Span


def read(*lines: dict[str, Any] | str) -> Reading:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    return read_file(SourceFile("a.jsonl", text.encode()), "jsonl")


def only(line: dict[str, Any]) -> ReadSentence:
    reading = read(line)
    assert reading.errors == []
    return reading.sentences[0]


def problem(line: dict[str, Any] | str) -> str:
    reading = read({"text": "Sawa"}, line)
    assert len(reading.sentences) == 1
    assert [error.line for error in reading.errors] == [2]
    return str(reading.errors[0])


def test_text_alone_is_cut_into_words() -> None:
    sentence = only({"text": "Asha yuko Nairobi."})
    assert sentence.tokens == ("Asha", "yuko", "Nairobi", ".")
    assert sentence.spaces == (True, True, False, False)
    assert (sentence.status, sentence.spans) == ("unlabelled", None)


def test_character_offsets_count_code_points_also_after_emoji() -> None:
    sentence = only({"text": "👩🏾\u200d🌾 Asha 🇰🇪", "spans": [{"start": 5, "end": 9, "label": "PER"}]})
    assert sentence.spans == (Span(1, 2, "PER"),)
    assert sentence.status == "labelled"


@pytest.mark.parametrize("field", ["label", "labels"])
def test_triples_of_other_tools_are_read(field: str) -> None:
    assert only({"text": "Asha yupo", field: [[0, 4, "PER"]]}).spans == (Span(0, 1, "PER"),)


def test_an_inclusive_token_end_of_another_tool_is_not_believed() -> None:
    sentence = only(
        {
            "text": "Asha Ali yupo",
            "tokens": [{"text": "Asha", "start": 0, "end": 4}, {"text": "Ali", "start": 5, "end": 8},
                       {"text": "yupo", "start": 9, "end": 13}],
            "spans": [{"start": 0, "end": 8, "token_start": 0, "token_end": 1, "label": "PER"}],
            "answer": "accept",
        }
    )  # fmt: skip
    assert sentence.spans == (Span(0, 2, "PER"),)


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_a_rejected_answer_is_not_a_sentence_without_names(answer: str) -> None:
    sentence = only({"text": "Asha yupo", "spans": [], "answer": answer})
    assert (sentence.status, sentence.spans, sentence.gold) == ("skipped", None, None)


def test_an_answer_of_another_kind_is_none() -> None:
    """Question-answering data has objects there."""
    assert only({"text": "Habari ya leo", "answer": {"text": "leo"}}).status == "unlabelled"


def test_the_four_states_stay_four() -> None:
    base = {"tokens": ["Asha"], "spans": [{"token_start": 0, "token_end_exclusive": 1, "label": "PER"}]}
    sentences = read(
        {**base, "status": "labelled"},
        {"tokens": ["Asha"], "spans": [], "status": "labelled"},
        {**base, "status": "skipped"},
        {**base, "status": "flagged"},
        {"tokens": ["Asha"], "status": "unlabelled"},
    ).sentences
    assert [sentence.gold for sentence in sentences] == [(Span(0, 1, "PER"),), (), None, None, None]
    assert [sentence.status for sentence in sentences] == ["labelled", "labelled", "skipped", "flagged", "unlabelled"]


def test_tokens_may_hold_spaces_and_text_may_be_missing() -> None:
    sentence = only({"tokens": ["New York", "ni"], "doc_id": 7, "split": "reserve", "meta": {"url": "u", "n": 1}})
    assert sentence.tokens == ("New York", "ni")
    assert (sentence.text, sentence.document, sentence.reserved) == (None, "7", True)
    assert sentence.meta == {"url": "u", "n": "1"}


def test_fields_that_are_not_read_are_mentioned_once() -> None:
    assert read({"text": "Asha", "mood": 1}, {"text": "Juma", "mood": 2}).notes == [
        "field 'mood' is not read (first on line 1)"
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl:2: is not JSON"),
        ("[1]", "is not a JSON object"),
        ({"id": 1}, "has neither tokens nor text; give one of them"),
        ({"text": 5}, "text is not a string"),
        ({"text": " "}, "holds no token"),
        ({"tokens": []}, "tokens is not a list with something in it"),
        ({"tokens": ["a", ""]}, "a token is empty or no string"),
        ({"tokens": [{"start": 0}]}, "a token is empty or no string"),
        ({"text": "Asha", "tokens": [{"text": "Asha", "start": 1, "end": 5}]}, "is not what stands at 1-5 of text"),
        (
            {"text": "Asha yupo", "spans": [{"start": 0, "end": 3, "label": "PER"}]},
            "does not start and end with a token",
        ),
        ({"text": "Asha", "spans": {}}, "spans is not a list"),
        ({"text": "Asha", "spans": [{"start": 0, "end": 4}]}, "has no label"),
        ({"tokens": ["Asha"], "spans": [{"start": 0, "end": 4, "label": "PER"}]}, "give token offsets"),
        (
            {"tokens": ["a"], "spans": [{"token_start": 0, "token_end_exclusive": 2, "label": "X"}]},
            "outside a sentence",
        ),
        ({"tokens": ["a"], "spans": [{"token_start": "0", "token_end_exclusive": 1, "label": "X"}]}, "whole numbers"),
        ({"tokens": ["a"], "spans": [{"token_start": 0, "token_end_exclusive": 1, "label": ""}]}, "has no label"),
        ({"text": "Asha", "status": "done"}, "status 'done' is unknown; write one of labelled"),
        ({"text": "Asha", "status": "labelled"}, "status is labelled but there are no spans"),
        ({"text": "Asha", "entities": []}, "has names in 'entities', which is not read; write them as `spans`"),
        ({"text": "Asha", "meta": []}, "meta is not an object"),
        ('{"tokens": ["a\\ud800"]}', "half of a surrogate pair"),
        ('{"tokens": ["a\\u0000"]}', "NUL character"),
        ('{"text": "a", "doc_id": "\\ud800"}', "half of a surrogate pair"),
        ('{"text": "a", "meta": {"from": "b\\u0000"}}', "NUL character"),
        ({"text": "a b c", "label": [[0, 3, "X"], [2, 5, "Y"]]}, "share a token"),
    ],
)
def test_a_bad_line_is_reported_and_the_others_are_read(line: dict[str, Any] | str, message: str) -> None:
    assert message in problem(line)


def test_a_file_of_blank_lines_is_refused() -> None:
    with pytest.raises(FormatError, match="holds no sentence; write one JSON object a line"):
        read_file(SourceFile("a.jsonl", b"\n\n"), "jsonl")
