"""The comparison of a converted net with torch: both are run on the same seeded inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from codegen.program import Program
from codegen.proof.compare import (
    TOLERANCE,
    Agreement,
    LayerAgreement,
    OutputAgreement,
    compare_layers,
    compare_outputs,
    difference,
)
from codegen.proof.randomise import randomise
from tracer.capture import recorded_values, run
from tracer.copies import module_copy
from tracer.inputs import InputSpec, make_inputs
from tracer.settings import traced_settings

if TYPE_CHECKING:
    import mxnet as mx

    Weights = tuple[Mapping[str, mx.nd.NDArray], Mapping[str, mx.nd.NDArray]]


@dataclass(frozen=True)
class Sides:
    """torch's side and MXNet's with one set of weights; `label` says which set in the report."""

    label: str
    model: nn.Module
    weights: Weights


@dataclass(frozen=True)
class Comparison:
    """What is compared, on which inputs, and how exactly."""

    symbol: mx.sym.Symbol
    program: Program
    specs: tuple[InputSpec, ...]
    taps: tuple[str, ...]
    batches: tuple[int, ...]
    tolerance: float
    seed: int


def verify(comparison: Comparison, all_sides: Sequence[Sides], layers: bool) -> Agreement:
    """The agreement with each set of weights, at each batch size.

    With `layers` every op is compared too: with the last set, or the first one that does not agree.
    """
    outputs: list[OutputAgreement] = []
    for sides in all_sides:
        for batch in comparison.batches:
            outputs += _outputs(comparison, sides, batch)
        agree = all(o.within(comparison.tolerance) for o in outputs)
        if layers and (sides is all_sides[-1] or not agree):
            return Agreement(tuple(outputs), _layers(comparison, sides), comparison.tolerance)
    return Agreement(tuple(outputs), (), comparison.tolerance)


def with_random_weights(model: nn.Module, specs: Sequence[InputSpec], seed: int) -> nn.Module:
    """A copy with random parameters and statistics; other inputs are compared than those of `seed`."""
    copied = module_copy(model)
    # Statistics of the very signals that are compared would cancel them.
    with traced_settings():
        randomise(copied, make_inputs(specs, None, seed + 1))
    return copied


def _layers(comparison: Comparison, sides: Sides) -> tuple[LayerAgreement, ...]:
    inputs = make_inputs(comparison.specs, None, comparison.seed)
    values = recorded_values(sides.model, inputs, comparison.taps)
    return compare_layers(comparison.symbol, sides.weights, comparison.program, inputs, values)


def _outputs(comparison: Comparison, sides: Sides, batch: int) -> list[OutputAgreement]:
    inputs = make_inputs(comparison.specs, batch, comparison.seed)
    expected = _expected(comparison, sides.model, inputs)
    found = _compared(comparison, sides, batch, inputs, expected)
    if all(o.within(comparison.tolerance) for o in found):
        return found
    return _outputs_in_double(comparison, sides, batch, inputs, expected) or found


def _outputs_in_double(
    comparison: Comparison,
    sides: Sides,
    batch: int,
    inputs: Mapping[str, torch.Tensor],
    single: Sequence[torch.Tensor],
) -> list[OutputAgreement] | None:
    """The comparison in float64.

    None unless torch's own float32 rounding is above the usual tolerance; not above a smaller one that
    was asked for: then float32 is what is asked about. Rounding shows as the distance to float64, and
    where a net chooses (the place of a maximum) as what inputs do that differ in their last bits.

    torch: float32 rounding of an ill-conditioned net can exceed 1e-4 by itself.
    MXNet: the same, in another way.
    We write: nothing. Where torch's float32 is off torch's float64, both are compared in float64.
    Source: torch.finfo; measured.

    >>> agreement(lambda x: torch.sin(1e6 * x.sum(1)), (2, 64)).outputs[0].double
    True
    """
    wide = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    try:
        double = _expected(comparison, module_copy(sides.model).double(), wide)
        nudged = [_expected(comparison, sides.model, _nudged(inputs, seed)) for seed in range(4)]
        if _distance(single, [double, *nudged]) < max(comparison.tolerance, TOLERANCE) / 4:
            return None
        return _compared(comparison, sides, batch, wide, double, is_double=True)
    except Exception:  # noqa: BLE001 - a net that cannot be run in float64 is judged in float32
        return None


def _distance(outputs: Sequence[torch.Tensor], others: Sequence[Sequence[torch.Tensor]]) -> float:
    """The largest relative difference of any output to the same one of the others."""
    return max(
        difference(ours.double().numpy(), theirs.double().numpy())
        for other in others
        for ours, theirs in zip(outputs, other, strict=True)
    )


def _compared(
    comparison: Comparison,
    sides: Sides,
    batch: int,
    inputs: Mapping[str, torch.Tensor],
    expected: Sequence[torch.Tensor],
    is_double: bool = False,
) -> list[OutputAgreement]:
    found = compare_outputs(
        comparison.symbol,
        sides.weights,
        comparison.program,
        inputs,
        expected,
        batch,
        sides.label,
        double=is_double,
    )
    return list(found)


def _expected(
    comparison: Comparison, model: nn.Module, inputs: Mapping[str, torch.Tensor]
) -> list[torch.Tensor]:
    """torch's outputs, with the softmax that --softmax appends."""
    outputs = run(model, inputs, comparison.taps)
    if comparison.program.calls[-1].op == "SoftmaxOutput":
        return [torch.softmax(outputs[0], 1)]
    return outputs


def _nudged(inputs: Mapping[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """The inputs with each number moved by at most one unit in the last place of float32."""
    generator = torch.Generator().manual_seed(seed)

    def nudged(values: torch.Tensor) -> torch.Tensor:
        steps = torch.randint(-1, 2, values.shape, generator=generator)
        return (values * (1 + 2**-23 * steps)).to(values.dtype)

    return {k: nudged(v) if v.is_floating_point() else v for k, v in inputs.items()}
