"""Full disks, jumping clocks, tabs that speak at once: what is acknowledged is there once, the rest refused in words."""

import os
import secrets
import shutil
import subprocess
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from signed_in import SignedIn, sign_in
from sqlalchemy import event, exc
from starlette.applications import Starlette
from starlette.testclient import TestClient
from store_helpers import RawDatabase, add_pool, new_project, queue

from annotation import hand_out
from annotation.access import Access
from annotation.api import Api, mint_token
from annotation.sync_request import PROTOCOL
from annotation.worker import LEASE_SECONDS
from maner_core.errors import DatabaseFull, LeaseLost
from storage import Project, Role, Split, Status, Store
from storage.database import LONGEST_LEASE

SECRET = "a secret of the tests"
Sync = Callable[..., Any]


@pytest.fixture
def project(store: Store) -> Project:
    project = new_project(store)
    add_pool(store, project, 60)
    return project


@pytest.fixture
def asha(store: Store, project: Project) -> SignedIn:
    return sign_in(store, "Asha", Role.ANNOTATOR, project.id)


@pytest.fixture
def sync(store: Store, project: Project, asha: SignedIn) -> Iterator[Sync]:
    """One sync of Asha's tab: the answer of the server, with its status."""
    api = Api(lambda: Access(store, None), lambda: SECRET)
    token = mint_token(SECRET, project.id, asha.annotator.id, asha.session)
    with TestClient(Starlette(routes=api.routes())) as client:

        def send(*outbox: dict[str, Any], **fields: Any) -> Any:
            body = {"seq": 1, "nonce": "n", "client": "tab", "outbox": outbox, "have": [], "want": 0, **fields}
            return client.post("/api/sync", json=body, headers={"Authorization": f"Bearer {token}"})

        yield send


def finished(sentence: int, **fields: Any) -> dict[str, Any]:
    """An annotation as a tab sends it."""
    values = {"id": str(uuid.uuid4()), "sentence": sentence, "status": "labelled", "spans": [[0, 1, "PER"]]}
    return {
        **values,
        "comment": "",
        "time": 1_800_000_000_000,
        "milliseconds": 9,
        "run": None,
        "supersedes": None,
        **fields,
    }


def rows(store: Store, project: Project) -> Counter[str]:
    """How many rows each annotation has."""
    found = store.export_rows(project.id, None, tuple(Status), include_unlabelled=False)
    return Counter(row.annotation.id for row in found if row.annotation is not None)


# A full disk.


def set_room(store: Store, pages: int) -> None:
    """From now on the database file may have so many pages, and no fewer than it has."""

    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(store._database._engine, "checkout", limit)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_full_disk_refuses_in_words_and_keeps_what_was_acknowledged(
    store: Store, project: Project, sync: Sync
) -> None:
    ids = [sentence.id for sentence in store.sentences(project.id, None)]
    set_room(store, 1)
    acknowledged: list[str] = []
    for sentence in ids:
        annotation = finished(sentence, comment="x" * 2_000)
        answer = sync(annotation)
        if answer.status_code != 200:
            break
        acknowledged += answer.json()["acks"]
    assert answer.status_code == 507
    assert "disk of the database is full, so nothing was saved; make room" in answer.json()["error"]
    assert rows(store, project) == Counter(acknowledged)
    with pytest.raises(DatabaseFull):
        store.record(project.id, None, "x", text="x" * 100_000)
    set_room(store, 1_000_000)
    assert sync(annotation).json()["acks"] == [annotation["id"]]
    assert rows(store, project) == Counter([*acknowledged, annotation["id"]])


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of its own with so much room; skips the test where none may be made."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=777", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be made here ({mounted.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_full_disk_of_a_postgresql_server_refuses_in_words_and_keeps_what_was_acknowledged(
    store: Store, project: Project, sync: Sync, store_url: str
) -> None:
    """The server keeps the table of annotations on a disk of 600 kB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system can be made by root only")
    [sentence, *_] = store.sentences(project.id, None)
    folder = Path(tempfile.mkdtemp(prefix="maner-disk-"))
    folder.chmod(0o755)  # the server runs as somebody else
    acknowledged: list[str] = []
    with small_disk(folder / "small", kilobytes=600) as disk, psycopg.connect(store_url, autocommit=True) as server:
        os.chown(disk, Path(store_url.partition("host=")[2]).stat().st_uid, -1)
        server.execute(f"CREATE TABLESPACE small LOCATION '{disk}'".encode())
        try:
            server.execute("ALTER TABLE annotations SET TABLESPACE small")
            while True:
                work = [finished(sentence.id, comment=secrets.token_hex(900)) for _ in range(40)]
                answer = sync(*work)
                if answer.status_code != 200:
                    break
                acknowledged += answer.json()["acks"]
            assert answer.status_code == 507
            assert "disk of the database is full, so nothing was saved; make room" in answer.json()["error"]
            assert acknowledged
            assert server.execute("SELECT id FROM annotations").fetchall() == [(id_,) for id_ in acknowledged]
        finally:
            server.execute("ALTER TABLE annotations SET TABLESPACE pg_default")
            server.execute("DROP TABLESPACE small")
        assert sync(*work).json()["acks"] == [entry["id"] for entry in work]
    shutil.rmtree(folder)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_that_the_server_calls_its_disk_full_is_said_as_such(
    sync: Sync, store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    [sentence, *_] = store.sentences(project.id, None)

    def full(*_: object) -> None:
        raise exc.OperationalError("INSERT", {}, psycopg.errors.DiskFull("could not extend file"))

    monkeypatch.setattr("storage._annotations._insert", full)
    answer = sync(finished(sentence.id))
    assert answer.status_code == 507
    assert "make room and try again" in answer.json()["error"]
    monkeypatch.undo()
    assert sync(finished(sentence.id)).status_code == 200


# Tabs.


def test_tabs_that_send_the_same_work_at_once_save_it_once(store: Store, project: Project, sync: Sync) -> None:
    work = [finished(sentence.id) for sentence in list(store.sentences(project.id, None))[:20]]
    with ThreadPoolExecutor(6) as tabs:
        answers = list(tabs.map(lambda number: sync(*work, client=f"tab {number}"), range(6)))
    assert [answer.json()["acks"] for answer in answers] == [[entry["id"] for entry in work]] * 6
    assert rows(store, project) == Counter(entry["id"] for entry in work)


def test_a_page_of_another_release_is_told_to_reload_and_nothing_of_it_is_lost(
    store: Store, project: Project, sync: Sync
) -> None:
    [sentence, *_] = store.sentences(project.id, None)
    annotation = finished(sentence.id)
    for other in (PROTOCOL + 1, PROTOCOL - 1):
        answer = sync(annotation, protocol=other)
        assert answer.status_code == 426
        assert "reload the page. Your work is kept" in answer.json()["error"]
    assert rows(store, project) == Counter()
    assert sync(annotation, protocol=PROTOCOL).json()["acks"] == [annotation["id"]]


def test_the_page_and_the_server_of_a_release_speak_the_same() -> None:
    script = Path(__file__).parents[1] / "annotation/ui/component/frontend/sync.js"
    assert f"static PROTOCOL = {PROTOCOL};" in script.read_text(encoding="utf-8")


# Clocks.


@pytest.mark.parametrize("at", [0, 1, -1_000, 4_102_444_800_000, 253_000_000_000_000])
def test_whatever_a_browsers_clock_says_its_work_is_saved(store: Store, project: Project, sync: Sync, at: int) -> None:
    [sentence, *_] = store.sentences(project.id, None)
    annotation = finished(sentence.id, time=at)
    assert sync(annotation).json()["acks"] == [annotation["id"]]
    assert rows(store, project) == Counter([annotation["id"]])


@pytest.mark.parametrize("days", [-400, -1, 2, 400])
def test_a_token_of_another_time_is_refused_in_words_and_the_reloaded_page_sends_the_work(
    store: Store, project: Project, asha: SignedIn, sync: Sync, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    [sentence, *_] = store.sentences(project.id, None)
    annotation = finished(sentence.id)
    real = datetime.now(UTC)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: (real + timedelta(days=days)).timestamp())
    answer = sync(annotation)
    assert answer.status_code == 401
    assert "reload the page. Nothing you have labelled is lost" in answer.json()["error"]
    monkeypatch.undo()
    assert sync(annotation).json()["acks"] == [annotation["id"]]


def test_a_lease_from_before_the_clock_was_set_back_keeps_no_worker_away(
    store: Store, project: Project, raw: RawDatabase
) -> None:
    assert store.take_lease(project.id, "old", 30)
    assert not store.take_lease(project.id, "new", 30)
    later = datetime.now(UTC) + timedelta(days=300)
    stored = later.replace(tzinfo=None) if raw.engine.dialect.name == "sqlite" else later
    raw.execute("UPDATE worker_leases SET until = :until", until=stored.isoformat(sep=" "))
    assert store.take_lease(project.id, "new", 30)
    with pytest.raises(LeaseLost):
        store.renew_lease(project.id, "old", 30)


@pytest.mark.parametrize("days", [1, 300])
def test_sentences_of_a_tab_that_is_gone_are_free_again_after_the_clock_was_set_back(
    store: Store, project: Project, asha: SignedIn, raw: RawDatabase, days: int
) -> None:
    ids = [sentence.id for sentence in store.sentences(project.id, None)][:2]
    queue(store, project, ids)
    ben = store.annotator("Ben").id
    store.claim(project.id, asha.annotator.id, "tab", Split.POOL, 2, per_tab_share=False)
    assert store.claim(project.id, ben, "tab", Split.POOL, 2) == []
    later = datetime.now(UTC) + timedelta(days=days)
    stored = later.replace(tzinfo=None) if raw.engine.dialect.name == "sqlite" else later
    raw.execute("UPDATE queue SET leased_until = :until", until=stored.isoformat(sep=" "))
    assert store.ready(project.id, Split.POOL) == 2
    # A tab that is still there keeps what nobody has taken meanwhile, with a lease by the clock of now.
    assert store.renew(project.id, asha.annotator.id, "tab", ids[:1]) == ids[:1]
    taken = store.claim(project.id, ben, "tab", Split.POOL, 2, per_tab_share=False)
    assert [each.sentence.id for each in taken] == ids[1:]
    assert store.renew(project.id, asha.annotator.id, "tab", ids) == ids[:1]


def test_no_tab_asks_for_a_lease_that_would_look_like_a_clock_set_back() -> None:
    assert timedelta(seconds=2 * hand_out.LEASE_SECONDS) < LONGEST_LEASE


def test_no_worker_asks_for_a_lease_that_would_look_like_a_clock_set_back() -> None:
    assert timedelta(seconds=2 * LEASE_SECONDS) < LONGEST_LEASE
