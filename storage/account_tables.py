"""Tables of who may sign in, where, and as what."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import Base, RowId, UtcDateTime, one_of

ROLES = ("annotator", "curator", "lead")


class Accounts(Base):
    """How a person signs in: by a password, of which only the hash is kept, or as somebody an identity provider knows."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("password_hash IS NOT NULL OR identity IS NOT NULL", name="way_in"),)
    annotator_id: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"), primary_key=True, autoincrement=False)
    password_hash: Mapped[str | None] = mapped_column(String(300))
    identity: Mapped[str | None] = mapped_column(String(500), unique=True)
    administrator: Mapped[bool]
    disabled: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Roles(Base):
    """What a person is in a project: one thing; without a row, nothing."""

    __tablename__ = "roles"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "annotator_id"),
        one_of("role", *ROLES),
        Index(None, "annotator_id"),
    )
    project_id: Mapped[int] = mapped_column(RowId, ForeignKey("projects.id"))
    annotator_id: Mapped[int] = mapped_column(RowId, ForeignKey("annotators.id"))
    role: Mapped[str] = mapped_column(String(10))


class Sessions(Base):
    """A browser that is signed in, by the hash of the secret in its cookie."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "annotator_id"),)
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    annotator_id: Mapped[int] = mapped_column(RowId, ForeignKey("accounts.annotator_id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Invitations(Base):
    """A link that makes somebody a member of a project or, without a project, an administrator: once."""

    __tablename__ = "invitations"
    __table_args__ = (
        one_of("role", *ROLES),
        CheckConstraint("(project_id IS NULL) = (role IS NULL)", name="role_in_project"),
        CheckConstraint("(used_at IS NULL) = (used_by IS NULL)", name="whole_use"),
        Index(None, "project_id"),
    )
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    project_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("projects.id"))
    role: Mapped[str | None] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    invited_by: Mapped[int | None] = mapped_column(RowId, ForeignKey("annotators.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_by: Mapped[int | None] = mapped_column(RowId, ForeignKey("annotators.id"))


class SignInTries(Base):
    """How often signing in went wrong of late for a name or from an address (`key`), and when it may be tried again."""

    __tablename__ = "sign_in_tries"
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    free_at: Mapped[datetime] = mapped_column(UtcDateTime)
