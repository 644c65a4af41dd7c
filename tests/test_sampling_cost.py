"""What a sentence costs: fitted to the times of people, a guess without them."""

import numpy as np
import pytest

from annotation.sampling import FEWEST_TIMED, Cost, Timed


def timed(n: int, annotator: int = 1, pace: float = 1.0, seed: int = 0) -> list[Timed]:
    """People who need 3 seconds, 0.8 for a word and 2 for an entity, times their pace."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        words, entities = int(rng.integers(4, 20)), int(rng.integers(0, 4))
        made.append(Timed(annotator, words, entities, pace * (3 + 0.8 * words + 2 * entities)))
    return made


def test_the_fit_finds_what_made_the_times() -> None:
    cost = Cost.fitted(timed(60))
    assert (cost.sentence, cost.word, cost.entity) == pytest.approx((3, 0.8, 2))


def test_below_fifty_timed_sentences_it_stays_a_guess() -> None:
    assert Cost.fitted(timed(FEWEST_TIMED - 1)) == Cost()
    assert Cost.fitted(timed(FEWEST_TIMED)) != Cost()


def test_pauses_and_missing_times_are_left_out() -> None:
    disturbed = timed(60) + [Timed(1, 5, 0, 2000.0)] * 30 + [Timed(1, 5, 0, 0.0)] * 30
    assert Cost.fitted(disturbed).word == pytest.approx(0.8)


def test_a_slow_person_does_not_make_words_look_slow() -> None:
    both = timed(60, annotator=1) + timed(60, annotator=2, pace=2.0)
    cost = Cost.fitted(both)
    assert cost.word / cost.sentence == pytest.approx(0.8 / 3)
    assert cost.entity / cost.sentence == pytest.approx(2 / 3)


def test_no_part_of_a_cost_is_negative() -> None:
    faster_with_names = [Timed(1, 10, entities, 20.0 - 3 * entities) for entities in (0, 1, 2, 3)] * 20
    cost = Cost.fitted(faster_with_names)
    assert cost.entity == 0
    assert min(cost.sentence, cost.word) >= 0


def test_nobody_needs_no_time() -> None:
    assert Cost(0.0, 0.0, 1.0).seconds(np.array([5]), np.array([0.0])).tolist() == [0.5]
