"""Searches for errors among the labels, what they doubt, and whether somebody wants one."""

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("projects", sa.Column("check_requested", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "label_checks",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("folds", sa.Integer(), nullable=False),
        sa.Column("n_sentences", sa.Integer(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("decision_watermark", sa.BigInteger(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.CheckConstraint("folds >= 2", name=op.f("ck_label_checks_folds")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_label_checks_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_label_checks_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_checks")),
        sa.UniqueConstraint("id", "project_id", name=op.f("uq_label_checks_id_project_id")),
    )
    op.create_index(op.f("ix_label_checks_project_id"), "label_checks", ["project_id"])
    op.create_table(
        "label_doubts",
        sa.Column("check_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("sure", sa.Boolean(), nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.CheckConstraint("split = 'pool'", name=op.f("ck_label_doubts_only_pool")),
        sa.CheckConstraint("quality >= 0 AND quality <= 1", name=op.f("ck_label_doubts_quality")),
        sa.ForeignKeyConstraint(
            ["check_id", "project_id"],
            ["label_checks.id", "label_checks.project_id"],
            name=op.f("fk_label_doubts_check_id_label_checks"),
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_label_doubts_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("check_id", "sentence_id", name=op.f("pk_label_doubts")),
    )
