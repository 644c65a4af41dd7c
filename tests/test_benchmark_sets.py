"""Where the sets of a benchmark come from: folders of CoNLL files, sets saved by `datasets`, and sets of the hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from encoders import spans_of

from maner_core.benchmark_sets import read_sets
from maner_core.errors import FormatError, InvalidInput

datasets = pytest.importorskip("datasets")

TRAIN = "Juma B-PER\nleft O\n\nKigoma B-LOC\n"
TEST = "Asha I-PER\nMusa I-PER\nleft O\n"
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def write_set(folder: Path, train: str = TRAIN, test: str = TEST, ending: str = "txt") -> Path:
    folder.mkdir(parents=True)
    (folder / f"train.{ending}").write_text(train, encoding="utf-8")
    (folder / f"test.{ending}").write_text(test, encoding="utf-8")
    return folder


def split_of(tokens: list[list[str]], tags: list[list[Any]], kind: Any = None) -> Any:
    """A split with tags by name, or by number with the names in its features."""
    kind = kind or datasets.ClassLabel(names=NAMES)
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(kind)})
    return datasets.Dataset.from_dict({"tokens": tokens, "ner_tags": tags}, features=features)


TRAIN_SPLIT = [["Juma", "left"], [], ["Kigoma"]], [[1, 0], [], [3]]
TEST_SPLIT = [["Asha", "Musa", "left"]], [[2, 2, 0]]


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test asks a network, which might answer, or let one wait for minutes."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def test_a_folder_with_two_files_is_a_set_named_after_it_and_the_one_above(tmp_path: Path) -> None:
    [found] = read_sets([str(write_set(tmp_path / "news" / "swa"))])
    assert (found.name, found.collection, found.language, found.script) == ("news/swa", "news", "swa", "Latin")
    assert found.train.sentences == [["Juma", "left"], ["Kigoma"]]
    assert found.train.spans == [spans_of((0, 1, "PER")), spans_of((0, 1, "LOC"))]
    assert found.test.spans == [spans_of((0, 2, "PER"))]


def test_a_folder_that_is_named_after_no_language_is_a_set_of_its_own(tmp_path: Path) -> None:
    [found] = read_sets([str(write_set(tmp_path / "News2", ending="conll"))])
    assert (found.name, found.language) == ("News2", "")


def test_a_folder_of_folders_holds_every_set_below_it_once(tmp_path: Path) -> None:
    for name in ("b/yor", "b/hau", "a/ibo"):
        write_set(tmp_path / "data" / name)
    (tmp_path / "data" / "notes").mkdir()
    (tmp_path / "data" / "README.md").touch()
    places = [str(tmp_path / "data"), str(tmp_path / "data" / "b")]
    assert [found.name for found in read_sets(places)] == ["a/ibo", "b/hau", "b/yor"]


def test_the_script_is_that_of_most_letters(tmp_path: Path) -> None:
    words = {"hin": "नमस्ते O\nABC O\n", "urd": "سلام O\n", "nul": "1 O\n2 O\n"}
    for language, text in words.items():
        write_set(tmp_path / "s" / language, train=text)
    assert [found.script for found in read_sets([str(tmp_path / "s")])] == ["Devanagari", "", "Arabic"]


def test_a_fingerprint_changes_with_any_token_or_span(tmp_path: Path) -> None:
    texts = [(TRAIN, TEST), (TRAIN.replace("B-PER", "B-LOC"), TEST), (TRAIN, TEST.replace("left", "came"))]
    for i, (train, test) in enumerate(texts):
        write_set(tmp_path / f"{i}" / "swa", train, test)
    write_set(tmp_path / "3" / "swa", TRAIN, TEST, ending="tsv")
    prints = [found.fingerprint for i in range(4) for found in read_sets([str(tmp_path / f"{i}")])]
    assert len(set(prints)) == 3
    assert prints[0] == prints[3]


@pytest.mark.parametrize("by_name", [True, False])
def test_a_set_of_the_library_saved_to_disk_is_read(tmp_path: Path, by_name: bool) -> None:
    splits = {}
    for half, (tokens, numbers) in (("train", TRAIN_SPLIT), ("test", TEST_SPLIT)):
        tags: Any = [[NAMES[number] for number in row] for row in numbers] if by_name else numbers
        splits[half] = split_of(tokens, tags, datasets.Value("string") if by_name else None)
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "saved" / "swa"))
    [found] = read_sets([str(tmp_path / "saved")])
    assert found.name == "saved/swa"
    assert found.train.sentences == [["Juma", "left"], ["Kigoma"]]  # the one without a token is left out
    assert found.train.spans == [spans_of((0, 1, "PER")), spans_of((0, 1, "LOC"))]
    assert (found.test.spans, found.test.n_repaired) == ([spans_of((0, 2, "PER"))], 1)


def test_configurations_of_a_set_of_the_hub_are_sets_by_language(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(repository: str, configuration: str | None) -> Any:
        asked.append((repository, configuration))
        return {"train": split_of(*TRAIN_SPLIT), "test": split_of(*TEST_SPLIT)}

    monkeypatch.setattr(datasets, "load_dataset", load)
    found = read_sets(["wikiann:sw,yo", "someone/news"])
    assert [its.name for its in found] == ["wikiann/sw", "wikiann/yo", "news"]
    assert asked == [("unimelb-nlp/wikiann", "sw"), ("unimelb-nlp/wikiann", "yo"), ("someone/news", None)]


def test_wikiann_alone_stands_for_the_100_languages_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = {"train": split_of(*TRAIN_SPLIT), "test": split_of(*TEST_SPLIT)}
    monkeypatch.setattr(datasets, "load_dataset", lambda repository, configuration: halves)
    languages = [found.language for found in read_sets(["wikiann"])]
    assert len(languages) == len(set(languages)) == 100
    assert {"ig", "rw", "yo", "zh-min-nan"} < set(languages)
    assert not {"sw", "en"} & set(languages)  # they have more than 100 sentences


def test_without_a_hub_a_name_is_one_clear_sentence() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_sets(["wikiann:sw"])
    message = str(caught.value)
    assert message.startswith("there is no folder wikiann:sw, and the set of this name cannot be had from the hub (")
    assert message.endswith("save the set with `save_to_disk` where there is a network and give the folder")
    assert "\n" not in message


def save(folder: Path, **splits: Any) -> None:
    datasets.DatasetDict(splits).save_to_disk(str(folder))


def test_what_a_saved_set_lacks_is_named(tmp_path: Path) -> None:
    train, test = split_of(*TRAIN_SPLIT), split_of(*TEST_SPLIT)
    numbers = split_of(*TEST_SPLIT, datasets.Value("int64"))
    wrong_length = split_of([["a", "b"]], [[0]])
    bioes = split_of([["a"]], [["S-PER"]], datasets.Value("string"))
    save(tmp_path / "no_train", test=test, validation=test)
    save(tmp_path / "no_tags", train=train.remove_columns("ner_tags"), test=test)
    save(tmp_path / "no_names", train=train, test=numbers)
    save(tmp_path / "lengths", train=train, test=wrong_length)
    save(tmp_path / "scheme", train=train, test=bioes)
    save(tmp_path / "empty", train=train, test=split_of([[]], [[]]))
    train.save_to_disk(str(tmp_path / "single"))
    reasons = {
        "no_train": "has no split train, only test, validation; give a set that has one",
        "no_tags": r"\(train\) has no column ner_tags, only tokens; rename the one that holds it",
        "no_names": r"\(test\) has the tag 2 in ner_tags; a benchmark reads IOB2 by name",
        "lengths": "has a sentence of 2 tokens with 1 tags; repair the set",
        "scheme": "has the tag 'S-PER' in ner_tags",
        "empty": r"\(test\) holds no sentence; check that it is the right set",
        "single": "holds a single split; save a DatasetDict with the splits train and test instead",
    }
    for name, reason in reasons.items():
        with pytest.raises(InvalidInput, match=reason):
            read_sets([str(tmp_path / name)])


def test_folders_that_are_no_set_are_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (write_set(tmp_path / "half") / "test.txt").unlink()
    (write_set(tmp_path / "twice") / "train.conll").touch()
    (write_set(tmp_path / "broken") / "train.txt").write_text("a b c d\n", encoding="utf-8")
    save(tmp_path / "torn", train=split_of(*TRAIN_SPLIT), test=split_of(*TEST_SPLIT))
    (tmp_path / "torn" / "train" / "state.json").unlink()
    reasons = {
        "bare": "holds no set; give a folder with train.txt and test.txt",
        "half": "has no test file; name it test.txt or test.conll",
        "twice": "has train.txt and train.conll; leave one of them",
        "no/such/folder": "there is no folder .*; give a folder with train and test files, or a set of the hub",
        "torn": "cannot be read as a saved set",
    }
    for name, reason in reasons.items():
        with pytest.raises(InvalidInput, match=reason):
            read_sets([str(tmp_path / name)])
    with pytest.raises(FormatError, match=r"train\.txt:1: 4 columns"):
        read_sets([str(tmp_path / "broken")])
