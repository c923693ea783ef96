"""Pooling."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import case, fn

SHAPES = {1: (2, 3, 9), 2: (2, 3, 9, 8), 3: (2, 3, 7, 8, 6)}
MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
LP = {1: nn.LPPool1d, 2: nn.LPPool2d, 3: nn.LPPool3d}
TRAP = {1: (2, 3, 7), 2: (2, 3, 7, 7), 3: (2, 3, 7, 7, 7)}
for axes in (1, 2, 3):
    shape, trap = SHAPES[axes], TRAP[axes]
    pool = MAX[axes]
    case(f"max_pool{axes}d", pool(2), shape)
    case(f"max_pool{axes}d stride", pool(3, stride=2), shape)
    case(f"max_pool{axes}d padding", pool(3, stride=2, padding=1), shape)
    case(f"max_pool{axes}d ceil", pool(3, stride=2, ceil_mode=True), shape)
    case(f"max_pool{axes}d ceil padding", pool(3, stride=2, padding=1, ceil_mode=True), shape)
    case(f"max_pool{axes}d trap", pool(2, stride=3, padding=1, ceil_mode=True), trap)
    case(f"max_pool{axes}d dilation", pool(2, stride=1, dilation=2), shape)
    case(f"max_pool{axes}d dilation padding", pool(3, stride=2, padding=1, dilation=2), shape)
    case(f"max_pool{axes}d dilation ceil", pool(3, stride=2, padding=1, dilation=2, ceil_mode=True), shape)
    case(f"max_pool{axes}d unbatched", pool(2), shape[1:])
    pool = AVG[axes]
    case(f"avg_pool{axes}d", pool(2), shape)
    case(f"avg_pool{axes}d unbatched", pool(2), shape[1:])
    for include in (True, False):
        note = "counted" if include else "not counted"
        case(
            f"avg_pool{axes}d padding {note}", pool(3, stride=2, padding=1, count_include_pad=include), shape
        )
        case(
            f"avg_pool{axes}d ceil {note}",
            pool(3, stride=2, ceil_mode=True, count_include_pad=include),
            shape,
        )
        case(
            f"avg_pool{axes}d ceil padding {note}",
            pool(4, stride=3, padding=1, ceil_mode=True, count_include_pad=include),
            shape,
        )
        case(
            f"avg_pool{axes}d trap {note}",
            pool(2, stride=3, padding=1, ceil_mode=True, count_include_pad=include),
            trap,
        )
    if axes < 3:
        case(f"avg_pool{axes}d larger than the input", pool(12, ceil_mode=True), shape)
    if axes > 1:
        case(f"avg_pool{axes}d divisor", pool(3, stride=2, padding=1, divisor_override=5), shape)
        case(f"avg_pool{axes}d divisor ceil", pool(3, stride=2, ceil_mode=True, divisor_override=5), shape)
        case(
            f"avg_pool{axes}d divisor trap",
            pool(2, stride=3, padding=1, ceil_mode=True, divisor_override=3),
            trap,
        )
    for p in (1, 2, 3):
        case(f"lp_pool{axes}d {p}", LP[axes](p, 3, stride=2), shape)
    case(f"lp_pool{axes}d ceil", LP[axes](2, 3, stride=2, ceil_mode=True), shape)
    case(f"lp_pool{axes}d default stride", LP[axes](2.0, 2), shape)
case("max_pool2d uneven", nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)), (2, 3, 9, 8))
case(
    "max_pool2d uneven ceil",
    nn.MaxPool2d((3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=True),
    (2, 3, 10, 9),
)
case(
    "max_pool2d mixed trap", nn.MaxPool2d((2, 3), stride=(3, 2), padding=(1, 1), ceil_mode=True), (2, 3, 7, 8)
)
case("max_pool2d stride above kernel", nn.MaxPool2d(1, stride=2), (2, 3, 9, 8))
case("avg_pool2d uneven", nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)), (2, 3, 9, 8))
case(
    "avg_pool2d uneven ceil",
    nn.AvgPool2d((3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=True),
    (2, 3, 10, 9),
)
fn("max_pool2d functional", lambda x: F.max_pool2d(x, 3, 2, 1), (2, 3, 9, 8))
fn("avg_pool2d functional", lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), (2, 3, 9, 8))
fn("max_pool2d of negatives", lambda x: F.max_pool2d(x - 10, 3, 2, 1), (2, 3, 9, 8))

case("adaptive_avg_pool1d to 1", nn.AdaptiveAvgPool1d(1), (2, 3, 9))
case("adaptive_avg_pool1d divides", nn.AdaptiveAvgPool1d(3), (2, 3, 9))
case("adaptive_avg_pool1d uneven", nn.AdaptiveAvgPool1d(4), (2, 3, 9))
case("adaptive_avg_pool2d to 1", nn.AdaptiveAvgPool2d(1), (2, 3, 9, 8))
fn("adaptive_avg_pool2d without channels", lambda x: F.adaptive_avg_pool2d(x[0], 1) - x[0], (1, 9, 8))
case("adaptive_avg_pool2d divides", nn.AdaptiveAvgPool2d((3, 4)), (2, 3, 9, 8))
case("adaptive_avg_pool2d uneven", nn.AdaptiveAvgPool2d((4, 3)), (2, 3, 9, 8))
case("adaptive_avg_pool2d larger", nn.AdaptiveAvgPool2d(7), (2, 3, 5, 4))
case("adaptive_avg_pool2d None", nn.AdaptiveAvgPool2d((None, 3)), (2, 3, 9, 8))
case("adaptive_avg_pool2d same", nn.AdaptiveAvgPool2d((9, 8)), (2, 3, 9, 8))
case("adaptive_avg_pool2d one axis", nn.AdaptiveAvgPool2d((1, None)), (2, 3, 9, 8))
case("adaptive_avg_pool2d unbatched", nn.AdaptiveAvgPool2d(3), (3, 9, 8))
case("adaptive_avg_pool3d to 1", nn.AdaptiveAvgPool3d(1), (2, 3, 5, 6, 7))
case("adaptive_avg_pool3d uneven", nn.AdaptiveAvgPool3d((2, None, 3)), (2, 3, 5, 6, 7))
case("adaptive_max_pool1d uneven", nn.AdaptiveMaxPool1d(4), (2, 3, 9))
case("adaptive_max_pool2d to 1", nn.AdaptiveMaxPool2d(1), (2, 3, 9, 8))
case("adaptive_max_pool2d divides", nn.AdaptiveMaxPool2d((3, 2)), (2, 3, 9, 8))
case("adaptive_max_pool2d uneven", nn.AdaptiveMaxPool2d((4, None)), (2, 3, 9, 8))
case("adaptive_max_pool3d uneven", nn.AdaptiveMaxPool3d((2, 3, 4)), (2, 3, 5, 6, 7))
case("adaptive_max_pool3d to 1", nn.AdaptiveMaxPool3d(1), (2, 3, 5, 6, 7))


class Unpooled(nn.Module):
    """A pool, and its inverse."""

    def __init__(self, axes, *args, output_size=None, **kwargs):
        super().__init__()
        self.pool = MAX[axes](*args, return_indices=True, **kwargs)
        self.unpool = (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d)[axes - 1](*args, **kwargs)
        self.output_size = output_size

    def forward(self, x):
        y, places = self.pool(x)
        return self.unpool(y * 2, places, output_size=self.output_size)


class UnpooledAnew(nn.Module):
    """Several values for one place, of which the last stays; the indices are of no pool."""

    def forward(self, x):
        places = torch.tensor([[0, 5, 0, 3], [1, 1, 1, 0]])
        return F.max_unpool1d(x, places.expand(x.shape), 2)


case("max_unpool1d at equal places", UnpooledAnew(), (1, 2, 4))
for axes, shape in SHAPES.items():
    case(f"max_pool{axes}d indices", MAX[axes](2, return_indices=True), shape)
    case(f"max_pool{axes}d indices all", MAX[axes](3, 2, 1, 2, return_indices=True, ceil_mode=True), shape)
    case(f"max_pool{axes}d indices unbatched", MAX[axes](2, return_indices=True), shape[1:])
    adaptive = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[axes - 1]
    case(f"adaptive_max_pool{axes}d indices", adaptive(3, return_indices=True), shape)
    case(f"max_unpool{axes}d", Unpooled(axes, 2), shape)
    case(f"max_unpool{axes}d odd output", Unpooled(axes, 2, output_size=shape[2:]), shape)
    case(
        f"max_unpool{axes}d overlapping", Unpooled(axes, 3, stride=2, padding=1, output_size=shape[2:]), shape
    )
case("adaptive_max_pool2d indices to 1", nn.AdaptiveMaxPool2d(1, return_indices=True), (2, 3, 5, 4))
