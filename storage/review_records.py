"""The records of the review: decisions about sentences, and the gold that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from maner_core.spans import Span
from storage.records import Annotation, QueueItem, Sentence, Status, Suggestion


class DecisionKind(StrEnum):
    """What an adjudicator did with a sentence."""

    TAKE = "take"  # one of the versions, as it is
    EDIT = "edit"  # a version of their own
    SEND_BACK = "send_back"  # to whoever annotated it
    UNDO = "undo"  # the decision before


class GoldRule(StrEnum):
    """Why something is the gold of a sentence; the first that holds, in this order."""

    DECISION = "decision"  # somebody decided
    AGREEMENT = "agreement"  # several people annotated it, all the same
    NEWEST = "newest"  # the newest annotation


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of a project, by the newest rows it has: later ones are not seen.

    Without `sentence` it is the state of now, with all that may still change: which run serves, how unlabelled sentences
    were chosen.
    """

    annotation: int
    decision: int
    sentence: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of a project under a name, with the settings that an export depends on."""

    name: str
    made_by: str  # name
    made_at: datetime
    moment: Moment
    settings: Mapping[str, Any]
    run_id: int | None  # whose training data it is


@dataclass(frozen=True, slots=True)
class DecisionDraft:
    """What an adjudicator wants, having seen the sentence with `seen_annotation` and `seen_decision` as newest rows.

    `sources` are ids of annotations: the one taken, those edited, those sent back. Of what is taken, status and spans
    are the source's; with `run_id` what is taken is `spans`, a tagger's version, in place of the sources.
    """

    sentence_id: int
    kind: DecisionKind
    sources: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    status: Status = Status.LABELLED
    comment: str = ""
    run_id: int | None = None
    seen_annotation: int = 0
    seen_decision: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision as it was kept. `status` is None where it gave the sentence no gold: sent back, undone."""

    seq: int
    sentence_id: int
    kind: DecisionKind
    status: Status | None
    spans: tuple[Span, ...]
    decided_by: int
    decided_at: datetime
    comment: str
    run_id: int | None
    annotation_seq: int  # the sentence's newest annotation at that moment
    sources: tuple[int, ...]  # seqs of annotations
    supersedes: int | None


@dataclass(frozen=True, slots=True)
class Gold:
    """What counts for a sentence: its status and spans, by which rule, since when, from whom and from what."""

    rule: GoldRule
    status: Status
    spans: tuple[Span, ...]
    people: tuple[int, ...]  # annotators: who decided; who agree; who annotated last
    at: datetime
    annotations: tuple[Annotation, ...]  # those it comes from, oldest first; never empty
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence as an adjudicator sees it: everybody's newest annotation, oldest first, and the decision that stands.

    `authors` are those who annotated it in the tool and may not decide about it; `seen_decision` is 0 without any.
    """

    sentence: Sentence
    annotations: tuple[Annotation, ...]
    decision: Decision | None
    gold: Gold | None
    authors: frozenset[int]
    names: Mapping[int, str]
    seen_annotation: int
    seen_decision: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence whose labels a tagger doubts that had not seen it, and what it would label.

    `quality` is the chance, 0 to 1, of that given label of one word which the tagger thinks least likely; `sure`
    whether it gives another one there a chance of 0.8 at least.
    """

    sentence_id: int
    quality: float
    sure: bool
    spans: tuple[Span, ...]
    run_id: int  # the run as whose tagger it was trained


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """One search for errors among the labels."""

    run_id: int
    folds: int
    n_sentences: int
    watermark: int
    decision_watermark: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class SentBack:
    """A sentence on its way back to who annotated it: their annotation, the comment, and the name of who sent it."""

    sentence: Sentence
    annotation: Annotation
    comment: str
    by: str


@dataclass(frozen=True, slots=True)
class LabelledSentence:
    """A sentence with its gold, and the newest annotation that this comes from."""

    sentence: Sentence
    annotation: Annotation
    gold: Gold


@dataclass(frozen=True, slots=True)
class ExportRow:
    """Everything known of a sentence: its gold and who made it (ids to names), how it was chosen, what the model said.

    `annotation` is the newest one that the gold comes from, `annotator` the name of its author.
    """

    sentence: Sentence
    annotation: Annotation | None
    annotator: str | None
    queue: QueueItem | None
    suggestion: Suggestion | None
    gold: Gold | None
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was ever said of a sentence, oldest first, and the names of who said it."""

    sentence: Sentence
    annotations: tuple[Annotation, ...]
    decisions: tuple[Decision, ...]
    gold: Gold | None
    names: Mapping[int, str]
