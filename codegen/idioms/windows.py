"""Windows that slide over an image: kernels, strides, padding."""

from __future__ import annotations

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.ir import Dim, Shape

Sizes = int | tuple[int, ...]


def each(sizes: Sizes, axes: int) -> tuple[int, ...]:
    """One number for each axis, from torch's number or tuple."""
    if isinstance(sizes, int):
        return (sizes,) * axes
    return tuple(sizes) * axes if len(sizes) == 1 else tuple(sizes)


def pad_zeros(b: Builder, x: Value, sides: tuple[tuple[int, int], ...], value: float = 0.0) -> Value:
    """`x` (N, C, ...) padded with a constant; MXNet's Pad wants 4 or 5 axes."""
    widths = [(0, 0), (0, 0), *sides]
    sizes = x.sizes
    if x.rank == 3:
        x = b.op("expand_dims", x, axis=2, hint="row")
        widths.insert(2, (0, 0))
    flat = tuple(n for side in widths for n in side)
    x = b.op("Pad", x, mode="constant", pad_width=flat, constant_value=value, hint="pad")
    if len(sizes) == 3:
        x = b.op("squeeze", x, axis=2, hint="unrow")
    return x


LOWEST = -3.4028234663852886e38  # float32's, which torch's max pooling pads with


def numbers_of(shape: Shape, b: Builder, doing: str = "pooling over") -> tuple[int, ...]:
    """Sizes that must be whole numbers; Refused where one follows the batch."""
    if any(isinstance(s, Dim) for s in shape):
        raise b.refuse_batch(f"{doing} an axis that follows the batch")
    return tuple(s for s in shape if isinstance(s, int))


def strides_of(stride: Sizes | None, kernel: tuple[int, ...]) -> tuple[int, ...]:
    return kernel if stride is None or stride == () else each(stride, len(kernel))


def with_batch(b: Builder, x: Value, axes: int) -> Value:
    """An image without a batch axis.

    torch: layers take (C, H, W) as well as (N, C, H, W).
    MXNet: Convolution, Pooling and the like want the batch axis.
    We write: an axis of 1 before, taken away after.
    Source: torch.nn.Conv2d; mx.sym.Convolution.

    >>> converted(lambda x: F.max_pool2d(x, 2), (4, 8, 8))
    x = mx.sym.expand_dims(x, axis=0, name="max_pool2d_batched")
    x = mx.sym.Pooling(x, kernel=(2, 2), pool_type="max", stride=(2, 2), name="max_pool2d")
    return mx.sym.squeeze(x, axis=0, name="max_pool2d_unbatched")
    """
    return x if x.rank == axes + 2 else b.op("expand_dims", x, axis=0, hint="batched")


def without_batch(b: Builder, x: Value, y: Value, axes: int) -> Value:
    return y if x.rank == axes + 2 else b.op("squeeze", y, axis=0, hint="unbatched")
