"""torchvision's ops that are written with torch's, by the names under which torchvision registers them."""

from __future__ import annotations

import torch

from codegen.decompositions import decomposes
from codegen.decompositions.elementwise import Tensor


@decomposes("torchvision::ps_roi_pool")
def ps_roi_pool(
    input: Tensor, rois: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int
) -> tuple[Tensor, Tensor]:
    """Averages over the cells of regions, each cell of channels of its own.

    torch: ps_roi_pool rounds a scaled corner, and leaves the last row and column of the image out.
    MXNet: contrib.PSROIPooling scales a rounded corner, takes one pixel more, and reads the whole image.
    We write: the image of each region, multiplied by a matrix that marks the columns of each cell, then by
        one that marks the rows; the sums are divided by the number of pixels.
    Source: torchvision.ops.ps_roi_pool; mx.sym.contrib.PSROIPooling, measured.

    >>> image, box = mx.nd.arange(16).reshape((1, 1, 4, 4)), mx.nd.array([[0, 0, 0, 2, 2]])
    >>> sizes = {"spatial_scale": 1, "output_dim": 1, "pooled_size": 1, "group_size": 1}
    >>> mx.nd.contrib.PSROIPooling(image, box, **sizes).asnumpy().item()
    5.0
    >>> image, box = (torch.from_numpy(array.asnumpy()) for array in (image, box))
    >>> vision.ps_roi_pool(image, box, 1).item()
    2.5
    """
    count, (channels, height, width) = rois.shape[0], input.shape[1:]
    depth = channels // (pooled_height * pooled_width)
    corners = _rounded(rois[:, 1:] * spatial_scale)
    columns = _cells(corners[:, 0::2], pooled_width, width)
    rows = _cells(corners[:, 1::2], pooled_height, height)
    images = input.index_select(0, rois[:, 0].long())
    cells = images.reshape(count, depth * pooled_height, pooled_width, height, width).transpose(1, 2)
    cells = cells.reshape(count * pooled_width, depth * pooled_height * height, width)
    sums = torch.bmm(cells, columns.reshape(count * pooled_width, width, 1))
    sums = sums.reshape(count, pooled_width * depth, pooled_height, height).transpose(1, 2)
    sums = sums.reshape(count * pooled_height, pooled_width * depth, height)
    sums = torch.bmm(sums, rows.reshape(count * pooled_height, height, 1))
    sums = sums.reshape(count, pooled_height, pooled_width, depth).permute(0, 3, 1, 2)
    pixels = rows.sum(2).unsqueeze(2) * columns.sum(2).unsqueeze(1)
    mapping = torch.arange(channels, dtype=torch.int32).reshape(depth, pooled_height, pooled_width)
    return sums / pixels.clamp(min=1).unsqueeze(1), mapping.expand(count, -1, -1, -1)


def _rounded(x: Tensor) -> Tensor:
    """The nearest whole number, halves away from zero as C rounds them."""
    whole = x.trunc()
    return whole + (2 * (x - whole)).trunc()


def _cells(ends: Tensor, cells: int, size: int) -> Tensor:
    """(K, cells, size): 1 where a place along an axis of the image lies in a cell of a region, else 0.

    `ends` (K, 2) is where the regions start and end.
    """
    start = ends[:, :1]
    length = (ends[:, 1:] - start).clamp(min=1) / cells
    steps = torch.arange(cells, dtype=ends.dtype)
    first = ((length * steps).floor() + start).clamp(0, size - 1).unsqueeze(2)
    last = ((length * (steps + 1)).ceil() + start).clamp(0, size - 1).unsqueeze(2)
    places = torch.arange(size, dtype=ends.dtype)
    return ((places >= first) & (places < last)).to(ends.dtype)
