"""numpy's functions of a tensor (`x * np.array(...)`, `np.sqrt(x)`) as torch's, which can be recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

METHOD = "__array_ufunc__"  # numpy asks it of operands that are not its own (NEP 13)


@contextlib.contextmanager
def as_torch_calls() -> Iterator[None]:
    """In the block, a ufunc of numpy that is given a tensor calls torch's function of that name.

    The dtype is numpy's, which computes a float32 tensor and an int64 array in float64.
    """
    setattr(torch.Tensor, METHOD, _of_tensors)
    try:
        yield
    finally:
        delattr(torch.Tensor, METHOD)


def _of_tensors(_: torch.Tensor, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
    function = getattr(torch, ufunc.__name__, None)
    of_an_array = isinstance(operands[0], np.ndarray)  # `array * x`, which torch does not do
    if function is None or method != "__call__" or options or of_an_array:
        result = getattr(ufunc, method)(*map(np.asarray, operands), **options)
        return torch.as_tensor(result)
    small = [_small(operand) for operand in operands]
    given = ufunc(*small).dtype
    dtype = _torch_dtype(np.result_type(*small) if given.kind == "b" else given)
    return function(*(torch.as_tensor(operand).to(dtype) for operand in operands))


def _small(operand: Any) -> Any:
    """An operand that gives the same dtype: one element, without dimensions where it had none."""
    if isinstance(operand, torch.Tensor):
        return np.ones((1,) * operand.dim(), torch.empty(0, dtype=operand.dtype).numpy().dtype)
    array = np.asarray(operand)
    return array if array.ndim == 0 else np.ones((1,) * array.ndim, array.dtype)


def _torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype
