"""The simulation: equal terms, resumable, the same when run again, and its summary."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_helpers import gold_spans, sentence_tokens
from stub_tagger import STUB

from annotation.simulation import (
    AnnotatorNoise,
    GoldSet,
    Mean,
    Point,
    SimulationConfig,
    as_table,
    gold_sets,
    read_points,
    simulate,
    summarise,
    write_results,
)
from annotation.simulation.annotator import noisy
from annotation.tagging import Tools
from maner_core.errors import FormatError, InvalidConfig, InvalidInput, UnknownName
from maner_core.spans import Span, spans_to_tags

CONFIG = SimulationConfig(strategies=("random", "mnlp"), seeds=2, seed_size=50, batch=20, budget=90, stale=False)
NOISE = AnnotatorNoise(dropped=0.1, shifted=0.1, confused=0.1)
QUICK = replace(CONFIG, strategies=("random",), seeds=1, budget=50)


def write_conll(file: Path, sentences: Sequence[Sequence[str]]) -> Path:
    blocks = (zip(words, spans_to_tags(gold_spans(words), len(words)), strict=True) for words in sentences)
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in block) for block in blocks)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train = write_conll(tmp_path / "train.conll", sentence_tokens(300))
    return train, write_conll(tmp_path / "test.conll", sentence_tokens(60, seed=1))


class CountingTools:
    """The stub, counting trainings, and breaking off after some."""

    def __init__(self, break_after: int | None = None) -> None:
        self.trainings, self.break_after = 0, break_after

    @property
    def tools(self) -> Tools:
        return Tools(self._train, STUB.load)

    def _train(self, *arguments: Any) -> Any:
        if self.trainings == self.break_after:
            raise KeyboardInterrupt
        self.trainings += 1
        return STUB.train(*arguments)


def run(files: tuple[Path, Path], out: Path, config: SimulationConfig = CONFIG, tools: Tools = STUB) -> list[Mean]:
    return simulate([GoldSet("habari", *files)], out, config, tools=tools, show_progress=False)


def without_times(points: Sequence[Point]) -> list[Point]:
    return sorted(
        (replace(point, training_seconds=0.0, round_seconds=0.0) for point in points),
        key=lambda point: (point.strategy, point.seed, point.labels),
    )


def test_every_strategy_starts_a_seed_from_the_same_sentences(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out")
    points = read_points(tmp_path / "out" / "points.csv")
    first = {(point.strategy, point.seed): point for point in points if point.labels == 50}
    assert first["random", 0].chosen == first["mnlp", 0].chosen
    assert first["random", 0].f1 == first["mnlp", 0].f1
    assert first["random", 0].chosen != first["random", 1].chosen
    later = {(point.strategy, point.seed): point.chosen for point in points if point.labels == 70}
    assert later["random", 0] != later["mnlp", 0]


def test_every_repetition_has_a_point_at_each_size(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out")
    points = read_points(tmp_path / "out" / "points.csv")
    expected = [(strategy, seed, n) for strategy in ("mnlp", "random") for seed in (0, 1) for n in (50, 70, 90)]
    assert [(point.strategy, point.seed, point.labels) for point in without_times(points)] == expected
    assert all(point.words >= 5 * point.labels and point.entities > 0 for point in points)


def test_ten_rounds_are_the_same_when_run_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    config = SimulationConfig(strategies=("mnlp",), seeds=1, seed_size=50, batch=10, budget=140, noise=NOISE)
    for name in ("first", "again"):
        run(files, tmp_path / name, config)
    first, again = (without_times(read_points(tmp_path / name / "points.csv")) for name in ("first", "again"))
    assert len(first) == 10
    assert first == again


def test_a_budget_may_be_the_whole_pool(tmp_path: Path) -> None:
    pool, test = write_conll(tmp_path / "train.conll", sentence_tokens(100)), sentence_tokens(20, seed=1)
    files = (pool, write_conll(tmp_path / "test.conll", test))
    run(files, tmp_path / "out", replace(CONFIG, seeds=1, batch=25, budget=100))
    points = without_times(read_points(tmp_path / "out" / "points.csv"))
    assert [(point.strategy, point.labels) for point in points if point.labels == 100] == [
        ("mnlp", 100),
        ("random", 100),
    ]


def test_finished_repetitions_are_not_run_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    means, second = run(files, tmp_path / "out"), CountingTools()
    assert run(files, tmp_path / "out", tools=second.tools) == means
    assert second.trainings == 0


def test_more_seeds_add_to_what_is_there(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out")
    third = CountingTools()
    means = run(files, tmp_path / "out", replace(CONFIG, seeds=3), tools=third.tools)
    assert third.trainings == 2 * 3 - 1  # the first one is that of both strategies
    assert {mean.seeds for mean in means} == {3}


def test_what_strategies_train_alike_is_trained_once_and_comes_out_the_same(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    config, together = replace(CONFIG, seeds=1, stale=True), CountingTools()
    run(files, tmp_path / "together", config, together.tools)
    assert together.trainings == 2 + 1 + 1  # at 50, and at 70, labelled before the first ranking; at 90 each its own
    run(files, tmp_path / "apart", replace(config, strategies=("mnlp",)))
    both, alone = (read_points(tmp_path / name / "points.csv") for name in ("together", "apart"))
    assert without_times([point for point in both if point.strategy == "mnlp"]) == without_times(alone)


def test_a_repetition_that_was_broken_off_starts_again_and_ends_the_same(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = CountingTools(break_after=4)  # one repetition of three trainings, and a part of the next
    with pytest.raises(KeyboardInterrupt):
        run(files, tmp_path / "out", tools=broken.tools)
    assert len(read_points(tmp_path / "out" / "points.csv")) == 5
    rest = CountingTools()
    run(files, tmp_path / "out", tools=rest.tools)
    assert rest.trainings == 3 + 5
    run(files, tmp_path / "whole")
    whole, pieced = (read_points(tmp_path / name / "points.csv") for name in ("whole", "out"))
    assert without_times(whole) == without_times(pieced)


def test_a_row_half_written_counts_as_not_there(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    file = tmp_path / "out" / "points.csv"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole + "random,2,50,3", encoding="utf-8")
    assert len(read_points(file)) == 1
    run(files, tmp_path / "out", replace(QUICK, seeds=2))  # and does not spoil the row after it
    assert [point.seed for point in read_points(file)] == [0, 1]


def test_results_of_a_file_that_has_changed_are_not_continued(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    changed = tmp_path / files[0].name
    changed.write_bytes(files[0].read_bytes() + b"\nJuma B-PER\n")
    with pytest.raises(InvalidConfig, match="other files of 'habari', which have changed since"):
        run((changed, files[1]), tmp_path / "out", QUICK)


def test_results_under_other_settings_are_not_continued(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    with pytest.raises(InvalidConfig, match="batch 20, now it is 30"):
        run(files, tmp_path / "out", replace(QUICK, batch=30))


def test_the_summary_a_figure_and_its_page_are_written(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    write_results(tmp_path / "out")
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {
        "settings.json",
        *("points.csv", "summary.csv", "savings.csv", "matches.csv", "areas.csv"),
        *("curve.json", "curve.html", "curve.svg"),
    }
    assert "vega-lite" in (tmp_path / "out" / "curve.json").read_text(encoding="utf-8")


def test_limits_draw_a_smaller_pool_and_test_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    small = replace(CONFIG, seeds=1, budget=70, pool_limit=120, test_limit=20)
    run(files, tmp_path / "out", small)
    assert len(read_points(tmp_path / "out" / "points.csv")) == 4


def point(strategy: str, seed: int, labels: int, f1: float) -> Point:
    values = {item.name: 0 for item in fields(Point)}
    return Point(**{**values, "set": "swa", "strategy": strategy, "seed": seed, "labels": labels, "f1": f1})  # type: ignore[arg-type]


def test_the_summary_is_mean_and_sample_deviation_over_the_seeds() -> None:
    points = [point("mnlp", 0, 50, 0.4), point("mnlp", 1, 50, 0.6), point("random", 0, 50, 0.3)]
    mnlp, random = summarise(points)
    assert (mnlp.f1, mnlp.seeds) == (0.5, 2)
    assert mnlp.deviation == pytest.approx(0.1 * 2**0.5)
    assert random.deviation is None
    table = as_table([mnlp, random])
    assert "50.0 ± 14.1, 0 words" in table
    assert "30.0, 0 words" in table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"budget": 10}, "budget is 10, less than seed_size 50"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidConfig, match=message):
        replace(CONFIG, **change)  # type: ignore[arg-type]


def test_an_unknown_strategy_is_refused_before_anything_runs() -> None:
    with pytest.raises(UnknownName, match="'mnpl'"):
        SimulationConfig(strategies=("mnpl",))


def test_a_budget_beyond_the_pool_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="budget of 900"):
        run(files, tmp_path / "out", replace(CONFIG, budget=900))


def test_files_without_entities_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    plain = write_conll(tmp_path / "plain.conll", [["na", "ya"], ["wa", "kwa"]])
    with pytest.raises(InvalidInput, match="holds no labelled entity"):
        run((plain, files[1]), tmp_path / "out")


def test_a_file_with_a_bad_sentence_is_refused_before_anything_runs(files: tuple[Path, Path], tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.conll"
    spoilt.write_text(files[0].read_text(encoding="utf-8") + "\nAsha B-PER\nyuko\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"spoilt\.conll:\d+"):
        run((spoilt, files[1]), tmp_path / "out")


def test_the_sizes_end_at_the_budget() -> None:
    assert replace(CONFIG, batch=25).sizes == [50, 75, 90]
    assert replace(CONFIG, budget=50).sizes == [50]


def test_trainings_may_be_asked_for_at_any_numbers_of_labels() -> None:
    assert replace(CONFIG, at=(75, 100, 300)).sizes == [50, 75, 100, 300]


# As in life.


def test_while_a_tagger_is_trained_people_label_what_the_one_before_has_chosen(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    run(files, tmp_path / "stale", replace(CONFIG, seeds=1, budget=110, stale=True))
    run(files, tmp_path / "fresh", replace(CONFIG, seeds=1, budget=110))
    stale, fresh = (
        {(point.strategy, point.labels): point for point in read_points(tmp_path / name / "points.csv")}
        for name in ("stale", "fresh")
    )
    assert stale["mnlp", 50].chosen == fresh["mnlp", 50].chosen
    assert stale["mnlp", 70].chosen == stale["random", 70].chosen  # nothing was ranked yet when these were taken
    assert stale["mnlp", 90].chosen != stale["random", 90].chosen
    assert fresh["mnlp", 70].chosen != fresh["random", 70].chosen


def test_sentences_chosen_by_doubt_take_longer_in_the_model(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", replace(CONFIG, seeds=1))
    points = read_points(tmp_path / "out" / "points.csv")
    by_chance = [point for point in points if point.strategy == "random" or point.labels == 50]
    assert all(point.hard_minutes == point.minutes > 0 for point in by_chance)
    assert all(
        point.minutes < point.hard_minutes < point.minutes / 0.78
        for point in points
        if point.strategy == "mnlp" and point.labels > 50
    )


def test_several_sets_are_told_apart_and_named_by_file_or_folder(files: tuple[Path, Path], tmp_path: Path) -> None:
    both = [GoldSet("one", *files), GoldSet("two", *files)]
    means = simulate(both, tmp_path / "out", replace(CONFIG, seeds=1, budget=60), tools=STUB, show_progress=False)
    assert {mean.set for mean in means} == {"one", "two"}
    assert {saving.set for saving in write_results(tmp_path / "out")} == {"one", "two", "all sets"}
    assert (tmp_path / "out" / "savings.svg").exists()
    named = gold_sets(
        [Path("a/swa/train.txt"), Path("a/hin.conll")], [Path("a/swa/test.txt"), Path("a/hin-test.conll")]
    )
    assert [each.name for each in named] == ["swa", "hin"]
    with pytest.raises(InvalidInput, match="go by the name 'swa'"):
        gold_sets([Path("a/swa/train.txt"), Path("b/swa/train.txt")], [Path("x"), Path("y")])
    with pytest.raises(InvalidInput, match="1 training files and 2 test files"):
        gold_sets([Path("a")], [Path("b"), Path("c")])


# Errors of the annotator.

GOLD = (Span(0, 2, "PER"), Span(3, 4, "LOC"))


def shares(noise: AnnotatorNoise, hard: bool = False) -> tuple[float, float, float]:
    """How often, in many sentences, the second entity is dropped, shifted, given another label."""
    counts = [0, 0, 0]
    for seed in range(4000):
        given = noisy(GOLD, 6, ["PER", "LOC", "ORG"], noise, hard, np.random.default_rng(seed))
        second = [span for span in given if span.start >= 2]
        counts[0] += not second
        counts[1] += bool(second) and second[0].label == "LOC" and second[0] != GOLD[1]
        counts[2] += bool(second) and second[0].label != "LOC"
    return counts[0] / 4000, counts[1] / 4000, counts[2] / 4000


def test_errors_come_as_often_as_asked_and_twice_as_often_on_hard_sentences() -> None:
    noise = AnnotatorNoise(dropped=0.1, shifted=0.0, confused=0.05)
    assert shares(noise) == pytest.approx((0.1, 0, 0.05), abs=0.015)
    assert shares(noise, hard=True) == pytest.approx((0.2, 0, 0.1), abs=0.02)
    assert shares(AnnotatorNoise()) == (0, 0, 0)


def test_a_shifted_end_never_empties_an_entity_or_meets_another() -> None:
    noise = AnnotatorNoise(shifted=1.0)
    assert shares(noise)[1] > 0.5
    for seed in range(300):
        given = noisy(GOLD, 5, ["PER", "LOC"], noise, False, np.random.default_rng(seed))
        assert [span.label for span in given] == ["PER", "LOC"]
        assert 0 <= given[0].start < given[0].end <= given[1].start < given[1].end <= 5


def test_the_annotator_errs_in_the_labels_and_not_in_the_test_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "sure", replace(CONFIG, seeds=1))
    run(files, tmp_path / "errs", replace(CONFIG, seeds=1, noise=AnnotatorNoise(dropped=0.4)))
    sure, errs = (read_points(tmp_path / name / "points.csv") for name in ("sure", "errs"))
    assert all(one.entities > 1.3 * other.entities for one, other in zip(sure, errs, strict=True))
    assert np.mean([point.f1 for point in errs]) < np.mean([point.f1 for point in sure])
