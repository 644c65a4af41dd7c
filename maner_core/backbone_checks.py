"""What a model must have to be a backbone: refusals that name what is missing, before anything is trained on it."""

from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForMaskedLM

from maner_core.encoding import special_ids
from maner_core.errors import UnsupportedBackbone
from maner_core.model import LAYER_NAME

_TOLERANCE = 0.01
"""Of the standard deviation of the states: far above what rounding does, far below what a sub-word more does."""
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


@torch.no_grad()
def check_reading(encoder: Any) -> None:
    """Raises UnsupportedBackbone unless the encoder reads sub-words and nothing else, and the same of them beside padding.

    Sentences of a batch are padded to the length of the longest: what a tagger says of one must not depend on the others.
    """
    rows = encoder.get_input_embeddings().num_embeddings
    padding = (getattr(encoder.config, "pad_token_id", None) or 0) % rows
    ids = torch.tensor([[padding + 1, padding + 2, padding + 3]]) % rows
    mask = torch.ones_like(ids)
    padded_ids, padded_mask = functional.pad(ids, (0, 2), value=padding), functional.pad(mask, (0, 2))
    try:
        alone = encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (1, 3, hidden)
        padded = encoder(input_ids=padded_ids, attention_mask=padded_mask).last_hidden_state  # (1, 5, hidden)
    except (AttributeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UnsupportedBackbone(
            f"{encoder.config.model_type} does not read sub-words alone ({reason}); {_REMEDY}"
        ) from error
    if (padded[:, :3] - alone).abs().max() > _TOLERANCE * alone.std():
        raise UnsupportedBackbone(
            f"{encoder.config.model_type} reads padding as if it were text, so that what it says of a sentence would depend "
            f"on the sentences beside it; {_REMEDY}"
        )
