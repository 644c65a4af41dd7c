"""LoRA: beside each weight matrix of an encoder two small ones are trained instead of the matrix itself (Hu et al. 2022).

By `peft`, imported only when a training or a checkpoint asks for it. Such a checkpoint holds the small matrices and the
head, a few megabytes, and says to which backbone they belong. Their product is added to the backbone's weights before anything
is predicted, so that it costs no time there.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maner_core.config import TrainConfig
from maner_core.errors import InvalidInput, UnsupportedBackbone
from maner_core.model import LAYER_NAME

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_SETTINGS = "adapter_config.json"
_PREFIX = "base_model.model."
"""What `peft` puts before every name in a file."""
_WITHIN = "model."
"""What its LoraModel, which adds and merges an adapter, puts before every name."""
_HEAD = "classifier"


@dataclass(frozen=True)
class Adapter:
    """What was trained beside the weights of one backbone."""

    weights: dict[str, Tensor]
    """By the names `peft` gives them within the encoder; (rank, inputs) and (outputs, rank) for each matrix."""
    settings: Any
    """peft's LoraConfig."""
    backbone_sha256: str
    """Of the weights they were trained beside, as `weights_sha256` has it."""


def add_adapter(encoder: Any, config: TrainConfig) -> Any:
    """Put an untrained adapter beside every linear layer that is not frozen; nothing else of the encoder is trained then.

    Its output is 0 at first. Returns peft's LoraModel around `encoder`. Raises UnsupportedBackbone when there is no such layer.
    """
    from peft import LoraConfig, LoraModel

    names = [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear)
        and (numbered := LAYER_NAME.search(name))
        and int(numbered[1]) >= config.frozen_layers
    ]
    if not names:
        raise UnsupportedBackbone(
            f"a backbone of the type {encoder.config.model_type!r} has no linear layers to put an adapter beside; set "
            "lora_rank to 0"
        )
    settings = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=names)
    return LoraModel(encoder, settings, "default")


def merge_adapter(adapted: Any, backbone_sha256: str) -> Adapter:
    """Add what was trained to the weights of the encoder, which is an ordinary one again; returns it by itself too."""
    from peft import get_peft_model_state_dict

    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    kept = {name.removeprefix(_WITHIN): weight.detach().cpu().clone() for name, weight in weights.items()}
    adapter = Adapter(kept, adapted.peft_config["default"], backbone_sha256)
    adapted.merge_and_unload()
    return adapter


def save_adapter(folder: Path, adapter: Adapter, head: nn.Linear, prefix: str, backbone: str) -> None:
    """Write adapter and head as `peft` writes those of a `...ForTokenClassification` model.

    prefix: of the encoder's weights in such a model; backbone: the name to load it by.
    """
    weights = {f"{_PREFIX}{prefix}.{name}": weight for name, weight in adapter.weights.items()}
    weights |= {f"{_PREFIX}{_HEAD}.{name}": weight.cpu() for name, weight in head.state_dict().items()}
    save_file(weights, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    replace(
        adapter.settings, base_model_name_or_path=backbone, task_type="TOKEN_CLS", modules_to_save=[_HEAD]
    ).save_pretrained(folder)


def load_adapter(folder: Path, encoder: Any, backbone_sha256: str) -> tuple[Adapter, dict[str, Tensor]]:
    """Add the adapter in `folder` to the weights of its backbone; returns it, and the weights of the head.

    Raises InvalidInput where the two do not fit, and what `safetensors`, `peft` and torch raise of damaged files.
    """
    from peft import LoraConfig, LoraModel, set_peft_model_state_dict

    stored = load_file(folder / ADAPTER_WEIGHTS)
    of_encoder, of_head = f"{_PREFIX}{encoder.base_model_prefix}.", f"{_PREFIX}{_HEAD}."
    weights = {name.removeprefix(of_encoder): tensor for name, tensor in stored.items() if name.startswith(of_encoder)}
    head = {name.removeprefix(of_head): tensor for name, tensor in stored.items() if name.startswith(of_head)}
    settings = replace(LoraConfig.from_pretrained(folder), task_type=None, modules_to_save=None)
    adapted = LoraModel(encoder, settings, "default")
    loaded = set_peft_model_state_dict(adapted, {_WITHIN + name: weight for name, weight in weights.items()})
    missing = sorted(name for name in loaded.missing_keys if ".lora_" in name)
    if missing or loaded.unexpected_keys:
        raise InvalidInput(f"{ADAPTER_WEIGHTS} and the backbone differ in {(missing or loaded.unexpected_keys)[0]}")
    return merge_adapter(adapted, backbone_sha256), head


def weights_sha256(encoder: Any) -> str:
    """SHA-256 of the names and values of an encoder's weights, wherever they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
