"""The physical limit beside a figure: floating-point operations counted, and how fast this machine multiplies matrices."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

Shape = tuple[int, ...]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _attention_backward(gradient: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))  # type: ignore[no-untyped-call]


_OF_CPU: dict[Any, Any] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
"""What torch's counter leaves out: its fused attention on a CPU."""

_SHAPES = ((600, 384, 1536), (2048, 384, 1536), (2048, 2048, 2048))
"""(rows, inner, columns): the feed-forward layers of the bundled backbone on few and many sub-words, and a large square."""


def operations_of(work: Callable[[], object]) -> float:
    """Floating-point operations of the matrix products that `work` does; a multiplication and an addition are two."""
    counter = FlopCounterMode(display=False, custom_mapping=_OF_CPU)
    with counter:
        work()
    return float(counter.get_total_flops())


def matrix_rate(dtype: torch.dtype, device: torch.device, clock: Callable[[], float] = time.perf_counter) -> float:
    """Floating-point operations a second of matrix products in `dtype`, the best of several tries at several shapes."""
    best = 0.0
    for rows, inner, columns in _SHAPES:
        a = torch.randn(rows, inner, dtype=dtype, device=device)
        b = torch.randn(columns, inner, dtype=dtype, device=device)
        for _ in range(6):
            _finish(device)
            started = clock()
            for _ in range(2):
                torch.nn.functional.linear(a, b)
            _finish(device)
            best = max(best, 2 * 2 * rows * inner * columns / max(clock() - started, 1e-9))
    return best


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
