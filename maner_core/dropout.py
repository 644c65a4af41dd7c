"""Dropout that is fast on a CPU: torch draws one Mersenne twister number per activation there, on one thread.

One random byte per activation is enough to drop a share that is a multiple of 1/256. Measured by
tests/benchmarks/training_steps.py.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_BLOCK = 1 << 20

_State = tuple[Mapping[str, Any], NDArray[np.uint8], int]


class RandomBytes:
    """An endless stream of random bytes, drawn a block at a time (SFC64 through numpy)."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.Generator(np.random.SFC64(seed))
        self._block = np.empty(0, np.uint8)
        self._used = 0

    def take(self, n: int) -> Tensor:
        """(n,) bytes, uint8."""
        if self._used + n > len(self._block):
            self._block = self._rng.integers(0, 256, max(n, _BLOCK), dtype=np.uint8)
            self._used = 0
        self._used += n
        return torch.from_numpy(self._block[self._used - n : self._used])

    def for_two_passes(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Contexts for a pass that begins now and for the same pass later, which gets the same bytes again."""
        return nullcontext(), self._rewound(self._state())

    @contextmanager
    def _rewound(self, state: _State) -> Iterator[None]:
        before = self._state()
        self._go_to(state)
        try:
            yield
        finally:
            self._go_to(before)

    def _state(self) -> _State:
        return self._rng.bit_generator.state, self._block, self._used

    def _go_to(self, state: _State) -> None:
        self._rng.bit_generator.state, self._block, self._used = state


class FastDropout(nn.Dropout):
    """`nn.Dropout` with p rounded to a multiple of 1/256: 0.1 becomes 26/256. What is kept is scaled by exactly 1/(1-p)."""

    def __init__(self, p: float, random: RandomBytes) -> None:
        super().__init__(round(p * 256) / 256)
        self._random = random

    def forward(self, x: Tensor) -> Tensor:
        """(…) -> (…)"""
        if not self.training or not 0 < self.p < 1:
            return super().forward(x)
        kept = self._random.take(x.numel()).view(x.shape) >= int(self.p * 256)
        return x * kept.to(x.dtype).mul_(1 / (1 - self.p))


def use_fast_dropout(model: nn.Module, seed: int) -> RandomBytes:
    """Replace every dropout of a network that is on the CPU; returns the stream, seeded with `seed`, that all draw from."""
    random = RandomBytes(seed)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, FastDropout(child.p, random).train(child.training))
    return random
