"""Why a sentence was skipped, and which others are hidden because they are like it."""

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("annotations", sa.Column("skip_reason", sa.String(length=20), nullable=True))
    op.create_table(
        "hidden_sentences",
        sa.Column("sentence_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("like_sentence", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.CheckConstraint("split = 'pool'", name=op.f("ck_hidden_sentences_only_pool")),
        sa.ForeignKeyConstraint(
            ["like_sentence"], ["sentences.id"], name=op.f("fk_hidden_sentences_like_sentence_sentences")
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_hidden_sentences_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_hidden_sentences_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("sentence_id", name=op.f("pk_hidden_sentences")),
    )
    op.create_index(op.f("ix_hidden_sentences_project_id"), "hidden_sentences", ["project_id"], unique=False)
