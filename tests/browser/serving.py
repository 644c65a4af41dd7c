"""The real app as a process, Chromium, and the editor on a page: what browser tests and benchmarks share."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

ROOT = Path(__file__).parents[2]
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
TIMEOUT_MS = 20_000


def launch_chromium(playwright: Playwright) -> Browser:
    """Debian's Chromium where it is on the PATH, else Playwright's own; playwright.sync_api.Error without either."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)


def chromium_path() -> str | None:
    """Debian's Chromium, if it is on the PATH."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Server:
    """`streamlit run` of one script on a free port, which can be killed and started again."""

    def __init__(self, script: Path, environment: dict[str, str], log: Path) -> None:
        self._script, self._environment, self._log = script, environment, log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> None:
        """Start it, with `more` in its environment, and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", str(self._script), "--server.address", "127.0.0.1"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", **self._environment, **more},
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)  # for a process, not for a page: there is nothing to wait on

    @property
    def pid(self) -> int:
        """The process that serves; AssertionError when none does."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, as when the power goes."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and a kill if that does not help."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@dataclass
class Editor:
    """The editor on a page, in the words of the tests."""

    page: Page
    errors: list[str] = field(default_factory=list)

    @property
    def root(self) -> Locator:
        """The editor's element, with its state in data attributes."""
        return self.page.locator(".maner")

    def ready(self) -> "Editor":
        """Wait for a sentence that has the keyboard."""
        expect(self.root).to_have_attribute("data-state", "ready")
        expect(self.page.locator(".sentence")).to_be_focused()
        return self

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def sentence(self) -> int:
        """The id of the open sentence."""
        return int(self.root.get_attribute("data-sentence") or 0)

    def on_other_sentence(self, than: int) -> None:
        """Wait until another sentence is open."""
        expect(self.root).not_to_have_attribute("data-sentence", str(than))

    def saved(self) -> None:
        """Wait until the server has acknowledged everything."""
        expect(self.root).to_have_attribute("data-saved", "true")

    def unsent(self, count: int) -> None:
        """Wait until so many annotations wait in the browser."""
        expect(self.root).to_have_attribute("data-unsent", str(count))

    def word(self, position: int) -> Locator:
        """One word of the sentence."""
        return self.page.locator(f"#word-{position}")

    def selected(self) -> str:
        """The selected words."""
        return " ".join(self.page.locator(".word.selected").all_inner_texts())

    def entities(self) -> list[str]:
        """The entities on the screen, such as "PER: Asha Wangari" or "PER?: Asha" for a suggestion."""
        texts: list[str] = self.page.locator(".entity").evaluate_all(
            """entities => entities.map(entity => entity.dataset.label
                + (entity.classList.contains("suggested") ? "?: " : ": ")
                + [...entity.querySelectorAll(".word")].map(word => word.textContent).join(" "))"""
        )
        return texts
