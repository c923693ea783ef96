"""What recording must know of ops of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

WAY_OUT = (
    "compute with torch.where or a mask instead of Python control flow, or move this step out of forward"
)
WAYS_OUT = {
    "pack_padded_sequence()": "call the layer on the padded sequences: all of one length, or with a mask after it"
}
# What makes a tensor of the same dtype as another, and what makes it without that.
NEW: dict[str, Callable[..., Any]] = {
    "new_zeros": torch.zeros,
    "new_ones": torch.ones,
    "new_empty": torch.zeros,
    "new_full": torch.full,
}
DATA_DEPENDENT = frozenset(
    [
        "item",
        "tolist",
        "numpy",
        "__bool__",
        "__int__",
        "__float__",
        "__index__",
        "__complex__",
        "__array__",
        "nonzero",
        "argwhere",
        "unique",
        "unique_consecutive",
        "masked_select",
        "equal",
        "allclose",
        "is_nonzero",
        "__contains__",
        "bincount",
    ]
)
# Calls that return their own input in eval mode, and still say something to a reader.
KEPT_IDENTITIES = frozenset(
    [
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_alpha_dropout",
        "feature_dropout",
        "rrelu",
    ]
)
NOT_WRITES = frozenset(["requires_grad", "retain_grad", "share_memory"])
_T = TypeVar("_T")


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor inside nested tuples, lists, dicts and slices."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, slice):
        yield from tensors_in((value.start, value.stop, value.step))


def made_anew(
    name: str, like: torch.Tensor, *given: Any, dtype: torch.dtype | None = None, **kwargs: Any
) -> tuple[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """`x.new_zeros(size)` as torch.zeros: of `x` it takes the dtype alone, and so it may be a constant."""
    if name != "new_full" and given and isinstance(given[0], int):
        given = (given,)  # new_zeros(2, 3)
    kept = {k: v for k, v in kwargs.items() if k in {"size", "fill_value"}}
    kept["dtype"] = like.dtype if dtype is None else dtype
    return NEW[name].__name__, NEW[name], given, kept
