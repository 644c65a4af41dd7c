"""CPU time of one attention layer, forward and backward, by kernel and number type: why maner_core.attention is as it is.

    python tests/benchmarks/attention_speed.py

The baseline, in the same run, is what `transformers` does by default while training: bfloat16 with dropout of the weights.
"""

import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from maner_core.attention import attention

SHAPES = ((8, 66), (8, 120), (4, 180))
"""Sentences and sub-words: a mean, a long and a very long batch of 100 Swahili news sentences under MANER."""
HEADS, WIDTH, REPEATS = 12, 32, 10
ARMS = {
    "bfloat16, dropout (default)": (torch.bfloat16, SDPBackend.MATH, 0.1),
    "bfloat16, no dropout": (torch.bfloat16, SDPBackend.FLASH_ATTENTION, 0.0),
    "float32, no dropout": (torch.float32, SDPBackend.FLASH_ATTENTION, 0.0),
    "bfloat16, written out (ours)": (torch.bfloat16, None, 0.0),
}


def milliseconds(batch: int, length: int, dtype: torch.dtype, backend: SDPBackend | None, dropout: float) -> float:
    """CPU milliseconds of one forward and one backward pass, the first ones not counted."""
    query, key, value = (torch.randn(batch, HEADS, length, WIDTH, dtype=dtype, requires_grad=True) for _ in range(3))
    mask, module = torch.zeros(batch, 1, length, length, dtype=dtype), torch.nn.Module()
    started = 0.0
    for repeat in range(REPEATS + 3):
        if repeat == 3:
            started = time.process_time()
        if backend is None:
            out, _ = attention(module, query, key, value, mask == 0)
        else:
            with sdpa_kernel(backend):
                out = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        torch.autograd.backward(out, torch.ones_like(out))
    return (time.process_time() - started) / REPEATS * 1000


def main() -> None:
    """Print a table of milliseconds and ratios, on one thread."""
    torch.set_num_threads(1)
    for batch, length in SHAPES:
        base = 0.0
        for name, (dtype, backend, dropout) in ARMS.items():
            cost = milliseconds(batch, length, dtype, backend, dropout)
            base = base or cost
            sys.stdout.write(f"{batch} x {length}  {name:28} {cost:6.1f} ms  {base / cost:4.1f} times as fast\n")


if __name__ == "__main__":
    main()
