"""Sorting and choosing the largest; MXNet gives the places in the dtype that is asked for."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.defects import present
from codegen.idioms.elementwise import Operand
from codegen.idioms.reductions import prefixes
from codegen.idioms.shapes import cut, reshape_to
from codegen.ir import Dim, Shape


@lowers("bucketize", "searchsorted", ignores=("out_int32",), takes_numbers=True)
def bucketize(
    b: Builder,
    input: Operand,
    boundaries: Value | None = None,
    sorted_sequence: Value | None = None,
    right: bool = False,
    side: str | None = None,
) -> Value:
    """How many boundaries lie below.

    torch: bucketize and searchsorted.
    MXNet: has no such ops.
    We write: a comparison with each boundary, and a sum.
    Source: torch.bucketize; mx.sym.broadcast_greater.

    >>> converted(lambda x: torch.bucketize(x, torch.tensor([0.0, 1.0])), (2, 3))
    x = mx.sym.expand_dims(x, axis=2, name="bucketize_column")
    x = mx.sym.broadcast_greater(
        x, mx.sym.Reshape(tensor, shape=(1, 1, -1), name="bucketize_line"), name="bucketize_below"
    )
    return mx.sym.cast(mx.sym.sum(x, axis=2, name="bucketize"), dtype="int64", name="bucketize_cast")
    """
    sequence = boundaries if boundaries is not None else sorted_sequence
    sequence = present(sequence)
    if not isinstance(input, Value):
        input = b.constant(np.asarray([input], np.float32), "value")
    count, lead = sequence.sizes[-1], sequence.sizes[:-1] if sequence.rank > 1 else (1,) * input.rank
    column = b.op("expand_dims", input, axis=input.rank, hint="column")
    shape = (*lead, 1, count) if sequence.rank > 1 else (*lead, count)
    line = reshape_to(b, sequence, shape, hint="line")
    op = "broadcast_greater_equal" if right or side == "right" else "broadcast_greater"
    below = b.op(op, column, line, hint="below")
    return b.op("sum", below, axis=input.rank)


@lowers("topk", ignores=("sorted",), whole_as_floats=True, any_of_ties=True)
def topk(b: Builder, input: Value, k: int, dim: int = -1, largest: bool = True) -> list[Value]:
    if input.rank == 0:
        return [input, b.op("zeros_like", input, hint="indices", gives=())]
    shape = b.out.shape
    return _both(b, input, k, dim % input.rank, not largest, shape)


def _both(b: Builder, x: Value, k: int, axis: int, ascend: bool, shape: Shape, hint: str = "") -> list[Value]:
    """The k largest (or smallest), with their places.

    torch: topk gives values and places, these in int64.
    MXNet: topk gives places alone unless ret_typ="both", and in float32 unless dtype says otherwise.
    We write: ret_typ="both" and dtype="int64".
    Source: torch.topk; mx.sym.topk.

    >>> converted(lambda x: x.topk(2), (2, 5))
    topk = mx.sym.topk(x, axis=1, k=2, ret_typ="both", dtype="int64", name="topk")
    return mx.sym.Group([topk[0], topk[1]])
    """
    values, places = b.ops(
        "topk",
        x,
        axis=axis,
        k=k,
        ret_typ="both",
        is_ascend=ascend,
        dtype="int64",
        gives=(shape, shape),
        hint=hint,
    )
    return [values, places]


# The order of equal numbers is torch's business, unless it is asked to be stable: MXNet's is.
@lowers("sort", ignores=("stable",), whole_as_floats=True)
def sort(b: Builder, input: Value, dim: int = -1, descending: bool = False) -> list[Value]:
    return _sorted(b, input, dim % max(input.rank, 1), descending)


@lowers("msort")
def msort(b: Builder, input: Value) -> list[Value]:
    return _sorted(b, input, 0, False)


def _sorted(b: Builder, input: Value, axis: int, descending: bool) -> list[Value]:
    values = b.op("sort", input, axis=axis, is_ascend=not descending)
    return [values, _order(b, input, axis, descending, "indices")][: len(b.node.outputs)]


@lowers("argsort", ignores=("stable",), whole_as_floats=True)
def argsort(b: Builder, input: Value, dim: int = -1, descending: bool = False) -> Value:
    return _order(b, input, dim % max(input.rank, 1), descending, "")


def _order(b: Builder, x: Value, axis: int, descending: bool, hint: str) -> Value:
    """The places in order.

    torch: argsort gives int64.
    MXNet: argsort gives float32 unless dtype says otherwise.
    We write: dtype="int64".
    Source: torch.argsort; mx.sym.argsort.

    >>> converted(lambda x: x.argsort(), (2, 5))
    return mx.sym.argsort(x, axis=1, dtype="int64", name="argsort")
    """
    return b.op("argsort", x, axis=axis, is_ascend=not descending, dtype="int64", hint=hint)


@lowers("kthvalue", takes_numbers=True, any_of_ties=True)
def kthvalue(b: Builder, input: Value, k: int, dim: int = -1, keepdim: bool = False) -> list[Value]:
    return _smallest(b, input, k, dim, keepdim)


@lowers("median", takes_numbers=True)
def median(b: Builder, input: Value, dim: int | None = None, keepdim: bool = False) -> Value | list[Value]:
    """The middle of the sorted numbers.

    torch: of two in the middle, the lower one.
    MXNet: has no median as a symbol.
    We write: the last of the smaller half, by topk.
    Source: torch.median; mx.sym.topk.

    >>> converted(lambda x: x.median(1).values, (2, 4))
    smallest, _ = mx.sym.topk(
        x, axis=1, k=2, ret_typ="both", is_ascend=True, dtype="int64", name="median_smallest"
    )
    smallest = mx.sym.slice_axis(smallest, axis=1, begin=1, end=2, name="median_value_last")
    return mx.sym.squeeze(smallest, axis=1, name="median")
    """
    if dim is None:
        if any(isinstance(s, Dim) for s in input.sizes):
            raise b.refuse("median() over the batch axis", "give a dim")
        count = 1
        for s in input.sizes:
            s = fixed(s)
            count *= s
        input, dim = reshape_to(b, input, (count,), hint="flat"), 0
    found = _smallest(b, input, None, dim, keepdim)
    return found if len(b.node.outputs) > 1 else found[0]


def _smallest(b: Builder, input: Value, k: int | None, dim: int, keepdim: bool) -> list[Value]:
    """The last of the k smallest along an axis, and its place; half of all where k is None."""
    axis = dim % max(input.rank, 1)
    size = input.sizes[axis]
    if isinstance(size, Dim):
        raise b.refuse_batch(f"{b.node.op}() along the batch axis")
    number = (size + 1) // 2 if k is None else k
    shape: Shape = (*input.sizes[:axis], number, *input.sizes[axis + 1 :])
    found = _both(b, input, number, axis, True, shape, hint="smallest")
    results = []
    for name, value in zip(("", "indices"), found, strict=True):
        last = cut(b, value, axis, number - 1, number, hint=name if keepdim else f"{name or 'value'}_last")
        results.append(last if keepdim else b.op("squeeze", last, axis=axis, hint=name))
    return results


@lowers("cummax", takes_numbers=True, best="max")
@lowers("cummin", takes_numbers=True, best="min")
def cummax(b: Builder, input: Value, dim: int, *, best: str) -> list[Value]:
    """The extreme of each prefix, and its last place."""
    if not input.dtype.startswith("float"):
        input = b.cast(input, "float64")  # a number beyond all others is none of whole numbers
    axis = dim % input.rank
    size = input.sizes[axis]
    limit = float(np.finfo(np.float32).max)
    table, inner = prefixes(b, input, axis, -limit if best == "max" else limit)
    extreme = b.op(best, table, axis=inner, keepdims=True, hint="extreme")
    equal = b.op("broadcast_equal", table, extreme, hint="equal")
    size = fixed(size)
    counts = np.arange(1, size + 1, dtype=np.float32).reshape((-1, *(1,) * (table.rank - inner - 1)))
    counts = counts.reshape((1,) * inner + counts.shape)
    places = b.op("broadcast_mul", equal, b.constant(counts, "counts"), hint="places")
    last = b.op("max", places, axis=inner, hint="last")
    values = b.op("squeeze", extreme, axis=inner)
    return [values, b.with_number("x - c", last, 1, hint="indices")]
