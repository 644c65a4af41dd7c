"""Where a tagger goes wrong: kinds of error, confused labels, and F1 by what an entity is like. No torch here.

Every gold entity is set against at most one prediction that shares a word with it, and the other way round. What is left over
was missed, or is spurious; a pair differs in its boundary, its type (label), or both.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from maner_core.entity_forms import EntityForms
from maner_core.errors import InvalidInput
from maner_core.evaluation import f1_of_counts
from maner_core.spans import Span

CORRECT, BOUNDARY, TYPE, BOTH, MISSED, SPURIOUS = KINDS = ("correct", "boundary", "type", "both", "missed", "spurious")
"""What became of an entity; "both" has neither the right boundary nor the right type."""

NOTHING = ""
"""In place of a label where no entity is."""

SEEN, OTHERWISE, UNSEEN = "seen", "seen with another label", "unseen"

_ENTITY_WORDS = ((1, 1), (2, 2), (3, 3), (4, None))
_SENTENCE_WORDS = ((1, 10), (11, 20), (21, 30), (31, None))


@dataclass(frozen=True, slots=True)
class Pair:
    """A gold entity and what was predicted in its place; one of them is None where there is nothing to set against."""

    sentence: int
    """Its number, from 0."""
    gold: Span | None
    predicted: Span | None

    @property
    def kind(self) -> str:
        """One of KINDS."""
        gold, predicted = self.gold, self.predicted
        if gold is None or predicted is None:
            return MISSED if predicted is None else SPURIOUS
        same_place = (gold.start, gold.end) == (predicted.start, predicted.end)
        if gold.label == predicted.label:
            return CORRECT if same_place else BOUNDARY
        return TYPE if same_place else BOTH


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The entities of one group and what became of them.

    `n_gold` is the sum of `correct`, `boundary`, `type`, `both` and `missed`, which count gold entities of the group;
    `n_predicted` and `spurious` count predictions that are in the group themselves.
    """

    n_gold: int
    n_predicted: int
    correct: int
    boundary: int
    type: int
    both: int
    missed: int
    spurious: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Entities by group; the groups of one division hold every entity once."""

    sentences: int
    overall: GroupScore
    by_label: dict[str, GroupScore]
    by_training: dict[str, GroupScore] | None
    """SEEN, OTHERWISE and UNSEEN: did these words have this label in training, another one, or none? None: not known."""
    by_entity_words: dict[str, GroupScore]
    by_sentence_words: dict[str, GroupScore]
    confusion: dict[str, dict[str, int]]
    """Gold label -> predicted label -> number of pairs, boundaries aside; NOTHING stands for no entity."""
    errors: list[Pair]
    """All pairs but the correct ones, in the order of the sentences."""


def analyse(
    sentences: Sequence[Sequence[str]],
    gold: Sequence[Sequence[Span]],
    predicted: Sequence[Sequence[Span]],
    trained_on: EntityForms | None = None,
) -> Analysis:
    """Set predicted spans against gold ones, sentence by sentence. Raises InvalidInput where their numbers differ."""
    if not len(sentences) == len(gold) == len(predicted):
        raise InvalidInput(
            f"{len(sentences)} sentences came with gold spans for {len(gold)} and predictions for {len(predicted)}; each "
            "needs both"
        )
    pairs = [
        pair
        for i, (its_gold, its_predicted) in enumerate(zip(gold, predicted, strict=True))
        for pair in pair_off(i, its_gold, its_predicted)
    ]

    def training(sentence: int, span: Span) -> str:
        assert trained_on is not None
        labels = trained_on.labels(sentences[sentence][span.start : span.end])
        return SEEN if span.label in labels else OTHERWISE if labels else UNSEEN

    return Analysis(
        sentences=len(sentences),
        overall=_scores(pairs, lambda _, span: "all").get("all", _score(Counter(), 0, 0)),
        by_label=_scores(pairs, lambda _, span: span.label),
        by_training=None if trained_on is None else _scores(pairs, training, (SEEN, OTHERWISE, UNSEEN)),
        by_entity_words=_scores(
            pairs, lambda _, span: _range(_ENTITY_WORDS, span.end - span.start), _names(_ENTITY_WORDS)
        ),
        by_sentence_words=_scores(
            pairs, lambda i, _: _range(_SENTENCE_WORDS, len(sentences[i])), _names(_SENTENCE_WORDS)
        ),
        confusion=_confusion(pairs),
        errors=[pair for pair in pairs if pair.kind != CORRECT],
    )


def pair_off(sentence: int, gold: Sequence[Span], predicted: Sequence[Span]) -> list[Pair]:
    """Every entity of a sentence once, in order of position.

    Of all pairs that share a word, those come first whose boundaries are the same, then those of the same label, then those
    that share most words: `[LOC 0-2], [PER 0-1, LOC 1-3] -> [(LOC 0-2, LOC 1-3), (None, PER 0-1)]`, up to their order.
    """

    def closeness(item: tuple[Span, Span]) -> tuple[bool, bool, int, Span, Span]:
        g, p = item
        return (g.start, g.end) != (p.start, p.end), g.label != p.label, -_shared(g, p), g, p

    left_gold, left_predicted, pairs = set(gold), set(predicted), []
    for g, p in sorted([(g, p) for g in gold for p in predicted if _shared(g, p) > 0], key=closeness):
        if g in left_gold and p in left_predicted:
            left_gold.remove(g)
            left_predicted.remove(p)
            pairs.append(Pair(sentence, g, p))
    pairs += [Pair(sentence, g, None) for g in left_gold] + [Pair(sentence, None, p) for p in left_predicted]
    return sorted(pairs, key=lambda pair: pair.gold or pair.predicted or Span(0, 0, NOTHING))


def _shared(one: Span, other: Span) -> int:
    """Words that both spans hold; 0 or less where they do not meet."""
    return min(one.end, other.end) - max(one.start, other.start)


def _scores(
    pairs: Sequence[Pair], group: Callable[[int, Span], str], order: Sequence[str] = ()
) -> dict[str, GroupScore]:
    """The groups that have an entity, in the given order, others by name; `group`: sentence and entity -> its group."""
    kinds: dict[str, Counter[str]] = {}
    n_gold, n_predicted = Counter[str](), Counter[str]()
    for pair in pairs:
        entity = pair.gold or pair.predicted
        assert entity is not None
        kinds.setdefault(group(pair.sentence, entity), Counter())[pair.kind] += 1
        if pair.gold is not None:
            n_gold[group(pair.sentence, pair.gold)] += 1
        if pair.predicted is not None:
            n_predicted[group(pair.sentence, pair.predicted)] += 1
    places = {name: place for place, name in enumerate(order)}
    names = sorted(n_gold | n_predicted, key=lambda name: (places.get(name, len(order)), name))
    return {name: _score(kinds.get(name, Counter()), n_gold[name], n_predicted[name]) for name in names}


def _score(kinds: Mapping[str, int], n_gold: int, n_predicted: int) -> GroupScore:
    correct = kinds[CORRECT]
    return GroupScore(
        n_gold=n_gold,
        n_predicted=n_predicted,
        **{kind: kinds[kind] for kind in KINDS},
        precision=correct / n_predicted if n_predicted else 0.0,
        recall=correct / n_gold if n_gold else 0.0,
        f1=f1_of_counts(correct, n_predicted, n_gold),
    )


def _confusion(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    found = Counter(
        (pair.gold.label if pair.gold else NOTHING, pair.predicted.label if pair.predicted else NOTHING)
        for pair in pairs
    )
    rows: dict[str, dict[str, int]] = {}
    for (gold, predicted), n in sorted(found.items()):
        rows.setdefault(gold, {})[predicted] = n
    return rows


Ranges = Sequence[tuple[int, int | None]]


def _range(ranges: Ranges, n: int) -> str:
    """The name of the range that n is in: `5 -> "4 or more"`."""
    return next(name for name, (_, last) in zip(_names(ranges), ranges, strict=True) if last is None or n <= last)


def _names(ranges: Ranges) -> list[str]:
    return [
        f"{first} or more" if last is None else str(first) if first == last else f"{first}-{last}"
        for first, last in ranges
    ]
