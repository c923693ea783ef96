"""The folded program: functions, and the statements of their bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from codegen.program import Call, NamedFrame, Operand, Variable

# Parameters of forward that say no more than x.
GENERAL = frozenset(["input", "self", "inputs"])
# What a list of values is called.
LIST = "features"


@dataclass(frozen=True)
class Many:
    """Several values that a function takes as one list: DenseNet's layers read all features before them."""

    items: tuple[Operand, ...]


Given: TypeAlias = "Operand | Many"


def each(given: Iterable[Given | None]) -> Iterator[Operand]:
    """The values in what is given, those of lists one by one."""
    for operand in given:
        if isinstance(operand, Many):
            yield from operand.items
        elif operand is not None:
            yield operand


# In the place of a value that a use of a function does not have.
MISSING = object()


@dataclass(frozen=True)
class Parameter:
    """A function's parameter in the place of a value: `num_filter`, `4 * num_filter`, `num_filter // 4`."""

    name: str
    factor: int = 1
    divisor: int = 1


@dataclass(frozen=True)
class OpItem:
    """One call of an MXNet op. `attrs` may hold Parameters."""

    call: Call
    index: int
    attrs: tuple[tuple[str, Any], ...]
    automatic: frozenset[str]


@dataclass(frozen=True)
class VariableItem:
    """A Variable that the code makes by itself; `shape` may be a Parameter."""

    variable: Variable
    shape: Any


@dataclass(frozen=True)
class CallItem:
    """One call of a Function. `args` may hold Parameters; `path` is the module's, with `_`.

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
    `listed` is the place of a list that each output is appended to for the next call.
    """

    calls: tuple[CallItem, ...]
    carried: tuple[tuple[int, int], ...]
    prefix: str
    start: int
    suffix: str
    varying: tuple[tuple[str, tuple[Any, ...]], ...]
    args: tuple[tuple[str, Any], ...]
    listed: int | None = None

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


Item: TypeAlias = "OpItem | VariableItem | CallItem | LoopItem | GuardItem"


@dataclass(frozen=True)
class Function:
    """One function of the generated file: parameters, body and results.

    `prefix` is the path of the use that the body was taken from: names in it are relative.
    `parameters` are names with the values that the uses give, `optional` the numbers of inputs that some
    uses do not give. `trait` tells it from other functions of its class, `held` are the classes in a Sequential.
    """

    name: str
    frame: NamedFrame
    inputs: tuple[Given, ...]
    input_names: tuple[str, ...]
    optional: frozenset[int]
    parameters: tuple[tuple[str, tuple[Any, ...]], ...]
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
