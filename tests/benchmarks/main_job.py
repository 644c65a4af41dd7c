"""The main job on real sentences: import, label, retrain, choose, evaluate, with gold tags replayed by a scripted annotator.

    PYTHONPATH=.:tests python tests/benchmarks/main_job.py --data FOLDER --out results/main_job

FOLDER holds train.txt (the pool) and test.txt (the evaluation set), two columns, IOB2. The app, its worker and the bundled
backbone are the real ones, in a home of their own under OUT. The annotator works through the browser by keyboard first and
then through the same hand-out without one, never more than `--ahead` labels before the last finished training, so
that the loop really chooses. After a pause it opens the page anew, as people do. Written are main_job.jsonl (every label,
every run, a summary), main_job.md, curve.csv, curve.html and dashboard.png.
"""

import csv
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import Annotated, Any

import typer
from _app import (
    App,
    append_line,
    database_is_sound,
    drain,
    forward_key,
    keys_for,
    machine,
    saved_annotations,
    spans_on_screen,
)
from browser.serving import ROOT, Editor, launch_chromium
from playwright.sync_api import Browser, sync_playwright

from annotation.hand_out import BatchItem, Desk
from annotation.sync_request import SyncRequest
from annotation.ui.charts import CurvePoint, f1_curve
from annotation.work_state import until_training
from maner_core import conll
from maner_core.spans import Span
from storage import Annotator, Project, Run, RunState, Split

PROJECT = "Main job"
LOOK_SECONDS = 1.0
HELD, ASK_AT = 20, 10  # as the editor does
STEPS_OF_WORKER = ("training", "evaluating", "scoring", "suggesting")

app = typer.Typer(add_completion=False)

Gold = dict[tuple[str, ...], tuple[Span, ...]]


@dataclass
class Job:
    """One replay."""

    tool: App
    project: Project
    annotator: Annotator
    gold: Gold
    out: Path
    labels: int
    ahead: int
    patience: float  # seconds without a sign of life from a training after which the job gives up
    submitted: dict[str, tuple[int, tuple[Span, ...]]] = field(default_factory=dict)
    least_ready: int | None = None
    without_next: int = 0
    reported: int = 0  # finished runs already written down

    def in_browser(self, browser: Browser, labels: int) -> None:
        """Label `labels` sentences by keyboard in the real editor."""
        editor = self.tool.open_editor(browser, self.annotator)
        for _ in range(labels):
            if self.paused():
                editor.saved()
                self.take_submitted(editor)
                editor.page.reload()
                editor.ready()
            self.label_open_sentence(editor)
        editor.saved()
        self.take_submitted(editor)
        assert not editor.errors, editor.errors
        editor.page.context.close()

    def label_open_sentence(self, editor: Editor) -> None:
        """Make the open sentence what the gold says and press Enter; the next one must be there at once."""
        sentence = editor.sentence()
        gold = self.gold_of(sentence)
        shown = spans_on_screen(editor)
        keys = keys_for(shown, gold, self.project.settings.labels, forward_key(editor))
        editor.press(*keys)
        assert tuple(spans_on_screen(editor)) == gold, f"sentence {sentence} is not as labelled"
        editor.press("Enter")
        there = editor.root.get_attribute("data-state") == "ready" and editor.sentence() != sentence
        self.take_submitted(editor)
        self.note_label("browser", sentence, there, shown=len(shown), keys=len(keys) + 1)
        if not there:
            editor.ready()

    def take_submitted(self, editor: Editor) -> None:
        """Take over what the page noted; nothing may be refused."""
        for entry in drain(editor)["seen"]:
            assert entry["what"] != "refused", entry
            if entry["what"] == "submitted":
                annotation = entry["annotation"]
                spans = tuple(Span(*span) for span in annotation["spans"])
                self.submitted[annotation["id"]] = (annotation["sentence"], spans)

    def through_hand_out(self, labels: int) -> None:
        """Label `labels` sentences with the requests the editor makes, handed straight to the hand-out.

        After a pause, in which leases may have run out, it asks again before it goes on, as the editor does.
        """
        desk, client, held = Desk(self.tool.store), f"main-job-{uuid.uuid4()}", list[BatchItem]()
        outbox: list[dict[str, Any]] = []
        given = 0
        for number in count():
            body = {
                "seq": number,
                "nonce": "main job",
                "client": client,
                "outbox": outbox,
                "have": [item.id for item in held],
                "want": HELD if len(held) <= ASK_AT else 0,
            }
            answer = desk.sync(self.tool.store.project(self.project.id), self.annotator.id, SyncRequest.parse(body))
            assert list(answer.acks) == [annotation["id"] for annotation in outbox], answer.rejects
            held = [item for item in held if item.id not in answer.drop] + list(answer.batch)
            if outbox:
                suggested = outbox[0].pop("suggested")
                self.note_label("hand-out", outbox[0]["sentence"], bool(held), shown=suggested)
                given += 1
            if given == labels:
                break
            assert held, "there is nothing left to label"
            outbox = [] if self.paused() else [self.annotate(held.pop(0))]
        self.tool.store.release(self.annotator.id, client)

    def annotate(self, item: BatchItem) -> dict[str, Any]:
        """The gold annotation of a handed-out sentence, as the editor would send it."""
        spans = self.gold_of(item.id)
        annotation = {
            "id": str(uuid.uuid4()),
            "sentence": item.id,
            "status": "labelled",
            "spans": [[span.start, span.end, span.label] for span in spans],
            "comment": "",
            "time": round(1000 * time.time()),
            "milliseconds": 0,
            "run": item.run,
            "supersedes": None,
            "suggested": len(item.suggestions),
        }
        self.submitted[str(annotation["id"])] = (item.id, spans)
        return annotation

    def gold_of(self, sentence: int) -> tuple[Span, ...]:
        """The gold spans of a stored sentence."""
        return self.gold[self.tool.store.sentence(sentence).tokens]

    def note_label(self, via: str, sentence: int, there: bool, **more: Any) -> None:
        """Write one label down, with what the queue holds after it."""
        ready = self.tool.store.ready(self.project.id, Split.POOL)
        self.least_ready = ready if self.least_ready is None else min(self.least_ready, ready)
        self.without_next += not there
        last = self.last_done()
        row = {"at": datetime.now(UTC), "kind": "label", "n": len(self.submitted), "via": via, "sentence": sentence}
        row |= {"next_there": there, "ready": ready, "last_run": last and last.id, **more}
        append_line(self.out / "main_job.jsonl", row)
        self.note_runs()

    def paused(self) -> bool:
        """Wait until the next label is at most `ahead` labels before the last finished training; whether it had to."""
        waited = False
        while len(self.submitted) - self.trained() >= self.ahead:
            waited = True
            self.look_after_worker()
        return waited

    def until_trained(self) -> None:
        """Wait for the trainings that are due; labels that are too few for one get it by the button "Train now"."""
        self.until_idle()
        if self.trained() < len(self.submitted):
            self.tool.store.request_retrain(self.project.id)
            self.until_idle()

    def until_idle(self) -> None:
        """Wait until nothing is training and nothing is due."""
        store = self.tool.store
        while True:
            last = store.last_run(self.project.id)
            running = last is not None and last.state is RunState.RUNNING
            asked = store.retrain_requested(self.project.id)
            if not running and not asked and until_training(store, self.project, last) > 0:
                return self.note_runs()
            self.look_after_worker()

    def look_after_worker(self) -> None:
        """Let a second pass; gives up on a worker that fails for good or is silent."""
        time.sleep(LOOK_SECONDS)
        self.note_runs()
        last = self.tool.store.last_run(self.project.id)
        if last is None:
            return
        silent = (datetime.now(UTC) - last.heartbeat_at).total_seconds()
        if last.state is RunState.FAILED and (last.attempt > 1 or silent > self.patience):
            raise RuntimeError(f"run {last.id} failed: {last.failure}")
        if last.state is RunState.RUNNING and silent > self.patience:
            raise RuntimeError(f"run {last.id} gave no sign of life for {silent:.0f} s")

    def trained(self) -> int:
        """How many labels the last finished training had."""
        last = self.last_done()
        return last.n_train if last else 0

    def last_done(self) -> Run | None:
        """The newest finished run."""
        return max(self.done(), key=lambda run: run.id, default=None)

    def done(self) -> list[Run]:
        """The finished runs, oldest first."""
        return [run for run in self.tool.store.runs(self.project.id) if run.state is RunState.DONE]

    def note_runs(self) -> None:
        """Write down the runs finished since the last time."""
        for run in islice(self.done(), self.reported, None):
            self.reported += 1
            row = run_row(run)
            append_line(self.out / "main_job.jsonl", row)
            typer.echo(f"{len(self.submitted)} labels; {run_line(row)}", err=True)

    def verdict(self) -> dict[str, Any]:
        """Whether each submitted annotation is in the database once, with its sentence and spans, and nothing else is."""
        rows = [row for row in saved_annotations(self.tool.database) if row.annotator == self.annotator.id]
        times = Counter(row.id for row in rows)
        wrong = [row.id for row in rows if self.submitted.get(row.id) != (row.sentence, row.spans)]
        return {
            "submitted": len(self.submitted),
            "rows": len(rows),
            "lost": [id_ for id_ in self.submitted if not times[id_]],
            "twice": [id_ for id_, count in times.items() if count > 1],
            "sentences_twice": [s for s, count in Counter(row.sentence for row in rows).items() if count > 1],
            "wrong": wrong,
            "database_sound": database_is_sound(self.tool.database),
            "least_ready": self.least_ready,
            "labels_without_a_next_sentence": self.without_next,
        }


@app.command()
def replay(
    data: Annotated[Path, typer.Option(help="Folder with train.txt and test.txt, two columns, IOB2.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; its `home` must not exist yet.")],
    labels: Annotated[int, typer.Option(help="Labels at the end.")] = 300,
    browser_labels: Annotated[int, typer.Option(help="So many of them through the browser.")] = 60,
    pool_limit: Annotated[int | None, typer.Option(help="Use so many sentences of train.txt.")] = None,
    test_limit: Annotated[int | None, typer.Option(help="Use so many sentences of test.txt.")] = None,
    ahead: Annotated[int, typer.Option(help="Labels before the last finished training at most.")] = 50,
    patience: Annotated[float, typer.Option(help="Seconds after which a silent training is given up.")] = 300,
    backbone: Annotated[str, typer.Option(help="bundled, a hub id or a folder.")] = "bundled",
) -> None:
    """Do the main job and write down what happened; the exit code is 0 only if nothing was lost or missing."""
    if (out / "home").exists():
        raise typer.BadParameter(f"{out / 'home'} exists; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    pool, test = part_of(data / "train.txt", out, pool_limit), part_of(data / "test.txt", out, test_limit)
    tool = App(out / "home")
    corpus = conll.read(pool)
    names = ",".join(sorted({*corpus.labels, *conll.read(test).labels}))
    for use, file, more in (("evaluation", test, ["--labels", names]), ("pool", pool, ["--reserve", "0"])):
        bring_in(tool, use, file, more)
    project = tool.store.project_by_name(PROJECT)
    project = tool.store.update_project(project.id, replace(project.settings, backbone=backbone))
    job = Job(
        tool=tool,
        project=project,
        annotator=tool.store.annotator("Gold"),
        gold=gold_by_tokens(corpus),
        out=out,
        labels=labels,
        ahead=ahead,
        patience=patience,
    )
    append_line(out / "main_job.jsonl", {"kind": "begin", **machine()})
    started = time.monotonic()
    with tool.running(), sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        job.in_browser(browser, min(browser_labels, labels))
        job.through_hand_out(max(labels - browser_labels, 0))
        job.until_trained()
        picture_of_dashboard(job, browser)
        browser.close()
        summary = {"kind": "summary", **machine(), "seconds": round(time.monotonic() - started), **job.verdict()}
        runs = [run_row(run) for run in job.done()]
    append_line(out / "main_job.jsonl", summary)
    write_curve(out, runs)
    (out / "main_job.md").write_text(report(runs, summary), encoding="utf-8")
    typer.echo(report(runs, summary))
    if not is_whole(summary):
        raise typer.Exit(1)


def part_of(file: Path, out: Path, limit: int | None) -> Path:
    """The file, or a copy with its first sentences only."""
    if limit is None:
        return file
    copy = out / f"first-{limit}-{file.name}"
    blocks = file.read_text(encoding="utf-8").strip().split("\n\n")
    copy.write_text("\n\n".join(blocks[:limit]) + "\n", encoding="utf-8")
    return copy


def bring_in(tool: App, use: str, file: Path, more: Sequence[str]) -> None:
    """Import a file by the command people would use; its report goes to the screen."""
    command = [sys.executable, "-m", "annotation", "import", "--project", PROJECT, "--as", use, *more, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **tool.environment}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def gold_by_tokens(corpus: conll.Corpus) -> Gold:
    """The gold spans by the tokens of the sentence; of equal sentences the first counts, as in the import."""
    gold: Gold = {}
    for tokens, spans in zip(corpus.sentences, corpus.spans, strict=True):
        gold.setdefault(tuple(tokens), tuple(sorted(spans)))
    return gold


def run_row(run: Run) -> dict[str, Any]:
    """What the results keep of a finished run; `seconds` is the round from start to end."""
    assert run.finished_at is not None
    metrics = run.metrics
    return {
        "kind": "run",
        "run": run.id,
        "n_train": run.n_train,
        "served": run.served,
        **{
            name: metrics.get(name)
            for name in ("f1", "f1_low", "f1_high", "precision", "recall", "selection", "scored")
        },
        "seconds": round((run.finished_at - run.started_at).total_seconds(), 1),
        "phases": {name: round(seconds, 1) for name, seconds in metrics.get("seconds", {}).items()},
        "steps": metrics.get("train", {}).get("steps"),
        "peak_memory_bytes": metrics.get("train", {}).get("peak_memory_bytes"),
        "started_at": run.started_at,
        "why": run.message,
    }


def run_line(row: dict[str, Any]) -> str:
    """A run in a line, for who watches."""
    return f"run {row['run']}: {row['n_train']} labels, F1 {row['f1']:.3f}, {row['seconds']:.0f} s"


def picture_of_dashboard(job: Job, browser: Browser) -> None:
    """The curve as the lead sees it."""
    editor = job.tool.open_editor(browser, job.annotator)
    editor.page.set_viewport_size({"width": 1280, "height": 1500})
    editor.page.goto(f"{job.tool.server.url}/dashboard")
    editor.page.get_by_role("heading", name="Dashboard").wait_for()
    editor.page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    editor.page.screenshot(path=job.out / "dashboard.png")
    editor.page.context.close()


def write_curve(out: Path, runs: Sequence[dict[str, Any]]) -> None:
    """The curve as CSV and as a page with the chart of the dashboard."""
    columns = ("n_train", "f1", "f1_low", "f1_high", "seconds")
    with (out / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in runs)
    serving = max((row["run"] for row in runs if row["served"]), default=None)
    points = [
        CurvePoint(r["run"], r["n_train"], r["f1"], r["f1_low"], r["f1_high"], r["run"] == serving, {}) for r in runs
    ]
    if points:
        f1_curve(points).save(str(out / "curve.html"))


def report(runs: Sequence[dict[str, Any]], summary: dict[str, Any]) -> str:
    """The results as Markdown."""
    return "\n".join(report_lines(runs, summary)) + "\n"


def report_lines(runs: Sequence[dict[str, Any]], summary: dict[str, Any]) -> Iterator[str]:
    """The lines of the report."""
    yield f"{summary['at']}, {summary['cores']} × {summary['cpu']}, load {summary['load']} at the end"
    yield ""
    yield "| labels | F1 (95 % interval) | serves | next chosen by | round, s | " + ", ".join(STEPS_OF_WORKER) + ", s |"
    yield "|---|---|---|---|---|---|"
    for row in runs:
        f1 = f"{100 * row['f1']:.1f} ({100 * row['f1_low']:.1f} to {100 * row['f1_high']:.1f})"
        phases = " + ".join(f"{row['phases'].get(name, 0):.0f}" for name in STEPS_OF_WORKER)
        serves = "yes" if row["served"] else "no"
        yield f"| {row['n_train']} | {f1} | {serves} | {row['selection']} | {row['seconds']:.0f} | {phases} |"
    yield ""
    yield (
        f"{summary['submitted']} annotations submitted, {summary['rows']} rows; {len(summary['lost'])} lost, "
        f"{len(summary['twice'])} twice, {len(summary['wrong'])} changed. {summary['labels_without_a_next_sentence']} labels "
        f"without a next sentence; never fewer than {summary['least_ready']} sentences free in the queue. "
        f"{summary['seconds'] / 60:.0f} min in all."
    )


def is_whole(summary: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or changed, and nobody ever waited for a sentence."""
    faults = ("lost", "twice", "sentences_twice", "wrong", "labels_without_a_next_sentence")
    whole = summary["submitted"] == summary["rows"] and summary["database_sound"]
    return whole and not any(summary[fault] for fault in faults)


if __name__ == "__main__":
    app()
