"""How long somebody waits for the first sentence after typing `make run`.

    PYTHONPATH=.:tests python tests/benchmarks/first_screen.py

Runs `make run` itself, in this folder, on a free port, with what the tool keeps in a new folder: first "cold" (database, demo
project and, where it is missing or out of date, the virtual environment are made), then "warm" as on every later
day. Each time a browser that was open before signs in and waits for a sentence that has the keyboard.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import typer
from _app import App, machine
from browser.serving import ROOT, launch_chromium
from playwright.sync_api import Browser, sync_playwright

app = typer.Typer(add_completion=False)


@app.command()
def measure(warm: Annotated[int, typer.Option(help="How often to start it warm.")] = 3) -> None:
    """Print one JSON line for each start: seconds until the port answers, and until the first sentence is there."""
    home = Path(tempfile.mkdtemp(prefix="first-screen-"))
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        browser.new_page().close()
        for number, start in enumerate(("cold", *["warm"] * warm)):
            answered, screen = start_once(browser, home, f"Annotator {number}")
            row = {"start": start, "command": "make run", "answered_s": answered, "first_sentence_s": screen}
            typer.echo(json.dumps({**row, **machine()}))
        browser.close()
    shutil.rmtree(home)


def start_once(browser: Browser, home: Path, name: str) -> tuple[float, float]:
    """Seconds from `make run` to an answer, and to a sentence on the screen of somebody new."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "MANER_HOME": str(home), "MANER_DATABASE_URL": "", "MANER_DEMO": ""}
    begun = time.monotonic()
    process = subprocess.Popen(
        ["make", "run", f"PORT={port}"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not answers(url):
            assert process.poll() is None, "make run ended by itself"
            time.sleep(0.02)
        answered = time.monotonic() - begun
        wait_for_sentence(browser, url, home, name)
        return round(answered, 2), round(time.monotonic() - begun, 2)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def answers(url: str) -> bool:
    """Whether the server says that it is well."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for_sentence(browser: Browser, url: str, home: Path, name: str) -> None:
    """Open the page as somebody of that name who is signed in, and wait for a sentence."""
    tool = App(home)
    tool.server.url = url
    tool.open_editor(browser, tool.store.annotator(name)).page.context.close()
    tool.store.close()


if __name__ == "__main__":
    app()
