"""Tables of what a tagger of another language said of the pool before the project had labels of its own."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import Base, RowId, UtcDateTime, of_sentence, only_split


class StartingReads(Base):
    """That a part of the pool was read by a starting tagger, or why it was not: the newest try of each project."""

    __tablename__ = "starting_reads"
    __table_args__ = (CheckConstraint("n_pool >= 0", name="n_pool"),)
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"), primary_key=True, autoincrement=False)
    tagger: Mapped[str] = mapped_column(Text)
    seed: Mapped[int] = mapped_column(BigInteger)
    n_pool: Mapped[int]  # unlabelled sentences of which those read were drawn
    failure: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StartingScores(Base):
    """What the starting tagger expects of a sentence of the pool: words in names (`score`), and the names it reads."""

    __tablename__ = "starting_scores"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "sentence_id"),
        of_sentence(),
        only_split("pool"),
        CheckConstraint("score >= 0", name="score"),
        CheckConstraint("names >= 0", name="names"),
    )
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("starting_reads.project_id"))
    sentence_id: Mapped[int] = mapped_column(RowId)
    split: Mapped[str] = mapped_column(String(10))
    score: Mapped[float] = mapped_column(Float)
    names: Mapped[int]
