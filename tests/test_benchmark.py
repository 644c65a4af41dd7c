"""The benchmark: its grid end to end on tiny encoders, resumed after a kill, and its tables worked out by hand."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import SENTENCES, SPANS, tiny_bert

from maner_core import conll
from maner_core.__main__ import main
from maner_core.benchmark import PAPER_SEEDS, Grid, choose_seeds, draw, parse_overrides
from maner_core.benchmark_report import as_markdown, make_blocks
from maner_core.benchmark_runs import Cell, Run, append_run, pack_counts, read_runs, recipe_hash, unpack_counts
from maner_core.benchmark_statistics import gain_draws, gains, grand_means, scores, two_sided_p
from maner_core.config import TrainConfig
from maner_core.errors import FormatError, InvalidConfig, UnknownName
from maner_core.evaluation import bootstrap_f1
from maner_core.spans import spans_to_tags

TAGS = [spans_to_tags(spans, len(sentence)) for sentence, spans in zip(SENTENCES, SPANS, strict=True)]
SYSTEMS = ["maner", "sner"]
QUICK = [
    f"--set={name}"
    for name in ("min_steps=3", "max_steps=3", "learning_rate=2e-3", "max_restarts=0", "mixed_precision=false")
]
SET = ["--data", "data/toy/swa", "--backbone", "backbone", "--size", "4", "--seeds", "1", *QUICK]


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small encoder and two sets: toy/swa and toy/yor."""
    folder = tmp_path_factory.mktemp("benchmark")
    tiny_bert(folder / "backbone")
    for language in ("swa", "yor"):
        its = folder / "data" / "toy" / language
        its.mkdir(parents=True)
        conll.write(its / "train.txt", SENTENCES, TAGS)
        conll.write(its / "test.txt", SENTENCES[::-1], TAGS[::-1])
    return folder


@pytest.fixture
def place(materials: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, as the current one."""
    monkeypatch.chdir(materials)
    return materials


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "runs.jsonl").read_text(encoding="utf-8").splitlines()]


# The grid.


def test_a_grid_runs_end_to_end_and_keeps_everything_of_each_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", "data", "--backbone", "backbone", "--system", "maner,sner", "--size", "4", "--seed", "1,2"]
    assert main(["benchmark", *words, *QUICK, "--test-limit", "5", "--out", str(tmp_path), "--json"]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert (result["made"], result["already_there"], result["failed"], result["left_out"]) == (8, 0, [], [])
    assert told.err.count("toy/swa, 4 sentences, backbone, maner, seed 1: F1 ") == 1
    runs = lines_of(tmp_path)
    # Seed by seed, and the systems of a cell one after the other.
    assert [run["seed"] for run in runs] == [1] * 4 + [2] * 4
    assert [run["system"] for run in runs] == SYSTEMS * 4
    first = runs[0]
    assert (first["collection"], first["language"], first["script"]) == ("toy", "swa", "Latin")
    assert (first["config"]["learning_rate"], first["config"]["seed"], first["preset"]) == (2e-3, 1, "default")
    assert first["overrides"] == {"min_steps": 3, "max_steps": 3, "learning_rate": 2e-3, "max_restarts": 0} | {
        "mixed_precision": False
    }
    assert first["training"]["steps"] == 3
    assert first["training"]["peak_memory_bytes"] > 1e6
    assert {"train_f1", "seconds", "restarts", "device"} <= set(first["training"])
    assert {"torch", "transformers", "numpy", "python", "maner_core"} == set(first["versions"])
    counts = unpack_counts(first["counts"])
    assert counts.shape == (5, 3)
    # The test sentences are those of training, in another order: 4 of 8 were drawn, and 5 of 8 are tested.
    assert (first["n_test"], 1 <= first["n_seen"] <= 4) == (5, True)
    found, predicted, gold = counts.sum(axis=0)
    assert first["f1"] == pytest.approx(2 * found / (predicted + gold) if predicted + gold else 0)
    written = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert {"runs.jsonl", "report.md", "scores.csv", "gains.csv", "overall.csv", "labels.csv"} <= written
    drawn = {(run["language"], run["size"], run["seed"], run["drawn"]) for run in runs}
    assert len(drawn) == 4  # both systems on the same sentences
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".run-")]
    with (tmp_path / "gains.csv").open(encoding="utf-8", newline="") as file:
        swa, yor = csv.DictReader(file)
    assert (swa["size"], swa["set_name"], swa["system"], yor["set_name"]) == ("4", "toy/swa", "maner", "toy/yor")
    f1 = {
        system: [run["f1"] for run in runs if (run["language"], run["system"]) == ("swa", system)] for system in SYSTEMS
    }
    assert float(swa["absolute"]) == pytest.approx((sum(f1["maner"]) - sum(f1["sner"])) / 2)


def test_what_is_there_is_not_run_again_and_a_larger_grid_adds_to_it(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", *SET, "--out", str(tmp_path), "--json"]
    for system, made, known in (("maner", 1, 0), ("maner", 0, 1), ("maner,sner", 1, 1)):
        assert main([*words, "--system", system]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["made"], result["already_there"]) == (made, known)
    assert main([*words, "--system", "maner", "--set", "batch_size=2"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 1
    assert [run["config"]["batch_size"] for run in lines_of(tmp_path)] == [8, 8, 2]


def test_what_is_named_twice_is_run_once(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "data/toy/swa", "--backbone", "backbone,backbone", "--system", "sner", "--system", "sner,sner"]
    words += ["--size", "4,600", "--size", "4", "--size", "600", "--seed", "1,1", *QUICK]
    assert main(["benchmark", *words, "--out", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["made"], result["already_there"], len(lines_of(tmp_path))) == (1, 0, 1)
    assert result["left_out"] == ["toy/swa has 8 training sentences, so the size 600 is left out"]


def test_a_killed_benchmark_goes_on_where_it_was(place: Path, tmp_path: Path) -> None:
    words = ["--data", "data/toy/swa", "--backbone", "backbone", "--system", "maner", "--size", "4", "--seeds", "4"]
    words += [*QUICK, "--set=max_steps=20", "--set=min_steps=20", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "maner_core", "benchmark", *words]
    root = Path(__file__).parent.parent
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL)
    file = tmp_path / "runs.jsonl"
    deadline = time.monotonic() + 120
    while not (file.exists() and file.read_bytes().count(b"\n") >= 1):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = file.read_bytes()
    with file.open("ab") as half:
        half.write(b'{"collection": "toy", "lang')  # what a kill within a write leaves
    (tmp_path / ".run-of-the-dead").mkdir()
    assert main(["benchmark", *words]) == 0
    assert file.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    assert [run["seed"] for run in lines_of(tmp_path)] == list(PAPER_SEEDS[:4])
    assert not (tmp_path / ".run-of-the-dead").exists()


def test_an_adaptation_reads_every_training_sentence_without_its_labels(place: Path, tmp_path: Path) -> None:
    words = ["benchmark", *SET, "--system", "sner", "--out", str(tmp_path)]
    assert main([*words, "--set", "adaptation=beside", "--set", "mlm_batch_size=2"]) == 0
    [run] = lines_of(tmp_path)
    assert (run["error"], run["config"]["adaptation"], run["training"]["steps"]) == ("", "beside", 3)


def test_an_unexpected_failure_is_kept_with_its_place(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maner_core import training

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero\nin two lines")

    monkeypatch.setattr(training, "train", broken)
    assert main(["benchmark", *SET, "--out", str(tmp_path)]) == 1
    reasons = {re.sub(r"\d+", "1", run["error"]) for run in lines_of(tmp_path)}
    assert reasons == {"ZeroDivisionError: division by zero (test_benchmark.py:1)"}


def test_a_place_that_cannot_be_written_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["benchmark", *SET, "--out", str(tmp_path / "file" / "out")]) == 1
    assert "cannot be written (Not a directory); choose another --out" in capsys.readouterr().err


def test_two_benchmarks_never_write_to_one_folder(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["benchmark", *SET, "--out", str(tmp_path)]) == 1
    assert "another benchmark is writing to" in capsys.readouterr().err


def test_a_failed_run_is_kept_with_its_reason_and_the_others_go_on(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", "--data", "data/toy/swa", "--system", "sner", "--size", "4", "--seeds", "1", *QUICK]
    words += ["--backbone", "empty,backbone", "--out", str(tmp_path)]
    (place / "empty").mkdir(exist_ok=True)
    assert main(words) == 1
    told = capsys.readouterr()
    assert "error: 1 runs failed, as" in told.err
    failed, good = lines_of(tmp_path)
    assert failed["error"].startswith("the backbone 'empty' cannot be loaded")
    assert (good["error"], good["training"]["steps"]) == ("", 3)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| toy/swa | Latin |  | failed |" in report
    assert "- toy/swa, 4 sentences, empty, sner, seed 12345: the backbone 'empty' cannot be loaded" in report
    # The same command tries it again; once it works, nothing has failed any more.
    tiny_bert(place / "empty")
    assert main(words) == 0
    assert len(lines_of(tmp_path)) == 3
    assert "failed |" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_tables_are_made_of_the_lines_alone(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", *SET, "--system", "sner", "--out", str(tmp_path / "a")]) == 0
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "runs.jsonl").write_bytes((tmp_path / "a" / "runs.jsonl").read_bytes())
    assert main(["benchmark", "--tables-only", "--out", str(tmp_path / "b")]) == 0
    for name in ("report.md", "scores.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    capsys.readouterr()
    assert main(["benchmark", "--tables-only", "--out", str(tmp_path / "none")]) == 1
    assert "holds no run; make some before asking for tables" in capsys.readouterr().err


def test_a_size_beyond_the_set_is_left_out_and_said(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", *SET, "--system", "sner", "--out", str(tmp_path)]
    assert main([*words, "--size", "4", "--size", "600"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == ("toy/swa has 8 training sentences, so the size 600 is left out")
    assert main(["benchmark", "--data", "data", "--size", "600", "--out", str(tmp_path)]) == 1
    assert "error: no set has enough training sentences: toy/swa has 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "a benchmark needs something to run on; give at least one --data"),
        (["--data", "x", "--system", "crf"], "there is no system 'crf'; choose one of maner, "),
        (["--data", "x", "--size", "many"], "--size is 'many'; give whole numbers, by commas"),
        (["--data", "x", "--size", "0"], "0 sentences are too few; give at least 1"),
        (["--data", "x", "--seeds", "6"], "--seeds is 6; the paper has 1 to 5, give others with --seed"),
        (["--data", "x", "--seeds", "2", "--seed", "7"], "--seeds and --seed both say which seeds; give one of them"),
        (["--data", "x", "--preset", "best"], "there is no preset 'best'; choose one of default, paper"),
        (["--data", "x", "--set", "epochs"], "the setting 'epochs' has no value; write it like learning_rate=5e-5"),
        (["--data", "x", "--set", "seed=1"], "seed is no setting of a benchmark but one of its dimensions; give it"),
        (["--data", "x", "--set", "epochs=ten"], "epochs is 'ten'; it must be a number"),
        (["--data", "x", "--set", "batch_size=2.5"], "batch_size is '2.5'; it must be a whole number"),
        (["--data", "x", "--set", "trim_vocabulary=no"], "trim_vocabulary is 'no'; it must be true or false"),
        (["--data", "x", "--set", "colour=red"], "'colour' is no setting of a training"),
        (["--data", "x", "--set", "dropout=2"], "dropout is 2.0; it must lie between 0 and 1"),
    ],
)
def test_what_can_never_run_is_refused_before_anything_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert main(["benchmark", *words, "--out", str(tmp_path / "out")]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert output.err.startswith(f"error: {reason}")
    assert not (tmp_path / "out").exists()


def test_settings_get_the_type_of_their_field() -> None:
    words = ["learning_rate=5e-5", "epochs=3", "batch_size=4", "mixed_precision=false"]
    values = parse_overrides(words)
    assert values == {"learning_rate": 5e-5, "epochs": 3.0, "batch_size": 4, "mixed_precision": False}
    assert type(values["epochs"]) is float
    assert TrainConfig.preset("default", **values).batch_size == 4


def test_seeds_are_the_papers_or_ones_own() -> None:
    assert choose_seeds(None, []) == (12345, 23451, 34512)
    assert choose_seeds(5, []) == PAPER_SEEDS
    assert choose_seeds(None, [7, 8]) == (7, 8)


def test_a_smaller_draw_is_a_part_of_a_larger_one_and_depends_on_the_seed_alone() -> None:
    large = draw(1000, 100, seed=3)
    assert draw(1000, 50, seed=3) == large[:50]
    assert len(set(large)) == 100
    assert draw(1000, 100, seed=4) != large
    assert sorted(draw(5, 5, seed=3)) == [0, 1, 2, 3, 4]


def test_the_hash_of_a_recipe_leaves_out_dimensions_and_what_is_off() -> None:
    config = TrainConfig()
    same = replace(config, system="sner", backbone="other", seed=1)
    assert recipe_hash(same) == recipe_hash(config)
    assert recipe_hash(replace(config, learning_rate=5e-5)) != recipe_hash(config)
    assert recipe_hash(replace(config, trim_vocabulary=False)) != recipe_hash(config)


def test_grids_of_unknown_names_cannot_be_made() -> None:
    with pytest.raises(UnknownName, match="no system 'crf'"):
        Grid(("x",), systems=("crf",))
    with pytest.raises(InvalidConfig, match="give at least one --seed"):
        Grid(("x",), seeds=())


# Tables by hand.

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


# Figures.


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
