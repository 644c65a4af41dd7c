"""Label savings at equal F1: inversion of monotone curves, intervals, and what is not reached."""

import math
from dataclasses import fields

import numpy as np
import pytest
import vl_convert

from annotation.simulation import Point, areas, savings, savings_table
from annotation.simulation.figures import savings_panel
from annotation.simulation.savings import ALL_SETS, NOT_REACHED, Saving, in_words, reached_at

LABELS = (50, 100, 150, 200)


def curve(strategy: str, f1: tuple[float, ...], seed: int = 0, name: str = "swa", words: int = 10) -> list[Point]:
    """Points at LABELS; every sentence has so many words and costs half a minute."""
    zeros = {item.name: 0 for item in fields(Point)}
    return [
        Point(
            **{  # type: ignore[arg-type]
                **zeros,
                "set": name,
                "strategy": strategy,
                "seed": seed,
                "labels": labels,
                "words": words * labels,
                "entities": labels,
                "hard_minutes": labels / 2,
                "f1": height,
            }
        )
        for labels, height in zip(LABELS, f1, strict=True)
    ]


def at(found: list[Saving], level: float, axis: str = "labels", name: str = "swa") -> Saving:
    [saving] = [each for each in found if (each.set, each.level, each.axis) == (name, level, axis)]
    return saving


RANDOM = (0.2, 0.4, 0.6, 0.8)


def test_a_level_is_reached_between_two_points_of_the_curve() -> None:
    axis, f1 = np.array([50.0, 100.0, 150.0]), np.array([0.2, 0.4, 0.4])
    assert reached_at(axis, f1, 0.3) == 75
    assert reached_at(axis, f1, 0.4) == 100
    assert reached_at(axis, f1, 0.1) == 50
    assert reached_at(axis, f1, 0.5) == NOT_REACHED


def test_savings_by_hand() -> None:
    """Random reaches 0.72, 90 % of its 0.8, at 180 labels; the other strategy at 90, with twice the words."""
    found = savings(curve("random", RANDOM) + curve("mnlp", (0.4, 0.8, 0.8, 0.8), words=20), draws=20)
    saving = at(found, 0.90)
    assert (saving.target_f1, saving.random_at, saving.at) == pytest.approx((0.72, 180, 90))
    assert saving.saving == pytest.approx(0.5)
    assert (saving.low, saving.high) == pytest.approx((0.5, 0.5))  # one seed: nothing to draw from
    assert at(found, 0.90, "words").saving == pytest.approx(0)
    assert at(found, 0.98).random_at == pytest.approx(196)


def test_a_dip_is_averaged_away_before_the_curve_is_inverted() -> None:
    found = savings(curve("random", RANDOM) + curve("mnlp", (0.2, 0.9, 0.5, 0.8), words=10), draws=5)
    # Isotonic: 0.9 and 0.5 become 0.7 and 0.7, so that 0.72 lies a fifth of the way from 150 to 200.
    assert at(found, 0.90).at == pytest.approx(160)


def test_what_is_not_reached_says_so_and_is_worse_than_any_number() -> None:
    never = savings(curve("random", RANDOM) + curve("mnlp", (0.2, 0.3, 0.4, 0.5)), draws=20)
    saving = at(never, 0.95)
    assert (saving.at, saving.saving, saving.low, saving.high, saving.draws_reached) == (None, None, None, None, 0)
    assert "swa, mnlp, 95 % of random's F1 (76.0): not reached" in savings_table(never)
    half = [
        *curve("random", RANDOM, 0),
        *curve("random", RANDOM, 1),
        *curve("mnlp", (0.2, 0.5, 0.8, 0.9), 0),
        *curve("mnlp", (0.2, 0.3, 0.4, 0.5), 1),
    ]
    drawn = at(savings(half, draws=200), 0.90)
    assert drawn.low is None
    assert 0.2 < drawn.draws_reached < 0.8


def test_an_interval_that_holds_zero_is_no_reliable_saving() -> None:
    better, worse = (0.4, 0.6, 0.8, 0.9), (0.1, 0.3, 0.5, 0.8)
    points = [
        point
        for seed in range(4)
        for point in curve("random", RANDOM, seed) + curve("mnlp", better if seed % 2 else worse, seed)
    ]
    saving = at(savings(points), 0.90, "hard_minutes")
    assert saving.low is not None
    assert saving.high is not None
    assert saving.low < 0 < saving.high
    assert "no reliable saving: " in savings_table(savings(points))


@pytest.mark.parametrize(
    ("seeds", "names", "said", "bars"),
    [
        (1, ("swa",), "50 %, too few repetitions for an interval", 0),
        (2, ("swa", "yor"), "50 %, too few repetitions for an interval", 0),
        (3, ("swa",), "50 % (50 % to 50 %)", 3),
    ],
)
def test_with_one_or_two_repetitions_a_saving_has_no_interval(
    seeds: int, names: tuple[str, ...], said: str, bars: int
) -> None:
    points = [
        point
        for seed in range(seeds)
        for name in names
        for point in curve("random", RANDOM, seed, name) + curve("mnlp", (0.4, 0.8, 0.8, 0.8), seed, name)
    ]
    found = savings(points, draws=20)
    last = found[-1].set  # all sets together, where there are several
    assert in_words(at(found, 0.90, name=last)) == said
    spec = savings_panel([each for each in found if (each.set, each.axis) == (last, "labels")]).to_dict()
    drawn = vl_convert.vegalite_to_svg(spec)
    assert drawn.count('aria-roledescription="rule mark"') == bars
    assert drawn.count('aria-roledescription="point"') == 3


def test_seeds_are_drawn_in_pairs() -> None:
    """Both strategies swing from seed to seed by as much, and one is always ahead by the same."""
    points = []
    for seed, swing in enumerate((0.0, 0.05, 0.1)):
        points += curve("random", tuple(height + swing for height in RANDOM), seed)
        points += curve("mnlp", tuple(height + swing + 0.05 for height in RANDOM), seed)
    [area] = [each for each in areas(points) if each.strategy == "mnlp" and each.axis == "labels"]
    assert (area.gain, area.low, area.high) == pytest.approx((0.05, 0.05, 0.05))
    assert area.area == pytest.approx(0.5 + 0.05 + 0.05)


def test_a_curve_that_costs_more_is_lower_over_the_same_words() -> None:
    """Random has 0.4 to 0.8 from 1,000 to 2,000 words; the other, with twice the words, 0.2 to 0.4 there."""
    found = areas(curve("random", RANDOM) + curve("mnlp", RANDOM, words=20), draws=5)
    by_axis = {area.axis: area for area in found if area.strategy == "mnlp"}
    assert by_axis["labels"].gain == 0
    assert (by_axis["words"].area, by_axis["words"].gain) == pytest.approx((0.3, -0.3))


def test_curves_with_nothing_in_common_are_not_compared() -> None:
    found = areas(curve("random", RANDOM) + curve("mnlp", RANDOM, words=100), draws=5)
    [area] = [each for each in found if (each.strategy, each.axis) == ("mnlp", "words")]
    assert math.isnan(area.gain)


def test_all_sets_together_are_one_mean_curve_and_repetitions_that_lack_a_partner_are_left_out() -> None:
    points = curve("random", RANDOM) + curve("mnlp", RANDOM)
    points += curve("random", RANDOM, name="yor") + curve("mnlp", (0.4, 0.8, 0.8, 0.8), name="yor")
    points += curve("random", (0.0, 0.0, 0.0, 0.0), seed=1, name="yor")
    found = savings(points, draws=50)
    both = at(found, 0.90, name=ALL_SETS)
    # The mean of both curves is 0.3, 0.6, 0.7, 0.8: it reaches 0.72 at 160.
    assert (both.random_at, both.at) == pytest.approx((180, 160))
    assert at(found, 0.90, name="yor").saving == pytest.approx(0.5)


def test_without_random_order_there_is_nothing_to_save_against() -> None:
    assert not savings(curve("mnlp", RANDOM))
    assert not areas(curve("mnlp", RANDOM))
