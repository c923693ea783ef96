"""The target program: MXNet symbol calls in order, and the Variables that they read.

A program is what `render` prints and `weights` fills. It knows nothing of torch but the names of the
state-dict keys and the places in the user's code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy.typing as npt

from codegen.ir import Frame, Shape, Source


@dataclass(frozen=True)
class NamedFrame(Frame):
    """A call that an op stands in, as the names have it.

    `prefix` begins the names of what the call makes. `op` marks a call that stands around an op of torch for
    which MXNet needs several: `cls` is then the op's name.
    """

    prefix: str = ""
    op: bool = False


@dataclass(frozen=True)
class Place(Source):
    """Where in the user's code an op comes from.

    `is_step` marks what a layer of torch's computes on the way to its result.
    """

    frames: tuple[NamedFrame, ...] = ()
    is_step: bool = False


def _live_calls(calls: Sequence[Call], roots: Sequence[Operand]) -> set[int]:
    live: set[int] = set()
    stack = [r.call for r in roots if isinstance(r, Out)]
    while stack:
        index = stack.pop()
        if index in live:
            continue
        live.add(index)
        stack += [o.call for o in calls[index].operands() if isinstance(o, Out)]
    return live


def compacted(program: Program) -> Program:
    """The program without calls that no output needs, and without their Variables."""
    live = _live_calls(program.calls, [o.operand for o in program.outputs])
    new_index = {old: new for new, old in enumerate(sorted(live))}

    def moved(operand: Operand) -> Operand:
        return Out(new_index[operand.call], operand.index) if isinstance(operand, Out) else operand

    calls = tuple(
        replace(c, inputs=tuple((k, moved(o)) for k, o in c.inputs))
        for i, c in enumerate(program.calls)
        if i in live
    )
    read = {o.name for c in calls for o in c.operands() if isinstance(o, Leaf)}
    held = {k for v in program.variables if v.name in read for k in v.keys}
    dropped = [k for v in program.variables if v.name not in read for k in v.keys if k not in held]
    return replace(
        program,
        calls=calls,
        variables=tuple(v for v in program.variables if v.name in read or v.kind == "input"),
        outputs=tuple(replace(o, operand=moved(o.operand)) for o in program.outputs),
        values=tuple(
            (n, i, moved(o)) for n, i, o in program.values if not isinstance(o, Out) or o.call in live
        ),
        unused_keys=(*program.unused_keys, *(k for k in dropped if k not in program.unused_keys)),
    )


@dataclass(frozen=True)
class Variable:
    """A leaf of the symbol: an input, a parameter (`arg`), an auxiliary state (`aux`), a constant
    or a label, which inference does not read.

    `keys` are the torch keys that it holds: one as it is, several flattened and joined (`packed`), or,
    where they are the same tensor, `tied`. `fill` marks a constant of one value, `value` any other.
    """

    name: str
    kind: Literal["input", "arg", "aux", "label"]
    shape: Shape
    dtype: str = "float32"
    keys: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    fill: float | None = None
    value: npt.NDArray[Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Out:
    """Output `index` of call number `call`."""

    call: int
    index: int = 0


@dataclass(frozen=True)
class Leaf:
    """A Variable, by name."""

    name: str


Operand: TypeAlias = "Out | Leaf"


@dataclass(frozen=True)
class Call:
    """One MXNet op.

    `op` is spelled as below `mx.sym` (`Convolution`, `contrib.BilinearResize2D`), or is one of
    Python's operators on a symbol and a number (`x * c`, `c - x`, ...). `inputs` are (keyword or None,
    operand); `attrs` hold what differs from MXNet's defaults and what is always written.
    """

    op: str
    inputs: tuple[tuple[str | None, Operand], ...]
    attrs: tuple[tuple[str, Any], ...]
    name: str
    outputs: int
    node: str
    source: Place
    shapes: tuple[Shape | None, ...] = ()
    comment: str = ""

    def operands(self) -> Iterator[Operand]:
        """What the call reads."""
        for _, operand in self.inputs:
            yield operand


@dataclass(frozen=True)
class Output:
    """One result of the net."""

    operand: Operand
    shape: Shape


@dataclass(frozen=True)
class Program:
    """A whole net as MXNet calls. `values` maps IR tensors (node, index) to what computes them."""

    name: str
    variables: tuple[Variable, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Output, ...]
    values: tuple[tuple[str, int, Operand], ...]
    unused_keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    batch: int = 1
    free_batch: bool = True

    def variable(self, name: str) -> Variable:
        """The Variable called `name`."""
        return next(v for v in self.variables if v.name == name)

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The inputs, in forward's order."""
        return tuple(v for v in self.variables if v.kind == "input")
