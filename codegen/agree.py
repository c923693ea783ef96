"""Proof: torch and MXNet are both run, and their outputs compared.

For each output: max|mxnet - torch| / max|torch|. Where they differ too much, the outputs of all ops are
compared too, in the order of execution, and the first that differs is named.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.mxnet_ops import OPS
from codegen.program import Out, Program
from tracer.ir import Source

if TYPE_CHECKING:
    import mxnet as mx
    import torch
    from torch import nn

TOLERANCE = 1e-4


@dataclass(frozen=True)
class OutputAgreement:
    """One output of one comparison: relative difference, and what was compared.

    `double` marks a net whose float32 rounding is itself near 1e-4 or above (torch's float32 result is that far from
    torch's float64 one): both frameworks were then compared in float64.
    """

    name: str
    difference: float
    batch: int
    parameters: str
    double: bool = False

    def within(self, tolerance: float) -> bool:
        """Whether the output agrees; a difference that is not a number never does."""
        return self.difference <= tolerance


@dataclass(frozen=True)
class LayerAgreement:
    """One op: its MXNet name, its place in the user's code and its relative difference."""

    name: str
    source: Source
    difference: float


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison. `layers` stand in the order of execution."""

    outputs: tuple[OutputAgreement, ...]
    layers: tuple[LayerAgreement, ...]
    tolerance: float

    @property
    def difference(self) -> float:
        """The largest relative difference of any output."""
        values = [o.difference for o in self.outputs]
        return float("nan") if any(np.isnan(v) for v in values) else max(values, default=0.0)

    @property
    def ok(self) -> bool:
        """Whether every output agrees."""
        return all(o.within(self.tolerance) for o in self.outputs)

    @property
    def first_divergence(self) -> LayerAgreement | None:
        """The first op at which the frameworks part, None where they agree."""
        return next((x for x in self.layers if not x.difference <= self.tolerance), None)


def difference(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> float:
    """max|ours - theirs| / max|theirs| (absolute where torch's is all zero); inf for another shape.

    Infinities and NaNs must stand at the same places.
    """
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    if ours.shape != (theirs.shape or (1,)):
        return float("inf")
    theirs = theirs.reshape(ours.shape)
    if not ours.size:
        return 0.0
    odd = ~np.isfinite(theirs)
    if odd.any():
        if not np.array_equal(ours[odd], theirs[odd], equal_nan=True):
            return float("inf")
        ours, theirs = ours[~odd], theirs[~odd]
        if not ours.size:
            return 0.0
    scale = float(np.max(np.abs(theirs)))
    worst = float(np.max(np.abs(ours - theirs)))
    return worst / scale if scale else worst


def run_symbol(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, mx.nd.NDArray],
    aux_params: Mapping[str, mx.nd.NDArray],
    inputs: Mapping[str, npt.NDArray[Any]],
    fused: bool = True,
    double: bool = False,
) -> list[npt.NDArray[Any]]:
    """The outputs of a symbol on the CPU, in inference.

    `fused` lets the oneDNN pass fuse ops, as `mx.mod.Module` does; it cannot be had for internals.
    `double` computes in float64: every float32 parameter and input is widened.
    """

    settings = {"MXNET_SUBGRAPH_VERBOSE": "0", **({} if fused else {"MXNET_SUBGRAPH_BACKEND": "NONE"})}
    with _environment(**settings), _quiet():
        if double:
            executor = _bound_in_double(symbol, arg_params, aux_params, inputs)
        else:
            executor = _bound(symbol, arg_params, aux_params, inputs)
        return [o.asnumpy() for o in executor.forward(is_train=False)]


def _bound(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, mx.nd.NDArray],
    aux_params: Mapping[str, mx.nd.NDArray],
    inputs: Mapping[str, npt.NDArray[Any]],
) -> Any:
    """An executor, bound as `mx.mod.Module` does it: from the inputs alone, which must do to infer the rest."""
    import mxnet as mx

    names = set(symbol.list_arguments())
    read = {k: v for k, v in inputs.items() if k in names}
    types = {k: v.dtype for k, v in read.items()}
    shapes = {k: v.shape for k, v in read.items()}
    try:
        executor = symbol.simple_bind(mx.cpu(), grad_req="null", type_dict=types, **shapes)
    except RuntimeError as error:  # MXNet's own error, wrapped
        raise mx.base.MXNetError(str(error)) from None
    # Copied, not shared: oneDNN reorders weights in place when it first runs, and these share torch's memory.
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
    import mxnet as mx

    names = set(symbol.list_arguments())
    arguments = {k: _widened(v) for k, v in arg_params.items() if k in names}
    arguments |= {k: _widened(mx.nd.array(v, dtype=v.dtype)) for k, v in inputs.items() if k in names}
    missing = names - set(arguments)
    if missing:  # labels, which inference does not read
        shapes, _, _ = symbol.infer_shape_partial(**{k: v.shape for k, v in inputs.items() if k in names})
        known = dict(zip(symbol.list_arguments(), shapes, strict=True))
        arguments |= {k: mx.nd.zeros(known[k], dtype="float64") for k in missing}
    auxiliary = {k: _widened(aux_params[k]) for k in symbol.list_auxiliary_states()}
    return _in_double(symbol).bind(mx.cpu(), arguments, grad_req="null", aux_states=auxiliary)


def _in_double(symbol: mx.sym.Symbol) -> mx.sym.Symbol:
    """The symbol whose ops make float64 where they make float32."""
    import mxnet as mx

    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        spec = OPS.get(node["op"].removeprefix("_contrib_").removeprefix("_"))
        attrs = node.get("attrs", {})
        made = spec.attrs.get("dtype") if spec is not None else None
        if node["op"] != "null" and attrs.get("dtype", made) == "float32":
            node["attrs"] = attrs | {"dtype": "float64"}
    return mx.sym.load_json(json.dumps(graph))


def _widened(array: Any) -> Any:
    return array.astype("float64") if array.dtype == np.float32 else array


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
        array = _numpy(tensor)
        arrays[variable.name] = array.astype(variable.dtype).reshape(array.shape or (1,))
    return arrays


def _numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A tensor as an array; half precision, which numpy may lack, widened."""
    tensor = tensor.detach()
    if tensor.is_floating_point() and tensor.dtype.itemsize < 4:
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def compare_outputs(
    symbol: mx.sym.Symbol,
    params: tuple[Mapping[str, mx.nd.NDArray], Mapping[str, mx.nd.NDArray]],
    program: Program,
    inputs: Mapping[str, torch.Tensor],
    expected: Sequence[torch.Tensor],
    batch: int,
    parameters: str,
    double: bool = False,
) -> Iterator[OutputAgreement]:
    """Each output of the symbol against torch's; `double` computes in float64.

    `batch` and `parameters` are what the inputs have and what the parameters are, for the report. A symbol that MXNet cannot run, or that has parameters of which the checkpoint knows nothing, differs
    infinitely.
    """
    import mxnet as mx

    names = symbol.list_outputs()
    try:
        ours = run_symbol(symbol, *params, numpy_inputs(program, inputs), fused=not double, double=double)
    except mx.base.MXNetError:
        ours = []
    if not ours or unknown_variables(symbol, program):
        yield from (OutputAgreement(name, float("inf"), batch, parameters, double) for name in names)
        return
    for name, mine, theirs in zip(names, ours, expected, strict=True):
        yield OutputAgreement(name, difference(mine, _numpy(theirs)), batch, parameters, double)


def unknown_variables(symbol: mx.sym.Symbol, program: Program) -> list[str]:
    """Variables that MXNet made by itself (a bias where no_bias was forgotten): no weights exist for them."""
    known = {v.name for v in program.variables}
    return [n for n in (*symbol.list_arguments(), *symbol.list_auxiliary_states()) if n not in known]


def compare_layers(
    symbol: mx.sym.Symbol,
    params: tuple[Mapping[str, mx.nd.NDArray], Mapping[str, mx.nd.NDArray]],
    program: Program,
    inputs: Mapping[str, torch.Tensor],
    values: Mapping[str, Sequence[torch.Tensor]],
) -> tuple[LayerAgreement, ...]:
    """Each op of the symbol against the value of the torch call that it stands for.

    `values` are torch's, by IR node. MXNet's are taken through `get_internals()`. The list ends at an op
    that MXNet cannot run; one that has variables of which the checkpoint knows nothing differs infinitely.
    """
    internals = symbol.get_internals()
    names = internals.list_outputs()
    wanted: list[tuple[Out, str, str, int]] = []
    for node, index, operand in program.values:
        if isinstance(operand, Out) and node in values and index < len(values[node]):
            call = program.calls[operand.call]
            name = _internal_name(names, call.name, operand.index, call.outputs)
            if name is not None:
                wanted.append((operand, name, node, index))
    wanted.sort(key=lambda w: (w[0].call, w[0].index))
    if not wanted:
        return ()
    ours = _run_internals(symbol, params, [name for _, name, _, _ in wanted], numpy_inputs(program, inputs))
    unknown = unknown_variables(symbol, program)
    found = []
    for place, (operand, _, node, index) in enumerate(wanted[: len(ours) + 1]):
        call = program.calls[operand.call]
        owns_unknown = any(n.startswith(f"{call.name}_") for n in unknown)
        if owns_unknown or place == len(ours):
            found.append(LayerAgreement(call.name, call.source, float("inf")))
        else:
            theirs = _numpy(values[node][index])
            found.append(LayerAgreement(call.name, call.source, difference(ours[place], theirs)))
    return tuple(found)


def _run_internals(
    symbol: mx.sym.Symbol,
    params: tuple[Mapping[str, mx.nd.NDArray], Mapping[str, mx.nd.NDArray]],
    names: Sequence[str],
    inputs: Mapping[str, npt.NDArray[Any]],
) -> list[npt.NDArray[Any]]:
    """The values of internal outputs, in the order of execution, up to the first that cannot be run."""
    import mxnet as mx

    internals = symbol.get_internals()

    def run_first(count: int) -> list[npt.NDArray[Any]] | None:
        # Copies: some values that are outputs and read by another op end the process (codegen/fusion.py).
        group = mx.sym.Group([mx.sym.Reshape(internals[name], shape=(-2,)) for name in names[:count]])
        try:
            return run_symbol(group, *params, inputs, fused=False)
        except mx.base.MXNetError:
            return None

    everything = run_first(len(names))
    if everything is not None:
        return everything
    low, high = 0, len(names)
    best: list[npt.NDArray[Any]] = []
    while high - low > 1:  # the first `low` run, the first `high` do not
        middle = (low + high) // 2
        found = run_first(middle)
        low, high, best = (low, middle, best) if found is None else (middle, high, found)
    return best


def _internal_name(names: Sequence[str], call: str, index: int, outputs: int) -> str | None:
    wanted = [f"{call}_output"] if outputs == 1 else [f"{call}_output{index}"]
    if outputs > 1 and index == 0:
        wanted.append(f"{call}_output")
    return next((w for w in wanted if w in names), None)


def randomise(model: nn.Module, inputs: Mapping[str, Any], seed: int = 0) -> None:
    """Make random, in place, what hides errors: constant parameters and BatchNorm statistics.

    Parameters that are already random keep their values, whose scale their layers chose. Statistics
    are drawn around those of `inputs`, layer by layer, so that signals neither vanish nor explode and
    float32 is precise enough to compare in.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            _randomise(parameter, generator)
        hooks = [
            module.register_forward_pre_hook(_statistics_hook(generator))
            for module in model.modules()
            if isinstance(getattr(module, "running_mean", None), torch.Tensor)
        ]
        if hooks:
            model(**inputs)
        for hook in hooks:
            hook.remove()


def _uniform(shape: Any, generator: torch.Generator, low: float, high: float) -> torch.Tensor:
    import torch

    return torch.rand(shape, generator=generator) * (high - low) + low


def _normal(shape: Any, generator: torch.Generator, scale: float) -> torch.Tensor:
    import torch

    return torch.randn(shape, generator=generator) * scale


def _randomise(parameter: torch.Tensor, generator: torch.Generator) -> None:
    """Give a parameter of one value (zeros, ones, a layer scale of 1e-6) random ones."""
    if not parameter.is_floating_point() or not parameter.numel():
        return
    first = float(parameter.reshape(-1)[0])
    if not bool((parameter == first).all()):
        return
    if abs(first) > 0.05:
        parameter.copy_(_uniform(parameter.shape, generator, 0.5 * first, 1.5 * first))
    elif parameter.dim() >= 2 and parameter[0].numel() > 1:
        parameter.copy_(_normal(parameter.shape, generator, parameter[0].numel() ** -0.5))
    else:
        parameter.copy_(_normal(parameter.shape, generator, 0.3))


def _statistics_hook(generator: torch.Generator) -> Any:
    """A forward hook that draws a norm layer's statistics around those of its input, once."""
    seen: set[int] = set()

    def draw(module: Any, args: tuple[Any, ...]) -> None:
        if id(module) in seen or not args:
            return
        seen.add(id(module))
        x = args[0].detach().float()
        x = x.transpose(0, 1).reshape(x.shape[1], -1) if x.dim() > 1 else x[None]
        shape = module.running_mean.shape
        # One value in each channel has no spread: the channels' takes its place, and their mean the mean's.
        own = x.shape[0] == shape[0] and x.dim() > 1 and x.shape[1] > 1
        spread = x.std(1, unbiased=False).clamp_min(1e-3) if own else x.std().expand(shape)
        centre = x.mean(1) if own else x.mean().expand(shape)
        module.running_mean.copy_(centre + 0.3 * spread * _normal(shape, generator, 1.0))
        # An input of one value has no spread, and would leave a variance of zero.
        variance = spread.square().clamp_min(1e-2 * float(x.square().mean()) + 1e-6)
        module.running_var.copy_(variance * _uniform(shape, generator, 0.5, 1.5))

    return draw
