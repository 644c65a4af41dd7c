"""The log of a run's selection: everything it was made from, so that it can be made again without asking a tagger.

What else fills the queue of the pool (see queue_filling) has no log and cannot be made again.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from annotation.queue_filling import NAMED_STRATEGY, of_all_lengths, with_names
from annotation.sampling import Ranking, Selection, SelectionRule, Stream, select
from annotation.starting_places import places_of_log
from maner_core.errors import InvalidInput
from storage import Origin, QueueItem, Run, Sentence, Store


def drawn_order(sentences: Sequence[Sentence], seed: int, by_length: bool) -> list[int]:
    """Indices of all sentences in the order in which chance takes them; `by_length`: short, middling and long ones alike."""
    if not by_length:
        order: list[int] = Stream.CHANCE.generator(seed).permutation(len(sentences)).tolist()
        return order
    lengths = {index: len(sentence.tokens) for index, sentence in enumerate(sentences)}
    return of_all_lengths(list(lengths), lengths, len(lengths), random.Random(f"{seed}/by length"))


def select_by_names(order: Sequence[int], n: int, named: Ranking, barred: Collection[int]) -> Selection:
    """The next `n` of `order` that are not `barred`, half of them `named` ones: see queue_filling.with_names."""
    order = [index for index in order if index not in barred]
    return Selection(with_names(order, named.sentences.tolist(), min(n, len(order))))


def log_of(
    ids: Sequence[int],
    hidden: Collection[int],
    seq: int,
    n: int,
    batch: int,
    strategy: str,
    ranking: Ranking | None,
    selection: Selection,
) -> dict[str, Any]:
    """What the stored scores and the seed of a run do not say already; JSON values.

    ids: of the pool, which the indices in `hidden`, `ranking` and `selection` count; it was read at annotation `seq`.
    """
    whole_batches = ranking is not None and ranking.scores is None
    return {
        "strategy": strategy,
        "seq": seq,
        "last_sentence": max(ids, default=0),
        "pool": len(ids),
        "pool_fingerprint": _fingerprint(ids),
        "n": n,
        "batch": batch,
        "order": [ids[index] for index in ranking.sentences[: 2 * n]]
        if ranking is not None and whole_batches
        else None,
        "left_out": [[ids[index], ids[twin]] for index, twin in selection.left_out.items()],
        "hidden": [ids[index] for index in sorted(hidden)],
    }


def replayed(store: Store, run: Run) -> list[QueueItem]:
    """The queue of a finished run, made again from what is stored: no tagger is asked, reasons are left empty.

    Raises InvalidInput where the pool of that time cannot be told any more, because its sentences have become
    duplicates of evaluation sentences since, or where the run is from before selections were logged.
    """
    log: Mapping[str, Any] | None = run.metrics.get("selection_log")
    if log is None:
        raise InvalidInput(f"run {run.id} has no log of its selection; only runs of this release or later have one")
    pool = [it for it in store.unlabelled_pool(run.project_id, log["seq"]) if it.id <= log["last_sentence"]]
    ids = [sentence.id for sentence in pool]
    if _fingerprint(ids) != log["pool_fingerprint"]:
        raise InvalidInput(f"the pool of run {run.id} is not what it was: {log['pool']} sentences then, {len(ids)} now")
    scores, index_of = store.scores(run.id), {id_: index for index, id_ in enumerate(ids)}
    left_out = {index_of[id_]: index_of[twin] for id_, twin in log["left_out"]}
    rule = SelectionRule(**run.config["selection_rule"])
    ranking = None
    if log["order"] is not None:
        ranking = Ranking(np.array([index_of[id_] for id_ in log["order"]], np.intp))
    elif log["strategy"] != "random":
        read = np.array(sorted(index_of[id_] for id_ in scores), np.intp)
        values = np.array([scores[ids[index]] for index in read])
        ranking = Ranking.by_score(read, values, run.seed, lambda index, chosen: left_out.get(index))
    hidden = {index_of[id_] for id_ in log["hidden"]}
    order = drawn_order(pool, run.seed, log.get("by_length", False))
    if log["strategy"] == NAMED_STRATEGY and ranking is not None:
        picks = select_by_names(order, log["n"], ranking, hidden).picks
    else:
        picks = select(len(ids), log["n"], ranking, rule, log["batch"], run.seed, hidden, order).picks
    items = [
        QueueItem(
            sentence_id=ids[pick.index],
            origin=Origin.RANDOM if pick.by_chance else Origin.ACTIVE,
            rank=rank,
            strategy="random" if pick.by_chance else log["strategy"],
            score=scores.get(ids[pick.index]),
            propensity=pick.propensity,
            run_id=run.id,
            round=run.round,
            seed=run.seed,
        )
        for rank, pick in enumerate(picks)
    ]
    if "starting" not in log:
        return items
    return [replace(item, reason="") for item in places_of_log(store, run.project_id, log["starting"]).among(items)]


def _fingerprint(ids: Sequence[int]) -> str:
    return sha256(" ".join(map(str, ids)).encode()).hexdigest()[:16]
