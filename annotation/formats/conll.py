"""CoNLL-like files: one token a line, its tag in the last of 2 to 5 columns, a blank line after each sentence.

A file of one column holds tokens without tags. Columns are parted by a tab or by spaces and by nothing else, since
NBSP, U+3000 or zero-width characters belong to tokens. `-DOCSTART-` opens a document; `# key = value` before a
sentence is metadata, of which `# status = skipped` (flagged, unlabelled) says that its tags are no gold labels.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from annotation.formats.records import (
    LABELLED,
    STATUSES,
    UNLABELLED,
    Reading,
    ReadOptions,
    ReadSentence,
    Repair,
    WriteOptions,
)
from annotation.formats.schemes import Parsed, breaches, check_scheme, decode, detect_scheme, encode, parse_tag
from maner_core.errors import FormatError, InvalidInput
from maner_core.spans import Span

if TYPE_CHECKING:
    from storage import ExportRow, Gold, Project, Sentence

DOCUMENT_START = "-DOCSTART-"
BYTE_ORDER_MARK = "\ufeff"
MAX_COLUMNS = 5
_LAYOUT_SAMPLE = 20_000  # lines that decide on separator and number of columns

_COMMENT = re.compile(r"# ?([^=]*[^=\s]) =(?: (.*))?")
_SEPARATING = re.compile(r"[ \t\n\r]")
_HEADER_FIRST = {"token", "tokens", "word", "words", "form", "text"}
_HEADER_LAST = {"tag", "tags", "ner", "ner_tag", "ner_tags", "ner tag", "ne", "label", "labels", "entity", "iob", "bio"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the lines of one file are cut."""

    tabs: bool
    columns: int
    header: int  # number of the header line, 0 for none


@dataclass(slots=True)
class _Block:
    """One sentence as it stands in the file."""

    document: str | None
    line: int = 0  # of the first token
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)  # the last column
    meta: dict[str, str] = field(default_factory=dict)
    meta_line: int = 0
    error: FormatError | None = None  # the first thing that is wrong with it


# Reading.


def read(file: str, lines: Sequence[str], options: ReadOptions) -> Reading:
    """Read a CoNLL-like file; a sentence that cannot be taken goes to `errors`.

    Raises FormatError where the whole file is wrong, UnknownName for an unknown scheme.
    """
    check_scheme(options.scheme)
    reading = Reading(file, "conll")
    layout = _layout(file, lines)
    if layout.header:
        reading.notes.append(f"line {layout.header}: header row left out")
    good: list[tuple[_Block, Parsed]] = []
    for block in _blocks(file, lines, layout, reading.notes):
        tags = _parsed(file, block) if layout.columns > 1 and not block.error else []
        if block.error:
            reading.errors.append(block.error)
        else:
            good.append((block, tags))
    if layout.columns > 1:
        reading.scheme = _scheme(file, [tags for _, tags in good], options.scheme)
    for block, tags in good:
        reading.sentences.append(_sentence(block, decode(tags) if reading.scheme else None))
        if reading.scheme:
            for position, what in breaches(tags, reading.scheme):
                reading.repairs.append(Repair(block.line + position, f"{what}; read as conlleval reads it"))
    return reading


def _fields(line: str, tabs: bool) -> list[str]:
    """The columns of a line, the first one empty if the line starts with a tab: `"a\\t\\tO" -> ["a", "", "O"]`."""
    if tabs and "\t" in line:
        fields = line.split("\t")
        if " " in line:
            fields = [part.strip(" ") for part in fields]
        while len(fields) > 1 and not fields[-1]:
            fields.pop()
        return fields
    fields = (line.replace("\t", " ") if "\t" in line else line).split(" ")
    return [part for part in fields if part] if "" in fields else fields


def _is_blank(line: str) -> bool:
    return not line or not line.strip(" \t")


def _is_document_start(line: str) -> bool:
    return line.startswith(DOCUMENT_START) and line[len(DOCUMENT_START) :][:1] in ("", " ", "\t")


def _layout(file: str, lines: Sequence[str]) -> _Layout:
    """Separator and number of columns by majority of the token lines; the header row if line 1 is one."""
    token_lines = ((n, s) for n, s in enumerate(lines, 1) if not _is_blank(s) and not _is_document_start(s))
    sample = list(islice(token_lines, _LAYOUT_SAMPLE))
    if not sample:
        raise FormatError(file, None, "holds no sentence", "check that it is the right file")
    n_tabs = sum("\t" in line for _, line in sample)
    n_without = sum("\t" not in line and not line.startswith("#") for _, line in sample)
    tabs = n_tabs > 0 and n_tabs >= n_without
    rows = [(n, _fields(line, tabs)) for n, line in sample if "\t" in line or not _COMMENT.match(line)]
    columns = Counter(len(fields) for _, fields in rows).most_common(1)[0][0] if rows else 1
    if columns > MAX_COLUMNS:
        raise FormatError(
            file,
            sample[0][0],
            f"most lines have {columns} columns",
            f"keep at most {MAX_COLUMNS}, the token first and the tag last, or import it as plain text",
        )
    if columns > 2:
        _refuse_numbered_tokens(file, rows)
    return _Layout(tabs, columns, _header(rows))


def _header(rows: Sequence[tuple[int, list[str]]]) -> int:
    """Number of the header line, 0 if the first line is none."""
    number, fields = rows[0] if rows else (0, [""])
    if len(fields) == 1 or parse_tag(fields[-1]):
        return 0
    return number if fields[0].casefold() in _HEADER_FIRST or fields[-1].casefold() in _HEADER_LAST else 0


def _refuse_numbered_tokens(file: str, rows: Sequence[tuple[int, list[str]]]) -> None:
    """Raise FormatError if the first column counts 1, 2, 3 … in every sentence: the token is then in the second."""
    position = longest = n_sentences = 0
    line_before = -1
    for line, fields in rows:
        if line != line_before + 1:
            position = 0
            n_sentences += 1
        position += 1
        if fields[0] != str(position):
            return
        longest = max(longest, position)
        line_before = line
    if n_sentences > 1 and longest > 2 and len({fields[1] for _, fields in rows if len(fields) > 1}) > 1:
        raise FormatError(
            file, rows[0][0], "the first column counts the tokens", "delete that column, so that the token is first"
        )


def _comment(line: str, layout: _Layout) -> tuple[str, str] | None:
    """Key and value of a metadata line; None where the line may just as well be a token with its tag."""
    if not line.startswith("#") or (layout.tabs and "\t" in line):
        return None
    found = _COMMENT.fullmatch(line.rstrip(" \t"))
    fields = _fields(line, layout.tabs)
    if found and not (len(fields) == layout.columns and parse_tag(fields[-1])):
        return found[1].strip(" \t"), found[2] or ""
    if layout.tabs and layout.columns > 1 and line.startswith("# "):
        return "comment", line[2:].strip(" \t")
    return None


def _blocks(file: str, lines: Sequence[str], layout: _Layout, notes: list[str]) -> Iterator[_Block]:
    """The sentences of the file."""
    n_documents = 0
    block = _Block(None)
    for number, line in enumerate(lines, 1):
        starts_document = line[:1] == "-" and _is_document_start(line)
        if starts_document or _is_blank(line):
            if block.tokens:
                yield block
                block = _Block(block.document)
            if starts_document:
                n_documents += 1
                block.document = f"{file}#{n_documents}"
            continue
        if number == layout.header:
            continue
        if not block.tokens and line[0] == "#" and (comment := _comment(line, layout)):
            key, value = comment
            block.meta[key] = f"{block.meta[key]}\n{value}" if key in block.meta else value
            block.meta_line = block.meta_line or number
            continue
        if not block.tokens:
            block.line = number
        fields = _fields(line, layout.tabs)
        if len(fields) != layout.columns or not fields[0]:
            fields = _irregular(file, number, line, fields, layout, block)
        block.tokens.append(fields[0])
        block.tags.append(fields[-1])
    if block.tokens:
        yield block
    elif block.meta:
        notes.append(f"line {block.meta_line}: metadata with no sentence after it left out")


def _irregular(file: str, number: int, line: str, fields: list[str], layout: _Layout, block: _Block) -> list[str]:
    """The columns of a line that are not as many as elsewhere; notes the error unless repeated tabs explain it."""
    filled = [part for part in fields if part]
    if fields[0] and len(filled) == layout.columns:
        return filled
    columns = f"{len(fields)} column{'s' * (len(fields) > 1)}"
    if not fields[0] or (line[0] in " \t" and len(fields) < layout.columns):
        problem, remedy = "the tag has no token before it", "give the token or delete the line"
    else:
        cut = "tabs" if layout.tabs else "spaces"
        problem = f"{columns} where the file has {layout.columns}"
        remedy = f"part the columns by {cut}, one token a line, the tag last"
    block.error = block.error or FormatError(file, number, problem, remedy)
    return fields


def _parsed(file: str, block: _Block) -> Parsed:
    """Prefix and label of each token; notes the error for the first column that is no tag."""
    tags: list[tuple[str, str]] = []
    for offset, text in enumerate(block.tags):
        tag = parse_tag(text)
        if tag is None:
            block.error = FormatError(
                file,
                block.line + offset,
                f"{_short(text)} is no tag",
                "write O, or a prefix and a label such as B-LOC",
            )
            return []
        tags.append(tag)
    return tags


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _scheme(file: str, tags: list[Parsed], wanted: str) -> str:
    """The scheme to read by; raises FormatError when none can be told."""
    if wanted != "auto":
        return wanted
    try:
        return detect_scheme(tags)
    except InvalidInput as error:
        raise FormatError(file, None, str(error), "name the tag scheme: ioe1 or ioe2") from None


def _sentence(block: _Block, spans: tuple[Span, ...] | None) -> ReadSentence:
    """The sentence with what its metadata say of its status; `spans` is None in a file without tags."""
    meta = block.meta
    status = UNLABELLED if spans is None else LABELLED
    if meta.get("status") in STATUSES:
        status = meta.pop("status")
    return ReadSentence(
        line=block.line,
        tokens=tuple(block.tokens),
        spans=None if status in (UNLABELLED, "skipped") else spans,
        status=status,
        document=block.document,
        meta=meta,
    )


# Writing.


def write_two_columns(rows: Iterable["ExportRow"], project: "Project", options: WriteOptions) -> Iterator[str]:
    """`token TAG` lines, one chunk a sentence. Raises InvalidInput on a token or label that cannot be written."""
    return _write(rows, project, options, middle=())


def write_four_columns(rows: Iterable["ExportRow"], project: "Project", options: WriteOptions) -> Iterator[str]:
    """`token -X- O TAG` lines, the columns of CoNLL-2003. Raises InvalidInput like write_two_columns."""
    return _write(rows, project, options, middle=("-X-", "O"))


def _write(
    rows: Iterable["ExportRow"], project: "Project", options: WriteOptions, middle: Sequence[str]
) -> Iterator[str]:
    """One space between columns, LF, a blank line after every sentence, -DOCSTART- where the document changes.

    Columns are parted by tabs if a label of the project holds a space. Sentences without gold labels carry a
    `# status = ...` line, so that they never pass for labelled ones.
    """
    separator = "\t" if any(" " in label.name for label in project.settings.labels) else " "
    between = separator.join(["", *middle, ""])
    start_of_document = separator.join([DOCUMENT_START, *(("-X-", "O") if middle else ()), "O"]) + "\n\n"
    document: str | None = None
    first = True
    for row in rows:
        sentence, gold = row.sentence, row.gold
        check_writable(sentence, gold)
        status = UNLABELLED if gold is None else str(gold.status)
        spans = gold.spans if gold is not None and status != "skipped" else ()
        tags = encode(spans, len(sentence.tokens), options.scheme)
        lines = [f"{token}{between}{tag}\n" for token, tag in zip(sentence.tokens, tags, strict=True)]
        head = "" if status == LABELLED else f"# status = {status}\n"
        if sentence.document != document:
            document = sentence.document
            head = start_of_document + head
        if first and not head and sentence.tokens[0].startswith(BYTE_ORDER_MARK):
            head = BYTE_ORDER_MARK  # readers take one away; the token keeps its own
        first = False
        yield "".join([head, *lines, "\n"])


def check_writable(sentence: "Sentence", gold: "Gold | None") -> None:
    """Raise InvalidInput, naming the sentence, if CoNLL cannot carry a token or a label of it."""
    for token in sentence.tokens:
        if not token or _SEPARATING.search(token) or token == DOCUMENT_START:
            raise InvalidInput(
                f"sentence {sentence.id} holds the token {_short(token)}, which CoNLL cannot carry; "
                "export it as jsonl, or leave this sentence out"
            )
    for span in gold.spans if gold else ():
        label = span.label
        if _SEPARATING.search(label.replace(" ", "")) or label != label.strip(" "):
            raise InvalidInput(
                f"sentence {sentence.id} holds the label {_short(label)}, which CoNLL cannot carry; export it as jsonl"
            )
