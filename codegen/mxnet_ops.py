"""MXNet 1.9.1's ops as the generated code uses them: their attributes, MXNet's defaults, what is always written.

`always` lists the attributes in which the frameworks differ (docs/traps.md): they are written even
where the value happens to be MXNet's default, so that a reader sees them. Every other attribute at its
default is left out. A test holds this table against `mx.sym.<Op>.__doc__` of the installed mxnet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# The inputs that MXNet makes by itself, under the op's name and these suffixes.
AUTOMATIC = {
    "Convolution": ("weight", "bias"),
    "Deconvolution": ("weight", "bias"),
    "FullyConnected": ("weight", "bias"),
    "BatchNorm": ("gamma", "beta", "moving_mean", "moving_var"),
    "LayerNorm": ("gamma", "beta"),
    "InstanceNorm": ("gamma", "beta"),
    "Embedding": ("weight",),
    "LeakyReLU": ("gamma",),
    "RNN": ("parameters",),
    "SoftmaxOutput": ("label",),
}
REQUIRED = "required"
ONES = "ones"
ZEROS = "zeros"


@dataclass(frozen=True)
class OpSpec:
    """One op: its attributes in the order in which they are written, with MXNet's defaults.

    A default of `ONES` or `ZEROS` is MXNet's empty shape, which means one (stride) or zero (pad) for
    each axis. `auxiliary` are the inputs that MXNet keeps as auxiliary states, `result_dtype` is what the op
    gives whatever it reads.
    """

    attrs: dict[str, Any]
    always: frozenset[str]
    auxiliary: frozenset[str] = frozenset()
    result_dtype: str = ""

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


def _op(always: str = "", **attrs: Any) -> OpSpec:
    return OpSpec(attrs, frozenset(always.split()))


_AXIS: dict[str, Any] = {"axis": None, "keepdims": False}
OPS: dict[str, OpSpec] = {
    # Layers
    "Convolution": _op(
        "no_bias",
        kernel=REQUIRED,
        stride=ONES,
        dilate=ONES,
        pad=ZEROS,
        num_filter=REQUIRED,
        num_group=1,
        no_bias=False,
    ),
    "Deconvolution": _op(
        "no_bias adj",
        kernel=REQUIRED,
        stride=ONES,
        dilate=ONES,
        pad=ZEROS,
        adj=ZEROS,
        num_filter=REQUIRED,
        num_group=1,
        no_bias=True,
    ),
    "FullyConnected": _op("no_bias flatten", num_hidden=REQUIRED, no_bias=False, flatten=True),
    "BatchNorm": _op(
        "eps momentum fix_gamma", eps=1e-3, momentum=0.9, fix_gamma=True, use_global_stats=False, axis=1
    ),
    "LayerNorm": _op("eps", axis=-1, eps=1e-5),
    "GroupNorm": _op("eps", num_groups=1, eps=1e-5),
    "InstanceNorm": _op("eps", eps=1e-3),
    "L2Normalization": _op("eps mode", eps=1e-10, mode="instance"),
    "LRN": _op("knorm alpha", nsize=REQUIRED, alpha=1e-4, beta=0.75, knorm=2),
    "Pooling": _op(
        "stride pooling_convention count_include_pad",
        kernel=(),
        pool_type="max",
        global_pool=False,
        stride=ONES,
        pad=ZEROS,
        pooling_convention="valid",
        count_include_pad=None,
        p_value=None,
    ),
    "contrib.AdaptiveAvgPooling2D": _op(output_size=REQUIRED),
    "Dropout": _op(p=0.5, mode="training", axes=()),
    "Embedding": _op(input_dim=REQUIRED, output_dim=REQUIRED, dtype="float32"),
    "RNN": _op(
        state_size=REQUIRED,
        num_layers=REQUIRED,
        bidirectional=False,
        mode=REQUIRED,
        p=0,
        state_outputs=False,
        projection_size=None,
    ),
    "SoftmaxOutput": _op(),
    "CTCLoss": _op("blank_label", use_data_lengths=False, use_label_lengths=False, blank_label="first"),
    # Activations
    "Activation": _op(act_type=REQUIRED),
    "LeakyReLU": _op("act_type slope", act_type="leaky", slope=0.25),
    "hard_sigmoid": _op("alpha", alpha=0.2, beta=0.5),
    "softmax": _op(axis=-1, temperature=None),
    "log_softmax": _op(axis=-1, temperature=None),
    # Resizing
    "Pad": _op(mode=REQUIRED, pad_width=REQUIRED, constant_value=0),
    "UpSampling": _op(scale=REQUIRED, sample_type=REQUIRED),
    "contrib.BilinearResize2D": _op(
        "align_corners",
        height=1,
        width=1,
        scale_height=None,
        scale_width=None,
        mode="size",
        align_corners=True,
    ),
    "GridGenerator": _op(transform_type=REQUIRED, target_shape=(0, 0)),
    "BilinearSampler": _op(),
    "depth_to_space": _op(block_size=REQUIRED),
    "space_to_depth": _op(block_size=REQUIRED),
    "im2col": _op(kernel=REQUIRED, stride=ONES, dilate=ONES, pad=ZEROS),
    "col2im": _op(output_size=REQUIRED, kernel=REQUIRED, stride=ONES, dilate=ONES, pad=ZEROS),
    # Shape
    "Reshape": _op(shape=REQUIRED, reverse=False),
    "Flatten": _op(),
    "SwapAxis": _op("dim1 dim2", dim1=0, dim2=0),  # of which torch has no default
    "transpose": _op(axes=REQUIRED),
    "expand_dims": _op(axis=REQUIRED),
    "squeeze": _op(axis=None),
    "Concat": _op("dim", dim=1),
    "stack": _op("axis", axis=0),
    "split": _op(num_outputs=REQUIRED, axis=1, squeeze_axis=False),
    "slice": _op(begin=REQUIRED, end=REQUIRED, step=()),
    "slice_axis": _op(axis=REQUIRED, begin=REQUIRED, end=REQUIRED),
    "slice_like": _op(axes=()),
    "broadcast_axis": _op(axis=REQUIRED, size=REQUIRED),
    "broadcast_to": _op(shape=REQUIRED),
    "broadcast_like": _op(lhs_axes=None, rhs_axes=None),
    "reshape_like": _op(lhs_begin=None, lhs_end=None, rhs_begin=None, rhs_end=None),
    "tile": _op(reps=REQUIRED),
    "repeat": _op(repeats=REQUIRED, axis=None),
    "flip": _op(axis=REQUIRED),
    "diag": _op(k=0, axis1=0, axis2=1),
    # Indexing
    "take": _op("mode", axis=0, mode="clip"),
    "pick": _op("mode", axis=-1, keepdims=False, mode="clip"),
    "gather_nd": _op(),
    "scatter_nd": _op(shape=REQUIRED),
    "one_hot": _op(depth=REQUIRED, on_value=1.0, off_value=0.0, dtype="float32"),
    "where": _op(),
    "topk": _op("dtype", axis=-1, k=1, ret_typ="indices", is_ascend=False, dtype="float32"),
    "sort": _op(axis=-1, is_ascend=True),
    "argsort": _op("dtype", axis=-1, is_ascend=True, dtype="float32"),
    "argmax": _op(**_AXIS),
    "argmin": _op(**_AXIS),
    "cumsum": _op(axis=None, dtype=None),
    # Reductions
    "sum": _op(**_AXIS),
    "mean": _op(**_AXIS),
    "prod": _op(**_AXIS),
    "max": _op(**_AXIS),
    "min": _op(**_AXIS),
    "norm": _op("ord", ord=2, axis=None, keepdims=False),
    # Linear algebra
    "dot": _op(transpose_a=False, transpose_b=False),
    "batch_dot": _op(transpose_a=False, transpose_b=False),
    "linalg.trsm": _op("lower rightside", transpose=False, rightside=False, lower=True, alpha=1.0),
    "linalg.gemm2": _op(transpose_a=False, transpose_b=False, alpha=1.0, axis=-2),
    # Made in forward
    "zeros": _op(shape=REQUIRED, dtype="float32"),
    "ones": _op(shape=REQUIRED, dtype="float32"),
    "arange": _op(start=REQUIRED, stop=None, step=1.0, dtype="float32"),
    "contrib.arange_like": _op(start=0.0, step=1.0, axis=None),
    "zeros_like": _op(),
    "ones_like": _op(),
    # Elementwise
    "cast": _op(dtype=REQUIRED),
    "clip": _op(a_min=REQUIRED, a_max=REQUIRED),
    "add_n": _op(),
    "smooth_l1": _op(scalar=REQUIRED),
}


OPS.update(
    {
        name: _op()
        for name in [
            "identity",
            "BlockGrad",
            "elemwise_add",
            "elemwise_sub",
            "elemwise_mul",
            "elemwise_div",
            "broadcast_add",
            "broadcast_sub",
            "broadcast_mul",
            "broadcast_div",
            "broadcast_power",
            "broadcast_mod",
            "broadcast_maximum",
            "broadcast_minimum",
            "broadcast_hypot",
            "broadcast_equal",
            "broadcast_not_equal",
            "broadcast_greater",
            "broadcast_greater_equal",
            "broadcast_lesser",
            "broadcast_lesser_equal",
            "broadcast_logical_and",
            "broadcast_logical_or",
            "broadcast_logical_xor",
            "logical_not",
            "relu",
            "sigmoid",
            "tanh",
            "softsign",
            "abs",
            "sign",
            "ceil",
            "floor",
            "rint",
            "trunc",
            "square",
            "sqrt",
            "rsqrt",
            "cbrt",
            "rcbrt",
            "reciprocal",
            "exp",
            "expm1",
            "log",
            "log2",
            "log10",
            "log1p",
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "sinh",
            "cosh",
            "tanh",
            "arcsinh",
            "arccosh",
            "arctanh",
            "erf",
            "erfinv",
            "gamma",
            "gammaln",
            "degrees",
            "radians",
            "negative",
            "contrib.div_sqrt_dim",
            "shape_array",
            "linalg.inverse",
            "linalg.det",
            "linalg.potrf",
            "linalg.gelqf",
            "linalg.slogdet",
            "linalg.syevd",
            "khatri_rao",
            "linalg.extractdiag",
            "linalg.makediag",
        ]
    }
)


def automatic_inputs(op: str) -> tuple[str, ...]:
    """The inputs of an op that MXNet makes by itself."""
    return AUTOMATIC.get(op, ())


def written_attrs(op: str, attrs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The attributes to write, in the table's order: not at MXNet's default, or always written."""
    if op not in OPS:
        assert set(attrs) <= {"c"}, f"{op} is not in the table of MXNet ops"
        return tuple(attrs.items())
    spec = OPS[op]
    unknown = set(attrs) - set(spec.attrs)
    assert not unknown, f"{op} has no {unknown}"
    return tuple(
        (name, attrs[name])
        for name, default in spec.attrs.items()
        if name in attrs and (name in spec.always or not spec.is_default(name, attrs[name], default))
    )


OPS["BatchNorm"] = replace(OPS["BatchNorm"], auxiliary=frozenset(["moving_mean", "moving_var"]))
for _name in ("argmax", "argmin"):
    OPS[_name] = replace(OPS[_name], result_dtype="float32")
