"""MXNet 1.9.1's ops as the generated code uses them: attributes, defaults, and what is always written.

`always` lists the attributes in which the frameworks differ (docs/traps.md): they are written even
where the value happens to be MXNet's default, so that a reader sees them. Every other attribute at its
default is left out. A test holds this table against `mx.sym.<Op>.__doc__` of the installed mxnet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codegen.defects import demand
from codegen.ir import Shape
from codegen.result_shapes import (
    ShapeOf,
    along_axis,
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
    swapped,
    taken,
    tiled,
    transposed,
    unknown,
)

REQUIRED = "required"
ONES = "ones"
ZEROS = "zeros"


@dataclass(frozen=True)
class OpSpec:
    """One op: its attributes in the order in which they are written, with MXNet's defaults.

    A default of `ONES` or `ZEROS` is MXNet's empty shape, which means one (stride) or zero (pad) for each
    axis. `shape` tells the shape of the result (codegen.result_shapes). `automatic` are the inputs that MXNet
    makes by itself, under the op's name and these suffixes, and `auxiliary` those that it keeps as auxiliary
    states; it takes an automatic input for another one where the shape is `guessed_wrong`. `result_dtype` is
    what the op gives, whatever it reads. `is_identity`: in inference the result is what the op reads.
    `is_new`: the result is no later state of one of the inputs, as a sum is of the first. `onednn` says what
    MXNet's oneDNN pass does with the op (codegen.passes.fusion): it `begins` a fused op, or is the `linear`
    layer that begins one; it `joins` what it reads, by a sum of two (`sums`), or `joins_linear`. An op that
    is `alike` wants all its inputs in one dtype. One of `floats_only` refuses whole numbers, or cuts what it
    gives of them off, and one with `no_float64` refuses float64. `places` are the numbers of the inputs that
    are places along an axis, of any dtype. One that `commutes` gives the same bits whichever
    of its two inputs comes first.
    """

    attrs: dict[str, Any]
    always: frozenset[str]
    shape: ShapeOf
    automatic: tuple[str, ...] = ()
    auxiliary: frozenset[str] = frozenset()
    result_dtype: str = ""
    is_identity: bool = False
    is_new: bool = False
    onednn: frozenset[str] = frozenset()
    guessed_wrong: tuple[Shape, ...] = ()
    alike: bool = False
    floats_only: bool = False
    no_float64: bool = False
    places: tuple[int, ...] = ()
    commutes: bool = False

    def makes_input(self, slot: str, shape: Shape) -> bool:
        """Whether MXNet makes an input of this shape by itself; not where it guesses another shape."""
        return slot in self.automatic and shape not in self.guessed_wrong

    @staticmethod
    def is_default(name: str, value: Any, default: Any) -> bool:
        """Whether leaving the attribute out gives the same op."""
        del name
        if default is REQUIRED:
            return False
        if default is ONES or default is ZEROS:
            return isinstance(value, tuple) and all(v == (default is ONES) for v in value)
        if isinstance(value, bool) != isinstance(default, bool):
            return False
        return bool(value == default)


def _op(
    shape: ShapeOf,
    always: str = "",
    /,
    *,
    automatic: str = "",
    auxiliary: str = "",
    result_dtype: str = "",
    is_identity: bool = False,
    is_new: bool = False,
    onednn: str = "",
    guessed_wrong: tuple[Shape, ...] = (),
    dtypes: str = "",
    places: tuple[int, ...] = (),
    commutes: bool = False,
    **attrs: Any,
) -> OpSpec:
    facts = (frozenset(always.split()), shape, tuple(automatic.split()), frozenset(auxiliary.split()))
    words = frozenset(onednn.split())
    about = ("alike" in dtypes, "floats_only" in dtypes, "no_float64" in dtypes)
    return OpSpec(
        attrs, *facts, result_dtype, is_identity, is_new, words, guessed_wrong, *about, places, commutes
    )


def _plain(shape: ShapeOf, names: str, **facts: Any) -> dict[str, OpSpec]:
    """Ops without attributes."""
    return {name: _op(shape, **facts) for name in names.split()}


_WINDOWS: dict[str, Any] = {"kernel": REQUIRED, "stride": ONES, "dilate": ONES, "pad": ZEROS}
_SIZES: dict[str, Any] = {"height": 1, "width": 1, "scale_height": None, "scale_width": None, "mode": "size"}
_ROWS: dict[str, Any] = {"input_dim": REQUIRED, "output_dim": REQUIRED, "dtype": "float32"}
_AXIS: dict[str, Any] = {"axis": None, "keepdims": False}
OPS: dict[str, OpSpec] = {
    # Layers
    "Convolution": _op(
        convolved,
        "no_bias",
        dtypes="alike floats_only",
        onednn="begins",
        automatic="weight bias",
        **_WINDOWS,
        num_filter=REQUIRED,
        num_group=1,
        no_bias=False,
    ),
    "Deconvolution": _op(
        deconvolved,
        "no_bias adj",
        dtypes="alike floats_only",
        automatic="weight bias",
        **_WINDOWS,
        adj=ZEROS,
        num_filter=REQUIRED,
        num_group=1,
        no_bias=True,
    ),
    "contrib.ModulatedDeformableConvolution": _op(
        convolved,
        "im2col_step no_bias",
        dtypes="alike floats_only",
        automatic="weight bias",
        **_WINDOWS,
        num_filter=REQUIRED,
        num_group=1,
        num_deformable_group=1,
        im2col_step=64,
        no_bias=False,
    ),
    "FullyConnected": _op(
        connected,
        "no_bias flatten",
        dtypes="alike floats_only",
        onednn="linear",
        automatic="weight bias",
        num_hidden=REQUIRED,
        no_bias=False,
        flatten=True,
    ),
    "BatchNorm": _op(
        same,
        "eps momentum fix_gamma",
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
    "LayerNorm": _op(same, "eps", dtypes="floats_only", automatic="gamma beta", axis=-1, eps=1e-5),
    "GroupNorm": _op(same, "eps", dtypes="floats_only", num_groups=1, eps=1e-5),
    "InstanceNorm": _op(same, "eps", dtypes="floats_only no_float64", automatic="gamma beta", eps=1e-3),
    "L2Normalization": _op(same, "eps mode", dtypes="floats_only", eps=1e-10, mode="instance"),
    "LRN": _op(
        same, "knorm alpha", dtypes="floats_only no_float64", nsize=REQUIRED, alpha=1e-4, beta=0.75, knorm=2
    ),
    "Pooling": _op(
        pooled,
        "stride pooling_convention count_include_pad",
        dtypes="floats_only",
        kernel=(),
        pool_type="max",
        global_pool=False,
        stride=ONES,
        pad=ZEROS,
        pooling_convention="valid",
        count_include_pad=None,
        p_value=None,
    ),
    "contrib.AdaptiveAvgPooling2D": _op(pooled_to, dtypes="floats_only", output_size=REQUIRED),
    "ROIPooling": _op(of_regions, dtypes="alike floats_only", pooled_size=REQUIRED, spatial_scale=REQUIRED),
    "contrib.ROIAlign": _op(
        of_regions,
        dtypes="alike floats_only",
        pooled_size=REQUIRED,
        spatial_scale=REQUIRED,
        sample_ratio=-1,
        position_sensitive=False,
        aligned=False,
    ),
    "Dropout": _op(same, dtypes="floats_only", is_identity=True, p=0.5, mode="training", axes=()),
    "Embedding": _op(embedded, is_new=True, places=(0,), automatic="weight", **_ROWS),
    "RNN": _op(
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
    "SoftmaxOutput": _op(same, automatic="label"),
    "CTCLoss": _op(
        unknown, "blank_label", use_data_lengths=False, use_label_lengths=False, blank_label="first"
    ),
    # Activations
    "Activation": _op(same, dtypes="floats_only", onednn="joins joins_linear", act_type=REQUIRED),
    "LeakyReLU": _op(
        same,
        "act_type slope",
        dtypes="floats_only",
        guessed_wrong=((1,),),
        onednn="joins joins_linear",
        automatic="gamma",
        act_type="leaky",
        slope=0.25,
    ),
    "hard_sigmoid": _op(same, "alpha", dtypes="floats_only", alpha=0.2, beta=0.5),
    "softmax": _op(same, dtypes="floats_only", axis=-1, temperature=None),
    "log_softmax": _op(same, dtypes="floats_only", axis=-1, temperature=None),
    # Resizing
    "Pad": _op(padded, dtypes="floats_only", mode=REQUIRED, pad_width=REQUIRED, constant_value=0),
    "UpSampling": _op(unknown, dtypes="floats_only", scale=REQUIRED, sample_type=REQUIRED),
    "contrib.BilinearResize2D": _op(
        unknown, "align_corners", dtypes="floats_only", **_SIZES, align_corners=True
    ),
    "GridGenerator": _op(unknown, transform_type=REQUIRED, target_shape=(0, 0)),
    "BilinearSampler": _op(unknown, dtypes="floats_only"),
    "depth_to_space": _op(unknown, block_size=REQUIRED),
    "space_to_depth": _op(unknown, block_size=REQUIRED),
    "im2col": _op(unknown, dtypes="floats_only", **_WINDOWS),
    "col2im": _op(unknown, dtypes="floats_only", output_size=REQUIRED, **_WINDOWS),
    # Shape
    "Reshape": _op(reshaped, shape=REQUIRED, reverse=False),
    "Flatten": _op(flattened),
    "SwapAxis": _op(swapped, "dim1 dim2", dim1=0, dim2=0),  # of which torch has no default
    "transpose": _op(transposed, axes=REQUIRED),
    "expand_dims": _op(expanded, axis=REQUIRED),
    "squeeze": _op(squeezed, axis=None),
    "Concat": _op(joined, "dim", dtypes="alike", is_new=True, dim=1),
    "stack": _op(stacked, "axis", dtypes="alike", is_new=True, axis=0),
    "split": _op(unknown, num_outputs=REQUIRED, axis=1, squeeze_axis=False),
    "slice": _op(sliced, begin=REQUIRED, end=REQUIRED, step=()),
    "slice_axis": _op(cut, axis=REQUIRED, begin=REQUIRED, end=REQUIRED),
    "slice_like": _op(unknown, axes=()),
    "broadcast_axis": _op(spread_to, axis=REQUIRED, size=REQUIRED),
    "broadcast_to": _op(of_shape, shape=REQUIRED),
    "broadcast_like": _op(spread_like, dtypes="alike", lhs_axes=None, rhs_axes=None),
    "reshape_like": _op(like_second, lhs_begin=None, lhs_end=None, rhs_begin=None, rhs_end=None),
    "tile": _op(tiled, reps=REQUIRED),
    "repeat": _op(repeated, repeats=REQUIRED, axis=None),
    "flip": _op(same, axis=REQUIRED),
    "diag": _op(unknown, k=0, axis1=0, axis2=1),
    # Indexing
    "take": _op(taken, "mode", is_new=True, places=(1,), axis=0, mode="clip"),
    "pick": _op(picked, "mode", places=(1,), axis=-1, keepdims=False, mode="clip"),
    "gather_nd": _op(unknown, places=(1,)),
    "scatter_nd": _op(unknown, places=(1,), shape=REQUIRED),
    "one_hot": _op(hot, places=(0,), depth=REQUIRED, on_value=1.0, off_value=0.0, dtype="float32"),
    "where": _op(same, dtypes="alike"),
    "topk": _op(unknown, "dtype", axis=-1, k=1, ret_typ="indices", is_ascend=False, dtype="float32"),
    "sort": _op(same, axis=-1, is_ascend=True),
    "argsort": _op(same, "dtype", axis=-1, is_ascend=True, dtype="float32"),
    "argmax": _op(reduced, result_dtype="float32", **_AXIS),
    "argmin": _op(reduced, result_dtype="float32", **_AXIS),
    "cumsum": _op(same, axis=None, dtype=None),
    # Reductions
    "sum": _op(reduced, **_AXIS),
    "mean": _op(reduced, dtypes="floats_only", **_AXIS),
    "prod": _op(reduced, **_AXIS),
    "max": _op(reduced, **_AXIS),
    "min": _op(reduced, **_AXIS),
    "norm": _op(reduced, "ord", dtypes="floats_only", ord=2, axis=None, keepdims=False),
    # Linear algebra
    "dot": _op(dotted, dtypes="alike floats_only", transpose_a=False, transpose_b=False),
    "batch_dot": _op(multiplied, dtypes="alike floats_only", transpose_a=False, transpose_b=False),
    "linalg.trsm": _op(unknown, "lower rightside", transpose=False, rightside=False, lower=True, alpha=1.0),
    "linalg.gemm2": _op(
        multiplied, dtypes="alike floats_only", transpose_a=False, transpose_b=False, alpha=1.0, axis=-2
    ),
    # Made in forward
    "zeros": _op(of_shape, shape=REQUIRED, dtype="float32"),
    "ones": _op(of_shape, shape=REQUIRED, dtype="float32"),
    "arange": _op(unknown, start=REQUIRED, stop=None, step=1.0, dtype="float32"),
    "contrib.arange_like": _op(along_axis, start=0.0, step=1.0, axis=None),
    "zeros_like": _op(same),
    "ones_like": _op(same),
    # Elementwise
    "cast": _op(same, dtype=REQUIRED),
    "clip": _op(same, onednn="joins joins_linear", a_min=REQUIRED, a_max=REQUIRED),
    "add_n": _op(same, dtypes="alike"),
    "smooth_l1": _op(same, dtypes="floats_only", scalar=REQUIRED),
    # Without attributes
    "identity": _op(same, is_identity=True),
    "elemwise_add": _op(same, dtypes="alike", onednn="joins sums", commutes=True),
    **_plain(same, "square abs", onednn="joins_linear"),
    **_plain(same, "sqrt exp", onednn="joins_linear", dtypes="floats_only"),
    **_plain(same, "BlockGrad logical_not relu sign ceil floor rint trunc negative"),
    **_plain(same, "elemwise_sub", dtypes="alike"),
    **_plain(same, "elemwise_mul", dtypes="alike", commutes=True),
    **_plain(same, "elemwise_div", dtypes="alike floats_only"),
    **_plain(
        same,
        "sigmoid tanh softsign rsqrt cbrt rcbrt reciprocal expm1 log log2 log10 log1p sin cos "
        "tan arcsin arccos arctan sinh cosh arcsinh arccosh arctanh erf erfinv gamma gammaln "
        "degrees radians contrib.div_sqrt_dim linalg.inverse linalg.potrf",
        dtypes="floats_only",
    ),
    **_plain(
        broadcast,
        "broadcast_sub broadcast_power broadcast_mod "
        "broadcast_maximum broadcast_minimum broadcast_equal broadcast_not_equal "
        "broadcast_greater broadcast_greater_equal broadcast_lesser broadcast_lesser_equal "
        "broadcast_logical_and broadcast_logical_or broadcast_logical_xor",
        dtypes="alike",
    ),
    **_plain(broadcast, "broadcast_add broadcast_mul", dtypes="alike", commutes=True),
    **_plain(broadcast, "broadcast_div broadcast_hypot", dtypes="alike floats_only"),
    **_plain(rank_of, "shape_array", result_dtype="int64"),
    **_plain(
        unknown,
        "linalg.det linalg.gelqf linalg.slogdet linalg.syevd khatri_rao linalg.extractdiag "
        "linalg.makediag",
        dtypes="floats_only",
    ),
}


# Python's operators on a symbol and a number: `x * c`.
_EXPRESSION = OpSpec({}, frozenset(), unknown)


def spec_of(op: str) -> OpSpec:
    """What is true of an op, or of one of Python's operators."""
    return OPS.get(op, _EXPRESSION)


def written_attrs(op: str, attrs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The attributes to write, in the table's order: not at MXNet's default, or always written."""
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
