import torch

from tests.vision.torchvision.ops._utils import as_rois, pair


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    output, _ = torch.ops.torchvision.roi_pool(input, as_rois(boxes), spatial_scale, *pair(output_size))
    return output
