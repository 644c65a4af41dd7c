"""Every selection knows its seed, every score the plain doubt beside it: rounds can be replayed and compared."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("selections", sa.Column("seed", sa.BigInteger(), nullable=True))
    op.add_column("scores", sa.Column("doubt", sa.Float(), nullable=True))
