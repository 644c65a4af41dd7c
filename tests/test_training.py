"""Training on small random encoders: same weights for the same seed, whatever is saved on memory."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders import FAST, LABELS, SENTENCES, SPANS, TINY_ENCODERS, spans_of, tiny_bert, tiny_xlmr
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from maner_core import training
from maner_core.backbones import load_backbone
from maner_core.batches import random_batches
from maner_core.config import TrainConfig
from maner_core.encoding import INPUT_SCHEMES, RANDOM_TOKEN, WordEncoder
from maner_core.evaluation import f1_report
from maner_core.inference import Tagger
from maner_core.model import add_random_token
from maner_core.optimiser import warm_up_and_decay
from maner_core.training import Progress, TrainReport, train


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return tensors


def fast(backbone: Path, **changes: Any) -> TrainConfig:
    return replace(FAST, backbone=str(backbone), **changes)


@pytest.mark.parametrize("system", INPUT_SCHEMES)
def test_eight_sentences_are_learned_by_heart(bert: Path, tmp_path: Path, system: str) -> None:
    config = fast(bert, system=system, min_steps=150, max_steps=150, mask_probability=0.05)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    assert report.train_f1 == 1.0
    assert report.loss < 0.1
    predictions = Tagger.load(tmp_path / "run").predict(SENTENCES)
    assert [prediction.spans for prediction in predictions] == SPANS


@pytest.mark.parametrize(
    ("encoder", "system"),
    [("bert", "sner"), ("xlmr", "maner"), ("xlmr", "maner_rand"), ("deberta", "mlm_ner"), ("modernbert", "maner")],
)
def test_training_the_used_rows_gives_the_weights_of_training_the_whole_table(
    tmp_path: Path, encoder: str, system: str
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    for trim in (True, False):
        train(SENTENCES, SPANS, LABELS, fast(backbone, system=system, trim_vocabulary=trim), tmp_path / str(trim))
    trimmed, full = weights(tmp_path / "True"), weights(tmp_path / "False")
    assert trimmed.keys() == full.keys()
    for name, tensor in trimmed.items():
        torch.testing.assert_close(tensor, full[name], rtol=1e-5, atol=1e-6, msg=name)
    [name] = [name for name in trimmed if "word_embeddings" in name or "tok_embeddings" in name]
    original = weights(backbone)[name.partition(".")[2]]
    _, tokenizer = load_backbone(str(tmp_path / "True"))
    windows = WordEncoder(tokenizer, system, 128).windows(SENTENCES)
    occurring = {i for its_windows in windows for window in its_windows for i in window.ids}
    occurring |= {tokenizer.mask_token_id} if system == "mlm_ner" else set()
    for table in (trimmed[name], full[name]):
        assert len(table) == len(original) + (system == "maner_rand")
        changed = (table[: len(original)] != original).any(dim=1).nonzero().flatten().tolist()
        assert {*changed, *range(len(original), len(table))} == occurring
    assert len(occurring) < len(original)


@pytest.mark.parametrize(
    ("system", "tokens", "positions"),
    [
        ("maner", "[CLS] [MASK] A ##sha [MASK] l ##e ##f ##t [SEP]", [1, 4]),
        ("maner_rand", "[CLS] <maner-random> A ##sha <maner-random> l ##e ##f ##t [SEP]", [1, 4]),
        ("sner", "[CLS] A ##sha l ##e ##f ##t [SEP]", [1, 3]),
        ("mlm_ner", "[CLS] A ##sha l ##e ##f ##t [SEP]", [1, 3]),
    ],
)
def test_ids_positions_and_labels_by_hand(bert: Path, system: str, tokens: str, positions: list[int]) -> None:
    encoder, tokenizer = load_backbone(str(bert))
    add_random_token(encoder, tokenizer, seed=1)
    windows = WordEncoder(tokenizer, system, 128).windows([["Asha", "left"]])
    tags = ["O", "B-PER", "I-PER"]
    [(window, labels)] = training._examples(windows, [spans_of((0, 1, "PER"))], [["Asha", "left"]], tags)
    assert tokenizer.convert_ids_to_tokens(window.ids) == tokens.split()
    assert (window.positions, labels) == (positions, [1, 0])
    hidden = training._hide_words(fast(bert, system=system, mask_probability=1.0), tokenizer.mask_token_id)(window)
    expected = ("[CLS] [MASK] [MASK] [SEP]", [1, 2]) if system == "mlm_ner" else (tokens, positions)
    assert (" ".join(tokenizer.convert_ids_to_tokens(hidden.ids)), hidden.positions) == expected


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
@pytest.mark.parametrize("system", INPUT_SCHEMES)
def test_every_system_on_every_encoder_is_trained_saved_loaded_and_asked(
    tmp_path: Path, encoder: str, system: str
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    config = fast(backbone, system=system, min_steps=12, max_steps=12, mask_probability=0.05, mixed_precision=True)
    heard: list[Progress] = []
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", heard.append)
    assert heard[-1].loss < 0.9 * heard[0].loss
    shutil.rmtree(backbone)
    predictions = Tagger.load(tmp_path / "run", device="cpu").predict(SENTENCES)
    assert [len(prediction.tags) for prediction in predictions] == list(map(len, SENTENCES))
    assert f1_report(SPANS, [prediction.spans for prediction in predictions]).f1 == report.train_f1


def test_the_untrained_token_is_drawn_from_the_seed_as_wide_as_the_encoder_s_own(tmp_path: Path) -> None:
    rows = []
    for seed in (1, 1, 2):
        encoder, tokenizer = load_backbone(str(tiny_xlmr(tmp_path)))
        before = encoder.get_input_embeddings().weight.detach().clone()
        add_random_token(encoder, tokenizer, seed)
        after = encoder.get_input_embeddings().weight.detach()
        assert torch.equal(after[:-1], before)
        assert tokenizer.convert_tokens_to_ids(RANDOM_TOKEN) == len(before)
        rows.append(after[-1])
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])
    assert rows[0].std().item() == pytest.approx(encoder.config.initializer_range, rel=0.5)


def test_the_untrained_token_takes_a_spare_row_where_the_table_has_one(tmp_path: Path) -> None:
    encoder, tokenizer = load_backbone(str(tiny_bert(tmp_path)))
    encoder.resize_token_embeddings(len(tokenizer) + 5, mean_resizing=False)
    add_random_token(encoder, tokenizer, seed=1)
    assert encoder.get_input_embeddings().num_embeddings == len(tokenizer) - 1 + 5


def test_the_untrained_token_is_trained_and_kept_in_the_checkpoint(tmp_path: Path) -> None:
    backbone = str(tiny_bert(tmp_path / "backbone"))
    train(SENTENCES, SPANS, LABELS, fast(Path(backbone), system="maner_rand"), tmp_path / "run")
    encoder, tokenizer = load_backbone(backbone)
    add_random_token(encoder, tokenizer, FAST.seed)
    row = tokenizer.convert_tokens_to_ids(RANDOM_TOKEN)
    loaded = Tagger.load(tmp_path / "run", device="cpu")
    assert loaded.tokenizer.convert_tokens_to_ids(RANDOM_TOKEN) == row
    trained = loaded.model.encoder.get_input_embeddings().weight[row]
    untrained = encoder.get_input_embeddings().weight[row]
    assert 1e-4 < (trained - untrained).abs().max().item() < 0.1
    mask = tokenizer.mask_token_id
    tables = (loaded.model.encoder, encoder)
    assert torch.equal(*(table.get_input_embeddings().weight[mask] for table in tables))


class Masked:
    """What the windows of a training become, step by step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: list[tuple[int, ...]] = []
        self._loss = training._loss
        monkeypatch.setattr(training, "_loss", self)

    def __call__(self, model: Any, examples: Any, *arguments: Any) -> torch.Tensor:
        self.ids += [tuple(window.ids) for window, _ in examples]
        assert all(len(window.positions) == len(tags) for window, tags in examples)
        return self._loss(model, examples, *arguments)


def test_mlm_ner_hides_other_words_in_every_step_and_the_same_for_the_same_seed(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for seed in (1, 1, 2):
        masked = Masked(monkeypatch)
        config = fast(bert, system="mlm_ner", mask_probability=0.5, seed=seed)
        train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
        seen.append(masked.ids)
        monkeypatch.undo()
    first, again, other = seen
    assert first == again
    assert first != other
    assert len(set(first)) > 2 * len(SENTENCES)
    mask = load_backbone(str(bert))[1].mask_token_id
    share = sum(ids.count(mask) for ids in first) / (20 * sum(map(len, SENTENCES)))
    assert share == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("system", ["maner", "maner_rand", "sner"])
def test_the_other_systems_see_every_sentence_whole_in_every_step(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    masked = Masked(monkeypatch)
    train(SENTENCES, SPANS, LABELS, fast(bert, system=system, min_steps=5, max_steps=5), tmp_path / "run")
    assert len(set(masked.ids)) == len(SENTENCES)


def test_the_same_seed_gives_the_same_weights_whatever_came_before(bert: Path, tmp_path: Path) -> None:
    train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "first")
    torch.rand(17)
    np.random.default_rng().random(17)
    train(SENTENCES, SPANS, LABELS, fast(bert), tmp_path / "second")
    train(SENTENCES, SPANS, LABELS, fast(bert, seed=1), tmp_path / "third")
    first, second, third = (weights(tmp_path / name) for name in ("first", "second", "third"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], third["classifier.weight"])


def test_progress_counts_every_step_and_the_report_tells_what_it_cost(bert: Path, tmp_path: Path) -> None:
    heard: list[Progress] = []
    report = train(SENTENCES, SPANS, LABELS, fast(bert, seed=7), tmp_path / "run", heard.append)
    assert [progress.step for progress in heard] == list(range(1, 21))
    assert {progress.steps for progress in heard} == {20}
    assert heard[-1].seconds_left == 0.0
    assert heard[0].seconds_left > 0.0
    assert heard[0].loss == pytest.approx(math.log(5), rel=0.3)  # five tags, none preferred
    assert (report.steps, report.seed, report.restarts, report.subwords_at_once) == (20, 7, 0, 1024)
    assert report.loss == pytest.approx(np.mean([progress.loss for progress in heard[-2:]]))
    assert report.device in ("cpu", "cuda")
    assert report.seconds > 0
    assert report.peak_memory_bytes > 1_000_000


def test_the_report_and_the_configuration_are_kept_with_the_weights(bert: Path, tmp_path: Path) -> None:
    config = fast(bert)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "maner.json").read_text(encoding="utf-8"))
    assert kept["labels"] == LABELS
    assert TrainConfig.from_dict(kept["config"]) == config
    assert TrainReport(**kept["report"]) == report


def test_a_sentence_longer_than_a_window_is_learned_whole(bert: Path, tmp_path: Path) -> None:
    sentence = ["we", "saw", "Asha", "and"] * 25
    spans = spans_of(*((i, i + 1, "PER") for i in range(2, 100, 4)))
    config = fast(bert, system="sner", max_length=32, min_steps=40, max_steps=40)
    report = train([sentence], [spans], LABELS, config, tmp_path / "run")
    assert report.train_f1 == 1.0


def test_sentences_without_any_entity_and_without_words_can_be_trained_on(bert: Path, tmp_path: Path) -> None:
    report = train([["it", "rained"], []], [[], []], LABELS, fast(bert), tmp_path / "run")
    assert report.train_f1 == 1.0
    assert Tagger.load(tmp_path / "run").predict([["it", "rained"]])[0].tags == ["O", "O"]


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path: Path) -> None:
    backbone = tiny_bert(tmp_path / "backbone")
    settings_file = backbone / "config.json"
    values = json.loads(settings_file.read_text(encoding="utf-8"))
    values |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    settings_file.write_text(json.dumps(values), encoding="utf-8")
    losses: dict[int, list[float]] = {}
    for at_once in (1024, 40):
        heard: list[Progress] = []
        config = fast(backbone, dropout=0.0)
        training._train_once(SENTENCES, SPANS, LABELS, (), config, torch.device("cpu"), at_once, heard.append, None)
        losses[at_once] = [progress.loss for progress in heard]
    assert losses[40] == pytest.approx(losses[1024], rel=1e-3)
    assert losses[40][-1] < losses[40][0]


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 99))
def test_every_pass_sees_each_sentence_once(lengths: list[int], batch_size: int, seed: int) -> None:
    n_batches = math.ceil(len(lengths) / batch_size)
    batches: Iterator[list[int]] = random_batches(lengths, batch_size, np.random.default_rng(seed))
    for _ in range(2):
        one_pass = list(islice(batches, n_batches))
        assert sorted(i for batch in one_pass for i in batch) == list(range(len(lengths)))
        assert max(map(len, one_pass)) <= batch_size


def test_batches_hold_sentences_of_like_length_in_a_new_order_each_pass() -> None:
    lengths = [i % 16 for i in range(128)]
    batches = random_batches(lengths, 8, np.random.default_rng(0))
    first, second = list(islice(batches, 16)), list(islice(batches, 16))
    assert all(len({lengths[i] for i in batch}) == 1 for batch in first)
    assert first != second


def test_the_learning_rate_rises_and_falls_by_hand() -> None:
    factor = warm_up_and_decay(10, 0.2)
    expected = [1 / 2, 1, 8 / 9, 7 / 9, 6 / 9, 5 / 9, 4 / 9, 3 / 9, 2 / 9, 1 / 9]
    assert [factor(done) for done in range(10)] == pytest.approx(expected)
    without_warm_up = warm_up_and_decay(4, 0.0)
    assert [without_warm_up(done) for done in range(4)] == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4])
    constant = warm_up_and_decay(4, 0.0, 1.0)
    assert [constant(done) for done in range(4)] == [1, 1, 1, 1]
    half = warm_up_and_decay(4, 0.5, 0.5)
    assert [half(done) for done in range(4)] == pytest.approx([1 / 2, 1, 5 / 6, 2 / 3])
