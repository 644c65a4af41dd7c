"""Turns at writing a SQLite file: one process at a time, nobody waits for ever, and a dead one holds up nobody."""

import subprocess
import sys
from pathlib import Path

import pytest
from store_helpers import new_project

from maner_core.errors import DatabaseUnavailable
from storage import Store
from storage.turns import writers_turn

HOLD = """
import sys
from pathlib import Path
from storage.turns import writers_turn
with writers_turn(Path(sys.argv[1]), 10):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_turn_is_had_by_one_process_and_given_back_by_its_death(sqlite_url: str) -> None:
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(DatabaseUnavailable, match="busy"), writers_turn(database, 0.01):
            pass
        other.kill()
    with writers_turn(database, 0.01):
        pass


def test_a_turn_that_was_refused_leaves_none_of_its_locks_behind(tmp_path: Path) -> None:
    database = tmp_path / "maner.db"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), writers_turn(database, 0.01):
            raise ZeroDivisionError
    with writers_turn(database, 0.01):
        pass


def test_a_folder_that_takes_no_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be written"), writers_turn(tmp_path / "no" / "maner.db", 1):
        pass


def test_a_store_writes_by_turns(sqlite_store: Store, sqlite_url: str) -> None:
    new_project(sqlite_store)
    assert Path(sqlite_url.removeprefix("sqlite:///") + "-turns").exists()
