"""AdamW on float32 weights behind a network that may compute in bfloat16, with clipping and the rise and fall of its rate."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from maner_core.config import TrainConfig
from maner_core.masked_lm import WordGuesser
from maner_core.model import LAYER_NAME, TokenTagger, number_of_layers

_SLICE = 1 << 21
"""Weights updated together on a CPU: their gradients are in float32 meanwhile, and small enough to stay in the cache."""
_SLICE_ON_A_GPU = 1 << 25
"""More there, where every call is waited for, and still no second copy of a large backbone."""


class Optimiser:
    """Owns the float32 weights of a network while it is trained.

    With `bfloat16` the encoder itself holds rounded copies: casting once per step is cheaper than autocast, which casts at
    every use of a weight or an activation, and the activations kept for the backward pass take half the memory. Rounding
    the weights that are updated would lose most updates, so those stay in float32 here (Micikevicius et al. 2018). Frozen
    weights do so too, to be put back as they were, but in the memory of the CPU.
    """

    def __init__(self, model: TokenTagger | WordGuesser, config: TrainConfig, steps: int, bfloat16: bool) -> None:
        self._clip_norm = config.clip_norm
        self._factor = warm_up_and_decay(steps, config.warmup_fraction, config.final_rate_fraction)
        self._done = 0
        self._exact = {
            weight: weight.data.cpu() if bfloat16 and not weight.requires_grad else weight.data
            for weight in model.parameters()
        }
        if bfloat16:
            for weight in model.encoder.parameters():
                weight.data = weight.data.to(torch.bfloat16)
        self._layers = number_of_layers(model.encoder)
        self._slices = [
            (weights, torch.optim.AdamW(self._groups(weights, config), fused=True)) for weights in _slices(model)
        ]

    def _groups(self, weights: dict[str, nn.Parameter], config: TrainConfig) -> list[dict[str, object]]:
        """Head and encoder have their own learning rates; only matrices decay, and among them no embedding.

        Embeddings are left out because decay would also move rows of sub-words that never occur.
        """
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, weight in weights.items():
            rate = config.head_learning_rate if name.startswith("head.") else self._rate_of_layer(name, config)
            decays = weight.ndim >= 2 and "embedding" not in name.lower()
            groups.setdefault((rate, config.weight_decay if decays else 0.0), []).append(self._exact[weight])
        return [
            {"params": exact, "lr": rate, "initial_lr": rate, "weight_decay": decay}
            for (rate, decay), exact in groups.items()
        ]

    def _rate_of_layer(self, name: str, config: TrainConfig) -> float:
        """The top layer, and what lies above it, has the configured rate; each below that has `layer_decay` times as much."""
        numbered = LAYER_NAME.search(name)
        above = self._layers - int(numbered[1]) - 1 if numbered else self._layers if "embedding" in name.lower() else 0
        rate = config.lora_learning_rate if ".lora_" in name else config.learning_rate
        return rate * config.layer_decay**above

    @torch.no_grad()
    def step(self) -> float:
        """Update the weights by the gradients in the network and drop those; returns their norm before clipping.

        A norm that is not finite leaves every weight as it was.
        """
        gradients = [weight.grad for weight in self._exact if weight.grad is not None]
        norm: float = torch.stack(torch._foreach_norm(gradients, 2, torch.float32)).norm().item()
        if math.isfinite(norm):
            clip = min(1.0, self._clip_norm / (norm + 1e-6))
            factor = self._factor(self._done)
            self._done += 1
            for weights, adamw in self._slices:
                self._update(weights.values(), adamw, clip, factor)
        for weight in self._exact:
            weight.grad = None
        return norm

    def _update(self, weights: Iterable[nn.Parameter], adamw: torch.optim.AdamW, clip: float, factor: float) -> None:
        gradients = {weight: weight.grad for weight in weights if weight.grad is not None}
        if not gradients:
            return
        exact = {weight: self._exact[weight] for weight in gradients}
        scaled = [torch.empty_like(its) for its in exact.values()]
        torch._foreach_copy_(scaled, list(gradients.values()))
        torch._foreach_mul_(scaled, clip)
        for (weight, its), gradient in zip(exact.items(), scaled, strict=True):
            its.grad, weight.grad = gradient, None
        del gradients, scaled
        for group in adamw.param_groups:
            group["lr"] = group["initial_lr"] * factor
        adamw.step()
        for its in exact.values():
            its.grad = None
        rounded = [(weight.data, its) for weight, its in exact.items() if weight.dtype != its.dtype]
        if rounded:
            torch._foreach_copy_([weight for weight, _ in rounded], [its for _, its in rounded])

    def close(self) -> None:
        """Put the float32 weights into the network."""
        for weight, exact in self._exact.items():
            weight.grad = None
            weight.data = exact.to(weight.device)


def _slices(model: nn.Module) -> list[dict[str, nn.Parameter]]:
    """The weights that are trained, in their order, cut into parts of about _SLICE or _SLICE_ON_A_GPU numbers."""
    slices: list[dict[str, nn.Parameter]] = [{}]
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        enough = _SLICE if weight.device.type == "cpu" else _SLICE_ON_A_GPU
        if sum(other.numel() for other in slices[-1].values()) >= enough:
            slices.append({})
        slices[-1][name] = weight
    return slices


def warm_up_and_decay(steps: int, warmup_fraction: float, final_fraction: float = 0.0) -> Callable[[int], float]:
    """Factor of the learning rate before step `done` + 1: up to 1 over the warm-up, then down towards `final_fraction`."""
    warmup = max(1, round(steps * warmup_fraction))

    def factor(done: int) -> float:
        left = (steps - done) / max(1, steps - warmup + 1)
        return min((done + 1) / warmup, final_fraction + (1 - final_fraction) * left)

    return factor
