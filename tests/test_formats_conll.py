"""The CoNLL reader on every oddity of public files, written out by hand."""

from collections.abc import Sequence

import pytest

from annotation.formats import Reading, ReadOptions, SourceFile, read_file
from maner_core.errors import FormatError, UnknownName
from maner_core.spans import Span

PLAIN = "Asha O\nanaishi O\nNairobi B-LOC\n\nJuma B-PER\nOtieno I-PER\n"


def read(text: str | bytes, scheme: str = "auto", name: str = "mfano.txt") -> Reading:
    data = text if isinstance(text, bytes) else text.encode()
    return read_file(SourceFile(name, data), "conll", ReadOptions(scheme=scheme))


def tokens(reading: Reading) -> list[tuple[str, ...]]:
    return [sentence.tokens for sentence in reading.sentences]


def spans(reading: Reading) -> list[Sequence[Span] | None]:
    return [sentence.spans for sentence in reading.sentences]


def assert_is_plain(reading: Reading) -> None:
    assert reading.errors == []
    assert tokens(reading) == [("Asha", "anaishi", "Nairobi"), ("Juma", "Otieno")]
    assert spans(reading) == [(Span(2, 3, "LOC"),), (Span(0, 2, "PER"),)]


def test_two_columns_parted_by_one_space_are_read_with_their_lines() -> None:
    reading = read(PLAIN)
    assert_is_plain(reading)
    assert [sentence.line for sentence in reading.sentences] == [1, 5]
    assert reading.scheme == "iob2"
    assert reading.repairs == []


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace(" ", "\t"),
        PLAIN.replace(" ", "    "),
        PLAIN.replace(" ", "\t\t"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(" ", "\t").replace("\n", " \t\n"),
        PLAIN.replace("\n", "   \n"),
        "\ufeff" + PLAIN,
        "\n\n" + PLAIN + "\n\n\n",
        PLAIN.rstrip("\n"),
        PLAIN.replace("\n\n", "\n \t \n"),
        PLAIN.replace("Juma B-PER", "Juma\tB-PER"),
        PLAIN.replace(" O\n", " OUT\n"),
        PLAIN.replace("Asha O", "  Asha O"),
    ],
    ids=[
        "tab", "several spaces", "two tabs", "CRLF", "CR alone", "blank and tab at line ends", "blanks at line ends", "BOM",
        "blank lines around", "no last line end", "separator of blanks", "one line with a tab", "OUT for O", "indented",
    ],
)  # fmt: skip
def test_the_same_sentences_come_out_of_every_spelling(text: str) -> None:
    assert_is_plain(read(text))


@pytest.mark.parametrize("columns", [3, 4, 5])
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_of_more_columns_the_first_is_the_token_and_the_last_the_tag(columns: int, separator: str) -> None:
    middle = separator.join(["", "N", "-X-", "O"][: columns - 1])
    assert_is_plain(read(PLAIN.replace(" ", f"{middle}{separator}")))


def test_six_columns_are_refused() -> None:
    with pytest.raises(FormatError, match=r"mfano.txt:1: most lines have 6 columns; keep at most 5"):
        read(PLAIN.replace(" ", " a b c d "))


def test_one_column_holds_tokens_without_tags() -> None:
    reading = read("Asha\nanaishi\nNairobi\n\nJuma\n")
    assert tokens(reading) == [("Asha", "anaishi", "Nairobi"), ("Juma",)]
    assert spans(reading) == [None, None]
    assert reading.scheme is None


@pytest.mark.parametrize(
    "start",
    ["-DOCSTART- -X- O O\n\n", "-DOCSTART- -X- -X- O\n\n", "-DOCSTART- -X- O\n", "-DOCSTART- O\n\n", "-DOCSTART-\n\n"],
)
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_every_form_of_docstart_opens_a_document_and_is_no_token(start: str, separator: str) -> None:
    reading = read((start + PLAIN + start + "Mto O\n").replace(" ", separator))
    assert tokens(reading) == [("Asha", "anaishi", "Nairobi"), ("Juma", "Otieno"), ("Mto",)]
    assert [sentence.document for sentence in reading.sentences] == ["mfano.txt#1", "mfano.txt#1", "mfano.txt#2"]


def test_a_token_that_only_begins_like_docstart_is_a_token() -> None:
    assert tokens(read("-DOCSTART-ed O\n")) == [("-DOCSTART-ed",)]


def test_comments_before_a_sentence_are_its_metadata() -> None:
    reading = read("# sent_id = 7\n# text = Asha yupo\nAsha B-PER\nyupo O\n\nNdiyo O\n")
    assert reading.sentences[0].meta == {"sent_id": "7", "text": "Asha yupo"}
    assert reading.sentences[0].line == 3
    assert reading.sentences[1].meta == {}


def test_a_hash_that_is_a_token_stays_one() -> None:
    reading = read("# O\nhabari O\n\nni O\n# O\n")
    assert tokens(reading) == [("#", "habari"), ("ni", "#")]


def test_a_line_that_could_be_token_or_comment_is_a_token() -> None:
    reading = read("# N = O\nAsha N x B-PER\n\nJuma N x B-PER\n")
    assert tokens(reading) == [("#", "Asha"), ("Juma",)]


def test_a_comment_without_tab_in_a_file_of_tabs_is_metadata() -> None:
    reading = read("# http://mfano.example/1\nAsha\tB-PER\nyupo\tO\n")
    assert reading.sentences[0].meta == {"comment": "http://mfano.example/1"}


def test_metadata_with_no_sentence_after_it_is_mentioned() -> None:
    assert read("Asha O\n\n# mwisho = ndiyo\n").notes == ["line 3: metadata with no sentence after it left out"]


def test_a_value_given_twice_is_kept_twice() -> None:
    assert read("# a = 1\n# a = 2\nAsha O\n").sentences[0].meta == {"a": "1\n2"}


@pytest.mark.parametrize("header", ["Token Tag", "word NER", "TOKEN NE", "neno label"])
def test_a_header_row_is_left_out_and_mentioned(header: str) -> None:
    reading = read(f"{header}\n{PLAIN}")
    assert_is_plain(reading)
    assert reading.notes == ["line 1: header row left out"]


def test_the_word_token_with_a_tag_is_no_header() -> None:
    assert tokens(read("token O\nword O\n")) == [("token", "word")]


def test_an_i_that_continues_nothing_is_repaired_and_reported_with_its_line() -> None:
    reading = read("Asha B-PER\nyupo O\n\nNi O\nNairobi I-LOC\nMjini I-LOC\nna O\nJuma B-PER\n")
    assert reading.scheme == "iob2"
    assert spans(reading)[1] == (Span(1, 3, "LOC"), Span(4, 5, "PER"))
    assert [(repair.line, repair.what) for repair in reading.repairs] == [
        (5, "I-LOC opens a name; read as conlleval reads it")
    ]


def test_iob1_is_no_error() -> None:
    reading = read("Asha I-PER\nna O\nJuma I-PER\nOtieno B-PER\n")
    assert reading.scheme == "iob1"
    assert reading.repairs == []
    assert spans(reading) == [(Span(0, 1, "PER"), Span(2, 3, "PER"), Span(3, 4, "PER"))]


def test_a_lost_prefix_is_repaired_and_reported() -> None:
    reading = read("Ziwa -LOC\nViktoria -LOC\nni O\nAsha B-PER\n")
    assert spans(reading) == [(Span(0, 2, "LOC"), Span(3, 4, "PER"))]
    assert [repair.line for repair in reading.repairs] == [1, 2]


def test_a_scheme_can_be_forced() -> None:
    assert read("Asha I-PER\n", scheme="iob2").repairs[0].line == 1
    assert read("Asha I-PER\n", scheme="iob1").repairs == []


def test_an_unknown_scheme_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownName, match="no tag scheme 'iobx'; choose one of auto, iob1"):
        read(PLAIN, scheme="iobx")


def test_ambiguous_ends_ask_for_the_scheme() -> None:
    text = "Asha I-PER\nJuma E-PER\nna O\nNairobi I-LOC\n"
    with pytest.raises(FormatError, match="name the tag scheme: ioe1 or ioe2"):
        read(text)
    assert read(text, scheme="ioe2").repairs[0].line == 4


def test_labels_may_hold_blanks_where_tabs_part_the_columns() -> None:
    reading = read("Ziwa\tB-jina la mahali\nViktoria\tI-jina la mahali\nመቐለ\tB-ቦታ\n")
    assert spans(reading) == [(Span(0, 2, "jina la mahali"), Span(2, 3, "ቦታ"))]


def test_labels_may_be_written_in_any_script_and_hold_hyphens() -> None:
    assert spans(read("አዲስ B-ቦታ\nአበባ I-ቦታ\nX B-LOC-GPE\n")) == [(Span(0, 2, "ቦታ"), Span(2, 3, "LOC-GPE"))]


@pytest.mark.parametrize(
    "token",
    [
        "Dar\u00a0es\u00a0Salaam",
        "\u00a0",
        "ka\u200bmba",
        "क्\u200dष",
        "می\u200cروم",
        "a\u3000b",
        "o\u0300\u0323gbe\u0301ni",
        "a\u2028b",
        "a\u0085b",
        "a\x0bb",
        "👩🏾\u200d🌾",
        "\ufeff",
        "ߒߞߏ",
        "O",
        "B-PER",
    ],
)
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_a_token_is_kept_as_it_is(token: str, separator: str) -> None:
    reading = read(f"mbele{separator}O\n{token}{separator}B-LOC\nnyuma{separator}O\n")
    assert tokens(reading) == [("mbele", token, "nyuma")]
    assert spans(reading) == [(Span(1, 2, "LOC"),)]


def test_a_blank_inside_a_token_is_kept_where_tabs_part_the_columns() -> None:
    assert tokens(read("New York\tB-LOC\nni\tO\nmji\tO\n")) == [("New York", "ni", "mji")]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("Asha O\n O\nyupo O\n", 2, "the tag has no token before it"),
        ("Asha\tO\n\tO\nyupo\tO\n", 2, "the tag has no token before it"),
        ("Asha\tO\n \tO\nyupo\tO\n", 2, "the tag has no token before it"),
        ("Asha O\nyupo\nhapa O\n", 2, "1 column where the file has 2"),
        ("Asha O\nDar es Salaam B-LOC\nhapa O\n", 2, "4 columns where the file has 2"),
        ("Asha O\nyupo LOC\nhapa O\n", 2, "'LOC' is no tag"),
        ("Asha O\nyupo B-\nhapa O\n", 2, "'B-' is no tag"),
    ],
)
def test_a_bad_sentence_is_reported_with_its_line_and_the_others_are_read(text: str, line: int, problem: str) -> None:
    reading = read(f"{text}\nJuma B-PER\nOtieno I-PER\n")
    assert [(error.line, error.problem) for error in reading.errors] == [(line, problem)]
    assert tokens(reading) == [("Juma", "Otieno")]


def test_numbered_tokens_are_refused_instead_of_read_as_numbers() -> None:
    text = "1 Asha B-PER\n2 yupo O\n3 hapa O\n\n1 Juma B-PER\n2 pia O\n"
    with pytest.raises(FormatError, match="the first column counts the tokens; delete that column"):
        read(text)


def test_numbers_that_are_tokens_are_read() -> None:
    assert len(read("1 -X- O O\n2 -X- O O\n3 -X- O O\n\n1 -X- O O\n").sentences) == 2


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "holds no sentence"),
        (b" \n\t\n", "holds no sentence"),
        ("Asha O\n".encode("utf-16"), "is written in UTF-16"),
        (b"Asha O\nOt\xe9 O\n", "byte 0xe9 is not UTF-8"),
        (b"Asha O\nx\0y O\n", "holds a NUL byte"),
    ],
)
def test_a_file_that_is_no_utf8_text_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        read(data)


def test_a_wrong_byte_is_reported_with_its_line() -> None:
    with pytest.raises(FormatError) as caught:
        read(b"Asha O\n\nOt\xe9 O\n")
    assert caught.value.line == 3


def test_a_status_comment_takes_the_sentence_out_of_the_gold_labels() -> None:
    reading = read(
        "# status = skipped\nAsha O\n\n# status = unlabelled\nJuma O\n\n# status = flagged\nNairobi B-LOC\n\nMto O\n"
    )
    assert [sentence.status for sentence in reading.sentences] == ["skipped", "unlabelled", "flagged", "labelled"]
    assert [sentence.gold for sentence in reading.sentences] == [None, None, None, ()]
    assert spans(reading) == [None, None, (Span(0, 1, "LOC"),), ()]


def test_a_sentence_of_2400_tokens_is_read() -> None:
    assert [len(sentence.tokens) for sentence in read("neno O\n" * 2400).sentences] == [2400]


def test_a_sentence_or_token_beyond_the_limit_is_reported_and_the_others_are_read() -> None:
    reading = read(f"{'neno O' + chr(10)}\n{'a' * 2**20} O\n\n{'neno O' + chr(10)}" + "\n" + "neno O\n" * 10_001)
    assert len(reading.sentences) == 2
    assert [(error.line, error.problem) for error in reading.errors] == [
        (3, "a token of 1,048,576 characters, the limit is 1,000"),
        (7, "a sentence of 10,001 tokens, the limit is 10,000"),
    ]
