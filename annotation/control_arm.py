"""Whether choosing sentences pays, on the project's own labels: a tagger that learned from drawn ones, one from chosen ones.

Both arms begin with everything that was labelled before the first sentence was chosen. To that the one adds, in the order
of labelling, sentences drawn by chance, the other sentences chosen by the strategy, and both stop at the same number. They
are trained by the same recipe and seed, and measured on the same evaluation sentences. What is drawn late comes from what
choosing has left of the pool; that matters only where most of the pool is labelled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from annotation.sampling.cost import IDLE_SECONDS
from annotation.serving import run_folder
from annotation.tagging import Tools
from annotation.training_set import once
from maner_core.config import TrainConfig
from maner_core.errors import LeaseLost, RunStopped
from maner_core.spans import Span
from storage import ArmMeasure, FirstAnnotation, LabelledSentence, Origin, Project, Run, RunState, Split, Store

EVERY = 10
"""Further labels of each arm from one comparison to the next."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The labels of both arms, equally many; the first `n_common` are the same ones."""

    chance: list[LabelledSentence]
    choice: list[LabelledSentence]
    n_common: int


def arms(labelled: Sequence[LabelledSentence]) -> Arms:
    """Divide labels, in the order in which their sentences were first annotated, into the two arms.

    `r r a r a a -> r r r and r r a`, r drawn and a chosen.
    """
    first = next((i for i, item in enumerate(labelled) if _origin(item) is Origin.ACTIVE), len(labelled))
    common, later = list(labelled[:first]), labelled[first:]
    chance = common + [item for item in later if _origin(item) is Origin.RANDOM]
    choice = common + [item for item in later if _origin(item) is Origin.ACTIVE]
    n = min(len(chance), len(choice))
    return Arms(chance[:n], choice[:n], len(common))


def due(store: Store, project: Project) -> bool:
    """Whether the arms should be trained after the newest run: a lead asks for them and each has grown by EVERY."""
    if not project.settings.control_share:
        return False
    run = store.last_run(project.id)
    if run is None or run.state is not RunState.DONE:
        return False
    found = _of_run(store, project.id, run, store.first_annotations(project.id))
    known = [measure.n_labels for measure in store.arm_measures(project.id)]
    return len(found.chance) >= max([found.n_common, *known]) + EVERY


def measure(
    store: Store, project: Project, home: Path, tools: Tools, still_wanted: Callable[[], None] = lambda: None
) -> list[ArmMeasure]:
    """Train both arms on labels that the newest run has seen, and keep what they say of the reserve.

    `still_wanted` is called at every step and may raise. One that fails leaves measures without predictions: the next
    labels bring the next comparison.
    """
    run = store.last_run(project.id)
    assert run is not None, "only called where due"
    first = store.first_annotations(project.id)
    found = _of_run(store, project.id, run, first)
    halves = {"chance": found.chance, "choice": found.choice}
    try:
        measures = [
            ArmMeasure(
                run.id,
                arm,
                len(items),
                # Imported ones took nobody time; those that merely were not timed are estimated.
                seconds([began.seconds for item in items if not (began := first[item.sentence.id]).imported]),
                _predictions(store, project, home, tools, still_wanted, run, arm, items),
            )
            for arm, items in halves.items()
        ]
    except (RunStopped, LeaseLost):
        raise
    except Exception:
        store.save_arm_measures([ArmMeasure(run.id, arm, len(items), 0.0, {}) for arm, items in halves.items()])
        raise
    store.save_arm_measures(measures)
    return measures


def seconds(taken: Sequence[float]) -> float:
    """The sum of times, in seconds; one that was not timed, or idled over, counts as much as the median of the others."""
    usable = [time for time in taken if 0 < time <= IDLE_SECONDS]
    return sum(usable) + (median(usable) * (len(taken) - len(usable)) if usable else 0.0)


def _predictions(
    store: Store,
    project: Project,
    home: Path,
    tools: Tools,
    still_wanted: Callable[[], None],
    run: Run,
    arm: str,
    labelled: Sequence[LabelledSentence],
) -> dict[int, tuple[Span, ...]]:
    """What a tagger that learned from these labels says of the reserve."""
    config = TrainConfig.preset(run.config["preset"], **{**run.config["train"], "adaptation": "none"})
    labels = [label.name for label in project.settings.labels]
    reserve = list(store.sentences(project.id, Split.RESERVE))
    sentences = [item.sentence.tokens for item in labelled]
    spans: list[tuple[Span, ...]] = [item.gold.spans for item in labelled]
    runs = run_folder(home, run.id).parent
    runs.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=runs, prefix=".unfinished-") as folder:
        checkpoint = Path(folder) / arm
        tools.train(sentences, spans, labels, config, checkpoint, (), lambda progress: still_wanted())
        read = tools.load(checkpoint).predict([sentence.tokens for sentence in reserve])
    return {sentence.id: tuple(prediction.spans) for sentence, prediction in zip(reserve, read, strict=True)}


def _of_run(store: Store, project_id: int, run: Run, first: Mapping[int, FirstAnnotation]) -> Arms:
    """The arms among the sentences whose labels the run has seen, corrected since or not.

    In the order of the first annotations: a correction makes no sentence later, nor the work on it shorter.
    """

    def began(item: LabelledSentence) -> int:
        return first[item.sentence.id].seq

    seen = once(item for item in store.labelled(project_id, Split.POOL) if began(item) <= run.watermark)
    return arms(sorted(seen, key=began))


def _origin(item: LabelledSentence) -> Origin:
    return item.annotation.origin
