"""The Program before it has names: what the rules write, and what each call and Variable may be called after.

Rules see no names: lowering writes a Draft, and codegen.naming gives all names at once, in one order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from codegen.defects import demand
from codegen.ir import Shape
from codegen.program import Out, Variable


@dataclass(frozen=True)
class Unnamed:
    """A Variable of the draft, by its place in `Draft.variables`."""

    index: int


DraftOperand: TypeAlias = "Out | Unnamed"


@dataclass(frozen=True)
class OfInput:
    """An input of the net: its name is given."""

    name: str


@dataclass(frozen=True)
class OfKey:
    """A parameter or buffer of the net, after its key; `slot` is what the op that takes it calls it."""

    key: str
    slot: str | None


@dataclass(frozen=True)
class OfModule:
    """A parameter that torch does not have, or has in several parts, below the module that needs it."""

    path: str
    suffix: str


@dataclass(frozen=True)
class OfNode:
    """A constant that forward makes: after the author's variable, or the node."""

    node: str


@dataclass(frozen=True)
class OfRule:
    """A constant that the rule of a node makes: after the node, and what it is to the rule."""

    node: str
    hint: str


@dataclass(frozen=True)
class OfAll:
    """A constant that stands once for all rules that make it: after what it is."""

    name: str


Wish: TypeAlias = "OfInput | OfKey | OfModule | OfNode | OfRule | OfAll"


@dataclass(frozen=True)
class DraftVariable:
    """A Variable whose name is empty, and what it is to be called after."""

    variable: Variable
    wish: Wish


@dataclass(frozen=True)
class DraftCall:
    """One MXNet op, as codegen.program.Call, without its name.

    `node` is the IR node that it is written for; `hint` says what the op is to the rule, '' where it is the
    node's own result.
    """

    op: str
    inputs: tuple[tuple[str | None, DraftOperand], ...]
    attrs: tuple[tuple[str, Any], ...]
    outputs: int
    node: str
    hint: str = ""
    shapes: tuple[Shape | None, ...] = ()
    comment: str = ""
    told_by: str = field(default="", compare=False)

    def operands(self) -> Iterator[DraftOperand]:
        """What the call reads."""
        for _, operand in self.inputs:
            yield operand


@dataclass(frozen=True)
class Draft:
    """All calls in order. `spans` are the (first, one after the last) calls of each node that has any.

    `outputs` are (what computes it, torch's shape); `values` map IR tensors (node, index) to what computes
    them.
    """

    calls: tuple[DraftCall, ...]
    spans: tuple[tuple[int, int], ...]
    variables: tuple[DraftVariable, ...]
    outputs: tuple[tuple[DraftOperand, Shape], ...]
    values: tuple[tuple[str, int, DraftOperand], ...]


def check(draft: Draft) -> Draft:
    """Raise Defect unless the draft is legal; return it.

    Legal: a call reads outputs of earlier calls and Variables that are there; no Variable has a name; the
    spans stand one after the other.
    """
    for index, call in enumerate(draft.calls):
        for operand in call.operands():
            _check_operand(operand, draft, index, call.op)
    for operand, _ in draft.outputs:
        _check_operand(operand, draft, len(draft.calls), "return")
    demand(not any(v.variable.name for v in draft.variables), "a Variable of a draft has a name")
    end = 0
    for start, stop in draft.spans:
        demand(end <= start < stop <= len(draft.calls), f"calls {start} to {stop} of a node overlap")
        end = stop
    return draft


def _check_operand(operand: DraftOperand, draft: Draft, before: int, user: str) -> None:
    if isinstance(operand, Unnamed):
        demand(operand.index < len(draft.variables), f"{user} reads {operand}, which is not there")
        return
    demand(operand.call < before, f"{user} reads {operand}, which does not come before it")
    demand(operand.index < draft.calls[operand.call].outputs, f"{user} reads {operand}: no such output")
