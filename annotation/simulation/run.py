"""The same loop with gold labels for an annotator: F1 against labels for several query strategies, on equal terms.

Every strategy starts a seed from the same random sentences and uses the loop, the gate, the queue and the store of the
tool itself. People are slower and less sure on the sentences that a tagger is unsure of (Wei et al. 2019): minutes are
modelled, errors an option, and no human study is in any of it.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from annotation.formats import ReadSentence, read_file
from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.quick_scorer import quick_tools
from annotation.serving import run_folder
from annotation.simulation.annotator import SimulatedAnnotator
from annotation.simulation.config import GoldSet, SimulationConfig
from annotation.simulation.figures import write_figures
from annotation.simulation.points import Mean, Point, append, drop_unfinished, read_points, summarise
from annotation.simulation.savings import Saving, areas, matches, savings
from annotation.simulation.shared import SharedTrainings
from annotation.tagging import Tools, real_tools
from maner_core.errors import InvalidConfig, InvalidInput
from storage import Store


def simulate(
    sets: Sequence[GoldSet],
    out: Path,
    config: SimulationConfig,
    *,
    tools: Tools | None = None,
    show_progress: bool = True,
) -> list[Mean]:
    """Run what `out` does not hold yet, a row of its points.csv for each training; the means over the seeds.

    A repetition that is finished in points.csv is not run again, one that was broken off starts again. Raises InvalidConfig
    where `out` holds results under other settings or of other files, InvalidInput where the files hold too few labels.
    """
    read = {each.name: _read(each, config) for each in sets}
    out.mkdir(parents=True, exist_ok=True)
    _keep_settings(out / "settings.json", config, {each.name: _fingerprint(each) for each in sets})
    finished = drop_unfinished(out / "points.csv")
    everything = [
        (each.name, strategy, seed) for seed in range(config.seeds) for each in sets for strategy in config.strategies
    ]
    tools = tools or _tools(out, config)
    todo = [each for each in everything if each not in finished]
    with tqdm(total=len(todo) * len(config.sizes), unit="round", disable=not show_progress) as bar:
        for (seed, name), alike in groupby(todo, key=lambda each: (each[2], each[0])):
            pool, test = read[name]
            sample = _sample(pool, config.pool_limit, seed=seed)
            with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
                shared = SharedTrainings(tools.train, Path(folder))
                for _, strategy, _ in alike:
                    for point in _repetition(config, name, strategy, seed, sample, test, tools, shared, bar):
                        append(out / "points.csv", point)
                        bar.update()
    return summarise(read_points(out / "points.csv"))


def _tools(out: Path, config: SimulationConfig) -> Tools:
    if not config.quick:
        return real_tools()
    return quick_tools(out, str(config.overrides.get("backbone", "bundled")))


def write_results(out: Path) -> list[Saving]:
    """Every table and figure that follows from the points.csv in `out`; what the strategies save.

    summary.csv has the means, savings.csv how many labels, words, entities and minutes each strategy saves against
    `random`, matches.csv with how many labels it is where `random` ends, areas.csv the area under its curve; curve.* and
    savings.* draw them.
    """
    points = read_points(out / "points.csv")
    means = summarise(points)
    pd.DataFrame([asdict(mean) for mean in means]).to_csv(out / "summary.csv", index=False)
    saved = savings(points)
    pd.DataFrame([asdict(saving) for saving in saved]).to_csv(out / "savings.csv", index=False)
    pd.DataFrame([asdict(match) for match in matches(points)]).to_csv(out / "matches.csv", index=False)
    pd.DataFrame([asdict(area) for area in areas(points)]).to_csv(out / "areas.csv", index=False)
    write_figures(out, means, saved)
    return saved


def _repetition(
    config: SimulationConfig,
    set_name: str,
    strategy: str,
    seed: int,
    pool: Sequence[ReadSentence],
    test: Sequence[ReadSentence],
    tools: Tools,
    shared: SharedTrainings,
    bar: "tqdm[Any]",
) -> Iterator[Point]:
    """The points of one strategy from one seed, each as soon as it is there; the store lives in a temporary folder."""
    tools = replace(tools, train=shared.train)
    with (
        tempfile.TemporaryDirectory(prefix="simulation-") as folder,
        closing(Store(f"sqlite:///{folder}/simulation.db")) as store,
    ):
        annotator = SimulatedAnnotator.begin(store, config, set_name, strategy, seed, pool, test)
        for size, following in zip(config.sizes, [*config.sizes[1:], None], strict=True):
            annotator.label_up_to(size)
            shared.keeps = size in config.sizes[: 1 + config.stale]  # labelled before the strategy had a say
            if config.stale and following is not None:
                annotator.take(following - size)
            started = time.monotonic()

            def show(progress: RoundProgress, size: int = size) -> None:
                at = f"{set_name}, {strategy}, seed {seed}, {size} labels"
                bar.set_description(f"{at}: {progress.phase} {progress.progress:.0%}")

            project = store.project(annotator.project.id)
            run = run_round(
                store, project, Path(folder), show, tools=tools, overrides=config.overrides, rule=config.rule
            )
            if config.noise.errs and following is not None:
                annotator.last_tagger = tools.load(run_folder(Path(folder), run.id))
            yield annotator.point(run, time.monotonic() - started, last=following is None)


def _read(files: GoldSet, config: SimulationConfig) -> tuple[list[ReadSentence], list[ReadSentence]]:
    """The sentences of both files that have gold tags. Raises InvalidInput where they are too few."""
    pool, test = _gold_sentences(files.train), _sample(_gold_sentences(files.test), config.test_limit, seed=0)
    if min(len(pool), config.pool_limit or len(pool)) < config.last:
        raise InvalidInput(f"a budget of {config.last} labels needs as many sentences in the pool; lower it")
    return pool, test


def _gold_sentences(file: Path) -> list[ReadSentence]:
    reading = read_file(file)
    reading.refuse_errors()
    sentences = [sentence for sentence in reading.sentences if sentence.gold is not None]
    if not any(sentence.gold for sentence in sentences):
        raise InvalidInput(f"{file} holds no labelled entity; a simulation needs files with gold tags")
    return sentences


def _sample(sentences: Sequence[ReadSentence], limit: int | None, seed: int) -> list[ReadSentence]:
    """At most `limit` of the sentences, drawn at random, in the order of the file."""
    if limit is None or limit >= len(sentences):
        return list(sentences)
    chosen = np.random.default_rng(seed).permutation(len(sentences))[:limit]
    return [sentences[i] for i in sorted(chosen.tolist())]


def _fingerprint(files: GoldSet) -> str:
    return sha256(files.train.read_bytes() + b"\0" + files.test.read_bytes()).hexdigest()[:12]


def _keep_settings(file: Path, config: SimulationConfig, files: dict[str, str]) -> None:
    """Write the settings and the fingerprints of the `files` of each set, or refuse to continue results of others.

    Only more seeds, strategies or sets may be added.
    """
    settings = asdict(config)
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
        known = before.get("files", {})
        for name, fingerprint in files.items():
            if known.get(name, fingerprint) != fingerprint:
                raise InvalidConfig(
                    f"{file.parent} holds results of other files of {name!r}, which have changed since; choose another folder"
                )
        files = {**known, **files}
    file.write_text(json.dumps({**settings, "files": files}, indent=2) + "\n", encoding="utf-8")
