"""Claims and saves of up to 50 people at once while a worker writes, on SQLite and PostgreSQL.

    PYTHONPATH=.:tests python tests/benchmarks/claims.py race --claims 100000 --annotators 50
    PYTHONPATH=.:tests python tests/benchmarks/claims.py paced
    PYTHONPATH=.:tests python tests/benchmarks/claims.py memory

`race`: everybody claims and labels as fast as they can until nothing is left, in several processes; afterwards the
database is asked whether anybody got a sentence twice or a sentence went to more people than it should. `paced`: what a call
takes when people label at the speed of people. `memory`: what the web process grows by with each signed-in person.
In the first two a worker process writes meanwhile as the real one does, but more often: a sign of life every second, and 5,000
scores and 2,000 suggestions, what a round of minutes comes to, every ten seconds; `--restless`: without a pause. One JSON
line for each result. Broken off, it ends all its processes.
"""

import json
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from _app import App, machine, quantile
from claim_race import Turns, race
from postgres_server import postgres_server
from signed_in import sign_in
from store_helpers import RawDatabase, add_pool, new_project, start_run
from store_writer import busy_worker
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from annotation.account_routes import COOKIE
from annotation.hand_out import LOW_WATER
from annotation.queue_filling import top_up
from storage import Project, Role, Split, Store

app = typer.Typer(add_completion=False)
BOTH = "sqlite,postgresql"
SECONDS_BETWEEN_REFILLS = 0.2
ROUND_SECONDS = 10.0  # from what a worker's round writes to what the next one writes

Databases = Annotated[str, typer.Option("--databases", help="Which, with commas between them.")]
Restless = Annotated[bool, typer.Option("--restless", help="The worker writes without a pause.")]


@app.command("race")
def measure_race(
    claims: Annotated[int, typer.Option(help="How many there shall be.")] = 100_000,
    annotators: Annotated[int, typer.Option(help="How many people.")] = 50,
    processes: Annotated[int, typer.Option(help="Processes they are spread over.")] = 4,
    doubled: Annotated[float, typer.Option(help="Share of sentences that two people label.")] = 0.1,
    databases: Databases = BOTH,
    restless: Restless = False,
) -> None:
    """Everybody as fast as they can."""
    for database in databases.split(","):
        with database_url(database) as url:
            store = Store(url)
            project = filled_project(store, round(claims / (1 + doubled)), doubled)
            people = [store.annotator(f"person {number}").id for number in range(annotators)]
            with worker_and_refills(store, url, project, restless):
                turns = race(url, project.id, people, processes, patience=10.0)
            row = {"database": database, "annotators": annotators, "processes": processes}
            report({**row, **speed(turns), **latencies(turns), **fairness(turns), **verdict(url), **machine()})
            store.close()


@app.command("paced")
def measure_paced(
    annotators: Annotated[str, typer.Option(help="How many people, in turn.")] = "1,10,20,50",
    pace: Annotated[float, typer.Option(help="Seconds from one sentence of a person to the next.")] = 5.0,
    seconds: Annotated[float, typer.Option(help="How long each.")] = 40.0,
    processes: Annotated[int, typer.Option(help="Processes they are spread over.")] = 2,
    databases: Databases = BOTH,
    restless: Restless = False,
) -> None:
    """Everybody at the speed of people."""
    for database in databases.split(","):
        with database_url(database) as url:
            store = Store(url)
            project = filled_project(store, 20_000, 0.1)
            people = [store.annotator(f"person {number}").id for number in range(50)]
            with worker_and_refills(store, url, project, restless):
                for n in map(int, annotators.split(",")):
                    turns = race(url, project.id, people[:n], min(processes, n), seconds, pace, patience=10.0)
                    report({"database": database, "annotators": n, "pace_s": pace, **latencies(turns), **machine()})
            report({"database": database, **verdict(url)})
            store.close()


@app.command("memory")
def measure_memory(
    steps: Annotated[str, typer.Option(help="Numbers of people signed in, in turn.")] = "1,10,20,40",
) -> None:
    """Resident memory of the web process with so many people on the labelling page, each in a session of their own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        App(Path(folder), worker=False).running() as served,
        ExitStack() as open_pages,
    ):
        project = filled_project(served.store, 2_000, 0.0)
        sizes: list[tuple[int, float]] = [(0, 0.0)]
        for n in map(int, steps.split(",")):
            for number in range(sizes[-1][0], n):
                person = sign_in(served.store, f"Person {number}", Role.ANNOTATOR, project.id)
                open_pages.enter_context(open_page(served.server.port, person.cookie))
            sizes.append((n, resident_mb(served.server.pid)))
            report({"signed_in": n, "rss_mb": round(sizes[-1][1], 1)})
        growth = [(after - before) / (m - n) for (n, before), (m, after) in pairwise(sizes[1:])]
        report({"mb_per_person": [round(mb, 2) for mb in growth], **machine()})


@contextmanager
def database_url(name: str) -> Iterator[str]:
    """A migrated database that keeps what it says it keeps: files are synchronised as in earnest."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield migrated(f"sqlite:///{folder}/maner.db")
    else:
        with postgres_server() as url:
            yield migrated(url)


def migrated(url: str) -> str:
    """The URL of a database that now has all tables."""
    store = Store(url)
    store.migrate()
    store.close()
    return url


def filled_project(store: Store, n_sentences: int, doubled: float) -> Project:
    """A project with so many sentences, its queue filled."""
    project = new_project(store, overlap=2, overlap_share=doubled)
    add_pool(store, project, n_sentences)
    top_up(store, project.id)
    return project


@contextmanager
def worker_and_refills(store: Store, url: str, project: Project, restless: bool) -> Iterator[None]:
    """Meanwhile a worker process writes, and the queue is filled up when it runs low, as each sync would see to."""
    ended = threading.Event()

    def refill() -> None:
        while not ended.wait(SECONDS_BETWEEN_REFILLS):
            if store.ready(project.id, Split.POOL) < LOW_WATER:
                top_up(store, project.id)

    thread = threading.Thread(target=refill)
    with busy_worker(url, project.id, start_run(store, project), 0.0 if restless else ROUND_SECONDS):
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def speed(turns: list[Turns]) -> dict[str, object]:
    """How long it took from the first claim to the last save, and claims in a second of it."""
    seconds = max(one.ended for one in turns) - min(one.begun for one in turns)
    return {"seconds": round(seconds, 1), "claims_per_s": round(sum(len(one.sentences) for one in turns) / seconds, 1)}


def latencies(turns: list[Turns]) -> dict[str, object]:
    """Claims, and milliseconds of claims and saves: median, 95th and 99th percentile."""
    claims = [1e3 * seconds for one in turns for seconds in one.claims]
    saves = [1e3 * seconds for one in turns for seconds in one.saves]
    found: dict[str, object] = {"claims": sum(len(one.sentences) for one in turns)}
    for name, values in (("claim_ms", claims), ("save_ms", saves)):
        found[name] = [round(value, 1) for value in (median(values), quantile(values, 0.95), quantile(values, 0.99))]
    return found


def fairness(turns: list[Turns]) -> dict[str, object]:
    """What the least and the most served got, and the longest that anybody waited for a sentence."""
    got = [len(one.sentences) for one in turns]
    return {
        "fewest": min(got),
        "most": max(got),
        "longest_wait_s": round(max(one.waited for one in turns), 2),
        "claims_that_brought_nothing": sum(one.empty for one in turns),
    }


def verdict(url: str) -> dict[str, object]:
    """What must all be 0: sentences somebody labelled twice, that too many labelled, and (after a race) that too few did."""
    raw = RawDatabase(url)
    times = (
        "SELECT s.sentence_id, s.seats, count(*) AS n, count(DISTINCT a.annotator_id) AS people FROM selections s"
        " JOIN annotations a ON a.sentence_id = s.sentence_id GROUP BY s.sentence_id, s.seats"
    )
    [(twice, too_many, too_few)] = raw.execute(
        "SELECT coalesce(sum(CASE WHEN n > people THEN 1 ELSE 0 END), 0),"
        " coalesce(sum(CASE WHEN people > seats THEN 1 ELSE 0 END), 0),"
        f" coalesce(sum(CASE WHEN people < seats THEN 1 ELSE 0 END), 0) FROM ({times}) AS times"
    )
    raw.close()
    return {"twice_to_one_person": int(twice), "to_too_many": int(too_many), "to_too_few": int(too_few)}


@contextmanager
def open_page(port: int, cookie: str) -> Iterator[None]:
    """What a browser does first on the labelling page: its session runs the page script once, and stays."""
    headers = {"Cookie": f"{COOKIE}={cookie}", "Origin": f"http://127.0.0.1:{port}"}
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    with connect(
        address, additional_headers=headers, subprotocols=[Subprotocol("streamlit")], max_size=None
    ) as connection:
        message = BackMsg()
        message.rerun_script.query_string = ""
        connection.send(message.SerializeToString())
        answer = ForwardMsg()
        while answer.WhichOneof("type") != "script_finished":
            answer.ParseFromString(bytes(connection.recv(timeout=60, decode=False)))
        yield


def resident_mb(process: int) -> float:
    """Resident memory of a process in MB, as Linux counts it."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def report(row: dict[str, object]) -> None:
    """One JSON line."""
    typer.echo(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    app()
