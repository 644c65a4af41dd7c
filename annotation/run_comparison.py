"""Two runs side by side on the same evaluation sentences: by how much F1 differs, by label, and sentence by sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation.serving import Gold, Predictions
from maner_core.evaluation import FEWEST_SENTENCES, entity_counts, f1_of_counts, only_label, paired_difference
from maner_core.spans import Span


@dataclass(frozen=True, slots=True)
class Difference:
    """F1 (0 to 1) of two runs on the same sentences and the 95 % interval of the second less the first.

    The interval means something only where there are `enough` sentences.
    """

    before: float
    after: float
    low: float
    high: float
    n_gold: int
    n_sentences: int

    @property
    def change(self) -> float:
        """F1 gained from the first run to the second."""
        return self.after - self.before

    @property
    def enough(self) -> bool:
        """Whether there are FEWEST_SENTENCES."""
        return self.n_sentences >= FEWEST_SENTENCES

    @property
    def verdict(self) -> str:
        """better, worse, "not told apart" where the interval holds 0, or "too few to tell" without `enough` sentences."""
        if not self.enough:
            return "too few to tell"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not told apart"


@dataclass(frozen=True, slots=True)
class SentenceChange:
    """A sentence that two runs read differently; `gain` is how many mistakes fewer the second makes."""

    sentence_id: int
    gold: tuple[Span, ...]
    before: tuple[Span, ...]
    after: tuple[Span, ...]

    @property
    def gain(self) -> int:
        """Mistakes, that is names missed or wrongly found, of the first run less those of the second."""
        gold = set(self.gold)
        return len(gold ^ set(self.before)) - len(gold ^ set(self.after))


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The difference in all and by label, and the sentences read differently: most gained first."""

    n_sentences: int
    overall: Difference
    by_label: dict[str, Difference]
    changes: tuple[SentenceChange, ...]

    @property
    def better(self) -> tuple[SentenceChange, ...]:
        """Sentences in which the second run makes fewer mistakes, the greatest gain first."""
        return tuple(change for change in self.changes if change.gain > 0)

    @property
    def worse(self) -> tuple[SentenceChange, ...]:
        """Sentences in which it makes more, the greatest loss first."""
        return tuple(change for change in reversed(self.changes) if change.gain < 0)

    @property
    def as_good(self) -> tuple[SentenceChange, ...]:
        """Sentences read differently with as many mistakes."""
        return tuple(change for change in self.changes if change.gain == 0)


def compare_runs(gold: Gold, before: Predictions, after: Predictions) -> RunComparison:
    """Compare stored predictions on the gold sentences that both runs have read."""
    both = [(sentence_id, spans) for sentence_id, spans in gold if sentence_id in before and sentence_id in after]
    truth = [spans for _, spans in both]
    first, second = ([found[sentence_id] for sentence_id, _ in both] for found in (before, after))
    labels = sorted({span.label for spans in truth for span in spans})
    changes = [
        SentenceChange(sentence_id, spans, before[sentence_id], after[sentence_id])
        for sentence_id, spans in both
        if set(before[sentence_id]) != set(after[sentence_id])
    ]
    return RunComparison(
        n_sentences=len(both),
        overall=_difference(truth, first, second),
        by_label={
            label: _difference(*(only_label(spans, label) for spans in (truth, first, second))) for label in labels
        },
        changes=tuple(sorted(changes, key=lambda change: (-change.gain, change.sentence_id))),
    )


def in_words(before: int, after: int, comparison: RunComparison) -> str:
    """One sentence for people: `Run 4 is better than run 3: F1 81.0 against 75.0 …`."""
    if not comparison.n_sentences:
        return f"Run {after} and run {before} have no labelled evaluation sentence in common yet."
    told = {
        "better": f"Run {after} is better than run {before}",
        "worse": f"Run {after} is worse than run {before}",
        "not told apart": f"Run {after} and run {before} cannot be told apart",
        "too few to tell": f"There are too few evaluation sentences to tell run {after} and run {before} apart",
    }
    overall, n = comparison.overall, comparison.n_sentences
    sentences = f"{n} evaluation sentence{'' if n == 1 else 's'}"
    words = f"{told[overall.verdict]}: F1 {100 * overall.after:.1f} against {100 * overall.before:.1f} on {sentences}"
    if not overall.enough:
        return f"{words}, and {FEWEST_SENTENCES} are needed."
    words += f", a change of {100 * overall.change:+.1f} points (95 %: {100 * overall.low:+.1f} to {100 * overall.high:+.1f})."
    clear = [
        f"{verdict} at {', '.join(labels)}"
        for verdict in ("better", "worse")
        if (labels := [label for label, found in comparison.by_label.items() if found.verdict == verdict])
    ]
    return f"{words} It is {' and '.join(clear)}." if clear else words


def _difference(
    gold: Sequence[Sequence[Span]], before: Sequence[Sequence[Span]], after: Sequence[Sequence[Span]]
) -> Difference:
    first, second = entity_counts(gold, before), entity_counts(gold, after)
    f1_before, f1_after = (f1_of_counts(*counts.sum(axis=0).tolist()) for counts in (first, second))
    return Difference(
        f1_before, f1_after, *paired_difference(first, second), n_gold=sum(map(len, gold)), n_sentences=len(gold)
    )
