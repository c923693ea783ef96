"""The IR between the two frameworks: a flat list of torch ops, each with its place in the net.

Sizes that follow the batch are `Dim`s (coef * N + const); everything else is a plain int. A node's
arguments are keyword arguments in the op's own names. `text` prints one line a node, and `check`
states what every stage may rely on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy.typing as npt

# Variables that users give to whatever comes.
from codegen.defects import Defect, demand

SAYS_NOTHING = frozenset(["", "x", "y", "z", "h", "out", "output"])


class SizeFollowsBatch(TypeError):
    """A size that follows the batch stands where MXNet, or a rule, wants a number."""


@dataclass(frozen=True)
class Dim:
    """A size that depends on the batch size N: coef * N + const, with coef != 0.

    It is no number: arithmetic with it raises SizeFollowsBatch.
    """

    coef: Fraction
    const: Fraction = Fraction(0)

    def at(self, batch: int) -> int:
        """The size at a batch size; ValueError where it would not be whole."""
        value = self.coef * batch + self.const
        if value.denominator != 1:
            raise ValueError(f"{self} is not whole at N={batch}")
        return int(value)

    def __str__(self) -> str:
        text = "N" if self.coef == 1 else f"{self.coef}*N"
        if self.const:
            text += f"{'+' if self.const > 0 else '-'}{abs(self.const)}"
        return text

    __repr__ = __str__

    if not TYPE_CHECKING:  # mypy refuses these by itself

        def _no_number(self, *_others: Any) -> NoReturn:
            raise SizeFollowsBatch(f"the size {self} follows the batch")

        __index__ = __int__ = __float__ = __neg__ = _no_number
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __pow__ = __rpow__ = _no_number
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _no_number
        __lt__ = __le__ = __gt__ = __ge__ = _no_number


Size: TypeAlias = "int | Dim"
Shape: TypeAlias = tuple[Size, ...]


def shape_at(shape: Sequence[Size], batch: int) -> tuple[int, ...]:
    """The shape in numbers at a batch size."""
    return tuple(d.at(batch) if isinstance(d, Dim) else d for d in shape)


def elements_in(sizes: Sequence[Size]) -> Size | None:
    """How many elements a tensor of these sizes has; None where that is not linear in N."""
    number = 1
    dims = [d for d in sizes if isinstance(d, Dim)]
    for size in sizes:
        if isinstance(size, int):
            number *= size
    if not dims or number == 0:
        return number
    if len(dims) > 1:
        return None
    return Dim(dims[0].coef * number, dims[0].const * number)


@dataclass(frozen=True)
class TensorType:
    """Shape and torch dtype (`float32`, `int64`, `bool`, ...) of a tensor."""

    shape: Shape
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Frame:
    """One module call that a node stands in: an entry of torch.fx's nn_module_stack.

    `call` counts the calls of the same module (0 for the first), `library` is True for torch.nn's own
    classes, `file` is the name of the file that defines the class. `arguments` are the tensors that the call
    is given: (the argument of forward, the node's name, its output). `target` is the local variable to which
    the caller assigns what the call returns, `line` where it does, `turns` are those of the caller's loops
    around it, `comment` what is said above it. `is_function` marks a function of the user's that forward
    calls: `cls` is then its name. `attributes` are the numbers that a module of the user's keeps, and True or
    False where its class asks whether it is so, `words` the numbers that have a name in its `__init__`.
    `results` are the tensors of a tuple that the call returns: (the caller's variable that each is unpacked
    to, '' for none, the node's name, its output). `inherited` is the user's class of the same file from which
    a class has its forward, '' where it writes its own.
    """

    path: str
    cls: str
    call: int = 0
    library: bool = False
    file: str = ""
    arguments: tuple[tuple[str, str, int], ...] = ()
    target: str = ""
    line: int = 0
    is_function: bool = False
    turns: tuple[int, ...] = ()
    comment: str = ""
    attributes: tuple[tuple[str, float], ...] = ()
    words: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    results: tuple[tuple[str, str, int], ...] = ()
    inherited: str = ""


@dataclass(frozen=True)
class Source:
    """Where in the user's code a node comes from; survives every stage.

    `target` is the local variable that the user's statement assigns, `targets` are those of `q, k, v =
    ...`, `text` its code, `comment` what its author says above it. `local` is the variable in a function
    that forward calls, where `target` is forward's. `turns` count those of the loops around the call in the
    innermost function of the user's, outer loops first. `is_inner`: what the statement assigns is another's.
    """

    path: str = ""
    file: str = ""
    line: int = 0
    frames: tuple[Frame, ...] = ()
    target: str = ""
    text: str = ""
    targets: tuple[str, ...] = ()
    local: str = ""
    turns: tuple[int, ...] = ()
    comment: str = ""
    is_inner: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else "(no source)"
        return f"{self.path or 'the net itself'}, {place}"


class Note(str):
    """A sentence that a user should know; a str, so that it may be printed and searched as one.

    Attributes:
        word: of its kind in codegen.kinds, `batch-frozen`.
        where: the line of the user's code that it is about, where there is one.
    """

    word: str
    where: Source | None

    def __new__(cls, text: str, word: str = "", where: Source | None = None) -> Note:
        """The text, with what is known of it."""
        made = super().__new__(cls, text)
        made.word, made.where = word, where
        return made


@dataclass(frozen=True)
class Ref:
    """A tensor: output `index` of the node called `name`."""

    name: str
    index: int = 0

    def __str__(self) -> str:
        return f"%{self.name}" + (f".{self.index}" if self.index else "")


# The ops of nodes that no op of torch makes.
LEAVES = frozenset(["input", "param", "constant"])

Arg: TypeAlias = Any
"""Ref, Dim, int, float, bool, str, None, Ellipsis, slice of those, or a tuple of those."""


@dataclass(frozen=True)
class Node:
    """One op. `input`, `param` and `constant` are the leaves; every other op is torch's.

    A `param` names its state-dict `key` (and `tied` others); a `constant` holds `value`.
    """

    name: str
    op: str
    args: tuple[tuple[str, Arg], ...]
    outputs: tuple[TensorType, ...]
    source: Source
    value: npt.NDArray[Any] | None = field(default=None, compare=False, repr=False)

    @property
    def kwargs(self) -> dict[str, Arg]:
        """The arguments as a dict."""
        return dict(self.args)

    def refs(self) -> Iterator[Ref]:
        """Every tensor that the node reads."""
        for _, arg in self.args:
            yield from refs_in(arg)


def refs_in(arg: Arg) -> Iterator[Ref]:
    """Every Ref inside an argument."""
    if isinstance(arg, Ref):
        yield arg
    elif isinstance(arg, tuple):
        for item in arg:
            yield from refs_in(item)
    elif isinstance(arg, slice):
        for item in (arg.start, arg.stop, arg.step):
            yield from refs_in(item)


@dataclass(frozen=True)
class Graph:
    """A whole net. `outputs` stand in the order in which `forward` returns them.

    `batch` is the size at which it was traced; `free_batch` tells whether it is right at every size, and
    `frozen_because` why not (`frozen_at` in short, without folders; `frozen_source` is the line). Where
    `least_batch` or `batch_step` is above one, it is right at each size from there on, that the step divides.
    `sampled` are the sizes that were tried where it is not proved. `left_out` is what `forward` returns
    beside tensors, None apart; `changed` what it changes of its own module, by name; `in_training` tells
    what it does in training alone. `output_names` are what torch called the outputs (keys of a dict), where
    it did. `elsewhere` holds each node as it is at another height and width of the net's images.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[Ref, ...]
    batch: int
    free_batch: bool = True
    frozen_because: str = ""
    left_out: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    frozen_at: str = ""
    least_batch: int = 1
    batch_step: int = 1
    sampled: tuple[int, ...] = ()
    in_training: tuple[Note, ...] = ()
    output_names: tuple[str, ...] = ()
    frozen_source: Source | None = None
    elsewhere: Mapping[str, Node] = field(default_factory=dict, compare=False, repr=False)
    by_name: Mapping[str, Node] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {n.name: n for n in self.nodes})

    @property
    def runs_at_others(self) -> bool:
        """Whether it is right at any batch size but its own."""
        return self.free_batch or self.least_batch > 1 or self.batch_step > 1

    @property
    def batch_unit(self) -> int:
        """What must divide the batch size for every size to be whole."""
        return math.lcm(*(d.coef.denominator for d in self._sizes()), 1)

    @property
    def has_offsets(self) -> bool:
        """Whether any size is not a multiple of the batch size."""
        return any(d.const for d in self._sizes())

    def _sizes(self) -> Iterator[Dim]:
        """Every size that follows the batch."""
        for node in self.nodes:
            yield from (s for kind in node.outputs for s in kind.shape if isinstance(s, Dim))

    def type_of(self, ref: Ref) -> TensorType:
        """The type of a tensor."""
        return self.by_name[ref.name].outputs[ref.index]

    def text(self) -> str:
        """The graph as text, one line a node."""
        lines = [_node_text(node) for node in self.nodes]
        lines.append("return " + ", ".join(map(str, self.outputs)))
        return "\n".join(lines) + "\n"


def _node_text(node: Node) -> str:
    args = ", ".join(f"{key}={_arg_text(value)}" for key, value in node.args)
    types = ", ".join(map(str, node.outputs))
    return f"%{node.name} = {node.op}({args}) : {types}  # {node.source.path or '(net)'}"


def _arg_text(arg: Arg) -> str:
    if isinstance(arg, tuple):
        return "(" + ", ".join(map(_arg_text, arg)) + ("," if len(arg) == 1 else "") + ")"
    if isinstance(arg, slice):
        parts = ["" if p is None else _arg_text(p) for p in (arg.start, arg.stop)]
        step = "" if arg.step is None else ":" + _arg_text(arg.step)
        return ":".join(parts) + step
    if isinstance(arg, Ref):
        return str(arg)
    return "..." if arg is Ellipsis else repr(arg)


def check(graph: Graph) -> Graph:
    """Raise Defect unless the graph is legal; return it.

    Legal: names are unique; every Ref names an output of an earlier node; a constant has a value of
    its type's shape; leaves and only leaves have no Refs to give them.
    """
    seen: dict[str, Node] = {}
    for node in graph.nodes:
        demand(node.name not in seen, f"{node.name} stands twice")
        demand(node.outputs, f"{node.name} has no outputs")
        for ref in node.refs():
            _check_ref(ref, seen, node.name)
        if node.op == "constant":
            if node.value is None:
                raise Defect(f"constant {node.name} has no value")
            demand(node.value.shape == node.outputs[0].shape, f"constant {node.name} has another shape")
        seen[node.name] = node
    for name in graph.inputs:
        demand(seen[name].op == "input", f"{name} is no input")
    for ref in graph.outputs:
        _check_ref(ref, seen, "return")
    named = len(graph.output_names)
    demand(named in (0, len(graph.outputs)), f"{named} names of {len(graph.outputs)} outputs")
    return graph


def _check_ref(ref: Ref, seen: Mapping[str, Node], user: str) -> None:
    demand(ref.name in seen, f"{user} reads %{ref.name}, which does not come before it")
    demand(ref.index < len(seen[ref.name].outputs), f"{user} reads {ref}: no such output")
