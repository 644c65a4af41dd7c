"""The review: which sentences somebody has to decide about, why, and who may.

Nobody decides about what they annotated themselves: the store refuses it, and the queue leaves it out. Without accounts
there is only one person. They may decide about what nobody else annotated, or nobody could ever resolve a flag or look
again at a suspected error; between themselves and somebody else they may not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from annotation.consistency import inconsistencies
from maner_core.spans import Span
from storage import Case, Doubt, GoldRule, LabelledSentence, Split, Status, Store


class Reason(StrEnum):
    """Why a sentence waits for a decision, the most urgent first."""

    FLAGGED = "flagged"
    DISAGREEMENT = "disagreement"
    SUSPECTED = "suspected error"
    INCONSISTENT = "inconsistent"
    DECIDED = "decided"  # waits no more; here to be looked at again, or undone


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A sentence to be decided about. `doubt` is what a tagger that had not seen it makes of it."""

    sentence_id: int
    reason: Reason
    why: str
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """What waits for one person, in order; `own` sentences wait for somebody else, because they annotated them."""

    items: tuple[ReviewItem, ...]
    own: int
    sent_back: int  # wait for whoever annotated them

    def of(self, reason: Reason | None) -> list[ReviewItem]:
        """Those with this reason; None: all that wait for a decision."""
        return [item for item in self.items if (item.reason is reason if reason else item.reason is not Reason.DECIDED)]


def may_decide(case: Case, reviewer_id: int, alone: bool) -> bool:
    """Whether this person may decide about the sentence: somebody else's work, or alone the only one's."""
    return reviewer_id not in case.authors or (alone and case.authors == {reviewer_id})


def review_queue(store: Store, project_id: int, reviewer_id: int, alone: bool) -> ReviewQueue:
    """Everything of a project that waits for a decision of this person."""
    cases = {case.sentence.id: case for case in store.disputed(project_id)}
    found = [item for case in cases.values() for item in _of_people(case)]
    listed = {item.sentence_id for item in found}
    labelled = store.labelled(project_id, Split.POOL)
    doubted = [item for item in _doubted(store, project_id) if item.sentence_id not in listed]
    listed |= {item.sentence_id for item in doubted}
    found += doubted
    found += [item for item in _inconsistent(labelled) if item.sentence_id not in listed]
    decided = store.decided(project_id)
    found += [ReviewItem(case.sentence.id, Reason.DECIDED, "") for case in decided]
    cases |= {case.sentence.id: case for case in decided}
    missing = [item.sentence_id for item in found if item.sentence_id not in cases]
    cases |= {case.sentence.id: case for case in store.cases(project_id, missing)}
    theirs = [item for item in found if may_decide(cases[item.sentence_id], reviewer_id, alone)]
    order = list(Reason)
    return ReviewQueue(
        items=tuple(sorted(theirs, key=lambda item: order.index(item.reason))),
        own=sum(item.reason is not Reason.DECIDED for item in found)
        - sum(item.reason is not Reason.DECIDED for item in theirs),
        sent_back=sum(_waits_for_author(case) for case in decided),
    )


def _of_people(case: Case) -> list[ReviewItem]:
    """Why people's own annotations ask for a decision; nothing where one stands and nothing new contradicts it."""
    if _waits_for_author(case) or _is_settled(case):
        return []
    flags = [annotation for annotation in case.annotations if annotation.status is Status.FLAGGED]
    if flags:
        said = "; ".join(
            f"{case.names[flag.annotator_id]}: {flag.comment}" if flag.comment else case.names[flag.annotator_id]
            for flag in flags
        )
        return [ReviewItem(case.sentence.id, Reason.FLAGGED, f"Flagged by {said}")]
    contents = {(annotation.status, annotation.spans) for annotation in case.annotations}
    if len(contents) < 2:
        return []
    people = ", ".join(case.names[annotation.annotator_id] for annotation in case.annotations)
    return [ReviewItem(case.sentence.id, Reason.DISAGREEMENT, f"{people} do not agree")]


def _waits_for_author(case: Case) -> bool:
    """Whether the sentence was sent back and not annotated anew."""
    decision = case.decision
    return decision is not None and decision.status is None and case.seen_annotation <= decision.annotation_seq


def _is_settled(case: Case) -> bool:
    """Whether a decision stands, and what was annotated since says the same."""
    if case.gold is None or case.gold.rule is not GoldRule.DECISION or case.decision is None:
        return False
    newer = [annotation for annotation in case.annotations if annotation.seq > case.decision.annotation_seq]
    return all((annotation.status, annotation.spans) == (case.gold.status, case.gold.spans) for annotation in newer)


def _doubted(store: Store, project_id: int) -> list[ReviewItem]:
    """What taggers doubted that had not seen it, the worst first, unless it was changed or confirmed since."""
    return [
        ReviewItem(doubt.sentence_id, Reason.SUSPECTED, _why_doubted(doubt), doubt)
        for doubt in store.label_doubts(project_id)
    ]


def _why_doubted(doubt: Doubt) -> str:
    return f"A tagger trained without this sentence gives the label of one word a chance of {doubt.quality:.0%}"


def _inconsistent(labelled: Sequence[LabelledSentence]) -> Iterable[ReviewItem]:
    """Sentences with words that are labelled otherwise elsewhere, unless somebody decided about them."""
    sentences = [item.sentence.tokens for item in labelled]
    spans: list[Sequence[Span]] = [item.gold.spans for item in labelled]
    why: dict[int, str] = {}
    for place in inconsistencies(sentences, spans):
        item = labelled[place.sentence]
        if item.gold.rule is not GoldRule.DECISION:
            why.setdefault(item.sentence.id, place.why)
    return [ReviewItem(sentence_id, Reason.INCONSISTENT, said) for sentence_id, said in why.items()]
