import torch
from torch import nn

from tests.vision.torchvision.ops._utils import as_rois, pair
from tests.vision.torchvision.ops.roi_align import roi_align


def _multiscale_roi_align(x_filtered, boxes, output_size, sampling_ratio, scales, levels):
    rois = as_rois(boxes)
    result = torch.zeros((len(rois), x_filtered[0].shape[1], *output_size))
    for level, (per_level_feature, scale) in enumerate(zip(x_filtered, scales, strict=True)):
        idx_in_level = torch.where(levels == level)[0]
        result[idx_in_level] = roi_align(
            per_level_feature, rois[idx_in_level], output_size, scale, sampling_ratio
        )
    return result


class MultiScaleRoIAlign(nn.Module):
    def __init__(self, featmap_names, output_size, sampling_ratio):
        super().__init__()
        self.featmap_names = featmap_names
        self.output_size = pair(output_size)
        self.sampling_ratio = sampling_ratio

    def forward(self, x, boxes, image_shapes):
        x_filtered = [x[name] for name in self.featmap_names]
        scales = [v.shape[2] / image_shapes[0][0] for v in x_filtered]
        sizes = torch.cat([(b[:, 2:] - b[:, :2]).prod(1) for b in boxes]).sqrt()
        top = len(scales) - 1
        levels = (sizes / 8).log2().floor().clamp(0, top).long()
        return _multiscale_roi_align(x_filtered, boxes, self.output_size, self.sampling_ratio, scales, levels)
