"""Proof: torch and MXNet are both run, and their outputs compared.

For each output: max|mxnet - torch| / max|torch|. Where they differ too much, the outputs of all ops are
compared too, in the order of execution, and the first that differs is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from codegen.ir import Source
from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet, mxnet_error
from codegen.program import Call, Out, Program
from codegen.proof.difference import apart
from codegen.proof.run import as_numpy, numpy_inputs, run_symbol, unknown_variables

if TYPE_CHECKING:
    import mxnet as mx
    import torch

    Params = tuple[Mapping[str, mx.nd.NDArray], Mapping[str, mx.nd.NDArray]]

Array: TypeAlias = npt.NDArray[Any]

TOLERANCE = 1e-4
CANNOT_RUN = "MXNet cannot run the symbol"


@dataclass(frozen=True)
class OutputAgreement:
    """One output of one comparison: relative difference, and what was compared.

    Attributes:
        name: MXNet's name of the output.
        difference: max|mxnet - torch| / max|torch|.
        batch: the batch size of the inputs.
        parameters: which parameters were compared, in words.
        double: the net's float32 rounding is itself near 1e-4 or above (torch's float32 result is that far
            from torch's float64 one): both frameworks were then compared in float64.
        compared: how many values are finite.
        is_empty: the output has no elements at all.
        why: what an infinite difference is, or why the comparison cannot tell.
        size: the height and width of its images, or `length 86` of its sequences, where not the net's own.
    """

    name: str
    difference: float
    batch: int
    parameters: str
    double: bool = False
    compared: int = 1
    is_empty: bool = False
    why: str = ""
    size: str = ""

    def within(self, tolerance: float) -> bool:
        """Whether the output agrees; a difference that is not a number never does."""
        return self.difference <= tolerance


@dataclass(frozen=True)
class Sample:
    """What an input held in one comparison.

    Attributes:
        name: the parameter of forward.
        shape: its shape, with the batch size of the comparison.
        dtype: torch's dtype.
        values: what kind of values these are, in words.
        seed: of the torch.Generator that they were drawn from; None where all were given.
        low: the least of them; None where there are none.
        high: the largest of them; None where there are none.
        zeros: how many are 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: str
    seed: int | None
    low: float | None
    high: float | None
    zeros: int


@dataclass(frozen=True)
class Trial:
    """One comparison of all outputs: what the net was run with.

    Attributes:
        batch: the batch size of the inputs.
        parameters: which parameters were compared, in words.
        size: the height and width of its images, or `length 86` of its sequences, where not the net's own.
        inputs: the inputs, in the order of forward; empty where torch could not run the net.
    """

    batch: int
    parameters: str
    size: str
    inputs: tuple[Sample, ...]


@dataclass(frozen=True)
class LayerAgreement:
    """One op of the comparison.

    Attributes:
        name: its MXNet name.
        source: its place in the user's code: module path, file and line.
        difference: max|mxnet - torch| / max|torch| of its results.
    """

    name: str
    source: Source
    difference: float


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison.

    Attributes:
        outputs: each output at each batch size, with each set of parameters.
        layers: each op, in the order of execution; empty where they were not asked for.
        tolerance: the largest difference that counts as equal.
        trials: what each comparison was made on; `outputs` has all outputs of the first, then of the next.
    """

    outputs: tuple[OutputAgreement, ...]
    layers: tuple[LayerAgreement, ...]
    tolerance: float
    trials: tuple[Trial, ...] = ()

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


def compare_outputs(
    symbol: mx.sym.Symbol,
    params: Params,
    program: Program,
    inputs: Mapping[str, torch.Tensor],
    expected: Sequence[torch.Tensor],
    batch: int,
    parameters: str,
    double: bool = False,
) -> Iterator[OutputAgreement]:
    """Each output of the symbol against torch's; `double` computes in float64.

    `batch` and `parameters` are what the inputs have and what the parameters are, for the report. A symbol
    that MXNet cannot run, or that has parameters of which the checkpoint knows nothing, differs infinitely.
    """
    names = symbol.list_outputs()
    try:
        ours = run_symbol(symbol, *params, numpy_inputs(program, inputs), fused=not double, double=double)
    except mxnet_error() as error:
        why = f"{CANNOT_RUN}: {_last_line(error)}"
        yield from (OutputAgreement(n, float("inf"), batch, parameters, double, why=why) for n in names)
        return
    if unknown := unknown_variables(symbol, program):
        why = f"MXNet made variables for which there are no weights: {', '.join(unknown)}"
        yield from (OutputAgreement(n, float("inf"), batch, parameters, double, why=why) for n in names)
        return
    for name, mine, tensor in zip(names, ours, expected, strict=True):
        theirs = as_numpy(tensor)
        found = apart(mine, theirs)
        yield OutputAgreement(
            name, found.difference, batch, parameters, double, found.compared, not theirs.size, found.why
        )


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("MXNetError: ") if lines else type(error).__name__


def compare_layers(
    symbol: mx.sym.Symbol,
    params: Params,
    program: Program,
    inputs: Mapping[str, torch.Tensor],
    values: Mapping[str, Sequence[torch.Tensor]],
) -> tuple[LayerAgreement, ...]:
    """Each op of the symbol against the value of the torch call that it stands for.

    `values` are torch's, by IR node. MXNet's are taken through `get_internals()`. The list ends at an op
    that MXNet cannot run; one that has variables of which the checkpoint knows nothing differs infinitely.
    """
    unknown = unknown_variables(symbol, program)
    found = []
    for call, ours, theirs in results_of_layers(symbol, params, program, inputs, values):
        owns_unknown = any(n.startswith(f"{call.name}_") for n in unknown)
        off = float("inf") if owns_unknown or ours is None else apart(ours, theirs).difference
        found.append(LayerAgreement(call.name, call.source, off))
    return tuple(found)


def results_of_layers(
    symbol: mx.sym.Symbol,
    params: Params,
    program: Program,
    inputs: Mapping[str, torch.Tensor],
    values: Mapping[str, Sequence[torch.Tensor]],
) -> Iterator[tuple[Call, Array | None, Array]]:
    """Each call that torch has a value for, MXNet's and torch's; None ends it: MXNet cannot run that."""
    names = _internal_names(symbol)
    wanted: list[tuple[Out, str, str, int]] = []
    for node, index, operand in program.values:
        if isinstance(operand, Out) and node in values and index < len(values[node]):
            call = program.calls[operand.call]
            name = _internal_name(names, call.name, operand.index, call.outputs)
            if name is not None:
                wanted.append((operand, name, node, index))
    wanted.sort(key=lambda w: (w[0].call, w[0].index))
    if not wanted:
        return
    ours = _run_internals(symbol, params, [name for _, name, _, _ in wanted], numpy_inputs(program, inputs))
    for place, (operand, _, node, index) in enumerate(wanted[: len(ours) + 1]):
        mine = ours[place] if place < len(ours) else None
        yield program.calls[operand.call], mine, as_numpy(values[node][index])


@in_mxnet
def _internal_names(symbol: mx.sym.Symbol) -> list[str]:
    names: list[str] = symbol.get_internals().list_outputs()
    return names


@in_mxnet
def _run_internals(
    symbol: mx.sym.Symbol,
    params: Params,
    names: Sequence[str],
    inputs: Mapping[str, npt.NDArray[Any]],
) -> list[npt.NDArray[Any]]:
    """The values of internal outputs, in the order of execution, up to the first that cannot be run."""
    mx = import_mxnet()

    internals = symbol.get_internals()

    def run_first(count: int) -> list[npt.NDArray[Any]] | None:
        # Copies: some values that are outputs and are read too end the process (codegen/passes/fusion.py).
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
