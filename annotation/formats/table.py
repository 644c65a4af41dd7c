"""A table with a header, as spreadsheets save it (CSV): one sentence a row, cells parted by commas, semicolons or tabs.

The sentence stands in the column `text` or `sentence` and is cut into tokens as plain text is. `doc_id` or `document` says
where it comes from; what else a row holds is kept with the sentence, under the name of its column.
"""

import csv
from collections.abc import Iterator, Sequence

from annotation.formats.records import Reading, ReadOptions, ReadSentence
from annotation.formats.text import cut, note_scripts_without_spaces
from maner_core.errors import FormatError, InvalidInput

TEXT = ("text", "sentence")
DOCUMENT = ("doc_id", "document")
DELIMITERS = ",;\t"
MOST_SHOWN = 200  # characters of a header, in a refusal

Row = tuple[int, list[str]]  # the line on which it begins, and its cells


def read(file: str, lines: Sequence[str], options: ReadOptions) -> Reading:
    """Read one sentence from each row; a row that cannot be taken goes to `errors`.

    Raises FormatError on quotation marks that do not fit, a header without a column of sentences, and a table without rows.
    """
    reading = Reading(file, "csv")
    header, rows = _table(file, lines)
    text = next(i for i, name in enumerate(header) if name.casefold() in TEXT)
    for line, cells in rows:
        if not any(cells):
            continue
        try:
            reading.sentences.append(_sentence(line, header, text, cells, options))
        except InvalidInput as error:
            reading.set_aside(line, error)
    if not reading.sentences and not reading.errors:
        raise FormatError(file, None, "holds no sentence", "write one row for each below the header")
    if not options.pretokenized:
        note_scripts_without_spaces(reading)
    return reading


def _table(file: str, lines: Sequence[str]) -> tuple[list[str], Iterator[Row]]:
    """The names of the columns and the rows below, parted by what makes a column of sentences. Raises FormatError."""
    names: list[str] = []
    for delimiter in DELIMITERS:
        rows = _rows(file, lines, delimiter)
        try:
            _, cells = next(rows, (1, []))
        except FormatError:  # as of "text";"id" parted by commas
            continue
        header = [name.strip() for name in cells]
        if any(name.casefold() in TEXT for name in header):
            named = [name for name in header if name]
            if len(set(named)) < len(named):
                raise FormatError(file, 1, "names two columns alike", "give each column a name of its own")
            return header, rows
        names = max(names, header, key=len)
    raise FormatError(
        file,
        1,
        f"has no column of sentences, only {', '.join(names)[:MOST_SHOWN] or 'what cannot be parted'}",
        "write the names of the columns into the first line, and text over the sentences",
    )


def _rows(file: str, lines: Sequence[str], delimiter: str) -> Iterator[Row]:
    """The rows that are no blank lines. Raises FormatError where quotation marks do not fit."""
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FormatError(
                file, begins, f"cannot be parted into cells ({error})", "double the quotation marks inside a cell"
            ) from None
        if cells is None:
            return
        if cells:
            yield begins, cells


def _sentence(line: int, header: Sequence[str], text: int, cells: Sequence[str], options: ReadOptions) -> ReadSentence:
    if len(cells) != len(header):
        raise InvalidInput(
            f"has {len(cells)} cells, the header {len(header)}; put a cell that holds a comma, semicolon or tab in "
            "quotation marks"
        )
    tokens, spaces = cut(cells[text], options)
    if not tokens:
        raise InvalidInput(f"has no word under {header[text]}; write the sentence there, or delete the row")
    others = {name or f"column {i + 1}": cells[i] for i, name in enumerate(header) if i != text and cells[i]}
    document = next((others.pop(name) for name in list(others) if name.casefold() in DOCUMENT), None)
    return ReadSentence(line, tuple(tokens), text=cells[text], spaces=tuple(spaces), document=document, meta=others)
