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

if TYPE_CHECKING:
    from storage import Annotation, ExportRow, Project, Sentence

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
    """The lines of one sentence."""

    document: str | None
    line: int = 0  # of the first token
    rows: list[list[str]] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    meta_line: int = 0


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
        error = _problem(file, block, layout)
        if error:
            reading.errors.append(error)
        else:
            good.append((block, _parsed(block, layout)))
    if layout.columns > 1:
        reading.scheme = _scheme(file, [tags for _, tags in good], options.scheme)
    for block, tags in good:
        reading.sentences.append(_sentence(block, tags, layout))
        if reading.scheme and any(label for _, label in tags):
            for position, what in breaches(tags, reading.scheme):
                reading.repairs.append(Repair(block.line + position, f"{what}; read as conlleval reads it"))
    if layout.columns > 2:
        _refuse_numbered_tokens(file, good)
    return reading


def _fields(line: str, tabs: bool) -> list[str]:
    """The columns of a line, the first one empty if the line starts with a tab: `"a\\t\\tO" -> ["a", "", "O"]`."""
    if tabs and "\t" in line:
        fields = [part.strip(" ") for part in line.split("\t")]
        while len(fields) > 1 and not fields[-1]:
            fields.pop()
        return fields
    return [part for part in line.replace("\t", " ").split(" ") if part]


def _is_blank(line: str) -> bool:
    return not line or not line.strip(" \t")


def _is_document_start(line: str) -> bool:
    return line.startswith(DOCUMENT_START) and (len(line) == len(DOCUMENT_START) or line[len(DOCUMENT_START)] in " \t")


def _layout(file: str, lines: Sequence[str]) -> _Layout:
    """Separator and number of columns by majority of the token lines; the header row if line 1 is one."""
    token_lines = ((n, s) for n, s in enumerate(lines, 1) if not _is_blank(s) and not _is_document_start(s))
    numbered = list(islice(token_lines, _LAYOUT_SAMPLE))
    if not numbered:
        raise FormatError(file, None, "holds no sentence", "check that it is the right file")
    n_tabs = sum("\t" in line for _, line in numbered)
    n_without = sum("\t" not in line and not line.startswith("#") for _, line in numbered)
    tabs = n_tabs > 0 and n_tabs >= n_without
    counts = Counter(len(_fields(line, tabs)) for _, line in numbered if "\t" in line or not _COMMENT.match(line))
    columns = counts.most_common(1)[0][0] if counts else 1
    if columns > MAX_COLUMNS:
        raise FormatError(
            file,
            numbered[0][0],
            f"most lines have {columns} columns",
            f"keep at most {MAX_COLUMNS}, the token first and the tag last, or import it as plain text",
        )
    number, first = next(((n, s) for n, s in numbered if not s.startswith("#")), numbered[0])
    fields = _fields(first, tabs)
    is_header = (
        len(fields) > 1
        and parse_tag(fields[-1]) is None
        and (fields[0].casefold() in _HEADER_FIRST or fields[-1].casefold() in _HEADER_LAST)
    )
    return _Layout(tabs, columns, number if is_header else 0)


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
    """The sentences of the file as lines cut into columns."""
    n_documents = 0
    block = _Block(None)
    for number, line in enumerate(lines, 1):
        starts_document = _is_document_start(line)
        if starts_document or _is_blank(line):
            if block.rows:
                yield block
                block = _Block(block.document)
            if starts_document:
                n_documents += 1
                block.document = f"{file}#{n_documents}"
            continue
        if number == layout.header:
            continue
        if not block.rows and line[0] == "#" and (comment := _comment(line, layout)):
            key, value = comment
            block.meta[key] = f"{block.meta[key]}\n{value}" if key in block.meta else value
            block.meta_line = block.meta_line or number
            continue
        if not block.rows:
            block.line = number
        fields = _fields(line, layout.tabs)
        if line[0] in " \t" and not layout.tabs and len(fields) < layout.columns:
            fields.insert(0, "")
        block.rows.append(fields)
    if block.rows:
        yield block
    elif block.meta:
        notes.append(f"line {block.meta_line}: metadata with no sentence after it left out")


def _problem(file: str, block: _Block, layout: _Layout) -> FormatError | None:
    """The first thing wrong with a sentence, if anything is."""
    columns = layout.columns
    for offset, fields in enumerate(block.rows):
        line = block.line + offset
        if not fields[0]:
            return FormatError(file, line, "the tag has no token before it", "give the token or delete the line")
        if len(fields) != columns:
            filled = [part for part in fields if part]
            if len(filled) != columns:
                cut = "tabs" if layout.tabs else "spaces"
                return FormatError(
                    file,
                    line,
                    f"{len(fields)} column{'s' * (len(fields) > 1)} where the file has {columns}",
                    f"part the columns by {cut}, one token a line, the tag last",
                )
            block.rows[offset] = filled
            fields = filled
        if columns > 1 and parse_tag(fields[-1]) is None:
            return FormatError(
                file, line, f"{_short(fields[-1])} is no tag", "write O, or a prefix and a label such as B-LOC"
            )
    return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _parsed(block: _Block, layout: _Layout) -> Parsed:
    """Prefix and label of each token; empty for a file without tags."""
    if layout.columns == 1:
        return []
    return [parse_tag(fields[-1]) or ("O", "") for fields in block.rows]


def _scheme(file: str, tags: list[Parsed], wanted: str) -> str:
    """The scheme to read by; raises FormatError when none can be told."""
    if wanted != "auto":
        return wanted
    try:
        return detect_scheme(tags)
    except InvalidInput as error:
        raise FormatError(file, None, str(error), "name the tag scheme: ioe1 or ioe2") from None


def _sentence(block: _Block, tags: Parsed, layout: _Layout) -> ReadSentence:
    meta = block.meta
    spans = decode(tags) if layout.columns > 1 else None
    status = LABELLED if spans is not None else UNLABELLED
    if meta.get("status") in STATUSES:
        meta = dict(meta)
        status = meta.pop("status")
    return ReadSentence(
        line=block.line,
        tokens=tuple([fields[0] for fields in block.rows]),
        spans=None if status in (UNLABELLED, "skipped") else spans,
        status=status,
        document=block.document,
        meta=meta,
    )


def _refuse_numbered_tokens(file: str, good: list[tuple[_Block, Parsed]]) -> None:
    """Raise FormatError if the first column counts 1, 2, 3 … in every sentence: the token is then in the second."""
    if len(good) < 2 or all(len(block.rows) < 3 for block, _ in good):
        return
    numbered = all(
        fields[0] == str(position) for block, _ in good for position, fields in enumerate(block.rows, start=1)
    )
    if numbered and len({fields[1] for block, _ in good for fields in block.rows}) > 1:
        raise FormatError(
            file,
            good[0][0].line,
            "the first column counts the tokens",
            "delete that column, so that the token is first",
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
        sentence, annotation = row.sentence, row.annotation
        check_writable(sentence, annotation)
        status = UNLABELLED if annotation is None else str(annotation.status)
        spans = annotation.spans if annotation is not None and status != "skipped" else ()
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


def check_writable(sentence: "Sentence", annotation: "Annotation | None") -> None:
    """Raise InvalidInput, naming the sentence, if CoNLL cannot carry a token or a label of it."""
    for token in sentence.tokens:
        if not token or _SEPARATING.search(token) or token == DOCUMENT_START:
            raise InvalidInput(
                f"sentence {sentence.id} holds the token {_short(token)}, which CoNLL cannot carry; "
                "export it as jsonl, or leave this sentence out"
            )
    for span in annotation.spans if annotation else ():
        label = span.label
        if _SEPARATING.search(label.replace(" ", "")) or label != label.strip(" "):
            raise InvalidInput(
                f"sentence {sentence.id} holds the label {_short(label)}, which CoNLL cannot carry; export it as jsonl"
            )
