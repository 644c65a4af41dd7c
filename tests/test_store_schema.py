"""The promises the schema keeps by itself, each broken on purpose past the store, on SQLite and PostgreSQL."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from first_release import all_rows, lost, open_first_release
from schema_rows import Row, example_rows
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError
from store_helpers import RawDatabase

from storage import Store
from storage.columns import Base

FOREIGN_KEY = "foreign key"  # SQLite does not say which one


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
