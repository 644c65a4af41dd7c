"""Query strategies, acquisition functions and the order of the queue."""

import ast
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import annotation.sampling
from annotation.sampling import (
    ACQUISITION_FUNCTIONS,
    QUERY_STRATEGIES,
    Pool,
    least_confidence,
    mnlp,
    query_strategy,
    random,
    select,
    top,
    why,
)
from maner_core.errors import InvalidInput, UnknownName
from maner_core.spans import iob2_tags

TAGS = tuple(iob2_tags(["PER", "ORG"]))


def make_pool(n: int, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, n)
    probs = [rng.dirichlet(np.ones(len(TAGS)), length).astype(np.float32) for length in lengths]
    return Pool(lengths, TAGS, probs)


def pool_of(*best: list[float]) -> Pool:
    """Sentences given by the probability of each word's best tag."""
    probs = [np.array([[p, 1 - p, 0.0, 0.0, 0.0] for p in words]) for words in best]
    return Pool(np.array([len(words) for words in best]), TAGS, probs)


@pytest.fixture(params=sorted(QUERY_STRATEGIES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# The contract of every strategy.


@given(
    size=st.integers(0, 40),
    n=st.integers(0, 50),
    seed=st.integers(0, 9),
    which=st.sampled_from(sorted(QUERY_STRATEGIES)),
)
def test_a_strategy_takes_min_of_n_and_pool_distinct_sentences(size: int, n: int, seed: int, which: str) -> None:
    chosen = QUERY_STRATEGIES[which](make_pool(size), n, np.random.default_rng(seed))
    assert len(chosen) == min(n, size) == len(set(chosen.tolist()))
    assert all(0 <= index < size for index in chosen)


def test_the_same_seed_gives_the_same_answer(name: str) -> None:
    pool = pool_of(*[[0.6, 0.7]] * 50)  # all scores equal: only the seed decides
    first, again, other = (QUERY_STRATEGIES[name](pool, 20, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_an_empty_pool_gives_an_empty_answer(name: str) -> None:
    assert QUERY_STRATEGIES[name](Pool(np.zeros(0, np.intp), TAGS, []), 5, np.random.default_rng(0)).tolist() == []


def test_no_strategy_touches_the_global_generator(name: str) -> None:
    before = np.random.get_state(legacy=False)
    QUERY_STRATEGIES[name](make_pool(30), 10, np.random.default_rng(0))
    after = np.random.get_state(legacy=False)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert np.array_equal(before["state"]["key"], after["state"]["key"])
    assert before["state"]["pos"] == after["state"]["pos"]


def test_an_unknown_strategy_names_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"'mnpl'.*random.*mnlp"):
        query_strategy("mnpl")


def test_sampling_sees_neither_torch_nor_sql() -> None:
    folder = Path(annotation.sampling.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                root = module.partition(".")[0]
                assert root in sys.stdlib_module_names | {"numpy", "annotation", "maner_core"}, f"{file.name}: {module}"
                assert root != "annotation" or module.startswith("annotation.sampling"), f"{file.name}: {module}"


# The formulas.


def test_mnlp_is_the_mean_surprisal_of_the_best_tags() -> None:
    scores = mnlp(pool_of([0.5, 1.0], [0.5], [0.8, 0.8, 0.8]))
    assert scores == pytest.approx([np.log(2) / 2, np.log(2), np.log(1.25)])


def test_least_confidence_is_one_minus_the_product_of_the_best_tags() -> None:
    assert least_confidence(pool_of([0.5, 0.8], [1.0, 1.0])) == pytest.approx([0.6, 0.0])


@pytest.mark.parametrize("acquisition", ACQUISITION_FUNCTIONS.values(), ids=ACQUISITION_FUNCTIONS)
def test_a_probability_of_zero_is_clipped_and_scores_stay_finite(
    acquisition: annotation.sampling.AcquisitionFunction,
) -> None:
    pool = Pool(np.array([2]), TAGS, [np.zeros((2, len(TAGS)), dtype=np.float32)])
    assert np.isfinite(acquisition(pool)).all()


def test_mnlp_of_an_impossible_word_is_the_clipping_bound() -> None:
    assert mnlp(Pool(np.array([1]), TAGS, [np.zeros((1, len(TAGS)))])) == pytest.approx([-np.log(1e-12)])


@pytest.mark.parametrize("acquisition", ACQUISITION_FUNCTIONS.values(), ids=ACQUISITION_FUNCTIONS)
def test_every_sentence_has_a_score_also_one_without_a_predicted_entity(
    acquisition: annotation.sampling.AcquisitionFunction,
) -> None:
    sure_of_nothing = np.tile([1.0, 0.0, 0.0, 0.0, 0.0], (3, 1))
    pool = Pool(np.array([3, 1]), TAGS, [sure_of_nothing, np.full((1, len(TAGS)), 0.2)])
    scores = acquisition(pool)
    assert scores.shape == (2,)
    assert scores[0] == 0.0
    assert scores[1] > 0.0


@given(seed=st.integers(0, 99), which=st.sampled_from(sorted(ACQUISITION_FUNCTIONS)))
def test_scores_do_not_depend_on_the_order_of_the_pool(seed: int, which: str) -> None:
    pool = make_pool(20, seed)
    assert pool.tag_probs is not None
    order = np.random.default_rng(seed).permutation(20)
    shuffled = Pool(pool.lengths[order], TAGS, [pool.tag_probs[i] for i in order])
    acquisition = ACQUISITION_FUNCTIONS[which]
    assert acquisition(shuffled).tolist() == acquisition(pool)[order].tolist()


def test_top_takes_the_highest_scores_in_falling_order() -> None:
    pool = pool_of([0.9], [0.5], [0.7], [0.99])
    assert top(mnlp)(pool, 3, np.random.default_rng(0)).tolist() == [1, 2, 0]


def test_random_chooses_every_sentence_equally_often() -> None:
    # Chi-square over 2,000 draws of 5 from 20: 19 degrees of freedom, 99.9 % point 43.8. Seeded, so it cannot flicker.
    pool, rng = Pool(np.ones(20, np.intp)), np.random.default_rng(7)
    counts = Counter(index for _ in range(2000) for index in random(pool, 5, rng).tolist())
    expected = 2000 * 5 / 20
    assert sum((counts[i] - expected) ** 2 / expected for i in range(20)) < 43.8


def test_random_differs_from_the_order_of_the_file() -> None:
    chosen = random(Pool(np.ones(200, np.intp)), 50, np.random.default_rng(0)).tolist()
    assert chosen != sorted(chosen)
    assert max(chosen) > 100


def test_a_pool_whose_probabilities_do_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="do not fit 2 sentences with 5 tags"):
        Pool(np.array([1, 2]), TAGS, [np.zeros((1, 5)), np.zeros((3, 5))])


def test_a_strategy_that_needs_a_tagger_says_so_before_there_is_one() -> None:
    with pytest.raises(InvalidInput, match="'random'"):
        mnlp(Pool(np.array([3])))


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
