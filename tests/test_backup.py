"""Backup, restore and upgrade: every row is still there afterwards, or nothing was changed."""

import json
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from first_release import all_rows, lost, open_first_release
from sqlalchemy import JSON, Boolean, DateTime, Float, Integer, String
from store_helpers import RawDatabase, add_pool, draft, new_project, save

from annotation.backup import back_up, clear_of_foreign_runs, restore
from annotation.cli import main
from maner_core.errors import DatabaseUnavailable, InvalidInput, ManerError, Refused
from storage import ListedName, NameSource, NewAccount, Split, Store, SuggestedName
from storage._backup import LEFT_OUT
from storage.columns import Base


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Store]:
    """A database of the first release, with its rows."""
    store = open_first_release(tmp_path / "first.db")
    yield store
    store.close()


@pytest.fixture
def target(empty_url: str) -> Iterator[Store]:
    """A database without tables, once on SQLite and once on PostgreSQL."""
    store = Store(empty_url)
    yield store
    store.close()


# Backup and restore.


def test_a_backup_of_the_first_release_restores_as_todays_database_on_either_system(
    first: Store, target: Store, tmp_path: Path
) -> None:
    contents = back_up(first, tmp_path / "backup.zip")
    assert contents.revision == "r0001"
    assert contents.rows["annotations"] == 20
    assert restore(target, tmp_path / "backup.zip", tmp_path / "runs") == contents
    assert lost(all_rows(first), all_rows(target)) == {}
    # The next rows get numbers of their own, and the constraints are as strict as before.
    project, *_ = target.projects()
    [sentence] = add_pool(target, project, 1)
    save(target, project, target.annotator("Juma").id, draft(sentence, (0, 1, "PER")))
    foreign = draft(10**6, (0, 1, "PER"))
    _, [refused] = target.save_annotations(project.id, target.annotator("Juma").id, [foreign])
    assert refused.id == foreign.id


def test_what_one_database_holds_another_gives_back_unchanged(store: Store, target: Store, tmp_path: Path) -> None:
    project = new_project(store, guidelines="**Majina** \u202e 🙂")
    account = store.create_account(NewAccount("Asha", password_hash="x"), administrator=True)
    store.replace_names(project.id, [ListedName("Dar es Salaam", "LOC")], "places.tsv", account.annotator_id)
    seen = SuggestedName(3, 4, "LOC", NameSource.SEEN, seen_in=1)
    for sentence in add_pool(store, project, 3):
        one = draft(sentence, (0, 2, "ORG"), comment="=1+1\n", names_shown=(seen,))
        save(store, project, account.annotator_id, one)
    back_up(store, tmp_path / "backup.zip")
    restore(target, tmp_path / "backup.zip", tmp_path / "runs")
    assert all_rows(target) == all_rows(store)
    assert target.listed_names(project.id) == [ListedName("Dar es Salaam", "LOC")]
    assert {item.annotation.names_shown for item in target.labelled(project.id, Split.POOL)} == {(seen,)}


def test_the_references_of_a_restored_database_are_the_migrated_ones(
    first: Store, target: Store, tmp_path: Path
) -> None:
    back_up(first, tmp_path / "backup.zip")
    restore(target, tmp_path / "backup.zip", tmp_path / "runs")
    if target._database._engine.dialect.name == "postgresql":
        raw = RawDatabase(target._database._engine.url.render_as_string(hide_password=False))
        assert raw.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferrable") == [(0,)]
        raw.close()
    target.migrate()
    assert lost(all_rows(first), all_rows(target)) == {}


def test_nobody_is_signed_in_by_a_restored_backup(sqlite_store: Store, tmp_path: Path) -> None:
    account = sqlite_store.create_account(NewAccount("Asha", password_hash="x"))
    sqlite_store.start_session("a" * 64, account.annotator_id, 60)
    back_up(sqlite_store, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        assert not any("a" * 64 in archive.read(name).decode() for name in archive.namelist())


def test_a_backup_made_while_people_label_holds_whole_annotations(store: Store, tmp_path: Path) -> None:
    project = new_project(store)
    sentences = add_pool(store, project, 150)
    person = store.annotator("Asha").id
    half, done = threading.Event(), threading.Event()

    def work() -> None:
        for n, sentence in enumerate(sentences):
            save(store, project, person, draft(sentence, (0, 1, "PER"), (2, 3, "LOC")))
            if n == 20:
                half.set()
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    half.wait()
    contents = back_up(store, tmp_path / "backup.zip")
    assert not done.is_set()  # it was made in the middle
    worker.join()
    target = Store(f"sqlite:///{tmp_path / 'restored.db'}")
    restore(target, tmp_path / "backup.zip", tmp_path / "runs")
    rows = all_rows(target)
    target.close()
    assert 20 < contents.rows["annotations"] < 150
    assert len(rows["annotation_spans"]) == 2 * len(rows["annotations"])
    assert lost(rows, all_rows(store)) == {}


def test_checkpoints_travel_where_they_are_asked_for(first: Store, sqlite_store: Store, tmp_path: Path) -> None:
    there = tmp_path / "there" / "runs"
    (there / "7" / "adapter").mkdir(parents=True)
    (there / "7" / "model.safetensors").write_bytes(bytes(range(256)))
    (there / "7" / "adapter" / "card.md").write_text("card")
    (there / ".unfinished-8").mkdir()
    assert back_up(first, tmp_path / "backup.zip", there).runs == [7]
    here = tmp_path / "here" / "runs"
    (here / "7").mkdir(parents=True)
    (here / "7" / "older").touch()
    restore(sqlite_store, tmp_path / "backup.zip", here)
    files = {str(path.relative_to(here)): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert files == {"7/model.safetensors": bytes(range(256)), "7/adapter/card.md": b"card"}


# What restore refuses, and that it changes nothing then.


def test_a_database_with_a_project_is_replaced_only_if_told_and_then_kept_beside_it(
    first: Store, sqlite_store: Store, tmp_path: Path
) -> None:
    back_up(first, tmp_path / "backup.zip")
    project = new_project(sqlite_store, "not to be lost")
    with pytest.raises(Refused, match="--replace"):
        restore(sqlite_store, tmp_path / "backup.zip", tmp_path / "runs")
    assert sqlite_store.projects() == [project]
    restore(sqlite_store, tmp_path / "backup.zip", tmp_path / "runs", replace=True)
    assert [item.settings.name for item in sqlite_store.projects()] == ["Kiswahili", "Yorùbá “second”"]
    restore(sqlite_store, tmp_path / "backup.zip", tmp_path / "runs", replace=True)
    first_copy, second_copy = sorted(tmp_path.glob("maner.db.replaced-*"))
    kept = Store(f"sqlite:///{first_copy}")
    assert kept.projects() == [project]
    kept.close()
    assert second_copy.stat().st_size


def test_checkpoints_of_another_database_are_set_aside_though_their_numbers_are_those_of_runs(
    sqlite_store: Store, tmp_path: Path
) -> None:
    project, runs = new_project(sqlite_store), tmp_path / "runs"
    reports = [{"seconds": 1.5, "seed": 3}, {"seconds": 2.5, "seed": 3}]
    for number, report in enumerate(reports, start=1):
        run = sqlite_store.start_run(project.id, number, {}, 3, 0, 0)
        sqlite_store.finish_run(run.id, {"train": report}, f"runs/{run.id}", True, "")
        (runs / str(run.id)).mkdir(parents=True)
    (runs / "1" / "maner.json").write_text(json.dumps({"report": reports[0]}))
    (runs / "2" / "maner.json").write_text(json.dumps({"report": reports[0]}))
    (runs / "9").mkdir()
    (tmp_path / "backbones" / "project-1").mkdir(parents=True)
    aside = clear_of_foreign_runs(sqlite_store, tmp_path)
    assert aside is not None
    assert list((tmp_path / "backbones").iterdir()) == []
    assert [path.name for path in runs.iterdir() if path != aside] == ["1"]
    assert sorted(path.name for path in aside.iterdir()) == ["2", "9"]
    assert clear_of_foreign_runs(sqlite_store, tmp_path) is None


def changed(archive: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of a backup with other contents: what `change` makes of each part, None to leave it out."""
    out = archive.with_name(f"{uuid4().hex}.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content)
    return out


def edit(part: str, old: str, new: str) -> Callable[[str, bytes], bytes]:
    return lambda name, content: content.replace(old.encode(), new.encode()) if name == part else content


DAMAGE: dict[str, tuple[Callable[[str, bytes], bytes | None], str]] = {
    "newer release": (edit("backup.json", '"r0001"', '"r9999"'), "the backup has revision r9999.*install a newer"),
    "another format": (edit("backup.json", "maner backup 1", "maner backup 2"), "no backup of this tool"),
    "no contents": (lambda name, content: None if name == "backup.json" else content, "no backup of this tool"),
    "no table": (lambda name, content: None if "spans" in name else content, "no backup of this tool"),
    "a missing row": (
        lambda name, content: content.split(b"\n", 1)[1] if name == "tables/annotation_spans.jsonl" else content,
        "12 rows of annotation_spans instead of 13",
    ),
    "no JSON": (lambda name, content: b"[1]\n" if "spans" in name else content, "cannot be read"),
    "another column": (edit("tables/annotators.jsonl", '"name_key"', '"x"'), "other columns"),
    "no such table": (edit("backup.json", '"annotations"', '"../../x"'), "no backup of this tool"),
    "a reference to nothing": (
        edit("tables/annotation_spans.jsonl", '"label": "PER"', '"label": "XXX"'),
        "refer|refuse",
    ),
    "a value of another kind": (
        edit("tables/sentences.jsonl", '"n_tokens": 5', '"n_tokens": "many"'),
        "n_tokens 'many', which cannot be",
    ),
    "a number that no database holds": (
        edit("tables/sentences.jsonl", '"n_tokens": 5', f'"n_tokens": {2**64}'),
        "n_tokens 18446744073709551616, which cannot be",
    ),
    "half of a surrogate pair": (
        edit("tables/annotators.jsonl", '"name": "', '"name": "\\ud800'),
        "name .*which cannot be",
    ),
    "an impossible time": (
        edit("tables/annotations.jsonl", '"created_at": "2', '"created_at": "x'),
        "created_at .*which cannot be",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_backup_that_cannot_be_right_changes_nothing(first: Store, target: Store, tmp_path: Path, name: str) -> None:
    back_up(first, tmp_path / "backup.zip")
    damage, why = DAMAGE[name]
    with pytest.raises(ManerError, match=why):
        restore(target, changed(tmp_path / "backup.zip", damage), tmp_path / "runs")
    with pytest.raises(ManerError):  # there is no table yet
        target.projects()
    assert not list((tmp_path / "runs").glob("*")) if (tmp_path / "runs").exists() else True


@pytest.mark.parametrize(
    "name", ["runs/../../evil", "runs/7/../../../evil", "runs//etc/passwd", "runs/7/.hidden", "runs/x/y"]
)
def test_a_backup_writes_nothing_outside_the_checkpoints(
    first: Store, target: Store, tmp_path: Path, name: str
) -> None:
    back_up(first, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip", "a") as archive:
        archive.writestr(name, "evil")
    before = set(tmp_path.rglob("*"))
    with pytest.raises(InvalidInput, match="no backup of this tool does"):
        restore(target, tmp_path / "backup.zip", tmp_path / "runs")
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "runs"}


def test_an_archive_that_expands_beyond_the_disk_is_refused_by_its_size(
    first: Store, sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(first, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("runs/1/model.safetensors", bytes(10_000_000))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 5_000_000}))
    with pytest.raises(InvalidInput, match=r"10,000,000 bytes.*make room"):
        restore(sqlite_store, tmp_path / "backup.zip", tmp_path / "runs")
    assert sqlite_store.projects() == []


def test_a_byte_that_changed_on_the_disk_is_noticed_or_was_of_no_account(
    first: Store, sqlite_store: Store, tmp_path: Path
) -> None:
    back_up(first, tmp_path / "backup.zip")
    content = (tmp_path / "backup.zip").read_bytes()
    refused = 0
    for position in range(7, len(content), len(content) // 12):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        (tmp_path / "damaged.zip").write_bytes(damaged)
        try:
            restore(sqlite_store, tmp_path / "damaged.zip", tmp_path / "runs", replace=True)
        except ManerError:
            refused += 1
        else:
            assert lost(all_rows(first), all_rows(sqlite_store)) == {}
    assert refused >= 6


def test_half_a_backup_is_not_there(first: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backup.zip").write_bytes(b"the old one")
    monkeypatch.setattr("annotation.backup.json.dumps", _full_disk)
    with pytest.raises(InvalidInput, match="No space left"):
        back_up(first, tmp_path / "backup.zip")
    assert (tmp_path / "backup.zip").read_bytes() == b"the old one"
    assert list(tmp_path.glob(".backup*")) == []


def _full_disk(*_: Any, **__: Any) -> str:
    raise OSError(28, "No space left on device")


def test_the_commands_say_what_they_did(
    first: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.setenv("MANER_DATABASE_URL", f"sqlite:///{tmp_path / 'first.db'}")
    assert main(["backup", str(tmp_path / "b.zip")]) == 0
    assert "2 projects, 36 sentences, 20 annotations, 0 checkpoints" in capsys.readouterr().out
    assert main(["backup", str(tmp_path / "b.zip")]) == 1
    assert "is there already and may be the only copy; name another file, or use --overwrite" in capsys.readouterr().err
    assert main(["backup", str(tmp_path / "b.zip"), "--overwrite"]) == 0
    assert main(["restore", str(tmp_path / "b.zip")]) == 1
    assert "error: the database has projects already" in capsys.readouterr().err
    monkeypatch.setenv("MANER_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert main(["restore", str(tmp_path / "b.zip"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["annotations"] == 20
    assert main(["restore", str(tmp_path / "first.db"), "--replace"]) == 1
    assert "cannot be read as a backup" in capsys.readouterr().err
    monkeypatch.setenv("MANER_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert main(["backup", str(tmp_path / "c.zip")]) == 1
    assert "nothing to back up" in capsys.readouterr().err
    assert not (tmp_path / "c.zip").exists()


def test_a_backup_knows_every_table_and_every_kind_of_column() -> None:
    assert set(Base.metadata.tables) >= LEFT_OUT
    kinds = (Integer, String, Float, Boolean, DateTime, JSON)  # what a line of JSON carries unchanged
    for table in Base.metadata.tables.values():
        for column in table.columns:
            kind = getattr(column.type, "impl_instance", column.type)
            assert isinstance(kind, kinds), f"{table.name}.{column.name}: teach storage/_backup.py to carry {kind!r}"


# Upgrade.


def test_before_an_upgrade_the_database_is_copied(first: Store, tmp_path: Path) -> None:
    before = all_rows(first)
    first.migrate()
    copy = Store(f"sqlite:///{tmp_path / 'first.db.r0001'}")
    assert all_rows(copy) == before
    copy.close()
    (tmp_path / "first.db.r0001").unlink()
    first.migrate()  # nothing to do: no copy
    assert not (tmp_path / "first.db.r0001").exists()


def test_without_room_for_the_copy_nothing_is_upgraded(first: Store, tmp_path: Path) -> None:
    before = all_rows(first)
    (tmp_path / "first.db.r0001").mkdir()  # stands in the way
    with pytest.raises(DatabaseUnavailable, match="make room there"):
        first.migrate()
    assert all_rows(first) == before
    assert [path.name for path in tmp_path.glob(".first*")] == []


def test_an_upgrade_that_breaks_off_leaves_the_database_as_it_was(
    first: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = all_rows(first)
    upgrade = command.upgrade

    def die(*arguments: Any) -> None:
        upgrade(*arguments)
        raise RuntimeError("power cut")

    monkeypatch.setattr(command, "upgrade", die)
    with pytest.raises(RuntimeError):
        first.migrate()
    assert all_rows(first) == before
    monkeypatch.undo()
    first.migrate()
    assert lost(before, all_rows(first)) == {}


@pytest.mark.parametrize("arguments", [["status", "--project", "x"], ["worker", "--once"], ["backup", "x.zip"]])
def test_every_command_says_that_the_database_is_too_new(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    connection = sqlite3.connect(tmp_path / "maner.db")
    connection.execute("UPDATE alembic_version SET version_num = 'r9999'")
    connection.commit()
    connection.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.setattr("os.nice", lambda _: 0)
    assert main(arguments) == 1
    assert "revision r9999, which this release does not know; install a newer release" in capsys.readouterr().err
