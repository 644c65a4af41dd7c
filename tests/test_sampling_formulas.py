"""The formulas of the acquisition functions and strategies, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling_helpers import TAGS, make_pool, pool_of

from annotation.sampling import (
    Cost,
    Head,
    Pool,
    WordStates,
    badge,
    bald,
    density,
    ent_mnlp,
    entropy_max,
    entropy_mean,
    entropy_sum,
    fluctuation,
    kmeans,
    least_confidence,
    margin,
    margin_min,
    mnlp,
    tag_count,
)
from maner_core.errors import InvalidConfig

LN2 = np.log(2)
FREE = Cost(1.0, 0.0, 0.0)


def test_mnlp_is_the_mean_surprisal_of_the_best_tags() -> None:
    scores = mnlp(pool_of([0.5, 1.0], [0.5], [0.8, 0.8, 0.8]))
    assert scores == pytest.approx([LN2 / 2, LN2, np.log(1.25)])


def test_mnlp_of_an_impossible_word_is_the_clipping_bound() -> None:
    assert mnlp(Pool.of([np.zeros((1, len(TAGS)))], TAGS)) == pytest.approx([-np.log(1e-12)])


def test_least_confidence_is_one_minus_the_product_of_the_best_tags() -> None:
    assert least_confidence(pool_of([0.5, 0.8], [1.0, 1.0])) == pytest.approx([0.6, 0.0])


def test_entropy_is_taken_as_mean_greatest_or_sum_over_the_words() -> None:
    pool = pool_of([0.5, 1.0], [0.5, 0.5, 0.5])
    assert entropy_mean(pool) == pytest.approx([LN2 / 2, LN2])
    assert entropy_max(pool) == pytest.approx([LN2, LN2])
    assert entropy_sum(pool) == pytest.approx([LN2, 3 * LN2])


def test_the_entropy_of_five_equal_tags_is_the_logarithm_of_five() -> None:
    assert entropy_mean(Pool.of([np.full((2, 5), 0.2)], TAGS)) == pytest.approx([np.log(5)])


def test_margin_is_how_close_the_second_tag_comes_on_average_or_at_its_closest() -> None:
    pool = pool_of([0.6, 1.0], [0.9])
    assert margin(pool) == pytest.approx([(0.8 + 0.0) / 2, 0.2])
    assert margin_min(pool) == pytest.approx([0.8, 0.2])


def test_tag_count_is_the_expected_number_of_words_in_entities() -> None:
    assert tag_count(pool_of([0.2, 0.9], [1.0], [0.5, 0.5, 0.5])) == pytest.approx([0.9, 0.0, 1.5])


# Entity-weighted MNLP.


@given(seed=st.integers(0, 50))
def test_ent_mnlp_without_weights_and_cost_over_length_is_mnlp(seed: int) -> None:
    pool = make_pool(15, seed)
    assert ent_mnlp(pool, alpha=1, weighted=False, gamma=0) == pytest.approx(mnlp(pool), rel=1e-12)


def test_ent_mnlp_with_alpha_0_is_the_sum_and_with_one_half_in_between() -> None:
    pool = pool_of([0.5] * 4)
    by_alpha = [ent_mnlp(pool, alpha=alpha, weighted=False, gamma=0)[0] for alpha in (0, 0.5, 1)]
    assert by_alpha == pytest.approx([4 * LN2, 4 * LN2 / 2, LN2])


def test_ent_mnlp_gives_words_of_rare_labels_more_weight() -> None:
    # w(O) = 1; w(PER) = (0.1 + 0.8) / (0.1 + 0.2) = 3; w(ORG), never seen, = 0.9 / 0.1 = 9.
    shares = {"O": 0.8, "PER": 0.2}
    probs = [np.array([[0.5, 0.5, 0, 0, 0]]), np.array([[0.5, 0, 0, 0, 0.5]])]
    pool = replace(Pool.of(probs, TAGS), label_shares=shares)
    # v = 0.5 * w + 0.5 * 1 and u = ln 2 for one word each.
    assert ent_mnlp(pool, gamma=0) == pytest.approx([2 * LN2, 5 * LN2])


def test_ent_mnlp_weighs_an_entity_by_its_probability_and_not_by_the_best_tag() -> None:
    pool = replace(Pool.of([np.array([[0.9, 0.1, 0, 0, 0]])], TAGS), label_shares={"O": 0.8, "PER": 0.2})
    assert ent_mnlp(pool, gamma=0) == pytest.approx([(0.1 * 3 + 0.9) * -np.log(0.9)])


def test_ent_mnlp_divides_by_the_seconds_a_person_needs() -> None:
    # 2 words, 0.5 + 0.5 expected entities: 1 + 2 * 1 + 1 * 6 = 9 seconds.
    pool = replace(pool_of([0.5, 0.5]), cost=Cost(1.0, 1.0, 6.0))
    by_gamma = [ent_mnlp(pool, alpha=1, weighted=False, gamma=gamma)[0] for gamma in (0, 0.5, 1)]
    assert by_gamma == pytest.approx([LN2, LN2 / 3, LN2 / 9])


def test_expected_entities_count_beginnings_only() -> None:
    pool = Pool.of([np.array([[0.1, 0.4, 0.2, 0.3, 0.0], [0.5, 0.0, 0.5, 0.0, 0.0]])], TAGS)
    assert TAGS == ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
    assert pool.expected_entities == pytest.approx([0.7])


# BALD.


def with_head(vectors: list[list[float]], weight: list[list[float]], dropout: float) -> Pool:
    """One sentence with these word states, two tags."""
    states = np.array(vectors)
    head = Head(np.array(weight), np.zeros(len(weight)), dropout)
    probs = np.full((len(states), 2), 0.5)
    return Pool(np.array([len(states)]), ("O", "B-PER"), probs, states=WordStates(np.array([0]), states), head=head)


def test_bald_without_dropout_raises() -> None:
    with pytest.raises(InvalidConfig, match=r"dropout before the head is 0.0.*train with a dropout above 0"):
        bald(with_head([[1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], 0.0))


def test_bald_is_0_where_the_masks_change_nothing() -> None:
    assert bald(with_head([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], 0.5)) == pytest.approx([0.0])


def test_bald_is_the_entropy_of_the_mean_less_the_mean_entropy() -> None:
    # One value, kept (doubled by the dropout) or dropped: the passes say (1, 0) or (0.5, 0.5) and nothing else.
    pool = with_head([[1000.0]], [[1.0], [0.0]], 0.5)
    kept = (np.random.default_rng(pool.seed).random((10, 1)) >= 0.5).mean()
    assert 0 < kept < 1
    outside = kept + (1 - kept) / 2
    of_mean = -outside * np.log(outside) - (1 - outside) * np.log(1 - outside)
    assert bald(pool) == pytest.approx([of_mean - (1 - kept) * LN2])


def test_bald_averages_over_the_words_and_gives_sentences_without_states_0() -> None:
    one = with_head([[1000.0]], [[1.0], [0.0]], 0.5)
    assert one.head is not None
    states = WordStates(np.array([1]), np.array([[1000.0], [0.0]]))
    pool = Pool(np.array([1, 2]), one.tags, np.full((3, 2), 0.5), states=states, head=one.head)
    assert bald(pool) == pytest.approx([0.0, bald(one)[0] / 2])


# Fluctuation and density.


def test_fluctuation_adds_the_deviation_over_the_last_three_rounds() -> None:
    now = -np.log(0.5)
    pool = replace(
        pool_of([0.5], [0.5], [0.5]), history=np.array([[9.0, now, now], [9.0, 0.1, 0.3], [9.0, np.nan, 0.3]])
    )
    expected = [now, now + np.std([0.1, 0.3, now]), now + np.std([0.3, now])]
    assert fluctuation(pool) == pytest.approx(expected)


def test_fluctuation_without_earlier_rounds_is_mnlp() -> None:
    pool = pool_of([0.5, 0.9], [0.7])
    assert fluctuation(pool).tolist() == mnlp(pool).tolist()
    never_read = replace(pool, history=np.full((2, 2), np.nan))
    assert fluctuation(never_read) == pytest.approx(mnlp(pool))


def test_density_multiplies_doubt_by_the_mean_cosine_to_the_pool() -> None:
    pool = replace(pool_of([0.5], [0.5], [0.5]), embeddings=np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    assert density(pool) == pytest.approx([LN2 * 2 / 3, LN2 * 2 / 3, LN2 / 3])


def test_density_of_a_sentence_unlike_all_others_is_not_below_0() -> None:
    pool = replace(pool_of([0.5], [0.5], [0.5]), embeddings=np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]))
    assert density(pool) == pytest.approx([LN2 / 3, LN2 / 3, 0.0])


# Diversity.


def test_kmeans_takes_the_middle_of_each_cluster_the_largest_first() -> None:
    left = [[0.0, 0.0], [0.2, 0.0], [-0.2, 0.0], [0.0, 0.2], [0.0, -0.2]]
    right = [[9.8, 0.0], [10.0, 0.0], [10.2, 0.0]]
    pool = replace(pool_of(*[[0.5]] * 8), embeddings=np.array(left + right))
    assert kmeans(pool, 2, np.random.default_rng(0)).tolist() == [0, 6]


def test_kmeans_lets_chance_fill_up_where_embeddings_are_equal() -> None:
    pool = replace(pool_of(*[[0.5]] * 6), embeddings=np.array([[0.0]] * 5 + [[1.0]]))
    chosen = kmeans(pool, 4, np.random.default_rng(0)).tolist()
    assert 5 in chosen[:2]
    assert len(set(chosen)) == 4


def badge_pool(best: list[float], states: list[list[float]]) -> Pool:
    """Sentences of one word."""
    pool = pool_of(*[[p] for p in best])
    return replace(pool, states=WordStates(np.arange(len(best)), np.array(states)))


def test_badge_begins_with_the_longest_gradient_and_then_takes_another_direction() -> None:
    # g = (p - 1[best]) x h: doubt makes it long, the state gives its direction; 0, 1 and 2 point the same way.
    pool = badge_pool([0.5, 0.5, 0.5, 0.5, 1.0], [[5.0, 0.0], [5.0, 0.0], [5.0, 0.0], [0.0, 4.0], [9.0, 9.0]])
    assert badge(pool, 2, np.random.default_rng(0)).tolist()[0] == 0
    seconds = {int(badge(pool, 2, np.random.default_rng(seed))[1]) for seed in range(20)}
    # The squared distances of 3 and of the certain sentence 4, whose gradient is 0, are alike; 1 and 2 have none.
    assert seconds == {3, 4}


def test_badge_goes_on_with_doubt_where_the_gradients_run_out() -> None:
    pool = pool_of([0.9], [0.6], [0.7], [0.8])
    pool = replace(pool, states=WordStates(np.array([0]), np.array([[1.0, 0.0]])))
    assert badge(pool, 3, np.random.default_rng(0)).tolist() == [0, 1, 2]


def test_badge_sums_the_gradient_over_the_words() -> None:
    # Two words whose gradients cancel out say nothing; one word alone does.
    probs = [np.array([[0.5, 0.5, 0, 0, 0]] * 2), np.array([[0.5, 0.5, 0, 0, 0]])]
    pool = replace(Pool.of(probs, TAGS), states=WordStates(np.array([0, 1]), np.array([[1.0], [-1.0], [0.5]])))
    assert badge(pool, 1, np.random.default_rng(0)).tolist() == [1]
