"""Cutting along an axis whose size follows the batch.

MXNet's ops take numbers, and a symbol has no sizes until it is bound: what is cut is counted from the start
or from the end, or is one of several equal parts, or is as long as an earlier tensor.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import Value, fixed
from codegen.defects import Defect
from codegen.idioms.around import like_batch
from codegen.ir import Dim, Size

Line: TypeAlias = tuple[Fraction, Fraction]
"""A size as (coef, const), where coef may be 0."""


def line_of(size: Size) -> Line:
    """A size, or a number, as a line."""
    return (size.coef, size.const) if isinstance(size, Dim) else (Fraction(0), Fraction(size))


def plus(size: Size, other: Size, times: int = 1) -> Size:
    """The sum of two sizes, the second `times` itself."""
    coef, const = (a + times * c for a, c in zip(line_of(size), line_of(other), strict=True))
    return Dim(coef, const) if coef else int(const)


def place_of(place: Size, size: Size) -> Size:
    """A place along an axis of `size`: one that is negative at each batch size counts from its end."""
    coef, const = line_of(place)
    return plus(size, place) if coef <= 0 and coef + const < 0 else place


def must_hold(b: Builder, begin: Size, end: Size, size: Size) -> None:
    """Refuse a cut that reaches beyond the axis at some batch size, where torch gives less."""
    if (
        line_of(plus(end, begin, -1))[0] < 0
        or not is_admitted(b, begin)
        or not is_admitted(b, plus(size, end, -1))
    ):
        raise b.refuse_batch(f"the places from {begin} to {end} of {size} samples")


def is_admitted(b: Builder, number: Size) -> bool:
    """Whether a number is never negative, whatever batch size the graph is right at."""
    coef, const = line_of(number)
    return coef >= 0 and coef * b.graph.least_batch + const >= 0


def cut_between(b: Builder, x: Value, axis: int, begin: Size, end: Size, hint: str = "") -> Value:
    """`x` from `begin` to `end` along an axis whose size follows the batch.

    Pieces of the batch.

    torch: x[:n] and x.chunk(2) take sizes as numbers.
    MXNet: slice_axis and split take numbers, and a symbol has no sizes until it is bound.
    We write: slice_axis from the start or from the end; split into equal parts; slice_like.
    Source: torch.Tensor.__getitem__; mx.sym.split; mx.sym.slice_like.

    >>> def both(x, y):
    ...     z = torch.cat([x, y]).relu()
    ...     return z[: x.shape[0]] - z[x.shape[0] :]
    >>> converted(both, (2, 3), (2, 3))
    x = mx.sym.Activation(mx.sym.Concat(x, y, dim=0, name="cat"), act_type="relu", name="relu")
    parts = mx.sym.split(x, num_outputs=2, axis=0, name="parts")
    return mx.sym.elemwise_sub(parts[0], parts[1], name="sub")
    """
    size = x.sizes[axis]
    if begin == 0 and end == size:
        return x
    must_hold(b, begin, end, size)
    found = _from_an_end(b, x, axis, begin, end, hint) or _equal_parts(b, x, axis, begin, end, hint)
    found = found or _as_long_as(b, x, axis, begin, end, hint) or _in_two(b, x, axis, begin, end, hint)
    if found is None:
        raise b.refuse_batch(f"the places from {begin} to {end} of {size} samples")
    return found


def _from_an_end(b: Builder, x: Value, axis: int, begin: Size, end: Size, hint: str) -> Value | None:
    """A cut both of whose ends lie at a fixed distance from the start or from the end of the axis."""
    size = x.sizes[axis]
    places = [place if isinstance(place, int) else plus(place, size, -1) for place in (begin, end)]
    first, last = places
    if isinstance(first, Dim) or isinstance(last, Dim):
        return None
    stop = None if isinstance(end, Dim) and last == 0 else last
    return b.op(
        "slice_axis", x, axis=axis, begin=first, end=stop, hint=hint, gives=_gives(x, axis, begin, end)
    )


def _equal_parts(b: Builder, x: Value, axis: int, begin: Size, end: Size, hint: str) -> Value | None:
    """A cut from the p-th to the q-th of equal parts, with a few places fewer at either end."""
    (p, e), (q, f), (c, d) = (line_of(s) for s in (begin, end, x.sizes[axis]))
    if p == q or any(number.denominator > 1 for number in (e, f, d)):
        return None
    unit = _common(p, q, c)
    skipped = int(min(e, d))  # places before the first part
    if skipped < f or skipped < 0:
        return None
    chosen = _parts(b, x, axis, int(c / unit), (skipped, int(d) - skipped))[int(p / unit) : int(q / unit)]
    begun, ended = int(e) - skipped, int(f) - skipped
    is_trimmed = begun > 0 or ended < 0
    joined = chosen[0]
    if len(chosen) > 1:
        joined = b.op("Concat", chosen, dim=axis, hint="joined" if is_trimmed else hint)
    if not is_trimmed:
        return joined
    shape = _gives(x, axis, begin, end)
    return b.op("slice_axis", joined, axis=axis, begin=begun, end=ended or None, hint=hint, gives=shape)


def _common(*coefs: Fraction) -> Fraction:
    """The largest number of which all are multiples."""
    under = math.lcm(*(c.denominator for c in coefs))
    return Fraction(math.gcd(*(int(c * under) for c in coefs)), under)


def _parts(b: Builder, x: Value, axis: int, count: int, around: tuple[int, int]) -> list[Value]:
    """`count` equal parts of an axis without the places `around`; one op, however often a module asks."""
    if x.operand is None:
        raise Defect("parts of a constant are constants")
    key = (x.operand, axis, count, around, b.node.source.frames)
    if key not in b.parts:
        before, after = around
        coef, _ = line_of(x.sizes[axis])
        if before or after:
            gives = (*x.sizes[:axis], Dim(coef), *x.sizes[axis + 1 :])
            end = -after or None
            x = b.op("slice_axis", x, axis=axis, begin=before, end=end, hint="even", gives=gives)
        part = (*x.sizes[:axis], Dim(coef / count), *x.sizes[axis + 1 :])
        b.parts[key] = b.ops("split", x, num_outputs=count, axis=axis, hint="parts", gives=(part,) * count)
    return b.parts[key]


def _as_long_as(b: Builder, x: Value, axis: int, begin: Size, end: Size, hint: str) -> Value | None:
    """The first places, as many as an earlier tensor has."""
    like = like_batch(b, end) if begin == 0 else None
    if like is None or like[1] != axis:
        return None
    gives = _gives(x, axis, begin, end)
    return b.op("slice_like", x, b.cast(like[0], x.dtype), axes=(axis,), hint=hint or "first", gives=gives)


def _in_two(b: Builder, x: Value, axis: int, begin: Size, end: Size, hint: str) -> Value | None:
    """A cut of so many equal parts, joined with the few places before or after them."""
    (p, e), (q, f) = line_of(begin), line_of(end)
    if f <= e or p == q:
        return None
    for middle, cuts in (
        (Dim(q, e), (_equal_parts, _from_an_end)),
        (plus(begin, int(f - e)), (_from_an_end, _equal_parts)),
    ):
        head = cuts[0](b, x, axis, begin, middle, "head")
        tail = cuts[1](b, x, axis, middle, end, "tail") if head is not None else None
        if head is not None and tail is not None:
            return b.op("Concat", [head, tail], dim=axis, hint=hint)
    return None


def _gives(x: Value, axis: int, begin: Size, end: Size) -> tuple[Size, ...]:
    return (*x.sizes[:axis], plus(end, begin, -1), *x.sizes[axis + 1 :])


def taken_along(b: Builder, x: Value, index: Value, axis: int, hint: str = "") -> Value:
    """Known places of the batch.

    `x` at known places along an axis whose size follows the batch.

    torch: x[[0, -1]] counts -1 from the end of the batch; a place that the batch does not have is an error.
    MXNet: take's mode is "clip": -1 is the first place, and what lies beyond the last one is the last.
    We write: the first and the last samples, as many as are named, joined; take where their order is another.
    Source: torch.Tensor.__getitem__; mx.sym.take, measured.

    >>> converted(lambda x: x[[0, -1]], (2, 3))
    first = mx.sym.slice_axis(x, axis=0, begin=0, end=1, name="getitem_first")
    x = mx.sym.slice_axis(x, axis=0, begin=-1, end=None, name="getitem_last")
    return mx.sym.Concat(first, x, dim=0, name="getitem_ends")
    """
    if index.const is None:
        raise Defect("places that are not known")
    places = index.const.astype(np.int64)
    from_start, from_end = places[places >= 0], places[places < 0]
    if not from_end.size and (
        not places.size or is_admitted(b, plus(x.sizes[axis], int(places.max()) + 1, -1))
    ):
        return b.op("take", x, index, axis=axis, mode="clip", hint=hint)
    pieces = []
    for some, what in ((from_start, "first"), (from_end, "last")):
        if some.size:
            end = int(some.max()) + 1 or None
            pieces.append(b.op("slice_axis", x, axis=axis, begin=int(some.min()), end=end, hint=what))
    joined = pieces[0] if len(pieces) == 1 else b.op("Concat", pieces, dim=axis, hint="ends")
    before = fixed(pieces[0].sizes[axis]) if len(pieces) > 1 else 0
    moved = places - np.where(
        places < 0, from_end.min(initial=0) - before, from_start.min(initial=places.max())
    )
    if moved.tolist() == list(range(fixed(joined.sizes[axis]))):
        return joined
    return b.op("take", joined, replace(index, const=moved, operand=None), axis=axis, mode="clip", hint=hint)
