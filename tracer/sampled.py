"""What the inputs of a comparison held: said by the values themselves, and by what made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from codegen.proof.compare import Sample
from tracer.inputs import InputSpec, follows_batch, integer_range, kind_of, seed_of
from tracer.samples import REPEAT, Variation


def samples_of(
    specs: Sequence[InputSpec], inputs: Mapping[str, torch.Tensor], seed: int, variation: Variation
) -> tuple[Sample, ...]:
    """The inputs that make_inputs made of the specs, by this seed and with this variation."""
    return tuple(
        _sample(spec, inputs[spec.name], seed_of(seed, index), variation, follows_batch(spec, specs))
        for index, spec in enumerate(specs)
    )


def _sample(spec: InputSpec, made: torch.Tensor, seed: int, variation: Variation, follows: bool) -> Sample:
    values, is_drawn = _words(spec, made, variation, follows)
    whole = made.to(torch.float64 if made.dtype.is_floating_point else torch.int64)
    return Sample(
        name=spec.name,
        shape=tuple(made.shape),
        dtype=spec.dtype,
        values=values,
        seed=seed if is_drawn else None,
        low=whole.min().item() if whole.numel() else None,
        high=whole.max().item() if whole.numel() else None,
        zeros=int((whole == 0).sum()),
    )


def _words(spec: InputSpec, made: torch.Tensor, variation: Variation, follows: bool) -> tuple[str, bool]:
    """What kind of values an input has, and whether any were drawn."""
    kind = kind_of(spec)
    if kind == "given":
        return _given(spec, made, variation) if follows else ("as given", False)
    if kind == "floats":
        has_edges = variation.edges and bool(spec.shape)
        return f"normal numbers{', zeros, equal ones and halves among them' if has_edges else ''}", True
    if kind == "mask":
        return "0s and 1s, both in each row" if spec.shape and spec.shape[-1] > 1 else "1s", True
    if spec.dtype == "bool":
        return "trues and falses", True
    low, high = integer_range(spec)
    return f"whole numbers from {low} to {high - 1}{f', found {spec.bound}' if spec.bound else ''}", True


def _given(spec: InputSpec, made: torch.Tensor, variation: Variation) -> tuple[str, bool]:
    """How many of the given samples there are, and what the others were made of, as `fitted` does it."""
    axis = spec.batch_axis or 0
    size, own = made.shape[axis], spec.shape[axis]
    kept = 0 if variation.is_anew else min(size, own)
    if kept == size:
        return ("as given" if size == own else f"the first {size} of {own} that are given"), False
    how = "that repeat them" if variation.way == REPEAT else "made of them"
    count = size - kept
    made_of = f"{count} more {how}" if kept else f"{count} made of the {own} that are given"
    return (f"the {kept} given, and {made_of}" if kept else made_of), variation.way != REPEAT
