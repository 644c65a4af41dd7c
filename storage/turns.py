"""Turns at writing a SQLite file, first come first served: among the threads of a process, and among processes.

SQLite lets waiting processes sleep up to a tenth of a second between tries, and whoever writes again at once always
wins: somebody else may wait for ever.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maner_core.errors import DatabaseFull, DatabaseUnavailable

try:
    import fcntl
except ImportError:  # Windows: SQLite's own waiting has to do
    fcntl = None  # type: ignore[assignment]

TRY_EVERY_SECONDS = 0.001
KEEP_SECONDS = 0.025
"""So long a process with several threads waiting keeps its turn: changing costs about a millisecond."""
COUNTER, FIRST_TICKET = 0, 2  # bytes of the lock file: who holds the first may take a number, the others are numbers
NUMBER_BYTES = 6


class Turns:
    """The turns of this process at one file. A dead process, or one that gives up, holds up nobody."""

    def __init__(self, database: Path) -> None:
        self._path = f"{database}-turns"
        self._lock = threading.Lock()  # of all below; never held while waiting
        self._writes = False  # whether a thread of this process writes, or waits for the other processes
        self._waiting: deque[threading.Event] = deque()
        self._file: int | None = None  # open while the turn is this process's
        self._since = 0.0

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Wait for a turn to write and have it to the end; DatabaseUnavailable after so many seconds."""
        deadline = time.monotonic() + seconds
        if not self._first_thread(deadline):
            raise busy(seconds)
        try:
            if fcntl is not None and self._file is None:
                self._file = first_process(self._path, deadline, seconds)
                self._since = time.monotonic()
            yield
        finally:
            self._pass_on()

    def _first_thread(self, deadline: float) -> bool:
        """Whether it came to be this thread's turn before the deadline."""
        with self._lock:
            if not self._writes:
                self._writes = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        try:
            return mine.wait(max(deadline - time.monotonic(), 0)) or not self._withdraw(mine)
        except BaseException:
            if not self._withdraw(mine):
                self._pass_on()
            raise

    def _withdraw(self, mine: threading.Event) -> bool:
        """Wait no longer; False where the turn has come meanwhile."""
        with self._lock:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def _pass_on(self) -> None:
        with self._lock:
            if self._file is not None and (not self._waiting or time.monotonic() - self._since > KEEP_SECONDS):
                os.close(self._file)  # and with it every lock on it, as when the process dies
                self._file = None
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._writes = False


def first_process(path: str, deadline: float, seconds: float) -> int:
    """Take a number in the lock file and wait until no process has a smaller one: the open file, to be closed after.

    A number is a locked byte, which the system gives back when its process dies. Of a process only one thread may be
    here at a time, for the locks are the process's. DatabaseUnavailable after the deadline, DatabaseFull.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DatabaseUnavailable(f"{path} cannot be written ({error.strerror}); make room there") from error
    try:
        _lock(file, COUNTER, 1, deadline, seconds)
        number = max(int.from_bytes(os.pread(file, NUMBER_BYTES, 0)) + 1, FIRST_TICKET)
        try:
            os.pwrite(file, number.to_bytes(NUMBER_BYTES), 0)
        except OSError as error:
            raise DatabaseFull(
                f"{path} cannot be written ({error.strerror}), so nothing was saved; make room and try again"
            ) from error
        _lock(file, number, 1, deadline, seconds)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, COUNTER)
        _lock(file, COUNTER + 1, number - COUNTER - 1, deadline, seconds)
    except BaseException:
        os.close(file)
        raise
    return file


def busy(seconds: float) -> DatabaseUnavailable:
    """What to say to somebody who waited for so many seconds in vain."""
    return DatabaseUnavailable(f"the database was busy for {seconds:.0f} seconds; try again")


def _lock(file: int, start: int, n_bytes: int, deadline: float, seconds: float) -> None:
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, n_bytes, start)
        except OSError as error:
            if not isinstance(error, (BlockingIOError, PermissionError)):  # as POSIX says that somebody else has it
                raise
            if time.monotonic() > deadline:
                raise busy(seconds) from None
            time.sleep(TRY_EVERY_SECONDS)
        else:
            return
