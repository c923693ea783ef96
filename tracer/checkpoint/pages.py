"""Values are copied out of a mapped file, whose pages are let go at once: a checkpoint is in memory once."""

from __future__ import annotations

import ctypes
import mmap
import sys

import torch

# So many bytes are copied before the pages that they were read from are let go.
AT_ONCE = 1 << 26
# Linux 5.4: let the pages go; what they hold stays true, and is read from the file again by whoever asks.
PAGEOUT = 21


def copy_mapped(own: torch.Tensor, value: torch.Tensor) -> None:
    """Copy `value` into `own`, of the same shape, part by part where it is large.

    Raises RuntimeError where torch does not copy it.
    """
    if not (own.is_contiguous() and value.is_contiguous()) or _bytes(value) <= AT_ONCE:
        own.copy_(value)
        _let_go(value)
        return
    step = AT_ONCE // value.element_size()
    own, value = own.view(-1), value.view(-1)
    for start in range(0, value.numel(), step):
        part = value[start : start + step]
        own[start : start + step].copy_(part)
        _let_go(part)


def _bytes(value: torch.Tensor) -> int:
    return value.numel() * value.element_size()


def _let_go(value: torch.Tensor) -> None:
    """Tell the system that the pages of a tensor are not needed; nothing where it has no such call."""
    if not sys.platform.startswith("linux") or value.device.type != "cpu":
        return
    start, end = value.data_ptr(), value.data_ptr() + _bytes(value)
    start -= start % mmap.PAGESIZE
    # What comes back is no matter: without it no more than memory is lost.
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), PAGEOUT)
