"""Elements put at known places of a tensor."""

from __future__ import annotations

from math import prod

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import Value, fixed
from codegen.defects import of_kind
from codegen.idioms.elementwise import Operand, number_of, where_of
from codegen.idioms.shapes import permuted, reshape_to, take
from codegen.ir import Dim
from codegen.places import Places


def put(b: Builder, x: Value, value: Operand, places: Places) -> Value:
    """`x` with a part of it written: a mask keeps the rest. A tensor `value` has the part's shape."""
    rest = [axis for axis in range(x.rank) if axis not in places.axes]
    sizes = [x.sizes[axis] for axis in rest]
    if any(isinstance(size, Dim) for size in sizes):
        raise b.refuse("writing to a part of the batch", "fix the batch size with --input")
    if not places.flat.size:
        return x
    inside = np.zeros(prod(sizes), np.float32)  # type: ignore[arg-type]
    inside[places.flat] = 1
    if number_of(value) is None:
        value = _laid_out(b, x, of_kind(value, Value), places, rest)
        if inside.all():
            return value
    shape = [1 if axis in places.axes else fixed(x.sizes[axis]) for axis in range(x.rank)]
    mask = inside.reshape(shape)
    return where_of(b, b.constant(mask, "mask"), value, x)


def _laid_out(b: Builder, x: Value, value: Value, places: Places, rest: list[int]) -> Value:
    """A part in the shape of the whole, each element in its place."""
    own = [axis for axis in range(value.rank) if axis not in places.part_axes]
    value = permuted(b, value, [*places.part_axes, *own])
    common = tuple(x.sizes[axis] for axis in places.axes)
    rest_sizes = tuple(x.sizes[axis] for axis in rest)
    source = np.zeros(prod(rest_sizes), np.int64)  # type: ignore[arg-type]
    source[places.flat] = np.arange(places.flat.size)  # of several values for one place the last stands
    if places.flat.size != source.size or (source != np.arange(source.size)).any():
        value = reshape_to(b, value, (*common, places.flat.size), hint="flat")
        value = take(b, value, b.constant(source, "source"), len(common), hint="placed")
    value = reshape_to(b, value, (*common, *rest_sizes), hint="shaped")
    now = [*places.axes, *rest]
    return permuted(b, value, [now.index(axis) for axis in range(x.rank)])
