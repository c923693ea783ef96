"""Weights: a torch state becomes arg_params and aux_params, and the contrast table says what went where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.mxnet_process import mxnet_array
from codegen.problems import RequestError
from codegen.program import Program, Variable

if TYPE_CHECKING:
    import mxnet as mx
    import torch


def parameters(
    program: Program, state: Mapping[str, torch.Tensor]
) -> tuple[dict[str, mx.nd.NDArray], dict[str, mx.nd.NDArray]]:
    """Weights of a program, from a state (key -> tensor).

    Gives (arg_params, aux_params).

    torch: a tensor and its numpy array share memory.
    MXNet: nd.array copies; nd.from_numpy with zero_copy=True does not.
    We write: arrays that share memory where the dtype is right, to be read: neither written nor bound, since
        oneDNN reorders bound weights in place.
    Source: torch.Tensor.numpy; mx.nd.from_numpy.

    >>> array = np.zeros(3, np.float32)
    >>> shared = mx.nd.from_numpy(array, zero_copy=True)
    >>> shared[:] = 1
    >>> shared.wait_to_read()
    >>> array
    array([1., 1., 1.], dtype=float32)
    """
    kinds: dict[str, dict[str, Any]] = {"arg": {}, "aux": {}}
    for variable in program.variables:
        if variable.kind in kinds:
            array = np.ascontiguousarray(_array(variable, state))
            kinds[variable.kind][variable.name] = mxnet_array(array)
    return kinds["arg"], kinds["aux"]


def _array(variable: Variable, state: Mapping[str, torch.Tensor]) -> npt.NDArray[Any]:
    shape = tuple(int(s) for s in variable.shape)  # type: ignore[arg-type]
    if variable.fill is not None:
        return np.full(shape, variable.fill, variable.dtype)
    if variable.value is not None:
        value: npt.NDArray[Any] = variable.value.astype(variable.dtype, copy=False)
        return value
    tensors = [_numpy(state[key]) for key in variable.keys]
    if variable.heads:
        return by_heads(np.concatenate(tensors), variable.heads).astype(variable.dtype, copy=False)
    if len(tensors) == 1:
        return _stored(variable, tensors[0]).reshape(shape)
    joined: npt.NDArray[Any] = np.concatenate([t.reshape(-1) for t in tensors]).astype(
        variable.dtype, copy=False
    )
    return joined


def by_heads(rows: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Rows (3 * heads * width, ...), those of a head side by side."""
    return rows.reshape(3, heads, -1, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)


def _stored(variable: Variable, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values in the dtype of their Variable. RequestError where it does not hold whole numbers."""
    stored: npt.NDArray[Any] = array.astype(variable.dtype, copy=False)
    if np.issubdtype(array.dtype, np.integer) and not np.array_equal(stored, array):
        raise RequestError(
            f"{variable.keys[0]} holds whole numbers beyond 2^24, which {variable.dtype} does not hold",
            code="weights-range",
        )
    return stored


def _numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    import torch

    tensor = tensor.detach().cpu()
    tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
    if tensor.dtype in {torch.bfloat16, torch.float16}:
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def contrast(program: Program, state: Mapping[str, torch.Tensor], state_keys: tuple[str, ...]) -> str:
    """The contrast table: a line for each MXNet parameter, then the torch keys that went nowhere.

    Tab-separated: name, shape, torch key, its shape. A constant is its one value (`1`, `0`) or
    `constant`; torch keys packed into one, or tied, are joined by `+`. Rows in another order than torch's
    (--optimize) are said in a fifth column. What cannot be printed is escaped.
    """
    lines = []
    used: set[str] = set()
    for variable in program.variables:
        if variable.kind not in {"arg", "aux"}:
            continue
        keys = variable.derived or (*variable.keys, *variable.tied)
        used.update(keys)
        if keys:
            text = "+".join(map(_printable, keys))
            shapes = "+".join(_shape(tuple(state[k].shape)) for k in keys)
        else:
            text = "constant" if variable.fill is None else f"{variable.fill:g}"
            shapes = "-"
        order = f"\trows by head: ({variable.heads}, 3, width)" if variable.heads else ""
        lines.append(f"{variable.name}\t{_shape(variable.shape)}\t{text}\t{shapes}{order}")
    for key in state_keys:
        if key not in used:
            lines.append(f"-\t-\t{_printable(key)}\t{_shape(tuple(state[key].shape))}")
    return "\n".join(lines) + "\n"


def _printable(key: str) -> str:
    """A key on one line of text: a ParameterDict takes any string, newlines and tabs too."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in key)


def _shape(shape: tuple[Any, ...]) -> str:
    return "(" + ",".join(map(str, shape)) + ")"
