"""The contract of every query strategy and acquisition function, whatever its formula."""

import ast
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling_helpers import TAGS, make_pool, pool_like, pool_of, reordered, whole

import annotation.sampling
from annotation.sampling import (
    ACQUISITION_FUNCTIONS,
    NEEDS_STATES,
    QUERY_STRATEGIES,
    AcquisitionFunction,
    Pool,
    acquisition_function,
    mnlp,
    query_strategy,
    random,
    top,
)
from maner_core.errors import InvalidConfig, InvalidInput, UnknownName

OF_ONE_SENTENCE = sorted(set(ACQUISITION_FUNCTIONS) - {"density"})
"""Scores that are made of the sentence alone; density compares it with the others by definition."""


@pytest.fixture(params=sorted(QUERY_STRATEGIES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(ACQUISITION_FUNCTIONS))
def acquisition(request: pytest.FixtureRequest) -> AcquisitionFunction:
    return ACQUISITION_FUNCTIONS[str(request.param)]


# Strategies.


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(0, 25),
    n=st.integers(0, 30),
    seed=st.integers(0, 9),
    with_states=st.one_of(st.none(), st.integers(0, 25)),
    which=st.sampled_from(sorted(QUERY_STRATEGIES)),
)
def test_a_strategy_takes_min_of_n_and_pool_distinct_sentences(
    size: int, n: int, seed: int, with_states: int | None, which: str
) -> None:
    chosen = QUERY_STRATEGIES[which](make_pool(size, with_states=with_states), n, np.random.default_rng(seed))
    assert len(chosen) == min(n, size) == len(set(chosen.tolist()))
    assert all(0 <= index < size for index in chosen)


def test_the_same_seed_gives_the_same_answer_and_another_one_another(name: str) -> None:
    pool = pool_like([0.6, 0.7], 50)  # nothing tells them apart: only the seed decides
    first, again, other = (QUERY_STRATEGIES[name](pool, 20, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_an_empty_pool_gives_an_empty_answer(name: str) -> None:
    assert QUERY_STRATEGIES[name](make_pool(0), 5, np.random.default_rng(0)).tolist() == []


def test_no_strategy_touches_the_global_generator_or_the_pool(name: str) -> None:
    pool = make_pool(30)
    arrays = [array for array in (pool.lengths, pool.word_probs, pool.embeddings) if array is not None]
    copies = [array.copy() for array in arrays]
    before = np.random.get_state(legacy=False)
    QUERY_STRATEGIES[name](pool, 10, np.random.default_rng(0))
    after = np.random.get_state(legacy=False)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert np.array_equal(before["state"]["key"], after["state"]["key"])
    assert before["state"]["pos"] == after["state"]["pos"]
    assert all(np.array_equal(array, copy) for array, copy in zip(arrays, copies, strict=True))


def test_a_strategy_that_needs_a_tagger_says_so_before_there_is_one(name: str) -> None:
    pool = Pool(np.array([3, 2]))
    if name == "random":
        assert sorted(random(pool, 2, np.random.default_rng(0)).tolist()) == [0, 1]
    else:
        with pytest.raises(InvalidInput, match=r"'(random|mnlp)'"):
            QUERY_STRATEGIES[name](pool, 1, np.random.default_rng(0))


@pytest.mark.parametrize("which", sorted(NEEDS_STATES))
def test_a_strategy_that_reads_word_states_takes_those_that_have_them_first(which: str) -> None:
    chosen = QUERY_STRATEGIES[which](make_pool(30, with_states=6), 6, np.random.default_rng(0))
    assert set(chosen.tolist()) <= set(range(6))


def test_an_unknown_strategy_names_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"'mnpl'.*random.*mnlp"):
        query_strategy("mnpl")


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


# Scores.


def test_every_sentence_has_a_finite_score_that_is_not_below_0(acquisition: AcquisitionFunction) -> None:
    scores = acquisition(make_pool(40, with_states=10))
    assert scores.shape == (40,)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_probabilities_of_zero_give_finite_scores(acquisition: AcquisitionFunction) -> None:
    pool = whole(Pool.of([np.zeros((2, len(TAGS)), np.float32)], TAGS), np.random.default_rng(0))
    assert np.isfinite(acquisition(pool)).all()


def test_a_sentence_without_a_predicted_entity_has_a_score_like_any_other(acquisition: AcquisitionFunction) -> None:
    doubtful = Pool.of([np.tile([0.6, 0.4, 0.0, 0.0, 0.0], (3, 1))], TAGS)
    pool = replace(whole(doubtful, np.random.default_rng(0)), embeddings=np.ones((1, 3)))
    assert acquisition(pool)[0] > 0


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(20)), which=st.sampled_from(sorted(ACQUISITION_FUNCTIONS)))
def test_scores_do_not_depend_on_the_order_of_the_pool(order: Sequence[int], which: str) -> None:
    pool, acquisition = make_pool(20), ACQUISITION_FUNCTIONS[which]
    assert acquisition(reordered(pool, order)) == pytest.approx(acquisition(pool)[order], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("which", OF_ONE_SENTENCE)
def test_scores_do_not_depend_on_the_other_sentences_or_their_lengths(which: str) -> None:
    pool, acquisition = make_pool(20), ACQUISITION_FUNCTIONS[which]
    alone = [acquisition(reordered(pool, [i]))[0] for i in range(20)]
    assert alone == pytest.approx(acquisition(pool), rel=1e-9, abs=1e-12)


def test_scores_take_nothing_from_a_generator_but_the_seed_of_the_pool(acquisition: AcquisitionFunction) -> None:
    assert acquisition(make_pool(20)).tolist() == acquisition(make_pool(20)).tolist()


def test_a_pool_of_100_000_sentences_is_scored_in_flat_arrays() -> None:
    rng = np.random.default_rng(0)
    lengths = np.full(100_000, 5)
    probs = rng.dirichlet(np.ones(3), 500).astype(np.float32)
    pool = Pool(lengths, ("O", "B-PER", "I-PER"), np.tile(probs, (1000, 1)))
    chosen = QUERY_STRATEGIES["ent_mnlp"](pool, 100, rng)
    assert len(set(chosen.tolist())) == 100
    assert pool.surprisal.shape == (500_000,)


# The pool.


def test_a_pool_whose_probabilities_do_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(4, 5\) for 2 sentences of 3 words with 5 tags"):
        Pool(np.array([1, 2]), TAGS, np.zeros((4, 5)))


def test_a_pool_whose_rows_or_states_do_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one row for each of the 2 sentences"):
        Pool(np.array([1, 2]), embeddings=np.zeros((3, 4)))
    with pytest.raises(InvalidInput, match="word states"):
        replace(make_pool(3), lengths=np.array([1, 1, 1]), word_probs=None)


def test_the_words_of_some_sentences_are_found_in_the_flat_arrays() -> None:
    pool = Pool(np.array([2, 1, 3]))
    assert pool.words_of(np.array([2, 0])).tolist() == [3, 4, 5, 0, 1]
    assert pool.words_of(np.array([], dtype=np.intp)).tolist() == []


def test_sampling_sees_neither_torch_nor_sql() -> None:
    folder = Path(annotation.sampling.__file__).parent
    allowed = sys.stdlib_module_names | {"numpy", "scipy", "sklearn", "annotation", "maner_core"}
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                root = module.partition(".")[0]
                assert root in allowed, f"{file.name}: {module}"
                assert root != "annotation" or module.startswith("annotation.sampling"), f"{file.name}: {module}"


def test_a_strategy_may_be_asked_for_with_other_parameters() -> None:
    pool = make_pool(20)
    plain = acquisition_function("ent_mnlp:alpha=1,gamma=0,weighted=0")
    assert plain is not None
    np.testing.assert_allclose(plain(pool), ACQUISITION_FUNCTIONS["mnlp"](pool))
    assert len(query_strategy("ent_mnlp:gamma=0")(pool, 5, np.random.default_rng(0))) == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ent_mnlp:beta=1", "no parameter 'beta'; it has alpha, beta_w, gamma, weighted"),
        ("mnlp:alpha=1", "it has none"),
        ("kmeans:k=3", "no query strategy 'kmeans:k=3'"),
    ],
)
def test_a_parameter_that_a_strategy_lacks_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        query_strategy(name)


def test_a_parameter_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="alpha of 'ent_mnlp' is 'much'"):
        query_strategy("ent_mnlp:alpha=much")
