"""Which of the first sentences are a starting tagger's: 20 of the first 50, the others come by chance as ever.

Those drawn by chance are drawn before it is asked, so that they alone are an unbiased sample of the pool.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotation.training_set import GATE_LABELS
from storage import Origin, Project, ProjectSettings, QueueItem, StartingRead, Store

FIRST = GATE_LABELS
"""Labels until which a starting tagger has a say; then there is the project's own."""
STRATEGY = "tag_count"
REASON = "a tagger of another language sees {names} here"


def is_starting_place(place: int) -> bool:
    """Whether a place in the order of labelling, from 0, is the starting tagger's: two in every five of the first 50."""
    return place < FIRST and place % 5 in (1, 3)


def with_starting(items: Sequence[QueueItem], picks: Sequence[QueueItem], done: int) -> list[QueueItem]:
    """The queue `items` with `picks` of a starting tagger at its places, where `done` sentences came before; new ranks.

    Of `r r r r r r` and `p q` with 47 done (places 47 to 49, of which 48 is the tagger's) -> `r p r r r r r`.
    """
    starting = [is_starting_place(place) for place in range(done, FIRST)]
    drawn = list(items[: starting.count(False)])
    taken = {item.sentence_id for item in drawn}
    chosen = [pick for pick in picks if pick.sentence_id not in taken][: starting.count(True)]
    taken |= {pick.sentence_id for pick in chosen}
    rest = [item for item in items[len(drawn) :] if item.sentence_id not in taken]
    order: list[QueueItem] = []
    for is_starting in starting:
        source = (chosen or drawn) if is_starting else (drawn or chosen)
        if source:
            order.append(source.pop(0))
    first_rank = min((item.rank for item in items), default=0)
    return [replace(item, rank=first_rank + place) for place, item in enumerate([*order, *rest])]


@dataclass(frozen=True, slots=True)
class StartingPlaces:
    """What a starting tagger would put at its places, best first, when `done` sentences have had theirs."""

    picks: list[QueueItem]
    done: int

    def among(self, items: Sequence[QueueItem]) -> list[QueueItem]:
        """The queue `items` with its places filled; as it is where it has none."""
        return with_starting(items, self.picks, self.done) if self.picks else list(items)


def starting_places(store: Store, project: Project, unlabelled: Collection[int]) -> StartingPlaces:
    """What the starting tagger puts first of these sentences; they have had their place once they are decided or held.

    Nothing where only chance `may_choose`.
    """
    read = store.starting_read(project.id)
    if read is None or read.failure is not None or not may_choose(project.settings):
        return StartingPlaces([], 0)
    held, progress = store.on_screens(project.id), store.progress(project.id)
    done = progress.labelled + progress.skipped + progress.flagged + len(held)
    waiting = set(unlabelled) - held
    return StartingPlaces(
        [pick for pick in picks(store, project.id, read) if pick.sentence_id in waiting][:FIRST], done
    )


def log_of_places(places: StartingPlaces) -> dict[str, Any]:
    """What a run's log keeps of them; JSON values."""
    return {"done": places.done, "picks": [[it.sentence_id, it.score, it.propensity, it.seed] for it in places.picks]}


def places_of_log(store: Store, project_id: int, log: Mapping[str, Any]) -> StartingPlaces:
    """The places as they were, from what a run's log keeps; reasons are left empty."""
    if "picks" in log:
        found = [_place(id_, score, chance, seed, "") for id_, score, chance, seed in log["picks"]]
        return StartingPlaces(found, log["done"])
    # A log of an earlier release names the sentences alone.
    read = store.starting_read(project_id)
    wanted = set(log["sentences"])
    earlier = [] if read is None else [pick for pick in picks(store, project_id, read) if pick.sentence_id in wanted]
    return StartingPlaces(earlier, log["done"])


def picks(store: Store, project_id: int, read: StartingRead) -> list[QueueItem]:
    """Places for all sentences that the starting tagger has read, where it expects most words in names first."""
    scores = store.starting_scores(project_id)
    return [
        # The chance is that to have been read; then nothing is drawn.
        _place(found.sentence_id, found.score, len(scores) / read.n_pool, read.seed, reason(found.names))
        for found in scores
    ]


def _place(sentence_id: int, score: float, propensity: float, seed: int, reason: str) -> QueueItem:
    return QueueItem(
        sentence_id=sentence_id,
        origin=Origin.ACTIVE,
        rank=0,
        strategy=STRATEGY,
        score=score,
        propensity=propensity,
        run_id=None,
        round=0,
        reason=reason,
        seed=seed,
    )


def may_choose(settings: ProjectSettings) -> bool:
    """Whether anything but chance may choose a project's first sentences: a starting tagger, or names of a list.

    Not by the strategy `random`, nor for a control arm, whose first labels must be drawn like the later ones it compares.
    """
    return settings.strategy != "random" and not settings.control_share


def reason(names: int) -> str:
    """What people are told: `3 -> "a tagger of another language sees 3 names here"`."""
    return REASON.format(names="hints of a name" if not names else f"{names} name{'s' if names != 1 else ''}")
