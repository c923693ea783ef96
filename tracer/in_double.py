"""torch in float64: what a net gives where float32 rounds it too coarsely to be compared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import nn

from codegen.program import Program
from codegen.proof.difference import difference
from codegen.proof.exact import is_single
from codegen.proof.run import as_numpy
from tracer.copies import module_copy

Tensors = Mapping[str, torch.Tensor]
Expected = Callable[[nn.Module, Tensors], list[torch.Tensor]]
# The dtypes of numbers that forward makes.
READINGS = (torch.float32, torch.float64)


def double_outputs(model: nn.Module, inputs: Tensors, expected: Expected) -> list[list[torch.Tensor]]:
    """What the net gives in float64: with its own constants in float32, and with those in float64 too.

    Both are the net that was written: numbers that forward makes are exact in the first, as MXNet has
    them, and whole numbers are divided exactly in the second. A reading that does not run is left out.
    """
    wide = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    found = []
    for dtype in READINGS:
        with contextlib.suppress(Exception), default_dtype(dtype):  # a net that does not run in float64
            found.append(expected(module_copy(model).double(), wide))
    return found


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def rounding(
    model: nn.Module,
    inputs: Tensors,
    single: Sequence[torch.Tensor],
    doubles: Sequence[Sequence[torch.Tensor]],
    expected: Expected,
) -> float:
    """How far float32 takes torch itself: the largest relative difference of any output.

    To float64, and to what inputs and weights give that differ in their last bits: what a layer rounds is as
    if its weights were others by that. Infinite where a nan or an infinity comes or goes.
    """
    nudged = [expected(model, _nudged(inputs, seed)) for seed in range(4)]
    nudged += [expected(_with_nudged_weights(model, seed), inputs) for seed in range(2)]
    return _distance(single, (*doubles, *nudged))


def rounding_in_double(model: nn.Module, inputs: Tensors, expected: Expected) -> float | None:
    """The same of float64: how far its last bits take torch; None where torch does not run the net in it."""
    unit = 16 * torch.finfo(torch.float64).eps
    for dtype in READINGS:
        with contextlib.suppress(Exception), default_dtype(dtype):
            wide = module_copy(model).double()
            nudged = [expected(wide, _nudged(inputs, seed, unit)) for seed in range(4)]
            return _distance(expected(wide, inputs), nudged)
    return None


def _distance(outputs: Sequence[torch.Tensor], others: Sequence[Sequence[torch.Tensor]]) -> float:
    """The largest relative difference of any output to the same one of the others."""
    return max(
        difference(as_numpy(ours.reshape(ours.shape or (1,))), as_numpy(theirs))
        for other in others
        for ours, theirs in zip(outputs, other, strict=True)
    )


def _with_nudged_weights(model: nn.Module, seed: int) -> nn.Module:
    """A copy of the model with each weight moved by at most one unit in the last place."""

    def nudged(name: str, tensor: torch.Tensor) -> torch.Tensor:
        return _nudged({name: tensor.detach()}, seed)[name]

    return module_copy(model, parameter=lambda n, t: nn.Parameter(nudged(n, t), requires_grad=False))


def _nudged(inputs: Tensors, seed: int, unit: float = torch.finfo(torch.float32).eps) -> Tensors:
    """The inputs with each number moved by at most one unit in the last place."""
    generator = torch.Generator().manual_seed(seed)

    def nudged(values: torch.Tensor) -> torch.Tensor:
        steps = torch.randint(-1, 2, values.shape, generator=generator)
        return (values * (1 + unit * steps.double())).to(values.dtype)

    return {k: nudged(v) if v.is_floating_point() else v for k, v in inputs.items()}


def why_undecided(program: Program, off: float, off_in_double: float | None, runs: bool) -> str:
    """Why a difference is no proof of an error; empty where it is one.

    `off` is what float32 rounds, `off_in_double` what float64 does: 0 where that is little, None where torch
    does not run the net in it. `runs` says whether MXNet does.
    """
    single = dict.fromkeys(call.op for call in program.calls if is_single(call.op, dict(call.attrs)))
    if off_in_double is None:
        reason = "torch does not run it in float64"
    elif not runs:
        reason = "MXNet does not run it in float64"
    elif off_in_double:
        reason = f"float64 moves it by {off_in_double:.0e} too"
    elif single:
        reason = f"{' and '.join(single)} of MXNet is no float64 there"
    else:
        return ""
    return (
        f"float32 is too coarse for this net to tell, since torch's own result moves by {off:.0e} with the "
        f"last bits of its inputs, and {reason}: compare on inputs that are rounded less "
        "(--input x=@x.npy), or with a --tolerance above that"
    )
