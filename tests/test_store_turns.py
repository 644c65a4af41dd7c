"""Turns at writing a SQLite file: one process at a time, nobody waits for ever, and a dead one holds up nobody."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from store_helpers import new_project

from maner_core.errors import DatabaseFull, DatabaseUnavailable
from storage import Store
from storage.turns import NUMBER_BYTES, Turns

HOLD = """
import sys
from pathlib import Path
from storage.turns import Turns
with Turns(Path(sys.argv[1])).turn(20):
    print("mine", flush=True)
    sys.stdin.read()
"""


@contextmanager
def process_that_wants_a_turn(database: Path) -> Iterator["subprocess.Popen[str]"]:
    """Says "mine" once it has one, and keeps it until its input closes."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        yield process


def says(process: "subprocess.Popen[str]") -> str:
    """The next line of its output."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until(numbers_taken: int, database: Path) -> None:
    """Until so many turns at the file have been asked for."""
    file = Path(f"{database}-turns")
    pause = threading.Event()
    while not file.exists() or int.from_bytes(file.read_bytes()[:NUMBER_BYTES]) < numbers_taken:
        pause.wait(0.005)


def test_a_turn_is_had_by_one_process_and_given_back_by_its_death(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "maner.db")
    with process_that_wants_a_turn(tmp_path / "maner.db") as other:
        assert says(other) == "mine"
        with pytest.raises(DatabaseUnavailable, match="busy"), turns.turn(0.01):
            pass
        other.kill()
    with turns.turn(0.01):
        pass


def test_processes_have_their_turns_in_the_order_in_which_they_asked(tmp_path: Path) -> None:
    database = tmp_path / "maner.db"
    with process_that_wants_a_turn(database) as first:
        assert says(first) == "mine"
        with process_that_wants_a_turn(database) as dies:
            wait_until(3, database)
            with process_that_wants_a_turn(database) as third:
                wait_until(4, database)
                with pytest.raises(DatabaseUnavailable, match="busy"), Turns(database).turn(0.01):
                    pass
                dies.kill()
                first.kill()
                assert says(third) == "mine"
                third.kill()


def test_threads_have_their_turns_in_the_order_in_which_they_asked(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "maner.db")
    had: list[int] = []

    def write(number: int) -> None:
        with turns.turn(10):
            had.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    with turns.turn(10):
        for n, thread in enumerate(threads, start=1):
            thread.start()
            while len(turns._waiting) < n:
                pass
        with pytest.raises(DatabaseUnavailable, match="busy"), turns.turn(0):
            pass
    for thread in threads:
        thread.join()
    assert had == list(range(8))


def test_a_process_with_many_waiting_threads_lets_others_write_between_them(tmp_path: Path) -> None:
    database = tmp_path / "maner.db"
    turns = Turns(database)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            with turns.turn(20):
                pass

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with process_that_wants_a_turn(database) as other:
            assert says(other) == "mine"
            other.kill()
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_a_turn_that_ended_in_an_error_leaves_none_of_its_locks_behind(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "maner.db")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.turn(0.01):
            raise ZeroDivisionError
    with turns.turn(0.01):
        pass


def test_a_folder_that_takes_no_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be written"), Turns(tmp_path / "no" / "maner.db").turn(1):
        pass


def test_a_disk_without_room_for_a_number_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(DatabaseFull, match="make room"), Turns(tmp_path / "maner.db").turn(1):
        pass


def test_a_store_writes_by_turns(sqlite_store: Store, sqlite_url: str) -> None:
    new_project(sqlite_store)
    assert Path(sqlite_url.removeprefix("sqlite:///") + "-turns").exists()
