"""A symbol in true float64: ops that hold numbers in float32 are written with ops that do not.

Measured on mxnet 1.9.1: these ops parse attributes as float32, or have constants in float32 inside, also
where they compute in float64; InstanceNorm and LRN do not compute in float64 at all. Scalars of arithmetic,
BatchNorm's eps and gemm2's alpha are read as float64.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_ops import OPS

if TYPE_CHECKING:
    import mxnet as mx

Ref = list[int]
Node = dict[str, Any]


def is_single(op: str, attrs: Mapping[str, Any]) -> bool:
    """Whether the op is wrong, or rounded to float32, in float64, and is not written otherwise here."""
    if op == "Deconvolution":  # right in float32, which oneDNN computes
        dilated, strided = (max(attrs.get(name, (1,))) > 1 for name in ("dilate", "stride"))
        return bool(dilated and strided)
    return op == "contrib.BilinearResize2D" or (op == "RNN" and attrs.get("mode") == "rnn_relu")


def in_double(symbol: mx.sym.Symbol, shapes: Mapping[str, tuple[int, ...]]) -> mx.sym.Symbol:
    """The symbol in float64. `shapes` are those of all its arguments."""
    mx = import_mxnet()

    internals = symbol.get_internals()
    names = internals.list_outputs()
    _, inferred, _ = internals.infer_shape(**shapes)
    graph = json.loads(internals.tojson())
    ranks = {(head[0], head[1]): len(s) for head, s in zip(graph["heads"], inferred, strict=True)}
    writer = _Writer([], "")
    made: list[int] = []
    for node in graph["nodes"]:
        inputs = [[made[i], out, 0] for i, out, _ in node["inputs"]]
        rank = ranks[node["inputs"][0][0], node["inputs"][0][1]] if node["inputs"] else 0
        made.append(_written(writer, node, inputs, rank))
    heads = [graph["heads"][names.index(name)] for name in symbol.list_outputs()]
    arguments = [i for i, node in enumerate(writer.nodes) if node["op"] == "null"]
    text = {
        "nodes": writer.nodes,
        "arg_nodes": arguments,
        "heads": [[made[i], out, 0] for i, out, _ in heads],
    }
    return mx.sym.load_json(json.dumps(text | {"attrs": graph["attrs"]}))


def _written(writer: _Writer, node: Node, inputs: list[Ref], rank: int) -> int:
    """The number of the node that stands for this one."""
    attrs: dict[str, str] = node.get("attrs", {})
    if node["op"] == "null":
        return writer.add(node, inputs)
    writer.name = node["name"]
    rewrite = _REWRITES.get(node["op"])
    found = rewrite(writer, inputs, _Attrs(attrs, rank)) if rewrite is not None else None
    if found is not None:
        return found[0]
    spec = OPS.get(node["op"].removeprefix("_contrib_").removeprefix("_"))
    dtype = attrs.get("dtype", spec.attrs.get("dtype") if spec is not None else None)
    return writer.add(node | {"attrs": attrs | ({"dtype": "float64"} if dtype == "float32" else {})}, inputs)


@dataclass
class _Writer:
    """The nodes of the new graph; `name` begins those that are written for one node."""

    nodes: list[Node]
    name: str

    def add(self, node: Node, inputs: list[Ref]) -> int:
        self.nodes.append(node | {"inputs": inputs})
        return len(self.nodes) - 1

    def op(self, op: str, *inputs: Ref, **attrs: Any) -> Ref:
        texts = {k: v if isinstance(v, str) else repr(v) for k, v in attrs.items()}
        node = {"op": op, "name": f"{self.name}_exact{len(self.nodes)}", "attrs": texts}
        return [self.add(node, list(inputs)), 0, 0]

    def scaled(self, x: Ref, factor: float) -> Ref:
        return self.op("_mul_scalar", x, scalar=factor)

    def along_channels(self, vector: Ref, rank: int) -> Ref:
        return self.op("Reshape", vector, shape=(1, -1, *(1,) * (rank - 2)) if rank > 1 else (-1,))


@dataclass(frozen=True)
class _Attrs:
    """The attributes of a node, and the rank of what it reads first."""

    texts: Mapping[str, str]
    rank: int

    def number(self, name: str, default: float) -> float:
        return float(self.texts.get(name, default))


def _is_single(value: float) -> bool:
    """Whether float32 holds the number."""
    return float(np.float32(value)) == value


def _clip(w: _Writer, inputs: list[Ref], attrs: _Attrs) -> Ref:
    bounded = w.op("_maximum_scalar", inputs[0], scalar=attrs.number("a_min", -math.inf))
    return w.op("_minimum_scalar", bounded, scalar=attrs.number("a_max", math.inf))


def _hard_sigmoid(w: _Writer, inputs: list[Ref], attrs: _Attrs) -> Ref:
    line = w.op(
        "_plus_scalar", w.scaled(inputs[0], attrs.number("alpha", 0.2)), scalar=attrs.number("beta", 0.5)
    )
    return w.op("_minimum_scalar", w.op("_maximum_scalar", line, scalar=0.0), scalar=1.0)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _leaky_relu(w: _Writer, inputs: list[Ref], attrs: _Attrs) -> Ref | None:
    x, kind = inputs[0], attrs.texts.get("act_type", "leaky")
    above, below = w.op("_maximum_scalar", x, scalar=0.0), w.op("_minimum_scalar", x, scalar=0.0)
    slope = attrs.number("slope", 0.25)
    if kind == "leaky":
        return w.op("elemwise_add", above, w.scaled(below, slope))
    if kind == "rrelu":
        mean = (attrs.number("lower_bound", 0.125) + attrs.number("upper_bound", 0.334)) / 2
        return w.op("elemwise_add", above, w.scaled(below, mean))
    if kind == "prelu":
        return w.op(
            "elemwise_add", above, w.op("broadcast_mul", below, w.along_channels(inputs[1], attrs.rank))
        )
    if kind in {"elu", "selu"}:
        curve = w.scaled(w.op("expm1", below), SELU_ALPHA if kind == "selu" else slope)
        return w.scaled(w.op("elemwise_add", above, curve), SELU_SCALE if kind == "selu" else 1.0)
    if kind == "gelu":
        share = w.op("_plus_scalar", w.op("erf", w.scaled(x, math.sqrt(0.5))), scalar=1.0)
        return w.op("elemwise_mul", w.scaled(x, 0.5), share)
    return None


def _eps(name: str, default: float) -> Rewrite:
    """(x - mean) / sqrt(variance + eps): a factor for x that makes eps what it is in float32."""

    def rewrite(w: _Writer, inputs: list[Ref], attrs: _Attrs) -> Ref | None:
        eps = attrs.number("eps", default)
        if _is_single(eps):
            return None
        x = w.scaled(inputs[0], math.sqrt(float(np.float32(eps)) / eps))
        return w.op(name, x, *inputs[1:], **attrs.texts)

    return rewrite


def _instance_norm(w: _Writer, inputs: list[Ref], attrs: _Attrs) -> Ref:
    x, gamma, beta = inputs
    spatial = {"axis": (0, 1), "exclude": True, "keepdims": True}
    centred = w.op("broadcast_sub", x, w.op("mean", x, **spatial))
    variance = w.op("mean", w.op("square", centred), **spatial)
    spread = w.op("rsqrt", w.op("_plus_scalar", variance, scalar=attrs.number("eps", 1e-3)))
    normal = w.op("broadcast_mul", centred, spread)
    scaled = w.op("broadcast_mul", normal, w.along_channels(gamma, attrs.rank))
    return w.op("broadcast_add", scaled, w.along_channels(beta, attrs.rank))


def _lrn(w: _Writer, inputs: list[Ref], attrs: _Attrs) -> Ref:
    (x,), size = inputs, int(attrs.texts["nsize"])
    table = w.op("expand_dims", w.op("Reshape", w.op("square", x), shape=(0, 0, -1)), axis=1)
    sums = w.op("Pooling", table, kernel=(size, 1), pad=(size // 2, 0), stride=(1, 1), pool_type="sum")
    scaled = w.scaled(w.op("reshape_like", sums, x), attrs.number("alpha", 1e-4) / size)
    shifted = w.op("_plus_scalar", scaled, scalar=attrs.number("knorm", 2))
    return w.op("elemwise_mul", x, w.op("_power_scalar", shifted, scalar=-attrs.number("beta", 0.75)))


def _times(factor: float) -> Rewrite:
    return lambda w, inputs, _attrs: w.scaled(inputs[0], factor)


Rewrite = Callable[[_Writer, list[Ref], _Attrs], "Ref | None"]
_REWRITES: dict[str, Rewrite] = {
    "clip": _clip,
    "hard_sigmoid": _hard_sigmoid,
    "LeakyReLU": _leaky_relu,
    "LayerNorm": _eps("LayerNorm", 1e-5),
    "GroupNorm": _eps("GroupNorm", 1e-5),
    "L2Normalization": _eps("L2Normalization", 1e-10),
    "InstanceNorm": _instance_norm,
    "LRN": _lrn,
    "radians": _times(math.pi / 180),
    "degrees": _times(180 / math.pi),
}
