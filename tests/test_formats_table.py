"""Tables of a spreadsheet: which column is the sentence, what becomes of the others, and rows that cannot be taken."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.formats import Reading, ReadOptions, SourceFile, read_file
from annotation.formats.text import segment
from maner_core.errors import FormatError


def read(text: str, pretokenized: bool = False) -> Reading:
    return read_file(SourceFile("a.csv", text.encode()), options=ReadOptions(pretokenized=pretokenized))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_row_is_a_sentence_with_its_document_and_what_else_it_holds(delimiter: str, quoting: int) -> None:
    file = StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(
        [["id", "Text ", "document", ""], ["7", "Asha, yupo; Nairobi.", "habari", "x"], ["8", "Juma", "", ""]]
    )
    first, second = read(file.getvalue()).sentences
    assert first.tokens == ("Asha", ",", "yupo", ";", "Nairobi", ".")
    assert (first.line, first.text, first.document) == (2, "Asha, yupo; Nairobi.", "habari")
    assert first.meta == {"id": "7", "column 4": "x"}
    assert (second.line, second.tokens, second.document, second.meta) == (3, ("Juma",), None, {"id": "8"})
    assert first.gold is None


def test_a_cell_may_hold_quotation_marks_and_line_breaks_and_rows_keep_their_lines() -> None:
    first, second = read('text,n\n"Asha ""Dada""\nyupo",1\n\n,\nJuma,2\n').sentences
    assert (first.line, first.tokens) == (2, ("Asha", '"', "Dada", '"', "yupo"))
    assert first.text == 'Asha "Dada"\nyupo'
    assert (second.line, second.tokens) == (6, ("Juma",))


def test_rows_that_cannot_be_taken_are_named_with_their_line() -> None:
    reading = read("text,n\nAsha,1\nJuma, yupo,2\n,3\n\u200b,4\n")
    assert [(error.line, error.problem) for error in reading.errors] == [
        (3, "has 3 cells, the header 2"),
        (4, "has no word under text"),
        (5, "has no word under text"),
    ]
    assert len(reading.sentences) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,sentensi\n1,Asha\n",
            "a.csv:1: has no column of sentences, only id, sentensi; write the names of the columns",
        ),
        ("text,n,n\nAsha,1,2\n", "a.csv:1: names two columns alike; give each column a name of its own"),
        ("text\n", "a.csv: holds no sentence; write one row for each below the header"),
        (
            'text\nAsha\n"Juma\nyupo\n',
            "a.csv:3: cannot be parted into cells .*; double the quotation marks inside a cell",
        ),
        ('text\n"Juma" yupo\n', "a.csv:2: cannot be parted into cells"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(text)


def test_text_that_is_cut_already_is_split_at_spaces_alone() -> None:
    assert read("text\nวัน นี้\n", pretokenized=True).sentences[0].tokens == ("วัน", "นี้")
    assert "each written cluster is a token" in read("text\nวันนี้อากาศดี\n").notes[0]
    [error] = read('text\n"a\nb"\n', pretokenized=True).errors
    assert (error.line, error.problem) == (2, "holds a line break")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=30)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_what_a_spreadsheet_writes_is_read_as_it_was(rows: list[tuple[str, str]], delimiter: str) -> None:
    file = StringIO()
    rows = [("Asha", ""), *rows]
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([("text", "note"), *rows])
    found = read_file(SourceFile("a.csv", file.getvalue().encode()), "csv").sentences
    expected = [row for row in rows if segment(row[0])[0]]
    assert [(sentence.text, sentence.meta.get("note", "")) for sentence in found] == expected
