"""MXNet 1.9.1's ops as the generated code uses them: attributes, defaults, and what is always written.

The attributes that stand first are those in which the frameworks differ (docs/traps.md). An attribute at
MXNet's default is left out, unless it is `always` written, because a tool of MXNet's does not know the
default: plot_network that of pool_type, the ONNX exporter that of flatten. A test holds this table against
`mx.sym.<Op>.__doc__` of the installed mxnet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codegen.defects import demand
from codegen.op_spec import ONES, REQUIRED, ZEROS, OpSpec, op_spec, plain_ops
from codegen.result_shapes import (
    along_axis,
    attended,
    attention_scores,
    broadcast,
    connected,
    convolved,
    cut,
    deconvolved,
    dotted,
    embedded,
    expanded,
    flattened,
    hot,
    joined,
    like_second,
    multiplied,
    of_regions,
    of_shape,
    padded,
    picked,
    pooled,
    pooled_to,
    rank_of,
    reduced,
    repeated,
    reshaped,
    same,
    sliced,
    spread_like,
    spread_to,
    squeezed,
    stacked,
    taken,
    tiled,
    transposed,
    unknown,
)

_WINDOWS: dict[str, Any] = {"kernel": REQUIRED, "stride": ONES, "dilate": ONES, "pad": ZEROS}
_SIZES: dict[str, Any] = {"height": 1, "width": 1, "scale_height": None, "scale_width": None, "mode": "size"}
_ROWS: dict[str, Any] = {"input_dim": REQUIRED, "output_dim": REQUIRED, "dtype": "float32"}
_AXIS: dict[str, Any] = {"axis": None, "keepdims": False}
OPS: dict[str, OpSpec] = {
    # Layers
    "Convolution": op_spec(
        convolved,
        "no_bias",
        shared="no_bias",
        dtypes="alike floats_only",
        onednn="begins",
        automatic="weight bias",
        **_WINDOWS,
        num_filter=REQUIRED,
        num_group=1,
        no_bias=False,
    ),
    "Deconvolution": op_spec(
        deconvolved,
        "no_bias adj",
        always="no_bias",
        shared="adj",
        dtypes="alike floats_only",
        automatic="weight bias",
        **_WINDOWS,
        adj=ZEROS,
        num_filter=REQUIRED,
        num_group=1,
        no_bias=True,
    ),
    "contrib.ModulatedDeformableConvolution": op_spec(
        convolved,
        "im2col_step no_bias",
        shared="no_bias",
        dtypes="alike floats_only",
        automatic="weight bias",
        **_WINDOWS,
        num_filter=REQUIRED,
        num_group=1,
        num_deformable_group=1,
        im2col_step=64,
        no_bias=False,
    ),
    "FullyConnected": op_spec(
        connected,
        "no_bias flatten",
        always="flatten",
        shared="no_bias",
        dtypes="alike floats_only",
        onednn="linear",
        automatic="weight bias",
        num_hidden=REQUIRED,
        no_bias=False,
        flatten=True,
    ),
    "BatchNorm": op_spec(
        same,
        "eps momentum fix_gamma",
        shared="momentum",
        dtypes="floats_only",
        onednn="begins joins",
        automatic="gamma beta moving_mean moving_var",
        auxiliary="moving_mean moving_var",
        eps=1e-3,
        momentum=0.9,
        fix_gamma=True,
        use_global_stats=False,
        axis=1,
    ),
    "LayerNorm": op_spec(
        same, "eps", shared="eps", dtypes="floats_only", automatic="gamma beta", axis=-1, eps=1e-5
    ),
    "GroupNorm": op_spec(same, "eps", shared="eps", dtypes="floats_only", num_groups=1, eps=1e-5),
    "InstanceNorm": op_spec(same, "eps", dtypes="floats_only no_float64", automatic="gamma beta", eps=1e-3),
    "L2Normalization": op_spec(
        same, "eps mode", choices="mode", dtypes="floats_only", eps=1e-10, mode="instance"
    ),
    "LRN": op_spec(
        same,
        "knorm alpha",
        always="knorm",
        shared="alpha",
        dtypes="floats_only no_float64",
        nsize=REQUIRED,
        alpha=1e-4,
        beta=0.75,
        knorm=2,
    ),
    "Pooling": op_spec(
        pooled,
        "pool_type stride pooling_convention count_include_pad",
        always="pool_type",
        choices="pool_type",
        shared="pooling_convention count_include_pad",
        dtypes="floats_only",
        must_write=True,
        kernel=(),
        pool_type="max",
        global_pool=False,
        stride=ONES,
        pad=ZEROS,
        pooling_convention="valid",
        count_include_pad=True,
        p_value=None,
    ),
    "contrib.AdaptiveAvgPooling2D": op_spec(pooled_to, dtypes="floats_only", output_size=REQUIRED),
    "ROIPooling": op_spec(
        of_regions, dtypes="alike floats_only", pooled_size=REQUIRED, spatial_scale=REQUIRED
    ),
    "contrib.ROIAlign": op_spec(
        of_regions,
        dtypes="alike floats_only",
        pooled_size=REQUIRED,
        spatial_scale=REQUIRED,
        sample_ratio=-1,
        position_sensitive=False,
        aligned=False,
    ),
    "Dropout": op_spec(same, dtypes="floats_only", is_identity=True, p=0.5, mode="training", axes=()),
    "Embedding": op_spec(embedded, is_new=True, places=(0,), must_write=True, automatic="weight", **_ROWS),
    "RNN": op_spec(
        unknown,
        automatic="parameters",
        state_size=REQUIRED,
        num_layers=REQUIRED,
        bidirectional=False,
        mode=REQUIRED,
        p=0,
        state_outputs=False,
        projection_size=None,
    ),
    "SoftmaxOutput": op_spec(same, automatic="label"),
    "CTCLoss": op_spec(
        unknown,
        "blank_label",
        shared="blank_label",
        use_data_lengths=False,
        use_label_lengths=False,
        blank_label="first",
    ),
    # Activations
    "Activation": op_spec(same, dtypes="floats_only", onednn="joins joins_linear", act_type=REQUIRED),
    "LeakyReLU": op_spec(
        same,
        "act_type slope",
        choices="act_type",
        dtypes="floats_only",
        guessed_wrong=((1,),),
        onednn="joins joins_linear",
        automatic="gamma",
        act_type="leaky",
        slope=0.25,
    ),
    "hard_sigmoid": op_spec(same, "alpha", dtypes="floats_only", must_write=True, alpha=0.2, beta=0.5),
    "softmax": op_spec(same, dtypes="floats_only", axis=-1, temperature=None),
    "log_softmax": op_spec(same, dtypes="floats_only", axis=-1, temperature=None),
    # Resizing
    "Pad": op_spec(padded, dtypes="floats_only", mode=REQUIRED, pad_width=REQUIRED, constant_value=0),
    "UpSampling": op_spec(unknown, dtypes="floats_only", scale=REQUIRED, sample_type=REQUIRED),
    "contrib.BilinearResize2D": op_spec(
        unknown, "align_corners", dtypes="floats_only", **_SIZES, align_corners=True
    ),
    "GridGenerator": op_spec(unknown, transform_type=REQUIRED, target_shape=(0, 0)),
    "BilinearSampler": op_spec(unknown, dtypes="floats_only"),
    "depth_to_space": op_spec(unknown, block_size=REQUIRED),
    "space_to_depth": op_spec(unknown, block_size=REQUIRED),
    "im2col": op_spec(unknown, dtypes="floats_only", **_WINDOWS),
    "col2im": op_spec(unknown, dtypes="floats_only", output_size=REQUIRED, **_WINDOWS),
    # Shape
    "Reshape": op_spec(reshaped, reshapes=True, shape=REQUIRED, reverse=False),
    "Flatten": op_spec(flattened, reshapes=True),
    "transpose": op_spec(transposed, axes=REQUIRED),
    "expand_dims": op_spec(expanded, reshapes=True, axis=REQUIRED),
    "squeeze": op_spec(squeezed, reshapes=True, axis=None),
    "Concat": op_spec(joined, "dim", dtypes="alike", is_new=True, dim=1),
    "stack": op_spec(stacked, "axis", shared="axis", dtypes="alike", is_new=True, axis=0),
    "split": op_spec(unknown, num_outputs=REQUIRED, axis=1, squeeze_axis=False),
    "slice": op_spec(sliced, begin=REQUIRED, end=REQUIRED, step=()),
    "slice_axis": op_spec(cut, axis=REQUIRED, begin=REQUIRED, end=REQUIRED),
    "slice_like": op_spec(unknown, axes=()),
    "broadcast_axis": op_spec(spread_to, axis=REQUIRED, size=REQUIRED),
    "broadcast_to": op_spec(of_shape, shape=REQUIRED),
    "broadcast_like": op_spec(spread_like, dtypes="alike", lhs_axes=None, rhs_axes=None),
    "reshape_like": op_spec(
        like_second,
        reshapes=True,
        shape_alone=(1,),
        lhs_begin=None,
        lhs_end=None,
        rhs_begin=None,
        rhs_end=None,
    ),
    "tile": op_spec(tiled, reps=REQUIRED),
    "repeat": op_spec(repeated, repeats=REQUIRED, axis=None),
    "flip": op_spec(same, overwrites=True, axis=REQUIRED),
    "diag": op_spec(unknown, k=0, axis1=0, axis2=1),
    # Indexing
    "take": op_spec(taken, "mode", is_new=True, places=(1,), axis=0, mode="clip"),
    "pick": op_spec(picked, "mode", places=(1,), must_write=True, axis=-1, keepdims=False, mode="clip"),
    "gather_nd": op_spec(unknown, places=(1,)),
    "scatter_nd": op_spec(unknown, places=(1,), shape=REQUIRED),
    "one_hot": op_spec(hot, places=(0,), depth=REQUIRED, on_value=1.0, off_value=0.0, dtype="float32"),
    "where": op_spec(same, dtypes="alike"),
    "topk": op_spec(unknown, "dtype", axis=-1, k=1, ret_typ="indices", is_ascend=False, dtype="float32"),
    "sort": op_spec(same, axis=-1, is_ascend=True),
    "argsort": op_spec(same, "dtype", axis=-1, is_ascend=True, dtype="float32"),
    "argmax": op_spec(reduced, **_AXIS),
    "argmin": op_spec(reduced, **_AXIS),
    "cumsum": op_spec(same, overwrites=True, axis=None, dtype=None),
    # Reductions
    "sum": op_spec(reduced, **_AXIS),
    "mean": op_spec(reduced, dtypes="floats_only", overwrites=True, **_AXIS),
    "prod": op_spec(reduced, **_AXIS),
    "max": op_spec(reduced, **_AXIS),
    "min": op_spec(reduced, **_AXIS),
    "norm": op_spec(reduced, "ord", choices="ord", dtypes="floats_only", ord=2, axis=None, keepdims=False),
    # Linear algebra
    "dot": op_spec(dotted, dtypes="alike floats_only", transpose_a=False, transpose_b=False),
    "batch_dot": op_spec(multiplied, dtypes="alike floats_only", transpose_a=False, transpose_b=False),
    "linalg.trsm": op_spec(
        unknown,
        "lower rightside",
        choices="lower rightside",
        overwrites=True,
        transpose=False,
        rightside=False,
        lower=True,
        alpha=1.0,
    ),
    "linalg.gemm2": op_spec(
        multiplied,
        dtypes="alike floats_only",
        overwrites=True,
        transpose_a=False,
        transpose_b=False,
        alpha=1.0,
        axis=-2,
    ),
    "contrib.interleaved_matmul_selfatt_qk": op_spec(attention_scores, dtypes="no_float64", heads=REQUIRED),
    "contrib.interleaved_matmul_selfatt_valatt": op_spec(attended, dtypes="alike no_float64", heads=REQUIRED),
    # Made in forward
    "zeros": op_spec(of_shape, shape=REQUIRED, dtype="float32"),
    "ones": op_spec(of_shape, shape=REQUIRED, dtype="float32"),
    "arange": op_spec(unknown, start=REQUIRED, stop=None, step=1.0, dtype="float32"),
    "contrib.arange_like": op_spec(along_axis, shape_alone=(0,), start=0.0, step=1.0, axis=None),
    "zeros_like": op_spec(same, shape_alone=(0,)),
    "ones_like": op_spec(same, shape_alone=(0,)),
    # Elementwise
    "cast": op_spec(same, dtype=REQUIRED),
    "clip": op_spec(same, onednn="joins joins_linear", overwrites=True, a_min=REQUIRED, a_max=REQUIRED),
    "add_n": op_spec(same, dtypes="alike"),
    "smooth_l1": op_spec(same, dtypes="floats_only", scalar=REQUIRED),
    # Without attributes
    "identity": op_spec(same, is_identity=True),
    "elemwise_add": op_spec(same, dtypes="alike", onednn="joins sums", commutes=True),
    **plain_ops(same, "square abs", onednn="joins_linear"),
    **plain_ops(same, "sqrt exp", onednn="joins_linear", dtypes="floats_only"),
    **plain_ops(same, "BlockGrad logical_not relu sign ceil floor rint trunc negative"),
    **plain_ops(same, "elemwise_sub", dtypes="alike"),
    **plain_ops(same, "elemwise_mul", dtypes="alike", commutes=True),
    **plain_ops(same, "elemwise_div", dtypes="alike floats_only"),
    **plain_ops(
        same,
        "sigmoid tanh softsign rsqrt cbrt rcbrt reciprocal expm1 log log2 log10 log1p sin cos "
        "tan arcsin arccos arctan sinh cosh arcsinh arccosh arctanh erf erfinv gamma gammaln "
        "degrees radians contrib.div_sqrt_dim linalg.potrf",
        dtypes="floats_only",
    ),
    **plain_ops(same, "linalg.inverse", dtypes="floats_only", overwrites=True),
    **plain_ops(
        broadcast,
        "broadcast_sub broadcast_power broadcast_mod "
        "broadcast_maximum broadcast_minimum broadcast_equal broadcast_not_equal "
        "broadcast_greater broadcast_greater_equal broadcast_lesser broadcast_lesser_equal "
        "broadcast_logical_and broadcast_logical_or broadcast_logical_xor",
        dtypes="alike",
    ),
    **plain_ops(broadcast, "broadcast_add broadcast_mul", dtypes="alike", commutes=True),
    **plain_ops(broadcast, "broadcast_div broadcast_hypot", dtypes="alike floats_only"),
    **plain_ops(rank_of, "shape_array", result_dtype="int64"),
    **plain_ops(
        unknown,
        "linalg.det linalg.slogdet linalg.syevd khatri_rao linalg.extractdiag linalg.makediag",
        dtypes="floats_only",
    ),
    **plain_ops(unknown, "linalg.gelqf", dtypes="floats_only", overwrites=True),
}


# Python's operators on a symbol and a number: `x * c`.
_EXPRESSION = OpSpec({}, frozenset(), unknown)


def spec_of(op: str) -> OpSpec:
    """What is true of an op, or of one of Python's operators."""
    return OPS.get(op, _EXPRESSION)


def written_attrs(op: str, attrs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The attributes to write, in the table's order: those not at MXNet's default, or always written."""
    if op not in OPS:
        demand(set(attrs) <= {"c"}, f"{op} is not in the table of MXNet ops")
        return tuple(attrs.items())
    spec = OPS[op]
    unknown = set(attrs) - set(spec.attrs)
    demand(not unknown, f"{op} has no {unknown}")
    return tuple(
        (name, attrs[name])
        for name, default in spec.attrs.items()
        if name in attrs and (name in spec.always or not spec.is_default(name, attrs[name], default))
    )
