"""FLOPs: two for each multiplication of a product, none for what is done element by element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from codegen.ir import Shape, shape_at
from codegen.program import Call, Leaf, Operand, Out, Program

Sizes: TypeAlias = tuple[int, ...]
# Gates of a recurrent layer, by MXNet's mode.
_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def flops_by_call(program: Program, batch: int) -> tuple[int, ...]:
    """The FLOPs of each call in one pass at a batch size; 0 of an op that is no product."""
    shapes: dict[Operand, Shape | None] = {Leaf(v.name): v.shape for v in program.variables}
    for index, call in enumerate(program.calls):
        shapes |= {Out(index, place): shape for place, shape in enumerate(call.shapes)}

    def flops_of(index: int, call: Call) -> int:
        count = _PRODUCTS.get(call.op)
        if count is None:
            return 0
        found = [shapes.get(operand) for operand in (*call.operands(), Out(index))]
        sizes = [shape_at(shape, batch) for shape in found if shape is not None]
        return 0 if len(sizes) < len(found) else 2 * count(dict(call.attrs), sizes[:-1], sizes[-1])

    return tuple(flops_of(index, call) for index, call in enumerate(program.calls))


def _convolution(_attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    """Each filter (weight, (O, I/groups, *kernel)) at each place of the result (N, O, *places)."""
    weight = next(sizes for sizes in read[1:] if len(sizes) == len(made))
    return made[0] * math.prod(made[2:]) * math.prod(weight)


def _offset_convolution(attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    return _convolution(attrs, [read[0], *read[3:]], made)


def _deconvolution(_attrs: Mapping[str, Any], read: Sequence[Sizes], _made: Sizes) -> int:
    """Each place of what is read (N, I, *places), by its filters (weight, (I, O/groups, *kernel))."""
    return read[0][0] * math.prod(read[0][2:]) * math.prod(read[1])


def _connected(_attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    return math.prod(made) * read[1][1]


def _dot(attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    return math.prod(made) * read[0][0 if attrs.get("transpose_a") else -1]


def _multiplied(attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    return math.prod(made) * read[0][-2 if attrs.get("transpose_a") else -1]


def _scores(attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    """Of queries, keys and values side by side: (length, N, heads * 3 * width)."""
    heads: int = attrs["heads"]
    return math.prod(made) * (read[0][-1] // (3 * heads))


def _attended(_attrs: Mapping[str, Any], read: Sequence[Sizes], made: Sizes) -> int:
    return math.prod(made) * read[1][-1]


def _recurrent(attrs: Mapping[str, Any], read: Sequence[Sizes], _made: Sizes) -> int:
    """Of (length, N, features), for each layer and direction its matrices."""
    length, batch, features = read[0]
    size: int = attrs["state_size"]
    layers: int = attrs["num_layers"]
    ways, gates = 2 if attrs.get("bidirectional") else 1, _GATES[attrs["mode"]]
    kept: int = attrs.get("projection_size") or size
    widths = features + (layers - 1) * ways * kept
    projected = layers * kept * size if kept != size else 0
    return length * batch * ways * (gates * size * (widths + layers * kept) + projected)


_PRODUCTS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Sizes], Sizes], int]] = {
    "Convolution": _convolution,
    "contrib.ModulatedDeformableConvolution": _offset_convolution,
    "Deconvolution": _deconvolution,
    "FullyConnected": _connected,
    "dot": _dot,
    "batch_dot": _multiplied,
    "linalg.gemm2": _multiplied,
    "contrib.interleaved_matmul_selfatt_qk": _scores,
    "contrib.interleaved_matmul_selfatt_valatt": _attended,
    "RNN": _recurrent,
}
