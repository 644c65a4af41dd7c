"""The network: an encoder and a linear layer at the given positions, and an embedding of the used rows alone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from encoders import FAST, HIDDEN, LABELS, SENTENCES, SPANS, TINY_ENCODERS

from maner_core.attention import use_fast_attention, use_plain_attention
from maner_core.backbones import load_backbone, load_encoder
from maner_core.errors import InvalidConfig
from maner_core.model import (
    TokenTagger,
    TrimmedEmbedding,
    number_of_layers,
    reinitialise,
    set_dropout,
    trim_vocabulary,
)
from maner_core.training import train


@pytest.fixture(params=TINY_ENCODERS)
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A random encoder of each architecture."""
    return load_backbone(str(TINY_ENCODERS[request.param](tmp_path)))[0]


IDS = torch.tensor([[2, 4, 20, 4, 21, 22, 3], [2, 4, 23, 3, 0, 0, 0]])
MASK = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
ROWS, COLUMNS = torch.tensor([0, 0, 1]), torch.tensor([1, 3, 1])


def test_logits_are_the_head_applied_to_the_states_at_the_given_positions(encoder: Any) -> None:
    model = TokenTagger(encoder, n_tags=5, dropout=0.5).eval()
    with torch.no_grad():
        logits, states = model(IDS, MASK, ROWS, COLUMNS)
        everything = encoder(IDS, attention_mask=MASK).last_hidden_state
    assert logits.shape == (3, 5)
    assert states.shape == (3, HIDDEN)
    torch.testing.assert_close(states, torch.stack([everything[0, 1], everything[0, 3], everything[1, 1]]))
    torch.testing.assert_close(logits, states @ model.head.weight.T + model.head.bias)


def test_padding_does_not_change_what_is_read(encoder: Any) -> None:
    model = TokenTagger(encoder, n_tags=5, dropout=0.0).eval()
    pad = encoder.config.pad_token_id
    with torch.no_grad():
        padded, _ = model(torch.where(MASK == 1, IDS, pad), MASK, ROWS, COLUMNS)
        alone, _ = model(IDS[1:, :4], MASK[1:, :4], torch.tensor([0]), torch.tensor([1]))
    torch.testing.assert_close(padded[2:], alone)


def test_an_embedding_of_the_used_rows_gives_what_the_full_table_gives(encoder: Any) -> None:
    full = encoder.get_input_embeddings()
    used = torch.unique(IDS)
    trimmed = TrimmedEmbedding(full, used.flip(0))
    torch.testing.assert_close(trimmed(IDS), full(IDS), rtol=0, atol=0)
    assert trimmed.weight.shape == (len(used), HIDDEN)


def test_an_encoder_with_a_trimmed_vocabulary_computes_the_same(encoder: Any) -> None:
    encoder.eval()
    with torch.no_grad():
        before = encoder(IDS, attention_mask=MASK).last_hidden_state
        trimmed = trim_vocabulary(encoder, torch.unique(IDS))
        after = encoder(IDS, attention_mask=MASK).last_hidden_state
    assert encoder.get_input_embeddings() is trimmed
    torch.testing.assert_close(before, after, rtol=0, atol=0)


def test_the_head_starts_near_zero_so_that_no_tag_is_preferred(encoder: Any) -> None:
    model = TokenTagger(encoder, n_tags=7, dropout=0.1)
    assert model.head.bias.abs().max() == 0
    assert model.head.weight.std().item() == pytest.approx(0.02, rel=0.3)


def test_the_top_layers_start_anew_and_the_others_stay(encoder: Any) -> None:
    before = {name: weight.clone() for name, weight in encoder.named_parameters()}
    assert number_of_layers(encoder) == 2
    torch.manual_seed(5)
    reinitialise(encoder, 1)
    changed = {name for name, weight in encoder.named_parameters() if not torch.equal(weight, before[name])}
    # Biases and layer norms of the untrained network start as they would start again.
    assert changed == {name for name in before if ".1." in name and before[name].ndim == 2}
    if encoder.config.model_type != "modernbert":  # which draws some of its layers narrower
        fresh = encoder.encoder.layer[1].output.dense.weight
        assert fresh.std().item() == pytest.approx(encoder.config.initializer_range, rel=0.1)


def test_more_layers_than_there_are_cannot_start_anew(encoder: Any) -> None:
    with pytest.raises(InvalidConfig, match="reinitialised_layers is 3, but this backbone has 2 layers"):
        reinitialise(encoder, 3)


@pytest.mark.parametrize(("name", "dropped"), [("bert", False), ("xlmr", False), ("deberta", True)])
def test_attention_weights_are_dropped_only_where_an_encoder_has_attention_of_its_own(
    tmp_path: Path, name: str, dropped: bool
) -> None:
    folder = TINY_ENCODERS[name](tmp_path)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings |= {"attention_probs_dropout_prob": 0.5, "hidden_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    encoder = load_encoder(str(folder)).train()
    ids = torch.arange(5, 15)[None]
    first, second = (encoder(input_ids=ids).last_hidden_state for _ in range(2))
    assert torch.equal(first, second) != dropped


def test_attention_weights_are_dropped_where_that_is_asked_for_and_never_in_prediction(tmp_path: Path) -> None:
    folder = TINY_ENCODERS["bert"](tmp_path / "backbone")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings |= {"attention_probs_dropout_prob": 0.5, "hidden_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    weights = {}
    for asked in (False, True):
        config = replace(FAST, backbone=str(folder), attention_dropout=asked, dropout=0.0)
        report = train(SENTENCES, SPANS, LABELS, config, tmp_path / str(asked))
        weights[asked] = report.loss
    assert weights[False] != weights[True]
    encoder = load_encoder(str(folder)).train()
    use_plain_attention(encoder)
    ids = torch.arange(5, 15)[None]
    assert not torch.equal(encoder(input_ids=ids).last_hidden_state, encoder(input_ids=ids).last_hidden_state)
    use_fast_attention(encoder)
    assert torch.equal(encoder(input_ids=ids).last_hidden_state, encoder(input_ids=ids).last_hidden_state)


def test_dropout_can_be_set_for_the_whole_encoder(encoder: Any) -> None:
    set_dropout(encoder, 0.3)
    assert {module.p for module in encoder.modules() if isinstance(module, torch.nn.Dropout)} == {0.3}
