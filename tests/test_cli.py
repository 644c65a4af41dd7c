"""The commands as a shell sees them: exit codes, what is on stdout, what is on stderr, and how fast they start."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotation.cli import main
from annotation.labels import PALETTE
from annotation.settings import Settings
from maner_core.errors import InvalidConfig
from storage import Store

GOOD = "Asha B-PER\nyuko O\nNairobi B-LOC\n\nMvua O\ninanyesha O\n\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, and the current folder."""
    monkeypatch.setenv("MANER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MANER_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("habari.conll").write_text(GOOD)
    return tmp_path


def printed_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one JSON object on the last line, which is the only line."""
    (line,) = capsys.readouterr().out.splitlines()
    fields = json.loads(line)
    assert isinstance(fields, dict)
    return fields


def test_import_makes_a_project_with_the_usual_labels(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["import", "--project", "P", "--language", "swa", "--as", "gold", "--reserve", "0", "habari.conll"]
    assert main(arguments) == 0
    assert "2 sentences added to P" in capsys.readouterr().out
    store = Store(Settings.from_environment().database_url)
    project = store.project_by_name("P")
    store.close()
    assert project.settings.language == "swa"
    assert [(label.name, label.key, label.color) for label in project.settings.labels] == [
        ("PER", "1", PALETTE[0]),
        ("LOC", "2", PALETTE[1]),
        ("ORG", "3", PALETTE[2]),
    ]


def test_import_tells_everything_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mbaya.conll").write_text(GOOD + "Juma\n\nMto O\nTana I-LOC\n")
    arguments = [
        "import",
        "--project",
        "P",
        "--as",
        "evaluation",
        "--skip-bad",
        "--json",
        "habari.conll",
        "mbaya.conll",
    ]
    assert main(arguments) == 0
    report = printed_json(capsys)
    assert (report["added"], report["evaluation"], report["exact_duplicates"]) == (5, 5, 2)
    assert report["files"][1]["bad"][0].startswith("mbaya.conll:8: 1 column where the file has 2")
    assert report["files"][1]["repairs"] == ["mbaya.conll:11: I-LOC opens a name; read as conlleval reads it"]


def test_import_tells_people_of_repairs_bad_sentences_and_duplicates(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mbaya.conll").write_text(GOOD * 2 + "Juma\n\nMto O\nTana I-LOC\n")
    assert main(["import", "--project", "P", "--skip-bad", "mbaya.conll"]) == 0
    out = capsys.readouterr().out
    assert "1 broken tags repaired" in out
    assert "mbaya.conll:15: 1 column" in out
    assert "2 exact and 0 near duplicates" in out
    assert "mbaya.conll:8 (exact) repeats mbaya.conll:1" in out


def test_import_tells_people_that_nothing_was_kept_for_evaluation(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "--project", "P", "--reserve", "0.000000001", "habari.conll"]) == 0
    assert "By chance none of these sentences was kept for evaluation" in capsys.readouterr().out


def test_a_wrong_file_is_one_sentence_on_stderr_and_imports_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mbaya.conll").write_text(GOOD + "Juma\nyuko O\n")
    assert main(["import", "--project", "P", "habari.conll", "mbaya.conll"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: mbaya.conll:8: 1 column where the file has 2;")
    assert len(captured.err.splitlines()) == 1
    assert main(["status", "--project", "P"]) == 1


def test_a_second_import_goes_to_the_same_project(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("zaidi.txt").write_text("Ziwa Viktoria ni kubwa.\n")
    assert main(["import", "--project", "P", "--language", "swa", "--reserve", "0", "habari.conll"]) == 0
    assert main(["import", "--project", "P", "--language", "swa", "--labels", "PER,LOC", "zaidi.txt"]) == 0
    capsys.readouterr()
    assert main(["status", "--project", "P", "--json"]) == 0
    status = printed_json(capsys)
    assert status["sentences"] == 3
    assert 0 < status["queued"] == status["unlabelled_pool"]


@pytest.mark.parametrize(
    ("words", "message"), [(["--language", "yor"], "leave --language out"), (["--labels", "PER,DATE"], "--add-labels")]
)
def test_words_that_contradict_the_project_are_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["import", "--project", "P", "--language", "swa", "habari.conll"]) == 0
    assert main(["import", "--project", "P", *words, "habari.conll"]) == 1
    assert message in capsys.readouterr().err


def test_labels_of_a_new_project_can_be_given_and_those_of_a_file_added(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import", "--project", "P", "--as", "gold", "--labels", "LOC, DATE", "habari.conll"]
    assert main(arguments) == 1
    assert "no label 'PER'" in capsys.readouterr().err
    assert main([*arguments, "--add-labels", "--json"]) == 0
    assert printed_json(capsys)["labels_added"] == ["PER"]


def test_export_writes_what_was_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--project", "P", "--as", "gold", "--reserve", "0", "habari.conll"]) == 0
    assert main(["export", "--project", "P", "--format", "conll", "nje.conll"]) == 0
    assert Path("nje.conll").read_text() == GOOD
    capsys.readouterr()
    assert main(["export", "--project", "P", "--include", "unlabelled", "--include", "skipped", "-"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["export", "--project", "P", "-"]) == 0
    assert capsys.readouterr().out == GOOD
    assert main(["export", "--project", "P", "--json", "nje.conll"]) == 0
    assert printed_json(capsys)["bytes"] == len(GOOD)


def test_an_export_that_fails_leaves_the_old_file_and_no_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.jsonl").write_text('{"tokens": ["New York"], "spans": []}\n')
    Path("nje.conll").write_text("ya zamani")
    assert main(["import", "--project", "P", "--as", "gold", "--reserve", "0", "a.jsonl"]) == 0
    before = sorted(path.name for path in home.iterdir())
    assert main(["export", "--project", "P", "nje.conll"]) == 1
    assert "holds the token 'New York'" in capsys.readouterr().err
    assert Path("nje.conll").read_text() == "ya zamani"
    assert sorted(path.name for path in home.iterdir()) == before


def test_a_conll_file_of_both_splits_comes_with_a_note(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--project", "P", "--as", "gold", "--reserve", "0", "habari.conll"]) == 0
    assert main(["export", "--project", "P", "nje.conll"]) == 0
    assert capsys.readouterr().err == ""
    Path("jaribio.conll").write_text("Juma B-PER\nalilala O\n")
    assert main(["import", "--project", "P", "--as", "evaluation", "jaribio.conll"]) == 0
    assert main(["export", "--project", "P", "-"]) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith("Juma B-PER\nalilala O\n\n")
    assert "CoNLL does not say which are which; --split train and --split reserve part them" in captured.err
    for apart in (["--split", "train"], ["--split", "reserve"], ["--format", "jsonl"]):
        assert main(["export", "--project", "P", "-", *apart]) == 0
        assert capsys.readouterr().err == ""


def test_an_export_to_nowhere_is_one_clear_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--project", "P", "habari.conll"]) == 0
    assert main(["export", "--project", "P", "hakuna/nje.conll"]) == 1
    assert "hakuna/nje.conll cannot be written (No such file or directory)" in capsys.readouterr().err


def test_status_counts_and_names_the_worker(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--project", "P", "--as", "gold", "--reserve", "0", "habari.conll"]) == 0
    capsys.readouterr()
    assert main(["status", "--project", "P", "--json"]) == 0
    status = printed_json(capsys)
    assert (status["labelled"], status["no_entity"], status["pool"], status["worker"]) == (2, 1, 2, "off")
    assert status["by_label"] == {"LOC": 1, "PER": 1}
    assert status["last_run"] is None
    assert (status["worker_text"], status["until_training"]) == (
        "No worker is running: labels are saved, training waits",
        23,
    )
    store = Store(Settings.from_environment().database_url)
    run = store.start_run(store.project_by_name("P").id, 1, {}, 1, 2, 2)
    store.finish_run(run.id, {"f1": 0.5}, None, True, "")
    store.close()
    assert main(["status", "--project", "P"]) == 0
    assert f"last run {run.id}: done with 2 sentences, F1 0.500, serves" in capsys.readouterr().out


def test_status_without_a_name_tells_of_all_projects(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "There is no project yet; import makes one.\n"
    for name in ("P", "Q"):
        assert main(["import", "--project", name, "habari.conll"]) == 0
    capsys.readouterr()
    assert main(["status"]) == 0
    assert [line[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "] == ["P", "Q"]
    assert main(["status", "--json"]) == 0
    assert [status["project"] for status in printed_json(capsys)["projects"]] == ["P", "Q"]


def test_a_project_is_archived_and_taken_out_by_the_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--project", "P", "habari.conll"]) == 0
    capsys.readouterr()
    assert main(["archive", "--project", "P"]) == 0
    assert main(["status"]) == 0
    assert capsys.readouterr().out.startswith("P is in the archive.\nP (in the archive): 2 sentences")
    assert main(["archive", "--project", "P", "--take-out"]) == 0
    assert capsys.readouterr().out == "P is out of the archive.\n"
    assert main(["status", "--project", "P", "--json"]) == 0
    assert printed_json(capsys)["archived"] is False
    assert main(["archive", "--project", "Q"]) == 1
    assert "no project named 'Q'" in capsys.readouterr().err


def test_status_of_an_unknown_project_is_an_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--project", "P", "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: there is no project named 'P'")


def test_one_round_of_an_idle_worker_succeeds(home: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "annotation", "worker", "--once"], cwd=Path(__file__).parents[1])
    assert ran.returncode == 0


def test_simulate_refuses_settings_that_make_no_sense(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--train", "habari.conll", "--test", "habari.conll", "--out", "nje"]
    assert main(["simulate", *files, "--seed-size", "50", "--budget", "10"]) == 1
    assert "budget is 10, less than seed_size 50" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["import", "habari.conll"], ["import", "--project", "P"], ["export"], ["fly"], ["status", "--jsn"]]
)
def test_wrong_usage_exits_with_two(home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    assert "--help" in capsys.readouterr().err


def test_the_commands_start_without_heavy_packages() -> None:
    code = (
        "import sys, annotation.cli\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'pandas', 'datasets', 'sqlalchemy', 'numpy', 'altair'}\n"
        "raise SystemExit(' '.join(heavy & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert ran.stderr.strip() == ""


def test_an_import_loads_neither_torch_nor_pandas(home: Path) -> None:
    code = (
        "import sys\nfrom annotation.cli import main\n"
        "code = main(['import', '--project', 'P', sys.argv[1]])\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'pandas', 'datasets', 'scipy'}\n"
        "raise SystemExit(' '.join(heavy & sys.modules.keys()) or code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(home / "habari.conll")],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr.strip()) == (0, "")


# Settings.


def test_without_an_environment_everything_is_in_the_folder_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"MANER_HOME": ""})
    assert settings.home == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/maner.db"
    assert settings.runs == tmp_path / "data" / "runs"


def test_home_and_database_come_from_the_environment() -> None:
    settings = Settings.from_environment({"MANER_HOME": "/srv/maner", "MANER_DATABASE_URL": "postgresql://host/maner"})
    assert (str(settings.home), settings.database_url) == ("/srv/maner", "postgresql://host/maner")


def test_a_database_that_is_no_url_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"MANER_DATABASE_URL is 'maner\.db', which is no database URL"):
        Settings.from_environment({"MANER_DATABASE_URL": "maner.db"})
