"""Final trainings, which learn from evaluation sentences too; the tables of all other trainings stay as they are."""

import sqlalchemy as sa
from alembic import op

revision = "r0013"
down_revision = "r0012"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "final_requests",
        sa.Column("project_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("requested_by", ROW_ID, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_final_requests_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["annotators.id"], name=op.f("fk_final_requests_requested_by_annotators")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_final_requests")),
    )
    op.create_table(
        "final_runs",
        sa.Column("run_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("requested_by", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["annotators.id"], name=op.f("fk_final_runs_requested_by_annotators")
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_final_runs_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_final_runs")),
        sa.UniqueConstraint("run_id", "project_id", name=op.f("uq_final_runs_run_id_project_id")),
    )
    op.create_table(
        "final_training_sentences",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.CheckConstraint("split = 'reserve'", name=op.f("ck_final_training_sentences_only_reserve")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"],
            ["final_runs.run_id", "final_runs.project_id"],
            name=op.f("fk_final_training_sentences_run_id_final_runs"),
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_final_training_sentences_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("run_id", "sentence_id", name=op.f("pk_final_training_sentences")),
    )
