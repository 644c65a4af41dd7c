"""`python -m maner_core`: train, predict and evaluate on two-column CoNLL, and the reader behind them."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from encoders import SENTENCES, SPANS, spans_of, tiny_bert
from hypothesis import given, settings
from hypothesis import strategies as st

from maner_core import conll
from maner_core.__main__ import main
from maner_core.entity_forms import EntityForms
from maner_core.errors import FormatError, InvalidInput
from maner_core.model_card import DataCard, describe
from maner_core.spans import iob2_tags, repair_tags, spans_to_tags, tags_to_spans

TAGS = [spans_to_tags(spans, len(sentence)) for sentence, spans in zip(SENTENCES, SPANS, strict=True)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small encoder, a labelled file and a checkpoint trained on it by the command."""
    folder = tmp_path_factory.mktemp("cli")
    tiny_bert(folder / "backbone")
    conll.write(folder / "train.conll", SENTENCES, TAGS)
    assert main(train_words(folder, "run", "--steps", "150", "--json")) == 0
    return folder


def train_words(folder: Path, out: str, *more: str) -> list[str]:
    known = {"--train": folder / "train.conll", "--out": folder / out, "--backbone": folder / "backbone"}
    words = [str(word) for item in known.items() for word in item]
    return ["train", *words, "--learning-rate", "2e-3", *more]


def last_line(output: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return values


# The commands.


def test_train_reports_labels_steps_and_test_score_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = str(place / "train.conll")
    words = train_words(place, "json", "--steps", "2", "--seed", "7", "--system", "sner", "--test", test, "--json")
    assert main([*words, "--language", "swa"]) == 0
    output = capsys.readouterr()
    result = last_line(output.out)
    assert output.out.count("\n") == 1
    assert result["labels"] == ["LOC", "PER"]
    assert (result["sentences"], result["steps"], result["repaired_tags"]) == (8, 2, 0)
    assert (result["config"]["system"], result["config"]["seed"], result["config"]["learning_rate"]) == (
        "sner",
        7,
        2e-3,
    )
    assert result["checkpoint"] == str(place / "json")
    assert result["test"]["n_gold"] == 10
    assert 0 <= result["test"]["f1_low"] <= result["test"]["f1"] <= result["test"]["f1_high"] <= 1
    card = (place / "json" / "README.md").read_text(encoding="utf-8")
    assert "| language | swa |" in card
    assert f"| F1 | {result['test']['f1']:.3f} (" in card
    assert "on 8 sentences of train.conll |" in card


def test_train_tells_people_what_came_of_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(train_words(place, "told", "--epochs", "3", "--test", str(place / "train.conll"))) == 0
    first, repeated, warning, second, *rest = capsys.readouterr().out.splitlines()
    assert repeated.startswith(
        "  Trained 2 times, each time with another seed, because it had not learned these sentences"
    )
    assert warning == "  It has not learned even these sentences; train longer, and check their labels."
    assert re.match(r".*told written: maner trained on 8 sentences \(LOC, PER\), 3 steps in \d+ s on c", first)
    assert re.match(r"F1 0\.\d{3} \(0\.\d{3} to [01]\.\d{3} with 95% confidence\) on 8 sentences of .*, 10 ent", second)
    assert [line.split(":")[0] for line in rest] == ["  LOC", "  PER"]


def test_train_takes_any_setting_by_name(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = train_words(
        place,
        "set",
        "--steps",
        "2",
        "--set",
        "weight_decay=9",
        "--set",
        "weight_decay=0.5",
        "--set",
        "trim_vocabulary=false",
    )
    assert main([*words, "--json"]) == 0
    config = last_line(capsys.readouterr().out)["config"]
    assert (config["weight_decay"], config["trim_vocabulary"], config["min_steps"]) == (0.5, False, 2)


def test_a_checkpoint_knows_the_entities_it_was_trained_on(place: Path) -> None:
    forms = EntityForms.read(place / "run")
    assert forms is not None
    assert forms.labels(["Dar", "es", "Salaam"]) == {"LOC"}
    assert forms.labels(["Salaam"]) == frozenset()


def test_train_adapts_to_unlabelled_text_before_or_beside(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = str(place / "train.conll")
    for when in ("before", "beside"):
        words = train_words(place, when, "--steps", "2", "--adapt", when, "--text", text, "--text", text, "--json")
        assert main(words) == 0
        result = last_line(capsys.readouterr().out)
        assert (result["sentences"], result["unlabelled"], result["config"]["adaptation"]) == (8, 16, when)


def test_adapt_writes_a_backbone_that_train_takes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(place / "adapted")
    words = ["adapt", "--text", str(place / "train.conll"), "--out", out, "--backbone", str(place / "backbone")]
    assert main([*words, "--steps", "3", "--batch-size", "4"]) == 0
    told = capsys.readouterr().out
    assert re.match(
        r".*adapted written: 3 steps on 8 sentences in \d+ s on c\w+, loss \d\.\d+ at first, \d\.\d+ at", told
    )
    assert main([*train_words(place, "on-adapted", "--steps", "2", "--json"), "--backbone", out]) == 0
    assert last_line(capsys.readouterr().out)["config"]["backbone"] == out
    assert main(words) == 1
    assert "is already there and not an empty folder" in capsys.readouterr().err


def test_train_says_that_it_was_repeated_and_which_seed_was_kept(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--steps", "2", "--seed", "7", "--set", "max_restarts=2", "--set"]
    assert main(train_words(place, "repeated", *words, "min_train_f1=1")) == 0
    seed = json.loads((place / "repeated" / "maner.json").read_text(encoding="utf-8"))["report"]["seed"]
    told = capsys.readouterr().out
    assert "  Trained 3 times, each time with another seed, because it had not learned these sentences; " in told
    assert f"; this is the best, with seed {seed}.\n" in told
    assert main(train_words(place, "once", *words, "min_train_f1=0")) == 0
    assert "Trained" not in capsys.readouterr().out


def test_train_fits_a_temperature_when_asked_to(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--steps", "2", "--calibration-folds", "2", "--set"]
    assert main(train_words(place, "calibrated", *words, "min_train_f1=0")) == 0
    told = capsys.readouterr().out.splitlines()[1]
    assert re.match(
        r"  Temperature \d\.\d\d from 2 trainings without a part of them: calibration error of words 0\.\d{3}, with",
        told,
    )
    assert main(train_words(place, "unsure", *words, "min_train_f1=1", "--set", "max_restarts=0")) == 0
    told = capsys.readouterr().out.splitlines()[1]
    assert told.startswith(
        "  No temperature was fitted: training 1 of 2 without a part of the sentences has not learned"
    )
    assert main(train_words(place, "refused", "--calibration-folds", "1")) == 1
    assert "calibration_folds is 1; it must be 0 or at least 2" in capsys.readouterr().err


def test_predict_writes_the_words_with_the_tags_it_learned(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = place / "words.txt"
    words.write_text("".join("\n".join(sentence) + "\n\n" for sentence in SENTENCES), encoding="utf-8")
    out = place / "predicted.conll"
    assert main(["predict", "--checkpoint", str(place / "run"), str(words), "--out", str(out), "--json"]) == 0
    result = last_line(capsys.readouterr().out)
    assert (result["sentences"], result["words"], result["entities"]) == (8, sum(map(len, SENTENCES)), 10)
    assert out.read_bytes() == (place / "train.conll").read_bytes()


def test_predict_does_not_look_at_tags_that_are_there(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conll.write(place / "wrong.conll", SENTENCES, [["X"] * len(sentence) for sentence in SENTENCES])
    out = place / "from_wrong.conll"
    assert main(["predict", "--checkpoint", str(place / "run"), str(place / "wrong.conll"), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out} written: 8 sentences, 10 entities.\n"
    assert conll.read(out).spans == SPANS


def test_predict_finds_a_fault_at_the_end_of_the_file_before_it_starts(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "late.txt").write_text("a O\n\n" * 100 + "b\n", encoding="utf-8")
    words = ["predict", "--checkpoint", str(place / "no such folder"), str(place / "late.txt"), "--out", "never.conll"]
    assert main(words) == 1
    assert "late.txt:201: 1 column" in capsys.readouterr().err


def test_predict_keeps_words_with_spaces_whole_and_reads_pipes(place: Path) -> None:
    out = place / "from_pipe.conll"
    (place / "pipe").unlink(missing_ok=True)
    os.mkfifo(place / "pipe")
    writer = threading.Thread(target=lambda: (place / "pipe").write_text("New York\tO\nsaw\tO\n", encoding="utf-8"))
    writer.start()
    assert main(["predict", "--checkpoint", str(place / "run"), str(place / "pipe"), "--out", str(out)]) == 0
    writer.join()
    assert conll.read(out).sentences == [["New York", "saw"]]
    assert out.read_text(encoding="utf-8").count("\t") == 2


def test_evaluate_gives_f1_with_its_interval_and_by_label(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = [spans if i % 2 else [] for i, spans in enumerate(SPANS)]
    conll.write(
        place / "half.conll", SENTENCES, [spans_to_tags(s, len(w)) for s, w in zip(half, SENTENCES, strict=True)]
    )
    n_gold = sum(map(len, half))
    assert main(["evaluate", "--checkpoint", str(place / "run"), str(place / "half.conll"), "--json"]) == 0
    result = last_line(capsys.readouterr().out)
    assert (result["n_gold"], result["n_predicted"], result["recall"]) == (n_gold, 10, 1.0)
    assert result["precision"] == pytest.approx(n_gold / 10)
    assert result["f1"] == pytest.approx(2 * n_gold / (n_gold + 10))
    assert result["f1_low"] < result["f1"] < result["f1_high"]
    assert set(result["per_label"]) == {"LOC", "PER"}


def test_evaluate_tells_of_repaired_tags(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "repaired.conll").write_text("we O\nsaw O\nBaraka I-PER\nJuma I-PER\n", encoding="utf-8")
    assert main(["evaluate", "--checkpoint", str(place / "run"), str(place / "repaired.conll")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("F1 1.000 (1.000 to 1.000 with 95% confidence) on 1 sentences")
    assert lines[-1] == "  1 I- tags of the file continued nothing and were read as B-, as conlleval does."


def test_evaluate_warns_of_a_tagger_that_was_trained_on_evaluation_sentences(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    final = tmp_path / "final"
    shutil.copytree(place / "run", final)
    describe(final, DataCard(evaluation_sentences=1234))
    words = ["evaluate", "--checkpoint", str(final), str(place / "train.conll")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Beware: 1,234 evaluation sentences of its project were trained on" in said
    assert main([*words, "--json"]) == 0
    assert last_line(capsys.readouterr().out)["trained_on_evaluation_sentences"] == 1234


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--adapt", "before"], "error: --adapt before needs sentences without labels; name a file with --text"),
        (["--text", "a.conll"], "error: --text is only read by an adaptation; add --adapt before or --adapt beside"),
        (["--adapt", "after"], "error: there is no adaptation 'after'; choose one of none, before, beside"),
        (["--preset", "fast"], "error: there is no preset 'fast'; choose one of default, paper"),
        (["--system", "crf"], "error: there is no system 'crf'; choose one of maner, maner_rand, sner, mlm_ner"),
        (["--steps", "2", "--epochs", "1"], "error: --epochs and --steps both say how long to train; give one of them"),
        (["--steps", "0"], "error: --steps is 0; it must be at least 1"),
        (["--epochs", "-1"], "error: epochs is -1.0; it must not be negative"),
        (["--epochs", "0"], "error: epochs and min_steps are both 0; one of them must ask for some training"),
        (["--batch-size", "0"], "error: batch_size is 0; it must be greater than 0"),
        (["--set", "batch_size"], "error: the setting 'batch_size' has no value; write it like learning_rate=5e-5"),
        (["--set", "epochs=many"], "error: epochs is 'many'; it must be a number"),
        (
            ["--set", "learning_rate=1e-4"],
            "error: learning_rate is given by --set and by an option of its own; give it o",
        ),
        (["--labels", "PER"], "train.conll has the label 'LOC', which --labels leaves out; name it there too"),
    ],
)
def test_train_refuses_what_it_cannot_do_in_one_sentence(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], reason: str
) -> None:
    assert main([*train_words(place, "never"), "--out", str(tmp_path / "never"), *more]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert reason in output.err
    assert list(tmp_path.iterdir()) == []


def test_train_never_replaces_a_folder_in_which_something_lies(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.iterdir())
    assert main(train_words(place, ".", "--steps", "1")) == 1
    assert "is already there and not an empty folder; choose another --out" in capsys.readouterr().err
    assert sorted(place.iterdir()) == before


def test_train_and_adapt_find_out_before_the_long_work_that_a_place_cannot_be_written(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    adapt = ["adapt", "--text", "no such file", "--backbone", "no such backbone"]
    train = [*train_words(place, "never"), "--train", "no such file"]
    for words, out in itertools.product((adapt, train), ("file/run", "link", "n" * 300)):
        assert main([*words, "--out", str(tmp_path / out)]) == 1
        output = capsys.readouterr()
        assert re.fullmatch(rf"error: {tmp_path / out} cannot be written \(.+\); choose another --out\n", output.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "link"]


def test_the_folder_above_a_new_checkpoint_need_not_be_there(place: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in ("new/run", "empty"):
        assert main([*train_words(place, "never", "--steps", "1"), "--out", str(tmp_path / out)]) == 0
        assert (tmp_path / out / "maner.json").is_file()


def test_a_file_without_entities_needs_labels_by_name(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.conll").write_text("it O\nrained O\n", encoding="utf-8")
    words = ["train", "--train", str(tmp_path / "train.conll"), "--out", str(tmp_path / "run"), "--steps", "1"]
    words += ["--backbone", str(place / "backbone")]
    assert main(words) == 1
    assert "holds no entity to learn; label some, or name the labels with --labels" in capsys.readouterr().err
    assert main([*words, "--labels", "ORG, PER", "--json"]) == 0
    assert last_line(capsys.readouterr().out)["labels"] == ["ORG", "PER"]


@pytest.mark.parametrize("command", ["predict", "evaluate", "analyse"])
def test_a_folder_without_a_checkpoint_is_one_sentence(
    place: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    out = ["--out", str(place / "x")] if command == "predict" else []
    assert main([command, "--checkpoint", str(place / "backbone"), str(place / "train.conll"), *out]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert re.match(r"error: .* is no checkpoint of this tool: .* is missing; give the folder .*\n", output.err)


def test_the_program_starts_without_torch_and_ends_with_a_code_a_shell_understands(tmp_path: Path) -> None:
    code = "import sys, maner_core.__main__; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    command = [sys.executable, "-m", "maner_core", "evaluate", "--checkpoint", "none", str(tmp_path / "none.conll")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    remedy = "cannot be read (No such file or directory); give a file that can"
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: {tmp_path / 'none.conll'}: {remedy}\n"


def test_an_unknown_option_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--colour", "red"]) == 2
    assert main(["--help"]) == 0
    assert "predict" in capsys.readouterr().out


# The reader.

WORD = st.text(st.characters(exclude_characters=" \t\n\r", exclude_categories=["Cs"]), min_size=1, max_size=6)
TAGGED = st.lists(st.tuples(WORD, st.sampled_from(iob2_tags(["PER", "LOC", "WORK OF ART"]))), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(TAGGED, min_size=1, max_size=4))
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, str]]]
) -> None:
    sentences = [[word for word, _ in its_rows] for its_rows in rows]
    tags = [repair_tags([tag for _, tag in its_rows]) for its_rows in rows]
    if conll.DOCUMENT_START in {word for sentence in sentences for word in sentence} or sentences[0][0][0] == "\ufeff":
        return  # the format has no way to write these two as tokens
    path = tmp_path_factory.getbasetemp() / "round_trip.conll"
    separator = "\t" if any(" " in tag for its_tags in tags for tag in its_tags) else " "
    conll.write(path, iter(sentences), iter(tags), separator)
    corpus = conll.read(path)
    assert corpus.sentences == sentences
    assert corpus.spans == [tags_to_spans(its_tags) for its_tags in tags]
    assert corpus.n_repaired == 0
    assert list(conll.words(path)) == sentences


@pytest.mark.parametrize(
    "text",
    [
        "Asha B-PER\nleft O\n\nit O\n",
        "Asha\tB-PER\nleft\tO\n\nit\tO",
        "Asha  B-PER \nleft \t O\n \t\n\n\nit O\n\n",
        "\ufeffAsha B-PER\r\nleft O\r\n\r\nit O\r\n",
        "-DOCSTART- O\n\nAsha B-PER\nleft O\n-DOCSTART- -X- O O\nit O\n",
        "Asha I-PER\nleft O\n\nit O\n",
    ],
    ids=["spaces", "tabs, no end", "ragged", "mark and CR LF", "documents", "to be repaired"],
)
def test_files_of_other_tools_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.conll").write_bytes(text.encode())
    corpus = conll.read(tmp_path / "a.conll")
    assert corpus.sentences == [["Asha", "left"], ["it"]]
    assert corpus.spans == [spans_of((0, 1, "PER")), []]
    assert corpus.n_repaired == ("I-PER" in text)
    assert corpus.labels == ["PER"]


def test_unusual_spaces_and_line_ends_belong_to_the_word(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("a\u00a0b O\nc\u2028d O\ne\u3000 O\n", encoding="utf-8")
    assert conll.read(tmp_path / "a.conll").sentences == [["a\u00a0b", "c\u2028d", "e\u3000"]]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a O\nb\n", 2, "1 column; write the token and its tag on each line"),
        (b"a O\n\nb NN O\n", 3, "3 columns; write the token and its tag on each line"),
        (b"a O\nb E-PER\n", 2, "'E-PER' is no IOB2 tag; write O, or B- or I- and a label such as B-LOC"),
        (b"a O\nb B-\n", 2, "'B-' is no IOB2 tag"),
        (b"a o\n", 1, "'o' is no IOB2 tag"),
        (b"# status = skipped\na O\n", 1, "4 columns"),
        (b"a O\n\tO\n", 2, "the tag has no token before it; give the token or delete the line"),
        (b"a O\nb\xff O\n", 2, "is not UTF-8; save the file as UTF-8"),
        (b"", None, "holds no sentence; check that it is the right file"),
        (b"\n \n-DOCSTART- O\n\n", None, "holds no sentence"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_remedy(
    tmp_path: Path, content: bytes, line: int | None, reason: str
) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        conll.read(path)
    where = str(path) if line is None else f"{path}:{line}"
    assert str(caught.value).startswith(f"{where}: {reason}")
    assert caught.value.line == line


def test_words_to_tag_come_in_one_column_or_two_but_not_in_both(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\nb\n\nc\n", encoding="utf-8")
    assert list(conll.words(path)) == [["a", "b"], ["c"]]
    path.write_text("a\nb\n\nc O\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"a\.txt:4: 2 columns; write on every line a token, or on every line a tok"):
        list(conll.words(path))
    path.write_text("a NN O\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"a\.txt:1: 3 columns"):
        list(conll.words(path))


def test_a_file_that_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be written \(No such file or directory\); choose another place"):
        conll.write(tmp_path / "no" / "folder.conll", SENTENCES, TAGS)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "full").touch()
    with pytest.raises(InvalidInput, match="folder cannot be written"):
        conll.write(tmp_path / "folder", SENTENCES, TAGS)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
