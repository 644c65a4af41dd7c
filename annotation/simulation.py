"""The same loop with gold labels for an annotator: F1 against labels for several query strategies, on equal terms.

Every strategy starts a seed from the same random sentences and uses the loop, the gate, the queue and the store of the
tool itself. What it does not simulate: people are slower and less sure on the sentences that a tagger is unsure of
(Wei et al. 2019), so fewer labels at equal F1 are not that much less time.
"""

import csv
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import altair as alt
import numpy as np
import pandas as pd
from tqdm import tqdm

from annotation.formats import ReadSentence, read_file
from annotation.labels import make_labels
from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.sampling import query_strategy
from annotation.tagging import Tools
from maner_core.config import TrainConfig
from maner_core.errors import InvalidConfig, InvalidInput
from maner_core.spans import Span
from storage import AnnotationDraft, NewSentence, Project, ProjectSettings, Run, Split, Status, Store

CLIENT = "simulation"


@dataclass(frozen=True)
class SimulationConfig:
    """What is compared, and how long; stored beside the results, which continue only under the same settings."""

    strategies: tuple[str, ...] = ("random", "mnlp")
    """Names of QUERY_STRATEGIES."""
    seeds: int = 3
    """Repetitions; number i of each strategy starts from the same sentences."""
    seed_size: int = 50
    """Random sentences labelled before the first training."""
    batch: int = 25
    """Labels between two trainings."""
    budget: int = 300
    """Labels at which a repetition ends."""
    preset: str = "default"
    """TrainConfig preset."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """TrainConfig fields that differ from it, such as system and backbone."""
    pool_limit: int | None = None
    """Use so many random sentences of the training file, others for each seed; None: all."""
    test_limit: int | None = None
    """Use so many random sentences of the test file, the same ones always; None: all."""

    def __post_init__(self) -> None:
        for name in self.strategies:
            query_strategy(name)
        TrainConfig.preset(self.preset, **self.overrides)
        for setting in ("seeds", "seed_size", "batch"):
            if getattr(self, setting) < 1:
                raise InvalidConfig(f"{setting} is {getattr(self, setting)}; it must be 1 or more")
        if self.budget < self.seed_size:
            raise InvalidConfig(f"budget is {self.budget}, less than seed_size {self.seed_size}; raise it")

    @property
    def sizes(self) -> list[int]:
        """Numbers of labels at which a tagger is trained: `50, 25, 110 -> [50, 75, 100, 110]`."""
        return sorted({*range(self.seed_size, self.budget, self.batch), self.budget})


@dataclass(frozen=True)
class Point:
    """One training of one repetition: what was labelled until then, and the F1 (0 to 1) on the whole test file."""

    strategy: str
    seed: int
    labels: int
    words: int
    entities: int
    f1: float
    f1_low: float
    f1_high: float
    train_f1: float
    training_seconds: float
    round_seconds: float
    chosen: str
    """Fingerprint of the labelled sentences in their order: equal for equal choices."""
    last: bool
    """Whether the repetition ends here."""


@dataclass(frozen=True)
class Mean:
    """A strategy at a number of labels: mean and sample deviation of F1 over the seeds (None for one seed)."""

    strategy: str
    labels: int
    f1: float
    deviation: float | None
    words: float
    entities: float
    seeds: int


def simulate(
    train_file: Path,
    test_file: Path,
    out: Path,
    config: SimulationConfig,
    *,
    tools: Tools | None = None,
    show_progress: bool = True,
) -> list[Mean]:
    """Run what `out` does not hold yet and write points.csv, summary.csv, curve.json and curve.html there.

    A repetition that is finished in points.csv is not run again, one that was broken off starts again. Raises
    InvalidConfig where `out` holds results under other settings, InvalidInput where the files hold too few labels.
    """
    pool, test = _gold_sentences(train_file), _sample(_gold_sentences(test_file), config.test_limit, seed=0)
    if len(pool) < config.budget or (config.pool_limit or config.budget) < config.budget:
        raise InvalidInput(f"a budget of {config.budget} labels needs as many sentences in the pool; lower it")
    out.mkdir(parents=True, exist_ok=True)
    _keep_settings(out / "settings.json", config, train_file, test_file)
    finished = _drop_unfinished(out / "points.csv")
    pairs = [(strategy, seed) for seed in range(config.seeds) for strategy in config.strategies]
    todo = [pair for pair in pairs if pair not in finished]
    with tqdm(total=len(todo) * len(config.sizes), unit="round", disable=not show_progress) as bar:
        for strategy, seed in todo:
            sample = _sample(pool, config.pool_limit, seed=seed)
            for point in _repetition(config, strategy, seed, sample, test, tools, bar):
                _append(out / "points.csv", point)
                bar.update()
    means = summarise(read_points(out / "points.csv"))
    pd.DataFrame([asdict(mean) for mean in means]).to_csv(out / "summary.csv", index=False)
    chart = curve(means)
    chart.save(str(out / "curve.json"))
    chart.save(str(out / "curve.html"))
    return means


def summarise(points: Sequence[Point]) -> list[Mean]:
    """Mean and deviation over the seeds for each strategy and number of labels, in that order."""
    groups: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        groups.setdefault((point.strategy, point.labels), []).append(point)
    return [
        Mean(
            strategy=strategy,
            labels=labels,
            f1=fmean(point.f1 for point in group),
            deviation=stdev(point.f1 for point in group) if len(group) > 1 else None,
            words=fmean(point.words for point in group),
            entities=fmean(point.entities for point in group),
            seeds=len(group),
        )
        for (strategy, labels), group in sorted(groups.items())
    ]


def as_table(means: Sequence[Mean]) -> str:
    """The summary as text: a line for each number of labels, mean F1 (points) and deviation for each strategy."""
    strategies = sorted({mean.strategy for mean in means})
    known = {(mean.strategy, mean.labels): mean for mean in means}
    lines = ["labels  " + "  ".join(f"{name:>22}" for name in strategies)]
    for labels in sorted({mean.labels for mean in means}):
        cells = []
        for name in strategies:
            mean = known.get((name, labels))
            cells.append(f"{'' if mean is None else _cell(mean):>22}")
        lines.append(f"{labels:>6}  " + "  ".join(cells))
    return "\n".join(lines)


def _cell(mean: Mean) -> str:
    spread = "" if mean.deviation is None else f" ± {100 * mean.deviation:.1f}"
    return f"{100 * mean.f1:.1f}{spread}, {mean.words:.0f} words"


def curve(means: Sequence[Mean]) -> "alt.LayerChart | alt.FacetChart":
    """F1 against labels, a line for each strategy and a band of one deviation."""
    table = pd.DataFrame([asdict(mean) for mean in means])
    spread = table["deviation"].astype(float).fillna(0.0)
    table = table.assign(low=table["f1"] - spread, high=table["f1"] + spread)
    base = alt.Chart(table).encode(x=alt.X("labels:Q", title="labelled sentences"), color="strategy:N")
    f1 = alt.Y("f1:Q", title="F1 on the test file", scale=alt.Scale(zero=False))
    line = base.mark_line(point=True).encode(y=f1, tooltip=["strategy", "labels", "f1", "deviation", "words"])
    band = base.mark_area(opacity=0.2).encode(y="low:Q", y2="high:Q")
    return alt.layer(band, line).properties(width=560, height=320)


def read_points(file: Path) -> list[Point]:
    """The rows of a points.csv; empty where there is none."""
    if not file.exists():
        return []
    parsers: dict[Any, Callable[[str], Any]] = {str: str, int: int, float: float, bool: lambda text: text == "True"}
    by_name = {item.name: parsers[item.type] for item in fields(Point)}
    with file.open(encoding="utf-8", newline="") as rows:
        # A row that a dead process left half written counts as not there.
        whole = [row for row in csv.DictReader(rows) if None not in row.values()]
        return [Point(**{name: by_name[name](text) for name, text in row.items()}) for row in whole]


def _repetition(
    config: SimulationConfig,
    strategy: str,
    seed: int,
    pool: Sequence[ReadSentence],
    test: Sequence[ReadSentence],
    tools: Tools | None,
    bar: "tqdm[Any]",
) -> Iterator[Point]:
    """The points of one strategy from one seed, each as soon as it is there; the store lives in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="simulation-") as folder,
        closing(Store(f"sqlite:///{folder}/simulation.db")) as store,
    ):
        annotator = _SimulatedAnnotator.begin(store, config, strategy, seed, pool, test)
        for size in config.sizes:
            annotator.label_up_to(size)
            started = time.monotonic()

            def show(progress: RoundProgress, size: int = size) -> None:
                bar.set_description(f"{strategy}, seed {seed}, {size} labels: {progress.phase} {progress.progress:.0%}")

            project = store.project(annotator.project.id)
            run = run_round(store, project, Path(folder), show, tools=tools, overrides=config.overrides)
            yield annotator.point(run, time.monotonic() - started, last=size == config.sizes[-1])


@dataclass
class _SimulatedAnnotator:
    """Takes sentences from the queue and gives them their gold spans; `taken` are those done, in order."""

    store: Store
    project: Project
    annotator_id: int
    strategy: str
    seed: int
    gold: dict[int, tuple[Span, ...]]
    lengths: dict[int, int]
    first: list[int]
    taken: list[int] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        store: Store,
        config: SimulationConfig,
        strategy: str,
        seed: int,
        pool: Sequence[ReadSentence],
        test: Sequence[ReadSentence],
    ) -> "_SimulatedAnnotator":
        """A new project that holds the pool without labels and the test file as its evaluation set."""
        store.migrate()
        names = sorted({span.label for sentence in (*pool, *test) for span in sentence.gold or ()})
        settings = ProjectSettings(
            name="simulation",
            labels=make_labels(names),
            retrain_every=config.batch,
            strategy=strategy,
            preset=config.preset,
            seed=seed,
        )
        project, annotator = store.create_project(settings), store.annotator("simulation")
        without = [NewSentence(sentence.tokens) for sentence in pool]
        store.add_sentences(project.id, without, annotator.id, "train")
        reserve = [NewSentence(sentence.tokens, split=Split.RESERVE, gold=sentence.gold) for sentence in test]
        store.add_sentences(project.id, reserve, annotator.id, "test")
        # Sentences with the same words can carry different tags; the first one of them is the one that is annotated.
        by_tokens = {sentence.tokens: sentence.gold or () for sentence in reversed(pool)}
        open_sentences = store.unlabelled_pool(project.id)
        order = np.random.default_rng(seed).permutation(len(open_sentences))
        return cls(
            store=store,
            project=project,
            annotator_id=annotator.id,
            strategy=strategy,
            seed=seed,
            gold={sentence.id: by_tokens[sentence.tokens] for sentence in open_sentences},
            lengths={sentence.id: len(sentence.tokens) for sentence in open_sentences},
            first=[open_sentences[i].id for i in order[: config.seed_size]],
        )

    def label_up_to(self, size: int) -> None:
        """Label the seed sentences, then what the queue hands out, until `size` are labelled."""
        if not self.taken:
            self._label(self.first)
        missing = size - len(self.taken)
        if missing:
            handed = self.store.claim(
                self.project.id, self.annotator_id, CLIENT, Split.POOL, missing, per_tab_share=False
            )
            self._label([item.sentence.id for item in handed])
        if len(self.taken) < size:
            raise InvalidInput(f"the pool ran out of sentences at {len(self.taken)} labels; lower the budget")

    def _label(self, sentence_ids: Sequence[int]) -> None:
        drafts = [
            AnnotationDraft(
                id=str(uuid5(NAMESPACE_OID, f"{self.strategy}/{self.seed}/{sentence_id}")),
                sentence_id=sentence_id,
                status=Status.LABELLED,
                spans=self.gold[sentence_id],
                comment="",
                milliseconds=0,
                client_time=datetime.now(UTC),
                suggestion_run=None,
                supersedes=None,
            )
            for sentence_id in sentence_ids
        ]
        _, rejected = self.store.save_annotations(self.project.id, self.annotator_id, drafts)
        if rejected:
            raise InvalidInput(f"a simulated annotation was refused: {rejected[0].why}")
        self.taken += sentence_ids

    def point(self, run: Run, seconds: float, last: bool) -> Point:
        return Point(
            strategy=self.strategy,
            seed=self.seed,
            labels=len(self.taken),
            words=sum(self.lengths[sentence_id] for sentence_id in self.taken),
            entities=sum(len(self.gold[sentence_id]) for sentence_id in self.taken),
            f1=run.metrics["f1"],
            f1_low=run.metrics["f1_low"],
            f1_high=run.metrics["f1_high"],
            train_f1=run.metrics["train"]["train_f1"],
            training_seconds=round(run.metrics["seconds"]["training"], 1),
            round_seconds=round(seconds, 1),
            chosen=sha256(json.dumps(self.taken).encode()).hexdigest()[:16],
            last=last,
        )


def _gold_sentences(file: Path) -> list[ReadSentence]:
    sentences = [sentence for sentence in read_file(file).sentences if sentence.gold is not None]
    if not any(sentence.gold for sentence in sentences):
        raise InvalidInput(f"{file} holds no labelled entity; a simulation needs files with gold tags")
    return sentences


def _sample(sentences: Sequence[ReadSentence], limit: int | None, seed: int) -> list[ReadSentence]:
    """At most `limit` of the sentences, drawn at random, in the order of the file."""
    if limit is None or limit >= len(sentences):
        return list(sentences)
    chosen = np.random.default_rng(seed).permutation(len(sentences))[:limit]
    return [sentences[i] for i in sorted(chosen.tolist())]


def _keep_settings(file: Path, config: SimulationConfig, train_file: Path, test_file: Path) -> None:
    """Write the settings, or refuse to continue results of others; only more seeds or strategies may be asked for."""
    settings = asdict(config) | {"train_file": train_file.name, "test_file": test_file.name}
    growing = ("strategies", "seeds")
    fixed = json.loads(json.dumps({name: value for name, value in settings.items() if name not in growing}))
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        for name, value in fixed.items():
            if before.get(name) != value:
                raise InvalidConfig(
                    f"{file.parent} holds results with {name} {before.get(name)!r}, now it is {value!r}; "
                    "choose another folder or the same settings"
                )
    file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _drop_unfinished(file: Path) -> set[tuple[str, int]]:
    """Keep the points of finished repetitions only, and say which these are: (strategy, seed)."""
    points = read_points(file)
    finished = {(point.strategy, point.seed) for point in points if point.last}
    if len(points) != sum((point.strategy, point.seed) in finished for point in points):
        rest = file.with_suffix(".unfinished")
        rest.unlink(missing_ok=True)
        for point in points:
            if (point.strategy, point.seed) in finished:
                _append(rest, point)
        rest.touch()
        os.replace(rest, file)
    return finished


def _append(file: Path, point: Point) -> None:
    with file.open("a", encoding="utf-8", newline="") as rows:
        writer = csv.DictWriter(rows, [item.name for item in fields(Point)])
        if not rows.tell():
            writer.writeheader()
        writer.writerow(asdict(point))
