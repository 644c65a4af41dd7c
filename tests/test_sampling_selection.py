"""From a strategy to the order of the queue, and the reason in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling_helpers import TAGS, make_pool

from annotation.sampling import QUERY_STRATEGIES, Pool, mnlp, random, select, top, why

# The order of the queue.


def test_a_tenth_is_drawn_by_chance_and_spread_over_the_order() -> None:
    picks = select(make_pool(500), 100, QUERY_STRATEGIES["mnlp"], 0.1, np.random.default_rng(3))
    assert len({pick.index for pick in picks}) == 100
    by_tens = [sum(pick.by_chance for pick in picks[start : start + 10]) for start in range(0, 100, 10)]
    assert by_tens == [1] * 10
    assert {pick.propensity for pick in picks if pick.by_chance} == {10 / 500}
    assert {pick.propensity for pick in picks if not pick.by_chance} == {1.0}


def test_the_ranked_picks_keep_the_order_of_the_scores() -> None:
    pool = make_pool(200)
    ranked = [pick.index for pick in select(pool, 50, top(mnlp), 0.1, np.random.default_rng(0)) if not pick.by_chance]
    scores = mnlp(pool)[ranked]
    assert (np.diff(scores) <= 0).all()


def test_the_random_strategy_fills_the_whole_queue_by_chance_with_its_propensity() -> None:
    picks = select(Pool(np.ones(40, np.intp)), 10, random, 0.1, np.random.default_rng(0))
    assert all(pick.by_chance and pick.propensity == 0.25 for pick in picks)


@given(size=st.integers(0, 30), n=st.integers(0, 40), share=st.floats(0, 1), seed=st.integers(0, 5))
def test_a_selection_has_no_sentence_twice_and_takes_what_is_left(size: int, n: int, share: float, seed: int) -> None:
    picks = select(make_pool(size), n, top(mnlp), share, np.random.default_rng(seed))
    assert len(picks) == min(n, size) == len({pick.index for pick in picks})


# The reason in words.


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ([0.0, 0.0, 0.46, 0.51, 0.03], "unsure between ORG and PER at «Nairobi»: 51 % / 46 %"),
        ([0.3, 0.6, 0.1, 0.0, 0.0], "unsure between PER and no entity at «Nairobi»: 60 % / 30 %"),
        ([0.0, 0.4, 0.6, 0.0, 0.0], "unsure whether PER begins or goes on at «Nairobi»: 60 % / 40 %"),
    ],
)
def test_the_reason_names_the_most_doubtful_word_and_its_two_best_labels(word: list[float], reason: str) -> None:
    probs = np.array([[0.9, 0.1, 0.0, 0.0, 0.0], word])
    assert why(probs, TAGS, ["Leo", "Nairobi"]) == reason
