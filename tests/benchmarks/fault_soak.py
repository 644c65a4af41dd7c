"""Faults of every kind while people label, and a look whether anything was lost, doubled or changed.

    PYTHONPATH=.:tests python tests/benchmarks/fault_soak.py --out results/fault_soak --rounds 4

Scripted annotators label through the sync route, as in kill_soak.py, and one more by keyboard in a real Chromium. Each round
brings every fault once, in an order drawn by lot: SIGKILL of the web process, of the worker and of the browser, a network cut
of a minute, answers that get lost for some seconds, a full disk, and the clock of a browser that jumps. The disk is a small
file system in memory, which takes root to mount; without root that fault is left out. The exit code is 0 only if every
acknowledged annotation is there once, as it was sent, and the worker finishes a round by itself at the end.
"""

import errno
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import psutil  # type: ignore[import-untyped]
import typer
from _app import App, append_line, machine, saved_annotations
from browser.serving import CHROMIUM_FLAGS, Editor, chromium_path
from cut_proxy import CutProxy
from encoders import tiny_xlmr
from kill_soak import PACE_SECONDS, Labeller, Soak, is_whole, make_project, round_after, verdict
from playwright.sync_api import Error, sync_playwright
from signed_in import sign_in

from annotation.account_routes import COOKIE
from storage import Annotator

DISK_MB = 600
CUT_SECONDS = 60.0
DEAF_SECONDS = 12.0
FULL_SECONDS = 10.0
JUMPS_DAYS = (-3650, -1, 1, 3650)
BROWSER_SECONDS = 60.0  # for a page to open, or for everything to be saved

app = typer.Typer(add_completion=False)


@dataclass
class Person(Labeller):
    """A scripted annotator whose clock may be wrong."""

    clock_days: float = 0.0

    def label(self, item: dict[str, Any]) -> None:
        """As the others, at the time the clock says."""
        super().label(item)
        self.outbox[next(reversed(self.outbox))]["time"] += round(self.clock_days * 86_400_000)


@dataclass
class Reader:
    """An annotator at a real browser, which may be killed; its profile outlives it."""

    url: str
    cookie: str
    profile: Path
    pressed: list[int] = field(default_factory=list)  # sentences finished on the screen
    told_saved: set[int] = field(default_factory=set)  # those of which the page said that they are saved
    deaths: int = 0
    at_risk: set[int] = field(default_factory=set)  # finished, but not said to be saved when the browser was killed
    ended: threading.Event = field(default_factory=threading.Event)
    problem: str = ""

    def work(self) -> None:
        """Label until told to end; open the browser again whenever it is gone."""
        while not self.ended.is_set():
            try:
                with self._opened() as editor:
                    while not self.ended.is_set():
                        self._label(editor)
            except (Error, AssertionError) as error:
                self.problem = "" if self.deaths else str(error)
                self.ended.wait(1)
        try:
            with self._opened() as editor:
                editor.page.wait_for_selector(".maner[data-saved=true]", timeout=1_000 * BROWSER_SECONDS)
                self.told_saved |= set(self.pressed)
        except Error as error:
            self.problem = f"at the end: {error}"

    def kill(self) -> None:
        """SIGKILL to the browser and all its processes."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any(str(self.profile) in word for word in process.cmdline()):
                    process.kill()
        self.deaths += 1
        self.at_risk |= set(self.pressed) - self.told_saved
        self.pressed = []

    @contextmanager
    def _opened(self) -> Iterator[Editor]:
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                str(self.profile), executable_path=chromium_path(), args=CHROMIUM_FLAGS, headless=True
            )
            context.add_cookies([{"name": COOKIE, "value": self.cookie, "url": self.url}])
            context.set_default_timeout(1_000 * BROWSER_SECONDS)
            editor = Editor(context.new_page())
            editor.page.goto(self.url)
            editor.page.wait_for_selector(".maner[data-sentence]")
            yield editor
            context.close()

    def _label(self, editor: Editor) -> None:
        if editor.root.get_attribute("data-state") == "ready":
            sentence = editor.sentence()
            editor.press("1", "Enter")
            self.pressed.append(sentence)
        time.sleep(4 * PACE_SECONDS)
        if editor.root.get_attribute("data-saved") == "true":
            self.told_saved |= set(self.pressed)


@dataclass
class Faults(Soak):
    """What is done to the app beside killing it."""

    network: CutProxy | None = None
    people: list[Person] = field(default_factory=list)
    reader: Reader | None = None
    small_disk: bool = False

    def round(self) -> None:
        """Every fault once, some seconds between two."""
        faults: list[Callable[[], None]] = [self.web, self.worker_dies, self.cut, self.deaf, self.clock, self.browser]
        faults += [self.disk] if self.small_disk else []
        self.rng.shuffle(faults)
        for fault in faults:
            time.sleep(self.rng.uniform(0, 6))
            fault()

    def web(self) -> None:
        """The web process dies and is started again."""
        self.kill_web()
        self.start_web()

    def worker_dies(self) -> None:
        """The worker dies; the app starts another."""
        self.kill_worker()

    def cut(self) -> None:
        """Nobody reaches the server for a minute."""
        self._network("cut", CUT_SECONDS)

    def deaf(self) -> None:
        """What is sent arrives, and no answer does."""
        self._network("deaf", DEAF_SECONDS)

    def clock(self) -> None:
        """Somebody's clock is years off."""
        self.rng.choice(self.people).clock_days = self.rng.choice(JUMPS_DAYS)
        self.note("clock", "of a browser jumps")

    def browser(self) -> None:
        """The browser dies."""
        assert self.reader is not None
        self.reader.kill()
        self.note("browser", "at any moment")

    def disk(self) -> None:
        """No room for anything for some seconds."""
        ballast = self.tool.settings.home / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(2**16))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        time.sleep(FULL_SECONDS)
        ballast.unlink()
        self.note("disk", "full")

    def _network(self, state: Any, seconds: float) -> None:
        assert self.network is not None
        self.network.become(state)
        time.sleep(seconds)
        self.network.become("open")
        self.note("network", state)


@contextmanager
def small_disk(home: Path) -> Iterator[bool]:
    """A file system of DISK_MB at `home`, where we may mount one; whether it is there."""
    home.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(home)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(home)], check=False)


@app.command()
def soak(
    out: Annotated[Path, typer.Option(help="Folder for the results; its `home` must not exist yet.")],
    rounds: Annotated[int, typer.Option(help="Each brings every fault once.")] = 4,
    annotators: Annotated[int, typer.Option(help="People who label by script.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 1,
) -> None:
    """Break things, count, and report."""
    with small_disk(out / "home") as has_disk:
        row = run(out.absolute(), rounds, annotators, seed, has_disk)
    append_line(out / "fault_soak.jsonl", row)
    typer.echo(report(row))
    if not is_whole(row) or row["browser_lost"] or row["browser_problem"]:
        raise typer.Exit(1)


def run(out: Path, rounds: int, annotators: int, seed: int, has_disk: bool) -> dict[str, Any]:
    """The soak itself; what came of it."""
    tool = App(out / "home")
    project = make_project(tool, tiny_xlmr(out / "encoder"))
    network = CutProxy(tool.server.port)
    people = []
    for number in range(annotators):
        token = tool.token(project.id, tool.store.annotator(f"Annotator {number}"))
        people.append(Person(network.url, token, number))
    at_browser = tool.store.annotator("At a browser")
    cookie = sign_in(tool.store, at_browser.name, administrator=True).cookie
    reader = Reader(network.url, cookie, out / "profile")
    fire = Faults(tool, project, out, Random(seed), network=network, people=people, reader=reader, small_disk=has_disk)
    everybody: list[Person | Reader] = [*people, reader]
    workers = [threading.Thread(target=person.work, daemon=True) for person in everybody]
    began = time.monotonic()
    with tool.running():
        for worker in workers:
            worker.start()
        for number in range(rounds):
            fire.round()
            problems = [person.problem for person in people if person.problem]
            assert not problems, problems
            done = sum(len(person.acknowledged) for person in people)
            typer.echo(
                f"round {number + 1}: {done} annotations acknowledged by script, {len(reader.told_saved)} in the browser"
            )
        last = datetime.now(UTC)
        for person, worker in zip(everybody, workers, strict=True):
            person.ended.set()
            worker.join(3 * BROWSER_SECONDS)
        recovered = round_after(tool, project, last)
        row = {
            "kind": "summary",
            **machine(),
            "seconds": round(time.monotonic() - began),
            "kills": dict(fire.killed),
            "seconds_to_first_round_after_last_kill": recovered,
            "runs": dict(Counter(run.state.value for run in tool.store.runs(project.id))),
            **verdict(tool, people, without=(at_browser.id,)),
            **browser_verdict(tool, reader, at_browser),
        }
    network.stop()
    return row


def browser_verdict(tool: App, reader: Reader, annotator: Annotator) -> dict[str, Any]:
    """What the browser said is saved against what is."""
    rows = Counter(row.sentence for row in saved_annotations(tool.database) if row.annotator == annotator.id)
    return {
        "browser_finished": len(reader.told_saved | reader.at_risk),
        "browser_told_saved": len(reader.told_saved),
        "browser_lost": sorted(reader.told_saved - set(rows)),
        "browser_twice": [sentence for sentence, n in rows.items() if n > 1],
        "browser_unsent_at_death": len(reader.at_risk),
        "browser_found_again": len(reader.at_risk & set(rows)),
        "browser_problem": reader.problem,
    }


def report(row: dict[str, Any]) -> str:
    """The summary as Markdown."""
    faults = ", ".join(f"{name} {count}" for name, count in sorted(row["kills"].items()))
    return (
        f"{row['at']}, {row['cores']} × {row['cpu']}, load {row['load']}, {row['seconds']} s\n\nFaults: {faults}.\n\n"
        f"By script: {row['submitted']} annotations submitted, {row['acknowledged']} acknowledged, {row['rows']} rows: "
        f"{len(row['lost'])} lost, {len(row['twice'])} twice, {len(row['wrong'])} changed; {row['failed_requests']} of "
        f"{row['requests']} requests failed, {row['saved_but_answer_lost']} answers were lost.\n\nIn the browser: "
        f"{row['browser_finished']} finished, {row['browser_told_saved']} said to be saved, {len(row['browser_lost'])} lost, "
        f"{len(row['browser_twice'])} twice; {row['browser_unsent_at_death']} were unsent when it was killed, "
        f"{row['browser_found_again']} of them were found again. Runs: "
        f"{row['runs']}. The first round after the last fault was done after "
        f"{row['seconds_to_first_round_after_last_kill']} s.\n"
    )


if __name__ == "__main__":
    app()
