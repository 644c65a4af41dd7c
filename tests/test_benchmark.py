"""The benchmark: its grid end to end on tiny encoders, and resumed after a kill."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from encoders import SENTENCES, SPANS, tiny_bert

from maner_core import conll
from maner_core.__main__ import main
from maner_core.benchmark import PAPER_SEEDS, Grid, choose_seeds, draw, parse_overrides
from maner_core.benchmark_runs import recipe_hash, unpack_counts
from maner_core.config import TrainConfig
from maner_core.errors import InvalidConfig, UnknownName
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
