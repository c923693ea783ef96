"""A symbol is run in MXNet, in float32 or in float64."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet
from codegen.program import Program
from codegen.proof.boxes import readers
from codegen.proof.exact import in_double

if TYPE_CHECKING:
    import mxnet as mx
    import torch


@in_mxnet
def run_symbol(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, mx.nd.NDArray],
    aux_params: Mapping[str, mx.nd.NDArray],
    inputs: Mapping[str, npt.NDArray[Any]],
    fused: bool = True,
    double: bool = False,
    only_check: bool = False,
) -> list[npt.NDArray[Any]]:
    """The outputs of a symbol on the CPU, in inference.

    `fused` lets the oneDNN pass fuse ops, as `mx.mod.Module` does; it cannot be had for internals.
    `double` computes in float64: every float32 parameter and input is widened.
    Raises MXNetError where MXNet does, and where it would end the process (codegen.proof.boxes), which is all
    that `only_check` looks at.
    """
    settings = {"MXNET_SUBGRAPH_VERBOSE": "0", **({} if fused else {"MXNET_SUBGRAPH_BACKEND": "NONE"})}
    with _environment(**settings), quiet():
        bound = _bound_in_double if double else _bound

        def values(part: mx.sym.Symbol) -> list[npt.NDArray[Any]]:
            executor = bound(part, arg_params, aux_params, inputs)
            return [o.asnumpy() for o in executor.forward(is_train=False)]

        for reader in readers(symbol):
            reader.check(values(reader.boxes)[0], len(values(reader.images)[0]))
        return [] if only_check else values(symbol)


def _bound(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, mx.nd.NDArray],
    aux_params: Mapping[str, mx.nd.NDArray],
    inputs: Mapping[str, npt.NDArray[Any]],
) -> Any:
    """Binding a symbol, as `mx.mod.Module` does it.

    From the inputs alone, which must do to infer the rest.

    torch: weights stay as they are.
    MXNet: oneDNN reorders the bound weights of convolutions in place when they first run in inference, unless
        its pass has fused them.
    We write: copies of the weights into the executor: what is saved shares torch's memory.
    Source: mx.sym.Symbol.simple_bind, measured.

    >>> from codegen.proof.run import _environment
    >>> weight = np.random.rand(16, 16, 3, 3).astype(np.float32)
    >>> before = weight.copy()
    >>> x = mx.sym.Variable("x")
    >>> conv = mx.sym.Convolution(x, kernel=(3, 3), num_filter=16, no_bias=True, name="conv")
    >>> bound = {"x": mx.nd.ones((1, 16, 8, 8)), "conv_weight": mx.nd.from_numpy(weight, zero_copy=True)}
    >>> with _environment(MXNET_SUBGRAPH_BACKEND="NONE"):
    ...     executor = conv.bind(mx.cpu(), bound, grad_req="null")
    ...     executor.forward(is_train=False)[0].wait_to_read()
    >>> bool(np.array_equal(weight, before))
    False
    """
    mx = import_mxnet()

    names = set(symbol.list_arguments())
    read = {k: v for k, v in inputs.items() if k in names}
    types = {k: v.dtype for k, v in read.items()}
    shapes = {k: v.shape for k, v in read.items()}
    try:
        executor = symbol.simple_bind(mx.cpu(), grad_req="null", type_dict=types, **shapes)
    except RuntimeError as error:  # MXNet's own error, wrapped
        raise mx.base.MXNetError(str(error)) from None
    executor.copy_params_from(
        {k: v for k, v in arg_params.items() if k in names}, aux_params, allow_extra_params=True
    )
    for name, value in read.items():
        executor.arg_dict[name][:] = value
    return executor


def _bound_in_double(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, mx.nd.NDArray],
    aux_params: Mapping[str, mx.nd.NDArray],
    inputs: Mapping[str, npt.NDArray[Any]],
) -> Any:
    mx = import_mxnet()

    names = set(symbol.list_arguments())
    arguments = {k: _widened(v) for k, v in arg_params.items() if k in names}
    arguments |= {k: _widened(mx.nd.array(v, dtype=v.dtype)) for k, v in inputs.items() if k in names}
    missing = names - set(arguments)
    if missing:  # labels, which inference does not read
        shapes, _, _ = symbol.infer_shape_partial(**{k: v.shape for k, v in inputs.items() if k in names})
        known = dict(zip(symbol.list_arguments(), shapes, strict=True))
        arguments |= {k: mx.nd.zeros(known[k], dtype="float64") for k in missing}
    auxiliary = {k: _widened(aux_params[k]) for k in symbol.list_auxiliary_states()}
    symbol = in_double(symbol, {k: v.shape for k, v in arguments.items()})
    return symbol.bind(mx.cpu(), arguments, grad_req="null", aux_states=auxiliary)


def _widened(array: Any) -> Any:
    return array.astype("float64") if array.dtype == np.float32 else array


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what MXNet's C++ prints: that it does as it is told. Its errors are exceptions."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Environment variables for a while: MXNet reads them when it binds."""
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def numpy_inputs(program: Program, inputs: Mapping[str, torch.Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Torch inputs as MXNet's arrays, in the dtypes of the program's Variables."""
    arrays = {}
    for variable in program.inputs:
        tensor = inputs[variable.name]
        array = as_numpy(tensor)
        arrays[variable.name] = array.astype(variable.dtype).reshape(array.shape or (1,))
    return arrays


def as_numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A tensor as an array; half precision, which numpy may lack, widened."""
    tensor = tensor.detach()
    if tensor.is_floating_point() and tensor.dtype.itemsize < 4:
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def unknown_variables(symbol: mx.sym.Symbol, program: Program) -> list[str]:
    """Variables that MXNet made by itself (a bias where no_bias was forgotten): no weights exist for them."""
    known = {v.name for v in program.variables}
    return [n for n in (*symbol.list_arguments(), *symbol.list_auxiliary_states()) if n not in known]
