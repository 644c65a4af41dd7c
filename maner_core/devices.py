"""Which device to compute on, and what it can do."""

import ctypes
import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the names of glibc's mallopt(3)
_GLIBC_DEFAULT = 128 * 1024


def best_device() -> str:
    """ "cuda" where there is a usable GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def subwords_at_once(on_a_cpu: int, device: str) -> int:
    """How many sub-words go through a network at once where a CPU takes so many: a GPU waits for each call, so more there."""
    return on_a_cpu * 4 if device == "cuda" else on_a_cpu


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether this says that memory is too short; torch has an error of its own for that on a GPU alone."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def reused_memory() -> Iterator[None]:
    """Let glibc keep large blocks that are freed meanwhile: new ones from the machine cost a page fault every 4 kB."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):  # glibc only
        yield
        return
    for name in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
        libc.mallopt(name, 1 << 30)
    try:
        yield
    finally:
        for name in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            libc.mallopt(name, _GLIBC_DEFAULT)


def return_freed_memory() -> None:
    """Give what Python and torch have freed back to the machine: glibc alone keeps hundreds of megabytes after a training."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc only
        libc.malloc_trim(0)


def reset_peak_memory() -> None:
    """Measure the peak of memory anew from here: on the GPU, and of this process where Linux allows it."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):  # other systems keep counting from the start of the process
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that was used of the card on a GPU, else the largest resident size of this process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Linux counts in kilobytes, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
