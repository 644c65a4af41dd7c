"""Decisions about what counts, their sources and spans; up to which decision a run has seen them."""

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("runs", sa.Column("decision_watermark", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "gold_decisions",
        sa.Column("seq", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=True),
        sa.Column("decided_by", ROW_ID, nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("annotation_seq", ROW_ID, nullable=False),
        sa.Column("supersedes", ROW_ID, nullable=True),
        sa.CheckConstraint("kind IN ('take', 'edit', 'send_back', 'undo')", name=op.f("ck_gold_decisions_kind")),
        sa.CheckConstraint("status IN ('labelled', 'skipped')", name=op.f("ck_gold_decisions_status")),
        sa.CheckConstraint("(kind IN ('take', 'edit')) = (status IS NOT NULL)", name=op.f("ck_gold_decisions_outcome")),
        sa.CheckConstraint(
            "kind <> 'undo' OR supersedes IS NOT NULL", name=op.f("ck_gold_decisions_undo_of_something")
        ),
        sa.CheckConstraint(
            "kind <> 'send_back' OR length(comment) > 0", name=op.f("ck_gold_decisions_sent_back_with_a_reason")
        ),
        sa.CheckConstraint("split = 'pool' OR run_id IS NULL", name=op.f("ck_gold_decisions_no_run_for_reserve")),
        sa.ForeignKeyConstraint(
            ["annotation_seq", "project_id"],
            ["annotations.seq", "annotations.project_id"],
            name=op.f("fk_gold_decisions_annotation_seq_annotations"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["annotators.id"], name=op.f("fk_gold_decisions_decided_by_annotators")
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_gold_decisions_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_gold_decisions_sentence_id_sentences"),
        ),
        sa.ForeignKeyConstraint(
            ["supersedes", "sentence_id"],
            ["gold_decisions.seq", "gold_decisions.sentence_id"],
            name=op.f("fk_gold_decisions_supersedes_gold_decisions"),
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_gold_decisions")),
        sa.UniqueConstraint("seq", "project_id", name=op.f("uq_gold_decisions_seq_project_id")),
        sa.UniqueConstraint("seq", "sentence_id", name=op.f("uq_gold_decisions_seq_sentence_id")),
    )
    op.create_index(op.f("ix_gold_decisions_sentence_id_seq"), "gold_decisions", ["sentence_id", "seq"])
    op.create_index(op.f("ix_gold_decisions_project_id_seq"), "gold_decisions", ["project_id", "seq"])
    op.create_index(
        "ix_gold_decisions_undone",
        "gold_decisions",
        ["supersedes"],
        unique=True,
        sqlite_where=sa.text("kind = 'undo'"),
        postgresql_where=sa.text("kind = 'undo'"),
    )
    op.create_table(
        "gold_decision_sources",
        sa.Column("decision_seq", ROW_ID, nullable=False),
        sa.Column("annotation_seq", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["annotation_seq", "project_id"],
            ["annotations.seq", "annotations.project_id"],
            name=op.f("fk_gold_decision_sources_annotation_seq_annotations"),
        ),
        sa.ForeignKeyConstraint(
            ["decision_seq", "project_id"],
            ["gold_decisions.seq", "gold_decisions.project_id"],
            name=op.f("fk_gold_decision_sources_decision_seq_gold_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_seq", "annotation_seq", name=op.f("pk_gold_decision_sources")),
    )
    op.create_table(
        "gold_decision_spans",
        sa.Column("decision_seq", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.CheckConstraint('0 <= start AND start < "end"', name=op.f("ck_gold_decision_spans_order")),
        sa.ForeignKeyConstraint(
            ["decision_seq", "project_id"],
            ["gold_decisions.seq", "gold_decisions.project_id"],
            name=op.f("fk_gold_decision_spans_decision_seq_gold_decisions"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "label"],
            ["labels.project_id", "labels.name"],
            name=op.f("fk_gold_decision_spans_project_id_labels"),
        ),
        sa.PrimaryKeyConstraint("decision_seq", "start", name=op.f("pk_gold_decision_spans")),
    )
    op.create_index(op.f("ix_gold_decision_spans_project_id_label"), "gold_decision_spans", ["project_id", "label"])
