"""Simulations beside the server, one a project: a child process does the work, and all that is known of it are files.

Under MANER_HOME/simulations/project-N lie the labelled sentences, the order, and what `python -m annotation simulate`
writes. Whether it runs is asked of a lock on a file beside them: the child inherits it and holds it until it is gone,
however it ends, so that another server, or this one after a restart, sees the same.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from annotation.children import child_environment
from annotation.settings import Settings
from annotation.simulation.config import SimulationConfig
from annotation.simulation.one_file import MOST_TO_LABEL, MOST_TO_MEASURE, Labelled, write_labelled
from annotation.simulation.points import Point, read_points, read_rows
from annotation.simulation.savings import Match, Saving
from maner_core.errors import NotFound, Refused

COMMAND = (sys.executable, "-m", "annotation", "simulate")
CANCEL_SECONDS = 5.0
"""How long a cancelled process may take to tidy up."""
RESULTS = ("points", "summary", "savings", "matches", "areas")
"""CSV files of a finished simulation."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a lead asks for. `source` says whose labels, `quick` takes the quick scorer for a tagger."""

    source: str
    strategies: tuple[str, ...]
    """Besides `random`, which all are measured against."""
    seeds: int = 5
    seed_size: int = 50
    batch: int = 25
    budget: int = 300
    quick: bool = True
    system: str = "maner"
    backbone: str = "bundled"
    preset: str = "default"

    @property
    def config(self) -> SimulationConfig:
        """The same for the simulation. Raises InvalidConfig or UnknownName for what it cannot do."""
        system = {} if self.quick else {"system": self.system}
        return SimulationConfig(
            strategies=("random", *self.strategies),
            seeds=self.seeds,
            seed_size=self.seed_size,
            batch=self.batch,
            budget=self.budget,
            preset=self.preset,
            overrides={"backbone": self.backbone, **system},
            quick=self.quick,
        )

    @property
    def rounds(self) -> int:
        """Trainings in all."""
        return (1 + len(self.strategies)) * self.seeds * len(self.config.sizes)

    def arguments(self) -> list[str]:
        """The same for the command line."""
        strategies = [word for name in self.config.strategies for word in ("--strategy", name)]
        numbers = {
            "--seeds": self.seeds,
            "--seed-size": self.seed_size,
            "--batch": self.batch,
            "--budget": self.budget,
            "--pool-limit": MOST_TO_LABEL,
            "--test-limit": MOST_TO_MEASURE,
        }
        system = "quick" if self.quick else self.system
        words = ["--system", system, "--backbone", self.backbone, "--preset", self.preset]
        return [*strategies, *words, *(str(word) for pair in numbers.items() for word in pair)]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a simulation is: `done` of `rounds` trainings, the points so far, and why it failed, if it did.

    `complete`: the results are there. `seconds_left` is a guess from the rounds so far.
    """

    order: Order
    running: bool
    complete: bool
    done: int
    rounds: int
    seconds_left: float | None
    failure: str
    points: list[Point]


_children: dict[Path, "subprocess.Popen[bytes]"] = {}
"""The newest child of this process by its lock file: whoever starts a process has to wait for its end."""
_mutex = threading.Lock()


class Simulations:
    """Starts, watches and cancels the simulations of all projects; holds nothing itself."""

    def __init__(self, settings: Settings, command: Sequence[str] | None = None) -> None:
        self._settings, self._command = settings, tuple(command or COMMAND)
        self._home = settings.home / "simulations"

    def start(
        self, project_id: int, order: Order, to_label: Sequence[Labelled], to_measure: Sequence[Labelled]
    ) -> None:
        """Begin anew, in place of what the project had before.

        Raises Refused while one is going on, InvalidConfig or UnknownName for an order that cannot be carried out.
        """
        order.arguments()  # an order that cannot be carried out must not cost the results that are there
        with self._locked(project_id) as lock:
            folder = self._folder(project_id)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_labelled(to_label, folder / "pool.jsonl")
            write_labelled(to_measure, folder / "test.jsonl")
            (folder / "order.json").write_text(json.dumps(asdict(order)), encoding="utf-8")
            self._launch(project_id, order, lock)

    def go_on(self, project_id: int) -> None:
        """Go on with one that ended early. Raises Refused while it is going on, NotFound where there is none."""
        with self._locked(project_id) as lock:
            order = self._order(project_id)
            if order is None:
                raise NotFound("there is no simulation to go on with; start one")
            self._launch(project_id, order, lock)

    def cancel(self, project_id: int) -> None:
        """End it; what it has done stays. Nothing where none is going on."""
        if not self._runs(project_id):
            return
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(self._lock_file(project_id).read_text()), signal.SIGTERM)
        child = _children.get(self._lock_file(project_id))
        if child is not None:
            try:
                child.wait(CANCEL_SECONDS)
            except subprocess.TimeoutExpired:  # whatever it is in the middle of, its files can bear it
                child.kill()
                child.wait()

    def standing(self, project_id: int) -> Standing | None:
        """How far the project's simulation is; None where there never was one."""
        order = self._order(project_id)
        if order is None:
            return None
        running = self._runs(project_id)
        points = read_points(self._folder(project_id) / "out" / "points.csv")
        rounds = order.rounds
        complete = not running and len(points) >= rounds and (self._folder(project_id) / "out" / "areas.csv").exists()
        # The median: the first round is longer, in which the backbone reads the sentences.
        each = median(point.round_seconds for point in points) if points else None
        return Standing(
            order=order,
            running=running,
            complete=complete,
            done=min(len(points), rounds),
            rounds=rounds,
            seconds_left=None if each is None or not running else each * max(rounds - len(points), 0),
            failure="" if running or complete else self._failure(project_id),
            points=points,
        )

    def matches(self, project_id: int) -> list[Match]:
        """With how many labels each strategy is where random order ends; of a complete simulation."""
        return read_rows(self._folder(project_id) / "out" / "matches.csv", Match)

    def savings(self, project_id: int) -> list[Saving]:
        """What each strategy saves; of a complete simulation."""
        return read_rows(self._folder(project_id) / "out" / "savings.csv", Saving)

    def table(self, project_id: int, name: str) -> bytes:
        """One of RESULTS as a CSV file."""
        return (self._folder(project_id) / "out" / f"{name}.csv").read_bytes()

    def _launch(self, project_id: int, order: Order, lock: int) -> None:
        folder = self._folder(project_id)
        rest = folder / "tmp"  # what a killed one left there goes, and nothing of it lies elsewhere
        shutil.rmtree(rest, ignore_errors=True)
        rest.mkdir()
        files = ["--train", str(folder / "pool.jsonl"), "--test", str(folder / "test.jsonl")]
        with (folder / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                [*self._command, *files, "--out", str(folder / "out"), *order.arguments()],
                env={**child_environment(self._settings), "TMPDIR": str(rest)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the server, and the child ends with it
                pass_fds=(lock,),
            )
        _children[self._lock_file(project_id)] = child
        self._lock_file(project_id).write_text(str(child.pid), encoding="utf-8")

    @contextmanager
    def _locked(self, project_id: int) -> Iterator[int]:
        """The lock of the project, to be passed on to a child. Raises Refused while another child holds it."""
        self._home.mkdir(parents=True, exist_ok=True)
        with _mutex, self._lock_file(project_id).open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused("a simulation of this project is going on; cancel it first") from None
            yield file.fileno()

    def _runs(self, project_id: int) -> bool:
        child = _children.get(self._lock_file(project_id))
        if child is not None and child.poll() is None:
            return True
        if not self._lock_file(project_id).exists():
            return False
        try:
            with self._locked(project_id):
                return False
        except Refused:
            return True

    def _order(self, project_id: int) -> Order | None:
        try:
            kept = json.loads((self._folder(project_id) / "order.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Order(**{**kept, "strategies": tuple(kept["strategies"])})

    def _failure(self, project_id: int) -> str:
        """The last word of the process, if it was one of failure; "" where it was only stopped."""
        log = self._folder(project_id) / "log.txt"
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
        last = lines[-1] if lines else ""
        if last.startswith("error: "):
            return last.removeprefix("error: ")
        return f"An unexpected error: {last}" if any(line.startswith("Traceback") for line in lines) else ""

    def _folder(self, project_id: int) -> Path:
        return self._home / f"project-{project_id}"

    def _lock_file(self, project_id: int) -> Path:
        return self._home / f"project-{project_id}.lock"
