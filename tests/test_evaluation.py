"""Entity F1 by hand and against seqeval; bootstrap intervals and the paired bootstrap."""

import numpy as np
import pytest
from encoders import spans_of
from hypothesis import given, settings
from hypothesis import strategies as st

from maner_core.errors import InvalidInput
from maner_core.evaluation import (
    Counts,
    LabelScore,
    bootstrap_f1,
    entity_counts,
    f1_of_counts,
    f1_report,
    paired_bootstrap,
    seqeval_f1,
)
from maner_core.spans import Span, repair_tags, tags_to_spans

GOLD = [
    spans_of((0, 2, "PER"), (3, 4, "LOC")),
    spans_of((1, 2, "LOC")),
    spans_of(),
    spans_of((0, 1, "PER"), (1, 3, "PER")),
]
PREDICTED = [
    spans_of((0, 2, "PER"), (3, 4, "PER")),  # one found, one with the wrong label
    spans_of((0, 2, "LOC")),  # one word too many
    spans_of((2, 3, "ORG")),  # nothing there
    spans_of((0, 1, "PER"), (1, 3, "PER")),  # both found
]


def test_an_entity_counts_only_with_start_end_and_label_right() -> None:
    assert entity_counts(GOLD, PREDICTED).tolist() == [[1, 2, 2], [0, 1, 1], [0, 1, 0], [2, 2, 2]]


def test_the_report_of_a_hand_counted_example() -> None:
    report = f1_report(GOLD, PREDICTED)
    assert (report.n_gold, report.n_predicted) == (5, 6)
    assert report.precision == pytest.approx(3 / 6)
    assert report.recall == pytest.approx(3 / 5)
    assert report.f1 == pytest.approx(6 / 11)
    assert report.per_label == {
        "LOC": LabelScore(precision=0.0, recall=0.0, f1=0.0, n_gold=2),
        "ORG": LabelScore(precision=0.0, recall=0.0, f1=0.0, n_gold=0),
        "PER": LabelScore(precision=3 / 4, recall=1.0, f1=6 / 7, n_gold=3),
    }


def test_nothing_to_find_and_nothing_found_is_an_f1_of_zero_as_in_seqeval() -> None:
    assert f1_of_counts(0, 0, 0) == 0.0
    assert f1_report([[], []], [[], []]).f1 == 0.0
    assert f1_report([], []).per_label == {}


def test_sentences_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(InvalidInput, match="4 gold sentences cannot be compared with 3 predicted ones"):
        f1_report(GOLD, PREDICTED[:3])
    with pytest.raises(InvalidInput, match="4 sentences cannot be paired with 3"):
        paired_bootstrap(entity_counts(GOLD, GOLD), entity_counts(GOLD[:3], GOLD[:3]))


TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
SENTENCE = st.integers(1, 8).flatmap(lambda n: st.tuples(*[st.lists(TAGS, min_size=n, max_size=n)] * 2))


@settings(deadline=None)
@given(st.lists(SENTENCE, min_size=1, max_size=6))
def test_f1_equals_that_of_seqeval_in_strict_iob2(sentences: list[tuple[list[str], list[str]]]) -> None:
    gold: list[list[Span]] = [tags_to_spans(repair_tags(tags)) for tags, _ in sentences]
    predicted = [tags_to_spans(repair_tags(tags)) for _, tags in sentences]
    if not any(gold) and not any(predicted):
        return  # seqeval divides by zero here; that F1 is 0 has its own test
    ours = f1_report(gold, predicted).f1
    assert ours == pytest.approx(seqeval_f1(gold, predicted, [len(tags) for tags, _ in sentences]))


def random_counts(n_sentences: int, chance: float, seed: int = 0) -> Counts:
    """Two gold and two predicted entities in each sentence, of which each is found with this chance."""
    found = np.random.default_rng(seed).binomial(2, chance, n_sentences)
    return np.stack([found, np.full(n_sentences, 2), np.full(n_sentences, 2)], axis=1).astype(np.int64)


def f1_of(counts: Counts) -> float:
    return f1_of_counts(*counts.sum(axis=0))


@settings(deadline=None)
@given(st.integers(2, 60), st.floats(0.0, 1.0), st.integers(0, 1000))
def test_the_interval_holds_the_point_estimate(n_sentences: int, chance: float, seed: int) -> None:
    counts = random_counts(n_sentences, chance, seed)
    low, high = bootstrap_f1(counts)
    assert 0.0 <= low <= f1_of(counts) <= high <= 1.0


def test_the_interval_narrows_by_half_with_four_times_the_sentences() -> None:
    few, many = (bootstrap_f1(random_counts(n, 0.7)) for n in (100, 400))
    assert (few[1] - few[0]) / (many[1] - many[0]) == pytest.approx(2.0, rel=0.25)


def test_the_interval_has_the_width_that_theory_gives() -> None:
    # With as many entities in each sentence, F1 is a mean over sentences, and the interval 1.96 standard errors each way.
    counts = random_counts(200, 0.7)
    low, high = bootstrap_f1(counts, draws=5000)
    assert high - low == pytest.approx(2 * 1.96 * np.std(counts[:, 0] / 2) / 200**0.5, rel=0.05)


def test_the_interval_of_a_perfect_tagger_is_a_point_and_of_no_sentence_zero() -> None:
    assert bootstrap_f1(random_counts(20, 1.0)) == (1.0, 1.0)
    assert bootstrap_f1(np.zeros((0, 3), np.int64)) == (0.0, 0.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    counts = random_counts(50, 0.5)
    assert bootstrap_f1(counts, draws=20, seed=7) == bootstrap_f1(counts, draws=20, seed=7)
    assert bootstrap_f1(counts, draws=20, seed=7) != bootstrap_f1(counts, draws=20, seed=8)


def test_a_tagger_is_never_worse_than_itself() -> None:
    assert paired_bootstrap(random_counts(40, 0.6), random_counts(40, 0.6)) == 1.0


def test_a_clearly_worse_tagger_is_recognised_and_a_clearly_better_one_is_not_accused() -> None:
    good, bad = random_counts(100, 0.8, seed=1), random_counts(100, 0.5, seed=2)
    assert paired_bootstrap(before=good, after=bad) < 0.05
    assert paired_bootstrap(before=bad, after=good) > 0.95


def test_a_slightly_worse_tagger_is_no_reason_to_act() -> None:
    before = random_counts(100, 0.7)
    after = before.copy()
    after[int(np.flatnonzero(after[:, 0])[0]), 0] -= 1  # one entity of some 140 lost
    assert 0.05 < paired_bootstrap(before, after) < 1.0


def test_three_sentences_read_worse_are_as_likely_as_three_coins() -> None:
    before = np.array([[1, 1, 1]] * 100)
    after = before.copy()
    after[:3, 0] = 0
    assert paired_bootstrap(before, after) == 1 / 8  # nearly every draw holds one of them


def test_no_sentences_are_no_evidence() -> None:
    nothing = np.zeros((0, 3), np.int64)
    assert paired_bootstrap(nothing, nothing) == 1.0
