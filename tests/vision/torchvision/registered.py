"""The stand-in's ops under torchvision's names and signatures (torchvision/csrc/ops)."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.vision.torchvision import reference

SCHEMAS = (
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, "
    "SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) "
    "-> (Tensor, Tensor)",
    "ps_roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio) -> (Tensor, Tensor)",
    "ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) "
    "-> (Tensor, Tensor)",
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def library() -> torch.library.Library:
    """The ops, which are there as long as what this gives."""
    made = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        name = schema.partition("(")[0]
        made.define(schema)
        made.impl(name, getattr(reference, name), "CPU")
        if name in _SHAPES:
            made.impl(name, _SHAPES[name], "Meta")
    return made


def _convolved(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *rest: object
) -> Tensor:
    return input.new_empty(input.shape[0], weight.shape[0], *offset.shape[2:])


def _aligned(
    input: Tensor, rois: Tensor, spatial_scale: float, height: int, width: int, *rest: object
) -> Tensor:
    return input.new_empty(rois.shape[0], input.shape[1], height, width)


def _pooled(
    input: Tensor, rois: Tensor, spatial_scale: float, height: int, width: int
) -> tuple[Tensor, Tensor]:
    found = _aligned(input, rois, spatial_scale, height, width)
    return found, found.new_empty(found.shape, dtype=torch.int32)


def _of_own_channels(
    input: Tensor, rois: Tensor, spatial_scale: float, height: int, width: int, *rest: object
) -> tuple[Tensor, Tensor]:
    found = input.new_empty(rois.shape[0], input.shape[1] // (height * width), height, width)
    return found, found.new_empty(found.shape, dtype=torch.int32)


_SHAPES = {
    "deform_conv2d": _convolved,
    "roi_align": _aligned,
    "roi_pool": _pooled,
    "ps_roi_align": _of_own_channels,
    "ps_roi_pool": _of_own_channels,
}
