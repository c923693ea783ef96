"""Where a program computes self-attention, whatever the author wrote for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from codegen.ir import Shape
from codegen.program import Call, Leaf, Operand, Out, Program

# What may stand between the scores and their product with the values, of one tensor in and one out.
POINTWISE = ("softmax", "Dropout", "x * c", "x / c")


@dataclass(frozen=True)
class Projected:
    """One of query, key and value: `part` of what call `linear` gives, as (batch, heads, steps, width).

    `part` is None where the call gives nothing else. `calls` lead from there to the heads, and multiply them
    by `scale`.
    """

    linear: int
    part: int | None
    heads: int
    width: int
    batch_first: bool
    scale: float
    calls: frozenset[int]


@dataclass(frozen=True)
class SelfAttention:
    """softmax(query key^T * scale + masks) value, with the heads joined again, by the numbers of its calls.

    `linears` is the one call that projects to query, key and value, or the three. `scores` gives
    (batch, heads, steps, steps), `scale` of it still missing in MXNet's product, which divides by the square
    root of the width. `between` are the calls from there to `product` where nothing else reads or enters
    them. `joined` gives (batch, steps, heads * width), or the steps first.
    """

    linears: tuple[int, ...]
    scores: int
    between: tuple[int, ...] | None
    product: int
    joined: int
    heads: int
    width: int
    batch_first: bool
    scale: float


Users = Mapping[Operand, Sequence[int]]


def self_attentions(program: Program, users: Users) -> Iterator[SelfAttention]:
    """Each self-attention of the program whose projections nothing else reads."""
    for index, call in enumerate(program.calls):
        if call.op == "linalg.gemm2" and not dict(call.attrs) and len(call.inputs) == 2:
            found = _attention(program, users, index)
            if found is not None:
                yield found


def _attention(program: Program, users: Users, product: int) -> SelfAttention | None:
    left, right = program.calls[product].operands()
    path = _to_scores(program, left)
    joined = _joined(program, users, product)
    if path is None or joined is None:
        return None
    first = program.calls[path[0]]
    query, key = (_projected(program, operand) for operand in first.operands())
    value = _projected(program, right)
    if query is None or key is None or value is None or not _of_one(program, query, key, value):
        return None
    linears = tuple(dict.fromkeys((query.linear, key.linear, value.linear)))
    inner = query.calls | key.calls | value.calls | frozenset(linears)
    if _readers(program, users, inner) - inner - {path[0], product}:
        return None
    slots = {tuple(slot for slot, _ in program.calls[linear].inputs) for linear in linears}
    if len(slots) > 1 or any(not _is_plain(program, users, linear) for linear in linears):
        return None
    end, head_last = joined
    if head_last != query.batch_first:
        return None
    alpha = dict(first.attrs).get("alpha", 1.0) * query.scale * key.scale
    scores, between, alpha = _scaled(program, users, path, alpha)
    return SelfAttention(
        linears,
        scores,
        between,
        product,
        end,
        query.heads,
        query.width,
        query.batch_first,
        alpha * math.sqrt(query.width),
    )


def _of_one(program: Program, query: Projected, key: Projected, value: Projected) -> bool:
    """Whether the three are projections of one tensor, in this order, with heads of one make."""
    made = {(p.heads, p.width, p.batch_first) for p in (query, key, value)}
    parts = (query.part, key.part, value.part)
    inputs = {program.calls[p.linear].inputs[0][1] for p in (query, key, value)}
    alone = len({query.linear, key.linear, value.linear})
    whole = (alone == 1 and parts == (0, 1, 2)) or (alone == 3 and parts == (None, None, None))
    return len(made) == len(inputs) == 1 and whole and value.scale == 1.0


def _to_scores(program: Program, operand: Operand) -> tuple[int, ...] | None:
    """The calls from the product of query and key to the weights, each of the scores' shape, in order."""
    path: list[int] = []
    shape: Shape | None = None
    while isinstance(operand, Out):
        call = program.calls[operand.call]
        if shape not in (None, call.shapes[0]):
            return None
        shape = call.shapes[0]
        path.append(operand.call)
        if call.op == "linalg.gemm2":
            is_scores = dict(call.attrs).get("transpose_b") and len(call.inputs) == 2
            has_weights = any(program.calls[i].op == "softmax" for i in path)
            return tuple(reversed(path)) if is_scores and has_weights else None
        operand = call.inputs[0][1]
    return None


def _scaled(
    program: Program, users: Users, path: tuple[int, ...], scale: float
) -> tuple[int, tuple[int, ...] | None, float]:
    """(what gives the scores, the calls from there to the weights or None, the whole scale).

    A multiplication that follows the product and is all that reads it is part of it.
    """
    own = [len(users[Out(index)]) == 1 for index in path]
    start = 0
    while start + 1 < len(path) and own[start] and program.calls[path[start + 1]].op in {"x * c", "x / c"}:
        call = program.calls[path[start + 1]]
        scale = scale * dict(call.attrs)["c"] if call.op == "x * c" else scale / dict(call.attrs)["c"]
        start += 1
    after = path[start + 1 :]
    alone = all(own[start:]) and all(program.calls[index].op in POINTWISE for index in after)
    return path[start], after if alone else None, scale


def _joined(program: Program, users: Users, product: int) -> tuple[int, bool] | None:
    """(the call that joins the heads, whether the batch stands first there); None where others read them."""
    swapped = _only_reader(program, users, product)
    if swapped is None:
        return None
    joined = _only_reader(program, users, swapped)
    if joined is None or program.calls[joined].op != "Reshape":
        return None
    call, before = program.calls[joined], program.calls[swapped].shapes[0]
    shape = call.shapes[0]
    if shape is None or before is None or len(shape) != 3 or shape[:2] != before[:2]:
        return None
    order = _order(program.calls[swapped])
    return (joined, order == (0, 2, 1, 3)) if order in {(0, 2, 1, 3), (2, 0, 1, 3)} else None


def _only_reader(program: Program, users: Users, index: int) -> int | None:
    readers = users.get(Out(index), ())
    return readers[0] if len(readers) == 1 and readers[0] < len(program.calls) else None


def _order(call: Call) -> tuple[int, ...] | None:
    """The order of the axes that a transpose gives; None of another op."""
    order: tuple[int, ...] | None = dict(call.attrs).get("axes") if call.op == "transpose" else None
    return order


def _projected(program: Program, operand: Operand) -> Projected | None:
    """Where the heads (batch, heads, steps, width) come from."""
    calls: set[int] = set()
    scale = 1.0
    while isinstance(operand, Out) and program.calls[operand.call].op in {"x * c", "x / c"}:
        call = program.calls[operand.call]
        scale = scale * dict(call.attrs)["c"] if call.op == "x * c" else scale / dict(call.attrs)["c"]
        calls.add(operand.call)
        operand = call.inputs[0][1]
    if not isinstance(operand, Out):
        return None
    calls.add(operand.call)
    if program.calls[operand.call].op == "split":
        return _of_all_heads(program, operand, calls, scale)
    return _of_own_heads(program, operand, calls, scale)


def _of_all_heads(program: Program, part: Out, calls: set[int], scale: float) -> Projected | None:
    """Heads that were cut out for query, key and value together, and then parted."""
    call = program.calls[part.call]
    attrs = dict(call.attrs)
    if (attrs["num_outputs"], attrs.get("axis", 1), attrs.get("squeeze_axis")) != (3, 0, True):
        return None
    moved = _before(call)
    cut = None if moved is None else _before(program.calls[moved])
    linear = None if cut is None else _before(program.calls[cut])
    if moved is None or cut is None or linear is None:
        return None
    order, shape = _order(program.calls[moved]), program.calls[cut].shapes[0]
    if order not in {(2, 0, 3, 1, 4), (2, 1, 3, 0, 4)} or program.calls[cut].op != "Reshape" or shape is None:
        return None
    given = program.calls[linear].shapes[0]
    if len(shape) != 5 or shape[2] != 3 or given is None or shape[:2] != given[:2]:
        return None
    return _made(shape[3:], linear, part.index, order[1] == 0, scale, calls | {moved, cut})


def _of_own_heads(program: Program, moved: Out, calls: set[int], scale: float) -> Projected | None:
    """Heads that were cut out of query, key or value alone."""
    order = _order(program.calls[moved.call])
    cut = _before(program.calls[moved.call])
    if cut is None or program.calls[cut].op != "Reshape" or order not in {(0, 2, 1, 3), (1, 2, 0, 3)}:
        return None
    shape, source = program.calls[cut].shapes[0], program.calls[cut].inputs[0][1]
    if shape is None or len(shape) != 4 or not isinstance(source, Out):
        return None
    part, linear = None, source.call
    if program.calls[linear].op == "split":
        attrs = dict(program.calls[linear].attrs)
        before = _before(program.calls[linear])
        if before is None or (attrs["num_outputs"], attrs.get("axis", 1)) != (3, 2):
            return None
        calls, part, linear = calls | {linear}, source.index, before
    given = program.calls[linear].shapes[0]
    if given is None or shape[:2] != given[:2]:
        return None
    return _made(shape[2:], linear, part, order[0] == 0, scale, calls | {cut})


def _made(
    sizes: Shape, linear: int, part: int | None, batch_first: bool, scale: float, calls: set[int]
) -> Projected | None:
    heads, width = sizes
    if not isinstance(heads, int) or not isinstance(width, int):
        return None
    return Projected(linear, part, heads, width, batch_first, scale, frozenset(calls))


def _before(call: Call) -> int | None:
    operand = call.inputs[0][1]
    return operand.call if isinstance(operand, Out) and operand.index == 0 else None


def _readers(program: Program, users: Users, calls: frozenset[int]) -> set[int]:
    outs = (Out(index, place) for index in calls for place in range(program.calls[index].outputs))
    return {reader for out in outs for reader in users.get(out, ())}


def _is_plain(program: Program, users: Users, linear: int) -> bool:
    """Whether a call is a FullyConnected of the last axis, whose parameters are its own, each of one key."""
    call = program.calls[linear]
    shape = call.shapes[0]
    if (
        call.op != "FullyConnected"
        or dict(call.attrs).get("flatten", True)
        or shape is None
        or len(shape) != 3
    ):
        return False
    for _, operand in call.inputs[1:]:
        if not isinstance(operand, Leaf) or users[operand] != [linear]:
            return False
        variable = program.variable(operand.name)
        if variable.kind != "arg" or len(variable.keys) != 1 or variable.tied or variable.dtype != "float32":
            return False
    return True
