"""A share of the sentences drawn by chance to compare with chosen ones, and what comes of the comparison."""

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # By hand: Alembic would add the constraint in a statement of its own, which SQLite has not.
    op.execute(
        "ALTER TABLE projects ADD COLUMN control_share FLOAT DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_projects_control_share CHECK (control_share >= 0 AND control_share <= 1)"
    )
    op.create_table(
        "arm_measures",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("arm", sa.String(length=10), nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("n_labels", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("predictions", sa.JSON(), nullable=False),
        sa.CheckConstraint("arm IN ('chance', 'choice')", name=op.f("ck_arm_measures_arm")),
        sa.CheckConstraint("n_labels >= 1", name=op.f("ck_arm_measures_n_labels")),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_arm_measures_seconds")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_arm_measures_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("run_id", "arm", name=op.f("pk_arm_measures")),
    )
