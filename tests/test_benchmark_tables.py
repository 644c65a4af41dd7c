"""What a benchmark's runs come to: tables worked out by hand, and figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maner_core.benchmark_report import as_markdown, make_blocks
from maner_core.benchmark_runs import Cell, Run, append_run, pack_counts, read_runs
from maner_core.benchmark_statistics import gain_draws, gains, grand_means, scores, two_sided_p
from maner_core.errors import FormatError
from maner_core.evaluation import bootstrap_f1

# One sentence each; found, predicted and gold entities. F1 is 2 * found / (predicted + gold).
HALF = [[1, 2, 2]]  # F1 0.5
MOST = [[3, 4, 4]]  # F1 0.75
ALL = [[4, 4, 4]]  # F1 1
NONE = [[0, 4, 4]]  # F1 0


def run_of(language: str, system: str, seed: int, counts: Sequence[Sequence[int]], **more: Any) -> Run:
    table = np.array(counts)
    found, predicted, gold = table.sum(axis=0)
    cell = Cell("toy", language, f"hash of {language}", system, "bundled", 100, seed, "recipe", None)
    values: dict[str, Any] = {
        "preset": "default",
        "overrides": {},
        "config": {},
        "script": "Latin",
        "date": "2026-01-02T03:04:05+00:00",
        "versions": {"torch": "1"},
        "f1": float(2 * found / (predicted + gold)),
        "precision": float(found / predicted),
        "recall": float(found / gold),
        "per_label": {"PER": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "n_gold": 2}},
        "counts": pack_counts(table),
        "training": {"seconds": 10.0, "train_f1": 0.95, "peak_memory_bytes": 2 * 10**9, "restarts": 1, "device": "cpu"},
        "test_seconds": 2.0,
        "n_test": 8,
        "n_seen": 2,
    }
    return Run(cell, **{**values, **more})


RUNS = [
    run_of("swa", "sner", 1, HALF, config={"min_train_f1": 0.96}),
    run_of("swa", "sner", 2, MOST),
    run_of("swa", "maner", 1, MOST),
    run_of("swa", "maner", 2, ALL),
    run_of("yor", "sner", 1, ALL),
    run_of("yor", "sner", 2, ALL),
    run_of("yor", "maner", 1, HALF),
    run_of("yor", "maner", 2, ALL),
]


def test_scores_are_mean_and_sample_deviation_over_seeds() -> None:
    swa = scores(RUNS)[0]
    assert (swa.set_name, swa.system, swa.n_seeds, swa.f1) == ("toy/swa", "sner", 2, 0.625)
    assert swa.deviation == pytest.approx(0.125 * 2**0.5)
    assert (swa.seconds, swa.test_seconds, swa.restarts, swa.peak_memory_bytes) == (10.0, 2.0, 2, 2 * 10**9)
    assert scores(RUNS[:1])[0].deviation is None


def test_gains_are_differences_of_means_with_wins_and_losses_by_language() -> None:
    by_set, [overall] = gains(RUNS)
    swa, yor = by_set
    # swa: (0.75 + 1) / 2 against (0.5 + 0.75) / 2; yor: (0.5 + 1) / 2 against 1.
    assert (swa.baseline_f1, swa.f1, swa.absolute) == (0.625, 0.875, 0.25)
    assert swa.relative == pytest.approx(0.4)
    assert (yor.absolute, yor.relative) == (-0.25, -0.25)
    # One sentence leaves nothing to resample but the seeds: every draw of swa gains exactly 0.25.
    assert (swa.low, swa.high, swa.clear) == (0.25, 0.25, True)
    assert (yor.low, yor.high, yor.clear) == (-0.5, 0.0, False)
    assert (overall.baseline_f1, overall.f1, overall.absolute) == (0.8125, 0.8125, 0.0)
    assert overall.relative == pytest.approx((0.4 - 0.25) / 2)
    assert overall.relative_of_means == 0.0
    assert (overall.wins, overall.ties, overall.losses) == (1, 0, 1)
    assert (overall.clear_wins, overall.clear_losses) == (1, 0)
    assert (overall.best_set, overall.best, overall.n_sets) == ("toy/swa", 0.25, 2)


def test_only_seeds_that_both_systems_have_are_compared() -> None:
    [gain], _ = gains([*RUNS[:3], run_of("swa", "maner", 9, NONE)])
    assert (gain.n_seeds, gain.baseline_f1, gain.f1) == (1, 0.5, 0.75)
    assert gains([run for run in RUNS if run.cell.system == "maner"]) == ([], [])


def test_a_gain_over_nothing_has_no_relative_size() -> None:
    [gain], [overall] = gains([run_of("swa", "sner", 1, NONE), run_of("swa", "maner", 1, HALF)])
    assert (gain.absolute, gain.relative) == (0.5, None)
    assert (overall.relative, overall.relative_of_means) == (None, None)


def test_the_mean_over_sets_takes_those_that_every_system_has_run() -> None:
    sner, maner = grand_means([*RUNS, run_of("bam", "sner", 1, NONE)])
    assert (sner.system, sner.n_sets, sner.n_seeds, sner.f1) == ("sner", 2, 2, 0.8125)
    # By seed: (0.5 + 1) / 2 and (0.75 + 1) / 2.
    assert sner.deviation == pytest.approx(0.0625 * 2**0.5)
    assert maner.f1 == 0.8125
    assert grand_means([RUNS[0], RUNS[6]]) == []


def test_the_bootstrap_resamples_sentences_as_the_interval_of_a_single_system_does() -> None:
    rng = np.random.default_rng(1)
    gold = rng.integers(1, 4, 300)
    counts = np.stack([rng.integers(0, gold + 1), gold, gold], axis=1)
    nothing = np.stack([np.zeros(300, dtype=int), gold, gold], axis=1)
    drawn = gain_draws(nothing[None], counts[None], draws=2000)  # one seed: the F1 of `counts` itself
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx(bootstrap_f1(counts), abs=0.01)


def test_the_bootstrap_pairs_sentences_and_resamples_seeds() -> None:
    rng = np.random.default_rng(2)
    gold = np.full(200, 2)
    before = np.stack([rng.integers(0, 3, 200), gold, gold], axis=1)
    assert np.ptp(gain_draws(before[None], before[None], draws=200)) == 0
    better = before.copy()
    better[:, 0] = np.minimum(2, better[:, 0] + 1)
    one_of_two = gain_draws(np.stack([before, before]), np.stack([before, better]), draws=2000)
    gain = gain_draws(before[None], better[None], draws=2000).mean()
    # None, one or both of the two drawn seeds are the better one, in 1/4, 1/2 and 1/4 of the draws.
    shares = [np.mean(one_of_two < gain / 4), np.mean(one_of_two > 3 * gain / 4)]
    assert shares == pytest.approx([0.25, 0.25], abs=0.04)


def test_p_counts_the_rarer_side_twice_and_is_never_0() -> None:
    assert two_sided_p(np.array([1.0, 2.0, -1.0, 3.0])) == pytest.approx(2 * 2 / 5)
    assert two_sided_p(np.ones(999)) == pytest.approx(0.002)
    assert two_sided_p(np.zeros(10)) == 1.0


def report_of(runs: Sequence[Run]) -> str:
    return as_markdown(runs, make_blocks(runs), [], "")


def test_the_report_names_means_gains_and_what_was_not_run() -> None:
    report = report_of([*RUNS, run_of("bam", "maner", 1, HALF), run_of("bam", "sner", 2, ALL, error="no memory")])
    assert "## default, bundled, 100 training sentences" in report
    assert "| toy/swa | Latin | 25% | 62.5 ± 17.7 | 87.5 ± 17.7 |" in report
    assert "| toy/bam | Latin | 25% | failed | 50.0 (1 of 2 seeds) |" in report
    assert "| **mean of 2 sets** |  |  | 81.2 ± 8.8 | 81.2 ± 26.5 |" in report
    assert "| toy/swa | +25.0 (+40%) [+25.0, +25.0] p 0.001 |" in report
    assert "| toy/bam | not run |" in report
    assert "| toy | maner | 2 | 81.2 | 81.2 | +0.0 [" in report
    assert "| +7.5% | +0.0% | toy/swa +25.0 | 1 / 0 / 1 | 1 / 0 |" in report
    assert "| PER | 50.0 | 50.0 |" in report
    assert "| sner | 4 | 10 | 2 | 2.0 GB | 4 | 95.0 | 1 |" in report
    assert "- toy/bam, 100 sentences, bundled, sner, seed 2: no memory" in report
    assert "Beware" not in report


def test_the_report_says_where_runs_come_from_several_versions() -> None:
    report = report_of([RUNS[0], replace(RUNS[1], versions={"torch": "2"})])
    assert "Beware: the runs come from several versions of torch: 1, 2." in report


def test_recipes_limits_and_sizes_are_never_mixed() -> None:
    run = RUNS[0]
    other = replace(run, cell=replace(run.cell, config_hash="other"))
    named = replace(run, cell=replace(run.cell, config_hash="third"), overrides={"learning_rate": 1.0})
    limited = replace(run, cell=replace(run.cell, test_limit=50))
    larger = replace(run, cell=replace(run.cell, size=200))
    titles = [block.title for block in make_blocks([run, other, named, limited, larger])]
    assert titles == [
        "default [other], bundled, 100 training sentences",
        "default [recipe], bundled, 100 training sentences",
        "default [recipe], bundled, 200 training sentences",
        "default, at most 50 test sentences, bundled, 100 training sentences",
        "default, learning_rate=1.0, bundled, 100 training sentences",
    ]


def test_equally_named_sets_with_other_sentences_are_told_apart() -> None:
    changed = replace(RUNS[0], cell=replace(RUNS[0].cell, data_hash="new"))
    [block] = make_blocks([RUNS[0], changed])
    assert block.set_names == ["toy/swa [hash of swa]", "toy/swa [new]"]


def test_f1_against_size_is_one_table() -> None:
    larger = [replace(run, cell=replace(run.cell, size=200)) for run in RUNS[:3]]
    report = report_of([*RUNS, *larger])
    assert "## F1 against training size: default, bundled" in report
    assert "| toy/swa | 200 | 62.5 ± 17.7 | 75.0 |" in report
    assert "| toy/yor | 200 | not run | not run |" in report


def test_a_failed_run_takes_the_place_of_none_but_a_failed_one(tmp_path: Path) -> None:
    good, other = run_of("swa", "sner", 1, HALF), run_of("swa", "sner", 1, ALL)
    failures = [replace(good, error=reason) for reason in ("the first", "the second")]
    file = tmp_path / "runs.jsonl"
    for run, kept in zip([*failures, good, failures[0], other], [*failures, good, good, other], strict=True):
        append_run(file, run)
        assert read_runs(file) == {good.cell: kept}


def test_a_line_that_is_no_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text('{"f1": 1}\n', encoding="utf-8")
    with pytest.raises(FormatError, match=r"runs\.jsonl:1: is no run of a benchmark; delete the line"):
        read_runs(tmp_path / "runs.jsonl")


def test_figures_are_drawn_for_sets_gains_and_sizes(tmp_path: Path) -> None:
    from maner_core.benchmark_figures import draw_figures

    larger = [replace(run, cell=replace(run.cell, size=200)) for run in RUNS]
    figures, note = draw_figures(tmp_path, make_blocks([*RUNS, *larger]))
    names = [f"{kind}_default_bundled_{size}" for size in (100, 200) for kind in ("f1", "gain")]
    assert [file.stem for file in figures] == [*names, "size_default_bundled"]
    assert note == ""
    assert all(file.read_bytes().startswith(b"<svg") for file in figures)
    assert all(file.with_suffix(".png").read_bytes().startswith(b"\x89PNG") for file in figures)
    assert ">swa<" in figures[0].read_text(encoding="utf-8")


def test_without_the_packages_for_figures_there_are_still_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maner_core import benchmark_figures
    from maner_core.benchmark_report import write_report
    from maner_core.benchmark_runs import append_run

    monkeypatch.setattr(benchmark_figures, "find_spec", lambda name: None)
    append_run(tmp_path / "runs.jsonl", RUNS[0])
    assert {file.suffix for file in write_report(tmp_path, tmp_path / "runs.jsonl")} == {".md", ".csv"}
    assert "None were drawn: they need the packages altair and vl-convert-python." in (
        tmp_path / "report.md"
    ).read_text(encoding="utf-8")
