"""Files into the store: read, check, find duplicates, set evaluation sentences aside, add all in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from annotation import near_duplicates
from annotation.formats import Reading, ReadOptions, ReadSentence, SourceFile, read_file
from annotation.formats.records import LABELLED, UNLABELLED
from annotation.labels import make_labels
from annotation.near_duplicates import Known
from maner_core.errors import FormatError, InvalidConfig, InvalidInput, UnknownName
from storage import ImportCounts, NewProject, NewSentence, ProjectSettings, Split, Store

UseAs = Literal["pool", "gold", "evaluation"]
USES: tuple[UseAs, ...] = ("pool", "gold", "evaluation")
# pool: tags in the file are dropped; gold: they become annotations; evaluation: so, and all go to the reserve

IMPORTER = "import"  # annotator of imported tags where nobody is named
N_EXAMPLES = 5
FEWEST_DOCUMENTS = 30
"""With so many documents a tenth of them is no document at all once in 24 imports; with 10 it would be once in three."""
NO_RESERVE = (
    "By chance none of these sentences was kept for evaluation, though a share of {share:.0%} was asked for, so F1 cannot "
    "be measured; import a file of other sentences as an evaluation set, or more sentences with a larger share."
)

OnProgress = Callable[[str, int, int], None]  # phase; lines read, or sentences compared or saved; of how many


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was read from one file."""

    name: str
    format: str
    scheme: str | None
    sentences: int
    bad: tuple[str, ...]  # sentences left out: "file:line: why; what to do"
    repairs: tuple[str, ...]  # broken tags and how they were read, "file:line: ..."
    notes: tuple[str, ...]
    without_tags: int  # sentences without gold labels: untagged, skipped or flagged in the file


@dataclass(frozen=True, slots=True)
class DuplicateExample:
    """A sentence and the earlier one that it repeats."""

    kind: str  # exact or near
    where: str  # "file:line"
    twin: str  # "file:line" or "sentence 17"
    text: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; exact and near duplicates are among the added."""

    project_id: int
    added: int
    gold: int
    evaluation: int
    reserved: int  # sentences of this import in the reserve
    exact_duplicates: int
    near_duplicates: int
    examples: tuple[DuplicateExample, ...]
    refused: tuple[str, ...]  # evaluation sentences that would repeat annotated ones of the pool
    labels_added: tuple[str, ...]
    files: tuple[FileReport, ...] = field(default=())
    no_reserve: str | None = None  # a share was asked for, yet the project has no reserve: that, and what to do

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, strings and numbers, as JSON takes them."""
        return asdict(self)


def import_files(
    store: Store,
    project: int | ProjectSettings,
    files: Sequence[Path | SourceFile],
    *,
    format: str = "auto",
    use_as: UseAs = "pool",
    scheme: str = "auto",
    reserve: float | None = None,
    annotator_id: int | None = None,
    by: int | None = None,
    skip_bad: bool = False,
    add_labels: bool = False,
    pretokenized: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import files into a project, all or nothing.

    `project` is an id, or the settings of a project that is created together with its sentences. `annotator_id` is who
    made the tags, `by` who imports them (None: somebody at the terminal).
    `reserve` is the share of sentences set aside for evaluation (default: the project's), chosen by a salted hash of
    the document, or of the near-duplicate group where there is no document or there are fewer than FEWEST_DOCUMENTS;
    with `use_as="evaluation"` all are.
    Raises FormatError on the first bad sentence, and imports nothing; with `skip_bad` these are left out and listed.
    A label that the project lacks is refused (InvalidInput) or, with `add_labels`, added.
    """
    settings = project if isinstance(project, ProjectSettings) else store.project(project).settings
    _check_options(use_as, reserve)
    progress = on_progress or _no_progress
    options = ReadOptions(scheme=scheme, pretokenized=pretokenized)
    readings = _read_all(files, format, options, skip_bad, progress)
    labels_added: tuple[str, ...] = ()
    if use_as != "pool":
        _refuse_untagged(readings)
        labels_added = _new_labels(settings, readings, add_labels)
    labels = make_labels(labels_added, settings.labels)
    target: int | NewProject
    if isinstance(project, ProjectSettings):
        target = NewProject(replace(project, labels=labels))
        known, salt, missing = [], target.split_salt, labels[:0]
    else:
        target, salt, missing = project, store.project(project).split_salt, labels[len(settings.labels) :]
        known = [Known(*row) for row in store.groups(project)]
    sentences = [(reading.file, sentence) for reading in readings for sentence in reading.sentences]
    progress("duplicates", 0, len(sentences))
    grouping = near_duplicates.group([sentence.tokens for _, sentence in sentences], known)
    fraction = settings.reserve_fraction if reserve is None else reserve
    by_document = len({sentence.document for _, sentence in sentences} - {None}) >= FEWEST_DOCUMENTS
    new = [
        replace(_new_sentence(file, sentence, group, use_as, salt, fraction, by_document), also_near=also)
        for (file, sentence), group, also in zip(sentences, grouping.groups, grouping.also, strict=True)
    ]
    if annotator_id is None and any(sentence.gold is not None for sentence in new):
        annotator_id = store.annotator(IMPORTER).id
    progress("saving", 0, len(new))
    source = ", ".join(reading.file for reading in readings)
    project_id, counts = store.import_sentences(
        target, missing, new, annotator_id, source, lambda n_saved: progress("saving", n_saved, len(new))
    )
    report = _report(project_id, readings, new, counts, labels_added, tuple(_examples(sentences, grouping)))
    if fraction > 0 and not report.reserved and not store.progress(project_id).reserve:
        report = replace(report, no_reserve=NO_RESERVE.format(share=fraction))
    _record(store, by, report, use_as)
    return report


def _no_progress(phase: str, done: int, total: int) -> None:
    """Nobody watches."""


def _check_options(use_as: str, reserve: float | None) -> None:
    if use_as not in USES:
        raise UnknownName(f"tags cannot be used as {use_as!r}; choose one of {', '.join(USES)}")
    if reserve is not None and not 0 <= reserve < 1:
        raise InvalidConfig(f"reserve is {reserve}; give a share of at least 0 and below 1")
    if reserve is not None and use_as == "evaluation":
        raise InvalidConfig("all sentences of an evaluation set are reserved; leave the share to reserve out")


# Reading and checking.


def _read_all(
    files: Sequence[Path | SourceFile], format: str, options: ReadOptions, skip_bad: bool, progress: OnProgress
) -> list[Reading]:
    """Every file; FormatError for the first bad sentence unless they are to be left out."""
    if not files:
        raise InvalidInput("there is no file to import; name at least one")
    readings = []
    progress("reading", 0, 0)
    for file in files:
        reading = read_file(file, format, options, lambda done, total: progress("reading", done, total))
        if not skip_bad:
            reading.refuse_errors(", or import all but the bad sentences; nothing was imported")
        if not reading.sentences:
            remedy = str(reading.errors[0]) if reading.errors else "check that it is the right file"
            raise FormatError(reading.file, None, "holds no sentence that can be imported", remedy)
        readings.append(reading)
    return readings


def _refuse_untagged(readings: Sequence[Reading]) -> None:
    for reading in readings:
        if all(sentence.gold is None for sentence in reading.sentences):
            raise FormatError(
                reading.file,
                None,
                "has no tags",
                "import it into the pool, or name a file with tags in its last column",
            )


def _new_labels(settings: ProjectSettings, readings: Sequence[Reading], add_labels: bool) -> tuple[str, ...]:
    """Labels of the files that the project lacks, in order of appearance. Raises InvalidInput unless welcome."""
    found: dict[str, str] = {}
    for reading in readings:
        for sentence in reading.sentences:
            for span in sentence.gold or ():
                if span.label not in found:
                    found[span.label] = f"{reading.file}:{sentence.line}"
    has = {label.name for label in settings.labels}
    missing = tuple(label for label in found if label not in has)
    if missing and not add_labels:
        names = ", ".join(f"{label!r} (first in the sentence at {found[label]})" for label in missing)
        raise InvalidInput(
            f"the project {settings.name!r} has no label {names}; "
            f"it knows {', '.join(sorted(has)) or 'none'}: add the missing ones to the project, "
            "or let the import add them; nothing was imported"
        )
    return missing


# Sentences as the store takes them.


def _new_sentence(
    file: str, sentence: ReadSentence, group: str, use_as: UseAs, salt: str, fraction: float, by_document: bool
) -> NewSentence:
    document = sentence.document if by_document else None
    is_reserved = use_as == "evaluation" or sentence.reserved or in_reserve(salt, document, group, fraction)
    meta = dict(sentence.meta)
    if sentence.status not in (LABELLED, UNLABELLED):
        meta["status"] = sentence.status  # skipped or flagged where it comes from; here nobody has looked at it yet
    return NewSentence(
        tokens=sentence.tokens,
        text=sentence.text,
        spaces=sentence.spaces,
        document=sentence.document,
        source=f"{file}:{sentence.line}",
        split=Split.RESERVE if is_reserved else Split.POOL,
        gold=None if use_as == "pool" else sentence.gold,
        group=group,
        meta=meta,
    )


def in_reserve(salt: str, document: str | None, group: str, fraction: float) -> bool:
    """Whether a sentence is reserved for evaluation: the same for all of a document, or of a near-duplicate group."""
    unit = f"group\n{group}" if document is None else f"document\n{document}"
    digest = blake2b(f"{salt}\n{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < fraction * 2**64


# The report.


def _examples(
    sentences: Sequence[tuple[str, ReadSentence]], grouping: near_duplicates.Grouping
) -> Iterator[DuplicateExample]:
    """The first few exact and the first few near duplicates."""
    repeated = [(position, twin) for position, twin in enumerate(grouping.twins) if twin is not None]
    kinds: dict[str, list[DuplicateExample]] = {"exact": [], "near": []}
    for position, twin in repeated:
        file, sentence = sentences[position]
        if isinstance(twin, Known):
            twin_tokens, where = tuple(twin.tokens), f"sentence {twin.id}"
        else:
            twin_tokens, where = sentences[twin][1].tokens, f"{sentences[twin][0]}:{sentences[twin][1].line}"
        kind = "exact" if twin_tokens == sentence.tokens else "near"
        if len(kinds[kind]) < N_EXAMPLES:
            text = " ".join(sentence.tokens[:12])
            kinds[kind].append(DuplicateExample(kind, f"{file}:{sentence.line}", where, text))
        if all(len(examples) == N_EXAMPLES for examples in kinds.values()):
            break
    yield from kinds["exact"]
    yield from kinds["near"]


def _report(
    project_id: int,
    readings: Sequence[Reading],
    new: Sequence[NewSentence],
    counts: ImportCounts,
    labels_added: tuple[str, ...],
    examples: tuple[DuplicateExample, ...],
) -> ImportReport:
    return ImportReport(
        project_id=project_id,
        added=counts.added,
        gold=counts.gold,
        evaluation=counts.evaluation,
        reserved=sum(sentence.split is Split.RESERVE for sentence in new) - len(counts.refused),
        exact_duplicates=counts.exact_duplicates,
        near_duplicates=counts.near_duplicates,
        examples=examples,
        refused=tuple(counts.refused),
        labels_added=labels_added,
        files=tuple(_file_report(reading) for reading in readings),
    )


def _file_report(reading: Reading) -> FileReport:
    return FileReport(
        name=reading.file,
        format=reading.format,
        scheme=reading.scheme,
        sentences=len(reading.sentences),
        bad=tuple(str(error) for error in reading.errors),
        repairs=tuple(f"{reading.file}:{repair.line}: {repair.what}" for repair in reading.repairs),
        notes=tuple(reading.notes),
        without_tags=sum(sentence.gold is None for sentence in reading.sentences),
    )


def _record(store: Store, by: int | None, report: ImportReport, use_as: str) -> None:
    """Keep the import in the audit trail; lists are cut short there."""
    store.record(
        report.project_id,
        by,
        "import",
        files=[file.name for file in report.files],
        use_as=use_as,
        added=report.added,
        gold=report.gold,
        evaluation=report.evaluation,
        reserved=report.reserved,
        exact_duplicates=report.exact_duplicates,
        near_duplicates=report.near_duplicates,
        refused=len(report.refused),
        labels_added=list(report.labels_added),
        bad=list(islice((line for file in report.files for line in file.bad), N_EXAMPLES)),
    )
