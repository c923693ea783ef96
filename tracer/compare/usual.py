"""What is usually wrong with an op of a port: values to try for its attributes, one at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from codegen.ir import LEAVES, Node
from codegen.program import Program
from codegen.proof.port import Port, PortNode, parsed
from tracer.compare.attributes import had, same_value, setting, spec_of_node
from tracer.compare.changes import Change
from tracer.compare.layers import plain

Values: TypeAlias = "tuple[Any, ...]"

EPS = (1e-5, 1e-3, 1e-6, 1e-12, 1e-8, 1e-10, 1e-2)
FLAG = (True, False)
AXES = (1, -1, 2, 0, 3, -2)
USUAL: Mapping[str, Mapping[str, Values]] = {
    "batchnorm": {"eps": EPS, "fix_gamma": FLAG, "use_global_stats": FLAG, "axis": (1, -1)},
    "pooling": {
        "pooling_convention": ("valid", "full"),
        "count_include_pad": FLAG,
        "pool_type": ("max", "avg"),
        "global_pool": FLAG,
    },
    "fullyconnected": {"flatten": FLAG},
    "activation": {"act_type": ("relu", "sigmoid", "tanh", "softrelu", "softsign")},
    "leakyrelu": {"slope": (0.01, 0.25, 0.1, 0.2, 1.0), "act_type": ("leaky", "elu", "gelu", "selu")},
    "hard_sigmoid": {"alpha": (1 / 6, 0.2)},
    "clip": {"a_max": (6.0, 1.0), "a_min": (0.0, -1.0)},
    "layernorm": {"eps": EPS, "axis": AXES},
    "groupnorm": {"eps": EPS},
    "instancenorm": {"eps": EPS},
    "l2normalization": {"eps": EPS, "mode": ("instance", "channel", "spatial")},
    "lrn": {"knorm": (1.0, 2.0), "alpha": (1e-4, 1e-3), "beta": (0.75, 0.5), "nsize": (5, 3, 2)},
    "softmax": {"axis": AXES},
    "log_softmax": {"axis": AXES},
    "softmaxactivation": {"mode": ("channel", "instance")},
    "softmaxoutput": {"multi_output": FLAG, "preserve_shape": FLAG},
    "dropout": {"mode": ("training",)},
    "bilinearresize2d": {"align_corners": FLAG},
    "upsampling": {"sample_type": ("nearest", "bilinear")},
    "rnn": {"mode": ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    "batch_dot": {"transpose_a": FLAG, "transpose_b": FLAG},
    "dot": {"transpose_a": FLAG, "transpose_b": FLAG},
    "gemm2": {"transpose_a": FLAG, "transpose_b": FLAG},
    "concat": {"dim": AXES},
    "stack": {"axis": AXES},
    "mean": {"axis": AXES, "keepdims": FLAG},
    "sum": {"axis": AXES, "keepdims": FLAG},
    "max": {"axis": AXES, "keepdims": FLAG},
    "min": {"axis": AXES, "keepdims": FLAG},
    "argmax": {"axis": AXES},
    "slicechannel": {"axis": AXES},
    "take": {"axis": AXES, "mode": ("clip", "wrap")},
    "reshape": {"reverse": FLAG},
}
SCALARS = frozenset(["mul_scalar", "div_scalar", "plus_scalar", "minus_scalar", "power_scalar", "gemm2"])
# Ops with windows, whose pad and stride torch may have otherwise.
WINDOWS = frozenset(["convolution", "deconvolution", "pooling"])
MOST_AXES, MOST_SIZES = 4, 12


def usual_changes(port: Port, index: int, of_torch: Values) -> Iterator[Change]:
    """One attribute of a node set to each value that is usual for it, where the port has another one."""
    node = port.nodes[index]
    for name, values in _values(node, of_torch):
        for value in values:
            if not _has(node, name, value):
                yield setting(index, node, name, value)


def _has(node: PortNode, name: str, value: Any) -> bool:
    if name in node.attrs:
        return same_value(parsed(node.attrs[name]), value)
    spec = spec_of_node(node)
    return spec is not None and name in spec.attrs and same_value(spec.attrs[name], value)


def _values(node: PortNode, of_torch: Values) -> Iterator[tuple[str, Values]]:
    kind = plain(node.op)
    yield from USUAL.get(kind, {}).items()
    if kind in WINDOWS:
        yield from _windows(node)
    if kind in SCALARS:
        yield "alpha" if kind == "gemm2" else "scalar", of_torch
    if kind == "transpose" and "axes" in node.attrs:
        axes = parsed(node.attrs["axes"])
        if isinstance(axes, tuple) and len(axes) <= MOST_AXES:
            yield "axes", tuple(itertools.permutations(sorted(axes)))


def _windows(node: PortNode) -> Iterator[tuple[str, Values]]:
    kernel = parsed(node.attrs.get("kernel", "()"))
    if not isinstance(kernel, tuple) or not kernel:
        return
    rank = len(kernel)
    yield "stride", (kernel, *((step,) * rank for step in (1, 2, 3, 4)))
    yield "pad", (tuple(k // 2 for k in kernel), *((pad,) * rank for pad in (0, 1, 2, 3)))
    if plain(node.op) != "pooling":
        yield "dilate", tuple((step,) * rank for step in (1, 2, 3, 4))
    if plain(node.op) == "deconvolution":
        yield "adj", tuple((more,) * rank for more in (0, 1))


def numbers(nodes: Sequence[Node], program: Program | None) -> Values:
    """Numbers that a port may be meant to have: torch's, fx2mx's, usual ones, and scales of attention."""
    calls = program.calls if program is not None else ()
    of_calls = [v for call in calls for _, v in call.attrs if isinstance(v, float)]
    of_torch = [v for node in nodes for _, v in node.args if isinstance(v, float)]
    types = [kind for node in nodes if node.op not in LEAVES for kind in node.outputs]
    last = sorted({kind.shape[-1] for kind in types if kind.shape and isinstance(kind.shape[-1], int)})
    scales = [
        f for size in last[:MOST_SIZES] if size > 1 for f in (size**-0.5, math.sqrt(size), 1 / size, size)
    ]
    return tuple(
        dict.fromkeys(map(float, [*of_torch, *of_calls, *EPS[:4], 1.0, 0.0, -1.0, 2.0, 0.5, *scales]))
    )


def pads_of(port: Port, index: int) -> Iterator[Change]:
    """Zeros on one side alone, as F.pad and TensorFlow's SAME put them, where an op has them on both."""
    node = port.nodes[index]
    kernel = parsed(node.attrs.get("kernel", "()"))
    if plain(node.op) not in {"convolution", "pooling"} or not isinstance(kernel, tuple) or len(kernel) != 2:
        return
    for before, after in ((0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)):
        width = (0, 0, 0, 0, before, after, before, after)
        attrs = {"mode": "constant", "pad_width": str(width), "constant_value": "0"}
        pad = PortNode(f"{node.name}_pad", "Pad", attrs, node.inputs[:1])
        said = (
            f'write mx.sym.Pad(x, mode="constant", pad_width={width}) before it, and pad=(0, 0) where the '
            f"port has {had(node, 'pad')}: torch pads by {before} before and {after} after"
        )
        yield Change(index, "pad", said, {"pad": "(0, 0)"}, before=pad)
