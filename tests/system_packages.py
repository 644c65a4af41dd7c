"""Get the programs that pip cannot install and the tests want: a Chromium and a PostgreSQL server.

Run by `make test`. Takes what is on the machine; else Playwright's own Chromium; else Debian's packages where this user may
install them. What cannot be had is named, and the tests that need it are skipped with the same words.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL_SECONDS = 600


def chromium() -> str | None:
    """The path of a Chromium to test with: one on the PATH, else the one Playwright has installed; None without."""
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def postgres_programs() -> Path | None:
    """The folder that holds initdb, pg_ctl and postgres: the one on the PATH, else Debian's newest; None without."""
    needed = ("initdb", "pg_ctl", "postgres")
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if all((folder / name).exists() for name in needed)), None)


def main() -> None:
    """Install what is missing, as far as this machine allows."""
    if chromium() is None and not _install_playwright_chromium():
        _install_debian_package("chromium")
    if postgres_programs() is None:
        _install_debian_package("postgresql")
    if chromium() is None:
        sys.stderr.write("No Chromium could be installed: the browser tests will be skipped.\n")
    if postgres_programs() is None:
        sys.stderr.write("No PostgreSQL server could be installed: the tests on it will be skipped.\n")


def _install_playwright_chromium() -> bool:
    return _succeeds([sys.executable, "-m", "playwright", "install", "chromium"])


def _install_debian_package(name: str) -> bool:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    return _succeeds(["apt-get", "update", "-qq"]) and _succeeds(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", name], DEBIAN_FRONTEND="noninteractive"
    )


def _succeeds(command: list[str], **environment: str) -> bool:
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, timeout=INSTALL_SECONDS, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired:  # a network that swallows everything
        return False
    return done.returncode == 0


if __name__ == "__main__":
    main()
