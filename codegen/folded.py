"""The folded program: functions, and the statements of their bodies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from codegen.defects import Defect, demand, present
from codegen.program import Call, Leaf, NamedFrame, Operand, Out, Variable

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
    """In each turn of a loop another of these values, all made before it; `column` is what it is called there."""

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


@dataclass(frozen=True)
class Argument:
    """A function's argument in the place of a value: `num_filter`, `4 * num_filter`, `num_filter // 4`."""

    name: str
    factor: int = 1
    divisor: int = 1


@dataclass(frozen=True)
class Turn:
    """What differs from turn to turn of a loop: its counter, with a number `added`, or one of its columns."""

    name: str
    added: int = 0

    def __str__(self) -> str:
        sign = "+" if self.added > 0 else "-"
        return f"{self.name} {sign} {abs(self.added)}" if self.added else self.name


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
class CallItem:
    """One call of a Function. `args` may hold Arguments; `path` is the module's, with `_`.

    An input is None where the function reads it only in parts that this use does not have.
    """

    function: str
    frame: NamedFrame
    inputs: tuple[Given | None, ...]
    outputs: tuple[Operand, ...]
    args: tuple[tuple[str, Any], ...]
    path: str
    target: str
    span: tuple[int, int]


@dataclass(frozen=True)
class LoopItem:
    """A run of calls of one Function, each fed by the one before.

    `carried` are the places of the inputs that the outputs of the call before take; `varying` are the
    arguments that change, with their values, `args` all of them, as the first call that has them gives them.
    `listed` is the place of a list that each output is appended to for the next call, `counter` what counts
    the turns.
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

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """What the last call gives; with a list, what all of them give."""
        return (
            self.calls[-1].outputs if self.listed is None else tuple(o for c in self.calls for o in c.outputs)
        )


@dataclass(frozen=True)
class GuardItem:
    """A part that some uses of a Function do not have: `if flag:`.

    `merges` are (what the part makes, what stands in its place without it).
    """

    flag: str
    items: tuple[Item, ...]
    merges: tuple[tuple[Operand, Operand], ...]


@dataclass(frozen=True)
class Collected:
    """What each turn of a loop appends to a list: `each` in the first turn, in all turns `items`.

    Of one that is `inner`, a loop inside does so. Where what the first turn is given stands in the list before
    all others, that is where it `begins`.
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
    uses do not give. `trait` tells it from other functions of its class, `held` are the classes in a
    Sequential.
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


@dataclass(frozen=True)
class Module:
    """The whole file: functions in the order in which they are defined, and the main body."""

    functions: tuple[Function, ...]
    items: tuple[Item, ...]


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
        lines.append(f"    return {', '.join(map(_operand_text, function.outputs))}")
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
            yield f"{indent}if {item.flag}:"
            yield from _lines(item.items, depth + 1)


def _call_text(item: CallItem) -> str:
    given = ["None" if g is None else _given_text(g) for g in item.inputs]
    args = [f"{name}={'-' if value is MISSING else value}" for name, value in item.args]
    made = ", ".join(map(_operand_text, item.outputs))
    return f"{made} = {item.function}({', '.join([*given, *args])})  # {item.path}"


def _given_text(given: Given) -> str:
    if isinstance(given, Many | Among):
        listed = f"[{', '.join(map(_operand_text, given.items))}]"
        return listed if isinstance(given, Many) else f"one of {listed}"
    if isinstance(given, Carried):
        return f"{_operand_text(given.made)} of the turn before"
    return _operand_text(given)


def _operand_text(operand: Operand) -> str:
    if isinstance(operand, Leaf):
        return operand.name
    return f"%{operand.call}" + (f".{operand.index}" if operand.index else "")


def check(module: Module, outputs: Iterable[Operand]) -> Module:
    """Raise Defect unless the folded program is legal; return it. `outputs` are the net's.

    Legal: functions are defined before they are called, each under a name of its own; a body reads what it is
    given or has made; a call gives its function as many inputs as it takes, None only where that is optional,
    and all of its arguments; a loop hands on what the call before gave; a flag is an argument.
    """
    defined: dict[str, Function] = {}
    for function in module.functions:
        demand(function.name not in defined, f"{function.name} is defined twice")
        names = [*function.input_names, *(name for name, _ in function.arguments)]
        demand(len(function.input_names) == len(function.inputs), f"{function.name} names other inputs")
        demand(len(set(names)) == len(names), f"{function.name} takes two things under one name")
        known = set(each(function.inputs))
        _check_items(function.items, known, defined, function)
        for operand in function.outputs:
            demand(
                operand in known, f"{function.name} returns {_operand_text(operand)}, which it does not make"
            )
        defined[function.name] = function
    known = set()
    _check_items(module.items, known, defined, None)
    for operand in outputs:
        demand(operand in known, f"the net returns {_operand_text(operand)}, which nothing makes")
    return module


def _check_items(
    items: Iterable[Item], known: set[Operand], defined: Mapping[str, Function], within: Function | None
) -> None:
    """Check statements in order; `known` are the values so far, to which those that they make are added."""
    for item in items:
        if isinstance(item, OpItem):
            _check_read(each(given for _, given in item.inputs), known, item.call.name)
            _check_arguments(item.attrs, within, item.call.name)
            _make((Out(item.index, i) for i in range(item.call.outputs)), known, item.call.name)
        elif isinstance(item, VariableItem):
            _check_arguments((("shape", item.shape),), within, item.variable.name)
            _make((Leaf(item.variable.name),), known, item.variable.name)
        elif isinstance(item, CallItem):
            _check_call(item, known, defined)
            _check_arguments(item.args, within, item.path)
            _make(item.outputs, known, item.path)
        elif isinstance(item, LoopItem):
            _check_loop(item, known, defined)
            known |= set(item.outputs)
        elif isinstance(item, RepeatItem):
            _check_repeat(item, known, defined, within)
        else:
            flags = () if within is None else [name for name, _ in within.arguments]
            demand(item.flag in flags, f"{item.flag} is no argument of the function")
            _check_read((instead for _, instead in item.merges), known, item.flag)
            _check_items(item.items, known, defined, within)


def _check_repeat(
    item: RepeatItem, known: set[Operand], defined: Mapping[str, Function], within: Function | None
) -> None:
    demand(item.count > 1, "a loop of one turn")
    demand(all(len(values) == item.count for _, values in item.columns), "a loop lacks rows")
    _check_read(each(given for given, _ in item.carried), known, "a loop")
    inside = set(known)
    _check_items(item.items, inside, defined, within)
    made = [made for _, made in item.carried] + [first for first, _ in item.finals]
    _check_read([*made, *(own.each for own in item.collected)], inside, "a loop")
    known |= set(item.outputs)


def _make(operands: Iterable[Operand], known: set[Operand], maker: str) -> None:
    for operand in operands:
        demand(operand not in known, f"{maker} makes {_operand_text(operand)}, which is made already")
        known.add(operand)


def _check_arguments(values: Iterable[tuple[str, Any]], within: Function | None, user: str) -> None:
    """The Arguments among values are arguments of the function around."""
    known = set() if within is None else {name for name, _ in within.arguments}
    for slot, value in values:
        for part in value if isinstance(value, tuple) else (value,):
            is_known = not isinstance(part, Argument) or part.name in known
            demand(is_known, f"{slot} of {user} is no argument of the function")


def _check_read(operands: Iterable[Operand], known: Collection[Operand], user: str) -> None:
    for operand in operands:
        demand(operand in known, f"{user} reads {_operand_text(operand)} before it is made")


def _check_call(item: CallItem, known: Collection[Operand], defined: Mapping[str, Function]) -> None:
    demand(item.function in defined, f"{item.function} is called before it is defined")
    function = defined[item.function]
    demand(len(item.inputs) == len(function.inputs), f"{item.path} gives {len(item.inputs)} inputs")
    for place, (given, taken) in enumerate(zip(item.inputs, function.inputs, strict=True)):
        if given is None and place not in function.optional:
            raise Defect(f"{item.path} lacks input {place}")
        is_list = isinstance(given, Many)
        if given is not None and is_list != isinstance(taken, Many):
            raise Defect(f"{item.path} takes another kind of input")
    demand(len(item.outputs) == len(function.outputs), f"{item.path} gives {len(item.outputs)} outputs")
    names = [name for name, _ in item.args]
    demand(names == [name for name, _ in function.arguments], f"{item.path} has other arguments: {names}")
    _check_read(each(item.inputs), known, item.path)


def _check_loop(item: LoopItem, known: Collection[Operand], defined: Mapping[str, Function]) -> None:
    demand(len({call.function for call in item.calls}) == 1, "a loop calls several functions")
    demand(len(item.calls) > 1, "a loop of one call")
    made = set(known)
    for before, call in zip((None, *item.calls), item.calls, strict=False):
        _check_call(call, made, defined)
        for place, number in item.carried if before is not None else ():
            before = present(before)
            demand(call.inputs[place] == before.outputs[number], f"{call.path} is given another value")
        made |= set(call.outputs)
