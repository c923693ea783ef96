"""Proof: torch and MXNet are both run, and their outputs compared.

For each output: max|mxnet - torch| / max|torch|. Where they differ too much, the outputs of all ops are
compared too, in the order of execution, and the first that differs is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.ir import Source
from codegen.program import Out, Program
from codegen.proof.run import as_numpy, numpy_inputs, run_symbol, unknown_variables

if TYPE_CHECKING:
    import mxnet as mx
    import torch


TOLERANCE = 1e-4


@dataclass(frozen=True)
class OutputAgreement:
    """One output of one comparison: relative difference, and what was compared.

    `double` marks a net whose float32 rounding is itself near 1e-4 or above (torch's float32 result is that
    far from torch's float64 one): both frameworks were then compared in float64.
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

    `batch` and `parameters` are what the inputs have and what the parameters are, for the report. A symbol
    that MXNet cannot run, or that has parameters of which the checkpoint knows nothing, differs infinitely.
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
        yield OutputAgreement(name, difference(mine, as_numpy(theirs)), batch, parameters, double)


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
            theirs = as_numpy(values[node][index])
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
