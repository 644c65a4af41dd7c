"""Frozen layers: the embeddings and the lowest layers of an encoder stay as pretrained; what they compute is kept.

The lower layers of a pretrained encoder change little in fine-tuning (Lee, Tang, Lin 2019), and without dropout they give the
same states for a sentence every time: computed once, a training step runs the layers above them only.
"""

from collections.abc import Sequence
from copy import copy
from tempfile import NamedTemporaryFile
from typing import Any

import torch
from torch import Tensor, nn

from maner_core.config import TrainConfig
from maner_core.encoding import Window
from maner_core.errors import InvalidConfig, RunFailed, UnsupportedBackbone
from maner_core.inference import pad_windows
from maner_core.model import number_of_layers

_LAYERS = {
    "bert": "encoder.layer",
    "camembert": "encoder.layer",
    "deberta-v2": "encoder.layer",
    "modernbert": "layers",
    "roberta": "encoder.layer",
    "xlm-roberta": "encoder.layer",
}
"""Model types whose states between two layers are all that passes from the lower to the upper -> where their layers are."""

_LAST_NORM = "final_norm"
"""What ModernBERT has above its last layer."""


def freeze(encoder: Any, config: TrainConfig) -> "FrozenLayers | None":
    """Freeze what `config` asks for, if anything. Raises UnsupportedBackbone or InvalidConfig where that cannot be done."""
    if not config.frozen_layers:
        return None
    layers = number_of_layers(encoder)
    if config.frozen_layers + config.layers_anew > layers:
        raise InvalidConfig(
            f"frozen_layers is {config.frozen_layers} and reinitialised_layers {config.layers_anew}, but this "
            f"backbone has {layers} layers; a layer that starts anew must be trained"
        )
    return FrozenLayers(encoder, config.frozen_layers)


class FrozenLayers:
    """Two views of one encoder: `lower`, its embeddings and lowest layers, which are frozen, and `upper`, the layers above.

    Whatever belongs to no layer, such as the relative positions that the layers of DeBERTa share, is frozen too: the states
    of the lower layers depend on it.
    """

    def __init__(self, encoder: Any, n_layers: int) -> None:
        """Freezes the embeddings and `n_layers` layers of `encoder`. Raises UnsupportedBackbone or InvalidConfig."""
        kind = encoder.config.model_type
        if kind not in _LAYERS:
            raise UnsupportedBackbone(
                f"layers of a backbone of the type {kind!r} cannot be frozen; set frozen_layers to 0 or choose one of the "
                f"types {', '.join(_LAYERS)}"
            )
        layers = encoder.get_submodule(_LAYERS[kind])
        if n_layers >= len(layers):
            raise InvalidConfig(
                f"frozen_layers is {n_layers}, but this backbone has {len(layers)} layers; freeze {len(layers) - 1} at most"
            )
        encoder.requires_grad_(False)
        layers[n_layers:].requires_grad_(True)
        self.lower = _view(encoder, _LAYERS[kind], layers[:n_layers])
        self.upper = _view(encoder, _LAYERS[kind], layers[n_layers:])
        self.upper.embeddings = _GivenStates()
        if kind == "deberta-v2":
            self.upper.encoder.conv = None  # it stands behind the first layer of all
        if hasattr(encoder, _LAST_NORM):
            getattr(encoder, _LAST_NORM).requires_grad_(True)
            setattr(self.lower, _LAST_NORM, nn.Identity())

    def drop_nothing(self) -> None:
        """Turn off the dropout of what is frozen; to be called after every `train()` of the network."""
        self.lower.eval()


class KeptStates:
    """What the frozen layers compute for each window, and the encoder's states from there on.

    It lies in a temporary file, which the machine keeps in memory as long as it has room. The file has no name once it is
    written, so it goes with this process, however that ends.
    """

    def __init__(
        self, frozen: FrozenLayers, windows: Sequence[Window], parts: Sequence[Sequence[int]], pad: int
    ) -> None:
        """`parts`: which windows go through the layers together. Raises RunFailed when the disk is full."""
        self._upper = frozen.upper
        self._device = frozen.lower.device
        self._rows: dict[int, slice] = {}
        end = 0
        with NamedTemporaryFile(prefix="maner-states-") as file:
            try:
                for part in parts:
                    for i in part:
                        start, end = end, end + len(windows[i].ids)
                        self._rows[i] = slice(start, end)
                    states = _states(frozen.lower, [windows[i] for i in part], pad)  # (n_subwords, hidden)
                    file.write(states.cpu().view(torch.uint8).numpy().data)
                file.flush()
            except OSError as error:
                raise RunFailed(
                    f"the states of the frozen layers do not fit on the disk of {file.name} ({error}); make room, set TMPDIR "
                    "to another disk, or train without frozen layers"
                ) from error
            size = end * states.shape[1]
            self._kept = torch.from_file(file.name, size=size, dtype=states.dtype).view(end, -1)  # (n_subwords, hidden)

    def encode(self, indices: Sequence[int], attention_mask: Tensor) -> Tensor:
        """The encoder's states of these windows: attention_mask (batch, length) -> (batch, length, hidden)."""
        kept = nn.utils.rnn.pad_sequence([self._kept[self._rows[i]] for i in indices], batch_first=True)
        states: Tensor = self._upper(
            inputs_embeds=kept.to(self._device), attention_mask=attention_mask
        ).last_hidden_state
        return states


class _GivenStates(nn.Module):
    """In place of the embeddings: hands on the states it is given."""

    def forward(self, *, inputs_embeds: Tensor, **_: object) -> Tensor:
        """(batch, length, hidden) -> the same"""
        return inputs_embeds


@torch.no_grad()
def _states(lower: Any, windows: Sequence[Window], pad: int) -> Tensor:
    """(n_subwords, hidden): the states of these windows one behind the other, without padding."""
    ids, mask, _, _ = (tensor.to(lower.device) for tensor in pad_windows(windows, pad))
    states: Tensor = lower(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
    return states


def _view(module: Any, path: str, layers: nn.ModuleList) -> Any:
    """A module that shares everything with `module` but the list of layers at `path`."""
    name, _, rest = path.partition(".")
    view = copy(module)
    view._modules = dict(module._modules)
    setattr(view, name, _view(getattr(module, name), rest, layers) if rest else layers)
    return view
