"""Plain two-column CoNLL for the commands: a token and its IOB2 tag on a line, a blank line after each sentence.

A strict reader of one format, not an importer: other column counts and tag schemes are refused with file and line.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maner_core.errors import FormatError, InvalidInput
from maner_core.spans import Span, repair_tags, tags_to_spans

DOCUMENT_START = "-DOCSTART-"

_TAG = re.compile(r"O|[BI]-.+")


@dataclass(frozen=True, slots=True)
class Corpus:
    """The sentences of a file (their words), the gold spans of each, and how many tags had to be repaired."""

    sentences: list[list[str]]
    spans: list[list[Span]]
    n_repaired: int

    @property
    def labels(self) -> list[str]:
        """The labels that occur, in alphabetical order."""
        return sorted({span.label for its_spans in self.spans for span in its_spans})


def read(path: Path) -> Corpus:
    """Sentences and gold spans of a file; an I-X that continues nothing opens a span, as conlleval reads it.

    Raises FormatError naming file, line and remedy.
    """
    sentences, spans, n_repaired = [], [], 0
    for rows in _sentences(path):
        for number, fields in rows:
            if len(fields) != 2:
                raise FormatError(str(path), number, _columns(fields), "write the token and its tag on each line")
            if not _TAG.fullmatch(fields[1]):
                raise FormatError(
                    str(path),
                    number,
                    f"{fields[1][:40]!r} is no IOB2 tag",
                    "write O, or B- or I- and a label such as B-LOC",
                )
        tags = [fields[1] for _, fields in rows]
        legal = repair_tags(tags)
        n_repaired += sum(tag != repaired for tag, repaired in zip(tags, legal, strict=True))
        sentences.append([fields[0] for _, fields in rows])
        spans.append(tags_to_spans(legal))
    return Corpus(sentences, spans, n_repaired)


def words(path: Path) -> Iterator[list[str]]:
    """The words of each sentence of a file of one column, or of two, whose tags are not looked at; read as asked for.

    Raises FormatError.
    """
    expected = 0
    for rows in _sentences(path):
        for number, fields in rows:
            expected = expected or len(fields)
            if len(fields) != expected or expected > 2:
                raise FormatError(
                    str(path), number, _columns(fields), "write on every line a token, or on every line a token and tag"
                )
        yield [fields[0] for _, fields in rows]


def write(path: Path, sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]], separator: str = " ") -> None:
    """Write a file of two columns, whole or not at all, one sentence after the other as they come.

    A `separator` of a space goes only where no word or tag holds one. Raises InvalidInput when the file cannot be written.
    """
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8", newline="\n") as file:
                for sentence, its_tags in zip(sentences, tags, strict=True):
                    rows = zip(sentence, its_tags, strict=True)
                    file.write("".join(f"{word}{separator}{tag}\n" for word, tag in rows) + "\n")
            os.chmod(draft, 0o644)
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}); choose another place") from None


Row = tuple[int, list[str]]
"""The number of a line and its columns."""


def _sentences(path: Path) -> Iterator[list[Row]]:
    """The token lines of each sentence; at least one sentence."""
    sentence: list[Row] = []
    empty = True
    for number, line in enumerate(_lines(path), 1):
        if not line.strip(" \t") or line.split("\t")[0].split(" ")[0] == DOCUMENT_START:
            if sentence:
                yield sentence
            sentence = []
            continue
        empty = False
        sentence.append((number, _fields(path, number, line)))
    if sentence:
        yield sentence
    if empty:
        raise FormatError(str(path), None, "holds no sentence", "check that it is the right file")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file; only LF and CR LF end one, since U+2028 and its like belong to tokens."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _text(path, number, line).removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise FormatError(str(path), None, f"cannot be read ({error.strerror})", "give a file that can") from None


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise FormatError(str(path), number, "is not UTF-8", "save the file as UTF-8") from None


def _fields(path: Path, number: int, line: str) -> list[str]:
    """The columns of a line, parted by tabs if it has one, else by spaces."""
    parts = [part.strip(" ") for part in line.split("\t")] if "\t" in line else line.split(" ")
    if line[0] in " \t":
        raise FormatError(str(path), number, "the tag has no token before it", "give the token or delete the line")
    return [part for part in parts if part]


def _columns(fields: Sequence[str]) -> str:
    return f"{len(fields)} column{'s' * (len(fields) != 1)}"
