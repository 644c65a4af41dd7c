"""Adapting to unlabelled text: what is learned, what is saved, and that a tagger trains on it, on small random encoders."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders import FAST, HIDDEN, LABELS, SENTENCES, SPANS, TINY_ENCODERS, tiny_bert, tiny_xlmr
from safetensors import SafetensorError
from safetensors.torch import load_file

from maner_core import adaptation
from maner_core.adaptation import adapt
from maner_core.backbones import load_backbone, load_masked_lm, load_tokenizer
from maner_core.config import ADAPTATION_RECORD, TrainConfig
from maner_core.encoding import INPUT_SCHEMES, WordEncoder
from maner_core.errors import InvalidConfig, InvalidInput, RunFailed, UnknownName, UnsupportedBackbone
from maner_core.inference import Tagger
from maner_core.masked_lm import GuessHead, WordGuesser, add_gradients, pad_inputs, second_weight
from maner_core.masking import NOT_ASKED, HiddenWords, MaskedInput
from maner_core.model import LAYER_NAME
from maner_core.training import Progress, train

TEXT = [*SENTENCES, ["we", "sang", "in", "Moshi"], ["Neema", "came"]] * 4


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


def fast(backbone: Path, **changes: Any) -> TrainConfig:
    quick: dict[str, Any] = {"mlm_steps": 12, "mlm_learning_rate": 2e-3, "mlm_batch_size": 8}
    return replace(FAST, **{"backbone": str(backbone), **quick, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return tensors


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def guesser(backbone: Path, system: str = "sner") -> tuple[WordGuesser, HiddenWords, int]:
    words = WordEncoder(load_tokenizer(str(backbone)), system, 128)
    hidden = HiddenWords(TEXT, words, system)
    torch.manual_seed(0)  # a new head is random
    model = WordGuesser(load_masked_lm(str(backbone))[0], torch.tensor(sorted(hidden.ids))).eval()
    return model, hidden, words.specials.pad


# The guess.


def test_inputs_are_padded_and_the_asked_positions_listed_by_hand() -> None:
    first = MaskedInput([0, 9, 7, 2], [NOT_ASKED, 5, NOT_ASKED, NOT_ASKED])
    second = MaskedInput([0, 9, 9, 8, 2], [NOT_ASKED, 6, 7, NOT_ASKED, NOT_ASKED])
    ids, mask, rows, columns, asked = pad_inputs([first, second], 1)
    assert ids.tolist() == [[0, 9, 7, 2, 1], [0, 9, 9, 8, 2]]
    assert mask.tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert (rows.tolist(), columns.tolist(), asked.tolist()) == ([0, 1, 1], [1, 1, 2], [5, 6, 7])


@pytest.mark.parametrize("encoder", TINY_ENCODERS)
def test_the_guess_is_that_of_the_whole_masked_model_among_the_sub_words_of_the_text(
    tmp_path: Path, encoder: str
) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    whole, _ = load_masked_lm(str(backbone))
    torch.manual_seed(3)
    with torch.no_grad():
        whole.get_output_embeddings().bias.normal_()  # nobody's bias is 0 but a new one's
    whole.save_pretrained(tmp_path / "with-head")
    load_tokenizer(str(backbone)).save_pretrained(tmp_path / "with-head")
    loaded, pretrained = load_masked_lm(str(tmp_path / "with-head"))
    assert pretrained
    model, hidden, _ = guesser(tmp_path / "with-head")
    ids = torch.tensor([[sorted(hidden.ids)[i] for i in (2, 9, 4, 7, 3)]])
    with torch.no_grad():
        expected = loaded.eval()(input_ids=ids).logits[0, 1:3]  # (2, vocabulary)
        states = model.encoder(input_ids=ids).last_hidden_state[0, 1:3]
        found = model.head(states, model.encoder.get_input_embeddings().weight)
    torch.testing.assert_close(found, expected[:, sorted(hidden.ids)])
    assert found.shape == (2, len(hidden.ids))
    assert len(hidden.ids) < expected.shape[1]


def test_no_tensor_is_as_large_as_batch_times_length_times_vocabulary(bert: Path) -> None:
    model, hidden, pad = guesser(bert)
    batch = next(hidden.batches(8, 0.15, rng()))
    shapes: list[torch.Size] = []
    model.head.register_forward_hook(lambda _, __, logits: shapes.append(logits.shape))
    add_gradients(model.encoder, model.head, batch, pad, 10_000)
    n_asked = sum(i != NOT_ASKED for item in batch for i in item.asked)
    assert shapes == [(n_asked, len(hidden.ids))]


def test_parts_of_a_batch_add_up_to_the_batch(bert: Path) -> None:
    gradients = []
    for at_once in (10_000, 12):
        model, hidden, pad = guesser(bert)
        loss = add_gradients(model.encoder, model.head, next(hidden.batches(8, 0.3, rng())), pad, at_once, 0.5)
        gradients.append((loss, model.encoder.get_input_embeddings().weight.grad))
    (whole_loss, whole), (loss_of_parts, parts) = gradients
    assert loss_of_parts == pytest.approx(whole_loss, rel=1e-5)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-7)


def test_an_output_table_of_its_own_is_trained_apart_from_the_embedding(tmp_path: Path, bert: Path) -> None:
    untied = load_masked_lm(str(bert))[0]
    untied.config.tie_word_embeddings = False
    untied.cls.predictions.decoder.weight = torch.nn.Parameter(torch.randn_like(untied.cls.predictions.decoder.weight))
    head = GuessHead(untied, torch.tensor([4, 7]))
    assert head.weight is not None
    assert head.weight.shape == (2, HIDDEN)
    tied = GuessHead(load_masked_lm(str(bert))[0], torch.tensor([4, 7]))
    assert tied.weight is None


class NoOutputTable(torch.nn.Module):
    """A network that guesses no words."""

    def get_output_embeddings(self) -> None:
        return None


def test_a_network_without_an_output_table_is_refused() -> None:
    with pytest.raises(UnsupportedBackbone, match="NoOutputTable has no output table"):
        GuessHead(NoOutputTable(), torch.tensor([4]))


# Before the tagging.


@pytest.mark.parametrize(("encoder", "system"), [*((encoder, "sner") for encoder in TINY_ENCODERS), ("bert", "maner")])
def test_the_guesses_get_better_and_only_rows_of_the_text_move(tmp_path: Path, encoder: str, system: str) -> None:
    backbone = TINY_ENCODERS[encoder](tmp_path / "backbone")
    config = fast(backbone, system=system, mlm_steps=60, mlm_learning_rate=5e-3)
    report = adapt(TEXT, config, tmp_path / "adapted")
    assert report.loss < 0.9 * report.first_loss
    assert report.first_loss == pytest.approx(np.log(report.subwords), rel=0.3)  # none is preferred at first
    words = WordEncoder(load_tokenizer(str(backbone)), system, 128)
    ids = HiddenWords(TEXT, words, system).ids
    first, second = (load_backbone(str(folder))[0] for folder in (backbone, tmp_path / "adapted"))
    before, after = (encoder.get_input_embeddings().weight for encoder in (first, second))
    moved = (before != after).any(dim=1).nonzero().flatten().tolist()
    assert set(moved) <= ids
    assert len(moved) > len(ids) / 2
    matrices = {
        name: weight for name, weight in first.named_parameters() if LAYER_NAME.search(name) and weight.ndim == 2
    }
    assert matrices
    assert all(not torch.equal(weight, second.get_parameter(name)) for name, weight in matrices.items())


def test_an_adapted_backbone_trains_a_tagger(bert: Path, tmp_path: Path) -> None:
    adapt(TEXT, fast(bert), tmp_path / "adapted")
    config = fast(tmp_path / "adapted", min_steps=150, max_steps=150)
    report = train(SENTENCES, SPANS, LABELS, config, tmp_path / "run")
    assert report.train_f1 == 1.0
    assert [found.spans for found in Tagger.load(tmp_path / "run").predict(SENTENCES)] == SPANS


def test_an_adapted_backbone_is_a_masked_language_model_from_which_adaptation_goes_on(
    bert: Path, tmp_path: Path
) -> None:
    assert not load_masked_lm(str(bert))[1]
    first = adapt(TEXT, fast(bert, mlm_steps=40, mlm_learning_rate=5e-3), tmp_path / "first")
    assert load_masked_lm(str(tmp_path / "first"))[1]
    second = adapt(TEXT, fast(tmp_path / "first"), tmp_path / "second")
    assert second.first_loss < 0.9 * first.first_loss


def test_what_was_learned_is_what_is_saved(bert: Path, tmp_path: Path) -> None:
    adapt(TEXT, fast(bert, mlm_steps=40, mlm_learning_rate=5e-3), tmp_path / "adapted")
    before, after = (guesser(folder) for folder in (bert, tmp_path / "adapted"))
    losses = []
    for model, hidden, pad in (before, after):
        losses.append(add_gradients(model.encoder, model.head, next(hidden.batches(30, 0.15, rng())), pad, 10_000))
    assert losses[1] < 0.9 * losses[0]


def test_the_same_seed_gives_the_same_backbone_whatever_came_before(bert: Path, tmp_path: Path) -> None:
    adapt(TEXT, fast(bert), tmp_path / "first")
    torch.rand(17)
    adapt(TEXT, fast(bert), tmp_path / "second")
    adapt(TEXT, fast(bert, seed=1), tmp_path / "third")
    first, second, third = (weights(tmp_path / name) for name in ("first", "second", "third"))
    assert equal(first, second)
    assert not equal(first, third)


def test_progress_counts_every_step_and_the_record_says_what_was_done(bert: Path, tmp_path: Path) -> None:
    heard: list[Progress] = []
    config = fast(bert, mlm_steps=3, mlm_batch_size=4, seed=7)
    report = adapt(TEXT, config, tmp_path / "adapted", heard.append)
    assert [(progress.step, progress.steps, progress.phase) for progress in heard] == [
        (1, 3, "adapting"), (2, 3, "adapting"), (3, 3, "adapting")
    ]  # fmt: skip
    assert heard[0].seconds_left > heard[-1].seconds_left == 0.0
    assert (report.steps, report.sentences, report.seed) == (3, 40, 7)
    assert report.sentences_read == 12  # three steps of four
    record = json.loads((tmp_path / "adapted" / ADAPTATION_RECORD).read_text(encoding="utf-8"))
    assert TrainConfig.from_dict(record["config"]) == config
    assert record["report"]["loss"] == report.loss


@pytest.mark.parametrize(
    ("writer", "error"),
    [
        ("transformers.PreTrainedModel", SafetensorError("I/O error: No space left on device")),
        ("transformers.PreTrainedTokenizerFast", Exception("No space left on device (os error 28)")),
    ],
)
def test_a_save_that_fails_says_so_and_leaves_the_old_backbone_and_nothing_else(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, error: Exception
) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise error

    adapt(TEXT, fast(bert, mlm_steps=1), tmp_path / "adapted")
    monkeypatch.setattr(f"{writer}.save_pretrained", disk_full)
    with pytest.raises(
        RunFailed, match=r"adapted cannot be written \(.*No space left on device.*\); make room on its disk"
    ):
        adapt(TEXT, fast(bert, mlm_steps=1), tmp_path / "adapted")
    assert list(tmp_path.iterdir()) == [tmp_path / "adapted"]
    assert load_masked_lm(str(tmp_path / "adapted"))[1]


def test_an_adaptation_without_memory_on_a_cpu_fails_with_a_remedy(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "add_gradients", lambda *_, **__: torch.empty(2**50))  # a petabyte
    with pytest.raises(RunFailed, match="too little memory for this backbone; choose a smaller one"):
        adapt(TEXT, fast(bert), tmp_path / "adapted")


def test_progress_may_stop_the_adaptation_and_nothing_is_left_behind(bert: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        adapt(TEXT, fast(bert), tmp_path / "adapted", stop)
    with pytest.raises(Stop):
        train(SENTENCES, SPANS, LABELS, fast(bert, adaptation="before"), tmp_path / "runs" / "7", stop, text=TEXT)
    assert [path for path in tmp_path.rglob("*") if path.name != "runs"] == []


def test_a_loss_that_is_no_number_ends_the_adaptation(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="lower mlm_learning_rate"):
        adapt(TEXT, fast(bert, mlm_learning_rate=1e30), tmp_path / "adapted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [[], [[]]])
def test_a_text_without_words_is_refused(bert: Path, tmp_path: Path, text: list[list[str]]) -> None:
    with pytest.raises(InvalidInput, match="holds no word"):
        adapt(text, fast(bert), tmp_path / "adapted")
    for when in ("before", "beside"):
        with pytest.raises(InvalidInput, match=f"the adaptation '{when}' needs unlabelled sentences"):
            train(SENTENCES, SPANS, LABELS, fast(bert, adaptation=when), tmp_path / "run", text=text)


def test_a_training_with_adaptation_before_is_an_adaptation_and_a_training(bert: Path, tmp_path: Path) -> None:
    heard: list[Progress] = []
    config = fast(bert, adaptation="before")
    train(SENTENCES, SPANS, LABELS, config, tmp_path / "runs" / "at-once", heard.append, text=TEXT)
    assert [progress.phase for progress in heard] == ["adapting"] * 12 + ["training"] * 20
    adapt(TEXT, config, tmp_path / "adapted")
    train(SENTENCES, SPANS, LABELS, fast(tmp_path / "adapted"), tmp_path / "apart")
    assert equal(weights(tmp_path / "runs" / "at-once"), weights(tmp_path / "apart"))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["at-once"]
    saved = json.loads((tmp_path / "runs" / "at-once" / "maner.json").read_text(encoding="utf-8"))
    assert TrainConfig.from_dict(saved["config"]) == config


# Beside the tagging.


@pytest.mark.parametrize("system", ["maner", "sner"])
def test_a_second_loss_of_no_weight_changes_nothing(bert: Path, tmp_path: Path, system: str) -> None:
    for name, config in {
        "none": fast(bert, system=system),
        "no-weight": fast(bert, system=system, adaptation="beside", mlm_weight=0.0),
        "no-step": fast(bert, system=system, adaptation="beside", mlm_fraction=0.0),
        "beside": fast(bert, system=system, adaptation="beside"),
    }.items():
        train(SENTENCES, SPANS, LABELS, config, tmp_path / name, text=TEXT)
    alone, no_weight, no_step, beside = (
        weights(tmp_path / name) for name in ("none", "no-weight", "no-step", "beside")
    )
    assert equal(alone, no_weight)
    assert alone.keys() == beside.keys() == no_step.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(no_step[name], tensor, msg=name)
    assert not equal(alone, beside)


@pytest.mark.parametrize("when", ["before", "beside"])
@pytest.mark.parametrize("system", ["maner_rand", "mlm_ner"])
def test_the_other_two_systems_are_adapted_too(tmp_path: Path, when: str, system: str) -> None:
    """The backbone's head knows no row for the untrained token of maner_rand."""
    backbone = tiny_xlmr(tmp_path / "backbone")
    config = fast(backbone, system=system, adaptation=when, min_steps=3, max_steps=3, mlm_steps=3)
    train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", text=TEXT)
    assert len(Tagger.load(tmp_path / "run").predict(SENTENCES)) == len(SENTENCES)


def test_the_second_loss_keeps_the_guesses_good_while_the_tags_are_learned(bert: Path, tmp_path: Path) -> None:
    backbone = tmp_path / "adapted"
    adapt(TEXT, fast(bert, mlm_steps=60, mlm_learning_rate=5e-3), backbone)
    config = fast(backbone, min_steps=40, max_steps=40, mlm_weight=1.0, mlm_fraction=1.0, system="sner")
    for when in ("none", "beside"):
        train(SENTENCES, SPANS, LABELS, replace(config, adaptation=when), tmp_path / when, text=TEXT)
    assert guess_with(tmp_path / "beside", backbone) < guess_with(tmp_path / "none", backbone) - 0.1


def guess_with(checkpoint: Path, backbone: Path) -> float:
    """The loss of the backbone's head on the encoder of a checkpoint."""
    model, hidden, pad = guesser(backbone)
    encoder = Tagger.load(checkpoint).model.encoder
    state = encoder.state_dict()
    state["embeddings.word_embeddings.weight"] = state["embeddings.word_embeddings.weight"][sorted(hidden.ids)]
    model.encoder.load_state_dict(state, strict=False)
    return add_gradients(model.encoder, model.head, next(hidden.batches(40, 0.15, rng())), pad, 10_000)


def test_the_weight_of_the_second_loss_falls_to_nothing_by_hand(bert: Path) -> None:
    config = fast(bert, mlm_weight=0.3, mlm_fraction=0.5)
    found = [second_weight(config, step, 10) for step in range(1, 11)]
    assert found == pytest.approx([0.3, 0.24, 0.18, 0.12, 0.06, 0, 0, 0, 0, 0])
    assert second_weight(replace(config, mlm_fraction=0.0), 1, 10) == 0.0


@pytest.mark.parametrize("system", INPUT_SCHEMES)
@pytest.mark.parametrize("adaptation", ["before", "beside"])
def test_every_system_can_be_adapted(bert: Path, tmp_path: Path, system: str, adaptation: str) -> None:
    config = fast(bert, system=system, adaptation=adaptation, mlm_steps=3, min_steps=3, max_steps=3)
    assert train(SENTENCES, SPANS, LABELS, config, tmp_path / "run", text=TEXT).steps == 3


# Settings.


def test_settings_of_an_adaptation_are_checked() -> None:
    with pytest.raises(UnknownName, match="no adaptation 'during'; choose one of none, before, beside"):
        TrainConfig(adaptation="during")
    with pytest.raises(InvalidConfig, match="set trim_vocabulary"):
        TrainConfig(adaptation="beside", trim_vocabulary=False)
    with pytest.raises(InvalidConfig, match="mlm_steps is 0"):
        TrainConfig(mlm_steps=0)
    with pytest.raises(InvalidConfig, match="mlm_probability is 2"):
        TrainConfig(mlm_probability=2)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)
