"""Two ops in one statement: a short one stands inside of that which alone reads it."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.folded import Item, OpItem
from codegen.mxnet_ops import spec_of
from codegen.program import Call, Out
from codegen.write.authors_words import is_hard
from codegen.write.expressions import is_operator, op_or_operator
from codegen.write.scope import Scope
from codegen.write.variables import Variables
from codegen.written import Op

# What an op inside another is written in at most, and the attributes that either has.
LONGEST = 69
MOST_ATTRIBUTES = {"inner": 1, "outer": 2}
# Python's operators that are written as functions.
FUNCTIONS = ("maximum", "minimum")


def written_inside(scope: Scope, variables: Variables, items: Sequence[Item], place: int, index: int) -> bool:
    """Whether the item at a place, number `index`, is written inside the next statement; it is then."""
    inner = items[place]
    outer = items[place + 1] if place + 1 < len(items) else None
    if not isinstance(inner, OpItem) or not isinstance(outer, OpItem):
        return False
    made = Out(inner.index)
    if [own for _, own in outer.inputs].count(made) != 1 or variables.last_use(made, -1) != index + 1:
        return False
    if any(variables.is_inside(own) for _, own in inner.inputs) or not _is_one_step(inner.call, outer.call):
        return False
    if not _is_plain(inner, "inner") or not _is_plain(outer, "outer"):
        return False
    value = op_or_operator(scope, variables, inner)
    if not isinstance(value, Op) or len(str(value)) > LONGEST:
        return False
    variables.write_inside(made, value, [own for _, own in inner.inputs])
    return True


def _is_one_step(inner: Call, outer: Call) -> bool:
    """Whether two ops are of one line of the author's, or of one layer."""
    one, other = ([(f.path, f.call) for f in call.source.frames] for call in (inner, outer))
    return one == other and (inner.source.file, inner.source.line) == (outer.source.file, outer.source.line)


def _is_plain(item: OpItem, where: str) -> bool:
    """Whether an op has operands by position alone, no word said of it, and few attributes."""
    call = item.call
    if is_operator(call):
        return where == "outer" and call.op.startswith(FUNCTIONS)
    return (
        not (call.comment or is_hard(call))
        and call.outputs == 1
        and not spec_of(call.op).automatic
        and all(slot is None for slot, _ in item.inputs)
        and len(item.attrs) <= MOST_ATTRIBUTES[where]
    )
