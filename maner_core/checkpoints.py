"""Checkpoints: a folder with weights (safetensors), tokenizer, labels, TrainConfig, report and card; whole or not there at all.

The weights carry the names of a `...ForTokenClassification` model, and config.json its labels, so that a checkpoint whose tags
are read from the first sub-word also opens in `transformers` as it is. One of LoRA holds what was trained beside the weights of
its backbone, and the head; the rest, tokenizer and all, comes from the backbone when it is loaded.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from maner_core.attention import use_fast_attention
from maner_core.backbone_checks import check_vocabulary
from maner_core.backbones import in_one_line, load_backbone, load_encoder, origin_of, quiet_transformers, without_pooler
from maner_core.calibration import Calibration
from maner_core.config import TrainConfig
from maner_core.devices import return_freed_memory
from maner_core.encoding import WordEncoder, longest_window
from maner_core.entity_forms import EntityForms
from maner_core.errors import InvalidInput, NoCheckpoint, UnsupportedBackbone
from maner_core.idle_head import add_idle_head, take_back_norm
from maner_core.inference import Tagger
from maner_core.lora import ADAPTER_SETTINGS, ADAPTER_WEIGHTS, load_adapter, save_adapter, weights_sha256
from maner_core.model import TokenTagger, TrimmedEmbedding
from maner_core.model_card import SETTINGS, TrainingData, write_settings
from maner_core.spans import iob2_tags
from maner_core.whole_folder import written_whole

if TYPE_CHECKING:
    from maner_core.training import TrainReport

FORMAT = 1
_WEIGHTS = "model.safetensors"
_HEAD = "classifier"
_FILES = (SETTINGS, _WEIGHTS, "config.json", "tokenizer.json")
_ADAPTER_FILES = (SETTINGS, ADAPTER_WEIGHTS, ADAPTER_SETTINGS)
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    InvalidInput,
)
"""What loading raises of files that are damaged or do not belong together."""


def save_checkpoint(
    folder: Path,
    tagger: Tagger,
    config: TrainConfig,
    report: "TrainReport",
    cache: Path | None = None,
    data: TrainingData | None = None,
    entities: EntityForms | None = None,
) -> None:
    """Write `tagger` to `folder`, replacing what is there, by way of a temporary name beside it.

    `cache`: where the bundled backbone is kept, needed to put back the rows that the training left out. `data`: for the card.
    `entities`: those trained on, for an analysis. Raises RunFailed when the disk does not take it.
    """
    with written_whole(folder) as unfinished:
        if tagger.adapter is None:
            _save_whole(unfinished, tagger, cache)
        else:
            prefix = tagger.model.encoder.base_model_prefix
            save_adapter(unfinished, tagger.adapter, tagger.model.head, prefix, config.backbone)
        settings = {
            "format": FORMAT,
            "labels": tagger.labels,
            "config": config.to_dict(),
            "report": asdict(report),
            "data": asdict(data or TrainingData()),
            "backbone": asdict(origin_of(config.backbone)),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
        if tagger.adapter is not None:
            settings["backbone_sha256"] = tagger.adapter.backbone_sha256
        write_settings(unfinished, settings)
        if entities is not None:
            entities.write(unfinished)


def _save_whole(folder: Path, tagger: Tagger, cache: Path | None) -> None:
    """Write the weights, the tokenizer, and the configuration that `transformers` reads."""
    encoder_config = tagger.model.encoder.config
    tags = iob2_tags(tagger.labels)
    encoder_config.id2label = dict(enumerate(tags))
    encoder_config.label2id = {tag: i for i, tag in enumerate(tags)}
    encoder_config.architectures = [
        type(tagger.model.encoder).__name__.removesuffix("Model") + "ForTokenClassification"
    ]
    tagger.words.save_tokenizer(folder)
    return_freed_memory()  # before the whole vocabulary comes back into memory
    weights = _weights(tagger, cache)
    add_idle_head(encoder_config, weights, tagger.model.encoder.base_model_prefix)
    encoder_config.save_pretrained(folder)
    save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})


def load_checkpoint(folder: Path, cache: Path | None = None) -> Tagger:
    """The tagger in `folder`, on the CPU. Raises NoCheckpoint naming what is missing or damaged.

    `cache`: where the bundled backbone is kept, needed for a checkpoint of LoRA.
    """
    of_adapter = (folder / ADAPTER_WEIGHTS).is_file() or (folder / ADAPTER_SETTINGS).is_file()
    for name in _ADAPTER_FILES if of_adapter else _FILES:
        if not (folder / name).is_file():
            raise NoCheckpoint(
                f"{folder} is no checkpoint of this tool: {name} is missing; give the folder a training wrote"
            )
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if settings["format"] != FORMAT:
            raise InvalidInput(f"{SETTINGS} has the format {settings['format']}, this release reads {FORMAT}")
        labels, config = list(settings["labels"]), TrainConfig.from_dict(settings["config"])
        if of_adapter:
            encoder, tokenizer = _backbone_of(folder, config, settings["backbone_sha256"], cache)
            adapter, head = load_adapter(folder, encoder, settings["backbone_sha256"])
        else:
            encoder, tokenizer, adapter = _load_encoder(folder, labels), _load_tokenizer(folder), None
            with safe_open(folder / _WEIGHTS, framework="pt") as weights:
                head = {name: weights.get_tensor(f"{_HEAD}.{name}") for name in ("weight", "bias")}
        model = TokenTagger(encoder, len(iob2_tags(labels)), config.dropout)
        model.head.load_state_dict(head)
        check_vocabulary(encoder, tokenizer)
        words = WordEncoder(tokenizer, config.system, longest_window(config.max_length, encoder, tokenizer))
        words.windows([[""]])  # refuses a tokenizer without the token of `maner_rand`
        stored = settings["report"].get("calibration")
        calibration = Calibration(**stored) if stored else None
        return Tagger(model.eval(), words, labels, config, calibration, adapter)
    except KeyError as error:
        raise NoCheckpoint(f"the checkpoint {folder} is damaged ({error} is missing); train it again") from error
    except _DAMAGE as error:
        raise NoCheckpoint(f"the checkpoint {folder} is damaged ({in_one_line(error)}); train it again") from error


def _load_encoder(folder: Path, labels: Sequence[str]) -> Any:
    """The encoder of a checkpoint. Raises InvalidInput when its files do not belong together."""
    with quiet_transformers():
        encoder, info = AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, **without_pooler(folder)
        )
    if info["missing_keys"]:
        raise InvalidInput(f"{_WEIGHTS} lacks {sorted(info['missing_keys'])[0]}")
    if encoder.config.id2label != dict(enumerate(iob2_tags(labels))):
        raise InvalidInput(f"{SETTINGS} and config.json name different labels")
    take_back_norm(encoder, folder / _WEIGHTS)
    use_fast_attention(encoder)
    return encoder


def _backbone_of(folder: Path, config: TrainConfig, sha256: str, cache: Path | None) -> tuple[Any, Any]:
    """Encoder and tokenizer of the backbone that a checkpoint of LoRA belongs to. Raises NoCheckpoint."""
    try:
        encoder, tokenizer = load_backbone(config.backbone, cache)
    except UnsupportedBackbone as error:
        raise NoCheckpoint(
            f"the checkpoint {folder} holds an adapter alone and needs its backbone: {error}; or train without lora_rank "
            "for a checkpoint that needs nothing else"
        ) from error
    if weights_sha256(encoder) != sha256:
        raise NoCheckpoint(
            f"the checkpoint {folder} holds an adapter for the backbone {config.backbone!r}, whose weights are not those it "
            "was trained beside; bring the old ones back, or train it again"
        )
    return encoder, tokenizer


def _load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint. Raises InvalidInput when its file is damaged."""
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # all that `tokenizers` raises is a plain Exception
        raise InvalidInput(f"tokenizer.json cannot be read: {error}") from error


def _weights(tagger: Tagger, cache: Path | None) -> dict[str, Tensor]:
    """Every weight under the name it has in `transformers`; rows that the training left out come from the backbone."""
    encoder = tagger.model.encoder
    state = {name: tensor.contiguous().cpu() for name, tensor in encoder.state_dict().items()}
    for name, module in encoder.named_modules():
        if isinstance(module, TrimmedEmbedding):
            original = load_encoder(tagger.config.backbone, cache)
            full = original.get_input_embeddings().weight.detach()  # (vocabulary, hidden)
            added = len(state.pop(f"{name}.row_of")) - len(full)  # the row of `maner_rand`, which always occurs
            full = torch.cat([full, full.new_zeros(added, full.shape[1])]) if added else full
            full[state.pop(f"{name}.used")] = state[f"{name}.weight"]
            state[f"{name}.weight"] = full
    named = {f"{encoder.base_model_prefix}.{name}": tensor for name, tensor in state.items()}
    head = {f"{_HEAD}.{name}": tensor.cpu() for name, tensor in tagger.model.head.state_dict().items()}
    return named | head
