"""What a model must have to be a backbone: refusals that name what is missing, before anything is trained on it."""

from typing import Any

from transformers import AutoModelForMaskedLM

from maner_core.encoding import special_ids
from maner_core.errors import UnsupportedBackbone
from maner_core.model import LAYER_NAME

_REMEDY = "choose a masked language model such as xlm-roberta-base"


def check_kind(config: Any) -> None:
    """Raises UnsupportedBackbone unless this configuration is that of an encoder trained to fill masks."""
    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise UnsupportedBackbone(f"{kind} is an encoder with a decoder, which has no tags to read off; {_REMEDY}")
    if getattr(config, "is_decoder", False):
        raise UnsupportedBackbone(
            f"this {kind} is set up as a decoder, which does not see what follows a word; {_REMEDY}"
        )
    if type(config) not in AutoModelForMaskedLM._model_mapping:
        raise UnsupportedBackbone(f"{kind} is no encoder that fills masks in a text; {_REMEDY}")


def check_tokenizer(tokenizer: Any) -> None:
    """Raises UnsupportedBackbone when the tokenizer is slow, empty, or lacks a special token."""
    special_ids(tokenizer)
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise UnsupportedBackbone(
            "this backbone comes without a tokenizer, or with an empty one; add its tokenizer.json to the folder"
        )


def check_weights(encoder: Any, missing: set[str]) -> None:
    """Raises UnsupportedBackbone when weights of layers are missing, which `transformers` would draw at random.

    missing: names of the encoder's weights that its file does not hold. A pooler or the like may be missing.
    """
    table = next(name for name, weight in encoder.named_parameters() if weight is encoder.get_input_embeddings().weight)
    needed = sorted(name for name in missing if LAYER_NAME.search(name) or name == table)
    if needed:
        raise UnsupportedBackbone(
            f"its weights lack {needed[0]} ({len(needed)} such are missing), so it is not pretrained; {_REMEDY}"
        )


def check_vocabulary(encoder: Any, tokenizer: Any) -> None:
    """Raises UnsupportedBackbone when the tokenizer knows sub-words for which the encoder has no embedding."""
    rows = encoder.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise UnsupportedBackbone(
            f"its tokenizer has {len(tokenizer)} sub-words, its encoder embeddings for {rows}; the two do not belong together"
        )
