"""The shapes that the op table tells (codegen.result_shapes), held against what the installed mxnet infers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mxnet as mx
import pytest

from codegen.ir import Dim, Shape, shape_at
from codegen.mxnet_ops import OPS
from tests.golden import GOLDENS

X4, X3, X2 = (2, 4, 6, 8), (2, 3, 5), (3, 5)
# (op, shapes of the inputs, attributes): forms that the goldens do not have.
CASES: list[tuple[str, tuple[tuple[int, ...], ...], dict[str, Any]]] = [
    ("Convolution", (X4, (8, 2, 3, 2)), {"kernel": (3, 2), "num_filter": 8, "num_group": 2, "no_bias": True}),
    (
        "Convolution",
        (X4, (8, 4, 3, 3)),
        {
            "kernel": (3, 3),
            "num_filter": 8,
            "no_bias": True,
            "stride": (2, 1),
            "pad": (1, 2),
            "dilate": (1, 2),
        },
    ),
    (
        "Deconvolution",
        (X4, (4, 5, 3, 2)),
        {"kernel": (3, 2), "num_filter": 5, "stride": (2, 3), "pad": (1, 0), "adj": (1, 2), "no_bias": True},
    ),
    ("FullyConnected", (X3, (7, 5)), {"num_hidden": 7, "no_bias": True, "flatten": False}),
    ("FullyConnected", (X3, (7, 15)), {"num_hidden": 7, "no_bias": True, "flatten": True}),
    ("Pooling", (X4,), {"kernel": (3, 3), "stride": (2, 2), "pooling_convention": "valid"}),
    ("Pooling", (X4,), {"kernel": (3, 3), "stride": (2, 2), "pooling_convention": "full", "pad": (1, 1)}),
    ("Pooling", (X4,), {"global_pool": True, "pool_type": "avg"}),
    ("contrib.AdaptiveAvgPooling2D", (X4,), {"output_size": (3, 5)}),
    ("Embedding", (X2, (9, 4)), {"input_dim": 9, "output_dim": 4}),
    ("Pad", (X4,), {"mode": "constant", "pad_width": (0, 0, 0, 0, 1, 2, 3, 4)}),
    ("contrib.interleaved_matmul_selfatt_qk", ((5, 2, 24),), {"heads": 4}),
    ("contrib.interleaved_matmul_selfatt_valatt", ((5, 2, 24), (8, 5, 5)), {"heads": 4}),
    ("Reshape", (X4,), {"shape": (0, -3, -1)}),
    ("Reshape", (X4,), {"shape": (-1, 4), "reverse": True}),
    ("Flatten", (X4,), {}),
    ("transpose", (X4,), {"axes": (0, 2, 3, 1)}),
    ("expand_dims", (X2,), {"axis": 1}),
    ("squeeze", ((2, 1, 3, 1),), {"axis": 1}),
    ("squeeze", ((2, 1, 3, 1),), {"axis": (1, 3)}),
    ("Concat", (X3, (2, 4, 5)), {"dim": 1}),
    ("stack", (X2, X2, X2), {"axis": 1}),
    ("slice", (X4,), {"begin": (None, 1, None), "end": (None, 3, -1)}),
    ("slice", (X4,), {"begin": (None, None, 5), "end": (None, None, None), "step": (1, 1, -2)}),
    ("slice_axis", (X4,), {"axis": 2, "begin": -3, "end": None}),
    ("slice_axis", (X4,), {"axis": 3, "begin": 1, "end": 5}),
    ("broadcast_axis", ((2, 1, 3, 1),), {"axis": (1, 3), "size": (4, 5)}),
    ("broadcast_to", ((2, 1, 3),), {"shape": (2, 4, 3)}),
    ("broadcast_like", ((2, 1, 3), X3), {"lhs_axes": (1,), "rhs_axes": (2,)}),
    ("tile", (X2,), {"reps": (2, 3)}),
    ("repeat", (X2,), {"repeats": 3, "axis": 1}),
    ("take", (X4, X2), {"axis": 1, "mode": "clip"}),
    ("pick", (X3, (2, 3)), {"axis": 2, "mode": "clip"}),
    ("one_hot", (X2,), {"depth": 7}),
    ("argmax", (X3,), {"axis": 1, "keepdims": True}),
    ("sum", (X4,), {"axis": (1, 3)}),
    ("mean", (X4,), {"axis": (1, 3), "keepdims": True}),
    ("norm", (X3,), {"ord": 2, "axis": 2}),
    ("dot", (X3, (5, 7)), {}),
    ("dot", (X3, (7, 5)), {"transpose_b": True}),
    ("batch_dot", (X3, (2, 7, 5)), {"transpose_b": True}),
    ("linalg.gemm2", (X4, (2, 4, 6, 7)), {"transpose_a": True}),
    ("contrib.arange_like", (X3,), {"axis": 1}),
    ("shape_array", (X3,), {}),
    ("broadcast_add", ((2, 1, 5), (1, 3, 5)), {}),
    ("zeros", (), {"shape": (3, 4)}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]} {c[2]}")
def test_one_op(case: tuple[str, tuple[tuple[int, ...], ...], dict[str, Any]]) -> None:
    op, shapes, attrs = case
    inputs = [mx.sym.Variable(f"x{i}", shape=shape) for i, shape in enumerate(shapes)]
    function = mx.sym
    for part in op.split("."):
        function = getattr(function, part)
    symbol = function(*inputs, name="op", **attrs)
    _, (inferred,), _ = symbol.infer_shape()
    assert OPS[op].shape(list(shapes), {**OPS[op].attrs, **attrs}) == inferred


@pytest.mark.parametrize("folder", GOLDENS)
def test_every_op_of_a_golden(folder: str) -> None:
    """At the batch of the trace and at another."""
    conversion = GOLDENS[folder].conversion(proved=False)
    internals = conversion.symbol.get_internals()
    program = conversion.program
    for batch in (1, 3):
        inputs = {v.name: shape_at(v.shape, batch) for v in program.inputs}
        _, inferred, _ = internals.infer_shape(**inputs)
        known = dict(zip(internals.list_outputs(), inferred, strict=True))
        for call in program.calls:
            if len(call.shapes) == 1 and call.shapes[0] is not None:
                assert _at(call.shapes[0], batch) == known[f"{call.name}_output"], call.name


def _at(shape: Shape, batch: int) -> tuple[int, ...]:
    return shape_at(shape, batch) or (1,)


def test_a_size_that_follows_the_batch() -> None:
    n = Dim(Fraction(1))
    shape = OPS["Concat"].shape([(n, 3), (n, 3)], {"dim": 0})
    assert shape is not None
    assert shape_at(shape, 5) == (10, 3)
    assert OPS["slice_axis"].shape([(n, 3)], {"axis": 0, "begin": 1, "end": None}) is not None


def test_most_ops_tell_their_shape() -> None:
    """What is left out has several results, or a shape that hangs on more than shapes."""
    untold = {name for name, spec in OPS.items() if spec.shape.__name__ == "unknown"}
    assert untold <= {
        "RNN", "CTCLoss", "UpSampling", "contrib.BilinearResize2D", "GridGenerator", "BilinearSampler",
        "depth_to_space", "space_to_depth", "im2col", "col2im", "split", "slice_like", "diag", "gather_nd",
        "scatter_nd", "topk", "arange", "linalg.trsm", "linalg.det", "linalg.gelqf", "linalg.slogdet",
        "linalg.syevd", "khatri_rao", "linalg.extractdiag", "linalg.makediag",
    }  # fmt: skip
