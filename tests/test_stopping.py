"""When to stop: the power law and its forecast by hand and beside scipy, taggers that settle, the words for a lead."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loop_helpers import label, label_reserve, make_project, open_store, run_stub_round
from scipy.optimize import curve_fit
from streamlit.testing.v1 import AppTest

from annotation import stability as stability_module
from annotation.learning_curve import EXPONENTS, FEWEST_SIZES, Forecast, fit, forecast
from annotation.run_history import same_recipe
from annotation.stability import Agreement, Noise, Stability, agreement, fixed_set, stability
from annotation.stopping import advice, change
from maner_core.spans import Span
from storage import Store

SIZES = [50, 75, 100, 150, 200, 300]
PER, LOC = Span(0, 1, "PER"), Span(2, 3, "LOC")


def counts(*found: int, of: int = 10, sentences: int = 40) -> list[np.ndarray]:
    """Of each run: as many sentences as `sentences`, with `of` names in all of the first, `found` of them found."""
    return [np.array([[n, of, of]] * sentences) for n in found]


def test_a_curve_that_is_a_power_law_is_found_again() -> None:
    c = EXPONENTS[30]
    law = fit(SIZES, [[0.8 - 2.0 * n**-c for n in SIZES], [0.6 - 0.5 * n**-c for n in SIZES]])
    assert law.c.tolist() == [c, c]
    assert law.a == pytest.approx([0.8, 0.6])
    assert law.b == pytest.approx([2.0, 0.5])
    assert law(400) == pytest.approx([0.8 - 2.0 * 400**-c, 0.6 - 0.5 * 400**-c])


def test_two_points_and_a_known_exponent_by_hand() -> None:
    """With c = 1 the law is a line in 1/n: through (1, 0.2) and (2, 0.5) goes 0.8 - 0.6 / n; a third point lies on it."""
    law = fit([1, 2, 4], [[0.2, 0.5, 0.65]])
    assert law(4)[0] == pytest.approx(0.65, abs=0.002)
    assert law.c[0] == pytest.approx(1, abs=0.05)
    assert law.a[0] == pytest.approx(0.8, abs=0.02)


def test_the_fit_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    heights = 0.85 - 3.0 * np.array(SIZES, dtype=float) ** -0.7 + rng.normal(0, 0.01, len(SIZES))
    law = fit(SIZES, heights)
    (a, b, c), _ = curve_fit(
        lambda n, a, b, c: a - b * n**-c,
        np.array(SIZES, dtype=float),
        heights,
        p0=(0.9, 1.0, 0.5),
        sigma=1 / np.sqrt(SIZES),  # a point weighs as much as it has labels
        bounds=([0, 0, 0.05], [1, np.inf, 2]),
    )
    for n in (50, 300, 350, 500):
        assert law(n)[0] == pytest.approx(a - b * n**-c, abs=0.001)


def test_no_curve_rises_above_1_or_falls() -> None:
    law = fit(SIZES, [[n / 310 for n in SIZES], [0.9 - n / 1000 for n in SIZES]])
    assert law.a[0] == 1.0
    assert law.b[1] == 0.0
    assert law(10_000)[0] <= 1.0
    assert law(10_000)[1] == law(50)[1]


def test_a_curve_without_noise_is_carried_on_without_an_interval() -> None:
    runs = counts(3, 5, 6, 7)
    (near, far) = forecast([50, 100, 200, 400], runs, (50, 200))
    law = fit([50, 100, 200, 400], [[0.3, 0.5, 0.6, 0.7]])
    assert near.gain == pytest.approx(float((law(450) - law(400))[0]))
    assert 0 < near.gain < far.gain
    assert near.low <= near.gain <= near.high
    flat = forecast([50, 100, 200, 400], counts(6, 6, 6, 6), (50,))
    assert (flat[0].gain, flat[0].low, flat[0].high) == pytest.approx((0, 0, 0))


def test_few_evaluation_sentences_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    few = [np.stack([rng.binomial(2, p, 30), np.full(30, 2), np.full(30, 2)], axis=1) for p in (0.3, 0.5, 0.6, 0.65)]
    many = [np.tile(run, (20, 1)) for run in few]  # the same F1 on twenty times as many
    ((narrow,), (wide,)) = (forecast([50, 100, 200, 400], runs, (200,)) for runs in (many, few))
    assert narrow.gain == pytest.approx(wide.gain)
    assert narrow.high - narrow.low < wide.high - wide.low


def test_fewer_than_four_sizes_are_no_curve() -> None:
    assert forecast([50, 75, 100, 100], counts(3, 5, 6, 6), (50,)) == []
    assert f"from {FEWEST_SIZES} trainings on different numbers of labels" in advice([], 3, 40)


def test_few_evaluation_sentences_carry_no_forecast() -> None:
    few, enough = (counts(3, 5, 6, 7, sentences=n) for n in (19, 20))
    assert forecast([50, 100, 200, 400], few, (50,)) == []
    assert len(forecast([50, 100, 200, 400], enough, (50,))) == 1
    assert advice([], 5, 19) == (
        "What more labels are worth can be told from 20 labelled evaluation sentences on; there are 19 so far."
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.015, 0.04, "It is worth labelling on"),
        (-0.01, 0.009, "More labels of this kind add little"),
        (-0.01, 0.04, "It cannot be told yet whether more labels add much"),
    ],
)
def test_the_advice_follows_the_interval_of_the_far_forecast(low: float, high: float, verdict: str) -> None:
    told = advice([Forecast(50, 0.004, -0.005, 0.012), Forecast(200, 0.02, low, high)], 5, 40)
    assert told.startswith(
        f"{verdict}: the next 50 are expected to add +0.4 F1 points (95 %: -0.5 to +1.2), the next 200"
    )


def test_agreement_counts_the_names_both_find_in_common_sentences() -> None:
    before = {1: (PER, LOC), 2: (PER,), 3: ()}
    after = {1: (PER,), 2: (LOC,), 4: (PER,)}
    assert agreement(before, after) == (2 * 1 / (3 + 2), 2)
    assert agreement({1: ()}, {1: ()}) == (1.0, 1)


def test_change_is_said_beside_the_chance_in_trainings() -> None:
    step, noise = Agreement(4, 5, 0.9, 800), Noise(3, 200, 0.85, 900)
    assert change(Stability(None, noise)) == ""
    assert change(Stability(step, None)).endswith("is not measured yet.")
    assert change(Stability(step, None), 100).endswith("is not measured yet (it is by itself, from 100 labels on).")
    assert change(Stability(step, noise)) == (
        "In 800 unlabelled sentences, runs 4 and 5 find the same names by 90 % (F1), two trainings on the same 200 "
        "labels by 85 %: the last labels changed no more than chance does."
    )
    assert change(Stability(Agreement(4, 5, 0.7, 800), noise)).endswith("the last labels still changed it.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_every_run_reads_the_fixed_sentences_whatever_it_queues(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stability_module, "FIXED_SENTENCES", 150)
    project = make_project(store, pool=500, strategy="random")
    label(store, project, 20)
    run = run_stub_round(store, project, tmp_path)
    fixed = fixed_set(project, [sentence.id for sentence in store.unlabelled_pool(project.id)])
    assert len(fixed) == 150
    assert fixed <= store.suggested_spans(run.id).keys()


def test_runs_on_the_same_labels_measure_chance_and_others_learning(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=200)
    label(store, project, 20)
    run_stub_round(store, project, tmp_path)
    assert stability(store, project, store.runs(project.id)) == Stability(None, None)
    again = run_stub_round(store, project, tmp_path)
    label(store, project, 60)
    third = run_stub_round(store, project, tmp_path)
    found = stability(store, project, store.runs(project.id))
    assert found.noise == Noise(again.id, 20, 1.0, 180)  # the stand-in learns the same from every seed
    assert found.step is not None
    assert (found.step.before, found.step.after, found.step.sentences) == (again.id, third.id, 120)
    assert found.step.f1 < 1


def test_only_runs_of_one_recipe_lie_on_one_curve(store: Store) -> None:
    project = make_project(store)
    asked = [{"system": "maner", "seed": 1}, {"system": "sner", "seed": 2}, {"system": "maner", "seed": 3}]
    runs = [
        store.start_run(project.id, n, {"preset": "default", "train": each}, n, 0, 50) for n, each in enumerate(asked)
    ]
    assert [run.id for run in same_recipe(runs)] == [runs[0].id, runs[2].id]


def test_the_dashboard_advises_and_can_measure_the_chance(page_store: Store, tmp_path: Path) -> None:
    project = make_project(page_store, pool=200)
    label_reserve(page_store, project, 30)
    for _ in range(FEWEST_SIZES):
        label(page_store, project, 15)
        run_stub_round(page_store, project, tmp_path)
    app = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not app.exception
    said = "\n".join(str(element.value) for element in app.markdown)
    assert "the next 50 are expected to add" in said
    assert "is not measured yet" in said
    app.button(key="noise").click().run()
    assert page_store.retrain_requested(project.id)
