"""How the store opens, migrates and guards its database."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection
from store_helpers import RawDatabase, add_pool, draft, new_project, save

from maner_core.errors import DatabaseTooNew, DatabaseUnavailable, InvalidConfig, ManerError
from storage import Store, database


def test_sqlite_is_durable_guarded_and_patient(sqlite_store: Store) -> None:
    def pragmas(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    found = sqlite_store._database.read(pragmas)
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


def test_only_leases_and_signs_of_life_do_not_wait_for_the_disk(store: Store, raw: RawDatabase) -> None:
    how, [waits, does_not] = (
        ("PRAGMA synchronous", [2, 1])
        if raw.engine.dialect.name == "sqlite"
        else ("SHOW synchronous_commit", ["on", "off"])
    )

    def setting(connection: Connection) -> object:
        return connection.exec_driver_sql(how).scalar()

    assert store._database.write(setting) == waits
    assert store._database.write_light(setting) == does_not
    assert store._database.write(setting) == waits


def test_opening_a_store_makes_the_folder(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new/folder/maner.db")
    store.migrate()
    assert store.projects() == []
    store.close()
    assert (tmp_path / "new/folder/maner.db").exists()


@pytest.mark.parametrize(
    "url", ["maner.db", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true", "mysql://host/x"]
)
def test_a_url_that_cannot_keep_anything_is_refused(url: str) -> None:
    with pytest.raises(InvalidConfig):
        Store(url)


def test_data_outlives_the_store(store_url: str) -> None:
    first = Store(store_url)
    project = new_project(first)
    [sentence] = add_pool(first, project, 1)
    save(first, project, first.annotator("Asha").id, draft(sentence, (0, 1, "PER")))
    first.close()
    second = Store(store_url)
    assert second.projects() == [project]
    assert second.progress(project.id).by_label == {"PER": 1}
    second.close()


def test_migrating_again_changes_nothing(store: Store) -> None:
    project = new_project(store)
    store.migrate()
    assert store.projects() == [project]


def test_many_processes_may_migrate_an_empty_database_at_once(empty_url: str) -> None:
    program = f"from storage import Store; store = Store({empty_url!r}); store.migrate(); store.close()"
    root = str(Path(__file__).parents[1])
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    store = Store(empty_url)
    assert store.projects() == []
    store.close()


def test_many_threads_may_migrate_at_once(empty_url: str) -> None:
    stores = [Store(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: store.migrate(), stores))
    assert [store.projects() for store in stores] == [[]] * 4
    for store in stores:
        store.close()


def test_a_database_of_a_newer_release_is_left_alone(store: Store, raw: RawDatabase) -> None:
    raw.execute("UPDATE alembic_version SET version_num = 'r9999'")
    with pytest.raises(DatabaseTooNew, match="r9999"):
        store.migrate()
    assert raw.execute("SELECT version_num FROM alembic_version") == [("r9999",)]


def test_a_database_without_tables_says_so(empty_url: str) -> None:
    store = Store(empty_url)
    with pytest.raises(ManerError, match="projects"):
        store.projects()
    store.close()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = Store(f"postgresql://maner@/maner?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        store.projects()
    store.close()


def test_a_database_locked_by_another_program_is_unavailable_after_waiting(
    sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = Store(f"sqlite:///{sqlite_template}")
    other = sqlite3.connect(sqlite_template, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        store.annotator("Asha")
    assert store.projects() == []
    other.execute("ROLLBACK")
    other.close()
    store.close()


def test_a_writer_that_waits_too_long_for_its_own_process_is_told(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    started, finish = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        started.set()
        finish.wait()

    holder = threading.Thread(target=lambda: sqlite_store._database.write(hold))
    holder.start()
    started.wait()
    with pytest.raises(DatabaseUnavailable, match="busy"):
        sqlite_store.annotator("Asha")
    finish.set()
    holder.join()
    assert sqlite_store.annotator("Asha").name == "Asha"


def test_readers_go_on_while_a_writer_writes(sqlite_store: Store) -> None:
    project = new_project(sqlite_store)
    started, finish = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE projects SET name = 'changed'")
        started.set()
        finish.wait()

    holder = threading.Thread(target=lambda: sqlite_store._database.write(hold))
    holder.start()
    started.wait()
    assert sqlite_store.project(project.id).settings.name == "demo"
    finish.set()
    holder.join()
    assert sqlite_store.project(project.id).settings.name == "changed"


def test_a_call_that_fails_half_way_changes_nothing(store: Store) -> None:
    project = new_project(store)

    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE projects SET name = 'changed'")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        store._database.write(fail)
    assert store.project(project.id) == project


def test_a_file_that_is_no_database_and_a_folder_that_cannot_be_are_named(tmp_path: Path) -> None:
    (tmp_path / "maner.db").write_bytes(b"a letter, not a database. " * 100)
    store = Store(f"sqlite:///{tmp_path / 'maner.db'}")
    with pytest.raises(DatabaseUnavailable, match=r"is none, or is damaged.*restore a backup"):
        store.projects()
    store.close()
    with pytest.raises(InvalidConfig, match=r"the folder .* cannot be made"):
        Store(f"sqlite:///{tmp_path / 'maner.db' / 'x' / 'maner.db'}")
