"""Snapshots, when sentences were added, and what they duplicated before an import changed it."""

import sqlalchemy as sa
from alembic import op

revision = "r0012"
down_revision = "r0011"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sentences", sa.Column("added_at", TIME, nullable=True))
    op.create_table(
        "snapshots",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("made_by", ROW_ID, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("annotation_seq", sa.BigInteger(), nullable=False),
        sa.Column("decision_seq", sa.BigInteger(), nullable=False),
        sa.Column("sentence_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_snapshots_name_not_empty")),
        sa.ForeignKeyConstraint(["made_by"], ["annotators.id"], name=op.f("fk_snapshots_made_by_annotators")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_snapshots_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_snapshots_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_snapshots_project_id_name")),
    )
    op.create_table(
        "former_duplicates",
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("until_sentence", ROW_ID, nullable=False),
        sa.Column("duplicate_of", ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["duplicate_of"], ["sentences.id"], name=op.f("fk_former_duplicates_duplicate_of_sentences")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id"], ["sentences.id"], name=op.f("fk_former_duplicates_sentence_id_sentences")
        ),
        sa.PrimaryKeyConstraint("sentence_id", "until_sentence", name=op.f("pk_former_duplicates")),
    )
