"""A list of names for each project, and which known names people saw when they labelled."""

import sqlalchemy as sa
from alembic import op

revision = "r0015"
down_revision = "r0014"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "listed_names",
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_listed_names_name_not_empty")),
        sa.ForeignKeyConstraint(
            ["project_id", "label"],
            ["labels.project_id", "labels.name"],
            name=op.f("fk_listed_names_project_id_labels"),
        ),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_listed_names")),
    )
    # By hand: Alembic would add the constraint in a statement of its own, which SQLite has not.
    op.execute(
        "ALTER TABLE annotations ADD COLUMN names_shown JSON "
        "CONSTRAINT ck_annotations_no_names_for_reserve CHECK (split = 'pool' OR names_shown IS NULL)"
    )
