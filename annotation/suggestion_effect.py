"""What suggestions change: time, and how far people follow them, against sentences from which they were withheld by chance.

Compared are only sentences for which a suggestion existed, and of those without one only those drawn by chance: the first
sentences of a project, labelled before there was a tagger, are other sentences labelled by people without practice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from annotation.sampling.cost import IDLE_SECONDS
from maner_core.evaluation import entity_counts, f1_of_counts
from maner_core.spans import Span
from storage import SuggestedWork

FEWEST_COMPARED = 20
"""Sentences on each side from which on the page says what suggestions change."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Sentences labelled with, or without, a suggestion on the screen; medians of nothing are None.

    `agreement` is the F1 (0 to 1) of the suggestion against what people saved, `unchanged` the share of sentences saved
    exactly as suggested. Times of 0 and above IDLE_SECONDS are left out of `seconds` and `seconds_per_word`.
    """

    sentences: int
    seconds: float | None
    seconds_per_word: float | None
    agreement: float
    unchanged: float


@dataclass(frozen=True, slots=True)
class SuggestionEffect:
    """Both sides, and the share of all labelled sentences (0 to 1) that were labelled without seeing a suggestion."""

    blind_share: float
    shown: Arm
    withheld: Arm


def suggestion_effect(
    work: Sequence[SuggestedWork], is_withheld: Callable[[int], bool], threshold: float
) -> SuggestionEffect:
    """Both sides of what people labelled; of a suggestion count the spans at least as sure as today's `threshold`."""
    shown = [item for item in work if item.shown]
    withheld = [
        item for item in work if not item.shown and item.suggestion is not None and is_withheld(item.sentence_id)
    ]
    blind = sum(not item.shown for item in work)
    return SuggestionEffect(blind / len(work) if work else 0.0, _arm(shown, threshold), _arm(withheld, threshold))


def in_words(effect: SuggestionEffect) -> str:
    """What it comes to, in one or two sentences."""
    shown, withheld = effect.shown, effect.withheld
    if min(shown.sentences, withheld.sentences) < FEWEST_COMPARED:
        return (
            f"Too little to compare yet: {shown.sentences} sentences with a suggestion and {withheld.sentences} from which "
            f"it was withheld by chance; {FEWEST_COMPARED} of each are needed."
        )
    followed = 100 * (shown.agreement - withheld.agreement)
    agreement = (
        f"What people save agrees with the suggestion by {100 * shown.agreement:.0f} % (F1) where they see it and by "
        f"{100 * withheld.agreement:.0f} % where they do not: {followed:+.0f} points."
    )
    if not shown.seconds_per_word or not withheld.seconds_per_word:
        return agreement
    faster = 100 * (shown.seconds_per_word / withheld.seconds_per_word - 1)
    pace = f"{abs(faster):.0f} % {'less' if faster < 0 else 'more'} time a word"
    return f"With suggestions people take {pace}. {agreement}"


def _arm(work: Sequence[SuggestedWork], threshold: float) -> Arm:
    timed = [item for item in work if 0 < item.seconds <= IDLE_SECONDS]
    suggested = [_spans(item, threshold) for item in work]
    counts = entity_counts([item.spans for item in work], suggested).sum(axis=0).tolist()
    same = sum(set(item.spans) == set(spans) for item, spans in zip(work, suggested, strict=True))
    return Arm(
        sentences=len(work),
        seconds=median(item.seconds for item in timed) if timed else None,
        seconds_per_word=median(item.seconds / item.words for item in timed) if timed else None,
        agreement=f1_of_counts(*counts),
        unchanged=same / len(work) if work else 0.0,
    )


def _spans(item: SuggestedWork, threshold: float) -> tuple[Span, ...]:
    sure = [span for span in item.suggestion or () if span.confidence >= threshold]
    return tuple(Span(span.start, span.end, span.label) for span in sure)
