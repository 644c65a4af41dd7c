"""Turns at writing a SQLite file among processes, so that one that never rests cannot keep the others waiting.

SQLite lets waiting processes sleep up to a tenth of a second between tries: whoever writes again at once always wins.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maner_core.errors import DatabaseUnavailable

try:
    import fcntl
except ImportError:  # Windows: SQLite's own waiting has to do
    fcntl = None  # type: ignore[assignment]

TRY_EVERY_SECONDS = 0.001
NEXT, WRITING = 0, 1  # bytes of the lock file: whose turn is next, who writes


@contextmanager
def writers_turn(database: Path, seconds: float) -> Iterator[None]:
    """Wait for this process's turn to write, and have it to the end; DatabaseUnavailable after so many seconds.

    Of a process only one thread may be here at a time. There are two locks: whoever holds the first is next and waits for
    the second, so that a writer who has just ended finds somebody before them.
    """
    if fcntl is None:
        yield
        return
    deadline = time.monotonic() + seconds
    try:
        file = os.open(f"{database}-turns", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DatabaseUnavailable(f"{database}-turns cannot be written ({error.strerror}); make room there") from error
    try:
        _lock(file, NEXT, deadline, seconds)
        _lock(file, WRITING, deadline, seconds)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, NEXT)
        yield
    finally:
        os.close(file)  # and with it every lock on it, as when the process dies


def _lock(file: int, byte: int, deadline: float, seconds: float) -> None:
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            if not isinstance(error, (BlockingIOError, PermissionError)):  # as POSIX says that somebody else has it
                raise
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"the database was busy for {seconds:.0f} seconds; try again") from None
            time.sleep(TRY_EVERY_SECONDS)
        else:
            return
