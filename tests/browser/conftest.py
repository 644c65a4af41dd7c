"""A real browser before the real app, or before a stand-in for the server that fails on command.

Debian's Chromium is used where it is on the PATH, else Playwright's own; without either these tests are skipped.
"""

import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import open_store
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from annotation.account_routes import COOKIE
from annotation.labels import make_labels
from browser.serving import ROOT, TIMEOUT_MS, Editor, Server, chromium_path, launch_chromium
from storage import Annotation, Annotator, NewSentence, Project, ProjectSettings, Split, Status, Store

SENTENCES = (
    "Asha Wangari anaishi Nairobi .",
    "Kampuni ya Safaricom ilifungua ofisi mpya Kisumu .",
    "Wanafunzi walirudi shuleni jana .",
    "Rais alikutana na Juma Mwangi mjini Arusha .",
    "Mvua ilinyesha usiku kucha .",
)


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

    def annotations(self) -> list[Annotation]:
        """The current annotations of the project."""
        rows = self.store.export_rows(self.project.id, None, set(Status), include_unlabelled=False)
        return [row.annotation for row in rows if row.annotation is not None]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        if chromium_path() is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(
                "there is no Chromium: install Debian's package `chromium` or run `playwright install chromium`"
            )
        chromium = launch_chromium(playwright)
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
            context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
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
    """The real app with forty sentences to label, no worker, for one person who need not sign in."""
    home = tmp_path / "home"
    store = open_store(home)
    settings = ProjectSettings(
        name="Habari", language="swa", labels=make_labels(["PER", "LOC", "ORG"]), guidelines="Names of people are PER."
    )
    project = store.create_project(settings)
    texts = [f"{text} {number}".split() for number, text in enumerate(SENTENCES * 8)]
    store.add_sentences(
        project.id, [NewSentence(tuple(tokens), source="test", split=Split.POOL) for tokens in texts], None, "test"
    )
    annotator = store.annotator("Asha")
    environment = {
        "MANER_HOME": str(home),
        "MANER_DATABASE_URL": "",
        "MANER_WORKER": "0",
        "MANER_DEMO": "0",
        "MANER_USER": annotator.name,
    }
    server = Server(ROOT / "app.py", environment, tmp_path / "server.log")
    server.start()
    yield Tool(server, store, project, annotator)
    server.stop()
    store.close()


@pytest.fixture
def open_tool(tool: Tool, open_editor: OpenEditor) -> OpenEditor:
    """Opens the labelling page of the real app as the tool's annotator."""

    def open_page(**options: Any) -> Editor:
        return open_editor(tool.server.url, **options)

    return open_page
