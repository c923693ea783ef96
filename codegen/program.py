"""The target program: MXNet symbol calls in order, and the Variables that they read.

A program is what `render` prints and `weights` fills. It knows nothing of torch but the names of the
state-dict keys and the places in the user's code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy.typing as npt

from codegen.defects import Defect, demand
from codegen.ir import Frame, Note, Shape, Source


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
class Setting:
    """The value of an attribute that stands at the head of the file, under a name."""

    name: str


# What keeps training from the Variables that an op makes by itself.
FROZEN = Setting("FROZEN")

# A class of mx.init, and what it takes.
Initializer: TypeAlias = "tuple[str, *tuple[float, ...]]"


@dataclass(frozen=True)
class Variable:
    """A leaf of the symbol: an input, a parameter (`arg`), an auxiliary state (`aux`), a constant
    or a label, which inference does not read.

    `keys` are the torch keys that it holds: one as it is, several flattened and joined (`packed`), or,
    where they are the same tensor, `tied`. `fill` marks a constant of one value, `value` any other. One that
    is not `trained` is left as it is by training; `init` is what training from scratch begins with, where
    MXNet does not know it by name. MXNet infers the shape of one that is `inferred`. The rows of one with
    `heads` are (heads, 3, width) where those of its keys are (3, heads, width).
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
    trained: bool = True
    init: Initializer | None = None
    inferred: bool = False
    heads: int = 0


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


# What names end with, of numbers that come first: the ONNX exporter of mxnet 1.9.1 tells 1 - x from x - 1 by
# the name alone, which is _rminusscalar0 where nobody gave one.
NUMBER_FIRST = {"c - x": "_rminusscalar", "c / x": "_rdivscalar"}


@dataclass(frozen=True)
class Call:
    """One MXNet op.

    `op` is spelled as below `mx.sym` (`Convolution`, `contrib.BilinearResize2D`), or is one of
    Python's operators on a symbol and a number (`x * c`, `c - x`, ...). `inputs` are (keyword or None,
    operand); `attrs` hold what differs from MXNet's defaults and what is always written. `told_by` is the
    function whose docstring tells why a step on the way is written, `codegen.idioms.attention:seen_rows`: it
    says nothing of what the op is.
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
    told_by: str = field(default="", compare=False)

    def operands(self) -> Iterator[Operand]:
        """What the call reads."""
        for _, operand in self.inputs:
            yield operand

    @property
    def stem(self) -> str:
        """Its name without what NUMBER_FIRST adds."""
        return self.name.removesuffix(NUMBER_FIRST.get(self.op, ""))


@dataclass(frozen=True)
class Output:
    """One result of the net, and what torch called it: empty where it had no name."""

    operand: Operand
    shape: Shape
    name: str = ""


@dataclass(frozen=True)
class Program:
    """A whole net as MXNet calls. `values` maps IR tensors (node, index) to what computes them.

    `batch_doc` says at which batch sizes it is right, where that is not all, and `size_doc` at which heights
    and widths of its images, or lengths of its sequences; `free_sizes` and `free_length` tell whether at all
    that were tried. `all_frozen`: of the net's parameters torch trains none.
    """

    name: str
    variables: tuple[Variable, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Output, ...]
    values: tuple[tuple[str, int, Operand], ...]
    unused_keys: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    batch: int = 1
    free_batch: bool = True
    batch_doc: str = ""
    size_doc: str = ""
    free_sizes: bool = False
    free_length: bool = False
    all_frozen: bool = False

    def variable(self, name: str) -> Variable:
        """The Variable called `name`."""
        return next(v for v in self.variables if v.name == name)

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The inputs, in forward's order."""
        return tuple(v for v in self.variables if v.kind == "input")

    def text(self) -> str:
        """The program as text, one line a call."""
        lines = [
            f"{v.name} = {v.kind} {v.dtype}{_shown(v.shape)}  # {', '.join(v.keys)}" for v in self.variables
        ]
        lines += [_call_text(self, call) for call in self.calls]
        lines.append("return " + ", ".join(_operand_text(self, output.operand) for output in self.outputs))
        return "\n".join(line.rstrip(" #") for line in lines) + "\n"


def _call_text(program: Program, call: Call) -> str:
    parts = [
        f"{slot}={_operand_text(program, o)}" if slot else _operand_text(program, o)
        for slot, o in call.inputs
    ]
    parts += [f"{name}={value!r}" for name, value in call.attrs]
    shapes = ", ".join("?" if shape is None else _shown(shape) for shape in call.shapes)
    return f"{call.name} = {call.op}({', '.join(parts)}) : {shapes}"


def _operand_text(program: Program, operand: Operand) -> str:
    if isinstance(operand, Leaf):
        return operand.name
    return program.calls[operand.call].name + (f".{operand.index}" if operand.index else "")


def _shown(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def check(program: Program) -> Program:
    """Raise Defect unless the program is legal; return it.

    Legal: calls and Variables have names of their own; a call reads outputs of earlier calls and Variables of
    the program; every Variable but an input is read; the net has outputs, and each is an op's.
    """
    names = [v.name for v in program.variables] + [call.name for call in program.calls]
    again = [name for name, count in Counter(names).items() if count > 1]
    if again:
        raise Defect(f"{again[0]} stands twice")
    known = {v.name for v in program.variables}
    for index, call in enumerate(program.calls):
        for operand in call.operands():
            _check_operand(program, operand, known, index, call.name)
    demand(program.outputs, "a program without outputs")
    for output in program.outputs:
        if not isinstance(output.operand, Out):
            raise Defect(f"the output {output.operand} is no op's")
        _check_operand(program, output.operand, known, len(program.calls), "return")
    read = {o.name for call in program.calls for o in call.operands() if isinstance(o, Leaf)}
    unread = [v.name for v in program.variables if v.kind != "input" and v.name not in read]
    if unread:
        raise Defect(f"nothing reads {unread[0]}")
    return program


def _check_operand(
    program: Program, operand: Operand, known: Collection[str], before: int, user: str
) -> None:
    if isinstance(operand, Leaf):
        demand(operand.name in known, f"{user} reads {operand.name}, which is no Variable of the program")
        return
    demand(0 <= operand.call < before, f"{user} reads call {operand.call}, which does not come before it")
    demand(operand.index < program.calls[operand.call].outputs, f"{user} reads {operand}: no such output")
