"""torchvision's ops: deformable convolution, and what regions of interest read of an image.

They are known by the names under which torchvision registers them; nothing here imports it. Its other
functions (boxes, losses, frozen layers) are written with ops of torch, and are recorded as those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.shapes import cut


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
    filters, _, *kernel = weight.sizes
    if not isinstance(filters, int) or filters % offset_groups:
        what = f"deform_conv2d() to {filters} channels with {offset_groups} groups of offsets"
        raise b.refuse(what, "MXNet's op wants a number of channels that the groups of offsets divide")
    if not use_mask:
        mask = _mask_of_ones(b, offset)
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


def _mask_of_ones(b: Builder, offset: Value) -> Value:
    """Deformable convolution, with a mask (v2) or without (v1).

    torch: takes any batch; a mask and a bias or none.
    MXNet: contrib.DeformableConvolution (v1) gives other values; contrib.ModulatedDeformableConvolution (v2)
        is right, but fails at a batch above 64, unless im2col_step divides it.
    We write: ModulatedDeformableConvolution for both, with a mask of ones for v1; im2col_step=1,
        and no_bias=True without a bias.
    Source: torchvision.ops.deform_conv2d; mx.sym.contrib.ModulatedDeformableConvolution, measured.

    >>> converted(lambda x, w: vision.deform_conv2d(x, x[:, :2], w[:1]), (1, 4, 3, 3), torch.ones(1, 4, 1, 1))
    getitem = mx.sym.slice_axis(x, axis=1, begin=0, end=2, name="getitem")
    w = mx.sym.slice_axis(w, axis=0, begin=0, end=1, name="getitem2")
    half = mx.sym.slice_axis(getitem, axis=1, begin=0, end=1, name="deform_conv2d_half")
    mask = mx.sym.ones_like(half, name="deform_conv2d_mask")
    return mx.sym.contrib.ModulatedDeformableConvolution(
        x,
        offset=getitem,
        mask=mask,
        weight=w,
        kernel=(1, 1),
        num_filter=1,
        im2col_step=1,
        no_bias=True,
        name="deform_conv2d",
    )
    >>> x, offset, mask, weight = (mx.nd.ones(shape) for shape in ((65, 1), (65, 2), (65, 1), (1, 1)))
    >>> inputs = [tensor.reshape((*tensor.shape, 1, 1)) for tensor in (x, offset, mask, weight)]
    >>> try:
    ...     mx.nd.contrib.ModulatedDeformableConvolution(*inputs, kernel=(1, 1), num_filter=1, no_bias=True)
    ... except mx.base.MXNetError as error:
    ...     print("im2col_step" in str(error))
    True
    """
    numbers = fixed(offset.sizes[1])  # two for each place that a kernel reads
    return b.op("ones_like", cut(b, offset, 1, 0, numbers // 2, hint="half"), hint="mask")


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
    We write: BatchNorm with it. Its gamma and beta are arguments: fixed_param_names keeps them from training.
    Source: torchvision.ops.FrozenBatchNorm2d; mx.sym.BatchNorm.

    >>> converted(vision.FrozenBatchNorm2d(4), (1, 4, 8, 8))
    return mx.sym.BatchNorm(
        x, eps=1e-5, fix_gamma=False, use_global_stats=True, attr=FROZEN, name="frozenbatchnorm2d"
    )
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


@lowers("torchvision::roi_align", position_sensitive=False)
@lowers("torchvision::ps_roi_align", aligned=True, position_sensitive=True)
def roi_align(
    b: Builder,
    input: Value,
    rois: Value,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
    *,
    position_sensitive: bool,
) -> Value | Sequence[Value]:
    """Regions by bilinear interpolation.

    torch: with aligned=True a box may have no width or height: what is read then is zero, or one line.
        ps_roi_align, each of whose cells reads channels of its own, moves boxes by half a pixel as it does.
    MXNet: contrib.ROIAlign has both as attributes. With aligned=True it checks for such boxes while it runs,
        and ends the process.
    We write: contrib.ROIAlign, which is exact for all other boxes. The comparison keeps the rest from it; the
        generated code cannot, and the run says so.
    Source: torchvision.ops.roi_align, torchvision.ops.ps_roi_align; mx.sym.contrib.ROIAlign, measured.

    >>> box = torch.tensor([[0.0, 1, 1, 6, 5]])
    >>> converted(lambda x, rois: vision.ps_roi_align(x, rois, 2), (1, 4, 8, 8), box)
    return mx.sym.contrib.ROIAlign(
        x,
        rois,
        pooled_size=(2, 2),
        spatial_scale=1.0,
        position_sensitive=True,
        aligned=True,
        name="ps_roi_align",
    )
    >>> vision.roi_align(torch.ones(1, 1, 8, 8), box[:, [0, 1, 1, 1, 4]], 1, aligned=True).item()
    0.0
    """
    if aligned:
        b.note("empty-boxes", op=b.node.op.rpartition("::")[2])
    rois, scale = _within_one(b, rois, spatial_scale)
    pooled = b.op(
        "contrib.ROIAlign",
        input,
        rois,
        pooled_size=(pooled_height, pooled_width),
        spatial_scale=scale,
        sample_ratio=sampling_ratio,
        position_sensitive=position_sensitive,
        aligned=aligned,
    )
    return [pooled, _places(b, "channel_mapping")] if position_sensitive else pooled


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
