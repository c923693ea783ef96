"""Tensors by their place in memory: new, resize, as_strided."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.cuts import Ints
from codegen.idioms.elementwise import made, made_dtype
from codegen.idioms.shapes import cut, reshape_to, take
from codegen.ir import Dim, Shape, elements_in, shape_at


# The size is the node's.
@lowers("resize", "resize_as", ignores=("size", "the_template", "memory_format"), takes_empty=True)
def resize(b: Builder, input: Value, input_stride: Shape = ()) -> Value:
    """The first elements, as they lie in memory. Legacy layers make an empty tensor and then its size."""
    count, wanted = elements_in(input.sizes), elements_in(b.out.shape)
    if input.sizes == b.out.shape:
        return input
    if count == 0:
        return _new(b)
    dense = shape_at(input_stride, 1) == contiguous(shape_at(input.sizes, 1))
    if not isinstance(count, int) or not isinstance(wanted, int) or wanted > count or not dense:
        raise b.refuse(
            f"{b.node.op}() to more elements than there are, which torch leaves unset, "
            "or of the batch or a view",
            "make a new tensor",
        )
    flat = reshape_to(b, input, (count,), hint="flat")
    flat = flat if wanted == count else cut(b, flat, 0, 0, wanted, hint="first")
    return reshape_to(b, flat, b.out.shape)


def contiguous(shape: Ints) -> Ints:
    """The strides of a tensor that lies in memory without gaps, the last axis first."""
    return tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))


# A tensor that torch leaves unset: nothing of it is read.
def _new(b: Builder) -> Value:
    if any(isinstance(s, Dim) for s in b.out.shape):
        return made(b, 0)
    return b.constant(np.zeros(b.out.shape, made_dtype(b)), "new")  # type: ignore[arg-type]


@lowers("as_strided")
def as_strided(
    b: Builder,
    input: Value,
    size: Shape,
    stride: Shape,
    input_stride: Shape,
    input_offset: int,
    storage_offset: int | None = None,
) -> Value:
    """A gather: each place of the result is the place of the input that lies at the same address."""
    lead = 1 if isinstance(size[0], Dim) else 0
    if lead and (size[0] != input.sizes[0] or stride[0] != input_stride[0]):
        raise b.refuse("as_strided() across the samples of the batch", "write it with unfold()")
    shapes = input.sizes[lead:], input_stride[lead:], size[lead:], stride[lead:]
    found = [_same_addresses(*(shape_at(s, batch) for s in shapes)) for batch in (1, 2)]
    is_elsewhere = storage_offset is not None and storage_offset != input_offset
    if is_elsewhere or found[0] is None or found[1] is None or not np.array_equal(found[0], found[1]):
        raise b.refuse("as_strided() of memory that is not the tensor's own", "write it with unfold()")
    elements = int(np.prod(shape_at(input.sizes[lead:], 1)))
    flat = reshape_to(b, input, (*input.sizes[:lead], elements), hint="flat")
    return take(b, flat, b.constant(found[0], "places"), lead)


def _same_addresses(sizes: Ints, strides: Ints, new_sizes: Ints, new_strides: Ints) -> Any:
    """Which element of the first tensor each element of the second is; None where it is none of them."""
    addresses, wanted = _addresses(sizes, strides).reshape(-1), _addresses(new_sizes, new_strides)
    table = np.full(int(max(addresses.max(), wanted.max())) + 1, -1, np.int64)
    table[addresses] = np.arange(addresses.size)
    places = table[wanted]
    return None if (places < 0).any() else places


def _addresses(sizes: Ints, strides: Ints) -> Any:
    """The address of every element, from the first."""
    found = np.zeros((), np.int64)
    for size, stride in zip(sizes, strides, strict=True):
        found = found[..., None] + np.arange(size) * stride
    return found
