"""What suggestions change: time, and how far people follow them, against sentences from which they were withheld by chance.

Compared are only sentences for which a suggestion existed, and of those without one only those drawn by chance: the first
sentences of a project, labelled before there was a tagger, are other sentences labelled by people without practice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from annotation.sampling.cost import IDLE_SECONDS
from maner_core.evaluation import entity_counts, f1_of_counts
from maner_core.spans import Span
from storage import SuggestedWork

FEWEST_COMPARED = 20
"""Sentences on each side from which on the page says what suggestions change."""


DRAWS = 500
"""Times that the sentences of each side are drawn again, with replacement, for an interval (Efron's percentile)."""

Values = npt.NDArray[np.float64]
Statistic = Callable[[Values], float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Arm:
    """Sentences labelled with, or without, a suggestion on the screen; figures of nothing are None.

    `agreement` is the F1 (0 to 1) of the suggestion against what people saved, `unchanged` the share of sentences saved
    exactly as suggested. Times of 0 and above IDLE_SECONDS are left out of `seconds` and `seconds_per_word` (medians).
    """

    sentences: int
    seconds: float | None
    seconds_per_word: Estimate | None
    agreement: Estimate | None
    unchanged: Estimate | None


@dataclass(frozen=True, slots=True)
class SuggestionEffect:
    """Both sides, and the share (0 to 1) of what people labelled in the pool that was labelled without seeing a suggestion.

    `pace` is the seconds a word where it was shown over those where it was withheld; `agreement` and `unchanged` are the
    figures where it was shown less those where it was withheld. None where a side has none.
    """

    blind_share: float
    shown: Arm
    withheld: Arm
    pace: Estimate | None
    agreement: Estimate | None
    unchanged: Estimate | None


def suggestion_effect(
    work: Sequence[SuggestedWork], is_withheld: Callable[[int], bool], threshold: float
) -> SuggestionEffect:
    """Both sides of what people labelled; of a suggestion count the spans at least as sure as today's `threshold`.

    Withheld counts only what a run says whose suggestions somebody saw: while a lead shows none, or the model has not earned
    it, nobody works with them, and sentences of that time would stand on the one side alone. Sentences with known names
    alone, which no tagger had read, are on neither side. Names that were shown beside a tagger's
    suggestion are no part of it, so not of the agreement; but who saved both as they were changed nothing.
    """
    shown = [item for item in work if item.shown]
    seen = {item.run_id for item in shown}
    withheld = [
        item
        for item in work
        if not item.shown and item.suggestion is not None and item.run_id in seen and is_withheld(item.sentence_id)
    ]
    blind = sum(not item.shown and not item.names for item in work)
    both = _Measured.of(shown, threshold, seed=0), _Measured.of(withheld, threshold, seed=1)
    return SuggestionEffect(
        blind_share=blind / len(work) if work else 0.0,
        shown=both[0].arm(),
        withheld=both[1].arm(),
        pace=_compared(both[0].pace, both[1].pace, np.divide),
        agreement=_compared(both[0].agreement, both[1].agreement, np.subtract),
        unchanged=_compared(both[0].unchanged, both[1].unchanged, np.subtract),
    )


def in_words(effect: SuggestionEffect) -> str:
    """What it comes to, in a few sentences."""
    shown, withheld = effect.shown, effect.withheld
    if min(shown.sentences, withheld.sentences) < FEWEST_COMPARED:
        return (
            f"Too little to compare yet: {shown.sentences} sentences with a suggestion and {withheld.sentences} from which "
            f"it was withheld by chance; {FEWEST_COMPARED} of each are needed."
        )
    told = [
        "" if effect.pace is None else _pace_in_words(effect.pace),
        _difference(
            "What people save agrees with the suggestion by {:.0f} % (F1)",
            shown.agreement,
            withheld.agreement,
            effect.agreement,
        ),
        _difference("It is just what was suggested in {:.0f} %", shown.unchanged, withheld.unchanged, effect.unchanged),
    ]
    return " ".join(filter(None, told))


def _difference(said: str, shown: Estimate | None, withheld: Estimate | None, less: Estimate | None) -> str:
    if shown is None or withheld is None or less is None:
        return ""
    points = f"{100 * less.value:+.0f} points (95 %: {100 * less.low:+.0f} to {100 * less.high:+.0f})"
    return f"{said.format(100 * shown.value)} where they see it and {100 * withheld.value:.0f} % where they do not: {points}."


def _pace_in_words(pace: Estimate) -> str:
    times = f"{pace.value:.2f} times as long a word (95 %: {pace.low:.2f} to {pace.high:.2f})"
    if pace.low <= 1 <= pace.high:
        return f"It cannot be told yet whether suggestions save time: with them people take {times}."
    return f"Suggestions {'save' if pace.high < 1 else 'cost'} time: with them people take {times}."


@dataclass(frozen=True, slots=True)
class _Figure:
    """A statistic of sentences, and of the same sentences drawn again, (DRAWS,)."""

    value: float
    drawn: Values

    @classmethod
    def of(cls, rows: Values, statistic: Statistic, seed: int) -> "_Figure | None":
        """`rows` has one for each sentence; None without any."""
        if not len(rows):
            return None
        rng = np.random.default_rng(seed)
        drawn = [statistic(rows[rng.integers(0, len(rows), len(rows))]) for _ in range(DRAWS)]
        return cls(statistic(rows), np.array(drawn))

    def estimate(self) -> Estimate:
        """The figure with its interval."""
        low, high = np.quantile(self.drawn, [0.025, 0.975])
        return Estimate(self.value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class _Measured:
    """One side."""

    sentences: int
    seconds: float | None
    pace: _Figure | None
    agreement: _Figure | None
    unchanged: _Figure | None

    @classmethod
    def of(cls, work: Sequence[SuggestedWork], threshold: float, seed: int) -> "_Measured":
        timed = [item for item in work if 0 < item.seconds <= IDLE_SECONDS]
        suggested = [_spans(item, threshold) for item in work]
        counts = entity_counts([item.spans for item in work], suggested).astype(np.float64)
        names = [{Span(name.start, name.end, name.label) for name in item.names} for item in work]
        same = [set(item.spans) == {*its, *known} for item, its, known in zip(work, suggested, names, strict=True)]
        a_word = np.array([item.seconds / item.words for item in timed])
        return cls(
            sentences=len(work),
            seconds=median(item.seconds for item in timed) if timed else None,
            pace=_Figure.of(a_word, lambda rows: float(np.median(rows)), seed),
            agreement=_Figure.of(counts, lambda rows: f1_of_counts(*rows.sum(axis=0).tolist()), seed),
            unchanged=_Figure.of(np.array(same, dtype=np.float64), lambda rows: float(rows.mean()), seed),
        )

    def arm(self) -> Arm:
        """The same with intervals."""
        pace, agreement, unchanged = (
            None if figure is None else figure.estimate() for figure in (self.pace, self.agreement, self.unchanged)
        )
        return Arm(self.sentences, self.seconds, pace, agreement, unchanged)


def _compared(
    shown: _Figure | None, withheld: _Figure | None, how: Callable[[Values, Values], Values]
) -> Estimate | None:
    """One side's figure against the other's, whose sentences are drawn apart; None where a side has none."""
    if shown is None or withheld is None:
        return None
    here = how(np.array(shown.value), np.array(withheld.value))
    return _Figure(float(here), how(shown.drawn, withheld.drawn)).estimate()


def _spans(item: SuggestedWork, threshold: float) -> tuple[Span, ...]:
    sure = [span for span in item.suggestion or () if span.confidence >= threshold]
    return tuple(Span(span.start, span.end, span.label) for span in sure)
