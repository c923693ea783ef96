"""torchvision's ops: deformable convolution, and what regions of interest read of an image.

They are known by the names under which torchvision registers them; nothing here imports it. Its other
functions (boxes, losses, frozen layers) are written with ops of torch, and are recorded as those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.shapes import cut

_EMPTY_BOXES = (
    "{op}() reads boxes whose width and height must be above 0: for others MXNet 1.9.1's ROIAlign ends the "
    "process (torch gives zeros, or raises)"
)


@lowers("torchvision::deform_conv2d")
def deform_conv2d(
    b: Builder,
    input: Value,
    weight: Value,
    offset: Value,
    mask: Value,
    bias: Value,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Value:
    """Deformable convolution, with a mask (v2) or without (v1).

    torch: takes any batch; a mask and a bias or none.
    MXNet: contrib.DeformableConvolution (v1) gives other values; contrib.ModulatedDeformableConvolution (v2) is
        right, but fails at a batch above 64 that 64 does not divide, unless im2col_step divides it.
    We write: ModulatedDeformableConvolution for both, a mask of ones for v1; im2col_step=1 and no_bias always.
    Source: torchvision.ops.deform_conv2d; mx.sym.contrib.ModulatedDeformableConvolution, measured.

    >>> x, weight = mx.nd.ones((65, 1, 3, 3)), mx.nd.ones((1, 1, 1, 1))
    >>> offset, mask = mx.nd.zeros((65, 2, 3, 3)), mx.nd.ones((65, 1, 3, 3))
    >>> layer = {"kernel": (1, 1), "num_filter": 1, "no_bias": True}
    >>> try:
    ...     mx.nd.contrib.ModulatedDeformableConvolution(x, offset, mask, weight, **layer).wait_to_read()
    ... except mx.base.MXNetError as error:
    ...     print("im2col_step" in str(error))
    True
    >>> mx.nd.contrib.ModulatedDeformableConvolution(x, offset, mask, weight, im2col_step=1, **layer).sum()
    585.0
    """
    filters, _, *kernel = weight.sizes
    taps = offset.sizes[1]
    if not isinstance(filters, int) or filters % offset_groups:
        what = f"deform_conv2d() to {filters} channels with {offset_groups} groups of offsets"
        raise b.refuse(what, "MXNet's op wants a number of channels that the groups of offsets divide")
    if not use_mask:
        assert isinstance(taps, int)
        mask = b.op("ones_like", cut(b, offset, 1, 0, taps // 2, hint="half"), hint="mask")
    no_bias = bias.const is not None and not bias.const.any()  # torchvision's own stand-in for None
    return b.op(
        "contrib.ModulatedDeformableConvolution",
        input,
        offset=offset,
        mask=mask,
        weight=weight,
        bias=None if no_bias else bias,
        kernel=tuple(kernel),
        stride=(stride_h, stride_w),
        dilate=(dilation_h, dilation_w),
        pad=(pad_h, pad_w),
        num_filter=filters,
        num_group=groups,
        num_deformable_group=offset_groups,
        im2col_step=1,
        no_bias=no_bias,
    )


@lowers("frozen_batch_norm2d")
def frozen_batch_norm2d(
    b: Builder,
    input: Value,
    running_mean: Value,
    running_var: Value,
    weight: Value,
    bias: Value,
    eps: float,
) -> Value:
    """Normalisation whose statistics and scales are never trained.

    torch: FrozenBatchNorm2d is arithmetic with four buffers.
    MXNet: BatchNorm has use_global_stats, with which training too takes the statistics and leaves them.
    We write: BatchNorm with it. Its gamma and beta are arguments, which fixed_param_names keeps from training.
    Source: torchvision.ops.FrozenBatchNorm2d; mx.sym.BatchNorm.
    """
    return b.op(
        "BatchNorm",
        input,
        gamma=weight,
        beta=bias,
        moving_mean=running_mean,
        moving_var=running_var,
        eps=eps,
        momentum=0.9,  # of no effect
        fix_gamma=False,
        use_global_stats=True,
    )


@lowers("torchvision::roi_align")
def roi_align(
    b: Builder,
    input: Value,
    rois: Value,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Value:
    """Regions by bilinear interpolation.

    torch: with aligned=True a box may be of no width or height, and gives zeros where sampling_ratio is not given.
    MXNet: contrib.ROIAlign checks for such a box while it runs, and the process ends.
    We write: contrib.ROIAlign, which is exact for all other boxes; the run says which must not come.
    Source: torchvision.ops.roi_align; mx.sym.contrib.ROIAlign, measured.
    """
    if aligned:
        b.note(_EMPTY_BOXES.format(op="roi_align"))
    rois, scale = _within_one(b, rois, spatial_scale)
    return b.op(
        "contrib.ROIAlign",
        input,
        rois,
        pooled_size=(pooled_height, pooled_width),
        spatial_scale=scale,
        sample_ratio=sampling_ratio,
        aligned=aligned,
    )


@lowers("torchvision::ps_roi_align")
def ps_roi_align(
    b: Builder,
    input: Value,
    rois: Value,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
) -> Sequence[Value]:
    """Regions by interpolation, each of whose cells reads channels of its own.

    torch: ps_roi_align moves boxes by half a pixel, as roi_align does with aligned=True.
    MXNet: contrib.ROIAlign has both as attributes.
    We write: position_sensitive=True and aligned=True.
    Source: torchvision.ops.ps_roi_align; mx.sym.contrib.ROIAlign, measured.
    """
    b.note(_EMPTY_BOXES.format(op="ps_roi_align"))
    rois, scale = _within_one(b, rois, spatial_scale)
    pooled = b.op(
        "contrib.ROIAlign",
        input,
        rois,
        pooled_size=(pooled_height, pooled_width),
        spatial_scale=scale,
        sample_ratio=sampling_ratio,
        position_sensitive=True,
        aligned=True,
    )
    return [pooled, _places(b, "channel_mapping")]


@lowers("torchvision::roi_pool")
def roi_pool(
    b: Builder, input: Value, rois: Value, spatial_scale: float, pooled_height: int, pooled_width: int
) -> Sequence[Value]:
    rois, scale = _within_one(b, rois, spatial_scale)
    pooled = b.op("ROIPooling", input, rois, pooled_size=(pooled_height, pooled_width), spatial_scale=scale)
    return [pooled, _places(b, "argmax")]


def _within_one(b: Builder, rois: Value, scale: float) -> tuple[Value, float]:
    """The scale of boxes.

    Boxes, and a scale that MXNet takes.

    torch: spatial_scale is any number.
    MXNet: ROIPooling and contrib.ROIAlign take one from 0 to 1.
    We write: a larger one as a product of the boxes with a row; spatial_scale=1 then.
    Source: torchvision.ops.roi_align; mx.sym.ROIPooling, whose error says so.

    >>> x, rois = mx.nd.ones((1, 1, 4, 4)), mx.nd.array([[0, 0, 0, 1, 1]])
    >>> try:
    ...     mx.nd.ROIPooling(x, rois, pooled_size=(1, 1), spatial_scale=2).wait_to_read()
    ... except mx.base.MXNetError as error:
    ...     print("exceed bound" in str(error))
    True
    """
    if 0 <= scale <= 1:
        return rois, scale
    row = b.constant(np.array([[1, *(scale,) * 4]], rois.dtype), "scale")
    return b.op("broadcast_mul", rois, row, hint="scaled"), 1.0


def _places(b: Builder, name: str) -> Value:
    """The second result, which no one may read: places in the image, for torch's gradient."""
    if b.is_read(1):
        raise b.refuse(
            f"the {name} of {b.node.op.rpartition('::')[2]}()", "MXNet's op gives the values alone"
        )
    kind = b.node.outputs[1]
    return Value(None, kind.shape, kind.dtype)
