"""Accounts, roles in projects, sessions, invitations; the language of the interface."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
ROLE = "role IN ('annotator', 'curator', 'lead')"


def upgrade() -> None:
    op.add_column("annotators", sa.Column("language", sa.String(length=20), nullable=True))
    op.create_table(
        "accounts",
        sa.Column("annotator_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("password_hash", sa.String(length=300), nullable=True),
        sa.Column("identity", sa.String(length=500), nullable=True),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.CheckConstraint("password_hash IS NOT NULL OR identity IS NOT NULL", name=op.f("ck_accounts_way_in")),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"], name=op.f("fk_accounts_annotator_id_annotators")),
        sa.PrimaryKeyConstraint("annotator_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("identity", name=op.f("uq_accounts_identity")),
    )
    op.create_table(
        "roles",
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("annotator_id", ROW_ID, nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.CheckConstraint(ROLE, name=op.f("ck_roles_role")),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"], name=op.f("fk_roles_annotator_id_annotators")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_roles_project_id_projects")),
        sa.PrimaryKeyConstraint("project_id", "annotator_id", name=op.f("pk_roles")),
    )
    op.create_index(op.f("ix_roles_annotator_id"), "roles", ["annotator_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("annotator_id", ROW_ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["accounts.annotator_id"], name=op.f("fk_sessions_annotator_id_accounts")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_annotator_id"), "sessions", ["annotator_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("project_id", ROW_ID, nullable=True),
        sa.Column("role", sa.String(length=10), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("invited_by", ROW_ID, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("used_by", ROW_ID, nullable=True),
        sa.CheckConstraint(ROLE, name=op.f("ck_invitations_role")),
        sa.CheckConstraint("(project_id IS NULL) = (role IS NULL)", name=op.f("ck_invitations_role_in_project")),
        sa.CheckConstraint("(used_at IS NULL) = (used_by IS NULL)", name=op.f("ck_invitations_whole_use")),
        sa.ForeignKeyConstraint(["invited_by"], ["annotators.id"], name=op.f("fk_invitations_invited_by_annotators")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_invitations_project_id_projects")),
        sa.ForeignKeyConstraint(["used_by"], ["annotators.id"], name=op.f("fk_invitations_used_by_annotators")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(op.f("ix_invitations_project_id"), "invitations", ["project_id"], unique=False)
    op.create_table(
        "sign_in_tries",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("free_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_tries")),
    )
