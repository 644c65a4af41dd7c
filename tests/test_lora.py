"""LoRA: small checkpoints that need their backbone, the same tagger after loading, and nothing trained but the adapter."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, TINY_ENCODERS, tiny_bert
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

from maner_core import training
from maner_core.backbones import load_backbone, load_encoder, quiet_transformers
from maner_core.checkpoints import save_checkpoint
from maner_core.config import TrainConfig
from maner_core.errors import InvalidConfig, NoCheckpoint
from maner_core.inference import Tagger
from maner_core.lora import add_adapter, weights_sha256
from maner_core.model import TokenTagger
from maner_core.optimiser import Optimiser
from maner_core.training import train

LORA = replace(FAST, lora_rank=4, lora_learning_rate=1e-2)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def trained(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that has learned its sentences, as plain text."""
    config = replace(LORA, backbone=str(bert), system="sner", min_steps=150, max_steps=150)
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert train(SENTENCES, SPANS, LABELS, config, folder).train_f1 == 1.0
    return folder


def changed(folder: Path, name: str, **values: Any) -> Path:
    """The folder, after some values of one of its JSON files were set."""
    content = json.loads((folder / name).read_text(encoding="utf-8")) | values
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_checkpoint_is_the_adapter_and_the_head_alone(bert: Path, trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names >= {"maner.json", "adapter_config.json", "adapter_model.safetensors"}
    assert not names & {"model.safetensors", "tokenizer.json", "config.json"}
    sizes = {name: tuple(tensor.shape) for name, tensor in load_file(trained / "adapter_model.safetensors").items()}
    assert sizes.pop("base_model.model.classifier.weight") == (5, 32)
    assert sizes.pop("base_model.model.classifier.bias") == (5,)
    # Two layers of query, key, value, two of the feed-forward network and what is behind the attention.
    assert len(sizes) == 2 * 6 * 2
    assert {min(shape) for shape in sizes.values()} == {4}
    settings = json.loads((trained / "maner.json").read_text(encoding="utf-8"))
    assert settings["backbone_sha256"] == weights_sha256(load_encoder(str(bert)))
    assert json.loads((trained / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"] == str(
        bert
    )


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_a_loaded_adapter_predicts_as_the_tagger_that_was_trained(tmp_path: Path, encoder: str) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    config = replace(LORA, backbone=str(backbone))
    tagger, report = training._train_once(SENTENCES, SPANS, LABELS, [], config, torch.device("cpu"), 1024, None, None)
    save_checkpoint(tmp_path / "run", tagger, config, report)
    untrained, merged = load_encoder(str(backbone)).state_dict(), tagger.model.encoder.state_dict()
    moved = [name for name, tensor in untrained.items() if name in merged and not torch.equal(merged[name], tensor)]
    assert len(moved) >= 2 * 4 + 1  # the matrices of two layers, and the embedding, of which only some rows are there
    loaded = Tagger.load(tmp_path / "run", device="cpu")
    for one, other in zip(tagger.predict(SENTENCES), loaded.predict(SENTENCES), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_a_loaded_adapter_can_be_saved_again(trained: Path, tmp_path: Path) -> None:
    tagger = Tagger.load(trained, device="cpu")
    report = training.TrainReport(**json.loads((trained / "maner.json").read_text(encoding="utf-8"))["report"])
    save_checkpoint(tmp_path / "run", tagger, tagger.config, report)
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (trained, tmp_path / "run"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's own
def test_an_sner_adapter_opens_in_peft_and_gives_the_same_probabilities(bert: Path, trained: Path) -> None:
    with quiet_transformers():
        base = AutoModelForTokenClassification.from_pretrained(bert, num_labels=5)
        model = PeftModel.from_pretrained(base, trained).eval()
    tokenizer = AutoTokenizer.from_pretrained(bert)
    for sentence, prediction in zip(SENTENCES, Tagger.load(trained).predict(SENTENCES), strict=True):
        encoded = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
        words = encoded.word_ids()
        first = [words.index(i) for i in range(len(sentence))]
        with torch.inference_mode():
            logits = model(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits[0, first]
        np.testing.assert_allclose(logits.softmax(-1).numpy(), prediction.probabilities, atol=1e-5)


def test_only_the_adapter_and_the_head_are_trained_and_the_rest_comes_back_to_the_last_bit(bert: Path) -> None:
    encoder, _ = load_backbone(str(bert))
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    add_adapter(encoder, LORA)
    model = TokenTagger(encoder, 5, dropout=0.0)
    optimiser = Optimiser(model, LORA, steps=3, bfloat16=True)
    held = sum(weight.numel() for slice_ in optimiser._slices for weight in slice_[0].values())
    in_layers = 2 * 4 * (4 * (32 + 32) + 2 * (32 + 64))
    assert held == in_layers + 5 * 32 + 5
    for _ in range(3):
        ids = torch.randint(5, 60, (2, 7))
        logits, _ = model(ids, torch.ones_like(ids), torch.tensor([0, 1]), torch.tensor([1, 2]))
        logits.square().sum().backward()
        optimiser.step()
    optimiser.close()
    after = {name.replace(".base_layer", ""): tensor for name, tensor in encoder.state_dict().items()}
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert any(tensor.any() for name, tensor in after.items() if "lora_B" in name)


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_frozen_layers_get_no_adapter(tmp_path: Path, encoder: str) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    train(SENTENCES, SPANS, LABELS, replace(LORA, backbone=str(backbone), frozen_layers=1), tmp_path / "run")
    names = set(load_file(tmp_path / "run" / "adapter_model.safetensors"))
    assert any(".1." in name for name in names)
    assert not any(".0." in name for name in names)
    Tagger.load(tmp_path / "run")


def test_the_same_seed_gives_the_same_adapter(bert: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        train(SENTENCES, SPANS, LABELS, replace(LORA, backbone=str(bert)), tmp_path / name)
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)


# How it ends badly.


def test_a_machine_without_the_backbone_is_told_so(trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    settings = json.loads((folder / "maner.json").read_text(encoding="utf-8"))
    changed(folder, "maner.json", config=settings["config"] | {"backbone": str(tmp_path / "gone")})
    with pytest.raises(NoCheckpoint) as caught:
        Tagger.load(folder)
    message = str(caught.value)
    assert message.startswith(f"the checkpoint {folder} holds an adapter alone and needs its backbone: the backbone '")
    assert "\n" not in message


def test_an_adapter_is_not_put_on_other_weights(trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    settings = json.loads((folder / "maner.json").read_text(encoding="utf-8"))
    other = tiny_bert(tmp_path / "other", seed=1)
    changed(folder, "maner.json", config=settings["config"] | {"backbone": str(other)})
    with pytest.raises(NoCheckpoint, match="whose weights are not those it was trained beside"):
        Tagger.load(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "maner.json"])
def test_a_damaged_or_missing_file_is_told_in_one_sentence(trained: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / name).write_bytes((folder / name).read_bytes()[:60])
    with pytest.raises(NoCheckpoint, match="is damaged"):
        Tagger.load(folder)
    (folder / name).unlink()
    with pytest.raises(NoCheckpoint, match=f"is no checkpoint of this tool: {name} is missing"):
        Tagger.load(folder)


@pytest.mark.parametrize(
    "change", [{"r": 2}, {"target_modules": ["query", "no_such_layer"]}, {"target_modules": ["nothing"]}]
)
def test_an_adapter_of_another_rank_or_of_other_layers_is_damaged(
    trained: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = changed(shutil.copytree(trained, tmp_path / "run"), "adapter_config.json", **change)
    with pytest.raises(NoCheckpoint, match="is damaged"):
        Tagger.load(folder)


def test_what_would_change_the_backbone_is_refused() -> None:
    with pytest.raises(
        InvalidConfig, match="lora_rank is 8, whose checkpoint leaves the backbone's weights out, but adapt"
    ):
        TrainConfig(lora_rank=8, adaptation="before")
    with pytest.raises(
        InvalidConfig, match="but reinitialised_layers changes those; set one of the two to its default"
    ):
        TrainConfig(lora_rank=8, reinitialised_layers=1)
