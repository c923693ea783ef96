"""What the parts of a review have in common: how a file, a place, a shape and a difference are written."""

from __future__ import annotations

from pathlib import Path

from codegen.ir import Shape, Source
from codegen.program import Call
from tracer.heads import seen_from

_INSTALLED = "site-packages"
# The net as a place among its modules.
ITSELF = "the net itself"


def shown(path: Path, folder: Path) -> str:
    """A file without the folders of this machine: one of an installed package begins with the package."""
    parts = path.parts
    if _INSTALLED in parts:
        return "/".join(parts[parts.index(_INSTALLED) + 1 :])
    return seen_from(folder, path)


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
