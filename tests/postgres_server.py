"""A real PostgreSQL server that lives for a while: a unix socket in a folder of its own, no port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from system_packages import postgres_programs

# A time zone that is not UTC, so that a time stored or read in local time is found out.
OPTIONS = "-c timezone=Africa/Nairobi -c listen_addresses='' -c max_connections=200"
FORGETFUL = "-c fsync=off -c full_page_writes=off"  # faster, and only for what need not outlive a crash


class NoServer(Exception):
    """Why none can run on this machine."""


@contextmanager
def postgres_server(options: str = OPTIONS) -> Iterator[str]:
    """The URL of an empty database on a new server; NoServer."""
    programs = postgres_programs()
    if programs is None:
        raise NoServer("there is no PostgreSQL server on this machine (initdb, pg_ctl, postgres), so it is not tested")
    folder = Path(tempfile.mkdtemp(prefix="maner-pg-"))
    try:
        user = _server_user(folder)
        _run(user, programs / "initdb", "-D", folder / "data", "-U", "maner", "-A", "trust", "-E", "UTF8", "--no-sync")
        start = ("-D", folder / "data", "-w", "-l", folder / "log", "-o", f"-k {folder} {options}", "start")
        _run(user, programs / "pg_ctl", *start)
        try:
            yield f"postgresql://maner@/postgres?host={folder}"
        finally:
            _run(user, programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _server_user(folder: Path) -> str | None:
    """Who runs the server: PostgreSQL refuses to run as root, so root lends it to somebody else."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    if user is None:
        raise NoServer("PostgreSQL does not run as root and there is no user postgres or nobody, so it is not tested")
    shutil.chown(folder, user)
    return user


def _run(user: str | None, *command: str | Path) -> None:
    """Run a program of the server to its end. Its output goes to a file: the server would keep a pipe open."""
    group = None if user is None else pwd.getpwnam(user).pw_gid
    with tempfile.TemporaryFile("w+") as output:
        result = subprocess.run(
            [str(part) for part in command],
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            cwd="/",
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        assert result.returncode == 0, output.read()
