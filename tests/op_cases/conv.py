"""Convolutions and their transposes."""

import torch.nn.functional as F
from torch import nn

from tests.op_cases import case, fn

case("conv1d", nn.Conv1d(3, 4, 3), (2, 3, 9))
case("conv2d", nn.Conv2d(3, 4, 3), (2, 3, 9, 8))
case("conv3d", nn.Conv3d(2, 4, 3), (2, 2, 5, 6, 7))
case(
    "conv1d stride padding dilation groups",
    nn.Conv1d(4, 8, 3, stride=2, padding=2, dilation=2, groups=2),
    (2, 4, 13),
)
case(
    "conv2d stride padding dilation groups",
    nn.Conv2d(4, 8, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3), groups=2, bias=False),
    (2, 4, 9, 11),
)
case(
    "conv3d stride padding dilation groups",
    nn.Conv3d(4, 4, 3, stride=2, padding=1, dilation=(1, 2, 1), groups=4),
    (2, 4, 7, 8, 7),
)
case("conv2d depthwise multiplier", nn.Conv2d(4, 12, 3, groups=4), (2, 4, 9, 9))
case("conv2d 1x1 stride 2", nn.Conv2d(4, 6, 1, stride=2), (2, 4, 9, 9))
for axes, layer in ((1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)):
    size = (9, 8, 7)[:axes]
    case(f"conv{axes}d same odd", layer(3, 4, 3, padding="same", dilation=2), (2, 3, *size))
    case(f"conv{axes}d same even", layer(3, 4, 4, padding="same"), (2, 3, *size))
    case(f"conv{axes}d same even dilated", layer(3, 4, 2, padding="same", dilation=3), (2, 3, *size))
    case(f"conv{axes}d valid", layer(3, 4, 3, padding="valid"), (2, 3, *size))
    for mode in ("zeros", "reflect", "replicate", "circular"):
        case(f"conv{axes}d padding_mode {mode}", layer(3, 4, 3, padding=2, padding_mode=mode), (2, 3, *size))
        case(
            f"conv{axes}d padding_mode {mode} same even",
            layer(3, 4, 4, padding="same", padding_mode=mode),
            (2, 3, *size),
        )
case(
    "conv2d padding_mode uneven",
    nn.Conv2d(3, 4, (3, 1), padding=(2, 0), padding_mode="reflect"),
    (2, 3, 9, 8),
)
case("conv2d same mixed kernel", nn.Conv2d(3, 4, (4, 3), padding="same"), (2, 3, 9, 8))
case("conv1d unbatched", nn.Sequential(nn.Conv1d(3, 4, 3)), (3, 9), frozen=True)
case("conv2d unbatched", nn.Conv2d(3, 4, 3), (3, 9, 9), frozen=True)
case("conv3d unbatched", nn.Conv3d(3, 4, 3, padding=1), (3, 5, 5, 5), frozen=True)
fn("conv2d computed weight", lambda x, w: F.conv2d(x, w, padding=1), (2, 3, 5, 5), (4, 3, 3, 3))
fn("conv2d functional", lambda x: F.conv2d(x, x.new_ones(4, 3, 2, 2), None, 2, 1), (2, 3, 6, 6))
fn(
    "conv1d grouped constant weight",
    lambda x: F.conv1d(x, x.new_ones(4, 1, 3), x.new_ones(4), padding="same", groups=4),
    (2, 4, 6),
)

case("conv_transpose1d", nn.ConvTranspose1d(3, 4, 3), (2, 3, 7))
case("conv_transpose2d", nn.ConvTranspose2d(3, 4, 3), (2, 3, 7, 6))
case("conv_transpose3d", nn.ConvTranspose3d(2, 4, 3), (2, 2, 4, 5, 4))
case(
    "conv_transpose1d all",
    nn.ConvTranspose1d(4, 6, 4, stride=3, padding=2, output_padding=2, groups=2, dilation=2),
    (2, 4, 7),
)
case(
    "conv_transpose2d all",
    nn.ConvTranspose2d(4, 6, (3, 4), stride=(2, 3), padding=(1, 2), output_padding=(1, 2), groups=2),
    (2, 4, 5, 6),
)
case(
    "conv_transpose2d dilation",
    nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=(2, 3), padding=1, output_padding=1),
    (2, 4, 5, 6),
)
case("conv_transpose2d no bias", nn.ConvTranspose2d(4, 6, 2, stride=2, bias=False), (2, 4, 5, 6))
case("conv_transpose2d depthwise", nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=4), (2, 4, 5, 6))
case(
    "conv_transpose2d output_padding above stride",
    nn.ConvTranspose2d(4, 3, 3, stride=1, dilation=3, output_padding=2),
    (2, 4, 5, 6),
)
case(
    "conv_transpose3d all",
    nn.ConvTranspose3d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
    (2, 4, 3, 4, 3),
)
case("conv_transpose3d dilation", nn.ConvTranspose3d(4, 4, 2, stride=2, dilation=2), (2, 4, 3, 4, 3))
case("conv_transpose1d unbatched", nn.ConvTranspose1d(3, 4, 3), (3, 7), frozen=True)
fn("conv_transpose2d output_size", nn.ConvTranspose2d(3, 4, 3, stride=2), (2, 3, 5, 5))
fn(
    "conv_transpose2d wide output_padding",
    lambda x: F.conv_transpose2d(x, x.new_ones(3, 2, 3, 3), stride=(3, 2), padding=2, output_padding=(2, 1)),
    (2, 3, 5, 5),
)
