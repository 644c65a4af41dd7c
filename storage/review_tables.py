"""The tables of the review: what was decided about sentences, from which annotations. Rows are only ever added."""

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
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import Base, RowId, UtcDateTime, of_run, of_sentence, one_of, only_split


def of_decision() -> ForeignKeyConstraint:
    """The decision exists and belongs to the project."""
    return ForeignKeyConstraint(["decision_seq", "project_id"], ["gold_decisions.seq", "gold_decisions.project_id"])


class GoldDecisions(Base):
    """What somebody decided about an annotated sentence: its gold, that it goes back, or that a decision falls.

    `annotation_seq` is the sentence's newest annotation at that moment. Only the newest decision that no other has
    undone stands.
    """

    __tablename__ = "gold_decisions"
    __table_args__ = (
        UniqueConstraint("seq", "project_id"),
        UniqueConstraint("seq", "sentence_id"),
        of_sentence(),
        of_run(),
        ForeignKeyConstraint(["annotation_seq", "project_id"], ["annotations.seq", "annotations.project_id"]),
        ForeignKeyConstraint(
            ["supersedes", "sentence_id"],
            ["gold_decisions.seq", "gold_decisions.sentence_id"],
        ),
        one_of("kind", "take", "edit", "send_back", "undo"),
        one_of("status", "labelled", "skipped"),
        CheckConstraint("(kind IN ('take', 'edit')) = (status IS NOT NULL)", name="outcome"),
        CheckConstraint("kind <> 'undo' OR supersedes IS NOT NULL", name="undo_of_something"),
        CheckConstraint("kind <> 'send_back' OR length(comment) > 0", name="sent_back_with_a_reason"),
        CheckConstraint("split = 'pool' OR run_id IS NULL", name="no_run_for_reserve"),
        Index(None, "sentence_id", "seq"),
        Index(None, "project_id", "seq"),
        Index(
            "ix_gold_decisions_undone",
            "supersedes",
            unique=True,
            sqlite_where=text("kind = 'undo'"),
            postgresql_where=text("kind = 'undo'"),
        ),
    )
    seq: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(10))
    status: Mapped[str | None] = mapped_column(String(10))
    decided_by: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    comment: Mapped[str] = mapped_column(Text)
    run_id: Mapped[int | None] = mapped_column(RowId)  # the run whose version was taken, if it was a tagger's
    annotation_seq: Mapped[int] = mapped_column(RowId)
    supersedes: Mapped[int | None] = mapped_column(RowId)


class GoldDecisionSources(Base):
    """An annotation that a decision was made from: the one taken, those merged, those sent back."""

    __tablename__ = "gold_decision_sources"
    __table_args__ = (
        PrimaryKeyConstraint("decision_seq", "annotation_seq"),
        of_decision(),
        ForeignKeyConstraint(["annotation_seq", "project_id"], ["annotations.seq", "annotations.project_id"]),
    )
    decision_seq: Mapped[int] = mapped_column(RowId)
    annotation_seq: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)


class GoldDecisionSpans(Base):
    """A span of what was decided; its label is one of the project's."""

    __tablename__ = "gold_decision_spans"
    __table_args__ = (
        PrimaryKeyConstraint("decision_seq", "start"),
        of_decision(),
        ForeignKeyConstraint(["project_id", "label"], ["labels.project_id", "labels.name"]),
        CheckConstraint('0 <= start AND start < "end"', name="order"),
        Index(None, "project_id", "label"),
    )
    decision_seq: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    start: Mapped[int]
    end: Mapped[int]
    label: Mapped[str] = mapped_column(String(100))


class LabelChecks(Base):
    """One search for errors among the labels, by taggers that each left out a part of them.

    The taggers were trained like that of the run. `watermark` and `decision_watermark`: what the search has seen.
    """

    __tablename__ = "label_checks"
    __table_args__ = (
        UniqueConstraint("id", "project_id"),
        of_run(),
        CheckConstraint("folds >= 2", name="folds"),
        Index(None, "project_id"),
    )
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"))
    run_id: Mapped[int] = mapped_column(RowId)
    folds: Mapped[int]
    n_sentences: Mapped[int]
    watermark: Mapped[int] = mapped_column(BigInteger)
    decision_watermark: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabelDoubts(Base):
    """What a tagger that had not seen a sentence would label, where it doubts what people labelled."""

    __tablename__ = "label_doubts"
    __table_args__ = (
        PrimaryKeyConstraint("check_id", "sentence_id"),
        ForeignKeyConstraint(["check_id", "project_id"], ["label_checks.id", "label_checks.project_id"]),
        of_sentence(),
        only_split("pool"),
        CheckConstraint("quality >= 0 AND quality <= 1", name="quality"),
    )
    check_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    quality: Mapped[float] = mapped_column(Float)
    sure: Mapped[bool]
    spans: Mapped[list[list[Any]]] = mapped_column(JSON)


class Snapshots(Base):
    """A state of a project under a name: all rows up to these numbers, and the settings an export depends on."""

    __tablename__ = "snapshots"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        of_run(),
        CheckConstraint("length(name) > 0", name="name_not_empty"),
    )
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(200))
    made_by: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    annotation_seq: Mapped[int] = mapped_column(BigInteger)
    decision_seq: Mapped[int] = mapped_column(BigInteger)
    sentence_id: Mapped[int] = mapped_column(BigInteger)
    run_id: Mapped[int | None] = mapped_column(RowId)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)


class FormerDuplicates(Base):
    """What a sentence duplicated (or nothing) while `until_sentence` was the newest, before an import changed it."""

    __tablename__ = "former_duplicates"
    __table_args__ = (PrimaryKeyConstraint("sentence_id", "until_sentence"),)
    sentence_id: Mapped[int] = mapped_column(RowId, ForeignKey("sentences.id"))
    until_sentence: Mapped[int] = mapped_column(RowId)
    duplicate_of: Mapped[int | None] = mapped_column(RowId, ForeignKey("sentences.id"))
