"""How far two trainings on the same labels differ: measured by itself whenever the labels have doubled.

Without it nobody can tell whether a tagger that still changes has learned, or only drew other numbers (`stability.py`).
It costs one more training, with another seed, of a tagger that nobody is shown. Rounds come first: it is given up when one
is due, and begun again later.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from annotation.adapted_backbone import adapted, adapted_folder
from annotation.loop import run_seed
from annotation.serving import run_folder
from annotation.stability import FEWEST_COMMON, agreement, fixed_set
from annotation.tagging import Tools
from maner_core.config import TrainConfig
from maner_core.errors import LeaseLost, RunFailed, RunStopped
from maner_core.spans import Span
from storage import Moment, NoiseFloor, Project, Run, RunState, Split, Status, Store

FIRST: Final = 100
"""Labels at which it is measured first; then at 200, 400 and so on."""
_ATTEMPT: Final = 1_000_000
"""In place of an attempt of the run: a seed that no run of the project has."""


def next_at(store: Store, project_id: int) -> int:
    """The labels at which it is measured next: `104 -> 200`, of those it was measured at last."""
    last, milestone = max((floor.n_labels for floor in store.noise_floors(project_id)), default=0), FIRST
    while milestone <= last:
        milestone *= 2
    return milestone


def due(store: Store, project: Project) -> bool:
    """Whether to measure after the newest run, which serves and so has its suggestions on record."""
    if not project.settings.measure_noise:
        return False
    run = store.last_run(project.id)
    if run is None or run.state is not RunState.DONE or not run.served:
        return False
    return run.n_train >= next_at(store, project.id)


def measure(
    store: Store, project: Project, home: Path, tools: Tools, still_wanted: Callable[[], None] = lambda: None
) -> NoiseFloor:
    """Train once more on the labels of the newest run, and keep how far both find the same names.

    `still_wanted` is called at every step and may raise. One that fails, or a pool too small to compare in, is kept
    without a figure: it is measured next when the labels have doubled.
    """
    run = store.last_run(project.id)
    assert run is not None, "only called where due"
    try:
        f1, n = _agreement(store, project, home, run, tools, still_wanted)
    except (RunStopped, LeaseLost):
        raise
    except Exception:
        store.save_noise_floor(NoiseFloor(run.id, run.n_train, None, 0))
        raise
    floor = NoiseFloor(run.id, run.n_train, f1 if n >= FEWEST_COMMON else None, n)
    store.save_noise_floor(floor)
    return floor


def _agreement(
    store: Store, project: Project, home: Path, run: Run, tools: Tools, still_wanted: Callable[[], None]
) -> tuple[float, int]:
    """Span F1 of both taggers on the fixed unlabelled sentences, and how many these are."""
    said = store.suggested_spans(run.id)
    fixed = fixed_set(project, said)
    tokens = {
        sentence.id: sentence.tokens for sentence in store.sentences(project.id, Split.POOL) if sentence.id in fixed
    }
    if len(fixed) < FEWEST_COMMON:
        return 1.0, len(fixed)
    sentences, spans = _labels_of(store, project, run)
    seed = run_seed(project.settings.seed, run.round, _ATTEMPT)
    config = TrainConfig.preset(run.config["preset"], **{**run.config["train"], "seed": seed})
    text = [] if config.adaptation == "none" else [each.tokens for each in store.unlabelled_pool(project.id)]
    config, _ = adapted(config, text, adapted_folder(home, project.id), tools.adapt, lambda progress: still_wanted())
    runs = run_folder(home, run.id).parent
    runs.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=runs, prefix=".unfinished-") as folder:
        checkpoint = Path(folder) / "again"
        beside = text if config.adaptation == "beside" else ()
        tools.train(sentences, spans, run.config["labels"], config, checkpoint, beside, lambda _: still_wanted())
        read = tools.load(checkpoint).predict(list(tokens.values()), lambda _: still_wanted())
    again = {id_: prediction.spans for id_, prediction in zip(tokens, read, strict=True)}
    return agreement({id_: [Span(span.start, span.end, span.label) for span in said[id_]] for id_ in tokens}, again)


def _labels_of(store: Store, project: Project, run: Run) -> tuple[list[tuple[str, ...]], list[Sequence[Span]]]:
    """The sentences the run was trained on, and the spans these had then. Raises RunFailed if any has gone."""
    ids = store.training_sentences(run.id)
    then = Moment(run.watermark, run.decision_watermark)
    rows = store.export_rows(project.id, Split.POOL, (Status.LABELLED,), False, then)
    found = [(row.sentence.tokens, row.gold.spans) for row in rows if row.sentence.id in ids and row.gold is not None]
    if len(found) != run.n_train:
        raise RunFailed(f"of the {run.n_train} labels of run {run.id} only {len(found)} are found again")
    return [tokens for tokens, _ in found], [spans for _, spans in found]
