"""Sentences that several people label (a row of the queue for each), and what sentences are written in and people read."""

import sqlalchemy as sa
from alembic import op

from storage.scripts import written_in

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
HELD = sa.text("leased_until IS NOT NULL")
QUEUE = "sentence_id, project_id, split, rank, annotator_id, client, leased_until"


def upgrade() -> None:
    # By hand: Alembic would add the constraint in a statement of its own, which SQLite has not.
    for column in (
        "projects ADD COLUMN overlap INTEGER DEFAULT '1' NOT NULL CONSTRAINT ck_projects_overlap CHECK (overlap >= 1)",
        "projects ADD COLUMN overlap_share FLOAT DEFAULT '0.1' NOT NULL "
        "CONSTRAINT ck_projects_overlap_share CHECK (overlap_share >= 0 AND overlap_share <= 1)",
        "selections ADD COLUMN seats INTEGER DEFAULT '1' NOT NULL CONSTRAINT ck_selections_seats CHECK (seats >= 1)",
    ):
        op.execute(f"ALTER TABLE {column}")
    op.add_column("annotators", sa.Column("reads", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("sentences", sa.Column("written_in", sa.String(length=40), nullable=True))
    _detect()
    _give_seats()


def _detect() -> None:
    sentences = sa.table(
        "sentences",
        sa.column("id", ROW_ID),
        sa.column("tokens", sa.JSON()),
        sa.column("meta", sa.JSON()),
        sa.column("written_in", sa.String()),
    )
    connection = op.get_bind()
    page = sa.select(sentences.c.id, sentences.c.tokens, sentences.c.meta).order_by(sentences.c.id).limit(5_000)
    change = sentences.update().where(sentences.c.id == sa.bindparam("this")).values(written_in=sa.bindparam("found"))
    after = 0
    while rows := connection.execute(page.where(sentences.c.id > after)).all():
        connection.execute(change, [{"this": row.id, "found": written_in(row.tokens, row.meta)} for row in rows])
        after = rows[-1].id


def _give_seats() -> None:
    """A new table, since SQLite cannot change a primary key."""
    op.execute("CREATE TABLE queue_before AS SELECT * FROM queue")
    op.drop_table("queue")
    op.create_table(
        "queue",
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("seat", sa.Integer(), nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("annotator_id", ROW_ID, nullable=True),
        sa.Column("client", sa.String(length=100), nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.CheckConstraint(
            "(annotator_id IS NULL) = (leased_until IS NULL) AND (client IS NULL) = (leased_until IS NULL)",
            name=op.f("ck_queue_whole_lease"),
        ),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"], name=op.f("fk_queue_annotator_id_annotators")),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["selections.sentence_id", "selections.project_id", "selections.split"],
            name=op.f("fk_queue_sentence_id_selections"),
        ),
        sa.PrimaryKeyConstraint("sentence_id", "seat", name=op.f("pk_queue")),
    )
    op.create_index(
        "ix_queue_leases",
        "queue",
        ["project_id", "split", "annotator_id", "client"],
        unique=False,
        sqlite_where=HELD,
        postgresql_where=HELD,
    )
    op.create_index(op.f("ix_queue_project_id_split_rank"), "queue", ["project_id", "split", "rank"], unique=False)
    op.execute(f"INSERT INTO queue ({QUEUE}, seat) SELECT {QUEUE}, 0 FROM queue_before")
    op.drop_table("queue_before")
