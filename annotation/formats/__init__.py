"""Import and export formats. A new one is a module with a reader or a writer and one line in a dict below.

A reader takes the file's name, its lines and ReadOptions and gives a Reading; a writer takes the rows of the store,
the project and WriteOptions and gives the file piece by piece.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from annotation.formats import conll, jsonl, table, text
from annotation.formats.records import Reading, ReadOptions, ReadSentence, Repair, WriteOptions
from annotation.formats.schemes import parse_tag
from annotation.formats.source import OnLine, SourceFile, WatchedLines, load, read_lines
from maner_core.errors import FormatError, UnknownName

if TYPE_CHECKING:
    from storage import ExportRow, Project

__all__ = [
    "EXPORT_FORMATS",
    "IMPORT_FORMATS",
    "MAX_TOKENS",
    "MAX_TOKEN_LENGTH",
    "ReadOptions",
    "ReadSentence",
    "Reading",
    "Repair",
    "SourceFile",
    "WriteOptions",
    "detect",
    "read_file",
]

Reader = Callable[[str, Sequence[str], ReadOptions], Reading]
Writer = Callable[["Iterable[ExportRow]", "Project", WriteOptions], Iterator[str]]

IMPORT_FORMATS: dict[str, Reader] = {
    "conll": conll.read,
    "text": text.read,
    "csv": table.read,
    "jsonl": jsonl.read,
}

EXPORT_FORMATS: dict[str, Writer] = {
    "conll": conll.write_two_columns,
    "conll4": conll.write_four_columns,
    "jsonl": jsonl.write,
}

MAX_TOKENS = 10_000  # in one sentence; public files hold some of 2,400
MAX_TOKEN_LENGTH = 1_000  # code points; long web addresses fit

_DETECTION_SAMPLE = 500  # lines that are not blank
_CONLL_SUFFIXES = {".conll", ".conll2003", ".bio", ".iob", ".iob2", ".bioes", ".ner"}
_TABLE_SUFFIXES = {".csv", ".tsv"}
_NO_TEXT_SUFFIXES = {".xml", ".html", ".htm", ".json"}


def read_file(
    file: Path | SourceFile,
    format: str = "auto",
    options: ReadOptions | None = None,
    on_line: OnLine = lambda done, total: None,
) -> Reading:
    """Read one file; sentences that cannot be taken, also for their length, are in `errors` of the result.

    `format` is a name of IMPORT_FORMATS or "auto"; `on_line` hears now and then how many of the file's lines are read.
    Raises FormatError where the whole file is wrong, UnknownName.
    """
    if format != "auto" and format not in IMPORT_FORMATS:
        raise UnknownName(f"there is no import format {format!r}; choose one of auto, {', '.join(IMPORT_FORMATS)}")
    source = load(file)
    lines = read_lines(source)
    name = detect(source.name, lines) if format == "auto" else format
    reading = IMPORT_FORMATS[name](source.name, WatchedLines(lines, on_line), options or ReadOptions())
    _set_aside_too_long(reading)
    return reading


def detect(file: str, lines: Sequence[str]) -> str:
    """The format of a file by its content, and by its name where that leaves a choice.

    JSON objects -> jsonl; most lines are 2 to 5 columns that end in a tag, or short lines without spaces in groups
    parted by blank lines -> conll; named as a table -> csv; else text. Raises FormatError for JSON or markup, which are not
    read.
    """
    sample = list(islice((line for line in lines if line.strip(" \t")), _DETECTION_SAMPLE))
    suffix = PurePath(file).suffix.casefold()
    if not sample:
        raise FormatError(file, None, "holds no sentence", "check that it is the right file")
    if suffix in (".jsonl", ".ndjson") or _is_json_object(sample[0]):
        return "jsonl"
    if any(line.startswith(conll.DOCUMENT_START) for line in sample) or _share_tagged(sample) >= 0.6:
        return "conll"
    if suffix in _CONLL_SUFFIXES or _looks_like_one_token_a_line(lines):
        return "conll"
    if suffix in _TABLE_SUFFIXES:
        return "csv"
    if suffix in _NO_TEXT_SUFFIXES:
        raise FormatError(
            file,
            None,
            f"{suffix} files are not read",
            "convert it to CoNLL, JSON lines, CSV or plain text, or name its format",
        )
    return "text"


def _is_json_object(line: str) -> bool:
    if not line.lstrip(" \t").startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _share_tagged(sample: Sequence[str]) -> float:
    """Share of the lines that look like a token with its tag, metadata lines left aside."""
    n_tagged = n_others = 0
    for line in sample:
        fields = re.split(r"\t" if "\t" in line else " +", line.strip(" \t"))
        if 2 <= len(fields) <= conll.MAX_COLUMNS and parse_tag(fields[-1]):
            n_tagged += 1
        elif not line.startswith("# "):
            n_others += 1
    return n_tagged / max(n_tagged + n_others, 1)


def _looks_like_one_token_a_line(lines: Sequence[str]) -> bool:
    """Whether these are tokens without tags: short lines without spaces, three or more between blank lines."""
    head = [line.strip(" \t") for line in lines[: 2 * _DETECTION_SAMPLE]]
    filled = [line for line in head if line]
    n_blank = len(head) - len(filled)
    if not n_blank or len(filled) < 3 * n_blank:
        return False
    n_spaced = sum(" " in line or "\t" in line for line in filled)
    return n_spaced <= 0.05 * len(filled) and sum(map(len, filled)) <= 15 * len(filled)


def _set_aside_too_long(reading: Reading) -> None:
    """Move sentences beyond the limits from `sentences` to `errors`."""
    kept: list[ReadSentence] = []
    for sentence in reading.sentences:
        longest = max(map(len, sentence.tokens))
        if longest > MAX_TOKEN_LENGTH:
            problem = f"a token of {longest:,} characters, the limit is {MAX_TOKEN_LENGTH:,}"
        elif len(sentence.tokens) > MAX_TOKENS:
            problem = f"a sentence of {len(sentence.tokens):,} tokens, the limit is {MAX_TOKENS:,}"
        else:
            kept.append(sentence)
            continue
        reading.errors.append(
            FormatError(reading.file, sentence.line, problem, "cut it up, or check that the format is the right one")
        )
    reading.sentences = kept
    reading.errors.sort(key=lambda error: error.line or 0)
