"""What the benchmarks of the main loop share: the real app in a home of its own, a scripted annotator, what was saved."""

import json
import math
import os
import platform
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from browser.serving import ROOT, TIMEOUT_MS, Editor, Server
from playwright.sync_api import Browser, expect
from signed_in import sign_in

from annotation import accounts, api
from annotation.account_routes import COOKIE
from annotation.settings import Settings
from maner_core.spans import Span
from storage import Annotator, Label, Role, Store

CAPTURE = """
(() => {
  const seen = (window.__seen = []);
  const { setItem, removeItem } = Storage.prototype;
  const idOf = (key, shelf) => (key.startsWith(`maner:${shelf}:`) ? key.split(":").pop() : null);
  const note = (what, key, rest) => {
    const id = idOf(key, what === "refused" ? "refused" : "outbox");
    if (id && id !== "probe") seen.push({ what, id, now: performance.now(), ...rest() });
  };
  Storage.prototype.setItem = function (key, value) {
    setItem.call(this, key, value);
    note("submitted", key, () => ({ annotation: JSON.parse(value) }));
    note("refused", key, () => JSON.parse(value));
  };
  Storage.prototype.removeItem = function (key) {
    removeItem.call(this, key);
    note("acknowledged", key, () => ({}));
  };
})();
"""
"""Runs in the page before the editor: notes when it puts an annotation into its outbox and when it takes it out."""

DRAIN = """
() => {
  const name = "maner:key-to-paint";
  const paints = performance.getEntriesByName(name).map(({ duration, detail }) => ({ duration, ...detail }));
  performance.clearMeasures(name);
  return { seen: window.__seen.splice(0), paints };
}
"""

ON_SCREEN = """
entities => entities.map(entity => {
  const words = entity.querySelectorAll(".word");
  return [words[0].position, words[words.length - 1].position + 1, entity.dataset.label];
})
"""


class App:
    """The real app on a port of its own, with everything it keeps under `home`; may be killed and started again."""

    def __init__(self, home: Path, worker: bool = True) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(home=home.absolute(), database_url=f"sqlite:///{home.absolute() / 'maner.db'}")
        self.database = home.absolute() / "maner.db"
        self.environment = {
            "MANER_HOME": str(self.settings.home),
            "MANER_DATABASE_URL": "",
            "MANER_DEMO": "0",
            "MANER_ACCOUNTS": "on",
        }
        worker_switch = {} if worker else {"MANER_WORKER": "0"}
        self.server = Server(ROOT / "app.py", {**self.environment, **worker_switch}, home / "server.log")
        self.store = Store(self.settings.database_url)
        self.store.migrate()

    def token(self, project_id: int, annotator: Annotator) -> str:
        """What the browser of somebody newly signed in shows the sync route."""
        session = sign_in(self.store, annotator.name, Role.ANNOTATOR, project_id).session
        return api.mint_token(api.read_secret(self.settings.home), project_id, annotator.id, session)

    @contextmanager
    def running(self) -> Iterator["App"]:
        """Started, and stopped at the end."""
        self.server.start()
        try:
            yield self
        finally:
            self.server.stop()
            self.store.close()

    def open_editor(self, browser: Browser, annotator: Annotator) -> Editor:
        """The labelling page in a browser profile of its own, signed in, with a sentence that has the keyboard."""
        expect.set_options(timeout=6 * TIMEOUT_MS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(6 * TIMEOUT_MS)
        context.add_init_script(CAPTURE)
        context.add_cookies([{"name": COOKIE, "value": self._cookie(annotator), "url": self.server.url}])
        editor = Editor(context.new_page())
        editor.page.on("pageerror", lambda error: editor.errors.append(str(error)))
        editor.page.goto(self.server.url)
        return editor.ready()

    def _cookie(self, annotator: Annotator) -> str:
        """A session of theirs, who get an account with the first one."""
        if any(account.annotator_id == annotator.id for account in self.store.accounts()):
            return accounts.start_session(self.store, annotator.id)
        return sign_in(self.store, annotator.name, administrator=True).cookie


@dataclass(frozen=True, slots=True)
class Saved:
    """A row of the annotations table with its spans."""

    id: str
    sentence: int
    annotator: int
    spans: tuple[Span, ...]


def saved_annotations(database: Path) -> list[Saved]:
    """Every annotation row made in the tool, read past the store: what was imported is left out."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        spans: dict[int, list[Span]] = {}
        for seq, *span in connection.execute(
            'SELECT annotation_seq, start, "end", label FROM annotation_spans ORDER BY start'
        ):
            spans.setdefault(seq, []).append(Span(*span))
        rows = connection.execute("SELECT seq, id, sentence_id, annotator_id FROM annotations WHERE NOT imported")
        return [Saved(id_, sentence, annotator, tuple(spans.get(seq, ()))) for seq, id_, sentence, annotator in rows]


def database_is_sound(database: Path) -> bool:
    """Whether SQLite finds neither damage nor a row that points nowhere."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        return bool(verdict == "ok") and not connection.execute("PRAGMA foreign_key_check").fetchall()


def spans_on_screen(editor: Editor) -> list[Span]:
    """The entities of the open sentence, suggested or not."""
    return [Span(*span) for span in editor.page.locator(".entity").evaluate_all(ON_SCREEN)]


def keys_for(shown: Sequence[Span], gold: Sequence[Span], labels: Sequence[Label], forward: str) -> list[str]:
    """The keys that turn the entities shown into `gold`; `forward` is the arrow that goes one word on.

    `[LOC 0-1], [PER 1-3] -> Home, Backspace, Home, forward, Shift+forward, 1`
    """
    keys = {label.name: label.key for label in labels}
    wrong = sorted(set(shown) - set(gold))
    missing = sorted(set(gold) - set(shown))
    pressed: list[str] = []
    cursor = 0
    for span in wrong:
        pressed += ["Home"] if not pressed else []
        pressed += [forward] * (span.start - cursor) + ["Backspace"]
        cursor = span.start
    if missing:
        pressed.append("Home")
        cursor = 0
    for span in missing:
        pressed += [forward] * (span.start - cursor)
        pressed += [f"Shift+{forward}"] * (span.end - span.start - 1) + [keys[span.label]]
        cursor = span.end - 1
    return pressed


def forward_key(editor: Editor) -> str:
    """The arrow that goes one word on in the open sentence."""
    return "ArrowLeft" if editor.page.locator(".sentence").get_attribute("dir") == "rtl" else "ArrowRight"


def drain(editor: Editor) -> dict[str, list[dict[str, Any]]]:
    """What CAPTURE and the editor noted since the last call: `seen` and `paints`, times in ms of the page's clock."""
    noted: dict[str, list[dict[str, Any]]] = editor.page.evaluate(DRAIN)
    return noted


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.nan


def machine() -> dict[str, Any]:
    """Where and when something was measured; `load` is the mean number of runnable processes in the last minute."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cpu": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "niceness": os.nice(0),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def append_line(file: Path, row: dict[str, Any]) -> None:
    """Add one JSON line."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
