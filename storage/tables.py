"""The tables, one class each, with every promise of the data rules written as a constraint.

Sentences are referred to as (sentence_id, project_id, split): the composite foreign key lets a CHECK beside it see the
split, so the database itself refuses an evaluation sentence among training data, scores or suggestions, and a row
that mixes two projects. Only portable types; change a table together with a migration.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import Base, RowId, UtcDateTime, of_run, of_sentence, one_of, only_split, origin_matches_split

SPLITS = ("pool", "reserve")


class Projects(Base):
    """A project and its settings."""

    __tablename__ = "projects"
    __table_args__ = (
        one_of("direction", "auto", "ltr", "rtl"),
        one_of("suggest_when", "always", "earned", "never"),
        CheckConstraint("length(name) > 0", name="name_not_empty"),
        CheckConstraint("retrain_every >= 1", name="retrain_every"),
        CheckConstraint("retrain_after_seconds >= 0", name="retrain_after_seconds"),
        CheckConstraint("suggestion_threshold >= 0 AND suggestion_threshold <= 1", name="suggestion_threshold"),
        CheckConstraint("reserve_fraction >= 0 AND reserve_fraction < 1", name="reserve_fraction"),
        CheckConstraint("overlap >= 1", name="overlap"),
        CheckConstraint("overlap_share >= 0 AND overlap_share <= 1", name="overlap_share"),
        CheckConstraint("blind_share >= 0 AND blind_share <= 1", name="blind_share"),
        CheckConstraint("control_share >= 0 AND control_share <= 1", name="control_share"),
    )
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    language: Mapped[str] = mapped_column(String(40))
    direction: Mapped[str] = mapped_column(String(4))
    guidelines: Mapped[str] = mapped_column(Text)
    retrain_every: Mapped[int]
    retrain_after_seconds: Mapped[int]
    strategy: Mapped[str] = mapped_column(String(100))
    system: Mapped[str] = mapped_column(String(40))
    backbone: Mapped[str] = mapped_column(Text)
    preset: Mapped[str] = mapped_column(String(40))
    adaptation: Mapped[str] = mapped_column(String(20), server_default="none")
    starting_tagger: Mapped[str] = mapped_column(Text, server_default="")
    seed: Mapped[int] = mapped_column(BigInteger)
    suggest_when: Mapped[str] = mapped_column(String(10))
    suggestion_threshold: Mapped[float] = mapped_column(Float)
    reserve_fraction: Mapped[float] = mapped_column(Float)
    overlap: Mapped[int] = mapped_column(server_default="1")
    overlap_share: Mapped[float] = mapped_column(Float, server_default="0.1")
    blind_share: Mapped[float] = mapped_column(Float, server_default="0")
    control_share: Mapped[float] = mapped_column(Float, server_default="0")
    measure_noise: Mapped[bool] = mapped_column(server_default=true())
    split_salt: Mapped[str] = mapped_column(String(64))
    retrain_requested: Mapped[bool]
    check_requested: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Labels(Base):
    """An entity type of a project."""

    __tablename__ = "labels"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "name"),
        CheckConstraint("length(name) > 0", name="name_not_empty"),
    )
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(100))
    color: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(10))
    description: Mapped[str] = mapped_column(Text)
    position: Mapped[int]


class ListedNames(Base):
    """A name that a lead knows to occur in the sentences, as it is written there, and its label."""

    __tablename__ = "listed_names"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "name"),
        ForeignKeyConstraint(["project_id", "label"], ["labels.project_id", "labels.name"]),
        CheckConstraint("length(name) > 0", name="name_not_empty"),
    )
    project_id: Mapped[int] = mapped_column(RowId)
    name: Mapped[str] = mapped_column(String(300))
    label: Mapped[str] = mapped_column(String(100))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Annotators(Base):
    """A person; `name_key` is the name as compared: trimmed, case folded."""

    __tablename__ = "annotators"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(700), unique=True)
    language: Mapped[str | None] = mapped_column(String(20))  # of the interface; none: as the browser says
    reads: Mapped[list[str]] = mapped_column(JSON, server_default="[]")  # languages and scripts; empty: all


class Sentences(Base):
    """A sentence; only `duplicate_of` ever changes."""

    __tablename__ = "sentences"
    __table_args__ = (
        UniqueConstraint("id", "project_id", "split"),
        one_of("split", *SPLITS),
        CheckConstraint("n_tokens >= 1", name="n_tokens"),
        CheckConstraint("duplicate_of <> id", name="not_its_own_duplicate"),
        Index(None, "project_id", "content_hash"),
        Index(None, "project_id", "group_key"),
        Index(None, "project_id", "split", "duplicate_of"),
        Index(None, "duplicate_of"),
    )
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"))
    tokens: Mapped[list[str]] = mapped_column(JSON)
    n_tokens: Mapped[int]
    text: Mapped[str | None] = mapped_column(Text)
    spaces: Mapped[list[bool] | None] = mapped_column(JSON(none_as_null=True))
    document: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    split: Mapped[str] = mapped_column(String(10))
    content_hash: Mapped[str] = mapped_column(String(32))
    group_key: Mapped[str | None] = mapped_column(String(200))
    written_in: Mapped[str | None] = mapped_column(String(40))  # a language, else a script; none: nobody can tell
    duplicate_of: Mapped[int | None] = mapped_column(RowId, ForeignKey("sentences.id"))
    meta: Mapped[dict[str, str]] = mapped_column(JSON)
    added_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # none: before this was noted


class Runs(Base):
    """One training and what came of it."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("id", "project_id"),
        one_of("state", "running", "done", "failed"),
        CheckConstraint("progress >= 0 AND progress <= 1", name="progress"),
        CheckConstraint("attempt >= 1", name="attempt"),
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_when_ended"),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure_when_failed"),
        Index(None, "project_id"),
    )
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"))
    round: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    phase: Mapped[str] = mapped_column(String(40))
    progress: Mapped[float] = mapped_column(Float)
    seconds_left: Mapped[float | None] = mapped_column(Float)
    message: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int]
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    seed: Mapped[int] = mapped_column(BigInteger)
    watermark: Mapped[int] = mapped_column(BigInteger)
    decision_watermark: Mapped[int] = mapped_column(BigInteger, server_default="0")
    n_train: Mapped[int]
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    checkpoint: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(Text)
    served: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ServingRuns(Base):
    """The run whose suggestions a project shows: at most one; while it is pinned, no training replaces it."""

    __tablename__ = "serving_runs"
    __table_args__ = (of_run(),)
    project_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(RowId)
    pinned: Mapped[bool] = mapped_column(server_default=false())


class RunTrainingSentences(Base):
    """Which sentences a run was trained on; the reserve cannot be among them."""

    __tablename__ = "run_training_sentences"
    __table_args__ = (PrimaryKeyConstraint("run_id", "sentence_id"), of_run(), of_sentence(), only_split("pool"))
    run_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))


class EvaluationPredictions(Base):
    """What a run predicts on the reserve, as [start, end, label] lists."""

    __tablename__ = "evaluation_predictions"
    __table_args__ = (PrimaryKeyConstraint("run_id", "sentence_id"), of_run(), of_sentence(), only_split("reserve"))
    run_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    spans: Mapped[list[list[Any]]] = mapped_column(JSON)


class Suggestions(Base):
    """What a run suggests for a sentence of the pool, as [start, end, label, confidence] lists."""

    __tablename__ = "suggestions"
    __table_args__ = (PrimaryKeyConstraint("run_id", "sentence_id"), of_run(), of_sentence(), only_split("pool"))
    run_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    spans: Mapped[list[list[Any]]] = mapped_column(JSON)
    word_confidence: Mapped[list[float]] = mapped_column(JSON)


class Scores(Base):
    """The acquisition score a run gives a sentence of the pool; higher means annotate first."""

    __tablename__ = "scores"
    __table_args__ = (PrimaryKeyConstraint("run_id", "sentence_id"), of_run(), of_sentence(), only_split("pool"))
    run_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    score: Mapped[float] = mapped_column(Float)
    doubt: Mapped[float | None] = mapped_column(Float)  # plain doubt, comparable between rounds and strategies


class HiddenSentences(Base):
    """A sentence of the pool that nobody is asked about, as long as what it is like counts as no sentence."""

    __tablename__ = "hidden_sentences"
    __table_args__ = (of_sentence(), of_run(), only_split("pool"), Index(None, "project_id"))
    sentence_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    like_sentence: Mapped[int] = mapped_column(RowId, ForeignKey("sentences.id"))
    run_id: Mapped[int] = mapped_column(RowId)


class Selections(Base):
    """Why a sentence was chosen; stays when the sentence has left the queue with an annotation."""

    __tablename__ = "selections"
    __table_args__ = (
        UniqueConstraint("sentence_id", "project_id", "split"),
        of_sentence(),
        of_run(),
        one_of("origin", "random", "active", "evaluation"),
        origin_matches_split(),
        CheckConstraint("propensity IS NULL OR (propensity >= 0 AND propensity <= 1)", name="propensity"),
        CheckConstraint("seats >= 1", name="seats"),
    )
    sentence_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    origin: Mapped[str] = mapped_column(String(10))
    rank: Mapped[int] = mapped_column(BigInteger)
    strategy: Mapped[str] = mapped_column(String(100))
    score: Mapped[float | None] = mapped_column(Float)
    propensity: Mapped[float | None] = mapped_column(Float)
    run_id: Mapped[int | None] = mapped_column(RowId)
    round: Mapped[int]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    seats: Mapped[int] = mapped_column(server_default="1")  # how many people are asked to label it


class Queue(Base):
    """Where a chosen sentence waits and which tab holds it: a row for each person who is still to label it.

    Once somebody has labelled a sentence that others are to label too, its rank is negative, so that it comes first.
    Narrow on purpose: leasing and renewing are the most frequent writes, and they rewrite whole pages.
    """

    __tablename__ = "queue"
    __table_args__ = (
        PrimaryKeyConstraint("sentence_id", "seat"),
        ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["selections.sentence_id", "selections.project_id", "selections.split"],
        ),
        CheckConstraint(
            "(annotator_id IS NULL) = (leased_until IS NULL) AND (client IS NULL) = (leased_until IS NULL)",
            name="whole_lease",
        ),
        Index(None, "project_id", "split", "rank"),
        Index(
            "ix_queue_leases",
            "project_id",
            "split",
            "annotator_id",
            "client",
            sqlite_where=text("leased_until IS NOT NULL"),
            postgresql_where=text("leased_until IS NOT NULL"),
        ),
    )
    sentence_id: Mapped[int] = mapped_column(RowId)
    seat: Mapped[int]
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    rank: Mapped[int] = mapped_column(BigInteger)
    annotator_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("annotators.id"))
    client: Mapped[str | None] = mapped_column(String(100))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Annotations(Base):
    """What a person says of a sentence. Rows are only ever added; which one counts is said in _gold.py."""

    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("seq", "project_id"),
        of_sentence(),
        of_run("suggestion_run"),
        one_of("status", "labelled", "skipped", "flagged"),
        one_of("origin", "random", "active", "evaluation", "import"),
        origin_matches_split(),
        CheckConstraint("split = 'pool' OR suggestion_run IS NULL", name="no_suggestion_for_reserve"),
        CheckConstraint("split = 'pool' OR names_shown IS NULL", name="no_names_for_reserve"),
        CheckConstraint("length(id) > 0", name="id_not_empty"),
        CheckConstraint("milliseconds >= 0", name="milliseconds"),
        Index(None, "sentence_id", "seq"),
        Index(None, "project_id", "split", "sentence_id", "seq"),
        Index(None, "project_id", "annotator_id", "imported", "sentence_id"),
    )
    seq: Mapped[int] = mapped_column(RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    project_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    annotator_id: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"))
    status: Mapped[str] = mapped_column(String(10))
    origin: Mapped[str] = mapped_column(String(10))
    imported: Mapped[bool]  # came with a file: nobody's work in this tool
    skip_reason: Mapped[str | None] = mapped_column(String(20))
    comment: Mapped[str] = mapped_column(Text)
    suggestion_run: Mapped[int | None] = mapped_column(RowId)
    # Names on the screen that no tagger suggested, as [start, end, label, source, sentence] lists.
    names_shown: Mapped[list[list[Any]] | None] = mapped_column(JSON(none_as_null=True))
    milliseconds: Mapped[int] = mapped_column(BigInteger)
    client_time: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    supersedes: Mapped[str | None] = mapped_column(String(64), ForeignKey("annotations.id"))


class AnnotationSpans(Base):
    """A span of an annotation; its label is one of the project's."""

    __tablename__ = "annotation_spans"
    __table_args__ = (
        PrimaryKeyConstraint("annotation_seq", "start"),
        ForeignKeyConstraint(["annotation_seq", "project_id"], ["annotations.seq", "annotations.project_id"]),
        ForeignKeyConstraint(["project_id", "label"], ["labels.project_id", "labels.name"]),
        CheckConstraint('0 <= start AND start < "end"', name="order"),
        Index(None, "project_id", "label"),
    )
    annotation_seq: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    start: Mapped[int]
    end: Mapped[int]
    label: Mapped[str] = mapped_column(String(100))


class WorkerLeases(Base):
    """Which worker works on a project, and until when."""

    __tablename__ = "worker_leases"
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"), primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(String(200))
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class Workers(Base):
    """A worker process, what it does and when it was last heard of."""

    __tablename__ = "workers"
    holder: Mapped[str] = mapped_column(String(200), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditEvents(Base):
    """Something that happened, kept for the record."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "project_id"),)
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("projects.id"))
    annotator_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("annotators.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(100))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
