"""The dtypes in which MXNet's ops compute, against the installed mxnet (codegen.mxnet_ops, `dtypes`)."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import numpy as np
import pytest

from codegen.builder.dtypes import holds
from codegen.mxnet_ops import OPS

IMAGE, LINE, CUBE = (1, 4, 4, 4), (2, 3), (2, 3, 3)
# Of an op with other inputs than one of LINE: the shapes of its inputs, and attributes.
CALLS: dict[str, tuple[tuple[tuple[int, ...], ...], dict[str, Any]]] = {
    "Convolution": ((IMAGE, (3, 4, 3, 3)), {"kernel": (3, 3), "num_filter": 3, "no_bias": True}),
    "Deconvolution": ((IMAGE, (4, 3, 3, 3)), {"kernel": (3, 3), "num_filter": 3, "no_bias": True}),
    "contrib.ModulatedDeformableConvolution": (
        (IMAGE, (1, 18, 2, 2), (1, 9, 2, 2), (3, 4, 3, 3)),
        {"kernel": (3, 3), "num_filter": 3, "no_bias": True},
    ),
    "ROIPooling": ((IMAGE, (1, 5)), {"pooled_size": (2, 2), "spatial_scale": 1.0}),
    "contrib.ROIAlign": ((IMAGE, (1, 5)), {"pooled_size": (2, 2), "spatial_scale": 1.0}),
    "FullyConnected": ((LINE, (4, 3)), {"num_hidden": 4, "no_bias": True}),
    "BatchNorm": ((IMAGE, (4,), (4,), (4,), (4,)), {}),
    "LayerNorm": ((LINE, (3,), (3,)), {}),
    "GroupNorm": ((IMAGE, (1,), (1,)), {}),
    "InstanceNorm": ((IMAGE, (4,), (4,)), {}),
    "LRN": ((IMAGE,), {"nsize": 3}),
    "Pooling": ((IMAGE,), {"kernel": (2, 2)}),
    "Activation": ((LINE,), {"act_type": "sigmoid"}),
    "Pad": ((IMAGE,), {"mode": "constant", "pad_width": (0, 0, 0, 0, 1, 1, 1, 1)}),
    "UpSampling": ((IMAGE,), {"scale": 2, "sample_type": "nearest"}),
    "BilinearSampler": ((IMAGE, (1, 2, 3, 3)), {}),
    "im2col": ((IMAGE,), {"kernel": (2, 2)}),
    "col2im": (((1, 8, 9),), {"output_size": (4, 4), "kernel": (2, 2)}),
    "contrib.AdaptiveAvgPooling2D": ((IMAGE,), {"output_size": (2, 2)}),
    "contrib.BilinearResize2D": ((IMAGE,), {"height": 8, "width": 8}),
    "smooth_l1": ((LINE,), {"scalar": 1.0}),
    "mean": ((LINE,), {"axis": 1}),
    "norm": ((LINE,), {"axis": 1}),
    "dot": ((LINE, (3, 4)), {}),
    "batch_dot": ((CUBE, CUBE), {}),
    "linalg.gemm2": ((CUBE, CUBE), {}),
    "elemwise_div": ((LINE, LINE), {}),
    "broadcast_div": ((LINE, LINE), {}),
    "broadcast_hypot": ((LINE, LINE), {}),
    "khatri_rao": ((LINE, LINE), {}),
}
SQUARE = frozenset("linalg.inverse linalg.det linalg.slogdet linalg.syevd linalg.gelqf".split())
# What these give of whole numbers above 1 is not a number, or the numbers as they are.
UNTOLD = frozenset(
    "arccos arcsin arccosh arctanh erfinv linalg.potrf log2 linalg.extractdiag linalg.makediag gamma".split()
)


def _given(op: str, dtype: str) -> np.ndarray:
    shapes, attrs = CALLS.get(op, ((CUBE,) if op in SQUARE else (LINE,), {}))
    numbers = np.random.RandomState(0)
    arrays = [mx.nd.array(numbers.randint(2, 7, shape), dtype=dtype) for shape in shapes]
    function: Any = mx.nd
    for part in op.split("."):
        function = getattr(function, part)
    made = function(*arrays, **attrs)
    return (made[0] if isinstance(made, list) else made).asnumpy()


@pytest.mark.parametrize("op", [op for op, spec in OPS.items() if spec.floats_only and op not in UNTOLD])
def test_whole_numbers_are_refused_or_cut_off(op: str):
    floats = _given(op, "float32")
    try:
        whole = _given(op, "int64")
    except mx.base.MXNetError:
        return
    assert not np.allclose(floats, whole, rtol=1e-4)


@pytest.mark.parametrize("op", [op for op, spec in OPS.items() if spec.no_float64])
def test_float64_is_refused(op: str):
    with pytest.raises(mx.base.MXNetError):
        _given(op, "float64")


def test_numbers_that_a_dtype_holds():
    found = [holds(*pair) for pair in (("int64", 3.0), ("float32", 0.5))]
    beyond = [holds(*pair) for pair in (("int64", 0.5), ("int8", 200), ("int64", 3e38))]
    assert (found, beyond) == ([True] * 2, [False] * 3)
