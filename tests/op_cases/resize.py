"""Resizing, padding, pixel shuffling."""

import torch.nn.functional as F
from torch import nn

from tests.op_cases import Ints, case, fn

SHAPES = {1: (2, 3, 7), 2: (2, 3, 5, 6), 3: (2, 3, 3, 4, 5)}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def _resize(name, shape, **kwargs):
    fn(f"interpolate {name}", lambda x: F.interpolate(x, **kwargs), shape)


for axes, shape in SHAPES.items():
    new = (11, 9, 8)[:axes]
    fewer = (3, 4, 2)[:axes]
    for mode in ("nearest", "nearest-exact", "area", LINEAR[axes], *(["bicubic"] if axes == 2 else [])):
        _resize(f"{mode} {axes}d larger", shape, size=new, mode=mode)
        _resize(f"{mode} {axes}d smaller", shape, size=fewer, mode=mode)
        _resize(f"{mode} {axes}d twice", shape, scale_factor=2, mode=mode)
        _resize(f"{mode} {axes}d half", shape, scale_factor=0.5, mode=mode)
        _resize(f"{mode} {axes}d scale 1.7", shape, scale_factor=1.7, mode=mode)
        _resize(f"{mode} {axes}d recomputed", shape, scale_factor=1.7, mode=mode, recompute_scale_factor=True)
        _resize(f"{mode} {axes}d same", shape, size=shape[2:], mode=mode)
        if mode.endswith(("linear", "cubic")):
            _resize(f"{mode} {axes}d corners", shape, size=new, mode=mode, align_corners=True)
            _resize(f"{mode} {axes}d corners smaller", shape, size=fewer, mode=mode, align_corners=True)
            _resize(f"{mode} {axes}d corners scale", shape, scale_factor=1.7, mode=mode, align_corners=True)
_resize("bilinear antialias", (2, 3, 9, 8), size=(4, 5), mode="bilinear", antialias=True)
_resize("bilinear antialias larger", (2, 3, 4, 5), size=(9, 8), mode="bilinear", antialias=True)
_resize("bicubic antialias", (2, 3, 9, 8), size=(4, 5), mode="bicubic", antialias=True)
_resize("nearest uneven factors", (2, 3, 4, 5), scale_factor=(2, 3), mode="nearest")
_resize("bilinear to 1", (2, 3, 4, 5), size=(1, 1), mode="bilinear")
_resize("bilinear corners to 1", (2, 3, 4, 5), size=(1, 1), mode="bilinear", align_corners=True)
_resize("bilinear from 1", (2, 3, 1, 1), size=(4, 5), mode="bilinear")
_resize("bilinear corners from 1", (2, 3, 1, 1), size=(4, 5), mode="bilinear", align_corners=True)
fn(
    "interpolate to another's size",
    lambda x, y: F.interpolate(x, y.shape[2:], mode="bilinear") + y,
    (2, 3, 4, 5),
    (2, 3, 8, 10),
)
case("upsample module", nn.Upsample(scale_factor=2), (2, 3, 4, 5))
case(
    "upsample bilinear module", nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), (2, 3, 4, 5)
)
case("upsample size module", nn.Upsample(size=(7, 9), mode="bilinear"), (2, 3, 4, 5))
case("upsample nearest 2d", nn.UpsamplingNearest2d(scale_factor=3), (2, 3, 4, 5))
case("upsample bilinear 2d", nn.UpsamplingBilinear2d(scale_factor=3), (2, 3, 4, 5))
fn("upsample function", lambda x: F.upsample(x, scale_factor=2), (2, 3, 4, 5))

for axes, shape in {1: (2, 3, 7), 2: (2, 3, 5, 6), 3: (2, 3, 4, 5, 6)}.items():
    sides = (1, 2, 3, 1, 2, 2)[: 2 * axes]
    for mode, layer in {
        "constant": (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d),
        "zero": (nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
        "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
        "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
        "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
    }.items():
        extra = (1.5,) if mode == "constant" else ()
        case(f"pad {mode} {axes}d", layer[axes - 1](sides, *extra), shape)
        case(f"pad {mode} {axes}d all sides", layer[axes - 1](2, *extra), shape)
        if mode != "zero":
            case(f"pad {mode} {axes}d unbatched", layer[axes - 1](sides, *extra), shape[1:])
for name, sides in {
    "last": (1, 2),
    "left only": (2, 0),
    "negative": (-1, 2),
    "negative both": (-1, -2),
    "negative two": (-1, 2, 3, -1),
    "channels": (0, 0, 0, 0, 1, 2),
    "channels and last": (1, 0, 0, 0, 1, 2),
    "none": (0, 0),
}.items():
    case(f"pad {name}", nn.ConstantPad2d(sides, 0.5), (2, 3, 5, 6))
for rank in range(1, 7):
    case(f"pad rank {rank}", nn.ConstantPad1d((1, 2), 2.0), (2, 3, 2, 3, 2, 4)[:rank] if rank > 1 else (3,))
fn("pad -inf", lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 2), (2, 3, 5, 5))
fn("pad with -inf itself", lambda x: F.pad(x, (0, 1, 2, 0), value=float("-inf")), (2, 3, 5, 5))
fn("pad with inf by parts", lambda x: F.pad(x, (0, 1, 0, 0, 1, 0, 0, 1), value=float("inf")), (2, 3, 4, 2, 3))
fn("pad whole numbers", lambda x: F.pad(x, (1, 2), value=3), Ints((2, 3)))
fn("pad bools", lambda x: F.pad(x > 0, (1, 2), value=True), (2, 3))
fn("pad negative reflect", lambda x: F.pad(x, (-1, 2, 1, 1), mode="reflect"), (2, 3, 5, 6))
fn("pad negative circular", lambda x: F.pad(x, (-1, 2, 1, 1), mode="circular"), (2, 3, 5, 6))
fn("pad replicate wide", lambda x: F.pad(x, (7, 7), mode="replicate"), (2, 3, 4))
fn("pad vectors", lambda x: F.pad(x, (1, 1)), (2, 5))
fn("pad batch", lambda x: F.pad(x, (0, 0, 1, 0)), (2, 5))
case("pixel_shuffle", nn.PixelShuffle(2), (2, 12, 3, 4))
case("pixel_shuffle unbatched", nn.PixelShuffle(2), (12, 3, 4))
case("pixel_unshuffle", nn.PixelUnshuffle(2), (2, 3, 4, 6))
fn("pixel_shuffle function", lambda x: F.pixel_shuffle(x, 3), (2, 9, 3, 4))
case("unfold", nn.Unfold(3), (2, 3, 6, 7))
case("unfold all", nn.Unfold((2, 3), dilation=(1, 2), padding=(1, 2), stride=(2, 1)), (2, 3, 6, 7))
case("unfold without a batch", nn.Unfold(2, stride=(1, 2)), (3, 4, 5))
case("fold without a batch", nn.Fold((4, 5), 2), (8, 12))
case("fold", nn.Fold((5, 6), 2), (2, 12, 20))
case("fold all", nn.Fold((6, 7), (2, 3), dilation=(1, 2), padding=(1, 0), stride=(2, 1)), (2, 12, 12))
fn("grid_sample", lambda x, g: F.grid_sample(x, g, align_corners=True), (2, 3, 5, 6), (2, 4, 3, 2))
fn("grid_sample align_corners False", lambda x, g: F.grid_sample(x, g), (2, 3, 5, 6), (2, 4, 3, 2))
fn("grid_sample border", lambda x, g: F.grid_sample(x, g, padding_mode="border"), (2, 3, 5, 6), (2, 4, 3, 2))
fn(
    "grid_sample reflection",
    lambda x, g: F.grid_sample(x, g, padding_mode="reflection"),
    (2, 3, 5, 6),
    (2, 4, 3, 2),
)
fn("grid_sample nearest", lambda x, g: F.grid_sample(x, g * 0.7, mode="nearest"), (2, 3, 5, 6), (2, 4, 3, 2))
fn("grid_sample bicubic", lambda x, g: F.grid_sample(x, g * 0.7, mode="bicubic"), (2, 3, 5, 6), (2, 4, 3, 2))
fn("affine_grid", lambda t: F.affine_grid(t, (t.shape[0], 3, 4, 5)), (2, 2, 3))
fn("affine_grid corners", lambda t: F.affine_grid(t, (t.shape[0], 3, 4, 5), align_corners=True), (2, 2, 3))
fn("spatial transformer", lambda x, t: F.grid_sample(x, F.affine_grid(t, x.shape)), (2, 3, 5, 6), (2, 2, 3))
fn("affine_grid 3d", lambda t: F.affine_grid(t, (t.shape[0], 3, 4, 5, 2)), (2, 3, 4))
fn(
    "pad that cuts all",
    lambda x: F.pad(x, (-4, 5)),
    (2, 3, 4),
    refuses="pad() that cuts all of an axis away",
    hint="write what it gives: torch.full",
    why="MXNet's arrays are not empty",
)
fn("pad replicate that cuts all", lambda x: F.pad(x, (-4, 5, 0, 0), mode="replicate"), (2, 3, 4, 4))
fn(
    "grid_sample of volumes",
    lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False),
    (2, 3, 4, 5, 6),
    (2, 2, 3, 2, 3),
)
