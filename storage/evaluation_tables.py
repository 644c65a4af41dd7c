"""Tables of what is measured beside the runs."""

from typing import Any

from sqlalchemy import JSON, CheckConstraint, Float, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import Base, RowId, of_run, one_of


class ArmMeasures(Base):
    """What a tagger predicts on the reserve that learned from a part of a run's labels only: those drawn, those chosen.

    `predictions` are [sentence, [[start, end, label], ...]] lists; none where the training failed.
    """

    __tablename__ = "arm_measures"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "arm"),
        of_run(),
        one_of("arm", "chance", "choice"),
        CheckConstraint("n_labels >= 1", name="n_labels"),
        CheckConstraint("seconds >= 0", name="seconds"),
    )
    run_id: Mapped[int] = mapped_column(RowId)
    arm: Mapped[str] = mapped_column(String(10))
    project_id: Mapped[int] = mapped_column(RowId)
    n_labels: Mapped[int]
    seconds: Mapped[float] = mapped_column(Float)
    predictions: Mapped[list[list[Any]]] = mapped_column(JSON)


class NoiseFloors(Base):
    """How far a second training on the labels of a run finds the same names as the run; no figure where it failed."""

    __tablename__ = "noise_floors"
    __table_args__ = (
        PrimaryKeyConstraint("run_id"),
        of_run(),
        CheckConstraint("n_labels >= 1", name="n_labels"),
        CheckConstraint("f1 >= 0 AND f1 <= 1", name="f1"),
        CheckConstraint("sentences >= 0", name="sentences"),
    )
    run_id: Mapped[int] = mapped_column(RowId)
    project_id: Mapped[int] = mapped_column(RowId)
    n_labels: Mapped[int]
    f1: Mapped[float | None] = mapped_column(Float)
    sentences: Mapped[int]
