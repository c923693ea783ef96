"""The written file: functions of statements, before a template says how a target's code looks.

Everything is decided here: which variable holds what, what each function takes, where a comment stands. A
template prints and decides nothing. Each kind of statement and expression has a `kind`, by which templates
tell them apart. codegen.write.legal states what templates may rely on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from codegen.digest import UNSIGNED
from codegen.turn import Turn

# Expressions -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """A variable: `x`; one item of the list that it holds: `features[2]`; or each of them: `*features`.

    In a loop the item may be its counter's.
    """

    kind: ClassVar[str] = "read"
    variable: str
    item: int | Turn | None = None
    spread: bool = False

    def __str__(self) -> str:
        place = "" if self.item is None else f"[{self.item}]"
        return f"{'*' if self.spread else ''}{self.variable}{place}"


@dataclass(frozen=True)
class ListOf:
    """A new list: `[x, *features]`."""

    kind: ClassVar[str] = "list"
    reads: tuple[Read, ...]

    def __str__(self) -> str:
        return f"[{_joined(*self.reads)}]"


@dataclass(frozen=True)
class Value:
    """What is no symbol, as Python writes it: `(3, 3)`, `4 * num_filter`; `reads` are the variables in it."""

    kind: ClassVar[str] = "value"
    text: str
    reads: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Name:
    """What a symbol is called: words, and between them the counters of loops.

    In a function that is given a name, a `relative` one begins with that; what the function is given is
    called `base`.
    """

    parts: tuple[str | Turn, ...] = ()
    relative: bool = False
    base: str = "name"

    def __str__(self) -> str:
        told = [f"{{{part}}}" if isinstance(part, Turn) else part for part in self.parts]
        return f"{f'{{{self.base}}}' * self.relative}{''.join(told)}"


@dataclass(frozen=True)
class Op:
    """A call of an MXNet op: operands by position, others by keyword (`slots`), attributes, and a name.

    An operand may be the call of another op.
    """

    kind: ClassVar[str] = "op"
    op: str
    inputs: tuple[Read | Op, ...]
    slots: tuple[tuple[str, Read | Value], ...]
    attributes: tuple[tuple[str, Value], ...]
    name: Name

    def __str__(self) -> str:
        return f"{self.op}({_joined(*self.inputs, *self.slots, *self.attributes)}) : {self.name}"


@dataclass(frozen=True)
class Operator:
    """A symbol and a number: `x * 2`, `1 - x`; or by a function's name, `maximum` or `minimum`."""

    kind: ClassVar[str] = "operator"
    operator: str
    left: Read | Value | Op
    right: Read | Value | Op
    name: Name

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right} : {self.name}"


@dataclass(frozen=True)
class Variable:
    """A leaf of the symbol that the code makes: an input without a shape; of others the dtype is told too.

    One that is not `trained` is a constant. `init` is what training from scratch begins with: `Normal(0.02)`.
    """

    kind: ClassVar[str] = "variable"
    name: Name
    shape: Value | None = None
    dtype: str = ""
    trained: bool = True
    init: str = ""

    def __str__(self) -> str:
        about = (("shape", self.shape), ("dtype", self.dtype), ("init", self.init))
        told = [(key, own) for key, own in about if own]
        return f"{'variable' if self.trained else 'constant'}({_joined(*told)}) : {self.name}"


@dataclass(frozen=True)
class Call:
    """A call of one of the file's own functions.

    `shared` is what the names of the Variables begin with that the function reads from a container.
    """

    kind: ClassVar[str] = "call"
    function: str
    inputs: tuple[Read | ListOf | Value, ...]
    arguments: tuple[tuple[str, Value], ...]
    name: Name
    shared: Name | None = None

    def __str__(self) -> str:
        given = [*self.inputs, *([] if self.shared is None else [f"params of {self.shared}"])]
        return f"{self.function}({_joined(*given, *self.arguments)}) : {self.name}"


@dataclass(frozen=True)
class Container:
    """A new container of Variables, which makes each when it is first asked for it."""

    kind: ClassVar[str] = "container"

    def __str__(self) -> str:
        return "container()"


@dataclass(frozen=True)
class Group:
    """Several results of a net as one symbol."""

    kind: ClassVar[str] = "group"
    reads: tuple[Read, ...]

    def __str__(self) -> str:
        return f"group({_joined(*self.reads)})"


Expression: TypeAlias = "Read | ListOf | Value | Op | Operator | Variable | Call | Container | Group"

# Statements ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assign:
    """`x = ...`, or `q, k, v = ...`."""

    kind: ClassVar[str] = "assign"
    targets: tuple[str, ...]
    value: Expression

    def __str__(self) -> str:
        return f"{', '.join(self.targets)} = {self.value}"


@dataclass(frozen=True)
class Append:
    """`features.append(...)`."""

    kind: ClassVar[str] = "append"
    variable: str
    value: Expression

    def __str__(self) -> str:
        return f"{self.variable} << {self.value}"


@dataclass(frozen=True)
class Loop:
    """Turns from `start` to before `stop` by `counter`; each gives its one of the `rows` to the `targets`."""

    kind: ClassVar[str] = "loop"
    start: int
    stop: Value
    targets: tuple[str, ...]
    rows: tuple[Value, ...]
    body: tuple[Statement, ...]
    counter: str = "i"

    def __str__(self) -> str:
        each = f", ({', '.join(self.targets)}) of {_joined(*self.rows)}" if self.rows else ""
        return f"for {self.counter} from {self.start} to before {self.stop}{each}"


@dataclass(frozen=True)
class Guard:
    """`if flag:`, of an argument of the function; with a `value`, `if act_type == "relu":`.

    The latter may return. Of one that `is_input`, the flag is an input: `if mask is not None:`.
    """

    kind: ClassVar[str] = "guard"
    flag: str
    body: tuple[Statement, ...]
    value: Value | None = None
    is_input: bool = False

    def __str__(self) -> str:
        if self.is_input:
            return f"if {self.flag} is not None"
        return f"if {self.flag}" if self.value is None else f"if {self.flag} == {self.value}"


@dataclass(frozen=True)
class Return:
    """The function's results."""

    kind: ClassVar[str] = "return"
    values: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"return {_joined(*self.values)}"


@dataclass(frozen=True)
class Comment:
    """Lines of a comment, each without its `# `."""

    kind: ClassVar[str] = "comment"
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"# {' '.join(self.lines)}"


@dataclass(frozen=True)
class Blank:
    """An empty line."""

    kind: ClassVar[str] = "blank"

    def __str__(self) -> str:
        return ""


Statement: TypeAlias = "Assign | Append | Loop | Guard | Return | Comment | Blank"


@dataclass(frozen=True)
class Input:
    """A symbol that a function takes, or a list of them; None for an optional one where a call has none."""

    name: str
    is_list: bool = False
    is_optional: bool = False


@dataclass(frozen=True)
class Argument:
    """What a function takes beside symbols, with its Python type, and its default's text if it has one."""

    name: str
    type: str
    default: str = ""


@dataclass(frozen=True)
class Function:
    """One function: what it takes, how many symbols it returns, its docstring's paragraphs, its body.

    The net's own takes nothing and names its symbols in full; others take the `name` that theirs begin with.
    Nothing that is made in a `frozen` one is trained. One that `shares` takes a container of Variables, and
    what the names begin with that it asks that for: `params` and `path`.
    """

    name: str
    inputs: tuple[Input, ...]
    arguments: tuple[Argument, ...]
    takes_name: bool
    results: int
    doc: tuple[str, ...]
    body: tuple[Statement, ...]
    frozen: bool = False
    shares: bool = False

    def takes(self) -> list[str]:
        """The names of all that it takes."""
        inputs, arguments = [i.name for i in self.inputs], [a.name for a in self.arguments]
        return [*inputs, *["params", "path"] * self.shares, *arguments, *["name"] * self.takes_name]


@dataclass(frozen=True)
class File:
    """The whole file: its head, the inputs' shapes, and functions, of which the last is the net's own.

    `fixed_params` are the Variables that training is to leave alone; `batch_axes` the axis of each input's
    batch, None without one, where not all have it first; `outputs` what torch called them, if it did.
    `has_operators`, `has_frozen`, `has_math` and `constants` tell what it needs at its head; `constants` is
    what the initializer of constants is called. codegen.digest puts the text's in the place of `digest`.
    """

    title: str
    origin: str
    command: str
    data_shapes: tuple[tuple[str, tuple[int, ...]], ...]
    has_operators: bool
    functions: tuple[Function, ...]
    fixed_params: tuple[str, ...] = ()
    batch_axes: tuple[tuple[str, int | None], ...] = ()
    outputs: tuple[str, ...] = ()
    has_frozen: bool = False
    has_math: bool = False
    constants: str = ""
    digest: str = UNSIGNED

    def text(self) -> str:
        """The file as text without a target's look, one line a statement."""
        lines: list[str] = []
        for function in self.functions:
            lines.append(f"{function.name}({', '.join(function.takes())}) -> {function.results}")
            lines += _block_text(function.body, "    ")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Origin:
    """Where a net comes from, for the head of the file: `model.py:XXNet` and the command that made it."""

    spec: str
    command: str


def _block_text(body: Sequence[Statement], margin: str) -> Iterator[str]:
    for statement in body:
        yield f"{margin}{statement}".rstrip()
        if isinstance(statement, Loop | Guard):
            yield from _block_text(statement.body, f"{margin}    ")


def _joined(*given: object) -> str:
    """Values, and pairs of a keyword and its value, as a call's arguments."""
    return ", ".join(f"{own[0]}={own[1]}" if isinstance(own, tuple) else str(own) for own in given)
