"""len() of a tensor as a size that may follow the batch."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator
from typing import Any

import torch


class Lengths:
    """Whether Python's len() is asking, whose answer the net then gets as it is.

    Python makes a plain number of what `__len__` gives: what else calls it (`list(x)`) knows no symbol.
    """

    def __init__(self) -> None:
        self.is_asking = False

    @contextlib.contextmanager
    def answered(self) -> Iterator[None]:
        """In the block, len() of a tensor gives what its `__len__` gives."""
        real = builtins.len

        def length(value: Any, /) -> Any:
            if not isinstance(value, torch.Tensor):
                return real(value)
            self.is_asking = True
            try:
                return value.__len__()  # type: ignore[no-untyped-call]
            finally:
                self.is_asking = False

        builtins.len = length
        try:
            yield
        finally:
            builtins.len = real
