"""Which format a file has when nobody says so."""

import pytest

from annotation.formats import IMPORT_FORMATS, SourceFile, detect, read_file
from maner_core.errors import FormatError, UnknownName

ONE_COLUMN = "Asha\nanaishi\nNairobi\nsasa\n\nJuma\nyuko\nKisumu\nleo\n"


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("a.txt", "Asha O\nyupo O\n\nNairobi B-LOC\n", "conll"),
        ("a.txt", "token tag\nAsha O\nyupo O\nNairobi B-LOC\n", "conll"),
        ("a.txt", "Asha\tN\tB-jina la mtu\nyupo\tV\tO\n", "conll"),
        ("a.txt", "-DOCSTART- -X- O O\n\nAsha\nyupo\n", "conll"),
        ("a.txt", "Asha O\nyupo\nhapa O\n\nNairobi B-LOC\nni O\n", "conll"),
        ("a.txt", "# id = 1\nAsha O\n\n# id = 2\nJuma O\n", "conll"),
        ("a.txt", ONE_COLUMN, "conll"),
        ("a.conll", "Asha\nJuma\n", "conll"),
        ("a.txt", "Asha anaishi Nairobi.\nJuma yuko Kisumu leo.\n", "text"),
        ("a.txt", "Asha\nJuma\n", "text"),
        ("a.txt", "Ndiyo, O\nHapana.\nAsha anaishi Nairobi.\n", "text"),
        ("a.txt", "สวัสดีชาวโลกที่รักทุกคน\nวันนี้อากาศดีมากที่กรุงเทพ\nเราไปตลาดกันเถอะ\n\nฉันรักประเทศไทยมาก\n", "text"),
        ("a.txt", '{"text": "Asha yupo"}\n', "jsonl"),
        ("a.jsonl", "{broken\n", "jsonl"),
        ("a.csv", "id,text\n1,Asha yupo\n", "csv"),
        ("a.TSV", "id\ttext\n1\tAsha yupo\n", "csv"),
        ("a.tsv", "token\ttag\nAsha\tB-PER\nyupo\tO\n", "conll"),
        ("a.txt", "{ O\n} O\n", "conll"),
        ("a.txt", "{} O\nAsha O\n", "conll"),
    ],
)
def test_the_format_is_told_by_the_content(name: str, text: str, format: str) -> None:
    assert detect(name, text.split("\n")) == format


def test_an_empty_file_has_no_format() -> None:
    with pytest.raises(FormatError, match=r"a.txt: holds no sentence"):
        detect("a.txt", ["", " "])


@pytest.mark.parametrize("name", ["a.json", "a.XML"])
def test_formats_that_are_not_read_are_refused_rather_than_taken_for_text(name: str) -> None:
    with pytest.raises(FormatError, match="files are not read; convert it to CoNLL, JSON lines, CSV or plain text"):
        detect(name, ["id,sentensi,lugha", "1,Asha yupo,swa"])


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(UnknownName, match=f"choose one of auto, {', '.join(IMPORT_FORMATS)}"):
        read_file(SourceFile("a.txt", b"Asha"), "excel")


def test_a_named_format_is_not_second_guessed() -> None:
    reading = read_file(SourceFile("a.txt", b"Asha O\nJuma O\n"), "text")
    assert [sentence.tokens for sentence in reading.sentences] == [("Asha", "O"), ("Juma", "O")]
