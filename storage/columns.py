"""What all tables are made of: kinds of columns, and constraints that stand in several of them."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Dialect,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    TypeDecorator,
)
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; databases without time zones (SQLite) hold it naive."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware datetime to what the database holds."""
        if value is None:
            return None
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database holds to an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# 64 bits on PostgreSQL; SQLite numbers rows by itself only for a column declared exactly INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Names every constraint, so that an error and a migration can speak of it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column holds one of these words."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def only_split(split: str) -> CheckConstraint:
    """Only sentences of this split may stand in the table."""
    return CheckConstraint(f"split = '{split}'", name=f"only_{split}")


def of_sentence() -> ForeignKeyConstraint:
    """The sentence exists, belongs to the project and has the split the row claims."""
    return ForeignKeyConstraint(
        ["sentence_id", "project_id", "split"], ["sentences.id", "sentences.project_id", "sentences.split"]
    )


def of_run(column: str = "run_id") -> ForeignKeyConstraint:
    """The run exists and belongs to the project."""
    return ForeignKeyConstraint([column, "project_id"], ["runs.id", "runs.project_id"])


def origin_matches_split() -> CheckConstraint:
    """Evaluation is the origin of reserve sentences and of no others."""
    return CheckConstraint("(origin = 'evaluation') = (split = 'reserve')", name="origin_matches_split")
