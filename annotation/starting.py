"""A tagger of another language reads a part of the pool, once, while a project has no labels to train its own on.

What it expects decides 20 of the first 50 sentences (starting_places.py). Only labels count that it has in common with the
project. No suggestions are made of what it reads: those belong to runs of the project.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from annotation.loop import plain_words
from annotation.permissions import Action, may
from annotation.sampling import Pool, subsample, tag_count
from annotation.sampling.pool import FloatArray
from annotation.serving import checkpoint_folder, run_of
from annotation.starting_places import FIRST, may_choose
from annotation.tagging import Tools
from maner_core.errors import InvalidInput, LeaseLost, ManerError, NoCheckpoint, NotFound, Refused, RunStopped
from maner_core.model_card import labels_of
from maner_core.spans import OUTSIDE, iob2_tags
from storage import Person, Project, ProjectSettings, Split, StartingRead, StartingScore, Store

READ = 1_000
"""Sentences it reads at most, drawn by chance: the best 20 of so many are the best 2 %."""
READ_AT_ONCE = 100
GROWTH = 2
"""It reads again once there are so many times the sentences, where it could not read READ before."""
RETRY_SECONDS = 300.0
"""After a failure it is tried again so much later: the folder may have been put right."""

log = logging.getLogger("annotation.starting")


def common_labels(store: Store, home: Path, word: str, labels: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder of the tagger that the setting names, and which of `labels` it knows; loads nothing.

    Raises NotFound for a run that is not there, NoCheckpoint for a folder that holds no tagger, InvalidInput for one that
    knows none of the labels.
    """
    run_id = run_of(word, home)
    folder = Path(word) if run_id is None else checkpoint_folder(home, store.run(run_id))
    if run_id is not None and not folder.is_dir():
        raise NoCheckpoint(f"the weights of run {run_id} are no longer there; choose a run that still has them")
    known = labels_of(folder)
    common = [label for label in labels if label in known]
    if not common:
        raise InvalidInput(
            f"the tagger {word} knows the labels {', '.join(known)}, of which the project has none; choose another tagger"
        )
    return folder, common


def require_own(store: Store, home: Path, person: Person, settings: ProjectSettings) -> None:
    """Go on if a run that the settings name belongs to a project whose runs the person may see. Raises NotFound."""
    for word in (settings.starting_tagger, settings.backbone):
        if (run_id := run_of(word, home)) is None:
            continue
        try:
            allowed = may(person, Action.SEE_PROGRESS, store.run(run_id).project_id)
        except NotFound:
            allowed = False
        if not allowed:
            raise NotFound(f"there is no run {run_id} for you; choose one of a project you work in")


def starting_tagger(store: Store, home: Path, settings: ProjectSettings) -> str:
    """What the setting names, else the backbone where that is a tagger with labels of the project; else ""."""
    if settings.starting_tagger or not Path(settings.backbone).is_dir():
        return settings.starting_tagger
    try:
        common_labels(store, home, settings.backbone, [label.name for label in settings.labels])
    except ManerError:  # an ordinary backbone: nobody asked for more
        return ""
    return settings.backbone


def due(store: Store, project: Project, home: Path) -> bool:
    """Whether the starting tagger should read now: sentences wait, and it is newly chosen, or failed a while ago.

    Also where it read all of a small pool that has doubled since. Never once FIRST sentences are labelled.
    """
    if not may_choose(project.settings) or not (tagger := starting_tagger(store, home, project.settings)):
        return False
    last = store.starting_read(project.id)
    if last is not None and last.tagger == tagger and not _is_worth_another(store, project, last):
        return False
    # Counted last: the worker asks every other second, and mostly the answer is known by now.
    return store.ready(project.id, Split.POOL) > 0 and store.progress(project.id).labelled < FIRST


def _is_worth_another(store: Store, project: Project, last: StartingRead) -> bool:
    if last.failure is not None:
        return (datetime.now(UTC) - last.made_at).total_seconds() >= RETRY_SECONDS
    if last.n_pool >= READ:
        return False
    return store.progress(project.id).unlabelled_pool >= GROWTH * max(last.n_pool, 1)


def read(store: Store, project: Project, home: Path, tools: Tools, still_wanted: Callable[[], None]) -> bool:
    """Let the starting tagger read a part of the pool, and keep what it expects; whether it could.

    A failure is kept, in words, and holds up nothing. `still_wanted` is called between batches and may raise.
    """
    seed, hidden = project.settings.seed, store.hidden(project.id)
    tagger = starting_tagger(store, home, project.settings)
    pool = [sentence for sentence in store.unlabelled_pool(project.id) if sentence.id not in hidden]
    try:
        if store.progress(project.id).labelled >= FIRST:
            raise Refused(f"{FIRST} sentences are labelled already: the project's own tagger chooses")
        folder, common = common_labels(store, home, tagger, [label.name for label in project.settings.labels])
        loaded = tools.load(folder)
        chosen = [pool[index] for index in subsample(len(pool), READ, seed)]
        scores = []
        for first in range(0, len(chosen), READ_AT_ONCE):
            still_wanted()
            part = chosen[first : first + READ_AT_ONCE]
            found = loaded.predict([sentence.tokens for sentence in part])
            counts = tag_count(of_labels([each.probabilities for each in found], loaded.labels, common)).tolist()
            names = [sum(span.label in common for span in each.spans) for each in found]
            scores += [StartingScore(it.id, *rest) for it, *rest in zip(part, counts, names, strict=True)]
    except (RunStopped, LeaseLost):
        raise
    except Exception as error:
        log.warning(
            "%s: the starting tagger %s cannot be read",
            project.settings.name,
            tagger,
            exc_info=not isinstance(error, ManerError),
        )
        store.save_starting_read(project.id, tagger, seed, len(pool), failure=plain_words(error))
        return False
    store.save_starting_read(project.id, tagger, seed, len(pool), scores)
    return True


def of_labels(probabilities: Sequence[FloatArray], labels: Sequence[str], common: Sequence[str]) -> Pool:
    """What a query strategy sees where only the labels `common` count: the chances of all others go to O.

    probabilities: (n_words, 1 + 2 * n_labels) for each sentence.
    `[[0.2, 0.5, 0.1, 0.2, 0.0]], PER and DATE, PER -> [[0.4, 0.5, 0.1]]` with the tags O, B-PER, I-PER.
    """
    tags, kept = iob2_tags(labels), iob2_tags(common)
    columns = [tags.index(tag) for tag in kept]
    others = [column for column, tag in enumerate(tags) if tag not in kept]
    outside = kept.index(OUTSIDE)
    folded = []
    for each in probabilities:
        mine = each[:, columns]
        mine[:, outside] += each[:, others].sum(axis=1)
        folded.append(np.asarray(mine))
    return Pool.of(folded, kept)
