"""What a reader gives back, and the options it takes. Plain data; no file is opened here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from maner_core.errors import FormatError, InvalidInput
from maner_core.spans import Span

LABELLED = "labelled"
UNLABELLED = "unlabelled"
STATUSES = (LABELLED, UNLABELLED, "skipped", "flagged")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file where its content leaves a choice."""

    scheme: str = "auto"
    # tag scheme of CoNLL files: auto or a name of annotation.formats.schemes.SCHEMES
    pretokenized: bool = False
    # plain text: split at single spaces only instead of by Unicode word boundaries


@dataclass(frozen=True, slots=True)
class ReadSentence:
    """One sentence of a file, its tokens as they stand there."""

    line: int  # of the file, counted from 1
    tokens: tuple[str, ...]
    spans: tuple[Span, ...] | None = None  # None: the file does not say where names are; () means there is none
    status: str = UNLABELLED  # one of STATUSES
    text: str | None = None  # source text, where the file has it
    spaces: tuple[bool, ...] | None = None  # whether a space follows each token in text
    document: str | None = None
    reserved: bool = False  # the file says that this sentence belongs to an evaluation set
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def gold(self) -> tuple[Span, ...] | None:
        """The spans a person stands for: those of a labelled sentence only."""
        return self.spans if self.status == LABELLED else None


@dataclass(frozen=True, slots=True)
class Repair:
    """A tag that breaks its scheme and how it was read."""

    line: int
    what: str


@dataclass(slots=True)
class Reading:
    """All that a reader found in one file: good sentences, bad ones, repaired tags, remarks."""

    file: str
    format: str
    sentences: list[ReadSentence] = field(default_factory=list)
    errors: list[FormatError] = field(default_factory=list)  # one for each sentence that cannot be taken
    repairs: list[Repair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scheme: str | None = None  # tag scheme, where the format has one

    def set_aside(self, line: int, error: InvalidInput) -> None:
        """The sentence on this line cannot be taken; the error says `what is wrong; what to do`."""
        problem, _, remedy = str(error).partition("; ")
        self.errors.append(FormatError(self.file, line, problem, remedy or "correct the line"))

    def refuse_errors(self, otherwise: str = "") -> None:
        """Raises the first of the errors, saying how many more there are and what could be done instead."""
        if not self.errors:
            return
        first = self.errors[0]
        more = f" (and {len(self.errors) - 1} more like it)" if len(self.errors) > 1 else ""
        raise FormatError(first.file, first.line, first.problem + more, first.remedy + otherwise)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write a file where the format leaves a choice."""

    scheme: str = "iob2"
    # tag scheme of CoNLL files, a name of annotation.formats.schemes.SCHEMES
