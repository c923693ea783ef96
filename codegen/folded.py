"""The folded program: functions, and the statements of their bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from codegen.program import Call, Leaf, NamedFrame, Operand, Variable

# Arguments of forward that say no more than x.
GENERAL = frozenset(["input", "self", "inputs"])
# What a list of values is called.
LIST = "features"


@dataclass(frozen=True)
class Many:
    """Several values that a function takes as one list: DenseNet's layers read all features before them."""

    items: tuple[Operand, ...]


@dataclass(frozen=True)
class Among:
    """In each turn of a loop another of these values, made before it; `column` is what it is called there."""

    items: tuple[Operand, ...]
    column: str


@dataclass(frozen=True)
class Carried:
    """What the turn before has made in the place of `made`; in the first turn, what the loop begins with."""

    made: Operand


Given: TypeAlias = "Operand | Among | Carried | Many"


def each(given: Iterable[Given | None]) -> Iterator[Operand]:
    """The values in what is given, those of lists one by one, and none that a loop hands on."""
    for operand in given:
        if isinstance(operand, Many | Among):
            yield from operand.items
        elif operand is not None and not isinstance(operand, Carried):
            yield operand


# In the place of a value that a use of a function does not have.
MISSING = object()


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are written alike: True is not 1."""
    return type(one) is type(other) and bool(one == other)


@dataclass(frozen=True)
class Argument:
    """A function's argument in the place of a value: `num_filter`, `4 * num_filter`, `num_filter // 4`.

    It is multiplied by those that `times` names, then divided by those that `over` names: `dim // num_heads`.
    A division that is not even is rounded down: `kernel // 2`. Of an argument that is a tuple it is made of
    one `item`: `kernel[0] // 2`. In the end `plus` is added: `2 * size - 1`.
    """

    name: str
    factor: int = 1
    divisor: int = 1
    times: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    item: int | None = None
    plus: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that it is made of."""
        return (*dict.fromkeys([self.name, *self.times, *self.over]),)


class Counted(str):
    """A name in a loop as an f-string has it: `conv{i}`, `conv{i + 1}`."""


def without_turns(name: str, part: str) -> str:
    """A part of a name without the counters of loops."""
    return re.sub(r"_?\{[^}]*\}", "", part) if isinstance(name, Counted) else part


@dataclass(frozen=True)
class OpItem:
    """One call of an MXNet op. `attrs` may hold Arguments, and `reads` stand in the place of its inputs."""

    call: Call
    index: int
    attrs: tuple[tuple[str, Any], ...]
    automatic: frozenset[str]
    reads: tuple[tuple[str | None, Given], ...] | None = None

    @property
    def inputs(self) -> tuple[tuple[str | None, Given], ...]:
        """What it is given: (keyword or None, value), without what MXNet makes by itself."""
        given: Sequence[tuple[str | None, Given]] = self.call.inputs if self.reads is None else self.reads
        return tuple((slot, own) for slot, own in given if slot not in self.automatic)


@dataclass(frozen=True)
class VariableItem:
    """A Variable that the code makes by itself; `shape` may be an Argument."""

    variable: Variable
    shape: Any


@dataclass(frozen=True)
class Params:
    """The Variables that a body reads from a container, by name: what several calls of a module share.

    Their names begin with `prefix`, which a function that is `given` the container is given as well.
    """

    names: frozenset[str]
    prefix: str
    given: bool


@dataclass(frozen=True)
class CallItem:
    """One call of a Function. `args` may hold Arguments; `path` is the module's, with `_`.

    An input is None where the function reads it only in parts that this use does not have. `shared` is what
    the names of the Variables begin with that the function reads from a container, `defaults` are those of
    the function.
    """

    function: str
    frame: NamedFrame
    inputs: tuple[Given | None, ...]
    outputs: tuple[Operand, ...]
    args: tuple[tuple[str, Any], ...]
    path: str
    target: str
    span: tuple[int, int]
    shared: str = ""
    defaults: tuple[tuple[str, Any], ...] = ()

    def given(self, args: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
        """The arguments that are written: neither what this use does not have, nor a default."""
        defaults = dict(self.defaults)
        return tuple(
            (name, value)
            for name, value in args
            if value is not MISSING and not (name in defaults and is_same(value, defaults[name]))
        )


@dataclass(frozen=True)
class LoopItem:
    """A run of calls of one Function, each fed by the one before.

    `carried` are the places of the inputs that the outputs of the call before take; `varying` are the
    arguments that change, with their values, `args` all of them, as the first call that has them gives them.
    `listed` is the place of a list that each output is appended to for the next call, `counter` what counts
    the turns, `stop` the argument that says where it stops, where uses of the function differ in that.
    """

    calls: tuple[CallItem, ...]
    carried: tuple[tuple[int, int], ...]
    prefix: str
    start: int
    suffix: str
    varying: tuple[tuple[str, tuple[Any, ...]], ...]
    args: tuple[tuple[str, Any], ...]
    listed: int | None = None
    counter: str = "i"
    stop: Any = None

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """What the last call gives; with a list, what all of them give."""
        return (
            self.calls[-1].outputs if self.listed is None else tuple(o for c in self.calls for o in c.outputs)
        )


@dataclass(frozen=True)
class GuardItem:
    """A part that some uses of a Function do not have: `if flag:`.

    `merges` are (what the part makes, what stands in its place without it). With a `value` it is the part of
    the uses whose argument `flag` has that, and the function `returns` what it makes. A part that takes a
    tensor which the other uses are not given needs no flag: it is there where `given` is not None.
    """

    flag: str
    items: tuple[Item, ...]
    merges: tuple[tuple[Operand, Operand], ...] = ()
    value: str = ""
    returns: Operand | None = None
    given: Operand | None = None


@dataclass(frozen=True)
class Collected:
    """What each turn of a loop appends to a list: `each` in the first turn, in all turns `items`.

    Of one that is `inner`, a loop inside does so. `begins` is what the first turn is given, where that stands
    in the list before all others.
    """

    each: Operand
    items: tuple[Operand, ...]
    inner: bool = False
    begins: Operand | None = None

    @property
    def all_items(self) -> tuple[Operand, ...]:
        """What the list holds in the end."""
        return self.items if self.begins is None else (self.begins, *self.items)


@dataclass(frozen=True)
class RepeatItem:
    """A loop of the author's: the same statements `count` times, `counter` from `start`.

    `items` are those of the first turn, with Turns, Among and Carried where the turns differ, and names as
    f-strings have them (`conv{i}`). `columns` are what a turn takes beside the counter. `carried` are (what
    the first turn is given, what each makes for the next), `finals` (what the first turn makes, what the
    last does) of all that is read after the loop and in no list. `covers` are the first and the last of the
    program's calls that it stands for.
    """

    counter: str
    start: int
    count: int
    columns: tuple[tuple[str, tuple[Any, ...]], ...]
    items: tuple[Item, ...]
    carried: tuple[tuple[Given, Operand], ...]
    collected: tuple[Collected, ...]
    finals: tuple[tuple[Operand, Operand], ...]
    covers: tuple[int, int]

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """What is read after it."""
        lists = (operand for own in self.collected for operand in own.items)
        return (*dict.fromkeys([*(last for _, last in self.finals), *lists]),)


Item: TypeAlias = "OpItem | VariableItem | CallItem | LoopItem | GuardItem | RepeatItem"


@dataclass(frozen=True)
class Function:
    """One function of the generated file: arguments, body and results.

    `prefix` is the path of the use that the body was taken from: names in it are relative.
    `arguments` are names with the values that the uses give, `optional` the numbers of inputs that some
    uses do not give, `defaults` the values of arguments that most uses share. `trait` tells it from other
    functions of its class, `held` are the classes in a Sequential.
    """

    name: str
    frame: NamedFrame
    inputs: tuple[Given, ...]
    input_names: tuple[str, ...]
    optional: frozenset[int]
    arguments: tuple[tuple[str, tuple[Any, ...]], ...]
    items: tuple[Item, ...]
    outputs: tuple[Operand, ...]
    prefix: str
    trait: str = ""
    held: tuple[str, ...] = ()
    params: Params | None = None
    defaults: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Module:
    """The whole file: functions in the order in which they are defined, and the main body."""

    functions: tuple[Function, ...]
    items: tuple[Item, ...]
    params: Params | None = None


def counters_of(items: Iterable[Item]) -> frozenset[str]:
    """The counters and columns of all loops among items."""
    return frozenset(
        name
        for item in items
        if isinstance(item, RepeatItem)
        for name in (item.counter, *(column for column, _ in item.columns), *counters_of(item.items))
    )


def text(module: Module) -> str:
    """The folded program as text, one line a statement."""
    lines: list[str] = []
    for function in module.functions:
        given = [*map(_given_text, function.inputs), *(name for name, _ in function.arguments)]
        lines.append(f"def {function.name}({', '.join(given)}):")
        lines += _lines(function.items, 1)
        lines.append(f"    return {', '.join(map(operand_text, function.outputs))}")
    return "\n".join([*lines, *_lines(module.items, 0)]) + "\n"


def _lines(items: Iterable[Item], depth: int) -> Iterator[str]:
    indent = "    " * depth
    for item in items:
        if isinstance(item, OpItem):
            reads = [_given_text(o) for _, o in item.inputs]
            attrs = [f"{name}={value}" for name, value in item.attrs]
            yield f"{indent}%{item.index} = {item.call.op}({', '.join([*reads, *attrs])})  # {item.call.name}"
        elif isinstance(item, VariableItem):
            yield f"{indent}{item.variable.name} = {item.variable.kind} {item.shape}"
        elif isinstance(item, CallItem):
            yield indent + _call_text(item)
        elif isinstance(item, LoopItem):
            yield f"{indent}for {len(item.calls)} calls from {item.start}: {_call_text(item.calls[0])}"
        elif isinstance(item, RepeatItem):
            yield f"{indent}for {item.counter} from {item.start}, {item.count} turns:"
            yield from _lines(item.items, depth + 1)
        else:
            told = item.flag if item.given is None else f"{operand_text(item.given)} is given"
            yield f"{indent}if {told}{f' is {item.value}' * bool(item.value)}:"
            yield from _lines(item.items, depth + 1)
            if item.returns is not None:
                yield f"{indent}    return {operand_text(item.returns)}"


def _call_text(item: CallItem) -> str:
    given = ["None" if g is None else _given_text(g) for g in item.inputs]
    args = [f"{name}={'-' if value is MISSING else value}" for name, value in item.args]
    made = ", ".join(map(operand_text, item.outputs))
    return f"{made} = {item.function}({', '.join([*given, *args])})  # {item.path}"


def _given_text(given: Given) -> str:
    if isinstance(given, Many | Among):
        listed = f"[{', '.join(map(operand_text, given.items))}]"
        return listed if isinstance(given, Many) else f"one of {listed}"
    if isinstance(given, Carried):
        return f"{operand_text(given.made)} of the turn before"
    return operand_text(given)


def operand_text(operand: Operand) -> str:
    """A value in short: the Variable, or the number of the call."""
    if isinstance(operand, Leaf):
        return operand.name
    return f"%{operand.call}" + (f".{operand.index}" if operand.index else "")
