"""Snapshots: an earlier state comes out again byte by byte, whatever happened since, and two can be compared."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from store_helpers import add, add_pool, draft, new_project, save, start_run
from test_gold import Event, decide, events, replay

from annotation.cli import main
from annotation.exporting import ExportOptions, export_stream
from annotation.snapshots import compare
from maner_core.errors import InvalidInput, NotFound, Refused
from storage import DecisionKind, NewSentence, Project, Split, Store

EVERYTHING = "labelled,skipped,flagged,unlabelled"


def exported(store: Store, project: Project, **state: str) -> dict[str, str]:
    """The whole project in two formats."""
    return {
        format: "".join(
            export_stream(
                store,
                store.project(project.id),
                ExportOptions.parse({"format": format, "include": EVERYTHING, **state}),
            )
        )
        for format in ("jsonl", "conll")
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events, events)
def test_a_snapshot_gives_the_same_bytes_after_more_labels_decisions_undoing_and_imports(
    sqlite_store: Store, before: list[Event], after: list[Event]
) -> None:
    project = new_project(sqlite_store, f"p{len(sqlite_store.projects())}")
    ids = add(sqlite_store, project, "one two three four", "one two three four", "five six seven eight", "nine ten a b")
    replay(sqlite_store, project, ids[1:], before)
    sqlite_store.create_snapshot(project.id, "then", sqlite_store.annotator("Lead").id)
    at = datetime.now(UTC).isoformat()
    first = exported(sqlite_store, project, snapshot="then")
    replay(sqlite_store, project, ids[1:], after)
    twins = [NewSentence(tuple(text.split()), split=Split.RESERVE) for text in ("one two three four", "nine ten a b")]
    sqlite_store.add_sentences(project.id, twins, None, "later")
    add_pool(sqlite_store, project, 1)
    assert exported(sqlite_store, project, snapshot="then") == first
    assert exported(sqlite_store, project, as_of=at) == first


def test_two_snapshots_are_compared_by_what_counts(store: Store) -> None:
    project, asha, chiku = new_project(store), store.annotator("Asha").id, store.annotator("Chiku").id
    kept, changed, added, removed = add_pool(store, project, 4)
    made = {sentence: draft(sentence, (0, 1, "PER")) for sentence in (kept, changed, removed)}
    save(store, project, asha, *made.values())
    first = store.create_snapshot(project.id, "first", asha)
    decide(store, project, chiku, changed, DecisionKind.EDIT, sources=(made[changed].id,))
    decide(store, project, chiku, kept, DecisionKind.TAKE, sources=(made[kept].id,))
    decide(store, project, chiku, removed, DecisionKind.SEND_BACK, sources=(made[removed].id,), comment="again")
    save(store, project, asha, draft(added))
    second = store.create_snapshot(project.id, "second", asha)
    found = compare(store, project.id, first.moment, second.moment)
    assert (found.added, found.removed, found.changed, found.same) == ((added,), (removed,), (changed,), 1)
    assert [snapshot.name for snapshot in store.snapshots(project.id)] == ["first", "second"]


def test_a_name_is_taken_once_and_an_unknown_one_is_told_what_there_is(sqlite_store: Store) -> None:
    project, lead = new_project(sqlite_store), sqlite_store.annotator("Lead").id
    sqlite_store.create_snapshot(project.id, " May  2026 ", lead)
    with pytest.raises(Refused, match="already a snapshot named 'May 2026'"):
        sqlite_store.create_snapshot(project.id, "May 2026", lead)
    with pytest.raises(InvalidInput, match="1 to 200"):
        sqlite_store.create_snapshot(project.id, " ", lead)
    with pytest.raises(NotFound, match="there are: May 2026"):
        sqlite_store.snapshot(project.id, "June")
    with pytest.raises(InvalidInput, match="not both"):
        ExportOptions(snapshot="May 2026", as_of="2026-11-27T08:00Z")
    with pytest.raises(InvalidInput, match="time zone"):
        exported(sqlite_store, project, as_of="2026-11-27T08:00")


def test_the_data_of_a_run_can_be_frozen_later(sqlite_store: Store) -> None:
    project, asha = new_project(sqlite_store), sqlite_store.annotator("Asha").id
    first, second = add_pool(sqlite_store, project, 2)
    save(sqlite_store, project, asha, draft(first))
    run = start_run(sqlite_store, project, watermark=sqlite_store.max_seq(project.id))
    save(sqlite_store, project, asha, draft(second))
    snapshot = sqlite_store.create_snapshot(project.id, "run", asha, run_id=run)
    lines = exported(sqlite_store, project, snapshot="run")["jsonl"].splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["labelled", "unlabelled"]
    assert snapshot.run_id == run
    assert sqlite_store.snapshots_of_run(run) == [snapshot]


def test_a_run_knows_the_snapshots_of_just_what_it_was_trained_on(store: Store) -> None:
    project, asha = new_project(store), store.annotator("Asha").id
    first, second = add_pool(store, project, 2)
    save(store, project, asha, draft(first))
    same = store.create_snapshot(project.id, "same", asha)
    run = start_run(store, project, watermark=store.max_seq(project.id))
    again = store.create_snapshot(project.id, "again", asha)
    add_pool(store, project, 1)
    store.create_snapshot(project.id, "more sentences", asha)
    save(store, project, asha, draft(second))
    store.create_snapshot(project.id, "more labels", asha)
    assert store.snapshots_of_run(run) == [same, again]
    with pytest.raises(NotFound):
        store.snapshots_of_run(run + 1)


def test_the_commands_freeze_list_compare_export_and_tell_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.delenv("MANER_DATABASE_URL", raising=False)
    store = Store(f"sqlite:///{tmp_path / 'maner.db'}")
    store.migrate()
    project, asha, chiku = new_project(store), store.annotator("Asha").id, store.annotator("Chiku").id
    [sentence] = add(store, project, "Asha yuko Mwanza")
    made = draft(sentence, (0, 1, "PER"))
    save(store, project, asha, made)
    assert main(["snapshot", "--project", "demo", "before"]) == 0
    decide(store, project, chiku, sentence, DecisionKind.EDIT, sources=(made.id,), comment="a place")
    assert main(["snapshot", "--project", "demo", "after"]) == 0
    assert main(["export", "--project", "demo", "--snapshot", "before", str(tmp_path / "out.conll")]) == 0
    assert (tmp_path / "out.conll").read_text() == "Asha B-PER\nyuko O\nMwanza O\n\n"
    capsys.readouterr()
    assert main(["snapshots", "--project", "demo", "--compare", "before", "after", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == [sentence]
    assert main(["snapshots", "--project", "demo"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["before", "after"]
    assert main(["history", "--project", "demo", str(sentence)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "  imported from test for the pool",
        "Asha  labelled: Asha PER",
        "Chiku  decided, from Asha, labelled: no name (a place)",
    ]
    store.close()
