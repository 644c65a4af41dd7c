"""Whether a project's tagger also learns from its unlabelled sentences."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("adaptation", sa.String(length=20), nullable=False, server_default="none"))
