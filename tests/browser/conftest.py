"""A real browser before the real app, or before a stand-in for the server that fails on command.

Debian's Chromium is used where it is on the PATH, else Playwright's own; without either these tests are skipped.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect, sync_playwright

from annotation import api
from annotation.labels import make_labels
from storage import Annotation, Annotator, NewSentence, Project, ProjectSettings, Split, Status, Store

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

SENTENCES = (
    "Asha Wangari anaishi Nairobi .",
    "Kampuni ya Safaricom ilifungua ofisi mpya Kisumu .",
    "Wanafunzi walirudi shuleni jana .",
    "Rais alikutana na Juma Mwangi mjini Arusha .",
    "Mvua ilinyesha usiku kucha .",
)


class Server:
    """`streamlit run` of one script on a free port, which can be killed and started again."""

    def __init__(self, script: Path, environment: dict[str, str], log: Path) -> None:
        self._script, self._environment, self._log = script, environment, log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", str(self._script), "--server.address", "127.0.0.1"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", **self._environment},
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)  # for a process, not for a page: there is nothing to wait on

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
class FakeServer:
    """The stand-in of fake_server.py."""

    url: str

    def set(self, **switches: object) -> None:
        """Set switches of fake_server.Fake."""
        body = json.dumps(switches).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/control", body, method="POST")):
            pass

    def saved(self) -> list[dict[str, Any]]:
        """The annotations it has got, oldest first."""
        with urllib.request.urlopen(f"{self.url}/control") as answer:
            return list(json.load(answer)["saved"])


@dataclass
class Tool:
    """The real app with one project and its store."""

    server: Server
    store: Store
    project: Project
    annotator: Annotator
    secret: str

    def annotations(self) -> list[Annotation]:
        """The current annotations of the project."""
        rows = self.store.export_rows(self.project.id, None, set(Status), include_unlabelled=False)
        return [row.annotation for row in rows if row.annotation is not None]


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=CHROMIUM_FLAGS
            )
        except Error:
            pytest.skip(
                "there is no Chromium: install Debian's package `chromium` or run `playwright install chromium`"
            )
        yield chromium
        chromium.close()


OpenEditor = Callable[..., Editor]


@pytest.fixture
def open_editor(browser: Browser) -> Iterator[OpenEditor]:
    """Opens the editor at a URL in a new browser profile, or in `context`; fails the test on errors in the page."""
    expect.set_options(timeout=TIMEOUT_MS)
    contexts: list[BrowserContext] = []
    editors: list[Editor] = []

    def open_at(url: str, context: BrowserContext | None = None, cookie: str = "", **options: Any) -> Editor:
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
            context.set_default_timeout(TIMEOUT_MS)
            contexts.append(context)
        if cookie:
            context.add_cookies([{"name": api.COOKIE, "value": cookie, "url": url}])
        editor = Editor(context.new_page())
        editor.page.on("pageerror", lambda error: editor.errors.append(str(error)))
        editors.append(editor)
        editor.page.goto(url)
        return editor

    yield open_at
    errors = [error for editor in editors for error in editor.errors]
    for context in contexts:
        context.close()
    assert not errors


StartFake = Callable[..., FakeServer]


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    """The stand-in, one process for all tests; each begins with a scenario of its own."""
    script = Path(__file__).with_name("fake_app.py")
    server = Server(script, {}, tmp_path_factory.mktemp("fake") / "server.log")
    server.start()
    yield FakeServer(server.url)
    server.stop()


@pytest.fixture
def fake(fake_server: FakeServer) -> StartFake:
    """Gives the stand-in sentences of {tokens, ...}, labels and further parts of a scenario."""

    def begin(
        sentences: Sequence[dict[str, Any]], labels: Sequence[dict[str, str]] = (), **switches: Any
    ) -> FakeServer:
        usual = [
            {"name": label.name, "color": label.color, "key": label.key, "description": label.description}
            for label in make_labels(["PER", "LOC", "ORG"])
        ]
        fake_server.set(
            begin={
                "sentences": [sentence(number, **given) for number, given in enumerate(sentences, start=1)],
                "labels": list(labels) or usual,
            },
            **switches,
        )
        return fake_server

    return begin


def sentence(number: int, tokens: Sequence[str], **given: Any) -> dict[str, Any]:
    """A sentence as it travels to the editor."""
    return {
        "id": number,
        "tokens": list(tokens),
        "spaces": None,
        "direction": "auto",
        "document": None,
        "run": 1 if given.get("suggestions") else None,
        "reason": "",
        "suggestions": [],
        **given,
    }


@pytest.fixture
def plain(fake: StartFake) -> FakeServer:
    """The stand-in with some ordinary sentences without suggestions."""
    return fake([{"tokens": text.split()} for text in SENTENCES * 8])


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    """The real app with forty sentences to label, no worker, and somebody who has given their name."""
    home = tmp_path / "home"
    home.mkdir()
    store = Store(f"sqlite:///{home / 'maner.db'}")
    store.migrate()
    settings = ProjectSettings(
        name="Habari", language="swa", labels=make_labels(["PER", "LOC", "ORG"]), guidelines="Names of people are PER."
    )
    project = store.create_project(settings)
    texts = [f"{text} {number}".split() for number, text in enumerate(SENTENCES * 8)]
    store.add_sentences(
        project.id, [NewSentence(tuple(tokens), source="test", split=Split.POOL) for tokens in texts], None, "test"
    )
    annotator = store.annotator("Asha")
    environment = {"MANER_HOME": str(home), "MANER_DATABASE_URL": "", "MANER_WORKER": "0", "MANER_DEMO": "0"}
    server = Server(ROOT / "app.py", environment, tmp_path / "server.log")
    server.start()
    yield Tool(server, store, project, annotator, api.read_secret(home))
    server.stop()
    store.close()


@pytest.fixture
def open_tool(tool: Tool, open_editor: OpenEditor) -> OpenEditor:
    """Opens the labelling page of the real app, signed in as the tool's annotator."""

    def open_page(**options: Any) -> Editor:
        cookie = api.sign_annotator(tool.secret, tool.annotator)
        return open_editor(tool.server.url, cookie=cookie, **options)

    return open_page
