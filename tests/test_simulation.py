"""The simulation: equal terms, resumable, the same when run again, and its summary."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import gold_spans, sentence_tokens
from stub_tagger import STUB

from annotation.simulation import Mean, Point, SimulationConfig, as_table, read_points, simulate, summarise
from annotation.tagging import Tools
from maner_core.errors import InvalidConfig, InvalidInput, UnknownName
from maner_core.spans import spans_to_tags

CONFIG = SimulationConfig(strategies=("random", "mnlp"), seeds=2, seed_size=50, batch=20, budget=90)
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
    return simulate(*files, out, config, tools=tools, show_progress=False)


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
    config = SimulationConfig(strategies=("mnlp",), seeds=1, seed_size=50, batch=10, budget=140)
    for name in ("first", "again"):
        run(files, tmp_path / name, config)
    first, again = (without_times(read_points(tmp_path / name / "points.csv")) for name in ("first", "again"))
    assert len(first) == 10
    assert first == again


def test_finished_repetitions_are_not_run_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    means, second = run(files, tmp_path / "out"), CountingTools()
    assert run(files, tmp_path / "out", tools=second.tools) == means
    assert second.trainings == 0


def test_more_seeds_add_to_what_is_there(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out")
    third = CountingTools()
    means = run(files, tmp_path / "out", replace(CONFIG, seeds=3), tools=third.tools)
    assert third.trainings == 2 * 3
    assert {mean.seeds for mean in means} == {3}


def test_a_repetition_that_was_broken_off_starts_again_and_ends_the_same(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = CountingTools(break_after=4)  # one repetition of three trainings, and a part of the next
    with pytest.raises(KeyboardInterrupt):
        run(files, tmp_path / "out", tools=broken.tools)
    assert len(read_points(tmp_path / "out" / "points.csv")) == 4
    rest = CountingTools()
    run(files, tmp_path / "out", tools=rest.tools)
    assert rest.trainings == 9
    run(files, tmp_path / "whole")
    whole, pieced = (read_points(tmp_path / name / "points.csv") for name in ("whole", "out"))
    assert without_times(whole) == without_times(pieced)


def test_a_row_half_written_counts_as_not_there(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    file = tmp_path / "out" / "points.csv"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole + "random,2,50,3", encoding="utf-8")
    assert len(read_points(file)) == 1


def test_results_under_other_settings_are_not_continued(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    with pytest.raises(InvalidConfig, match="batch 20, now it is 30"):
        run(files, tmp_path / "out", replace(QUICK, batch=30))


def test_the_summary_a_figure_and_its_page_are_written(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files, tmp_path / "out", QUICK)
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {"settings.json", "points.csv", "summary.csv", "curve.json", "curve.html"}
    assert "vega-lite" in (tmp_path / "out" / "curve.json").read_text(encoding="utf-8")


def test_limits_draw_a_smaller_pool_and_test_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    small = replace(CONFIG, seeds=1, budget=70, pool_limit=120, test_limit=20)
    run(files, tmp_path / "out", small)
    assert len(read_points(tmp_path / "out" / "points.csv")) == 4


def point(strategy: str, seed: int, labels: int, f1: float) -> Point:
    values = {item.name: 0 for item in fields(Point)}
    return Point(**{**values, "strategy": strategy, "seed": seed, "labels": labels, "f1": f1})  # type: ignore[arg-type]


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


def test_the_sizes_end_at_the_budget() -> None:
    assert replace(CONFIG, batch=25).sizes == [50, 75, 90]
    assert replace(CONFIG, budget=50).sizes == [50]
