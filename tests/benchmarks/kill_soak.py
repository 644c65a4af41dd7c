"""Kill the web process and the worker at random moments while people label, and look whether anything was lost.

    PYTHONPATH=.:tests python tests/benchmarks/kill_soak.py --out results/kill_soak --rounds 20

Scripted annotators label without pause through the sync route, as the editor does: what is not acknowledged stays in
their outbox and goes with every request until it is. In each round both processes get a SIGKILL: either the worker and
soon after it the web process, which is then started again; or the web process alone, and once it is started again, its
new worker, after which the app is restarted in order. Half of the worker's deaths wait for a training. The encoder is a tiny
random one: what is tested are the processes. The exit code is 0 only if every acknowledged annotation is there once, as
it was sent, and the worker finishes a round by itself after the last kill.
"""

import http.client
import json
import sqlite3
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import psutil  # type: ignore[import-untyped]
import typer
from _app import App, append_line, database_is_sound, machine, saved_annotations
from encoders import tiny_xlmr

from annotation.labels import make_labels
from maner_core.spans import Span
from storage import NewSentence, Project, ProjectSettings, Run, RunState

PACE_SECONDS = 0.25
HELD, ASK_AT = 20, 10  # as the editor does
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.3  # after a request that failed
WORKER_SECONDS = 120.0  # within which a worker and its training must come
END_SECONDS = 600.0  # within which the last round must be done
POOL = 20_000
PLACES = ("Arusha", "Moshi", "Tanga", "Iringa", "Kigoma", "Lamu")
PEOPLE = ("Asha", "Juma", "Neema", "Baraka", "Musa")
WORDS = ("sings", "lives", "went", "home", "today", "with", "friends", "again", "slowly")

app = typer.Typer(add_completion=False)


@dataclass
class Labeller:
    """An annotator at work in a thread: labels what it holds, and sends what is not acknowledged again and again."""

    url: str
    token: str
    seed: int
    client: str = field(default_factory=lambda: str(uuid.uuid4()))
    submitted: dict[str, tuple[int, tuple[Span, ...]]] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)  # id -> when the request began that told so
    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: list[dict[str, Any]] = field(default_factory=list)
    failed_requests: int = 0
    problem: str = ""
    requests: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Label until told to end, then send until everything is acknowledged."""
        try:
            while not self.ended.is_set() or self.outbox:
                if self.held and not self.ended.is_set():
                    self.label(self.held.pop(0))
                if self.outbox or len(self.held) <= ASK_AT:
                    self.sync()
                time.sleep(PACE_SECONDS)
        except Exception as error:  # told by the main thread, which must not wait for a dead one
            self.problem = f"{type(error).__name__}: {error}"

    def label(self, item: dict[str, Any]) -> None:
        """Put an annotation of this sentence into the outbox."""
        spans = spans_of(item["tokens"])
        annotation = {
            "id": str(uuid.uuid4()),
            "sentence": item["id"],
            "status": "labelled",
            "spans": [[span.start, span.end, span.label] for span in spans],
            "comment": "",
            "time": round(1000 * time.time()),
            "milliseconds": round(1000 * PACE_SECONDS),
            "run": item["run"],
            "supersedes": None,
        }
        self.submitted[annotation["id"]] = (item["id"], spans)
        self.outbox[annotation["id"]] = annotation

    def sync(self) -> None:
        """One request; whatever becomes of it, nothing leaves the outbox but what the server says it has."""
        self.requests += 1
        asking = not self.ended.is_set() and len(self.held) <= ASK_AT
        body = {
            "seq": self.requests,
            "nonce": "soak",
            "client": self.client,
            "outbox": list(self.outbox.values())[:200],
            "have": [item["id"] for item in self.held],
            "want": HELD if asking else 0,
        }
        began = time.time()
        try:
            answer = self.post(body)
        except (OSError, http.client.HTTPException):
            self.failed_requests += 1
            time.sleep(PAUSE_SECONDS)
            return
        assert not answer["rejects"], answer["rejects"]
        for id_ in answer["acks"]:
            del self.outbox[id_]
            self.acknowledged[id_] = began
        self.held = [item for item in self.held if item["id"] not in answer["drop"]]
        known = {item["id"] for item in self.held} | {entry["sentence"] for entry in self.outbox.values()}
        self.held += [item for item in answer["batch"] if item["id"] not in known]

    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of the sync route; OSError or HTTPException without one, RuntimeError where it refuses."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/sync", json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
                decoded: dict[str, Any] = json.load(answer)
                return decoded
        except urllib.error.HTTPError as error:
            with error:
                if error.code < 500:
                    raise RuntimeError(f"{error.code}: {error.read().decode()}") from error
            raise
        except ValueError as error:  # cut off in the middle
            raise http.client.HTTPException(str(error)) from error


@dataclass
class Soak:
    """The app under fire, and what was done to it."""

    tool: App
    project: Project
    out: Path
    rng: Random
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # of the app that runs now
    killed: Counter[str] = field(default_factory=Counter)

    def round(self) -> None:
        """One SIGKILL for each of the two."""
        if self.rng.random() < 0.5:
            self.kill_worker()
            time.sleep(self.rng.uniform(0, 3))
            self.kill_web("with a dead worker")
            self.start_web()
        else:
            time.sleep(self.rng.uniform(0, 15))
            self.kill_web()
            self.start_web()
            self.kill_worker()
            time.sleep(self.rng.uniform(0, 2))
            self.tool.server.stop()
            self.start_web()

    def kill_worker(self) -> None:
        """SIGKILL the worker of the running app: at any moment, or some time into a training."""
        wait_until(lambda: self.worker() is not None, WORKER_SECONDS, "the app started no worker")
        if self.rng.random() < 0.5:
            wait_until(lambda: self.fresh_run() is not None, WORKER_SECONDS, "no training began")
            time.sleep(self.rng.uniform(0, 8))
        else:
            time.sleep(self.rng.uniform(0, 15))
        worker, run = self.worker(), self.fresh_run()
        assert worker is not None, "the worker ended by itself"
        worker.kill()
        self.note("worker", f"during {run.phase}" if run else "during no training")

    def kill_web(self, when: str = "") -> None:
        """SIGKILL the web process."""
        run = self.fresh_run()
        self.tool.server.kill()
        self.note("web", when or (f"during {run.phase}" if run else "during no training"))

    def start_web(self) -> None:
        """Start the app again, as a supervisor would."""
        self.started_at = datetime.now(UTC)
        self.tool.server.start()

    def worker(self) -> psutil.Process | None:
        """The worker process that the app started."""
        children = psutil.Process().children(recursive=True)
        for child in children:
            try:
                if child.cmdline()[-2:] == ["annotation", "worker"] and child.status() != psutil.STATUS_ZOMBIE:
                    return child
            except psutil.NoSuchProcess:
                continue
        return None

    def fresh_run(self) -> Run | None:
        """The training that runs and began, or gave a sign of life, since the app was started."""
        run = self.tool.store.last_run(self.project.id)
        alive = run is not None and run.state is RunState.RUNNING and run.heartbeat_at > self.started_at
        return run if alive else None

    def note(self, who: str, when: str) -> None:
        """Write a kill down."""
        self.killed[f"{who} {when}"] += 1
        append_line(self.out / "kill_soak.jsonl", {"at": datetime.now(UTC), "kind": "kill", "who": who, "when": when})


@app.command()
def soak(
    out: Annotated[Path, typer.Option(help="Folder for the results; its `home` must not exist yet.")],
    rounds: Annotated[int, typer.Option(help="Each kills both processes once.")] = 20,
    annotators: Annotated[int, typer.Option(help="People who label.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 1,
) -> None:
    """Kill, count, and report."""
    tool = App(out / "home")
    project = make_project(tool, tiny_xlmr(out / "encoder"))
    people = [tool.store.annotator(f"Annotator {number}") for number in range(annotators)]
    labellers = [
        Labeller(tool.server.url, tool.token(project.id, person), number) for number, person in enumerate(people)
    ]
    threads = [threading.Thread(target=labeller.work, daemon=True) for labeller in labellers]
    fire = Soak(tool, project, out, Random(seed))
    began = time.monotonic()
    with tool.running():
        for thread in threads:
            thread.start()
        for number in range(rounds):
            fire.round()
            assert not any(labeller.problem for labeller in labellers), [one.problem for one in labellers]
            done = sum(len(labeller.acknowledged) for labeller in labellers)
            typer.echo(f"round {number + 1}: {done} annotations acknowledged", err=True)
        last_kill = datetime.now(UTC)
        time.sleep(10 * PACE_SECONDS)
        for labeller, thread in zip(labellers, threads, strict=True):
            labeller.ended.set()
            thread.join(60)
        recovered = round_after(tool, project, last_kill)
    row = {
        "kind": "summary",
        **machine(),
        "seconds": round(time.monotonic() - began),
        "kills": dict(fire.killed),
        "seconds_to_first_round_after_last_kill": recovered,
        "runs": dict(Counter(run.state.value for run in tool.store.runs(project.id))),
        **verdict(tool, labellers),
    }
    append_line(out / "kill_soak.jsonl", row)
    text = report(row)
    (out / "kill_soak.md").write_text(text, encoding="utf-8")
    typer.echo(text)
    if not is_whole(row):
        raise typer.Exit(1)


def make_project(tool: App, backbone: Path) -> Project:
    """A project that is always due for training, of sentences that a training reads in no time."""
    settings = ProjectSettings(
        name="Soak",
        labels=make_labels(["PER", "LOC"]),
        backbone=str(backbone.absolute()),
        system="sner",
        retrain_every=5,
    )
    project = tool.store.create_project(settings)
    rng = Random(2)
    sentences = [
        NewSentence(
            (rng.choice(PEOPLE), *rng.sample(WORDS, 3), "in", rng.choice(PLACES), str(number)), source="made up"
        )
        for number in range(POOL)
    ]
    tool.store.add_sentences(project.id, sentences, None, "made up")
    return project


def spans_of(tokens: Sequence[str]) -> tuple[Span, ...]:
    """The names in a made-up sentence."""
    label = {**dict.fromkeys(PEOPLE, "PER"), **dict.fromkeys(PLACES, "LOC")}
    return tuple(Span(i, i + 1, label[token]) for i, token in enumerate(tokens) if token in label)


def wait_until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Look ten times a second; RuntimeError(otherwise) when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{otherwise} within {seconds:.0f} s")
        time.sleep(0.1)


def round_after(tool: App, project: Project, moment: datetime) -> float | None:
    """Seconds from `moment` to the end of the first round that began after it; None if there is none in time."""
    end = time.monotonic() + END_SECONDS
    while time.monotonic() < end:
        for run in tool.store.runs(project.id):
            if run.state is RunState.DONE and run.started_at > moment and run.finished_at is not None:
                return round((run.finished_at - moment).total_seconds(), 1)
        time.sleep(0.5)
    return None


def verdict(tool: App, labellers: Sequence[Labeller], without: Sequence[int] = ()) -> dict[str, Any]:
    """What was acknowledged against what is in the database, but for what the annotators `without` did."""
    rows = [row for row in saved_annotations(tool.database) if row.annotator not in without]
    submitted = {id_: sent for labeller in labellers for id_, sent in labeller.submitted.items()}
    acknowledged = {id_: at for labeller in labellers for id_, at in labeller.acknowledged.items()}
    times = Counter(row.id for row in rows)
    by_person = Counter((row.sentence, row.annotator) for row in rows)
    saved_at = creation_times(tool.database)
    return {
        "submitted": len(submitted),
        "acknowledged": len(acknowledged),
        "rows": len(rows),
        "lost": [id_ for id_ in acknowledged if not times[id_]],
        "twice": [id_ for id_, count in times.items() if count > 1] + [key for key, n in by_person.items() if n > 1],
        "wrong": [row.id for row in rows if submitted.get(row.id) != (row.sentence, row.spans)],
        "requests": sum(labeller.requests for labeller in labellers),
        "failed_requests": sum(labeller.failed_requests for labeller in labellers),
        "saved_but_answer_lost": sum(saved_at[id_] < at for id_, at in acknowledged.items() if id_ in saved_at),
        "database_sound": database_is_sound(tool.database),
        "problems": [labeller.problem for labeller in labellers if labeller.problem],
    }


def creation_times(database: Path) -> dict[str, float]:
    """When each annotation was written, in seconds since 1970."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT id, created_at FROM annotations").fetchall()
    return {id_: datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() for id_, at in rows}


def report(row: dict[str, Any]) -> str:
    """The summary as Markdown."""
    kills = ", ".join(f"{name} {count}" for name, count in sorted(row["kills"].items()))
    recovered = row["seconds_to_first_round_after_last_kill"]
    return (
        f"{row['at']}, {row['cores']} × {row['cpu']}, load {row['load']}, {row['seconds']} s\n\n"
        f"Kills: {kills}.\n\n"
        f"{row['submitted']} annotations submitted, {row['acknowledged']} acknowledged, {row['rows']} rows: {len(row['lost'])} "
        f"lost, {len(row['twice'])} twice, {len(row['wrong'])} changed. {row['failed_requests']} of {row['requests']} requests "
        f"failed; {row['saved_but_answer_lost']} annotations were saved by a request whose answer got lost and were "
        f"acknowledged later. Runs: {row['runs']}. The first round after the last kill was done after {recovered} s.\n"
    )


def is_whole(row: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or changed, everything was acknowledged, and the work goes on."""
    faults = any(row[name] for name in ("lost", "twice", "wrong", "problems"))
    complete = row["submitted"] == row["acknowledged"] == row["rows"] and row["database_sound"]
    return complete and not faults and row["seconds_to_first_round_after_last_kill"] is not None


if __name__ == "__main__":
    app()
