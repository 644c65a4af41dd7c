"""From scores to the order of the queue, and the reason in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling_helpers import TAGS

from annotation.sampling import (
    CERTAIN_REASON,
    Ranking,
    SelectionRule,
    alike_by_cosine,
    by_power,
    centred,
    neighbours,
    select,
    subsample,
    why,
)
from maner_core.errors import InvalidConfig

STRICT = SelectionRule(power=None, alike=1.0)


def ranking(size: int, seed: int = 0) -> Ranking:
    return Ranking.by_score(np.arange(size), np.random.default_rng(seed).random(size), seed)


# Chance and ranks.


def test_a_tenth_is_drawn_by_chance_and_spread_over_the_order() -> None:
    picks = select(500, 100, ranking(500), SelectionRule(), 25, seed=3).picks
    assert len({pick.index for pick in picks}) == 100
    by_tens = [sum(pick.by_chance for pick in picks[start : start + 10]) for start in range(0, 100, 10)]
    assert by_tens == [1] * 10
    assert {pick.propensity for pick in picks if pick.by_chance} == {10 / 500}


def test_strictly_by_score_the_ranked_picks_keep_the_order_of_the_scores() -> None:
    scored = ranking(200)
    ranked = [pick for pick in select(200, 50, scored, STRICT, 25, seed=0).picks if not pick.by_chance]
    places = [scored.sentences.tolist().index(pick.index) for pick in ranked]
    assert places == sorted(places)
    assert places[0] == 0
    assert {pick.propensity for pick in ranked} == {1.0}


def test_without_a_ranking_the_whole_queue_is_drawn_by_chance_with_its_propensity() -> None:
    picks = select(40, 10, None, SelectionRule(), 25, seed=0).picks
    assert all(pick.by_chance and pick.propensity == 0.25 for pick in picks)


def test_where_the_sub_sample_is_too_small_chance_fills_the_queue_from_the_whole_pool() -> None:
    picks = select(100, 50, ranking(8), STRICT, 25, seed=0).picks
    assert sum(not pick.by_chance for pick in picks) <= 8
    assert len({pick.index for pick in picks}) == 50
    assert max(pick.index for pick in picks) > 8


@given(
    size=st.integers(0, 30),
    scored=st.integers(0, 30),
    n=st.integers(0, 40),
    share=st.floats(0, 1),
    power=st.none() | st.floats(0.1, 8),
    seed=st.integers(0, 5),
)
def test_a_selection_has_no_sentence_twice_and_takes_what_is_left(
    size: int, scored: int, n: int, share: float, power: float | None, seed: int
) -> None:
    rule = SelectionRule(random_share=share, power=power)
    rng = np.random.default_rng(seed)
    read = np.sort(rng.permutation(size)[:scored])
    too_alike = alike_by_cosine(read, rng.normal(size=(len(read), 2)), rule.alike)
    scores = Ranking.by_score(read, rng.random(len(read)), seed, too_alike)
    picks = select(size, n, scores, rule, 5, seed).picks
    assert len(picks) == min(n, size) == len({pick.index for pick in picks})


def test_a_sub_sample_is_drawn_anew_for_each_seed_and_covers_the_pool() -> None:
    assert subsample(10, 20, seed=0).tolist() == list(range(10))
    drawn = np.bincount(np.concatenate([subsample(50, 10, seed) for seed in range(500)]), minlength=50)
    assert len(subsample(50, 10, 1)) == 10
    expected = 500 * 10 / 50
    assert ((drawn - expected) ** 2 / expected).sum() < 90  # chi-square, 49 degrees of freedom, p < 0.001


def test_equal_scores_are_ordered_by_the_seed_and_not_by_the_file() -> None:
    orders = {tuple(Ranking.by_score(np.arange(6), np.ones(6), seed).sentences.tolist()) for seed in range(20)}
    assert len(orders) > 15


def test_what_is_barred_is_neither_ranked_nor_drawn_and_the_chance_is_of_the_rest() -> None:
    picks = select(20, 20, ranking(20), SelectionRule(random_share=0.5), 5, seed=1, barred={3, 7}).picks
    assert sorted(pick.index for pick in picks) == [index for index in range(20) if index not in (3, 7)]
    assert {pick.propensity for pick in picks if pick.by_chance} == {9 / 18}


# Power sampling.


def test_power_sampling_draws_first_in_proportion_to_the_score_to_that_power() -> None:
    scores = np.array([1.0, 2.0, 3.0])
    first = np.bincount([by_power(scores, 2.0, 1, seed)[0][0] for seed in range(3000)], minlength=3) / 3000
    np.testing.assert_allclose(first, np.array([1, 4, 9]) / 14, atol=0.03)


def test_weights_by_the_chance_of_power_sampling_give_unbiased_sums() -> None:
    scores, values = np.array([0.2, 0.5, 1.0, 1.5]), np.array([3.0, 1.0, 2.0, 5.0])
    sums = []
    for seed in range(4000):
        order, chances = by_power(scores, 2.0, 2, seed)
        chosen = order[:2]
        sums.append((values[chosen] / chances[chosen]).sum())
    assert np.mean(sums) == pytest.approx(values.sum(), rel=0.05)


def test_a_score_of_zero_comes_last_and_breaks_nothing() -> None:
    order, chances = by_power(np.array([0.0, 0.5]), 4.0, 1, seed=1)
    assert order.tolist() == [1, 0]
    assert np.isfinite(chances).all()


# Near neighbours.


def test_a_near_neighbour_of_a_chosen_sentence_is_passed_over_and_named() -> None:
    embeddings = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.5], [-1.0, -0.6]])
    too_alike = alike_by_cosine(np.arange(4), embeddings, 0.9)
    scored = Ranking.by_score(np.arange(4), np.array([4.0, 3.0, 2.0, 1.0]), 0, too_alike)
    selection = select(4, 3, scored, SelectionRule(random_share=0.0, power=None), 2, seed=0)
    assert [pick.index for pick in selection.picks] == [0, 2, 3]
    assert selection.left_out == {1: 0}


def test_where_nothing_else_is_left_near_neighbours_come_at_the_end() -> None:
    too_alike = alike_by_cosine(np.arange(3), np.array([[1.0, 0.0], [1.0, 0.1], [-2.0, 0.0]]), 0.9)
    scored = Ranking.by_score(np.arange(3), np.array([3.0, 2.0, 1.0]), 0, too_alike)
    picks = select(3, 3, scored, SelectionRule(random_share=0.0, power=None), 2, seed=0).picks
    assert [(pick.index, pick.propensity) for pick in picks] == [(0, 1.0), (2, 1.0), (1, None)]


def test_what_all_embeddings_share_does_not_make_them_alike() -> None:
    shared = np.array([100.0, 0.0, 0.0])
    away = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    np.testing.assert_allclose(centred(shared + away), away)
    assert alike_by_cosine(np.arange(4), shared + away, 0.9)(0, [1, 2, 3]) is None


def test_the_neighbours_of_other_sentences_are_found_with_the_nearest_of_them() -> None:
    embeddings = np.array([[5.0, 1.0], [-5.0, 1.0], [0.0, -2.0]])
    assert neighbours(embeddings, np.array([[0.0, -9.0], [9.0, 2.0]]), 0.9) == {0: 1, 2: 0}
    assert neighbours(embeddings, np.zeros((0, 2)), 0.9) == {}


def test_equal_embeddings_are_no_reason_to_leave_out_all_but_one() -> None:
    assert not centred(np.ones((3, 2))).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"random_share": 1.5}, "random_share is 1.5"),
        ({"subsample": 0}, "subsample is 0"),
        ({"power": -1.0}, "power is -1.0"),
    ],
)
def test_an_impossible_rule_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidConfig, match=message):
        SelectionRule(**change)  # type: ignore[arg-type]


# The reason in words.


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ([0.0, 0.0, 0.46, 0.51, 0.03], "unsure between ORG and PER at «Nairobi»: 51 % / 46 %"),
        ([0.3, 0.6, 0.1, 0.0, 0.0], "unsure between PER and no entity at «Nairobi»: 60 % / 30 %"),
        ([0.0, 0.4, 0.6, 0.0, 0.0], "unsure whether PER begins or goes on at «Nairobi»: 60 % / 40 %"),
        ([0.0, 0.0, 0.0, 0.14, 0.86], "unsure whether ORG begins or goes on at «Nairobi»: 86 % / 14 %"),
    ],
)
def test_the_reason_names_the_most_doubtful_word_and_its_two_best_labels(word: list[float], reason: str) -> None:
    probs = np.array([[0.9, 0.1, 0.0, 0.0, 0.0], word])
    assert why(probs, TAGS, ["Leo", "Nairobi"]) == reason


def test_no_doubt_is_claimed_where_there_is_none() -> None:
    assert why(np.array([[0.997, 0.003], [0.004, 0.996]]), ["O", "B-PER"], ["Leo", "Nairobi"]) == CERTAIN_REASON
    assert why(np.array([[0.997, 0.003], [0.01, 0.99]]), ["O", "B-PER"], ["Leo", "Nairobi"]).startswith("unsure")
