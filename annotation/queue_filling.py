"""What waits to be labelled before a tagger chooses: sentences by chance, and such as hold a listed name."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from annotation.names import NameIndex, NameList
from annotation.sampling import RANDOM_REASON, Pick
from annotation.starting_places import may_choose, starting_places
from annotation.training_set import GATE_ENTITIES, GATE_LABELS
from storage import Origin, Project, QueueItem, Split, Store

TOP_UP_TO = 2_000  # free sentences in the queue after filling it up
LENGTH_CLASSES = 3  # of the sentences drawn by chance: short, middling, long
LAST_RANK = 1_000_000  # what the worker ranks comes before what only fills the queue
NAMED_SHARE = 0.5  # of the queue, at most, holds names of the list, until there are labels enough to ask a tagger
SEARCHED = 5_000  # sentences, drawn by chance, in which names are looked for when the queue is filled
NAMED_STRATEGY = "names"
NAMED_REASON = "holds a name of the list"


def top_up(store: Store, project_id: int) -> int:
    """Fill the queues of a project (after an import, and whenever they run low); how many sentences were added.

    The pool's queue gets sentences in random order behind everything a round has ranked, so it is never empty while
    unlabelled sentences remain and never waits for training. The reserve is queued whole, in an order fixed for ever.
    """
    project = store.project(project_id)
    return fill_reserve(store, project) + fill_pool(store, project)


def fill_pool(store: Store, project: Project) -> int:
    """Fill up the queue of the pool; how many sentences were added."""
    missing = TOP_UP_TO - store.ready(project.id, Split.POOL)
    return queue_by_chance(store, project, missing) if missing > 0 else 0


def queue_by_chance(store: Store, project: Project, n: int, reads: Sequence[str] = ()) -> int:
    """Queue up to `n` sentences of the pool drawn by chance (with `reads`, from what is written in these); how many.

    Until a tagger may choose they are drawn as `with_names` says.
    """
    unqueued = sorted(store.unqueued_pool_ids(project.id, reads))
    if not unqueued:
        return 0
    items = _drawn(store, project, unqueued, min(n, len(unqueued)))
    return store.fill_queue(project.id, items, replace=False)


def queue_anew(store: Store, project_id: int) -> int:
    """Draw the queue of the pool again, as names and a starting tagger have it now; what tabs hold stays. How many wait now.

    Nothing happens once there are labels enough to ask a tagger: its order then stands.
    """
    project = store.project(project_id)
    if not _is_cold(store, project):
        return 0
    hidden = store.hidden(project_id)
    waiting = [sentence.id for sentence in store.unlabelled_pool(project_id) if sentence.id not in hidden]
    if not waiting:
        return 0
    items = _drawn(store, project, waiting, min(TOP_UP_TO, len(waiting)))
    return store.fill_queue(project_id, starting_places(store, project, waiting).among(items), replace=True)


def with_names(order: Sequence[int], named: Sequence[int], n: int, share: float = NAMED_SHARE) -> list[Pick]:
    """`n` of the sentences; `order` are all in an order drawn by chance, by the numbers that picks are to have as `index`.

    Half of the places go to `named` ones (those that hold a listed name, in an order drawn by chance), by turns with the
    others, as long as there are such. Why any: before there is a tagger, sentences without a name teach it little, and
    Ein-Dor et al., "Active learning for BERT" (2020) found that it gains most where the first labels came by key words.
    Why not all: the first labels must show what the text is like. With hardly any labels typical examples serve best
    (Hacohen et al., "Active learning on a budget", 2022); a list holds what somebody thought of, and a tagger that saw
    sentences of listed names only would miss names in other surroundings. So the other half is drawn from the whole pool
    before the names are looked at: it alone is an unbiased sample, named sentences among it as often as in the pool,
    and has a propensity. What chance puts at places for which there are too few named ones has none: it holds fewer names.
    """
    first = list(order[: n - int(share * n) if named else n])
    taken = set(first)
    raised = [each for each in named if each not in taken][: n - len(first)]
    taken.update(raised)
    late = [each for each in order if each not in taken][: n - len(first) - len(raised)]
    by_chance = [Pick(each, True, len(first) / len(order)) for each in first]
    by_chance += [Pick(each, True, None) for each in late]
    turns = zip_longest(by_chance, (Pick(each, False, None) for each in raised))
    return [pick for turn in turns for pick in turn if pick is not None]


def of_all_lengths(ids: Sequence[int], lengths: Mapping[int, int], n: int, rng: random.Random) -> list[int]:
    """`n` of the sentences by chance, each as likely as any other; of every three on end, one of each third by length.

    Stratified so, what is labelled before there is a tagger to ask has short and long sentences however few it is.
    """
    by_length = sorted(rng.sample(ids, len(ids)), key=lengths.__getitem__)
    size = -(-len(ids) // LENGTH_CLASSES)
    thirds = [
        rng.sample(third, len(third))
        for start in range(0, len(ids), size)
        if (third := by_length[start : start + size])
    ]
    order = [each for row in zip_longest(*thirds) for each in rng.sample(row, len(row)) if each is not None]
    return order[:n]


def fill_reserve(store: Store, project: Project) -> int:
    """Queue the evaluation sentences that are not queued yet; how many."""
    items = [
        QueueItem(
            sentence_id=sentence.id,
            origin=Origin.EVALUATION,
            rank=_reserve_rank(project.split_salt, sentence.id),
            strategy="random",
            score=None,
            propensity=None,
            run_id=None,
            round=0,
            reason=RANDOM_REASON,
        )
        for sentence in store.sentences(project.id, Split.RESERVE)
        if sentence.duplicate_of is None
    ]
    return store.fill_queue(project.id, items, replace=False) if items else 0


def _drawn(store: Store, project: Project, ids: Sequence[int], n: int) -> list[QueueItem]:
    """Places in the queue for `n` of these sentences."""
    rng = random.Random(f"{project.settings.seed}/queue/{store.max_seq(project.id)}")
    order = of_all_lengths(ids, store.lengths(ids), len(ids), rng)
    named = _holding_names(store, project, order)
    return [
        QueueItem(
            sentence_id=pick.index,
            origin=Origin.RANDOM if pick.by_chance else Origin.ACTIVE,
            rank=LAST_RANK + place,
            strategy="random" if pick.by_chance else NAMED_STRATEGY,
            score=None,
            propensity=pick.propensity,
            run_id=None,
            round=0,
            reason=RANDOM_REASON if pick.by_chance else NAMED_REASON,
        )
        for place, pick in enumerate(with_names(order, rng.sample(named, len(named)), n))
    ]


def _holding_names(store: Store, project: Project, order: Sequence[int]) -> list[int]:
    """Those of the first SEARCHED of these sentences that hold a name of the list, where names raise anything."""
    listed = store.listed_names(project.id) if may_choose(project.settings) else []
    if not listed or not _is_cold(store, project):
        return []
    index = NameIndex(NameList(listed))
    return holding_names(index, store.tokens(order[:SEARCHED]))


def holding_names(index: NameIndex, sentences: Mapping[int, Sequence[str]]) -> list[int]:
    """Those of the sentences {id: words} that hold a name of the list."""
    return [id_ for id_, tokens in sentences.items() if index.holds_listed(tokens)]


def _is_cold(store: Store, project: Project) -> bool:
    """Whether too little is labelled to ask a tagger what comes next."""
    progress = store.progress(project.id)
    return progress.labelled < GATE_LABELS or sum(progress.by_label.values()) < GATE_ENTITIES


def _reserve_rank(salt: str, sentence_id: int) -> int:
    """A place in an order that looks random and stays the same when more sentences are imported."""
    return int.from_bytes(hashlib.sha256(f"{salt}/reserve/{sentence_id}".encode()).digest()[:4]) >> 1
