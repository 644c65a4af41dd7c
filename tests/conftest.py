"""Databases for the tests: a SQLite file and a real PostgreSQL server, each migrated once and copied for every test."""

import gc
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from postgres_server import FORGETFUL, OPTIONS, NoServer, postgres_server
from store_helpers import RawDatabase

from storage import Store, records

# Threads of torch that wait for each other would take most of a small machine from the tests beside them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

TEMPLATE = "maner_template"


@pytest.fixture(scope="module", autouse=True)
def only_new_objects_are_collected() -> None:
    """Every training and every run of a page collects garbage: let it not look at what is imported, as app.py does."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def draws_are_the_same_in_every_run() -> Iterator[None]:
    """A project's salt draws what is set aside and what is withheld: whether a test passes is no matter of chance."""
    made: Counter[str] = Counter()

    def token_hex(n_bytes: int) -> str:
        test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        made[test] += 1
        return sha256(f"{test}/{made[test]}".encode()).hexdigest()[: 2 * n_bytes]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "secrets", SimpleNamespace(token_hex=token_hex))
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty database on a real server that lives as long as the tests; a unix socket, no port."""
    try:
        with postgres_server(f"{OPTIONS} {FORGETFUL}") as url:
            yield url
    except NoServer as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The URL of the server, which now holds a migrated database to copy."""
    _administer(postgres_url, f"CREATE DATABASE {TEMPLATE}")
    _migrate(_with_database(postgres_url, TEMPLATE))
    return postgres_url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "maner.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database, once on SQLite and once on PostgreSQL."""
    with _migrated_database(request, tmp_path) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a migrated database for all those tests of a file that change nothing in it."""
    with _migrated_database(request, tmp_path_factory.mktemp("shared")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with _database(request.getfixturevalue("postgres_url"), "template1") as url:
            yield url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store on an empty database, once on SQLite and once on PostgreSQL."""
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a migrated, empty SQLite file."""
    shutil.copy(sqlite_template, tmp_path / "maner.db")
    return f"sqlite:///{tmp_path / 'maner.db'}"


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A store on an empty SQLite file, for tests that would learn nothing from a second database."""
    store = Store(sqlite_url)
    yield store
    store.close()


@pytest.fixture
def raw(store_url: str) -> Iterator[RawDatabase]:
    """SQL past the store, on the same database."""
    raw = RawDatabase(store_url)
    yield raw
    raw.close()


@contextmanager
def _migrated_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of a copy of the template of the database that the fixture is asked for."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "maner.db")
        yield f"sqlite:///{folder / 'maner.db'}"
    else:
        with _database(request.getfixturevalue("postgres_template"), TEMPLATE) as url:
            yield url


def _administer(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    """The URL of a copy of `template` that is dropped at the end."""
    name = f"test_{uuid4().hex}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _with_database(server, name)
    finally:
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _with_database(url: str, name: str) -> str:
    return url.replace("@/postgres?", f"@/{name}?")


def _migrate(url: str) -> None:
    store = Store(url)
    store.migrate()
    store.close()


@pytest.fixture
def page_store(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store that the pages find by the environment, as the app does; Asha works there alone."""
    import streamlit as st  # here, so that tests of anything else need not wait for it
    from streamlit import config

    config.set_option("server.address", "127.0.0.1")  # as `make run` serves; else the pages would ask for accounts

    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.setenv("MANER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("MANER_USER", "Asha")
    store = Store(sqlite_url)
    yield store
    st.cache_resource.clear()
    store.close()
