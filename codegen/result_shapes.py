"""What shape an MXNet op gives, from those of its inputs and its attributes.

Each function takes (the shapes of the inputs in order, all attributes with MXNet's defaults) and returns the
shape, or None where it is not a function of these. A tensor of one number is () as in torch, though MXNet
keeps it as (1,). From the operators' shape functions in MXNet 1.9.1 (src/operator), seen through
`infer_shape`: tests/test_result_shapes.py holds them against the installed mxnet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from codegen.ir import Dim, Shape, Size, elements_in
from codegen.reshape_codes import Code, gives

Shapes: TypeAlias = Sequence[Shape]
Attrs: TypeAlias = Mapping[str, Any]
ShapeOf: TypeAlias = "Callable[[Shapes, Attrs], Shape | None]"


def unknown(inputs: Shapes, attrs: Attrs) -> None:
    """The rule must say it."""


def same(inputs: Shapes, attrs: Attrs) -> Shape:
    """The first input's."""
    return inputs[0]


def like_second(inputs: Shapes, attrs: Attrs) -> Shape:
    """The second input's."""
    return inputs[1]


def broadcast(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """Axis by axis the size that is not 1; MXNet wants equal ranks."""
    left, right = inputs
    if len(left) != len(right):
        return None
    return tuple(r if x == 1 else x for x, r in zip(left, right, strict=True))


def reduced(inputs: Shapes, attrs: Attrs) -> Shape:
    """Without the axes, or with 1 in their place."""
    (shape,), axes = inputs, _axes(attrs["axis"], len(inputs[0]))
    if attrs["keepdims"]:
        return tuple(1 if i in axes else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in axes)


def picked(inputs: Shapes, attrs: Attrs) -> Shape:
    """The data's without the axis along which one element is taken."""
    return reduced(inputs[:1], attrs)


def attention_scores(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(batch * heads, steps, steps) of (steps, batch, heads * 3 * width)."""
    steps, batch, _ = inputs[0]
    rows = elements_in((batch, attrs["heads"]))
    return None if rows is None else (rows, steps, steps)


def attended(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(steps, batch, heads * width) of (steps, batch, heads * 3 * width)."""
    steps, batch, width = inputs[0]
    return (steps, batch, width // 3) if isinstance(width, int) else None


def transposed(inputs: Shapes, attrs: Attrs) -> Shape:
    """The sizes in the order of `axes`."""
    return tuple(inputs[0][axis] for axis in attrs["axes"])


def expanded(inputs: Shapes, attrs: Attrs) -> Shape:
    """A size of 1 at `axis`."""
    (shape,) = inputs
    axis = attrs["axis"] % (len(shape) + 1)
    return (*shape[:axis], 1, *shape[axis:])


def squeezed(inputs: Shapes, attrs: Attrs) -> Shape:
    """Without the axes, or without all sizes of 1."""
    (shape,) = inputs
    if attrs["axis"] is None:
        return tuple(s for s in shape if s != 1)
    axes = _axes(attrs["axis"], len(shape))
    return tuple(s for i, s in enumerate(shape) if i not in axes)


def reshaped(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """What the code of the Reshape makes."""
    return gives(Code(tuple(attrs["shape"]), attrs["reverse"]), inputs[0] or (1,))


def flattened(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(N, all the rest)."""
    rest = elements_in(inputs[0][1:])
    return None if rest is None else (inputs[0][0], rest)


def joined(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """The sizes along `dim` added."""
    shapes, axis = [shape or (1,) for shape in inputs], attrs["dim"]
    return _with(shapes[0], axis, _sum([shape[axis] for shape in shapes]))


def stacked(inputs: Shapes, attrs: Attrs) -> Shape:
    """A new axis, as long as there are inputs."""
    axis = attrs["axis"] % (len(inputs[0]) + 1)
    return (*inputs[0][:axis], len(inputs), *inputs[0][axis:])


def cut(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """From `begin` to `end` along one axis."""
    (shape,), axis = inputs, attrs["axis"]
    return _with(shape, axis, _span(shape[axis], attrs["begin"], attrs["end"], 1))


def sliced(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """From `begin` to `end` in steps, along the first axes."""
    shape: Shape | None = inputs[0]
    steps = attrs["step"] or (1,) * len(attrs["begin"])
    for axis, cut_of_axis in enumerate(zip(attrs["begin"], attrs["end"], steps, strict=True)):
        if shape is not None:
            shape = _with(shape, axis, _span(shape[axis], *cut_of_axis))
    return shape


def spread_to(inputs: Shapes, attrs: Attrs) -> Shape:
    """Sizes of 1 grown to others."""
    grown = dict(zip(_tuple(attrs["axis"]), _tuple(attrs["size"]), strict=True))
    return tuple(grown.get(i, s) for i, s in enumerate(inputs[0]))


def spread_like(inputs: Shapes, attrs: Attrs) -> Shape:
    """Sizes of 1 grown to those of another tensor."""
    if attrs["lhs_axes"] is None:
        return inputs[1]
    grown = dict(zip(attrs["lhs_axes"], attrs["rhs_axes"], strict=True))
    return tuple(inputs[1][grown[i]] if i in grown else s for i, s in enumerate(inputs[0]))


def repeated(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """Each element of an axis several times."""
    (shape,), axis = inputs, attrs["axis"]
    return None if axis is None else _with(shape, axis, _times(shape[axis], attrs["repeats"]))


def tiled(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """The whole several times along each axis."""
    (shape,), counts = inputs, tuple(attrs["reps"])
    if len(counts) != len(shape):
        return None
    return tuple(_times(size, count) for size, count in zip(shape, counts, strict=True))


def taken(inputs: Shapes, attrs: Attrs) -> Shape:
    """The axis replaced by those of the index."""
    shape, index = inputs
    axis = attrs["axis"] % len(shape)
    return (*shape[:axis], *(index or (1,)), *shape[axis + 1 :])


def hot(inputs: Shapes, attrs: Attrs) -> Shape:
    """One more axis, `depth` long."""
    return (*(inputs[0] or (1,)), attrs["depth"])


def embedded(inputs: Shapes, attrs: Attrs) -> Shape:
    """One more axis, `output_dim` long."""
    return (*(inputs[0] or (1,)), attrs["output_dim"])


def connected(inputs: Shapes, attrs: Attrs) -> Shape:
    """The last axis becomes `num_hidden`; with `flatten`, all but the first do."""
    return (*(inputs[0][:1] if attrs["flatten"] else inputs[0][:-1]), attrs["num_hidden"])


def convolved(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(N, num_filter, ...), each size by kernel, stride, dilation and padding."""
    along = _along(inputs[0], attrs, stride=1, dilate=1, pad=0)
    sizes = [None if n is None else (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, d, p in along]
    return _whole((inputs[0][0], attrs["num_filter"]), sizes)


def deconvolved(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(N, num_filter, ...), each size the other way round, with `adj` more."""
    along = _along(inputs[0], attrs, stride=1, dilate=1, pad=0, adj=0)
    sizes = [None if n is None else (n - 1) * s + d * (k - 1) + 1 - 2 * p + a for n, k, s, d, p, a in along]
    return _whole((inputs[0][0], attrs["num_filter"]), sizes)


def pooled(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(N, C, ...), each size rounded down or, by the convention "full", up."""
    (shape,) = inputs
    if attrs["global_pool"]:
        return (*shape[:2], *(1 for _ in shape[2:]))
    up = attrs["pooling_convention"] == "full"
    along = [
        None if n is None else (n + 2 * p - k + (s - 1 if up else 0)) // s + 1
        for n, k, s, p in _along(shape, attrs, stride=1, pad=0)
    ]
    return _whole(shape[:2], along)


def pooled_to(inputs: Shapes, attrs: Attrs) -> Shape:
    """(N, C) and the output's size."""
    return (*inputs[0][:2], *_tuple(attrs["output_size"]))


def of_regions(inputs: Shapes, attrs: Attrs) -> Shape | None:
    """(regions, C, height, width); where each cell reads channels of its own, C is divided among them."""
    (_, channels, *_), (regions, _) = inputs
    height, width = attrs["pooled_size"]
    if not isinstance(channels, int):
        return None
    cells = height * width if attrs.get("position_sensitive") else 1
    return (regions, channels // cells, height, width)


def padded(inputs: Shapes, attrs: Attrs) -> Shape:
    """Each size with what is before and after it."""
    sides = attrs["pad_width"]
    return tuple(_plus(s, sides[2 * i] + sides[2 * i + 1]) for i, s in enumerate(inputs[0]))


def dotted(inputs: Shapes, attrs: Attrs) -> Shape:
    """The last axis of the first against the first of the second."""
    left, right = inputs
    rest = right[:-1] if attrs["transpose_b"] else right[1:]
    return (*(left[1:] if attrs["transpose_a"] else left[:-1]), *rest)


def multiplied(inputs: Shapes, attrs: Attrs) -> Shape:
    """Matrices in the last two axes, equal leading ones."""
    left, right = inputs
    rows = left[-1 if attrs["transpose_a"] else -2]
    columns = right[-2 if attrs["transpose_b"] else -1]
    return (*left[:-2], rows, columns)


def of_shape(inputs: Shapes, attrs: Attrs) -> Shape:
    """The attribute `shape`."""
    return tuple(attrs["shape"])


def along_axis(inputs: Shapes, attrs: Attrs) -> Shape:
    """One number for each place of an axis, or of all."""
    return inputs[0] if attrs["axis"] is None else (inputs[0][attrs["axis"]],)


def rank_of(inputs: Shapes, attrs: Attrs) -> Shape:
    """One number for each axis."""
    return (len(inputs[0]),)


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank if rank else 0 for a in _tuple(axis))


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _along(shape: Shape, attrs: Attrs, **neutral: int) -> Iterator[tuple[Any, ...]]:
    """For each axis of an image its size (None where it follows the batch), the kernel's, and other
    attributes.

    MXNet's empty shape means the neutral number for all axes.
    """
    kernel = attrs["kernel"]
    columns = [
        attrs[n] if isinstance(attrs[n], tuple) and attrs[n] else (v,) * len(kernel)
        for n, v in neutral.items()
    ]
    for size, *rest in zip(shape[2:], kernel, *columns, strict=True):
        yield (size if isinstance(size, int) else None, *rest)


def _with(shape: Shape, axis: int, size: Size | None) -> Shape | None:
    axis %= len(shape)
    return None if size is None else (*shape[:axis], size, *shape[axis + 1 :])


def _whole(lead: Shape, sizes: Sequence[int | None]) -> Shape | None:
    known = tuple(s for s in sizes if s is not None)
    return (*lead, *known) if len(known) == len(sizes) else None


def _span(size: Size, begin: int | None, end: int | None, step: int | None) -> Size | None:
    """How many places a slice names; None where that hangs on the batch in no linear way."""
    if isinstance(size, int):
        return len(range(*slice(begin, end, step).indices(size)))
    if step not in {None, 1}:
        return None
    if end is not None and end >= 0 and (begin or 0) >= 0:
        return end - (begin or 0)  # as far as there are so many
    lost = (begin or 0) if (begin or 0) >= 0 else None
    if lost is None:
        return -begin + (end or 0) if begin is not None else None
    return _plus(size, -lost + (end or 0))


def _sum(sizes: Sequence[Size]) -> Size:
    dims = [s for s in sizes if isinstance(s, Dim)]
    total = sum(s for s in sizes if isinstance(s, int))
    if not dims:
        return total
    coef = sum((d.coef for d in dims), Fraction(0))
    return Dim(coef, sum((d.const for d in dims), Fraction(total)))


def _plus(size: Size, number: int) -> Size:
    return Dim(size.coef, size.const + number) if isinstance(size, Dim) else size + number


def _times(size: Size, count: int) -> Size:
    return Dim(size.coef * count, size.const * count) if isinstance(size, Dim) else size * count
