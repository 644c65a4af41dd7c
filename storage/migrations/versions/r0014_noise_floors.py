"""How far two trainings on the same labels differ, measured by itself unless a project does not want it."""

import sqlalchemy as sa
from alembic import op

revision = "r0014"
down_revision = "r0013"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("projects", sa.Column("measure_noise", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "noise_floors",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("n_labels", sa.Integer(), nullable=False),
        sa.Column("f1", sa.Float(), nullable=True),
        sa.Column("sentences", sa.Integer(), nullable=False),
        sa.CheckConstraint("n_labels >= 1", name=op.f("ck_noise_floors_n_labels")),
        sa.CheckConstraint("f1 >= 0 AND f1 <= 1", name=op.f("ck_noise_floors_f1")),
        sa.CheckConstraint("sentences >= 0", name=op.f("ck_noise_floors_sentences")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_noise_floors_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_noise_floors")),
    )
