"""A project's sentences out of the store as a file, piece by piece."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from annotation.formats import EXPORT_FORMATS, WriteOptions, conll
from annotation.formats.records import LABELLED, STATUSES, UNLABELLED
from annotation.formats.schemes import SCHEMES
from annotation.snapshots import as_it_was, parse_time
from maner_core.errors import InvalidInput, UnknownName
from storage import ExportRow, Moment, Progress, Project, Split, Status, Store

SPLITS: Final[Mapping[str, Split | None]] = {"all": None, "train": Split.POOL, "reserve": Split.RESERVE}

MIXED_SPLITS: Final = (
    "sentences to learn from and evaluation sentences are in one file, and CoNLL does not say which are which"
)
REFUSED_EXPORT = "refused"  # in the address of the Data page: the words of an export that could not be made
_BLOCK_CHARACTERS = 64_000


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Which sentences leave, and in which form. Raises UnknownName for a word that is none of the choices."""

    format: str = "conll"
    # a name of EXPORT_FORMATS
    include: frozenset[str] = frozenset({LABELLED})
    # sentences with these statuses, of labelled, skipped, flagged, unlabelled
    split: str = "all"
    # a name of SPLITS
    scheme: str = "iob2"
    # tag scheme of the CoNLL formats
    snapshot: str = ""
    # name of the state to export; empty: that of now
    as_of: str = ""
    # a time whose state to export, in ISO 8601 with its zone

    def __post_init__(self) -> None:
        _check("export format", self.format, EXPORT_FORMATS)
        for status in self.include:
            _check("status", status, STATUSES)
        _check("split", self.split, SPLITS)
        _check("tag scheme", self.scheme, SCHEMES)
        if self.snapshot and self.as_of:
            raise InvalidInput("an export shows one state; give a snapshot or a time, not both")

    @classmethod
    def parse(cls, words: Mapping[str, str]) -> "ExportOptions":
        """Options out of words, as a web address or command line has them: `{"include": "labelled,skipped"}`."""
        for name in words:
            _check("export option", name, ("format", "include", "split", "scheme", "snapshot", "as_of"))
        include = frozenset(word.strip() for word in words.get("include", LABELLED).split(",") if word.strip())
        given = {name: word for name, word in words.items() if name != "include"}
        return cls(include=include, **given)

    @property
    def suffix(self) -> str:
        """The ending of the file's name: `"conll4" -> "conll"`."""
        return "jsonl" if self.format == "jsonl" else "conll"

    def filename(self, project: str) -> str:
        """What the file is called: `"Habari.conll"`, `"Habari, before the workshop.conll"`."""
        state = self.snapshot or self.as_of
        return f"{project}, {state}.{self.suffix}" if state else f"{project}.{self.suffix}"


def _check(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UnknownName(f"there is no {kind} {name!r}; choose one of {', '.join(known)}")


def export(
    store: Store, project_id: int, format: str, include: Iterable[str] = (LABELLED,), split: str = "all"
) -> Iterator[str]:
    """The file in pieces; see export_stream. Raises UnknownName and InvalidInput before the first piece."""
    return export_stream(store, store.project(project_id), ExportOptions(format, frozenset(include), split))


def export_stream(store: Store, project: Project, options: ExportOptions) -> Iterator[str]:
    """The file in pieces of some 64,000 characters, in import order.

    A token or label that CoNLL cannot carry raises InvalidInput here, before a download has begun.
    """
    project, moment = _state(store, project, options)
    if options.format.startswith("conll"):
        for row in _rows(store, project, options, moment):
            conll.check_writable(row.sentence, row.gold)
    pieces = EXPORT_FORMATS[options.format](
        _rows(store, project, options, moment), project, WriteOptions(options.scheme)
    )
    return _blocks(pieces)


def mixes_splits(progress: Progress, options: ExportOptions) -> bool:
    """Whether evaluation sentences of a project leave among the others, in a format that does not tell them apart."""
    leaving = progress.reserve if UNLABELLED in options.include else progress.evaluation_labelled
    return options.format != "jsonl" and options.split == "all" and leaving > 0


def record_export(store: Store, project: Project, options: ExportOptions, by: int | None) -> None:
    """Keep in the audit trail that sentences left, and who took them; None: somebody at the terminal."""
    details = {"format": options.format, "include": sorted(options.include), "split": options.split}
    state = options.snapshot or options.as_of
    store.record(project.id, by, "exported", **details, **({"state": state} if state else {}))


def _state(store: Store, project: Project, options: ExportOptions) -> tuple[Project, Moment | None]:
    """The state to export, and the project with the settings it had then, as far as they are known."""
    if options.snapshot:
        snapshot = store.snapshot(project.id, options.snapshot)
        return as_it_was(project, snapshot), snapshot.moment
    return project, store.moment_at(project.id, parse_time(options.as_of)) if options.as_of else None


def _rows(store: Store, project: Project, options: ExportOptions, moment: Moment | None) -> Iterator[ExportRow]:
    statuses = {Status(status) for status in options.include if status != UNLABELLED}
    return store.export_rows(project.id, SPLITS[options.split], statuses, UNLABELLED in options.include, moment)


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in fewer pieces."""
    block: list[str] = []
    n_characters = 0
    for piece in pieces:
        block.append(piece)
        n_characters += len(piece)
        if n_characters >= _BLOCK_CHARACTERS:
            yield "".join(block)
            block, n_characters = [], 0
    if block:
        yield "".join(block)
