"""Every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "annotators",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=700), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotators")),
        sa.UniqueConstraint("name_key", name=op.f("uq_annotators_name_key")),
    )
    op.create_table(
        "projects",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("guidelines", sa.Text(), nullable=False),
        sa.Column("retrain_every", sa.Integer(), nullable=False),
        sa.Column("retrain_after_seconds", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.String(length=100), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("backbone", sa.Text(), nullable=False),
        sa.Column("preset", sa.String(length=40), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("suggest_when", sa.String(length=10), nullable=False),
        sa.Column("suggestion_threshold", sa.Float(), nullable=False),
        sa.Column("reserve_fraction", sa.Float(), nullable=False),
        sa.Column("split_salt", sa.String(length=64), nullable=False),
        sa.Column("retrain_requested", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("direction IN ('auto', 'ltr', 'rtl')", name=op.f("ck_projects_direction")),
        sa.CheckConstraint("suggest_when IN ('always', 'earned', 'never')", name=op.f("ck_projects_suggest_when")),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_projects_name_not_empty")),
        sa.CheckConstraint("reserve_fraction >= 0 AND reserve_fraction < 1", name=op.f("ck_projects_reserve_fraction")),
        sa.CheckConstraint("retrain_after_seconds >= 0", name=op.f("ck_projects_retrain_after_seconds")),
        sa.CheckConstraint("retrain_every >= 1", name=op.f("ck_projects_retrain_every")),
        sa.CheckConstraint(
            "suggestion_threshold >= 0 AND suggestion_threshold <= 1", name=op.f("ck_projects_suggestion_threshold")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "workers",
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_workers")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=True),
        sa.Column("annotator_id", ROW_ID, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotators.id"], name=op.f("fk_audit_events_annotator_id_annotators")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_audit_events_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_project_id"), "audit_events", ["project_id"], unique=False)
    op.create_table(
        "labels",
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("color", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=10), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_labels_name_not_empty")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_labels_project_id_projects")),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_labels")),
    )
    op.create_table(
        "runs",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("seconds_left", sa.Float(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("n_train", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("served", sa.Boolean(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_runs_failure_when_failed")),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", name=op.f("ck_runs_finished_when_ended")),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name=op.f("ck_runs_state")),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_runs_attempt")),
        sa.CheckConstraint("progress >= 0 AND progress <= 1", name=op.f("ck_runs_progress")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_runs_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", "project_id", name=op.f("uq_runs_id_project_id")),
    )
    op.create_index(op.f("ix_runs_project_id"), "runs", ["project_id"], unique=False)
    op.create_table(
        "sentences",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=False),
        sa.Column("n_tokens", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("spaces", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("content_hash", sa.String(length=32), nullable=False),
        sa.Column("group_key", sa.String(length=200), nullable=True),
        sa.Column("duplicate_of", ROW_ID, nullable=True),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.CheckConstraint("split IN ('pool', 'reserve')", name=op.f("ck_sentences_split")),
        sa.CheckConstraint("duplicate_of <> id", name=op.f("ck_sentences_not_its_own_duplicate")),
        sa.CheckConstraint("n_tokens >= 1", name=op.f("ck_sentences_n_tokens")),
        sa.ForeignKeyConstraint(["duplicate_of"], ["sentences.id"], name=op.f("fk_sentences_duplicate_of_sentences")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_sentences_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sentences")),
        sa.UniqueConstraint("id", "project_id", "split", name=op.f("uq_sentences_id_project_id_split")),
    )
    op.create_index(op.f("ix_sentences_duplicate_of"), "sentences", ["duplicate_of"], unique=False)
    op.create_index(
        op.f("ix_sentences_project_id_content_hash"), "sentences", ["project_id", "content_hash"], unique=False
    )
    op.create_index(op.f("ix_sentences_project_id_group_key"), "sentences", ["project_id", "group_key"], unique=False)
    op.create_index(
        op.f("ix_sentences_project_id_split_duplicate_of"),
        "sentences",
        ["project_id", "split", "duplicate_of"],
        unique=False,
    )
    op.create_table(
        "worker_leases",
        sa.Column("project_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_worker_leases_project_id_projects")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_worker_leases")),
    )
    op.create_table(
        "annotations",
        sa.Column("seq", ROW_ID, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("annotator_id", ROW_ID, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("suggestion_run", ROW_ID, nullable=True),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("client_time", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("supersedes", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "(origin = 'evaluation') = (split = 'reserve')", name=op.f("ck_annotations_origin_matches_split")
        ),
        sa.CheckConstraint(
            "origin IN ('random', 'active', 'evaluation', 'import')", name=op.f("ck_annotations_origin")
        ),
        sa.CheckConstraint(
            "split = 'pool' OR suggestion_run IS NULL", name=op.f("ck_annotations_no_suggestion_for_reserve")
        ),
        sa.CheckConstraint("status IN ('labelled', 'skipped', 'flagged')", name=op.f("ck_annotations_status")),
        sa.CheckConstraint("length(id) > 0", name=op.f("ck_annotations_id_not_empty")),
        sa.CheckConstraint("milliseconds >= 0", name=op.f("ck_annotations_milliseconds")),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotators.id"], name=op.f("fk_annotations_annotator_id_annotators")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_annotations_sentence_id_sentences"),
        ),
        sa.ForeignKeyConstraint(
            ["suggestion_run", "project_id"],
            ["runs.id", "runs.project_id"],
            name=op.f("fk_annotations_suggestion_run_runs"),
        ),
        sa.ForeignKeyConstraint(["supersedes"], ["annotations.id"], name=op.f("fk_annotations_supersedes_annotations")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_annotations")),
        sa.UniqueConstraint("id", name=op.f("uq_annotations_id")),
        sa.UniqueConstraint("seq", "project_id", name=op.f("uq_annotations_seq_project_id")),
    )
    op.create_index(
        op.f("ix_annotations_project_id_annotator_id_imported_sentence_id"),
        "annotations",
        ["project_id", "annotator_id", "imported", "sentence_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_annotations_project_id_split_sentence_id_seq"),
        "annotations",
        ["project_id", "split", "sentence_id", "seq"],
        unique=False,
    )
    op.create_index(op.f("ix_annotations_sentence_id_seq"), "annotations", ["sentence_id", "seq"], unique=False)
    op.create_table(
        "evaluation_predictions",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.CheckConstraint("split = 'reserve'", name=op.f("ck_evaluation_predictions_only_reserve")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_evaluation_predictions_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_evaluation_predictions_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("run_id", "sentence_id", name=op.f("pk_evaluation_predictions")),
    )
    op.create_table(
        "run_training_sentences",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.CheckConstraint("split = 'pool'", name=op.f("ck_run_training_sentences_only_pool")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_run_training_sentences_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_run_training_sentences_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("run_id", "sentence_id", name=op.f("pk_run_training_sentences")),
    )
    op.create_table(
        "scores",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.CheckConstraint("split = 'pool'", name=op.f("ck_scores_only_pool")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_scores_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_scores_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("run_id", "sentence_id", name=op.f("pk_scores")),
    )
    op.create_table(
        "selections",
        sa.Column("sentence_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("strategy", sa.String(length=100), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("propensity", sa.Float(), nullable=True),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(origin = 'evaluation') = (split = 'reserve')", name=op.f("ck_selections_origin_matches_split")
        ),
        sa.CheckConstraint("origin IN ('random', 'active', 'evaluation')", name=op.f("ck_selections_origin")),
        sa.CheckConstraint(
            "propensity IS NULL OR (propensity >= 0 AND propensity <= 1)", name=op.f("ck_selections_propensity")
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_selections_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_selections_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("sentence_id", name=op.f("pk_selections")),
        sa.UniqueConstraint(
            "sentence_id", "project_id", "split", name=op.f("uq_selections_sentence_id_project_id_split")
        ),
    )
    op.create_table(
        "serving_runs",
        sa.Column("project_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_serving_runs_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_serving_runs")),
    )
    op.create_table(
        "suggestions",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("sentence_id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.Column("word_confidence", sa.JSON(), nullable=False),
        sa.CheckConstraint("split = 'pool'", name=op.f("ck_suggestions_only_pool")),
        sa.ForeignKeyConstraint(
            ["run_id", "project_id"], ["runs.id", "runs.project_id"], name=op.f("fk_suggestions_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id", "project_id", "split"],
            ["sentences.id", "sentences.project_id", "sentences.split"],
            name=op.f("fk_suggestions_sentence_id_sentences"),
        ),
        sa.PrimaryKeyConstraint("run_id", "sentence_id", name=op.f("pk_suggestions")),
    )
    op.create_table(
        "annotation_spans",
        sa.Column("annotation_seq", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.CheckConstraint('0 <= start AND start < "end"', name=op.f("ck_annotation_spans_order")),
        sa.ForeignKeyConstraint(
            ["annotation_seq", "project_id"],
            ["annotations.seq", "annotations.project_id"],
            name=op.f("fk_annotation_spans_annotation_seq_annotations"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "label"],
            ["labels.project_id", "labels.name"],
            name=op.f("fk_annotation_spans_project_id_labels"),
        ),
        sa.PrimaryKeyConstraint("annotation_seq", "start", name=op.f("pk_annotation_spans")),
    )
    op.create_index(
        op.f("ix_annotation_spans_project_id_label"), "annotation_spans", ["project_id", "label"], unique=False
    )
    op.create_table(
        "queue",
        sa.Column("sentence_id", ROW_ID, autoincrement=False, nullable=False),
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
        sa.PrimaryKeyConstraint("sentence_id", name=op.f("pk_queue")),
    )
    op.create_index(
        "ix_queue_leases",
        "queue",
        ["project_id", "split", "annotator_id", "client"],
        unique=False,
        sqlite_where=sa.text("leased_until IS NOT NULL"),
        postgresql_where=sa.text("leased_until IS NOT NULL"),
    )
    op.create_index(op.f("ix_queue_project_id_split_rank"), "queue", ["project_id", "split", "rank"], unique=False)


def downgrade() -> None:
    op.drop_table("queue")
    op.drop_table("annotation_spans")
    op.drop_table("suggestions")
    op.drop_table("serving_runs")
    op.drop_table("selections")
    op.drop_table("scores")
    op.drop_table("run_training_sentences")
    op.drop_table("evaluation_predictions")
    op.drop_table("annotations")
    op.drop_table("worker_leases")
    op.drop_table("sentences")
    op.drop_table("runs")
    op.drop_table("labels")
    op.drop_table("audit_events")
    op.drop_table("workers")
    op.drop_table("projects")
    op.drop_table("annotators")
