"""Gradient checkpointing: a layer keeps its input alone and is computed anew in the backward pass (Chen et al. 2016).

Activations then take the memory of one layer instead of all, for a third more time. The weights come out the same, dropout
and all: a layer that is computed anew drops what it dropped before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint

from maner_core.config import TrainConfig
from maner_core.dropout import RandomBytes
from maner_core.errors import UnsupportedBackbone


@contextmanager
def recomputed_layers(encoder: Any, config: TrainConfig, random: RandomBytes | None) -> Iterator[None]:
    """Let the layers of an encoder do so meanwhile, if `config` asks for it. Raises UnsupportedBackbone where they cannot.

    `random`: what the dropout of the network draws from, if not from torch's own generator, which torch rewinds itself.
    """
    if not config.gradient_checkpointing:
        yield
        return
    if not encoder.supports_gradient_checkpointing:
        raise UnsupportedBackbone(
            f"a backbone of the type {encoder.config.model_type!r} cannot compute its layers anew; set "
            "gradient_checkpointing to false"
        )
    rewind: dict[str, Any] = {} if random is None else {"context_fn": random.for_two_passes}
    # Not by `activation_checkpointing_enable`: it also asks for gradients of the embeddings, frozen or not, to no end here.
    encoder._set_gradient_checkpointing(True, partial(checkpoint, use_reentrant=False, **rewind))
    use_cache = getattr(encoder.config, "use_cache", False)
    if use_cache:  # not that an encoder had any use for it, but transformers would say that it turns it off
        encoder.config.use_cache = False
    try:
        yield
    finally:
        encoder._set_gradient_checkpointing(False)
        if use_cache:
            encoder.config.use_cache = True
