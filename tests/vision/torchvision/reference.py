"""What torchvision's ops compute, in plain torch: slow, and short enough to be read."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def deform_conv2d(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor,
    bias: Tensor,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Tensor:
    batch, channels = input.shape[:2]
    filters, _, height, width = weight.shape
    taps, out_h, out_w = height * width, *offset.shape[2:]
    moved = offset.reshape(batch, offset_groups, taps, 2, out_h, out_w)
    masks = mask.reshape(batch, offset_groups, taps, out_h, out_w) if use_mask else None
    rows, columns = torch.arange(out_h) * stride_h - pad_h, torch.arange(out_w) * stride_w - pad_w
    read = input.new_zeros(batch, channels, taps, out_h, out_w)
    per_group = channels // offset_groups
    for n in range(batch):
        for g in range(offset_groups):
            image = input[n, g * per_group : (g + 1) * per_group]
            for t in range(taps):
                y = rows[:, None] + t // width * dilation_h + moved[n, g, t, 0]
                x = columns[None, :] + t % width * dilation_w + moved[n, g, t, 1]
                values = _between(image, y, x)
                read[n, g * per_group : (g + 1) * per_group, t] = (
                    values if masks is None else values * masks[n, g, t]
                )
    read = read.reshape(batch, groups, channels // groups * taps, out_h * out_w)
    flat = weight.reshape(groups, filters // groups, -1)
    return torch.matmul(flat, read).reshape(batch, filters, out_h, out_w) + bias.reshape(1, -1, 1, 1)


def _between(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """(C, *places): an image (C, H, W) between its pixels, zeros outside."""
    height, width = image.shape[1:]
    top, left = y.floor(), x.floor()
    total = image.new_zeros(image.shape[0], *y.shape)
    for row, row_share in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, column_share in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            places = row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()
            total += image[:, places[0], places[1]] * row_share * column_share * inside
    return total


def roi_align(
    input: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    found = []
    for image, x1, y1, x2, y2 in rois.tolist():
        shift = 0.5 if aligned else 0.0
        x, y, right, bottom = (v * spatial_scale - shift for v in (x1, y1, x2, y2))
        sizes = (bottom - y, right - x) if aligned else (max(bottom - y, 1.0), max(right - x, 1.0))
        rows = _shares(y, sizes[0], pooled_height, sampling_ratio, input.shape[2])
        columns = _shares(x, sizes[1], pooled_width, sampling_ratio, input.shape[3])
        found.append(rows.to(input.dtype) @ input[int(image)] @ columns.T.to(input.dtype))
    return torch.stack(found)


def _shares(start: float, length: float, cells: int, ratio: int, size: int) -> Tensor:
    """(cells, size): how much of each place along an axis a cell of a region reads."""
    count = ratio if ratio > 0 else math.ceil(length / cells)
    shares = torch.zeros(cells, size)
    for cell in range(cells):
        for sample in range(count):
            place = start + length / cells * (cell + (sample + 0.5) / count)
            if not -1 <= place <= size:
                continue
            low = min(int(max(place, 0.0)), size - 1)
            part = max(place, 0.0) - low if low < size - 1 else 0.0
            shares[cell, low] += (1 - part) / count
            shares[cell, min(low + 1, size - 1)] += part / count
    return shares


def roi_pool(
    input: Tensor, rois: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int
) -> tuple[Tensor, Tensor]:
    found = input.new_zeros(len(rois), input.shape[1], pooled_height, pooled_width)
    for k, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (_rounded(v * spatial_scale) for v in box)
        for i in range(pooled_height):
            for j in range(pooled_width):
                top, bottom = _cell(y1, max(y2 - y1 + 1, 1), pooled_height, i, input.shape[2])
                left, right = _cell(x1, max(x2 - x1 + 1, 1), pooled_width, j, input.shape[3])
                if top < bottom and left < right:
                    found[k, :, i, j] = input[int(image), :, top:bottom, left:right].amax((1, 2))
    return found, found.new_full(found.shape, -1, dtype=torch.int32)  # no places: no one may read them


def ps_roi_align(
    input: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
) -> tuple[Tensor, Tensor]:
    whole = roi_align(input, rois, spatial_scale, pooled_height, pooled_width, sampling_ratio, True)
    return _own_channels(whole)


def ps_roi_pool(
    input: Tensor, rois: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int
) -> tuple[Tensor, Tensor]:
    found = input.new_zeros(len(rois), input.shape[1], pooled_height, pooled_width)
    for k, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (_rounded(v * spatial_scale) for v in box)
        for i in range(pooled_height):
            for j in range(pooled_width):
                top, bottom = _cell(y1, max(y2 - y1, 1), pooled_height, i, input.shape[2] - 1)
                left, right = _cell(x1, max(x2 - x1, 1), pooled_width, j, input.shape[3] - 1)
                if top < bottom and left < right:
                    found[k, :, i, j] = input[int(image), :, top:bottom, left:right].mean((1, 2))
    return _own_channels(found)


def _own_channels(whole: Tensor) -> tuple[Tensor, Tensor]:
    """Of (K, C, h, w), whose C are (c, h, w): for each cell those that are its own."""
    count, channels, height, width = whole.shape
    split = whole.reshape(count, -1, height, width, height, width)
    mapping = torch.arange(channels, dtype=torch.int32).reshape(-1, height, width)
    return torch.einsum("kcijij->kcij", split).clone(), mapping.repeat(count, 1, 1, 1)


def _rounded(x: float) -> int:
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def _cell(start: int, length: int, cells: int, cell: int, size: int) -> tuple[int, int]:
    first, last = cell * length // cells, -(-(cell + 1) * length // cells)
    return min(max(first + start, 0), size), min(max(last + start, 0), size)


def nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    kept: list[int] = []
    for place in scores.argsort(descending=True, stable=True).tolist():
        if all(_overlap(dets[place], dets[other]) <= iou_threshold for other in kept):
            kept.append(place)
    return torch.tensor(kept, dtype=torch.int64)


def _overlap(one: Tensor, other: Tensor) -> float:
    low, high = torch.maximum(one[:2], other[:2]), torch.minimum(one[2:], other[2:])
    inner = (high - low).clamp(min=0).prod()
    return float(inner / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - inner))
