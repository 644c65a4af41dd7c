"""Frozen layers: the same tagger with and without what they computed being kept, for every family of encoders."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, TINY_ENCODERS, tiny_bert
from safetensors.torch import load_file
from transformers import BertConfig, ElectraConfig, ElectraModel

from maner_core import frozen, training
from maner_core.backbones import load_backbone
from maner_core.config import TrainConfig
from maner_core.encoding import WordEncoder
from maner_core.errors import InvalidConfig, RunFailed, UnsupportedBackbone
from maner_core.frozen import FrozenLayers, KeptStates
from maner_core.inference import Tagger, pad_windows
from maner_core.training import train


def without_dropout(folder: Path) -> Path:
    """The backbone in `folder` with every dropout at 0."""
    settings = folder / "config.json"
    values = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(
        json.dumps({name: 0.0 if "dropout" in name else value for name, value in values.items()}), encoding="utf-8"
    )
    return folder


def trained(backbone: Path, folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """The weights after a short training."""
    train(SENTENCES, SPANS, LABELS, replace(FAST, backbone=str(backbone), **changes), folder)
    weights: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return weights


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_keeping_the_states_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str) -> None:
    backbone = without_dropout(TINY_ENCODERS[encoder](tmp_path / "backbone"))
    changes = {"frozen_layers": 1, "dropout": 0.0, "subwords_at_once": 64}
    kept = trained(backbone, tmp_path / "kept", **changes)
    monkeypatch.setattr(training, "KeptStates", lambda *_: None)
    computed = trained(backbone, tmp_path / "computed", **changes)
    assert kept.keys() == computed.keys()
    for name, tensor in kept.items():
        torch.testing.assert_close(tensor, computed[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_what_is_frozen_stays_as_pretrained_and_all_else_learns(tmp_path: Path, encoder: str) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    before = load_file(backbone / "model.safetensors")
    trained(backbone, tmp_path / "run", frozen_layers=1)
    after = Tagger.load(tmp_path / "run", device="cpu").model.encoder.state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before.get(name, tensor))}
    upper = {name for name in after if "layer.1." in name or "layers.1." in name or "final_norm" in name}
    assert len(upper) > 5
    assert {name for name in upper if name.endswith("weight")} <= moved <= upper


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_the_views_of_an_encoder_add_up_to_it(tmp_path: Path, encoder: str) -> None:
    network, tokenizer = load_backbone(str(TINY_ENCODERS[encoder](tmp_path / "backbone")))
    words = WordEncoder(tokenizer, "maner", 128)
    windows = [window for its_windows in words.windows(SENTENCES) for window in its_windows]
    ids, mask, _, _ = pad_windows(windows, words.specials.pad)
    with torch.no_grad():
        expected = network(input_ids=ids, attention_mask=mask).last_hidden_state
        kept = KeptStates(FrozenLayers(network, 1), windows, [[2, 0], [1], [3, 4, 5, 6, 7]], words.specials.pad)
        states = kept.encode(range(8), mask)
        after = network(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(states[mask.bool()], expected[mask.bool()], rtol=1e-5, atol=1e-5)
    assert torch.equal(after, expected)


def test_a_frozen_training_learns_and_its_checkpoint_is_an_ordinary_one(tmp_path: Path) -> None:
    backbone = tiny_bert(tmp_path / "backbone")
    config = replace(FAST, backbone=str(backbone), frozen_layers=1, min_steps=150, max_steps=150)
    assert train(SENTENCES, SPANS, LABELS, config, tmp_path / "run").train_f1 == 1.0
    tagger = Tagger.load(tmp_path / "run")
    assert [prediction.spans for prediction in tagger.predict(SENTENCES)] == SPANS


def test_bfloat16_keeps_what_is_frozen_to_the_last_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_bert(tmp_path / "backbone")
    monkeypatch.setattr(training, "has_bfloat16", lambda _: True)
    before = load_file(backbone / "model.safetensors")
    after = trained(backbone, tmp_path / "run", frozen_layers=1, mixed_precision=True)
    for name, tensor in before.items():
        assert torch.equal(after[f"bert.{name}"], tensor) == ("layer.1." not in name)


# What cannot be frozen.


def test_at_least_one_layer_must_be_left_to_train(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="frozen_layers is 2, but this backbone has 2 layers; freeze 1 at most"):
        trained(tiny_bert(tmp_path / "backbone"), tmp_path / "run", frozen_layers=2)
    with pytest.raises(InvalidConfig, match="frozen_layers is -1; it must not be negative"):
        TrainConfig(frozen_layers=-1)


def test_a_layer_is_not_both_frozen_and_started_anew(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="frozen_layers is 1 and reinitialised_layers 2, but this backbone has 2"):
        trained(tiny_bert(tmp_path / "backbone"), tmp_path / "run", frozen_layers=1, reinitialised_layers=2)


def test_an_encoder_of_another_build_is_refused() -> None:
    network = ElectraModel(ElectraConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, vocab_size=9))
    with pytest.raises(UnsupportedBackbone, match="of the type 'electra' cannot be frozen; set frozen_layers to 0"):
        FrozenLayers(network, 1)
    assert BertConfig.model_type in frozen._LAYERS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_ends_the_training_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Any:
        return open("/dev/full", "wb")

    monkeypatch.setattr(frozen, "NamedTemporaryFile", full)
    with pytest.raises(RunFailed, match="do not fit on the disk of /dev/full"):
        trained(tiny_bert(tmp_path / "backbone"), tmp_path / "run", frozen_layers=1)
