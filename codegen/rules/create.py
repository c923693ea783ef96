"""Tensors made in forward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.defects import of_kind
from codegen.idioms.around import like_batch
from codegen.idioms.elementwise import (
    Operand,
    as_stored,
    batch_number,
    binary,
    made,
    made_dtype,
    number_of,
)
from codegen.idioms.shapes import reshape_to, spread
from codegen.ir import Dim, Size


# The shape and the dtype of a tensor made in forward are those of the node.
@lowers("zeros", "zeros_like", "empty", "empty_like", ignores=("size", "dtype", "input"))
def zeros(b: Builder) -> Value:
    return made(b, 0)


@lowers("ones", "ones_like", ignores=("size", "dtype", "input"))
def ones(b: Builder) -> Value:
    return made(b, 1)


@lowers("full", "full_like", ignores=("size", "dtype", "input"))
def full(b: Builder, fill_value: Operand) -> Value:
    number = number_of(as_stored(b, fill_value))
    if number is None:
        raise b.refuse("full() with a value that is computed", "use expand()")
    return made(b, number)


@lowers("arange", ignores=("dtype",), whole_as_floats=True)
def arange(b: Builder, end: Size | float, start: Size | float = 0, step: Size | float = 1) -> Value:
    """Numbers in a row, as many as the batch has samples.

    torch: arange takes x.shape[0] as a number.
    MXNet: arange takes numbers, and a symbol has no sizes until it is bound.
    We write: contrib.arange_like, along an axis of an earlier tensor.
    Source: torch.arange; mx.sym.contrib.arange_like.

    >>> converted(lambda x: x.sum(1) + torch.arange(x.shape[0]), (2, 3))
    sum_ = mx.sym.sum(x, axis=1, name="sum")
    return mx.sym.elemwise_add(sum_, mx.sym.contrib.arange_like(x, axis=0, name="arange"), name="add")
    """
    if not isinstance(end, Dim) or isinstance(start, Dim) or isinstance(step, Dim):
        raise b.refuse_batch("arange() of a length that is not the batch size")
    size = b.out.shape[0]
    found = like_batch(b, size)
    if found is None and isinstance(size, Dim) and size.const > 0:
        return _longer(b, size, float(start), float(step))
    if found is None:
        raise b.refuse_batch("arange() of a length that no tensor has")
    return _counted(b, *found, float(start), float(step))


def _counted(b: Builder, like: Value, axis: int, start: float, step: float, hint: str = "") -> Value:
    like = b.cast(like, "float32")
    return b.op("contrib.arange_like", like, start=start, step=step, axis=axis, hint=hint)


def _longer(b: Builder, size: Dim, start: float, step: float) -> Value:
    """Numbers in a row that are some more than a tensor has places: the first of them are known."""
    found, more = like_batch(b, Dim(size.coef)), int(size.const)
    if found is None or size.const.denominator > 1:
        raise b.refuse_batch("arange() of a length that no tensor has")
    place = start + more * step
    first = b.op("arange", start=start, stop=place, step=step, hint="first", gives=(more,))
    return b.op("Concat", [first, _counted(b, *found, place, step, "rest")], dim=0, gives=b.out.shape)


@lowers("zero", ignores=("input",))
def zero(b: Builder) -> Value:
    return made(b, 0)


@lowers("fill", ignores=("input",))
def fill(b: Builder, value: Operand) -> Value:
    value = as_stored(b, value)
    number = number_of(value)
    if number is not None:
        return made(b, number)
    return spread(b, of_kind(value, Value), b.out.shape or (1,), "value")


@lowers("copy", ignores=("input",))
def copy(b: Builder, src: Value) -> Value:
    value = as_stored(b, src)
    return spread(b, value, b.out.shape or (1,), "copy") if isinstance(value, Value) else made(b, value)


def _items(data: Any) -> Iterator[Any]:
    if not isinstance(data, tuple):
        yield data
        return
    for item in data:
        yield from _items(item)


def _joined(b: Builder, items: Sequence[Any]) -> Value:
    """A tensor of numbers and of tensors of one number."""
    dtype = made_dtype(b)
    lines = []
    for i, item in enumerate(items):
        value = batch_number(b, item, dtype) if isinstance(item, Dim) else item
        if not isinstance(value, Value):
            value = b.constant(np.asarray([value], dtype), f"number{i}")
        if value.rank > 1 or value.sizes not in {(), (1,)}:
            raise b.refuse(f"{b.node.op}() of tensors of several numbers", "use torch.stack()")
        lines.append(replace(b.cast(value, dtype), shape=(1,)))
    whole = b.op("Concat", lines, dim=0, hint="" if len(b.out.shape) == 1 else "line")
    return reshape_to(b, whole, b.out.shape)


@lowers("tensor", "as_tensor", "scalar_tensor", ignores=("dtype",))
def tensor(b: Builder, t: Any = None, data: Any = None, s: Any = None) -> Value:
    """A tensor of numbers, of which some follow the batch."""
    data = next(v for v in (t, data, s) if v is not None)  # torch's name differs by op
    if isinstance(data, Value):
        return b.cast(data, made_dtype(b))
    if any(isinstance(item, Value) for item in _items(data)):
        return _joined(b, list(_items(data)))

    def part(item: Any, of: Any) -> Any:
        return [part(i, of) for i in item] if isinstance(item, tuple) else of(item)

    dtype = made_dtype(b)
    coefs = np.asarray(part(data, lambda i: float(i.coef) if isinstance(i, Dim) else 0.0), dtype)
    consts = np.asarray(part(data, lambda i: float(i.const) if isinstance(i, Dim) else i), dtype)
    batch = batch_number(b, Dim(Fraction(1)), dtype)
    if not coefs.shape:
        scaled = b.with_number("x * c", batch, float(coefs), hint="scaled") if coefs != 1 else batch
        return b.with_number("x + c", scaled, float(consts)) if consts else scaled
    scaled = binary(b, "mul", b.constant(coefs, "factors"), batch, hint="scaled")
    return binary(b, "add", scaled, b.constant(consts, "numbers"))
