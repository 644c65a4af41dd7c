"""The optimiser: AdamW by hand, float32 weights behind a network in bfloat16, and the dropout that goes with it."""

from contextlib import closing
from dataclasses import replace

import pytest
import torch
from encoders import FAST, tiny_bert
from torch import nn

from maner_core import optimiser
from maner_core.attention import attention
from maner_core.backbones import load_encoder
from maner_core.dropout import FastDropout, RandomBytes, use_fast_dropout
from maner_core.model import TokenTagger
from maner_core.optimiser import Optimiser, warm_up_and_decay


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bert(tmp_path_factory.mktemp("bert")))


def fresh_model(backbone: str) -> TokenTagger:
    torch.manual_seed(0)
    return TokenTagger(load_encoder(backbone), 3, dropout=0.0).eval()


def give_gradients(model: TokenTagger, size: float) -> None:
    torch.manual_seed(1)
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight) * size


def test_ten_steps_are_those_of_one_adamw_over_all_weights(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimiser, "_SLICE", 5000)
    config = replace(FAST, weight_decay=0.1, clip_norm=1.0, warmup_fraction=0.2)
    ours, plain = fresh_model(backbone), fresh_model(backbone)
    named = dict(plain.named_parameters())
    decayed = {name for name, weight in named.items() if weight.ndim == 2 and "embedding" not in name}
    reference = torch.optim.AdamW(
        [
            {
                "params": [weight],
                "lr": 1e-2 if name.startswith("head") else 2e-3,
                "weight_decay": 0.1 * (name in decayed),
            }
            for name, weight in named.items()
        ]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(reference, warm_up_and_decay(10, 0.2))
    with closing(Optimiser(ours, config, 10, bfloat16=False)) as stepper:
        assert len(stepper._slices) > 3
        for size in (0.001, 0.01, 1, 10, 0.1, 0.01, 0.001, 0.01, 1, 1):
            give_gradients(ours, size)
            give_gradients(plain, size)
            norm = nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
            reference.step()
            schedule.step()
            assert stepper.step() == pytest.approx(norm.item(), rel=1e-5)
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight, named[name], rtol=1e-5, atol=1e-6, msg=name)


def test_updates_too_small_for_bfloat16_add_up_in_the_float32_weights(backbone: str) -> None:
    model = fresh_model(backbone)
    weight = model.encoder.encoder.layer[0].intermediate.dense.weight
    weight.data.fill_(1.0)
    config = replace(FAST, learning_rate=1e-4, weight_decay=0.0, warmup_fraction=0.0)
    with closing(Optimiser(model, config, 1000, bfloat16=True)) as stepper:
        assert weight.dtype == torch.bfloat16
        assert model.head.weight.dtype == torch.float32
        for _ in range(15):
            weight.grad = torch.ones_like(weight)
            stepper.step()
            assert weight.grad is None
        assert weight.eq(1.0).all()  # 0.9985 rounds to 1 among numbers that are 1/256 apart
    assert weight.dtype == torch.float32
    assert weight.mean().item() == pytest.approx(1 - 15 * 1e-4, abs=5e-5)


def test_a_norm_that_is_no_number_leaves_every_weight_as_it_was(backbone: str) -> None:
    model = fresh_model(backbone)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    with closing(Optimiser(model, FAST, 10, bfloat16=False)) as stepper:
        give_gradients(model, float("inf"))
        assert not torch.isfinite(torch.tensor(stepper.step()))
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_dropout_keeps_the_mean_and_drops_the_share_it_says() -> None:
    dropout = FastDropout(0.1, RandomBytes(seed=0)).train()
    x = torch.ones(2000, 1000)
    out = dropout(x)
    assert (out == 0).float().mean().item() == pytest.approx(26 / 256, abs=1e-3)
    assert out.mean().item() == pytest.approx(1.0, abs=2e-3)
    assert out.unique().tolist() == pytest.approx([0.0, 256 / 230])
    assert not torch.equal(out, dropout(x))
    assert torch.equal(dropout.eval()(x), x)


def test_dropout_follows_its_seed_and_stops_gradients_where_it_drops() -> None:
    first, second = (FastDropout(0.5, RandomBytes(seed=3)).train() for _ in range(2))
    x = torch.randn(50, 50, requires_grad=True)
    out = first(x)
    assert torch.equal(out, second(x))
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, out == 0)


def test_every_dropout_of_a_network_is_replaced_and_nothing_else(backbone: str) -> None:
    model = TokenTagger(load_encoder(backbone), 3, dropout=0.2).train()
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Dropout)]
    before = model.state_dict().keys()
    use_fast_dropout(model, seed=0)
    replaced = {name: module for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    assert list(replaced) == names
    assert all(type(module) is FastDropout and module.training for module in replaced.values())
    assert model.dropout.p == round(0.2 * 256) / 256
    assert model.state_dict().keys() == before


@pytest.mark.parametrize("masked", [True, False], ids=["with padding", "without padding"])
def test_attention_in_bfloat16_gives_what_float32_gives(masked: bool) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, 7, 8) for _ in range(3))
    mask = torch.ones(2, 1, 7, 7, dtype=torch.bool)
    mask[1, :, :, 5:] = False
    seen, module = mask if masked else None, nn.Module()
    exact, _ = attention(module, query, key, value, seen, is_causal=False)
    written_out, _ = attention(module, query.bfloat16(), key.bfloat16(), value.bfloat16(), seen, is_causal=False)
    assert written_out.dtype == torch.bfloat16
    torch.testing.assert_close(written_out.float(), exact, rtol=0.05, atol=0.02)


def test_a_network_in_bfloat16_sees_no_padding_and_gives_what_float32_gives(backbone: str) -> None:
    model = fresh_model(backbone)
    ids = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    exact, _ = model(ids, (ids != 0).long(), torch.tensor([0, 1]), torch.tensor([1, 1]))
    model.encoder.to(torch.bfloat16)
    rounded, _ = model(ids, (ids != 0).long(), torch.tensor([0, 1]), torch.tensor([1, 1]))
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.02)


def test_each_layer_learns_slower_than_the_one_above_it(backbone: str) -> None:
    config = replace(FAST, learning_rate=1e-3, head_learning_rate=1e-2, layer_decay=0.5)
    with closing(Optimiser(fresh_model(backbone), config, 10, bfloat16=False)) as stepper:
        assert stepper._rate_of_layer("encoder.encoder.layer.1.output.dense.weight", config) == 1e-3
        assert stepper._rate_of_layer("encoder.encoder.layer.0.output.dense.weight", config) == 0.5e-3
        assert stepper._rate_of_layer("encoder.embeddings.word_embeddings.weight", config) == 0.25e-3
        rates = {group["initial_lr"] for _, adamw in stepper._slices for group in adamw.param_groups}
    assert rates == {1e-2, 1e-3, 0.5e-3, 0.25e-3}
