"""What the parts of a review have in common: how a file, a place, a shape and a difference are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.ir import Shape, Source
from codegen.program import Call
from tracer.heads import seen_from

_INSTALLED = "site-packages"
# The net as a place among its modules.
ITSELF = "the net itself"


def shown(path: Path, folder: Path) -> str:
    """A file without the folders of this machine: one of an installed package begins with the package."""
    inner = within_installed(path)
    return "/".join(inner) if inner else seen_from(folder, path)


def within_installed(path: Path) -> tuple[str, ...]:
    """The parts of a file's path from the installed package on that has it; none of another file."""
    parts = path.parts
    return parts[parts.index(_INSTALLED) + 1 :] if _INSTALLED in parts else ()


def rounded(difference: float) -> str:
    """A difference to one digit, which is as much as machines share; one below 1e-7 is a last bit."""
    if difference == 0.0:
        return "0"
    return f"{difference:.0e}" if difference >= 1e-7 else "below 1e-7"


def value(difference: str) -> float:
    """The number that a difference's text stands for."""
    if difference in {"0", "below 1e-7"}:
        return 0.0
    return float(difference)


def shape_text(shape: Shape | None) -> str:
    """A shape as the docstring of the net has it."""
    if shape is None:
        return "?"
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def result_shape(call: Call) -> str:
    """That of what a call makes first."""
    return shape_text(call.shapes[0] if call.shapes else None)


def few(texts: tuple[str, ...], most: int) -> tuple[str, ...]:
    """The first texts, and how many more there are."""
    more = len(texts) - most
    return (*texts[:most], f"{more} more") if more > 0 else texts


def place(source: Source, folder: Path) -> str:
    """File and line of an op, as they are seen from `folder`."""
    return f"{shown(Path(source.file), folder)}:{source.line}" if source.file else "(no source)"


def around(path: str) -> tuple[str, ...]:
    """The net itself, the blocks in which a block stands, and that block: "", "a", "a.b"."""
    parts = path.split(".") if path else []
    return tuple(".".join(parts[:count]) for count in range(len(parts) + 1))


def held_values(values: npt.NDArray[Any] | None) -> str:
    """What an array holds, as far as a few words say it."""
    if values is None or not values.size:
        return "values"
    low, high = values.min(), values.max()
    if low == high:
        return f"all {low:g}"
    if values.dtype.kind in "iu" and np.array_equal(values.ravel(), np.arange(low, high + 1)):
        return f"{low} to {high}, one after the other"
    return f"values from {low:.4g} to {high:.4g}"
