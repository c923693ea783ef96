"""The comparison of a converted net with torch: both are run on the same seeded inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from codegen.problems import in_a_line
from codegen.program import Program
from codegen.proof.compare import (
    CANNOT_RUN,
    TOLERANCE,
    Agreement,
    Array,
    LayerAgreement,
    OutputAgreement,
    Trial,
    compare_layers,
    compare_outputs,
    results_of_layers,
)
from codegen.proof.randomise import randomise
from codegen.proof.run import numpy_inputs, run_symbol
from tracer.capture import recorded_values, run
from tracer.copies import full_state, module_copy
from tracer.image_sizes import is_image, size_text
from tracer.in_double import double_outputs, rounding, rounding_in_double, why_undecided
from tracer.inputs import InputSpec, kind_of, make_inputs
from tracer.sampled import samples_of
from tracer.samples import REPEAT, Variation
from tracer.sequence_lengths import length_text
from tracer.settings import traced_settings

if TYPE_CHECKING:
    import mxnet as mx

    Weights = tuple[Mapping[str, mx.nd.NDArray], Mapping[str, mx.nd.NDArray]]

Tensors = Mapping[str, torch.Tensor]
# How the report calls the parameters that the net came with.
OWN = "its own parameters"


@dataclass(frozen=True)
class Sides:
    """torch's side and MXNet's with one set of weights; `label` says which set in the report."""

    label: str
    model: nn.Module
    weights: Weights


@dataclass(frozen=True)
class Comparison:
    """What is compared, on which inputs, and how exactly.

    `larger` are the inputs with images of another size, where the code is right at that too.
    """

    symbol: mx.sym.Symbol
    program: Program
    specs: tuple[InputSpec, ...]
    taps: tuple[str, ...]
    batches: tuple[int, ...]
    tolerance: float
    seed: int
    has_ties: bool = True
    larger: tuple[InputSpec, ...] = ()

    def trials(self) -> tuple[tuple[int, Variation], ...]:
        """Batch sizes with the values that are compared at them.

        The first has plain values, or those that are given; all others have samples that differ, with zeros,
        ties and halves if the net `has_ties`. What one batch size would have the same values of is compared
        once: whole numbers and masks, of which there are no other ones by the same seed.
        """
        first, *others = self.batches
        kinds = {kind_of(spec) for spec in self.specs}
        if not others and "given" not in kinds and not (self.has_ties and "floats" in kinds):
            return ((first, Variation()),)
        if not others:
            return (first, Variation()), (first, Variation(edges=self.has_ties, is_anew=True))
        return (first, Variation()), *((batch, Variation(edges=self.has_ties)) for batch in others)


def verify(comparison: Comparison, all_sides: Sequence[Sides], layers: bool) -> Agreement:
    """The agreement with each set of weights, at each batch size.

    With `layers` every op is compared too: with the last set, or the first one that does not agree.
    """
    outputs: list[OutputAgreement] = []
    trials: list[Trial] = []
    found: tuple[LayerAgreement, ...] = ()
    for sides in all_sides:
        of_sides = [_of_sides(comparison, sides)]
        if comparison.larger and sides is all_sides[-1]:
            of_sides.append(_at_another_size(comparison, sides))
        for more, on in of_sides:
            outputs += more
            trials += on
        agree = all(o.within(comparison.tolerance) for o in outputs)
        if layers and (sides is all_sides[-1] or not agree):
            found = _layers(comparison, sides)
            break
    return Agreement(tuple(outputs), found, comparison.tolerance, tuple(trials))


def _at_another_size(comparison: Comparison, sides: Sides) -> tuple[list[OutputAgreement], list[Trial]]:
    """The agreement on images of another size, or sequences of another length."""
    of_larger = replace(comparison, specs=comparison.larger, batches=comparison.batches[:1])
    own = comparison.specs
    size = size_text(comparison.larger) if any(map(is_image, own)) else length_text(own, comparison.larger)
    outputs, trials = _of_sides(of_larger, sides)
    return [replace(o, size=size) for o in outputs], [replace(t, size=size) for t in trials]


def with_random_weights(model: nn.Module, specs: Sequence[InputSpec], seed: int) -> nn.Module:
    """A copy with random parameters and statistics; other inputs are compared than those of `seed`."""
    copied = module_copy(model)
    # Statistics of the very signals that are compared would cancel them.
    with traced_settings():
        randomise(copied, make_inputs(specs, None, seed + 1))
    return copied


@dataclass(frozen=True)
class LayerValues:
    """What MXNet and torch have at an op, with these `parameters`; None for what could not be computed."""

    ours: Array | None
    theirs: Array | None
    parameters: str


def layer_values(comparison: Comparison, sides: Sides, layer: str) -> LayerValues:
    """The values at an op, by MXNet's name of it."""
    inputs = make_inputs(comparison.specs, None, comparison.seed)
    values = recorded_values(sides.model, inputs, comparison.taps)
    found = results_of_layers(comparison.symbol, sides.weights, comparison.program, inputs, values)
    ours, theirs = next(((mine, its) for call, mine, its in found if call.name == layer), (None, None))
    return LayerValues(ours, theirs, sides.label)


def _layers(comparison: Comparison, sides: Sides) -> tuple[LayerAgreement, ...]:
    inputs = make_inputs(comparison.specs, None, comparison.seed)
    values = recorded_values(sides.model, inputs, comparison.taps)
    return compare_layers(comparison.symbol, sides.weights, comparison.program, inputs, values)


def _of_sides(comparison: Comparison, sides: Sides) -> tuple[list[OutputAgreement], list[Trial]]:
    """The outputs at each batch size, and what was compared.

    An output of which nothing finite was compared at any agrees at none.
    """
    found: list[OutputAgreement] = []
    trials: list[Trial] = []
    usual: list[bool] | None = None
    for batch, variation in comparison.trials():
        try:
            inputs, expected, chosen = _chosen(comparison, sides, batch, variation, usual)
        except Exception as error:  # noqa: BLE001 - whatever the user's net raises
            why = f"torch cannot run the net: {in_a_line(error)}"
            names = comparison.symbol.list_outputs()
            found += [OutputAgreement(n, float("inf"), batch, sides.label, why=why) for n in names]
            trials.append(Trial(batch, sides.label, "", ()))
            continue
        samples = samples_of(comparison.specs, inputs, comparison.seed, chosen)
        trials.append(Trial(batch, sides.label, "", samples))
        usual = usual or [_is_finite(e) for e in expected]
        found += _outputs(comparison, sides, batch, inputs, expected)
    seen = {o.name for o in found if o.compared or o.is_empty}
    return [o if o.name in seen or o.why else _of_nothing(o, sides.model) for o in found], trials


def _chosen(
    comparison: Comparison, sides: Sides, batch: int, variation: Variation, usual: list[bool] | None
) -> tuple[Tensors, list[torch.Tensor], Variation]:
    """The inputs, what torch gives for them, and how their values were chosen.

    Given values are extended in the first way on which the net runs in both, and is finite where it `usual`ly
    is.
    """
    is_given = any(spec.value is not None for spec in comparison.specs)
    for way in range(REPEAT if is_given else 0):
        tried = replace(variation, way=way)
        inputs = make_inputs(comparison.specs, batch, comparison.seed, tried)
        try:
            expected = _expected(comparison, sides.model, inputs)
            arrays = numpy_inputs(comparison.program, inputs)
            run_symbol(comparison.symbol, *sides.weights, arrays, only_check=True)
        except Exception:  # noqa: BLE001 - values that the net does not take
            continue
        if usual is None or all(_is_finite(e) for e, u in zip(expected, usual, strict=True) if u):
            return inputs, expected, tried
    last = replace(variation, way=REPEAT, is_anew=False)
    inputs = make_inputs(comparison.specs, batch, comparison.seed, last)
    return inputs, _expected(comparison, sides.model, inputs), last


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.isfinite().all())


def _of_nothing(output: OutputAgreement, model: nn.Module) -> OutputAgreement:
    """What says that no number of the output was compared, and why."""
    odd = [key for key, tensor in full_state(model).items() if tensor.isnan().any()]
    if odd:
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        why = f"the weights hold nan: {', '.join(odd[:3])}{more}"
    else:
        why = "give inputs at which it is finite, such as --input x=@x.npy"
    return replace(
        output,
        difference=float("inf"),
        why=f"nothing was compared, since torch's output is nan or infinite everywhere ({why})",
    )


def _outputs(
    comparison: Comparison, sides: Sides, batch: int, inputs: Tensors, expected: Sequence[torch.Tensor]
) -> list[OutputAgreement]:
    found = _compared(comparison, sides, batch, inputs, expected)
    if all(o.within(comparison.tolerance) for o in found):
        return found
    return _outputs_in_double(comparison, sides, batch, inputs, expected, found) or found


def _outputs_in_double(
    comparison: Comparison,
    sides: Sides,
    batch: int,
    inputs: Tensors,
    single: Sequence[torch.Tensor],
    found: list[OutputAgreement],
) -> list[OutputAgreement] | None:
    """The comparison in float64; None where the one in float32 is to be judged.

    That is so unless torch's own float32 rounding is above the usual tolerance; not above a smaller one that
    was asked for: then float32 is what is asked about. Rounding shows as the distance to float64, and
    where a net chooses (the place of a maximum) as what inputs do that differ in their last bits.

    torch: float32 rounding of an ill-conditioned net can exceed 1e-4 by itself.
    MXNet: the same, in another way.
    We write: nothing. Where torch's float32 is off torch's float64, both are compared in float64.
    Source: torch.finfo; measured.

    >>> agreement(lambda x: torch.sin(1e6 * x.sum(1)), (2, 64)).outputs[0].double
    True
    """

    def expected(model: nn.Module, values: Tensors) -> list[torch.Tensor]:
        return _expected(comparison, model, values)

    doubles = double_outputs(sides.model, inputs, expected)
    off = rounding(sides.model, inputs, single, doubles, expected)
    if off < max(comparison.tolerance, TOLERANCE) / 4:
        return None
    if any(o.why for o in found) and off != float("inf"):
        return None  # a shape, a nan or an infinity is no rounding
    wide = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    judged = found
    for double in doubles:
        made = _compared(comparison, sides, batch, wide, double, is_double=True)
        if not any(o.why.startswith(CANNOT_RUN) for o in made):
            judged = [o if o.within(comparison.tolerance) else d for o, d in zip(found, made, strict=True)]
        if all(o.within(comparison.tolerance) for o in judged):
            return judged
    in_double = rounding_in_double(sides.model, wide, expected)
    if in_double is not None and in_double < comparison.tolerance / 4:
        in_double = 0.0
    why = why_undecided(comparison.program, off, in_double, judged is not found)
    return [o if o.within(comparison.tolerance) else replace(o, why=o.why or why) for o in judged]


def _compared(
    comparison: Comparison,
    sides: Sides,
    batch: int,
    inputs: Tensors,
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


def _expected(comparison: Comparison, model: nn.Module, inputs: Tensors) -> list[torch.Tensor]:
    """torch's outputs, with the softmax that --softmax appends."""
    outputs = run(model, inputs, comparison.taps)
    if comparison.program.calls[-1].op == "SoftmaxOutput":
        return [torch.softmax(outputs[0], 1)]
    return outputs
