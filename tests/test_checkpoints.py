"""Checkpoints: what is loaded is what was saved, for this tool and for `transformers`; damaged folders are refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, TINY_ENCODERS, random_tagger, tiny_bert, tiny_modernbert
from safetensors import SafetensorError
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from maner_core import checkpoints
from maner_core.backbones import quiet_transformers
from maner_core.checkpoints import load_checkpoint, save_checkpoint
from maner_core.encoding import INPUT_SCHEMES
from maner_core.errors import NoCheckpoint, RunFailed
from maner_core.inference import Tagger
from maner_core.model_card import PLAIN_SYSTEMS, TrainingData
from maner_core.spans import iob2_tags
from maner_core.training import TrainReport, train

REPORT = TrainReport(
    seconds=1.0,
    steps=2,
    loss=0.5,
    train_f1=0.9,
    peak_memory_bytes=3,
    device="cpu",
    seed=4,
    restarts=0,
    subwords_at_once=1024,
)


def saved(tagger: Tagger, folder: Path) -> Path:
    save_checkpoint(folder, tagger, tagger.config, REPORT, data=TrainingData.of(SENTENCES, SPANS))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that `train` wrote, to copy and damage."""
    folder = tmp_path_factory.mktemp("trained")
    config = replace(FAST, backbone=str(tiny_bert(folder / "backbone")), min_steps=2, max_steps=2)
    train(SENTENCES, SPANS, LABELS, config, folder / "run")
    return folder / "run"


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
@pytest.mark.parametrize("system", INPUT_SCHEMES)
def test_probabilities_are_the_same_before_and_after_saving(tmp_path: Path, encoder: str, system: str) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    tagger = random_tagger(backbone, replace(FAST, system=system))
    before = tagger.predict(SENTENCES)
    loaded = Tagger.load(saved(tagger, tmp_path / "run"), device="cpu")
    assert (loaded.labels, loaded.config) == (tagger.labels, tagger.config)
    for one, other in zip(before, loaded.predict(SENTENCES), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(one.embedding, other.embedding)


@pytest.mark.parametrize("folds", [0, 2])
def test_a_checkpoint_says_of_its_training_just_what_train_returned(tmp_path: Path, folds: int) -> None:
    """By this a restore tells the weights of a run from those of another database's run of the same number."""
    config = replace(FAST, backbone=str(tiny_bert(tmp_path / "backbone")), calibration_folds=folds)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "maner.json").read_text(encoding="utf-8"))["report"]
    assert stored == json.loads(json.dumps(asdict(report)))


def test_others_than_who_trained_may_read_a_checkpoint(trained: Path) -> None:
    assert trained.stat().st_mode & 0o777 == 0o755


def test_a_checkpoint_needs_neither_its_backbone_nor_its_old_place(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "moved")
    tagger = Tagger.load(tmp_path / "moved")
    tagger.config = replace(tagger.config, backbone="gone")
    expected = Tagger.load(trained).predict(SENTENCES)
    for one, other in zip(expected, tagger.predict(SENTENCES), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_an_sner_checkpoint_opens_in_transformers_and_gives_the_same_logits(tmp_path: Path, encoder: str) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    tagger = random_tagger(backbone, replace(FAST, system="sner"))
    folder = saved(tagger, tmp_path / "run")
    with quiet_transformers():
        model, info = AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert model.config.id2label == {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
    for sentence, prediction in zip(SENTENCES, tagger.predict(SENTENCES), strict=True):
        encoded = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
        words = encoded.word_ids()
        first = [words.index(i) for i in range(len(sentence))]
        with torch.inference_mode():
            logits = model(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits[0, first]
        np.testing.assert_allclose(logits.softmax(-1).numpy(), prediction.probabilities, atol=1e-5)


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
@pytest.mark.parametrize("system", PLAIN_SYSTEMS)
def test_a_checkpoint_that_reads_plain_sentences_tags_words_alike_in_a_pipeline(
    tmp_path: Path, encoder: str, system: str
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    tagger = random_tagger(backbone, replace(FAST, system=system))
    folder = saved(tagger, tmp_path / "run")
    with quiet_transformers():
        tag = pipeline("token-classification", model=str(folder), ignore_labels=[])
        found = [tag(" ".join(sentence)) for sentence in SENTENCES]
    tags = iob2_tags(LABELS)
    windows = Tagger.load(folder).words.windows(SENTENCES)
    for [window], prediction, pieces in zip(windows, tagger.predict(SENTENCES), found, strict=True):
        tag_at = {piece["index"]: piece["entity"] for piece in pieces}
        most_probable = [tags[i] for i in prediction.probabilities.argmax(axis=1)]
        assert [tag_at[position] for position in window.positions] == most_probable


def test_a_pipeline_finds_the_spans_that_the_tagger_finds(tmp_path: Path) -> None:
    """With a tokenizer that tells a pipeline where words begin; without, it guesses from the spaces."""
    tagger = random_tagger(tiny_bert(tmp_path / "backbone"), replace(FAST, system="sner"))
    folder = saved(tagger, tmp_path / "run")
    with quiet_transformers():
        find = pipeline("token-classification", model=str(folder), aggregation_strategy="first")
        found = [find(" ".join(sentence)) for sentence in SENTENCES]
    assert any(found)
    for sentence, prediction, entities in zip(SENTENCES, tagger.predict(SENTENCES), found, strict=True):
        expected = [(" ".join(sentence[span.start : span.end]), span.label) for span in prediction.spans]
        text = " ".join(sentence)
        assert [(text[entity["start"] : entity["end"]], entity["entity_group"]) for entity in entities] == expected


def test_a_checkpoint_holds_weights_tokenizer_settings_and_card(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    settings = {"maner.json", "config.json", "tokenizer.json", "tokenizer_config.json"}
    assert names == {"model.safetensors", "README.md", "entities.json", *settings}
    assert json.loads((trained / "maner.json").read_text(encoding="utf-8"))["format"] == 1


def test_saving_again_replaces_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    tagger = Tagger.load(trained, device="cpu")
    folder = saved(tagger, tmp_path / "run")
    (folder / "stale").touch()
    with torch.no_grad():
        tagger.model.head.bias.add_(1.0)
    saved(tagger, folder)
    assert not (folder / "stale").exists()
    assert torch.equal(Tagger.load(folder, device="cpu").model.head.bias, tagger.model.head.bias)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_save_that_fails_says_so_and_leaves_the_old_checkpoint_and_nothing_else(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise error

    tagger = Tagger.load(trained, device="cpu")
    folder = saved(tagger, tmp_path / "run")
    monkeypatch.setattr(checkpoints, "save_file", disk_full)
    with pytest.raises(RunFailed, match=r"run cannot be written \(.*No space left on device\); make room on its disk"):
        saved(tagger, folder)
    assert list(tmp_path.iterdir()) == [folder]
    assert Tagger.load(folder).predict(SENTENCES)[0].tags


def cut(name: str, keep: int) -> Callable[[Path], None]:
    """Damage: only the first bytes of a file are left."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:keep])

    return damage


def change(name: str, **values: object) -> Callable[[Path], None]:
    """Damage: some values of a JSON file are others, or gone where they are None."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8")) | values
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / name).write_text(json.dumps(kept), encoding="utf-8")

    return damage


def change_config(**values: object) -> Callable[[Path], None]:
    """Damage: some settings of the training are others."""

    def damage(folder: Path) -> None:
        config = json.loads((folder / "maner.json").read_text(encoding="utf-8"))["config"]
        change("maner.json", config=config | values)(folder)

    return damage


def replace_by(name: str, text: str) -> Callable[[Path], None]:
    """Damage: a file holds something else."""

    def damage(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return damage


def exchange_tokenizer(folder: Path) -> None:
    """Damage: the tokenizer is that of an encoder with more sub-words."""
    other = tiny_modernbert(folder / "other")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(other / name, folder / name)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "weights cut in the middle": cut("model.safetensors", 20_000),
    "weights cut in the header": cut("model.safetensors", 100),
    "weights empty": cut("model.safetensors", 0),
    "weights of something else": replace_by("model.safetensors", "no weights at all, but a text of some length"),
    "settings cut": cut("maner.json", 100),
    "settings empty": cut("maner.json", 0),
    "settings are a list": replace_by("maner.json", "[]"),
    "settings are a number": replace_by("maner.json", "7"),
    "settings without labels": change("maner.json", labels=None),
    "settings without config": change("maner.json", config=None),
    "settings without format": change("maner.json", format=None),
    "settings of a later format": change("maner.json", format=99),
    "one label less": change("maner.json", labels=["PER"]),
    "labels are a number": change("maner.json", labels=7),
    "labels in another order": change("maner.json", labels=LABELS[::-1]),
    "labels are numbers": change("maner.json", labels=[1, 2]),
    "an unknown setting": change_config(colour="red"),
    "an unknown system": change_config(system="crf"),
    "a setting out of range": change_config(batch_size=0),
    "a setting of the wrong type": change_config(batch_size="eight"),
    "encoder configuration cut": cut("config.json", 50),
    "encoder of an unknown type": change("config.json", model_type="no-such-thing"),
    "encoder of another width": change("config.json", hidden_size=64),
    "encoder with more layers": change("config.json", num_hidden_layers=3),
    "encoder with a larger vocabulary": change("config.json", vocab_size=9999),
    "encoder with a number for its activation": change("config.json", hidden_act=7),
    "encoder with a text for its width": change("config.json", hidden_size="32"),
    "tokenizer cut": cut("tokenizer.json", 500),
    "tokenizer empty": cut("tokenizer.json", 0),
    "tokenizer of another encoder": exchange_tokenizer,
    "tokenizer without a mask": change("tokenizer_config.json", mask_token=None),
    "tokenizer without the token of its system": change_config(system="maner_rand"),
    "tokenizer settings cut": cut("tokenizer_config.json", 50),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_is_refused_in_one_sentence(
    trained: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    damage(folder)
    with pytest.raises(NoCheckpoint) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert message.startswith(f"the checkpoint {folder} is damaged (")
    assert message.endswith("; train it again")
    assert "()" not in message
    assert ":)" not in message  # the first line alone of what is wrong with a value
    assert "\n" not in message


@pytest.mark.parametrize("name", ["maner.json", "model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(trained: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(NoCheckpoint) as caught:
        load_checkpoint(folder)
    expected = f"{folder} is no checkpoint of this tool: {name} is missing; give the folder a training wrote"
    assert str(caught.value) == expected


def test_a_foreign_an_empty_and_a_missing_folder_and_a_file_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for place in (tiny_bert(tmp_path / "foreign"), tmp_path / "empty", tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(NoCheckpoint, match=r"is no checkpoint of this tool: maner\.json is missing"):
            Tagger.load(place)
