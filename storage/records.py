"""The records a Store takes and gives: frozen dataclasses and the words their fields may hold.

Times are timezone-aware and in UTC. Ids are integers, but for annotation ids, which the client makes (uuid strings).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from maner_core.spans import Span

LARGEST_OVERLAP = 10  # people who label the same sentence


class Split(StrEnum):
    """What a sentence is for: to be annotated and trained on, or only to evaluate."""

    POOL = "pool"
    RESERVE = "reserve"


class Status(StrEnum):
    """What a person decided about a sentence; a sentence without an annotation is unlabelled."""

    LABELLED = "labelled"
    SKIPPED = "skipped"
    FLAGGED = "flagged"


class SkipReason(StrEnum):
    """Why a person skipped a sentence, where they said it."""

    NOT_A_SENTENCE = "not_a_sentence"  # nobody is asked about others like it either


class Origin(StrEnum):
    """Where an annotated sentence came from in sampling."""

    RANDOM = "random"
    ACTIVE = "active"
    EVALUATION = "evaluation"
    IMPORT = "import"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SuggestWhen(StrEnum):
    """When annotators see suggestions: always, once the model has earned it, never."""

    ALWAYS = "always"
    EARNED = "earned"
    NEVER = "never"


class Role(StrEnum):
    """What a person is in a project. What each role may do is said in annotation/permissions.py."""

    ANNOTATOR = "annotator"
    CURATOR = "curator"
    LEAD = "lead"


# Projects and people.


@dataclass(frozen=True, slots=True)
class Label:
    """An entity type of a project; `key` is the single character an annotator presses, or empty."""

    name: str
    color: str
    key: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """Everything a project lead can set."""

    name: str
    language: str = ""
    direction: str = "auto"  # auto, ltr or rtl
    guidelines: str = ""
    labels: tuple[Label, ...] = ()
    retrain_every: int = 25  # new labels between two trainings, N >= 1
    retrain_after_seconds: int = 300  # train with fewer new labels after this time
    strategy: str = "mnlp"
    system: str = "maner"
    backbone: str = "bundled"
    preset: str = "default"
    adaptation: str = "none"  # to the unlabelled sentences: none, before or beside the training
    starting_tagger: str = ""  # of another language: the folder of a checkpoint, or "run 17"; empty: none
    seed: int = 12345
    suggest_when: SuggestWhen = SuggestWhen.ALWAYS
    suggestion_threshold: float = 0.5  # spans below this confidence are left out, 0..1
    control_share: float = 0.0  # of the sentences drawn by chance to compare with chosen ones, 0..1; 0 compares nothing
    measure_noise: bool = (
        True  # train once more, when labels have doubled, to see how far trainings on the same ones differ
    )
    blind_share: float = 0.1  # of the pool is labelled without seeing suggestions, drawn by chance, 0..1
    reserve_fraction: float = 0.1  # of imported sentences kept for evaluation, 0 <= fraction < 1
    overlap: int = 1  # people who each label a doubled sentence, 1 to 10; 1 doubles none
    overlap_share: float = 0.1  # of the sentences are doubled, drawn by chance, 0..1


@dataclass(frozen=True, slots=True)
class Project:
    """A project: its settings, the salt of its split hash, the run whose suggestions are shown and whether it is pinned.

    In the archive nothing of it changes but what was on its way: no sentence is handed out, nothing is trained.
    """

    id: int
    settings: ProjectSettings
    split_salt: str
    serving_run: int | None
    created_at: datetime
    pinned: bool = False  # no training replaces the serving run
    archived_at: datetime | None = None  # since when it is in the archive; None: it is at work


@dataclass(frozen=True, slots=True)
class Annotator:
    """A person who annotates."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in, and what they are where; an administrator is a lead everywhere."""

    annotator: Annotator
    administrator: bool
    roles: Mapping[int, Role]  # by project id
    language: str | None = None  # of the interface; None: as the browser says
    reads: tuple[str, ...] = ()  # languages and scripts they are handed; empty: all


@dataclass(frozen=True, slots=True)
class Account:
    """How a person signs in, and whether they may."""

    annotator_id: int
    name: str
    administrator: bool
    disabled: bool
    has_password: bool
    identity: str | None  # at an identity provider: its address and its name for the person
    created_at: datetime
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; it needs a password or an identity."""

    name: str
    password_hash: str | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a password is checked against."""

    annotator_id: int
    password_hash: str | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a project (or, without one, in the installation) and what they did there."""

    annotator_id: int
    name: str
    role: Role | None  # None: an administrator without a role here, or somebody who only ever labelled here
    administrator: bool
    has_account: bool
    disabled: bool
    seen_at: datetime | None
    labels: int  # sentences annotated in the tool
    recent_labels: int  # of these, since the moment asked for


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that can be used once: to a role in a project or, without one, to administrate the installation."""

    id: int
    project_id: int | None
    project: str  # its name, or empty
    role: Role | None
    name: str  # of the person invited, or empty: they choose
    invited_by: str  # name, empty for the first administrator's
    created_at: datetime
    expires_at: datetime


# Sentences.


@dataclass(frozen=True, slots=True)
class NewSentence:
    """A sentence to be added; tokens are kept exactly as given."""

    tokens: tuple[str, ...]
    text: str | None = None  # the source text, where there is one
    spaces: tuple[bool, ...] | None = None  # whether a space follows each token
    document: str | None = None
    source: str = ""
    split: Split = Split.POOL
    gold: tuple[Span, ...] | None = None  # becomes an annotation by the importing annotator; () means no entity
    group: str = ""  # hash shared by near-duplicates, empty for none
    also_near: tuple[str, ...] = ()  # groups of stored sentences that it is a near-duplicate of as well
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project that is made together with its first sentences; of them the salt has drawn those set aside."""

    settings: ProjectSettings
    split_salt: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What add_sentences did; duplicates are among the added, refused holds one line for each sentence left out."""

    added: int
    gold: int
    evaluation: int
    exact_duplicates: int
    near_duplicates: int
    refused: list[str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stored sentence; one with `duplicate_of` is kept and exported but never queued, handed out or scored."""

    id: int
    project_id: int
    tokens: tuple[str, ...]
    text: str | None
    spaces: tuple[bool, ...] | None
    document: str | None
    source: str
    split: Split
    content_hash: str
    duplicate_of: int | None
    meta: Mapping[str, str]
    written_in: str | None = None  # the language its `meta` names, else the script of its letters


# Annotations.


class NameSource(StrEnum):
    """Where a suggestion comes from that no tagger made."""

    LIST = "list"  # the lead's list of names
    SEEN = "seen"  # people have marked the name, or another form of it, in another sentence


@dataclass(frozen=True, slots=True)
class ListedName:
    """A name of the lead's list, as it is written in sentences."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class SuggestedName:
    """A span that is suggested because its words are a known name; `seen_in` is the sentence where people marked it."""

    start: int
    end: int
    label: str
    source: NameSource
    seen_in: int | None = None


@dataclass(frozen=True, slots=True)
class AnnotationDraft:
    """What an annotator submits; `id` is made by the client and makes saving idempotent."""

    id: str
    sentence_id: int
    status: Status
    spans: tuple[Span, ...]
    comment: str
    milliseconds: int
    client_time: datetime
    suggestion_run: int | None  # the run whose suggestion was on the screen
    supersedes: str | None  # the annotation this one replaces (undo)
    skip_reason: SkipReason | None = None
    names_shown: tuple[SuggestedName, ...] = ()  # known names that were on the screen beside the run's suggestion


@dataclass(frozen=True, slots=True)
class Annotation:
    """A saved annotation; `seq` grows with every annotation saved. What counts is said in storage/_gold.py."""

    id: str
    seq: int
    sentence_id: int
    annotator_id: int
    status: Status
    spans: tuple[Span, ...]
    comment: str
    origin: Origin
    suggestion_run: int | None
    milliseconds: int
    client_time: datetime
    created_at: datetime
    supersedes: str | None
    skip_reason: SkipReason | None = None
    names_shown: tuple[SuggestedName, ...] = ()


@dataclass(frozen=True, slots=True)
class DoubledSentence:
    """A sentence that `seats` people were asked to label, and what each of two or more said, oldest first."""

    sentence: Sentence
    seats: int
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A draft that was not saved, and why, in a sentence for its author."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of sentences. `labelled`, `no_entity`, `skipped` and `flagged` count the pool by its gold annotations."""

    sentences: int
    pool: int
    reserve: int
    unlabelled_pool: int  # neither annotated nor a duplicate nor hidden
    labelled: int
    no_entity: int  # of the labelled
    skipped: int
    flagged: int
    evaluation_labelled: int  # of the reserve
    duplicates: int
    hidden: int  # like something that a person said is not a sentence
    by_label: dict[str, int]  # spans in the labelled sentences of the pool
    annotators: dict[str, int]  # name -> sentences annotated in the tool (imported ones are not work)


# Suggestions, queue and hand-out.


@dataclass(frozen=True, slots=True)
class SuggestedSpan:
    """A span the model suggests."""

    start: int
    end: int
    label: str
    confidence: float  # 0..1


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What one run suggests for one sentence of the pool."""

    run_id: int
    sentence_id: int
    spans: tuple[SuggestedSpan, ...]
    word_confidence: tuple[float, ...]  # one per token, 0..1


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A sentence chosen to be annotated, and how it was chosen; the lowest rank is handed out first."""

    sentence_id: int
    origin: Origin
    rank: int
    strategy: str
    score: float | None
    propensity: float | None
    run_id: int | None
    round: int
    reason: str = ""
    seed: int | None = None  # of the selection; a run's gives its queue again, with its scores and log. None: not kept


@dataclass(frozen=True, slots=True)
class HandOut:
    """A sentence leased to one tab; suggestion comes from the serving run and is None for the reserve.

    `seats` people are to label it; where they are several, nothing is suggested to any.
    """

    sentence: Sentence
    origin: Origin
    run_id: int | None
    reason: str
    suggestion: Suggestion | None
    seats: int = 1


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a person took for a sentence when they first labelled it, and what they had to do."""

    annotator_id: int
    words: int
    entities: int
    seconds: float


# Runs, the worker and the audit trail.

PINNED = "Run {run} is pinned: it goes on serving until a lead unpins it."
"""Why a run does not serve, whatever its F1."""
SERVED_EVENT, PINNED_EVENT, UNPINNED_EVENT = SERVING_EVENTS = ("run_served", "run_pinned", "run_unpinned")
"""What the audit trail calls a person's choice of the run that serves from then on."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training and what came of it."""

    id: int
    project_id: int
    round: int
    state: RunState
    phase: str
    progress: float  # of the phase, 0..1
    seconds_left: float | None
    message: str
    attempt: int
    config: dict[str, Any]
    seed: int
    watermark: int  # the newest annotation seq the run has seen
    decision_watermark: int  # the newest decision seq it has seen
    n_train: int
    metrics: dict[str, Any]
    checkpoint: str | None
    failure: str | None
    served: bool
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    final: bool = False  # it learned from evaluation sentences too: nothing can be measured on them


@dataclass(frozen=True, slots=True)
class RunPrediction:
    """What one run predicts for one sentence of the reserve."""

    sentence_id: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker process and when it was last heard of."""

    holder: str
    state: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened, kept for the record."""

    id: int
    project_id: int | None
    annotator_id: int | None
    at: datetime
    kind: str
    details: dict[str, Any]
