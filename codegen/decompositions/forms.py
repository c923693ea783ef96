"""Forms of ops: the calls of an op that its lowering rule does not cover, and that are decomposed.

A form is told from the arguments alone, before anything is recorded. It has a name of its own, as an op has,
and so each op and each form has one home: a rule, or a decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class Form:
    """A form of an op: its name, and whether a call with these arguments (by canonical name) is of it."""

    name: str
    covers: Callable[..., bool]


def name_of_call(op: str, arguments: Mapping[str, Any]) -> str:
    """The op of a call, or the form of it that the arguments are of."""
    form = FORMS.get(op)
    return form.name if form is not None and form.covers(**arguments) else op


def _samples_a_volume(input: Tensor, **_: Any) -> bool:
    return input.dim() == 5


def _is_wide_matrix(A: Tensor, mode: str = "reduced", **_: Any) -> bool:
    rows, columns = A.shape[-2:]
    return mode == "reduced" and rows < columns


def _needs_another_triangle(input: Tensor, B: Tensor, unitriangular: bool = False, **_: Any) -> bool:
    """MXNet's trsm reads the diagonal, and takes equal leading axes alone."""
    return unitriangular or input.shape[:-2] != B.shape[:-2]


def _is_nuclear(input: Tensor, p: Any = "fro", **_: Any) -> bool:
    return isinstance(p, str) and p == "nuc" and input.numel() > 0


def _is_matrix_norm_by_values(A: Any = None, input: Any = None, ord: Any = "fro", **_: Any) -> bool:
    return _is_order_by_values(ord) and (input if A is None else A).numel() > 0


def _is_norm_by_values(A: Any = None, input: Any = None, ord: Any = None, dim: Any = None, **_: Any) -> bool:
    matrix = input if A is None else A
    of_matrices = matrix.dim() == 2 if dim is None else isinstance(dim, tuple | list) and len(dim) == 2
    return of_matrices and _is_order_by_values(ord) and matrix.numel() > 0


def _is_order_by_values(order: Any) -> bool:
    """Whether a matrix norm of this order is a function of the singular values."""
    return order in {2, -2, "nuc"}


def _starts_at_a_tensor(start: Any, **_: Any) -> bool:
    return isinstance(start, Tensor)


def _splits_at_a_tensor(**arguments: Any) -> bool:
    return "tensor_indices_or_sections" in arguments


def _has_sorter(sorter: Tensor | None = None, **_: Any) -> bool:
    return sorter is not None


def _multiplies_or_leaves_rows_out(
    input: Tensor, dim: int, index: Tensor, reduce: str | None = None, **_: Any
) -> bool:
    return index.numel() > 0 and (reduce == "multiply" or _leaves_rows_out(input, dim, index))


def _leaves_rows_out(input: Tensor, dim: int, index: Tensor, **_: Any) -> bool:
    """Whether the index is shorter than the input along another axis than `dim`."""
    if input.dim() == 0 or not index.numel():
        return False
    return any(a != dim % input.dim() and index.shape[a] != s for a, s in enumerate(input.shape))


FORMS: Mapping[str, Form] = {
    "grid_sample": Form("grid_sample_of_volumes", _samples_a_volume),
    "linalg_matrix_norm": Form("linalg_matrix_norm_by_values", _is_matrix_norm_by_values),
    "linalg_norm": Form("linalg_norm_by_values", _is_norm_by_values),
    "linalg_qr": Form("linalg_qr_of_wide_matrices", _is_wide_matrix),
    "linalg_solve_triangular": Form("linalg_solve_other_triangular", _needs_another_triangle),
    "narrow": Form("narrow_from_a_tensor", _starts_at_a_tensor),
    "norm": Form("norm_nuclear", _is_nuclear),
    "scatter": Form("scatter_by_products_or_into_some_rows", _multiplies_or_leaves_rows_out),
    "scatter_add": Form("scatter_add_into_some_rows", _leaves_rows_out),
    "searchsorted": Form("searchsorted_with_sorter", _has_sorter),
    "tensor_split": Form("tensor_split_at_a_tensor", _splits_at_a_tensor),
}
