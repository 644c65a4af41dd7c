"""A tagger of another language that says which sentences come first, and what it said."""

import sqlalchemy as sa
from alembic import op

revision = "r0016"
down_revision = "r0015"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("projects", sa.Column("starting_tagger", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "starting_reads",
        sa.Column("project_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("tagger", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("n_pool", sa.Integer(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("n_pool >= 0", name=op.f("ck_starting_reads_n_pool")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_starting_reads_project_id_projects")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_starting_reads")),
    )
    op.create_table(
        "starting_scores",
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("names", sa.Integer(), nullable=False),
        sa.CheckConstraint("split = 'pool'", name=op.f("ck_starting_scores_only_pool")),
        sa.CheckConstraint("score >= 0", name=op.f("ck_starting_scores_score")),
        sa.CheckConstraint("names >= 0", name=op.f("ck_starting_scores_names")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["starting_reads.project_id"], name=op.f("fk_starting_scores_project_id_starting_reads")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_starting_scores_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("project_id", "sentence_id", name=op.f("pk_starting_scores")),
    )
