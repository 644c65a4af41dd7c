"""The tables of the review: what was decided about sentences, from which annotations. Rows are only ever added."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
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

from storage.tables import Base, RowId, UtcDateTime, of_run, of_sentence, one_of


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
