"""A file's bytes as lines of text, or a clear refusal."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from maner_core.errors import FormatError

MAX_FILE_BYTES = 200 * 2**20
LINES_BETWEEN_CALLS = 20_000

OnLine = Callable[[int, int], None]  # lines read, lines of the file
_SAVE_AS_UTF8 = "save it as UTF-8 and import it again"
_ARCHIVES = {
    b"PK\x03\x04": (
        "is a spreadsheet, document or archive",
        "save a table as CSV, a document as plain text, or unpack it",
    ),
    b"\x1f\x8b\x08": ("is compressed", "unpack it and import what is inside"),
}
"""First bytes -> what begins so, and the remedy."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A named file in memory, such as an upload."""

    name: str
    data: bytes


class WatchedLines(Sequence[str]):
    """Lines of a file, and somebody who hears how far the reading of all of them is."""

    def __init__(self, lines: Sequence[str], on_line: OnLine) -> None:
        self._lines, self._on_line = lines, on_line

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._lines[index]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._lines), LINES_BETWEEN_CALLS):
            yield from self._lines[start : start + LINES_BETWEEN_CALLS]
            self._on_line(min(start + LINES_BETWEEN_CALLS, len(self._lines)), len(self._lines))


def load(file: Path | SourceFile) -> SourceFile:
    """The file in memory; raises FormatError if it cannot be read or is larger than MAX_FILE_BYTES."""
    if isinstance(file, SourceFile):
        size = len(file.data)
        source = file
    else:
        try:
            size = file.stat().st_size
            source = SourceFile(file.name, file.read_bytes() if size <= MAX_FILE_BYTES else b"")
        except OSError as error:
            raise FormatError(
                str(file), None, f"cannot be read ({error.strerror})", "check the path and its permissions"
            ) from None
    if size > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES // 2**20} MB"
        raise FormatError(source.name, None, f"is larger than {limit}", "split it into smaller files")
    return source


def read_lines(source: SourceFile) -> list[str]:
    """The lines without their ends (LF, CRLF, or CR alone) and without a byte order mark; nothing else is changed.

    Only these three end a line: U+2028, U+0085 and their like may stand inside a token. Raises FormatError.
    """
    data = source.data
    for first, (problem, remedy) in _ARCHIVES.items():
        if data.startswith(first):
            raise FormatError(source.name, None, problem, remedy)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FormatError(source.name, None, "is written in UTF-16", _SAVE_AS_UTF8)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise FormatError(source.name, line, "holds a NUL byte, so it is no text file", _SAVE_AS_UTF8)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = data[error.start]
        raise FormatError(source.name, line, f"byte 0x{wrong:02x} is not UTF-8", _SAVE_AS_UTF8) from None
    if "\r" in text:
        text = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
