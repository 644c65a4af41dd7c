"""The promises the schema keeps by itself, each broken on purpose past the store, on SQLite and PostgreSQL."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from first_release import all_rows, lost, open_first_release
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError
from store_helpers import RawDatabase, add_pool, add_reserve, draft, item, new_project, save, start_run

from storage import DecisionDraft, DecisionKind, Store
from storage.columns import Base

AT = "2026-05-01 12:00:00+00"
FOREIGN_KEY = "foreign key"  # SQLite does not say which one

Row = dict[str, Any]


@pytest.fixture(scope="module")
def shared_raw(shared_url: str) -> Iterator[RawDatabase]:
    """SQL past the store, on a database in which every statement fails."""
    raw = RawDatabase(shared_url)
    yield raw
    raw.close()


@pytest.fixture(scope="module")
def rows(shared_url: str, shared_raw: RawDatabase) -> dict[str, Row]:
    """Example rows for that database."""
    store = Store(shared_url)
    rows = example_rows(store, shared_raw)
    store.close()
    return rows


def example_rows(store: Store, raw: RawDatabase) -> dict[str, Row]:
    """For each table a row that may be inserted, around one small project and a second one to be kept apart."""
    at = AT.removesuffix("+00") + ".000000" if raw.engine.dialect.name == "sqlite" else AT
    project, other = new_project(store), new_project(store, "other")
    in_pool, queued, annotated = add_pool(store, project, 3)
    [reserved] = add_reserve(store, project, 1)
    [foreign] = add_pool(store, other, 1)
    asha = store.annotator("Asha").id
    old = draft(annotated, (0, 1, "PER"))
    save(store, project, asha, old)
    store.fill_queue(project.id, [item(queued), item(in_pool, 1)], replace=False)
    raw.execute("DELETE FROM queue WHERE sentence_id = :id", id=queued)
    run, foreign_run = start_run(store, project), start_run(store, other)
    [(seq,)] = raw.execute("SELECT seq FROM annotations WHERE id = :id", id=old.id)
    take = DecisionDraft(annotated, DecisionKind.TAKE, (old.id,), seen_annotation=seq)
    taken = store.decide(project.id, store.annotator("Baraka").id, take)
    raw.execute("DELETE FROM gold_decision_sources")
    check = {"id": 60, "project": project.id, "run": run, "at": at}
    raw.execute(
        "INSERT INTO label_checks (id, project_id, run_id, folds, n_sentences, watermark, decision_watermark, made_at) "
        "VALUES (:id, :project, :run, 3, 1, 0, 0, :at)",
        **check,
    )
    store.save_starting_read(other.id, "x", 1, 1)
    final_run = start_run(store, project)
    raw.execute("INSERT INTO final_runs VALUES (:run, :project, :by)", run=final_run, project=project.id, by=asha)
    fresh = add_pool(store, project, 1)[0]
    of_pool = {"sentence_id": fresh, "project_id": project.id, "split": "pool"}
    settings = {"language": "", "direction": "auto", "guidelines": "", "strategy": "", "system": "", "preset": ""}
    return {
        "ids": {
            "reserved": reserved,
            "foreign": foreign,
            "foreign_run": foreign_run,
            "other": other.id,
            "old": old.id,
            "in_pool": in_pool,
            "run": run,
            "nobody": store.annotator("Nobody").id,
        },
        "annotations": {
            **of_pool,
            "id": "new",
            "annotator_id": asha,
            "status": "labelled",
            "origin": "random",
            "imported": False,
            "comment": "",
            "suggestion_run": run,
            "milliseconds": 0,
            "client_time": at,
            "created_at": at,
            "supersedes": None,
        },
        "annotation_spans": {"annotation_seq": seq, "project_id": project.id, "start": 1, "end": 2, "label": "PER"},
        "gold_decisions": {
            "sentence_id": annotated,
            "project_id": project.id,
            "split": "pool",
            "kind": "edit",
            "status": "labelled",
            "decided_by": asha,
            "decided_at": at,
            "comment": "",
            "run_id": run,
            "annotation_seq": seq,
            "supersedes": taken.seq,
        },
        "gold_decision_sources": {"decision_seq": taken.seq, "annotation_seq": seq, "project_id": project.id},
        "gold_decision_spans": {
            "decision_seq": taken.seq,
            "project_id": project.id,
            "start": 1,
            "end": 2,
            "label": "PER",
        },
        "label_checks": {
            "id": 70,
            "project_id": project.id,
            "run_id": run,
            "folds": 3,
            "n_sentences": 1,
            "watermark": seq,
            "decision_watermark": 0,
            "made_at": at,
        },
        "snapshots": {
            "project_id": project.id,
            "name": "first",
            "made_by": asha,
            "made_at": at,
            "annotation_seq": seq,
            "decision_seq": 0,
            "sentence_id": fresh,
            "run_id": run,
            "settings": "{}",
        },
        "former_duplicates": {"sentence_id": fresh, "until_sentence": fresh, "duplicate_of": in_pool},
        "label_doubts": {**of_pool, "check_id": 60, "quality": 0.1, "sure": True, "spans": "[]"},
        "suggestions": {**of_pool, "run_id": run, "spans": "[]", "word_confidence": "[]"},
        "scores": {**of_pool, "run_id": run, "score": 0.5},
        "hidden_sentences": {**of_pool, "run_id": run, "like_sentence": annotated},
        "run_training_sentences": {**of_pool, "run_id": run},
        "evaluation_predictions": {
            "sentence_id": reserved,
            "project_id": project.id,
            "split": "reserve",
            "run_id": run,
            "spans": "[]",
        },
        "selections": {
            **of_pool,
            "origin": "active",
            "rank": 1,
            "strategy": "mnlp",
            "score": 0.5,
            "propensity": 0.5,
            "run_id": run,
            "round": 1,
            "reason": "",
        },
        "queue": {
            "sentence_id": queued,
            "seat": 0,
            "project_id": project.id,
            "split": "pool",
            "rank": 1,
            "annotator_id": asha,
            "client": "tab",
            "leased_until": at,
        },
        "projects": {
            **settings,
            "name": "third",
            "backbone": "",
            "retrain_every": 1,
            "retrain_after_seconds": 0,
            "seed": 1,
            "suggest_when": "always",
            "suggestion_threshold": 1.0,
            "reserve_fraction": 0.0,
            "split_salt": "",
            "retrain_requested": False,
            "created_at": at,
        },
        "labels": {
            "project_id": project.id,
            "name": "DATE",
            "color": "",
            "key": "",
            "description": "",
            "position": 9,
        },
        "listed_names": {"project_id": project.id, "name": "Mwanza", "label": "LOC", "added_at": at},
        "runs": {
            "project_id": project.id,
            "round": 1,
            "state": "failed",
            "phase": "",
            "progress": 1.0,
            "message": "",
            "attempt": 1,
            "config": "{}",
            "seed": 1,
            "watermark": 0,
            "n_train": 0,
            "metrics": "{}",
            "failure": "why",
            "served": False,
            "started_at": at,
            "heartbeat_at": at,
            "finished_at": at,
        },
        "arm_measures": {
            "run_id": run,
            "arm": "chance",
            "project_id": project.id,
            "n_labels": 1,
            "seconds": 0.0,
            "predictions": "[]",
        },
        "final_requests": {"project_id": project.id, "requested_by": asha, "requested_at": at},
        "final_runs": {"run_id": run, "project_id": project.id, "requested_by": asha},
        "final_training_sentences": {
            "run_id": final_run,
            "sentence_id": reserved,
            "project_id": project.id,
            "split": "reserve",
        },
        "noise_floors": {"run_id": run, "project_id": project.id, "n_labels": 1, "f1": None, "sentences": 0},
        "starting_reads": {"project_id": project.id, "tagger": "x", "seed": 1, "n_pool": 1, "made_at": at},
        "starting_scores": {"project_id": other.id, "sentence_id": foreign, "split": "pool", "score": 0.5, "names": 0},
        "serving_runs": {"project_id": project.id, "run_id": run, "pinned": True},
        "sentences": {
            "id": 500,
            "project_id": project.id,
            "tokens": '["a"]',
            "n_tokens": 1,
            "source": "",
            "split": "pool",
            "content_hash": "x",
            "duplicate_of": in_pool,
            "meta": "{}",
        },
        "annotators": {"name": "Ben", "name_key": "ben"},
        "accounts": {
            "annotator_id": asha,
            "password_hash": "x",
            "identity": "y",
            "administrator": False,
            "disabled": False,
            "created_at": at,
        },
        "roles": {"project_id": project.id, "annotator_id": asha, "role": "lead"},
        "sessions": {"token_hash": "x", "annotator_id": asha, "created_at": at, "seen_at": at},
        "invitations": {
            "token_hash": "x",
            "project_id": project.id,
            "role": "annotator",
            "name": "",
            "invited_by": asha,
            "created_at": at,
            "expires_at": at,
            "used_at": at,
            "used_by": asha,
        },
        "sign_in_tries": {"key": "x", "failures": 1, "last_at": at, "free_at": at},
        "worker_leases": {"project_id": project.id, "holder": "first", "until": at},
        "workers": {"holder": "first", "state": "idle", "seen_at": at},
        "audit_events": {"project_id": project.id, "annotator_id": asha, "at": at, "kind": "x", "details": "{}"},
    }


def insert(raw: RawDatabase, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    raw.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", **row)


def test_every_example_row_is_accepted(store: Store, raw: RawDatabase) -> None:
    rows = example_rows(store, raw)
    tables = [table for table in rows if table != "ids"]
    assert sorted(tables) == sorted(Base.metadata.tables)
    for table in tables:
        insert(raw, table, rows[table])


# table, what is changed in the example row ("@name" stands for one of the ids), the constraint that must say no
BROKEN: list[tuple[str, Row, str]] = [
    ("annotations", {"origin": "evaluation"}, "origin_matches_split"),
    ("annotations", {"sentence_id": "@reserved"}, FOREIGN_KEY),
    ("annotations", {"sentence_id": "@reserved", "split": "reserve", "suggestion_run": None}, "origin_matches_split"),
    (
        "annotations",
        {"sentence_id": "@reserved", "split": "reserve", "suggestion_run": None, "origin": "import"},
        "origin_matches_split",
    ),
    (
        "annotations",
        {"sentence_id": "@reserved", "split": "reserve", "origin": "evaluation"},
        "no_suggestion_for_reserve",
    ),
    ("annotations", {"split": "reserve", "origin": "evaluation", "suggestion_run": None}, FOREIGN_KEY),
    ("annotations", {"id": "@old"}, "unique"),
    ("annotations", {"id": ""}, "id_not_empty"),
    ("annotations", {"status": "unlabelled"}, "ck_annotations_status"),
    ("annotations", {"origin": "guess"}, "ck_annotations_origin"),
    ("annotations", {"milliseconds": -1}, "milliseconds"),
    ("annotations", {"sentence_id": "@foreign"}, FOREIGN_KEY),
    ("annotations", {"suggestion_run": "@foreign_run"}, FOREIGN_KEY),
    ("annotations", {"annotator_id": 999}, FOREIGN_KEY),
    ("annotations", {"supersedes": "nothing"}, FOREIGN_KEY),
    ("annotation_spans", {"start": 2}, "order"),
    ("annotation_spans", {"start": 3}, "order"),
    ("annotation_spans", {"start": -1}, "order"),
    ("annotation_spans", {"start": 0}, "unique"),
    ("annotation_spans", {"label": "DATE"}, FOREIGN_KEY),
    ("annotation_spans", {"project_id": "@other"}, FOREIGN_KEY),
    ("annotation_spans", {"annotation_seq": 999}, FOREIGN_KEY),
    ("gold_decisions", {"kind": "keep"}, "ck_gold_decisions_kind"),
    ("gold_decisions", {"status": "flagged"}, "ck_gold_decisions_status"),
    ("gold_decisions", {"status": None}, "outcome"),
    ("gold_decisions", {"kind": "undo"}, "outcome"),
    ("gold_decisions", {"kind": "undo", "status": None, "supersedes": None}, "undo_of_something"),
    ("gold_decisions", {"kind": "send_back", "status": None}, "sent_back_with_a_reason"),
    ("gold_decisions", {"sentence_id": "@reserved", "split": "reserve", "supersedes": None}, "no_run_for_reserve"),
    ("gold_decisions", {"sentence_id": "@in_pool"}, FOREIGN_KEY),
    ("gold_decisions", {"sentence_id": "@foreign", "supersedes": None}, FOREIGN_KEY),
    ("gold_decisions", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("gold_decisions", {"annotation_seq": 999}, FOREIGN_KEY),
    ("gold_decisions", {"decided_by": 999}, FOREIGN_KEY),
    ("gold_decision_sources", {"decision_seq": 999}, FOREIGN_KEY),
    ("gold_decision_sources", {"project_id": "@other"}, FOREIGN_KEY),
    ("gold_decision_spans", {"start": 2}, "order"),
    ("gold_decision_spans", {"start": 0}, "unique"),
    ("gold_decision_spans", {"label": "DATE"}, FOREIGN_KEY),
    ("snapshots", {"name": ""}, "name_not_empty"),
    ("snapshots", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("snapshots", {"made_by": 999}, FOREIGN_KEY),
    ("former_duplicates", {"sentence_id": 999}, FOREIGN_KEY),
    ("label_checks", {"folds": 1}, "folds"),
    ("label_checks", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("label_doubts", {"quality": 1.1}, "quality"),
    ("label_doubts", {"check_id": 999}, FOREIGN_KEY),
    ("label_doubts", {"sentence_id": "@reserved", "split": "reserve"}, "only_pool"),
    ("label_doubts", {"sentence_id": "@foreign"}, FOREIGN_KEY),
    *(
        (table, change, constraint)
        for table in ("suggestions", "scores", "run_training_sentences")
        for change, constraint in (
            ({"sentence_id": "@reserved", "split": "reserve"}, "only_pool"),
            ({"sentence_id": "@reserved"}, FOREIGN_KEY),
            ({"split": "reserve"}, "only_pool"),
            ({"sentence_id": "@foreign"}, FOREIGN_KEY),
            ({"run_id": "@foreign_run"}, FOREIGN_KEY),
        )
    ),
    ("evaluation_predictions", {"sentence_id": "@in_pool", "split": "pool"}, "only_reserve"),
    ("evaluation_predictions", {"sentence_id": "@in_pool"}, FOREIGN_KEY),
    ("evaluation_predictions", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("hidden_sentences", {"sentence_id": "@reserved", "split": "reserve"}, "only_pool"),
    ("hidden_sentences", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("hidden_sentences", {"like_sentence": 999}, FOREIGN_KEY),
    ("selections", {"origin": "evaluation"}, "origin_matches_split"),
    ("selections", {"sentence_id": "@reserved", "split": "reserve"}, "origin_matches_split"),
    ("selections", {"sentence_id": "@reserved", "split": "reserve", "origin": "random"}, "origin_matches_split"),
    ("selections", {"sentence_id": "@reserved"}, FOREIGN_KEY),
    ("selections", {"origin": "import"}, "ck_selections_origin"),
    ("selections", {"sentence_id": "@foreign"}, FOREIGN_KEY),
    ("selections", {"sentence_id": "@in_pool"}, "unique"),
    ("selections", {"propensity": 1.5}, "propensity"),
    ("selections", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("selections", {"seats": 0}, "seats"),
    ("queue", {"sentence_id": "@in_pool"}, "unique"),
    ("queue", {"sentence_id": "@reserved"}, FOREIGN_KEY),
    ("queue", {"split": "reserve"}, FOREIGN_KEY),
    ("queue", {"project_id": "@other"}, FOREIGN_KEY),
    ("queue", {"client": None}, "whole_lease"),
    ("queue", {"annotator_id": None}, "whole_lease"),
    ("queue", {"leased_until": None}, "whole_lease"),
    ("queue", {"annotator_id": 999}, FOREIGN_KEY),
    ("projects", {"name": "demo"}, "unique"),
    ("projects", {"name": ""}, "name_not_empty"),
    ("projects", {"direction": "up"}, "direction"),
    ("projects", {"suggest_when": "often"}, "suggest_when"),
    ("projects", {"retrain_every": 0}, "retrain_every"),
    ("projects", {"retrain_after_seconds": -1}, "retrain_after_seconds"),
    ("projects", {"suggestion_threshold": 1.01}, "suggestion_threshold"),
    ("projects", {"suggestion_threshold": -0.01}, "suggestion_threshold"),
    ("projects", {"reserve_fraction": 1.0}, "reserve_fraction"),
    ("projects", {"reserve_fraction": -0.01}, "reserve_fraction"),
    ("projects", {"overlap": 0}, "overlap"),
    ("projects", {"overlap_share": 1.01}, "overlap_share"),
    ("projects", {"overlap_share": -0.01}, "overlap_share"),
    ("projects", {"blind_share": 1.01}, "blind_share"),
    ("projects", {"control_share": 1.01}, "control_share"),
    ("arm_measures", {"arm": "luck"}, "ck_arm_measures_arm"),
    ("arm_measures", {"n_labels": 0}, "n_labels"),
    ("arm_measures", {"seconds": -1}, "seconds"),
    ("arm_measures", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("final_requests", {"requested_by": 999}, FOREIGN_KEY),
    ("final_runs", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("final_training_sentences", {"sentence_id": "@in_pool", "split": "pool"}, "only_reserve"),
    ("final_training_sentences", {"sentence_id": "@in_pool"}, FOREIGN_KEY),
    ("final_training_sentences", {"run_id": "@run"}, FOREIGN_KEY),
    ("noise_floors", {"n_labels": 0}, "n_labels"),
    ("noise_floors", {"f1": 1.01}, "f1"),
    ("noise_floors", {"sentences": -1}, "sentences"),
    ("noise_floors", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("starting_reads", {"n_pool": -1}, "n_pool"),
    ("starting_reads", {"project_id": 999}, FOREIGN_KEY),
    ("starting_scores", {"sentence_id": "@reserved", "split": "reserve"}, "only_pool"),
    ("starting_scores", {"sentence_id": "@in_pool"}, FOREIGN_KEY),
    ("starting_scores", {"score": -0.1}, "score"),
    ("starting_scores", {"names": -1}, "names"),
    ("labels", {"name": ""}, "name_not_empty"),
    ("labels", {"name": "PER"}, "unique"),
    ("labels", {"project_id": 999}, FOREIGN_KEY),
    ("runs", {"state": "paused", "failure": None}, "ck_runs_state"),
    ("runs", {"state": "running", "failure": None}, "finished_when_ended"),
    ("runs", {"state": "done"}, "failure_when_failed"),
    ("runs", {"failure": None}, "failure_when_failed"),
    ("runs", {"finished_at": None}, "finished_when_ended"),
    ("runs", {"progress": 1.01}, "progress"),
    ("runs", {"attempt": 0}, "attempt"),
    ("runs", {"project_id": 999}, FOREIGN_KEY),
    ("serving_runs", {"run_id": "@foreign_run"}, FOREIGN_KEY),
    ("serving_runs", {"run_id": 999}, FOREIGN_KEY),
    ("sentences", {"split": "train"}, "ck_sentences_split"),
    ("sentences", {"n_tokens": 0}, "n_tokens"),
    ("sentences", {"duplicate_of": 500}, "not_its_own_duplicate"),
    ("sentences", {"duplicate_of": 999}, FOREIGN_KEY),
    ("sentences", {"project_id": 999}, FOREIGN_KEY),
    ("annotators", {"name_key": "asha"}, "unique"),
    ("accounts", {"annotator_id": 999}, FOREIGN_KEY),
    ("accounts", {"password_hash": None, "identity": None}, "way_in"),
    ("roles", {"role": "owner"}, "ck_roles_role"),
    ("roles", {"project_id": 999}, FOREIGN_KEY),
    ("roles", {"annotator_id": 999}, FOREIGN_KEY),
    ("sessions", {"annotator_id": "@nobody"}, FOREIGN_KEY),
    ("invitations", {"role": "owner"}, "ck_invitations_role"),
    ("invitations", {"role": None}, "role_in_project"),
    ("invitations", {"project_id": None}, "role_in_project"),
    ("invitations", {"used_by": None}, "whole_use"),
    ("invitations", {"used_at": None}, "whole_use"),
    ("worker_leases", {"project_id": 999}, FOREIGN_KEY),
    ("audit_events", {"annotator_id": 999}, FOREIGN_KEY),
]


@pytest.mark.parametrize(
    ("table", "change", "constraint"),
    BROKEN,
    ids=[f"{table}-{'-'.join(f'{name}={value}' for name, value in change.items())}" for table, change, _ in BROKEN],
)
def test_the_database_refuses_a_broken_row(
    rows: dict[str, Row], shared_raw: RawDatabase, table: str, change: Row, constraint: str
) -> None:
    ids = rows["ids"]
    change = {
        name: ids[value[1:]] if isinstance(value, str) and value.startswith("@") else value
        for name, value in change.items()
    }
    with pytest.raises(IntegrityError, match=f"(?i){constraint}"):
        insert(shared_raw, table, {**rows[table], **change})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sentences SET split = 'reserve' WHERE id = (SELECT max(sentence_id) FROM annotations)",
        "UPDATE sentences SET split = 'reserve' WHERE id = (SELECT max(sentence_id) FROM queue)",
        "DELETE FROM sentences WHERE id = (SELECT max(sentence_id) FROM annotations)",
        "DELETE FROM labels WHERE name = 'PER'",
        "DELETE FROM annotators WHERE name = 'Asha'",
        "DELETE FROM annotations",
        "DELETE FROM selections WHERE sentence_id IN (SELECT sentence_id FROM queue)",
    ],
)
def test_the_database_refuses_to_pull_the_ground_from_under_a_row(
    rows: dict[str, Row], shared_raw: RawDatabase, statement: str
) -> None:
    with pytest.raises(IntegrityError, match=f"(?i){FOREIGN_KEY}"):
        shared_raw.execute(statement)


def test_only_one_run_serves_a_project(store: Store, raw: RawDatabase) -> None:
    rows = example_rows(store, raw)
    insert(raw, "serving_runs", rows["serving_runs"])
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        insert(raw, "serving_runs", rows["serving_runs"])


def test_a_decision_is_undone_once(store: Store, raw: RawDatabase) -> None:
    undo = {**example_rows(store, raw)["gold_decisions"], "kind": "undo", "status": None}
    insert(raw, "gold_decisions", undo)
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        insert(raw, "gold_decisions", undo)


def test_the_migrated_database_has_exactly_the_tables_of_the_code(empty_url: str) -> None:
    store = Store(empty_url)
    store.migrate()
    store.close()
    raw = RawDatabase(empty_url)
    with raw.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    migrated = constraints(raw.engine)
    Base.metadata.drop_all(raw.engine)
    Base.metadata.create_all(raw.engine)
    created = constraints(raw.engine)
    raw.close()
    assert sorted(created) == sorted(Base.metadata.tables)
    assert migrated == created


def test_an_upgrade_of_the_first_release_keeps_every_row(empty_url: str, tmp_path: Path) -> None:
    first = open_first_release(tmp_path / "first.db")
    before = all_rows(first)
    upgraded = Store(empty_url)
    upgraded.load("r0001", before.keys(), lambda table: [dict(row) for row in before[table]])
    first.migrate()
    assert lost(before, all_rows(first)) == lost(before, all_rows(upgraded)) == {}
    assert all(before.values())  # the first release filled every table it had
    first.close()
    upgraded.close()


def constraints(engine: Engine) -> dict[str, set[str]]:
    """Everything the database itself says of its tables; Alembic's comparison does not see CHECKs."""
    inspector = inspect(engine)
    tables = {}
    for table in inspector.get_table_names():
        found = [
            *inspector.get_check_constraints(table),
            *inspector.get_foreign_keys(table),
            *inspector.get_unique_constraints(table),
            *inspector.get_indexes(table),
            *inspector.get_columns(table),
            inspector.get_pk_constraint(table),
        ]
        tables[table] = {plain(thing) for thing in found}
    tables.pop("alembic_version", None)
    return tables


def plain(thing: object) -> str:
    """A description as text; SQL expressions by what they say, not by where they lie in memory."""
    if isinstance(thing, dict):
        return str(sorted((name, plain(value)) for name, value in thing.items()))
    return str(thing)
