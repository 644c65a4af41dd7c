"""Tables of final trainings, which learn from evaluation sentences too.

They stand beside the promise that nothing else is trained on the reserve and leave it as it is: `run_training_sentences`
refuses the reserve for these runs like for all others, and only what is marked here may refer to it.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, PrimaryKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import Base, RowId, UtcDateTime, of_run, of_sentence, only_split


class FinalRequests(Base):
    """A final training that somebody asked for and that has not ended well yet: one a project."""

    __tablename__ = "final_requests"
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"), primary_key=True, autoincrement=False)
    requested_by: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FinalRuns(Base):
    """A run that also learns from evaluation sentences."""

    __tablename__ = "final_runs"
    __table_args__ = (UniqueConstraint("run_id", "project_id"), of_run())
    run_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    project_id: Mapped[int] = mapped_column(RowId)
    requested_by: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"))


class FinalTrainingSentences(Base):
    """The evaluation sentences that a final run was trained on."""

    __tablename__ = "final_training_sentences"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "sentence_id"),
        ForeignKeyConstraint(["run_id", "project_id"], ["final_runs.run_id", "final_runs.project_id"]),
        of_sentence(),
        only_split("reserve"),
    )
    run_id: Mapped[int] = mapped_column(RowId)
    sentence_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
