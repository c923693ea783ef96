"""The functions and layers that the cases use, as torchvision.ops has them."""

from tests.vision.torchvision.ops.boxes import batched_nms, nms
from tests.vision.torchvision.ops.deform_conv import DeformConv2d, deform_conv2d
from tests.vision.torchvision.ops.misc import FrozenBatchNorm2d
from tests.vision.torchvision.ops.poolers import MultiScaleRoIAlign
from tests.vision.torchvision.ops.ps_roi_align import ps_roi_align
from tests.vision.torchvision.ops.ps_roi_pool import ps_roi_pool
from tests.vision.torchvision.ops.roi_align import RoIAlign, roi_align
from tests.vision.torchvision.ops.roi_pool import roi_pool

__all__ = [
    "DeformConv2d",
    "FrozenBatchNorm2d",
    "MultiScaleRoIAlign",
    "RoIAlign",
    "batched_nms",
    "deform_conv2d",
    "nms",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
]
