"""Padding of any rank, in every mode of torch's."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.elementwise import full_like
from codegen.idioms.shapes import cut, reshape_to, take
from codegen.ir import Dim


@lowers("pad")
def pad(
    b: Builder, input: Value, pad: tuple[int, ...], mode: str = "constant", value: float | None = None
) -> Value:
    """Padding of any axes.

    torch: constant, reflect, replicate and circular; any rank; negative padding cuts.
    MXNet: Pad takes 4 or 5 axes, of which the first two stay, floats alone, and no circular mode; replicate
        is "edge".
    We write: axes of 1 as far as that helps; else what is padded is joined. Negative padding is cut.
    Source: torch.nn.functional.pad; mx.sym.Pad, whose errors say so.

    >>> converted(lambda x: F.pad(x, (1, 1), mode="replicate"), (1, 2, 3))
    x = mx.sym.Pad(
        mx.sym.Reshape(x, shape=(1, -1, 2, 3), name="pad2_image"),
        mode="edge",
        pad_width=(0, 0, 0, 0, 0, 0, 1, 1),
        name="pad2_pad",
    )
    return mx.sym.Reshape(x, shape=(-1, 2, 5), name="pad2")
    >>> converted(lambda x: F.pad(x, (0, 1), mode="circular"), (1, 2, 3))
    head2 = mx.sym.slice_axis(x, axis=2, begin=0, end=1, name="pad_head2")
    return mx.sym.Concat(x, head2, dim=2, name="pad_wrap2")
    """
    sides = {}
    for i in range(0, len(pad), 2):
        axis = input.rank - 1 - i // 2
        if (pad[i], pad[i + 1]) != (0, 0):
            sides[axis] = (pad[i], pad[i + 1])
    if any(isinstance(n, Dim) for side in sides.values() for n in side):
        raise b.refuse_batch("padding by the batch size")
    if mode == "replicate" and any(min(side) < 0 for side in sides.values()):
        return _replicated(b, input, sides)
    input, sides = _cropped(b, input, sides)
    if not sides:
        return input
    fill = float(bool(value) if b.out.dtype == "bool" else value or 0)
    if mode == "circular":
        return _wrapped(b, input, sides)
    whole = not input.dtype.startswith("float")
    if min(sides) >= 2 and input.rank in {4, 5} and not whole:
        return _pad(b, input, sides, mode, fill)
    missing = max(4 - input.rank, 2 - min(sides), 0)
    if input.rank + missing <= 5 and not whole:
        image = reshape_to(b, input, (*(1,) * missing, *input.sizes), hint="image")
        moved = {a + missing: side for a, side in sides.items()}
        return reshape_to(b, _pad(b, image, moved, mode, fill, "pad"), b.out.shape)
    if mode != "constant":
        raise b.refuse(
            f"pad() with mode={mode!r} on the axes {sorted(sides)} of a tensor of rank {input.rank}"
        )
    return _concatenated(b, input, sides, fill)


def _pad(
    b: Builder, x: Value, sides: dict[int, tuple[int, int]], mode: str, fill: float, hint: str = ""
) -> Value:
    width = tuple(n for axis in range(x.rank) for n in sides.get(axis, (0, 0)))
    name = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}[mode]
    return b.op("Pad", x, mode=name, pad_width=width, constant_value=fill, hint=hint)


def _replicated(b: Builder, x: Value, sides: dict[int, tuple[int, int]]) -> Value:
    """Negative sides may cut more than there is; torch then repeats the end that lies nearest."""
    for axis, (before, after) in sides.items():
        size = x.sizes[axis]
        if isinstance(size, Dim):
            raise b.refuse_batch("cutting the batch axis")
        places = np.clip(np.arange(-before, size + after), 0, size - 1)
        x = take(b, x, b.constant(places, f"places{axis}"), axis, hint=f"padded{axis}")
    return x


def _cropped(
    b: Builder, x: Value, sides: dict[int, tuple[int, int]]
) -> tuple[Value, dict[int, tuple[int, int]]]:
    """torch's negative padding cuts."""
    for axis, (before, after) in sides.items():
        size = x.sizes[axis]
        if before < 0 or after < 0:
            if isinstance(size, Dim):
                raise b.refuse_batch("cutting the batch axis")
            begin, end = max(0, -before), size - max(0, -after)
            if begin >= end:
                raise b.refuse("pad() that cuts all of an axis away", "write what it gives: torch.full")
            x = cut(b, x, axis, begin, end, hint=f"crop{axis}")
    rest = {a: (max(0, p), max(0, q)) for a, (p, q) in sides.items()}
    return x, {a: side for a, side in rest.items() if side != (0, 0)}


def _wrapped(b: Builder, x: Value, sides: dict[int, tuple[int, int]]) -> Value:
    for axis, (before, after) in sides.items():
        size = x.sizes[axis]
        if isinstance(size, Dim):
            raise b.refuse_batch("padding the batch axis")
        parts = [x]
        if before:
            parts.insert(0, cut(b, x, axis, size - before, size, hint=f"tail{axis}"))
        if after:
            parts.append(cut(b, x, axis, 0, after, hint=f"head{axis}"))
        x = b.op("Concat", parts, dim=axis, hint=f"wrap{axis}")
    return x


def _concatenated(b: Builder, x: Value, sides: dict[int, tuple[int, int]], fill: float) -> Value:
    for axis, (before, after) in sides.items():
        parts = [x]
        for count, place, end in ((before, 0, "before"), (after, 1, "after")):
            if not count:
                continue
            cell = full_like(
                b, cut(b, x, axis, 0, 1, hint=f"{end}{axis}_cell"), fill, x.dtype, f"{end}{axis}"
            )
            block = b.op("broadcast_axis", cell, axis=(axis,), size=(count,), hint=f"{end}{axis}_block")
            parts.insert(0 if place == 0 else len(parts), block)
        x = b.op("Concat", parts, dim=axis, hint=f"pad{axis}")
    return x
