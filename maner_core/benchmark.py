"""The grid of a benchmark: sets x systems x backbones x training sizes x seeds, one training and one test each.

Each run is kept as soon as it is over, and what is kept is not run again, so a grid may be broken off at any time. The
training sentences of a seed are the same for every system, and those of a size are among those of every larger one.
"""

import fcntl
import platform
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maner_core import conll
from maner_core.benchmark_runs import Cell, Run, append_run, drop_unfinished_line, pack_counts, read_runs, recipe_hash
from maner_core.benchmark_sets import NerSet, read_sets
from maner_core.config import TrainConfig, parse_settings
from maner_core.encoding import INPUT_SCHEMES, input_scheme
from maner_core.errors import InvalidConfig, InvalidInput, ManerError
from maner_core.evaluation import entity_counts, f1_report

if TYPE_CHECKING:
    from maner_core.training import TrainReport

RUNS = "runs.jsonl"
ALL_SYSTEMS = tuple(INPUT_SCHEMES)
PAPER_SEEDS = (12345, 23451, 34512, 45123, 51234)
"""The seeds of Sonkar et al. 2023."""

_DIMENSIONS = ("system", "backbone", "seed")
_UNFINISHED = ".run-"

OnShare = Callable[[str, float], None]
"""Hears what a run does ("training", "testing") and the share of it that is done (0 to 1)."""


@dataclass(frozen=True)
class Grid:
    """What is to be run. Raises UnknownName or InvalidConfig when a part of it can never run."""

    places: tuple[str, ...]
    """Where the sets are, as `read_sets` takes them."""
    systems: tuple[str, ...] = ALL_SYSTEMS
    """Keys of INPUT_SCHEMES."""
    backbones: tuple[str, ...] = ()
    """As TrainConfig.backbone; none: that of the preset."""
    sizes: tuple[int, ...] = (100,)
    """Numbers of training sentences; a set with fewer leaves a size out."""
    seeds: tuple[int, ...] = PAPER_SEEDS[:3]
    """Each draws its own training sentences and starts its own trainings."""
    preset: str = "default"
    """TrainConfig preset."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """TrainConfig fields that differ from it."""
    test_limit: int | None = None
    """Test on so many random test sentences, the same ones always; None: all."""

    def __post_init__(self) -> None:
        for name in ("places", "systems", "sizes", "seeds"):
            if not getattr(self, name):
                option = {"places": "data"}.get(name, name.removesuffix("s"))
                raise InvalidConfig(f"a benchmark needs something to run on; give at least one --{option}")
        for system in self.systems:
            input_scheme(system)
        for size in (*self.sizes, *([] if self.test_limit is None else [self.test_limit])):
            if size < 1:
                raise InvalidConfig(f"{size} sentences are too few; give at least 1")
        self.config(self.systems[0], None, self.seeds[0])

    def config(self, system: str, backbone: str | None, seed: int) -> TrainConfig:
        """The configuration of a run; `backbone` None stands for that of the preset."""
        given = {"system": system, "seed": seed, **({} if backbone is None else {"backbone": backbone})}
        return TrainConfig.preset(self.preset, **self.overrides, **given)


@dataclass(frozen=True)
class Job:
    """One run that is to be made."""

    cell: Cell
    config: TrainConfig
    ner_set: NerSet


@dataclass(frozen=True)
class Outcome:
    """How a grid ended: runs made now, runs that were there, those that failed, and what the sets were too small for."""

    n_made: int
    n_known: int
    failed: list[Run]
    left_out: list[str]


def run_grid(grid: Grid, out: Path, *, show_progress: bool = True) -> Outcome:
    """Make every run of `grid` that `out` does not hold yet and write it there; a run that failed is tried again.

    Raises InvalidInput where a set cannot be read or `out` is in use; what goes wrong in a run is kept with the run.
    """
    sets = read_sets(grid.places)
    jobs = list({job.cell: job for job in _jobs(grid, sets)}.values())  # what is named twice is one run
    left_out = _too_small(grid, sets)
    if not jobs:
        raise InvalidInput(f"no set has enough training sentences: {'; '.join(left_out)}")
    with _alone(out):
        drop_unfinished_line(out / RUNS)
        known = read_runs(out / RUNS)
        todo = [job for job in jobs if job.cell not in known or known[job.cell].failed]
        versions = _versions()
        failed = []
        with _bars(len(todo), show_progress) as (begin, on_share, tell):
            for job in todo:
                begin(job)
                run = _make(job, grid, out, versions, on_share)
                append_run(out / RUNS, run)
                tell(_sentence(run))
                failed += [run] if run.failed else []
    return Outcome(len(todo), len(jobs) - len(todo), failed, left_out)


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """As `parse_settings`; the dimensions of the grid are refused too. Raises InvalidConfig."""
    values = parse_settings(words)
    for name in _DIMENSIONS:
        if name in values:
            raise InvalidConfig(f"{name} is no setting of a benchmark but one of its dimensions; give it with --{name}")
    return values


def choose_seeds(n: int | None, given: Sequence[int]) -> tuple[int, ...]:
    """The seeds `given`, else the first n of the paper's (three where n is None). Raises InvalidConfig."""
    if n is not None and given:
        raise InvalidConfig("--seeds and --seed both say which seeds; give one of them")
    if n is not None and not 1 <= n <= len(PAPER_SEEDS):
        raise InvalidConfig(f"--seeds is {n}; the paper has 1 to {len(PAPER_SEEDS)}, give others with --seed")
    return tuple(given) or PAPER_SEEDS[: 3 if n is None else n]


def draw(n: int, size: int, seed: int) -> list[int]:
    """`size` of n sentences in random order; the same for the same seed, and the first of any larger draw."""
    return [int(i) for i in np.random.default_rng(seed).permutation(n)[:size]]


def _jobs(grid: Grid, sets: Sequence[NerSet]) -> Iterator[Job]:
    """Every run, seed by seed, so that a table with one seed is whole early, and the systems of a cell one by one."""
    with_hash = [(ner_set, ner_set.fingerprint) for ner_set in sets]
    for seed in grid.seeds:
        for ner_set, data_hash in with_hash:
            for size in grid.sizes:
                if size > len(ner_set.train.sentences):
                    continue
                for backbone in grid.backbones or (None,):
                    for system in grid.systems:
                        config = grid.config(system, backbone, seed)
                        cell = Cell(
                            collection=ner_set.collection,
                            language=ner_set.language,
                            data_hash=data_hash,
                            system=system,
                            backbone=config.backbone,
                            size=size,
                            seed=seed,
                            config_hash=recipe_hash(config),
                            test_limit=grid.test_limit,
                        )
                        yield Job(cell, config, ner_set)


def _too_small(grid: Grid, sets: Sequence[NerSet]) -> list[str]:
    lines = []
    for ner_set in sets:
        n = len(ner_set.train.sentences)
        missing = [str(size) for size in dict.fromkeys(grid.sizes) if size > n]
        if missing:
            lines.append(f"{ner_set.name} has {n:,} training sentences, so the size {', '.join(missing)} is left out")
    return lines


def _make(job: Job, grid: Grid, out: Path, versions: Mapping[str, str], on_share: OnShare) -> Run:
    """The run of a job, or its record as failed."""
    error, measured = "", {}
    try:
        measured = _measure(job, out, on_share)
    except ManerError as failure:
        error = str(failure)
    except Exception as failure:  # a grid goes on for days: whatever breaks one run must not cost the others
        error = _with_place(failure)
    return Run(
        cell=job.cell,
        preset=grid.preset,
        overrides=dict(grid.overrides),
        config=job.config.to_dict(),
        script=job.ner_set.script,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions,
        error=error,
        **measured,
    )


def _with_place(failure: Exception) -> str:
    """An unexpected failure in one line: `KeyError: 'x' (training.py:12)`."""
    place = traceback.extract_tb(failure.__traceback__)[-1]
    reason = str(failure).strip().partition("\n")[0]
    return f"{type(failure).__name__}: {reason} ({Path(place.filename).name}:{place.lineno})"


def _measure(job: Job, out: Path, on_share: OnShare) -> dict[str, Any]:
    """Train on the drawn sentences and test: the fields of Run that come out of it. The checkpoint is not kept."""
    from maner_core.devices import reset_peak_memory
    from maner_core.inference import Tagger
    from maner_core.training import Progress, train

    def on_progress(progress: Progress) -> None:
        on_share(progress.phase, progress.step / progress.steps)

    drawn, test = _training_sentences(job), _test_sentences(job)
    reset_peak_memory()
    with tempfile.TemporaryDirectory(dir=out, prefix=_UNFINISHED) as folder:
        checkpoint = Path(folder) / "checkpoint"
        labels, text = job.ner_set.train.labels, _text(job)
        report = train(drawn.sentences, drawn.spans, labels, job.config, checkpoint, on_progress, text=text)
        tagger = Tagger.load(checkpoint)
    started = time.perf_counter()
    predictions = tagger.predict(test.sentences, lambda share: on_share("testing", share))
    predicted = [prediction.spans for prediction in predictions]
    return _scores(drawn, test, predicted, report, time.perf_counter() - started)


def _scores(
    drawn: conll.Corpus, test: conll.Corpus, predicted: Sequence[Any], report: "TrainReport", test_seconds: float
) -> dict[str, Any]:
    scores = f1_report(test.spans, predicted)
    trained_on = {tuple(words) for words in drawn.sentences}
    return {
        "drawn": sha256("\n".join(" ".join(words) for words in drawn.sentences).encode()).hexdigest()[:12],
        "n_test": len(test.sentences),
        "n_seen": sum(tuple(words) in trained_on for words in test.sentences),
        "f1": scores.f1,
        "precision": scores.precision,
        "recall": scores.recall,
        "per_label": {label: asdict(score) for label, score in scores.per_label.items()},
        "counts": pack_counts(entity_counts(test.spans, predicted)),
        "training": asdict(report),
        "test_seconds": round(test_seconds, 3),
    }


def _training_sentences(job: Job) -> conll.Corpus:
    return _selected(job.ner_set.train, draw(len(job.ner_set.train.sentences), job.cell.size, job.cell.seed))


def _test_sentences(job: Job) -> conll.Corpus:
    test = job.ner_set.test
    if job.cell.test_limit is None:
        return test
    return _selected(test, sorted(draw(len(test.sentences), job.cell.test_limit, seed=0)))


def _text(job: Job) -> list[list[str]]:
    """Every training sentence without its labels, where the configuration adapts the encoder to unlabelled text."""
    return job.ner_set.train.sentences if job.config.adaptation != "none" else []


def _selected(corpus: conll.Corpus, numbers: Sequence[int]) -> conll.Corpus:
    return conll.Corpus([corpus.sentences[i] for i in numbers], [corpus.spans[i] for i in numbers], corpus.n_repaired)


def _versions() -> dict[str, str]:
    """Of what a result depends on; "maner_core" is a fingerprint of the source of the tagger."""
    source = sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if not file.name.startswith(("benchmark", "__")):
            source.update(file.read_bytes())
    packages = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"maner_core": source.hexdigest()[:12], "python": platform.python_version(), **packages}


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """`out` exists and nobody else writes to it meanwhile; what a killed process left there of a run is cleared away."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".lock").touch()
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written ({error.strerror}); choose another --out") from None
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(f"another benchmark is writing to {out}; wait for it or choose another --out") from None
        for unfinished in out.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished)
        yield


# What people see meanwhile.


def _sentence(run: Run) -> str:
    if run.failed:
        return f"{run.cell}: failed, {run.error}"
    return f"{run.cell}: F1 {100 * run.f1:.1f} in {run.training['seconds'] + run.test_seconds:.0f} s"


@contextmanager
def _bars(n_runs: int, shown: bool) -> Iterator[tuple[Callable[[Job], None], OnShare, Callable[[str], None]]]:
    """A bar over the runs and one within the run on a terminal; anywhere else a line after each run. All on stderr."""
    from tqdm import tqdm

    off = None if shown else True  # None: on a terminal only
    with (
        tqdm(total=n_runs, unit="run", disable=off, position=0) as runs,
        tqdm(total=100, unit="%", disable=off, position=1, leave=False) as within,
    ):

        def begin(job: Job) -> None:
            runs.set_description(str(job.cell))
            within.reset()

        def on_share(what: str, share: float) -> None:
            within.set_description(what, refresh=False)
            within.n = round(100 * share)
            within.refresh()

        def tell(sentence: str) -> None:
            runs.update()
            if shown:
                runs.write(sentence, file=sys.stderr)

        yield begin, on_share, tell
