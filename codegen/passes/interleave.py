"""--optimize: self-attention by MXNet's products of interleaved projections.

They read query, key and value from one tensor (steps, batch, heads * 3 * width), where those of a head stand
side by side, and need no transpose. The rows of the projection's weight are put in that order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from codegen.automatic import users_of
from codegen.ir import Note, Shape, elements_in
from codegen.kinds.note import note
from codegen.passes.self_attention import SelfAttention, self_attentions
from codegen.program import Call, Leaf, Operand, Out, Program, Variable, compacted

COMMENT = "the rows of its weight stand head by head: query, key and value of each"
PRODUCT = "contrib.interleaved_matmul_selfatt"
# In a plan: what the call before it gives.
BEFORE = Out(-1)
# New calls by the number of the call whose place they take; the last of them gives its value.
Plans: TypeAlias = "dict[int, tuple[Call, ...]]"


def interleaved(program: Program) -> Program:
    """The program, with self-attention by contrib.interleaved_matmul_selfatt_qk and _valatt.

    MXNet documents both: the steps come first, the rows of the projection's weight stand as
    (heads, 3, width), and the scores are divided by the square root of the width.
    """
    taken = {call.name for call in program.calls} | {v.name for v in program.variables}
    variables = {v.name: v for v in program.variables}
    plans: Plans = {}
    for found in self_attentions(program, users_of(program)):
        name = _name(program, found)
        if len(found.linears) == 1 or not taken & {name, f"{name}_weight", f"{name}_bias"}:
            plans |= _plans(program, found, name)
            variables |= _weights(program, found, name)
    program = replace(program, variables=(*variables.values(),))
    return compacted(_with(program, plans)) if plans else program


def optimized_note(program: Program) -> Note:
    """What --optimize did to a program."""
    count = sum(call.op == f"{PRODUCT}_qk" for call in program.calls)
    if not count:
        return note("not-optimized")
    what = "self-attention" if count == 1 else "self-attentions"
    return note("optimized", what=f"{count} {what}")


def _name(program: Program, found: SelfAttention) -> str:
    """The name of the projection: that of the one, or `qkv` after what the names of the three begin with."""
    names = [program.calls[linear].name for linear in found.linears]
    if len(names) == 1:
        return names[0]
    words = zip(*(name.split("_") for name in names), strict=False)
    return "_".join([*(w[0] for w in itertools.takewhile(lambda w: len(set(w)) == 1, words)), "qkv"])


def _weights(program: Program, found: SelfAttention, name: str) -> dict[str, Variable]:
    """The parameters of the projection, with their rows head by head, by the name of the first of the old."""
    calls = [program.calls[linear] for linear in found.linears]
    weights = {}
    for place, (slot, first) in enumerate(calls[0].inputs[1:], 1):
        parts = [program.variable(_leaf(call.inputs[place][1])) for call in calls]
        weights[_leaf(first)] = replace(
            parts[0],
            name=parts[0].name if len(parts) == 1 else f"{name}_{slot}",
            shape=(3 * found.heads * found.width, *parts[0].shape[1:]),
            keys=tuple(key for part in parts for key in part.keys),
            heads=found.heads,
        )
    return weights


def _leaf(operand: Operand) -> str:
    return operand.name if isinstance(operand, Leaf) else ""


def _plans(program: Program, found: SelfAttention, name: str) -> Plans:
    """What takes the place of the calls of one attention."""
    scores = program.calls[found.scores]
    batch, _, steps, _ = scores.shapes[0] or ()
    flat: Shape = (elements_in((batch, found.heads)) or 0, steps, steps)
    qk = _new(scores, f"{PRODUCT}_qk", flat, Out(min(found.linears)), heads=found.heads)
    plans = {min(found.linears): tuple(_projection(program, found, name))}
    plans[found.scores] = (qk, *_scaled(scores, found.scale, flat))
    plans |= _product(program, found, flat, (steps, batch, found.heads * found.width))
    if found.between is None:
        codes = (-4, -1, found.heads, 0, 0)
        cut = _new(scores, "Reshape", scores.shapes[0], BEFORE, "heads", shape=codes)
        plans[found.scores] = (*plans[found.scores], cut)
        return plans
    for index in found.between:
        plans[index] = (replace(program.calls[index], shapes=(flat,)),)
    return plans


def _projection(program: Program, found: SelfAttention, name: str) -> Iterator[Call]:
    """One FullyConnected for the three, of the steps first."""
    call = program.calls[min(found.linears)]
    rows = 3 * found.heads * found.width
    source, shape = call.inputs[0][1], call.shapes[0] or ()
    if found.batch_first:
        shape = (shape[1], shape[0])
        moved = (*shape, *program.variable(_leaf(call.inputs[1][1])).shape[1:])
        yield _new(call, "transpose", moved, source, "steps_first", name=name, axes=(1, 0, 2))
        source = BEFORE
    slots = [slot for slot, _ in call.inputs[1:]]
    leaves = call.inputs[1:] if len(found.linears) == 1 else [(s, Leaf(f"{name}_{s}")) for s in slots]
    attrs = tuple((key, rows if key == "num_hidden" else value) for key, value in call.attrs)
    inputs = ((None, source), *leaves)
    yield replace(call, name=name, inputs=inputs, attrs=attrs, shapes=((*shape[:2], rows),), comment=COMMENT)


def _scaled(scores: Call, scale: float, shape: Shape) -> Iterator[Call]:
    """What the scores are times, but for the square root by which MXNet divides."""
    if not math.isclose(scale, 1.0, rel_tol=1e-7):
        yield _new(scores, "x * c", shape, BEFORE, "scaled", c=scale)


def _product(program: Program, found: SelfAttention, flat: Shape, shape: Shape) -> Plans:
    """The product with the values, and the batch where it is wanted."""
    product, joined = program.calls[found.product], program.calls[found.joined]
    weights = product.inputs[0][1]
    rows: tuple[Call, ...] = ()
    if found.between is None:
        rows = (_new(product, "Reshape", flat, weights, "rows", shape=(-3, 0, 0)),)
        weights = BEFORE
    mixed = _new(product, f"{PRODUCT}_valatt", shape, Out(min(found.linears)), heads=found.heads)
    mixed = replace(mixed, inputs=(*mixed.inputs, (None, weights)))
    if not found.batch_first:
        return {found.joined: (*rows, replace(mixed, name=joined.name))}
    last = _new(joined, "transpose", joined.shapes[0], Out(found.product), axes=(1, 0, 2))
    return {found.product: (*rows, mixed), found.joined: (last,)}


def _new(
    like: Call, op: str, gives: Shape | None, source: Operand, suffix: str = "", name: str = "", **attrs: Any
) -> Call:
    """A call of one input at the place of another."""
    name = "_".join(part for part in (name or like.name, suffix) if part)
    return replace(
        like, op=op, name=name, inputs=((None, source),), attrs=tuple(attrs.items()), shapes=(gives,)
    )


def _with(program: Program, plans: Plans) -> Program:
    """The program with new calls in the place of old ones. What they changed is no value of the net's."""
    calls: list[Call] = []
    moved: dict[int, int] = {}

    def operand(old: Operand) -> Operand:
        if not isinstance(old, Out):
            return old
        return Out(len(calls) - 1) if old == BEFORE else Out(moved[old.call], old.index)

    for index, call in enumerate(program.calls):
        for new in plans.get(index, (call,)):
            calls.append(replace(new, inputs=tuple((slot, operand(o)) for slot, o in new.inputs)))
        moved[index] = len(calls) - 1
    return replace(
        program,
        calls=tuple(calls),
        outputs=tuple(replace(o, operand=operand(o.operand)) for o in program.outputs),
        values=tuple(
            (node, place, operand(o))
            for node, place, o in program.values
            if not (isinstance(o, Out) and o.call in plans)
        ),
    )
