"""AdamW on float32 weights behind a network that may compute in bfloat16, with clipping and the rise and fall of its rate."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from maner_core.config import TrainConfig
from maner_core.model import TokenTagger


class Optimiser:
    """Owns the float32 weights of a network while it is trained.

    With `bfloat16` the encoder itself holds rounded copies: casting once per step is cheaper than autocast, which casts at
    every use of a weight or an activation, and the activations kept for the backward pass take half the memory. Rounding
    the weights that are updated would lose most updates, so those stay in float32 here (Micikevicius et al. 2018).
    """

    def __init__(self, model: TokenTagger, config: TrainConfig, steps: int, bfloat16: bool) -> None:
        self._clip_norm = config.clip_norm
        self._exact: dict[nn.Parameter, Tensor] = {}  # weight in the network -> the same weight in float32
        for weight in model.parameters():
            self._exact[weight] = weight.data
        if bfloat16:
            for weight in model.encoder.parameters():
                weight.data = weight.data.to(torch.bfloat16)
        groups = _parameter_groups(model, config)
        for group in groups:
            group["params"] = [self._exact[weight] for weight in group["params"]]  # type: ignore[attr-defined]
        self._adamw = torch.optim.AdamW(groups, fused=True)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._adamw, warm_up_and_decay(steps, config.warmup_fraction)
        )

    @torch.no_grad()
    def step(self) -> float:
        """Update the weights by the gradients in the network and drop those; returns their norm before clipping.

        A norm that is not finite leaves every weight as it was.
        """
        exact = [(weight, copy) for weight, copy in self._exact.items() if weight.grad is not None]
        for weight, copy in exact:
            assert weight.grad is not None
            copy.grad = weight.grad.float()
            weight.grad = None
        norm = nn.utils.clip_grad_norm_([copy for _, copy in exact], self._clip_norm)
        if norm.isfinite():
            self._adamw.step()
            self._schedule.step()
            for weight, copy in exact:
                if weight.data_ptr() != copy.data_ptr():
                    weight.copy_(copy)
        for _, copy in exact:
            copy.grad = None
        return norm.item()

    def close(self) -> None:
        """Put the float32 weights into the network."""
        for weight, copy in self._exact.items():
            weight.grad = None
            weight.data = copy


def _parameter_groups(model: TokenTagger, config: TrainConfig) -> list[dict[str, object]]:
    """Head and encoder have their own learning rates; only matrices decay, and among them no embedding.

    Embeddings are left out because decay would also move rows of sub-words that never occur.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rate = config.head_learning_rate if name.startswith("head.") else config.learning_rate
        decays = parameter.ndim >= 2 and "embedding" not in name.lower()
        groups.setdefault((rate, config.weight_decay if decays else 0.0), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def warm_up_and_decay(steps: int, warmup_fraction: float) -> Callable[[int], float]:
    """Factor of the learning rate before step `done` + 1: up to 1 over the warm-up, then down to 0."""
    warmup = max(1, round(steps * warmup_fraction))

    def factor(done: int) -> float:
        return min((done + 1) / warmup, (steps - done) / max(1, steps - warmup + 1))

    return factor
