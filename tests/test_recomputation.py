"""Gradient checkpointing: the same weights to the last bit, dropout included, for a part of the memory."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, TINY_ENCODERS, tiny_bert
from safetensors.torch import load_file

from maner_core import training
from maner_core.adaptation import adapt
from maner_core.config import TrainConfig
from maner_core.dropout import RandomBytes
from maner_core.errors import UnsupportedBackbone
from maner_core.recomputation import recomputed_layers


def weights_of(backbone: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """Of a network that was trained for a few steps, dropout and all."""
    config = replace(FAST, backbone=str(backbone), min_steps=3, max_steps=3, **changes)
    text = SENTENCES if config.adaptation != "none" else ()
    cpu, at_once = torch.device("cpu"), config.subwords_at_once
    tagger, _ = training._train_once(SENTENCES, SPANS, LABELS, text, config, cpu, at_once, None, None)
    weights: dict[str, torch.Tensor] = tagger.model.state_dict()
    return weights


@pytest.mark.parametrize(
    ("encoder", "changes"),
    [
        ("bert", {}),
        ("deberta", {"lora_rank": 2, "subwords_at_once": 40}),
        ("modernbert", {"frozen_layers": 1, "encoder_dropout": 0.3}),
        ("bert", {"system": "mlm_ner", "frozen_layers": 1}),
        ("xlmr", {"adaptation": "beside", "mixed_precision": True}),
    ],
    ids=["plain", "LoRA, in parts", "frozen", "frozen, not kept", "second loss, bfloat16"],
)
def test_layers_computed_anew_give_the_same_weights_with_dropout_and_all(
    tmp_path: Path, encoder: str, changes: dict[str, Any]
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path)
    kept, anew = weights_of(backbone, **changes), weights_of(backbone, **changes, gradient_checkpointing=True)
    assert kept.keys() == anew.keys()
    assert all(torch.equal(kept[name], anew[name]) for name in kept)


def test_without_the_same_dropout_the_weights_would_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_bert(tmp_path)
    kept = weights_of(backbone)
    monkeypatch.setattr(RandomBytes, "for_two_passes", lambda self: (nullcontext(), nullcontext()))
    anew = weights_of(backbone, gradient_checkpointing=True)
    assert not torch.allclose(kept["head.weight"], anew["head.weight"], atol=1e-4)


def test_an_adaptation_computes_layers_anew_too(tmp_path: Path) -> None:
    backbone = tiny_bert(tmp_path / "backbone")
    config = replace(FAST, backbone=str(backbone), mlm_steps=4, mlm_batch_size=4)
    adapted = []
    for name, anew in (("kept", False), ("anew", True)):
        adapt(SENTENCES, replace(config, gradient_checkpointing=anew), tmp_path / name)
        adapted.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(adapted[0][name], adapted[1][name]) for name in adapted[0])


def test_far_less_is_kept_for_the_backward_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_bert(tmp_path / "backbone")
    real_loss, kept = training._loss, {False: 0, True: 0}
    for anew in kept:

        def count(tensor: torch.Tensor, anew: bool = anew) -> torch.Tensor:
            kept[anew] += tensor.nbytes if tensor.grad_fn is not None else 0  # not the weights, which are there anyway
            return tensor

        def loss(*arguments: Any, count: Any = count) -> torch.Tensor:
            with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
                return real_loss(*arguments)

        monkeypatch.setattr(training, "_loss", loss)
        weights_of(backbone, gradient_checkpointing=anew)
    assert 0 < kept[True] < kept[False] / 3


def test_a_tagger_trained_so_predicts_as_any_other(tmp_path: Path) -> None:
    config = replace(FAST, backbone=str(tiny_bert(tmp_path)), gradient_checkpointing=True)
    cpu = torch.device("cpu")
    tagger, _ = training._train_once(SENTENCES, SPANS, LABELS, (), config, cpu, 1024, None, None)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in tagger.model.modules())
    assert tagger.model.encoder.config.use_cache  # as the backbone has it
    assert len(tagger.predict(SENTENCES)) == len(SENTENCES)


def test_a_backbone_that_cannot_is_refused_by_its_type() -> None:
    class Encoder:
        supports_gradient_checkpointing = False

        class config:  # noqa: N801
            model_type = "old"

    with (
        pytest.raises(UnsupportedBackbone, match="of the type 'old' cannot compute its layers anew; set gradient_ch"),
        recomputed_layers(Encoder(), TrainConfig(gradient_checkpointing=True), None),
    ):
        pass


def test_a_second_pass_gets_the_bytes_of_the_first_and_nobody_else_loses_any() -> None:
    random, undisturbed = RandomBytes(0), RandomBytes(0)
    expected = [undisturbed.take(700_000) for _ in range(4)]  # more than a block, so that one begins within the pass
    assert torch.equal(random.take(700_000), expected[0])
    first, again = random.for_two_passes()
    with first:
        assert torch.equal(random.take(700_000), expected[1])
    assert torch.equal(random.take(700_000), expected[2])
    with again:
        assert torch.equal(random.take(700_000), expected[1])
    assert torch.equal(random.take(700_000), expected[3])
