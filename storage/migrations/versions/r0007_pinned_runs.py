"""A person may pin the run that serves."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("serving_runs", sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false()))
