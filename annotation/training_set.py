"""What a round learns from, and whether that is enough to let the tagger choose."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maner_core.spans import OUTSIDE, Span
from storage import LabelledSentence, Split, Store

GATE_LABELS = 50
"""Training labels from which on the tagger's doubts are worth more than chance ..."""
GATE_ENTITIES = 20
"""... and entities in them."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The gold of the pool when a round begins; the watermarks are the newest annotation and decision it has seen.

    Sentences saved with no entity belong to it; skipped and flagged ones and the reserve do not. Of sentences with
    the same words one belongs to it.
    """

    ids: list[int]
    sentences: list[tuple[str, ...]]
    spans: list[tuple[Span, ...]]
    watermark: int
    decision_watermark: int

    @property
    def n_entities(self) -> int:
        """Gold spans in all sentences."""
        return sum(map(len, self.spans))

    @property
    def opens_gate(self) -> bool:
        """Whether the tagger trained on it may choose the next sentences."""
        return len(self.ids) >= GATE_LABELS and self.n_entities >= GATE_ENTITIES


def training_set(store: Store, project_id: int) -> TrainingSet:
    """Everything people have labelled for training up to now; what comes later belongs to the next round."""
    watermark, decision_watermark = store.max_seq(project_id), store.max_decision(project_id)
    items = once(item for item in store.labelled(project_id, Split.POOL) if item.annotation.seq <= watermark)
    return TrainingSet(
        ids=[item.sentence.id for item in items],
        sentences=[item.sentence.tokens for item in items],
        spans=[item.gold.spans for item in items],
        watermark=watermark,
        decision_watermark=decision_watermark,
    )


def once(labelled: Iterable[LabelledSentence]) -> list[LabelledSentence]:
    """Of labelled sentences with the same words the one that the others repeat, else the first.

    A file that is imported twice would otherwise weigh twice. What is nearly alike stays: its names may be others.
    """
    items = list(labelled)
    kept: dict[tuple[str, ...], LabelledSentence] = {}
    for item in items:
        if item.sentence.tokens not in kept or item.sentence.duplicate_of is None:
            kept[item.sentence.tokens] = item
    counting = {item.sentence.id for item in kept.values()}
    return [item for item in items if item.sentence.id in counting]


def label_shares(sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Share of all words that carry each label, O among them: `[["Rais", "Ruto"]], [[Span(1, 2, "PER")]]` -> halves."""
    counts = Counter[str]()
    for its_spans in spans:
        for span in its_spans:
            counts[span.label] += span.end - span.start
    words = sum(map(len, sentences))
    counts[OUTSIDE] = words - counts.total()
    return {label: count / max(words, 1) for label, count in counts.items()}
