"""The web process as people start it: what it imports, serves, starts and stops."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from annotation import demo
from storage import Store

ROOT = Path(__file__).parents[1]
TOO_HEAVY = ("torch", "transformers", "datasets", "accelerate", "sklearn", "seqeval", "tokenizers")

Start = Callable[..., "Web"]


class Web:
    """A running app."""

    def __init__(self, home: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home = home
        self.store = Store(f"sqlite:///{home / 'maner.db'}")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MANER_")}
        with (home / "web.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
                cwd=ROOT,
                env={**clean, "STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "MANER_HOME": str(home), **environment},
                stdout=log,
                stderr=log,
            )  # fmt: skip

    def wait_for(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Until the condition holds; the app's log if it does not or the app ends."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.fail((self.home / "web.log").read_text())
            time.sleep(0.05)

    def get(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and body; status 0 when nothing answers yet."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def is_up(self) -> bool:
        return self.get("/_stcore/health")[0] == 200

    def stop(self) -> int:
        """Ask it to end as a service manager would; its exit code."""
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Web] = []

    def start_web(**environment: str) -> Web:
        web = Web(tmp_path, **environment)
        running.append(web)
        web.wait_for(web.is_up)
        return web

    yield start_web
    for web in running:
        if web.process.poll() is None:
            web.stop()
        web.store.close()


def test_the_web_process_imports_nothing_that_trains() -> None:
    script = (
        "import json, sys\nimport app\nfrom annotation.ui import navigation\nnavigation.import_pages()\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "streamlit" in modules
    assert modules.isdisjoint(TOO_HEAVY), sorted(modules & set(TOO_HEAVY))


def test_a_first_start_makes_a_demo_project_and_a_second_leaves_it_as_it_is(start: Start) -> None:
    web = start(MANER_WORKER="0")
    (project,) = web.store.projects()
    first = web.store.progress(project.id)
    assert project.settings.name == demo.NAME
    assert first.unlabelled_pool > 100
    assert web.get("/dashboard")[0] == 200
    assert web.get("/api/sync", b"{}")[0] == 401
    web.stop()
    again = start(MANER_WORKER="0")
    assert again.store.projects() == [project]
    assert again.store.progress(project.id) == first


def test_alone_nobody_signs_in_and_only_this_machine_comes_in(start: Start) -> None:
    web = start(MANER_WORKER="0", MANER_DEMO="0")
    assert "/join#" not in (web.home / "web.log").read_text()
    assert web.get("/api/sign-in", b"{}", **{"X-Requested-With": "maner"})[0] == 409
    assert web.get("/", Host="rebound.example.org")[0] == 403
    assert web.get("/_stcore/stream", Host="rebound.example.org")[0] == 403
    assert web.get("/", None, **{"X-Forwarded-For": "10.0.0.9"})[0] == 403
    assert web.get("/")[0] == 200


def test_with_accounts_the_first_start_prints_a_link_that_works_once(start: Start) -> None:
    web = start(MANER_WORKER="0", MANER_DEMO="0", MANER_ACCOUNTS="on")
    [(url, token)] = re.findall(r"(http\S+)#(\S+)", (web.home / "web.log").read_text())
    assert url == f"http://127.0.0.1:{web.port}/join"
    body = json.dumps({"invitation": token, "name": "Asha", "password": "maji ya kunywa"}).encode()
    assert [web.get("/api/join", body, **{"X-Requested-With": "maner"})[0] for _ in range(2)] == [200, 404]
    assert web.store.account_of("asha").administrator
    web.stop()
    again = start(MANER_WORKER="0", MANER_DEMO="0")
    log = (again.home / "web.log").read_text()
    assert log.count("/join#") == 1
    assert again.get("/api/export/1")[0] == 401  # there are accounts now: nobody comes in without
    assert "maji" not in log


def test_it_does_not_start_without_accounts_for_other_machines(tmp_path: Path) -> None:
    web = Web(tmp_path, MANER_WORKER="0", MANER_DEMO="0", MANER_ACCOUNTS="off", STREAMLIT_SERVER_ADDRESS="0.0.0.0")
    assert web.process.wait(60) != 0
    log = (tmp_path / "web.log").read_text()
    assert "error: MANER_ACCOUNTS=off lets in everybody" in log
    assert "Traceback" not in log
    web.store.close()


def test_it_leaves_the_database_of_a_newer_release_alone_and_says_so(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "maner.db")) as connection:
        connection.executescript(
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('r9999')"
        )
    web = Web(tmp_path)
    assert web.process.wait(60) != 0
    log = (tmp_path / "web.log").read_text()
    assert "error: the database has revision r9999, which this release does not know; install a newer release" in log
    assert "Traceback" not in log
    web.store.close()


def test_the_demo_project_can_be_left_out(start: Start) -> None:
    assert start(MANER_WORKER="0", MANER_DEMO="0").store.projects() == []


def test_the_app_starts_another_worker_when_its_own_is_killed(start: Start) -> None:
    web = start(MANER_DEMO="0")
    web.wait_for(lambda: web.store.workers(60))
    (killed,) = web.store.workers(60)
    os.kill(int(killed.holder.split("/")[1]), signal.SIGKILL)
    web.wait_for(lambda: {worker.holder for worker in web.store.workers(60)} - {killed.holder})
    (living,) = [worker for worker in web.store.workers(60) if worker.holder != killed.holder]
    os.kill(int(living.holder.split("/")[1]), 0)


def test_the_app_starts_one_worker_and_stops_it(start: Start) -> None:
    web = start(MANER_DEMO="0")
    web.wait_for(lambda: web.store.workers(60))
    (worker,) = web.store.workers(60)
    pid = int(worker.holder.split("/")[1])
    os.kill(pid, 0)
    web.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
