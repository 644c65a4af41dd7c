"""The model card of a checkpoint: what it says, by hand, and that every program can read it."""

import json
import re
from contextlib import redirect_stdout
from dataclasses import replace
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from encoders import FAST, LABELS, SENTENCES, SPANS, tiny_bert
from huggingface_hub import metadata_load

from maner_core.backbones import Origin, origin_of
from maner_core.errors import NoCheckpoint
from maner_core.inference import Tagger
from maner_core.model_card import DataCard, Evaluation, Settings, TrainingData, describe, hash_of_ids, render
from maner_core.training import train

SETTINGS: Settings = {
    "format": 1,
    "labels": ["PER", "LOC"],
    "config": {"system": "maner", "lora_rank": 0},
    "report": {"train_f1": 0.9876, "steps": 1234, "seconds": 61.7, "device": "cpu", "seed": 7, "restarts": 0},
    "data": {"sentences": 1000, "words": 20000, "entities": 1500, "sentences_sha256": "abc"},
    "backbone": {"name": "xlm-roberta-base", "hub_id": "xlm-roberta-base", "licence": ""},
    "versions": {"torch": "2.0", "transformers": "5.0"},
}


def rows(card: str) -> dict[str, str]:
    """The table of a card."""
    found = re.findall(r"^\| (.*?) \| (.*) \|$", card, re.MULTILINE)
    return dict(found)


def test_a_card_says_what_is_known_and_what_is_not() -> None:
    card = render(SETTINGS)
    assert rows(card) == {
        "trained on": "1,000 sentences, 20,000 words, 1,500 entities",
        "language": "not stated",
        "F1": "not measured on sentences it has not seen",
        "F1 on its own training sentences": "0.988",
        "system": "maner: a mask goes before every word, and the word's tag is read from it",
        "backbone": "xlm-roberta-base, licence: see https://huggingface.co/xlm-roberta-base",
        "training": "1,234 steps, 62 s on cpu, seed 7",
        "versions": "torch 2.0, transformers 5.0, checkpoint format 1",
        "SHA-256 of the sentences": "abc",
    }
    assert "# Named entity tagger: PER, LOC\n" in card
    assert "does not work in a `pipeline`" in card


def test_a_card_of_a_final_training_says_that_no_estimate_is_left() -> None:
    evaluation = {"f1": 0.8, "f1_low": 0.7, "f1_high": 0.9, "sentences": 1200, "of": "test.conll"}
    card = render(SETTINGS | {"evaluation": evaluation, "data": SETTINGS["data"] | {"evaluation_sentences": 200}})
    assert rows(card)["F1"] == "trained on the evaluation sentences too: no estimate of its F1 is left"
    assert rows(card)["trained on"].endswith("1,500 entities; 200 of the sentences were for evaluation")
    assert "confidence" not in card


def test_a_card_says_that_a_training_was_repeated() -> None:
    table = rows(render(SETTINGS | {"report": SETTINGS["report"] | {"restarts": 2, "seed": 9}}))
    assert table["repetitions"].startswith("2, with other seeds: a training had not learned its own sentences")
    assert table["training"].endswith("seed 9")


@pytest.mark.parametrize(("adaptation", "how"), [("before", "the backbone first learned"), ("beside", "a second loss")])
def test_a_card_says_that_unlabelled_text_was_learned_from(tmp_path: Path, adaptation: str, how: str) -> None:
    backbone = str(tiny_bert(tmp_path / "backbone"))
    config = replace(FAST, backbone=backbone, adaptation=adaptation, mlm_steps=1, min_steps=1, max_steps=1)
    train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", text=SENTENCES)
    assert how in rows((tmp_path / "run" / "README.md").read_text(encoding="utf-8"))["unlabelled text"]


def test_a_card_tells_f1_with_its_interval_language_and_project() -> None:
    settings = SETTINGS | {
        "evaluation": {"f1": 0.81234, "f1_low": 0.77, "f1_high": 0.84, "sentences": 1200, "of": "test.conll"},
        "data": SETTINGS["data"] | {"language": "swa", "project": "News", "ids_sha256": "def"},
    }
    table = rows(render(settings))
    assert table["F1"] == "0.812 (0.770 to 0.840 with 95% confidence) on 1,200 sentences of test.conll"
    assert (table["language"], table["project"], table["SHA-256 of the sentence ids"]) == ("swa", "News", "def")


@pytest.mark.parametrize(
    ("system", "opens"), [("sner", True), ("mlm_ner", True), ("maner", False), ("maner_rand", False)]
)
def test_a_card_says_whether_the_checkpoint_opens_in_transformers(system: str, opens: bool) -> None:
    card = render(SETTINGS | {"config": {"system": system, "lora_rank": 0}})
    assert ('pipeline("token-classification"' in card) == opens
    assert "the backbone named above must be there" in render(SETTINGS | {"config": {"system": system, "lora_rank": 8}})


@pytest.mark.parametrize(
    ("language", "origin", "expected"),
    [
        ("swa", {"hub_id": "a/b", "licence": "mit"}, {"language": "swa", "license": "mit", "base_model": "a/b"}),
        ("Kiswahili: 'bara'", {"hub_id": "", "licence": ""}, {}),
    ],
)
def test_the_metadata_are_those_a_model_hub_reads(
    tmp_path: Path, language: str, origin: dict[str, str], expected: dict[str, str]
) -> None:
    settings = SETTINGS | {
        "data": SETTINGS["data"] | {"language": language},
        "backbone": {"name": "b", **origin},
    }
    (tmp_path / "README.md").write_text(render(settings), encoding="utf-8")
    fixed = {"pipeline_tag": "token-classification", "tags": ["maner", "named-entity-recognition"]}
    assert metadata_load(tmp_path / "README.md") == expected | fixed


def test_no_name_of_a_project_breaks_the_table() -> None:
    data = SETTINGS["data"] | {"project": "a | b\n---\n# {labels} <script>", "language": "{"}
    table = rows(render(SETTINGS | {"data": data}))
    assert table["project"] == "a \\| b --- # {labels} &lt;script>"
    assert len(table) == len(rows(render(SETTINGS))) + 1


def test_training_data_are_counted_and_hashed_by_hand() -> None:
    data = TrainingData.of([["Juma", "é\ud800"], []], [[], []])
    lines = '["Juma", "é\ud800"]\n[]'.encode("utf-8", "surrogatepass")
    assert data == TrainingData(2, 2, 0, sha256(lines).hexdigest())
    assert TrainingData.of(SENTENCES, SPANS).entities == sum(map(len, SPANS))


def test_the_hash_of_ids_does_not_depend_on_their_order() -> None:
    assert hash_of_ids([10, 3]) == hash_of_ids((3, 10)) == sha256(b"3\n10").hexdigest()
    assert hash_of_ids([]) == ""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    config = replace(FAST, backbone=str(tiny_bert(folder / "backbone")), min_steps=1, max_steps=1)
    train(SENTENCES, SPANS, LABELS, config, folder / "run")
    return folder / "run"


def test_what_the_training_could_not_know_is_added_bit_by_bit(checkpoint: Path) -> None:
    before = json.loads((checkpoint / "maner.json").read_text(encoding="utf-8"))
    describe(checkpoint, DataCard("swa", "News", [3, 10], snapshots=["May", "June"]))
    describe(checkpoint, DataCard(evaluation=Evaluation(0.5, 0.4, 0.6, 9, "test.conll")))
    after = json.loads((checkpoint / "maner.json").read_text(encoding="utf-8"))
    added = {"language": "swa", "project": "News", "ids_sha256": hash_of_ids([3, 10]), "snapshots": ["May", "June"]}
    evaluation = {"f1": 0.5, "f1_low": 0.4, "f1_high": 0.6, "sentences": 9, "of": "test.conll"}
    assert after == before | {"data": before["data"] | added, "evaluation": evaluation}
    assert (checkpoint / "README.md").read_text(encoding="utf-8") == render(after)
    assert "| snapshot of the project | May, June |" in render(after)
    assert not list(checkpoint.glob(".*"))
    assert Tagger.load(checkpoint).labels == LABELS


@pytest.mark.parametrize("settings", [None, "{", "[]", '{"format": 1}', '{"data": {}}'])
def test_a_folder_without_a_checkpoint_cannot_be_described(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        (tmp_path / "maner.json").write_text(settings, encoding="utf-8")
    with pytest.raises(
        NoCheckpoint, match=r"is no checkpoint of this release: maner\.json cannot be read \(.+\); train"
    ):
        describe(tmp_path, DataCard(language="swa"))
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ([] if settings is None else [settings])


def test_the_lines_on_the_card_load_and_ask_the_tagger(checkpoint: Path) -> None:
    card = (checkpoint / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    printed = StringIO()
    with redirect_stdout(printed):
        exec(code.replace("this/folder", str(checkpoint)))
    spans = Tagger.load(checkpoint).predict([["Rais", "amewasili", "Mombasa", "leo"]])[0].spans
    assert printed.getvalue() == f"{spans}\n"


def test_a_checkpoint_keeps_counts_versions_and_the_origin_of_its_backbone(checkpoint: Path) -> None:
    import torch
    import transformers

    settings: dict[str, Any] = json.loads((checkpoint / "maner.json").read_text(encoding="utf-8"))
    assert settings["data"]["sentences"] == len(SENTENCES)
    assert settings["data"]["sentences_sha256"] == TrainingData.of(SENTENCES, SPANS).sentences_sha256
    assert settings["versions"] == {"torch": torch.__version__, "transformers": transformers.__version__}
    assert settings["backbone"] == {"name": settings["config"]["backbone"], "hub_id": "", "licence": ""}


# Where a backbone comes from.


def test_the_bundled_backbone_is_under_the_mit_licence() -> None:
    assert origin_of("bundled").licence == "mit"
    assert origin_of("bundled").hub_id == "intfloat/multilingual-e5-small"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlanguage: swa\nlicense: apache-2.0\ntags: [a]\n---\n# A model", "apache-2.0"),
        ('---\nlicense: "cc-by-nc-4.0"\n---\n', "cc-by-nc-4.0"),
        ("---\nlanguage: swa\n---\nlicense: mit", ""),
        ("# A model\nlicense: mit\n", ""),
        ("", ""),
    ],
)
def test_the_licence_of_a_folder_is_that_of_its_card(tmp_path: Path, card: str, licence: str) -> None:
    assert origin_of(str(tmp_path)) == Origin(str(tmp_path))
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    assert origin_of(str(tmp_path)) == Origin(str(tmp_path), licence=licence)


def test_an_adapted_backbone_comes_from_the_one_it_was_adapted_from(tmp_path: Path) -> None:
    record = {"config": {"backbone": "bundled"}}
    (tmp_path / "adaptation.json").write_text(json.dumps(record), encoding="utf-8")
    origin, base = origin_of(str(tmp_path)), origin_of("bundled")
    assert origin == replace(base, name=f"{base.name}, adapted to unlabelled text")


def test_the_licence_of_a_model_of_the_hub_is_read_from_the_card_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert origin_of("a/model") == Origin("a/model", "a/model")
    snapshot = tmp_path / "models--a--model" / "snapshots" / "1234"
    snapshot.mkdir(parents=True)
    (snapshot / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    (tmp_path / "models--a--model" / "refs").mkdir()
    (tmp_path / "models--a--model" / "refs" / "main").write_text("1234", encoding="utf-8")
    assert origin_of("a/model") == Origin("a/model", "a/model", "mit")
