"""Suspected errors among the labels: what taggers say of sentences they have not seen.

A sentence is as good as its worst word: the chance its tagger gives the label people gave (Wang & Mueller 2022,
"Detecting label errors in token classification data", self-confidence with the minimum over tokens, by cleanlab).

Sentences chosen by uncertainty are hard by construction, so what the tagger is sure of comes first, and only the worst
are shown; people decide, nothing is corrected by itself.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import numpy.typing as npt

from annotation.serving import run_folder
from annotation.tagging import Tools
from annotation.training_set import TrainingSet, training_set
from maner_core.calibration import Predict, out_of_fold_predictions
from maner_core.config import TrainConfig
from maner_core.errors import LeaseLost, RunFailed, RunStopped
from maner_core.spans import OUTSIDE, Span, iob2_tags, repair_tags, spans_to_tags, tags_to_spans
from storage import Doubt, Project, Run, RunState, Store

FOLDS: Final = 3
"""Trainings of a search: each learns from two thirds of the labels."""
EVERY: Final = 100
"""Labels from one search to the next."""
SHARE: Final = 0.05
"""Of the sentences, the worst that are kept ..."""
FEWEST: Final = 10
"""... but so many at least, where so many are doubted."""
DOUBTED: Final = 0.5
"""Chance of a given label below which it is doubted."""
SURE: Final = 0.8
"""Chance of another label from which on the tagger is sure."""

Floats = npt.NDArray[np.floating]


def by_label(of_tags: Floats) -> npt.NDArray[np.float64]:
    """The chances of labels, out of those of IOB2 tags: (n_words, 1 + 2 n_labels) -> (n_words, 1 + n_labels), O first.

    `B-PER` and `I-PER` are one: where a name begins is a lesser question than whether there is one.
    """
    return np.column_stack([of_tags[:, 0], of_tags[:, 1::2] + of_tags[:, 2::2]]).astype(np.float64)


def quality(chances: Floats, given: npt.NDArray[np.intp]) -> tuple[float, bool]:
    """How sure a tagger is of the label it doubts most, and whether it is sure of another one anywhere.

    chances: (n_words, n_labels), given: (n_words,), at least one word.

        [[0.9, 0.1], [0.3, 0.7]], given [0, 0] -> 0.3, False
    """
    from cleanlab.token_classification.rank import get_label_quality_scores  # two seconds that only a search takes

    scores, _ = get_label_quality_scores([given.tolist()], [chances], sentence_score_method="min")
    others = chances.copy()
    others[np.arange(len(given)), given] = 0
    return float(scores[0]), bool(others.max() >= SURE)


def due(store: Store, project_id: int) -> bool:
    """Whether a search should begin after the newest run: somebody asks for one, or it had another hundred labels."""
    run = store.last_run(project_id)
    if run is None or run.state is not RunState.DONE:
        return False
    if store.label_check_requested(project_id):
        return True
    last = store.last_label_check(project_id)
    return run.n_train // EVERY > (0 if last is None else last.n_sentences) // EVERY


def search(
    store: Store,
    project: Project,
    home: Path,
    tools: Tools,
    still_wanted: Callable[[], None] = lambda: None,
    folds: int = FOLDS,
) -> list[Doubt]:
    """Train taggers that each leave out a part of the labels, and keep what they doubt of it, the worst first.

    They are trained like that of the newest run, which must be done. `still_wanted` is called at every step and may
    raise. A search that is given up is due as before; one that fails counts as one that found nothing: the next hundred
    labels bring the next one.
    """
    run = store.last_run(project.id)
    if run is None or run.state is not RunState.DONE:
        raise RunFailed("there is no finished training to take the settings from; train once first")
    labelled = training_set(store, project.id)
    folds = min(folds, len(labelled.ids))
    found: list[Doubt] = []
    if folds >= 2:
        run_folder(home, run.id).parent.mkdir(parents=True, exist_ok=True)
        try:
            with TemporaryDirectory(dir=run_folder(home, run.id).parent, prefix=".unfinished-") as folder:
                found = _doubts(project, run, labelled, tools, still_wanted, folds, Path(folder))
        except (RunStopped, LeaseLost):
            raise
        except Exception:
            _keep(store, run, labelled, folds, [])
            raise
    worst = _worst(found, len(labelled.ids))
    _keep(store, run, labelled, folds, worst)
    return worst


def _keep(store: Store, run: Run, labelled: TrainingSet, folds: int, found: Sequence[Doubt]) -> None:
    store.request_label_check(run.project_id, False)
    seen = labelled.watermark, labelled.decision_watermark
    store.save_label_check(run.id, max(folds, 2), len(labelled.ids), seen, found)


def _doubts(
    project: Project,
    run: Run,
    labelled: TrainingSet,
    tools: Tools,
    still_wanted: Callable[[], None],
    folds: int,
    folder: Path,
) -> list[Doubt]:
    labels = [label.name for label in project.settings.labels]
    config = TrainConfig.preset(run.config["preset"], **{**run.config["train"], "adaptation": "none"})

    def train(fold: int, others: list[Sequence[str]], their_spans: list[Sequence[Span]]) -> Predict:
        checkpoint = folder / f"fold-{fold}"
        tools.train(others, their_spans, labels, config, checkpoint, (), lambda progress: still_wanted())
        tagger = tools.load(checkpoint)
        return lambda held_out: [prediction.probabilities for prediction in tagger.predict(held_out)]

    rng = np.random.default_rng(run.seed)
    chances = out_of_fold_predictions(labelled.sentences, labelled.spans, train, folds, rng)
    found = []
    for sentence_id, spans, of_tags in zip(labelled.ids, labelled.spans, chances, strict=True):
        doubt = _doubt(sentence_id, spans, of_tags, labels, run.id)
        if doubt.quality < DOUBTED and doubt.spans != spans:
            found.append(doubt)
    return found


def _doubt(sentence_id: int, spans: tuple[Span, ...], of_tags: Floats, labels: Sequence[str], run_id: int) -> Doubt:
    tags = iob2_tags(labels)
    number = {OUTSIDE: 0, **{label: i for i, label in enumerate(labels, start=1)}}
    given = [number[tag.partition("-")[2] or OUTSIDE] for tag in spans_to_tags(spans, len(of_tags))]
    worst, sure = quality(by_label(of_tags), np.array(given, dtype=np.intp))
    proposed = tags_to_spans(repair_tags([tags[i] for i in of_tags.argmax(axis=1)]))
    return Doubt(sentence_id, worst, sure, tuple(proposed), run_id)


def _worst(found: list[Doubt], n_sentences: int) -> list[Doubt]:
    ranked = sorted(found, key=lambda doubt: (not doubt.sure, doubt.quality, doubt.sentence_id))
    return ranked[: max(FEWEST, round(SHARE * n_sentences))]
