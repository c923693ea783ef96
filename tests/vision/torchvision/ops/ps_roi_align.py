import torch

from tests.vision.torchvision.ops._utils import as_rois, pair


def ps_roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1):
    rois, size = as_rois(boxes), pair(output_size)
    output, _ = torch.ops.torchvision.ps_roi_align(input, rois, spatial_scale, *size, sampling_ratio)
    return output
