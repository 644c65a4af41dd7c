"""A share of the pool is labelled without seeing suggestions; projects there are go on showing them everywhere."""

from alembic import op

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By hand: Alembic would add the constraint in a statement of its own, which SQLite has not.
    op.execute(
        "ALTER TABLE projects ADD COLUMN blind_share FLOAT DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_projects_blind_share CHECK (blind_share >= 0 AND blind_share <= 1)"
    )
