"""How long an annotator waits, alone and beside nine others, while the worker trains.

    PYTHONPATH=.:tests python tests/benchmarks/latency.py --out results/latency

Each annotator has a browser profile of its own in one Chromium and labels a sentence every 2 s or so by keyboard, a key every
0.1 s. Three times are taken for each sentence: from pressing Enter to the frame that shows the next sentence (measured in the
page), from then to the row that another connection can read from the database (looked for every 2 ms), and to the page
having the server's word for it. The project has 2,000 made-up sentences and the bundled backbone; the worker is
asked to train whenever it does not.

What a browser needs to draw anything at all depends on the machine and on what else it does. So between the sentences the
same keys go to a bare page in the same browser, which counts them in one text node: its time, by the same two lines of
JavaScript, is the floor that the editor's is to be compared with.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from _app import App, append_line, database_is_sound, drain, machine, quantile, saved_annotations
from browser.serving import Editor, launch_chromium
from playwright.sync_api import sync_playwright

from annotation.labels import make_labels
from maner_core.spans import Span
from storage import NewSentence, Project, ProjectSettings, RunState

PACE_SECONDS = 2.0
KEY_SECONDS = 0.1  # ten keys a second: faster than people label, slow enough for a frame between two keys
LOOK_SECONDS = 0.002
KEYS = ("Home", "1", "ArrowRight", "Shift+ArrowRight", "2", "Enter")

PEOPLE = ("Asha", "Juma", "Neema", "Baraka", "Zawadi", "Otieno", "Wanjiru", "Musa", "Rehema", "Kofi")
PLACES = ("Arusha", "Mombasa", "Kisumu", "Dodoma", "Mwanza", "Nakuru", "Iringa", "Tanga", "Moshi", "Lamu")
WORDS = ("leo", "jana", "asubuhi", "tena", "pamoja", "haraka", "vizuri", "mapema", "sokoni", "nyumbani", "barabarani")

BARE_PAGE = """
<!doctype html><title>Bare</title><p>0</p><script>
const text = document.querySelector("p").firstChild;
window.addEventListener("keydown", (event) => {
  const begun = performance.now();
  text.data = Number(text.data) + 1;
  const detail = { command: event.key === "Enter" ? "accept" : "other", waited: begun - event.timeStamp };
  detail.worked = performance.now() - begun;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () =>
      performance.measure("maner:key-to-paint", { start: event.timeStamp, end: performance.now(), detail });
    channel.port2.postMessage(null);
  });
});
window.__seen = [];
</script>
"""

app = typer.Typer(add_completion=False)


@dataclass
class Seat:
    """An annotator at work: when the next key is due, and what the page noted."""

    editor: Editor
    due: float
    key: int = 0  # the place in KEYS of the next one
    submitted: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    paints: list[dict[str, Any]] = field(default_factory=list)

    def press(self) -> bool:
        """The next key; whether it finished a sentence. What the page noted is collected before a sentence begins."""
        if self.key == 0:
            self.collect()
        self.editor.press(KEYS[self.key])
        self.key = (self.key + 1) % len(KEYS)
        self.due = time.monotonic() + (KEY_SECONDS if self.key else PACE_SECONDS - len(KEYS) * KEY_SECONDS)
        return self.key == 0

    def collect(self) -> None:
        """Take over what the page noted."""
        noted = drain(self.editor)
        self.paints += noted["paints"]
        for entry in noted["seen"]:
            if entry["what"] == "submitted":
                self.submitted[entry["id"]] = entry
            elif entry["what"] == "acknowledged":
                self.acknowledged[entry["id"]] = entry["now"]
            else:
                raise AssertionError(f"an annotation was refused: {entry}")

    def on_enter(self, what: str) -> list[float]:
        """Milliseconds for each Enter: `duration` from the key to the frame with the next sentence, of which it
        `waited` for the page to hear of it and the page `worked` on it."""
        return [paint[what] for paint in self.paints if paint["command"] == "accept"]

    def to_acknowledged(self) -> list[float]:
        """Milliseconds from each submission to the server's word in the page."""
        return [self.acknowledged[id_] - entry["now"] for id_, entry in self.submitted.items()]


class RowWatch:
    """Notes when each annotation can first be read by somebody else: a thread that looks every LOOK_SECONDS."""

    def __init__(self, database: Path) -> None:
        self.seen_at: dict[str, float] = {}
        self._database = database
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_until_the_end, daemon=True)

    def __enter__(self) -> "RowWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look_until_the_end(self) -> None:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM annotations").fetchone()
            while not self._ended.wait(LOOK_SECONDS):
                for seq, id_ in connection.execute("SELECT seq, id FROM annotations WHERE seq > ?", (last,)):
                    self.seen_at[id_] = 1000 * time.time()
                    last = max(last, seq)


@app.command()
def measure(
    out: Annotated[Path, typer.Option(help="Folder for the results; its `home` must not exist yet.")],
    alone: Annotated[int, typer.Option(help="Sentences that the one annotator labels.")] = 100,
    each: Annotated[int, typer.Option(help="Sentences that each of several annotators labels.")] = 30,
    annotators: Annotated[int, typer.Option(help="How many those are.")] = 10,
    training: Annotated[bool, typer.Option(help="Let the worker train meanwhile.")] = True,
) -> None:
    """Measure with one and then with several annotators; print the table and add it to OUT as Markdown and JSON."""
    tool = App(out / "home", worker=training)
    project = make_project(tool)
    rows = []
    with tool.running(), trained_meanwhile(tool, project, training), sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        bare = browser.new_page(viewport={"width": 1280, "height": 800})
        bare.set_content(BARE_PAGE)
        for count, sentences in ((1, alone), (annotators, each)):
            editors = [tool.open_editor(browser, tool.store.annotator(f"Annotator {count}.{i}")) for i in range(count)]
            rows.append(one_setting(tool, project, editors, Editor(bare), sentences))
            append_line(out / "latency.jsonl", rows[-1])
        browser.close()
    text = table(rows)
    (out / "latency.md").write_text(text, encoding="utf-8")
    typer.echo(text)


def make_project(tool: App) -> Project:
    """2,000 sentences to label, and 50 labelled ones so that the first training can begin and its scores choose."""
    settings = ProjectSettings(name="Latency", language="swa", labels=make_labels(["PER", "LOC"]))
    project = tool.store.create_project(settings)
    rng = Random(1)
    sentences = [made_up(rng, number) for number in range(2_050)]
    labelled = [
        NewSentence(tokens, source="made up", gold=(Span(0, 1, "PER"), Span(2, 3, "LOC"))) for tokens in sentences[:50]
    ]
    unlabelled = [NewSentence(tokens, source="made up") for tokens in sentences[50:]]
    importer = tool.store.annotator("import").id
    tool.store.add_sentences(project.id, [*labelled, *unlabelled], importer, "made up")
    return project


def made_up(rng: Random, number: int) -> tuple[str, ...]:
    """A sentence of 8 to 30 words with a person and a place in it, and a number that makes it unlike the others."""
    words = [rng.choice(WORDS) for _ in range(rng.randint(3, 25))]
    return (rng.choice(PEOPLE), "alikwenda", rng.choice(PLACES), *words, str(number), ".")


@contextmanager
def trained_meanwhile(tool: App, project: Project, wanted: bool) -> Iterator[None]:
    """A worker that trains from here to the end: asked again whenever a training is over."""
    ended = threading.Event()

    def ask_until_the_end() -> None:
        while not ended.wait(1.0):
            last = tool.store.last_run(project.id)
            if last is None or last.state is not RunState.RUNNING:
                tool.store.request_retrain(project.id)

    asking = threading.Thread(target=ask_until_the_end, daemon=True)
    if wanted:
        asking.start()
        while (run := tool.store.last_run(project.id)) is None or run.phase != "training" or run.progress == 0:
            time.sleep(0.5)
    try:
        yield
    finally:
        ended.set()
        if wanted:
            asking.join()


def one_setting(tool: App, project: Project, editors: Sequence[Editor], bare: Editor, sentences: int) -> dict[str, Any]:
    """Let these annotators label `sentences` each at their pace, evenly out of step; what was measured."""
    started = time.monotonic()
    step = PACE_SECONDS / (len(editors) + 1)
    *seats, floor = [Seat(editor, started + step * i) for i, editor in enumerate([*editors, bare])]
    phases: Counter[str] = Counter()
    finished = 0
    with RowWatch(tool.database) as watch:
        while finished < sentences * (len(seats) + 1):
            seat = min([*seats, floor], key=lambda seat: seat.due)
            time.sleep(max(seat.due - time.monotonic(), 0))
            if seat.press():
                finished += 1
                phases[phase(tool, project)] += 1
        for seat in seats:
            seat.editor.saved()
        for seat in (*seats, floor):
            seat.collect()
    seconds = time.monotonic() - started
    for seat in seats:
        assert not seat.editor.errors, seat.editor.errors
        seat.editor.page.context.close()
    check(tool, seats)
    submitted = {id_: entry for seat in seats for id_, entry in seat.submitted.items()}
    to_row = [watch.seen_at[id_] - entry["annotation"]["time"] for id_, entry in submitted.items()]
    return {
        **machine(),
        "annotators": len(seats),
        "annotations": len(submitted),
        "per_second": round(len(submitted) / seconds, 2),
        "worker": dict(phases),
        "key_to_paint_ms": spread([time for seat in seats for time in seat.on_enter("duration")]),
        "of_it_waited_ms": spread([time for seat in seats for time in seat.on_enter("waited")]),
        "of_it_worked_ms": spread([time for seat in seats for time in seat.on_enter("worked")]),
        "bare_page_ms": spread(floor.on_enter("duration")),
        "submit_to_row_ms": spread(to_row),
        "submit_to_acknowledged_ms": spread([time for seat in seats for time in seat.to_acknowledged()]),
    }


def phase(tool: App, project: Project) -> str:
    """What the worker does now."""
    run = tool.store.last_run(project.id)
    return run.phase if run is not None and run.state is RunState.RUNNING else "nothing"


def check(tool: App, seats: Sequence[Seat]) -> None:
    """Speed counts only where nothing is lost."""
    rows = Counter(saved.id for saved in saved_annotations(tool.database))
    for seat in seats:
        assert all(rows[id_] == 1 for id_ in seat.submitted)
    assert database_is_sound(tool.database)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile of `n` times in ms, and the longest."""

    n: int
    median: float
    p95: float
    longest: float


def spread(times: Sequence[float]) -> dict[str, float]:
    """The spread as it is stored."""
    return asdict(
        Spread(
            len(times),
            round(quantile(times, 0.5), 1),
            round(quantile(times, 0.95), 1),
            round(max(times, default=0.0), 1),
        )
    )


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    where = rows[0]
    lines = [
        f"{where['at']}, {where['cores']} × {where['cpu']}, load {where['load']}, niceness {where['niceness']}",
        "",
        "| annotators | annotations (per s) | worker meanwhile | key to paint, ms | of it our script | bare page | "
        "to row, ms | to acknowledged, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        worker = ", ".join(f"{name} {count}" for name, count in row["worker"].items())
        times = [
            f"{row[name]['median']} (p95 {row[name]['p95']}, n {row[name]['n']})"
            for name in ("key_to_paint_ms", "of_it_worked_ms", "bare_page_ms", "submit_to_row_ms",
                         "submit_to_acknowledged_ms")
        ]  # fmt: skip
        counted = f"{row['annotations']} ({row['per_second']})"
        lines.append("| " + " | ".join([str(row["annotators"]), counted, worker, *times]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    app()
