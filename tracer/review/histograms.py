"""The values of weights in both frameworks, as histograms of the same bins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.program import Program, Variable
from codegen.weights import parameters
from tracer.conversion import Conversion
from tracer.copies import full_state
from tracer.review.model import Histogram

if TYPE_CHECKING:
    import torch

Values = npt.NDArray[Any]
BINS = 24
# The height of the highest bar: a picture of a line's height tells no more.
HEIGHT = 24


def histograms(conversion: Conversion) -> Iterator[Histogram | None]:
    """One for each parameter and statistic, in the program's order; None where torch has no such values."""
    state = full_state(conversion.model)
    arg, aux = parameters(conversion.program, state)
    arrays = arg | aux
    for variable in held(conversion.program):
        mine = arrays[variable.name].asnumpy().reshape(-1)
        theirs = _torch_values(variable, state)
        yield histogram(theirs, mine) if theirs is not None else None


def held(program: Program) -> Iterator[Variable]:
    """The Variables that the weights file has."""
    return (v for v in program.variables if v.kind in {"arg", "aux"})


def _torch_values(variable: Variable, state: Mapping[str, torch.Tensor]) -> Values | None:
    """What torch has under the keys, in whatever order."""
    if not variable.keys or any(key not in state for key in variable.keys):
        return None
    parts = [state[key].detach().reshape(-1) for key in variable.keys]
    parts = [part.float() if part.is_floating_point() else part for part in parts]
    arrays = [part.cpu().numpy() for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def histogram(torch_values: Values, mxnet_values: Values) -> Histogram | None:
    """That of both; None where neither has a finite value."""
    both = [values[np.isfinite(values)] for values in (torch_values, mxnet_values)]
    sizes = [values for values in both if values.size]
    if not sizes:
        return None
    low = min(float(values.min()) for values in sizes)
    high = max(float(values.max()) for values in sizes)
    theirs = _counts(both[0], low, high)
    mine = theirs if np.array_equal(*both) else _counts(both[1], low, high)
    most = max(*theirs, *mine)
    return Histogram(f"{low:.2g}", f"{high:.2g}", _heights(theirs, most), _heights(mine, most))


def _counts(values: Values, low: float, high: float) -> list[int]:
    """How many values are in each bin; values that are all one are in the middle."""
    if low == high:
        places = np.full(values.shape, BINS // 2)
    else:
        share = (values.astype(np.float32, copy=False) - np.float32(low)) * np.float32(BINS / (high - low))
        places = np.clip(share.astype(np.int64), 0, BINS - 1)
    return [int(count) for count in np.bincount(places, minlength=BINS)]


def _heights(counts: list[int], most: int) -> tuple[int, ...]:
    """Parts of the highest bar; a bin that holds anything is seen."""
    return tuple(max(1, round(HEIGHT * count / most)) if count else 0 for count in counts)
