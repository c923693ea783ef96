"""torchvision's ops: by torchvision itself, or by the stand-in (tests/vision)."""

from __future__ import annotations

import torch
from torch import nn

from tests.op_cases import case, fn
from tests.vision import IS_REAL, ops
from tracer.op_facts import WAY_OUT, WAYS_OUT

NEVER = "one graph for all inputs: how many boxes are kept hangs on their values"


def boxes(count: int, images: int, size: float, wild: bool = False) -> torch.Tensor:
    """Seeded regions (image, x1, y1, x2, y2) around an image; `wild` ones are of any order and far outside."""
    generator = torch.Generator().manual_seed(count)
    corners = torch.rand(count, 4, generator=generator) * size * (3 if wild else 1.2)
    corners -= size * (1 if wild else 0.1)
    if not wild:
        low, high = torch.minimum(corners[:, :2], corners[:, 2:]), torch.maximum(
            corners[:, :2], corners[:, 2:]
        )
        corners = torch.cat([low, high + 0.25], 1)
    image = torch.randint(0, images, (count, 1), generator=generator).float()
    return torch.cat([image, corners], 1)


def plain(count: int, size: float = 10.0) -> torch.Tensor:
    """Seeded boxes (x1, y1, x2, y2)."""
    return boxes(count, 1, size)[:, 1:]


IMAGES = torch.randn(6, 12, 17, 13, generator=torch.Generator().manual_seed(0))
ROIS = boxes(6, 6, 16)


class Deform(nn.Module):
    """A layer with the convolutions that give its offsets and its mask."""

    def __init__(self, kernel, masked=False, offset_groups=1, filters=8, **options) -> None:
        super().__init__()
        places = offset_groups * kernel[0] * kernel[1]
        window = {k: v for k, v in options.items() if k in {"stride", "padding", "dilation"}}
        self.offset = nn.Conv2d(4, 2 * places, kernel, **window)
        self.mask = nn.Conv2d(4, places, kernel, **window) if masked else None
        self.conv = ops.DeformConv2d(4, filters, kernel, **options)

    def forward(self, x):
        offset = self.offset(x)
        if self.mask is None:
            return self.conv(x, offset)
        return self.conv(x, offset, self.mask(x).sigmoid())


case("deform_conv2d v1", Deform((3, 3), padding=1), (2, 4, 9, 8))
case("deform_conv2d v2", Deform((3, 3), masked=True, padding=1), (2, 4, 9, 8))
case("deform_conv2d without bias", Deform((3, 2), bias=False), (2, 4, 9, 8))
case(
    "deform_conv2d with stride and dilation",
    Deform((3, 3), masked=True, stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    (2, 4, 9, 8),
)
case("deform_conv2d in groups", Deform((3, 3), True, 4, groups=2), (2, 4, 7, 8))
case("deform_conv2d of one pixel", Deform((1, 1), masked=True, filters=3), (2, 4, 5, 4))
case("deform_conv2d at a batch above 64", Deform((1, 1)), (65, 4, 4, 3))
fn(
    "deform_conv2d, a function",
    lambda x, offset, weight: ops.deform_conv2d(x, offset * 3, weight[:4], padding=1),
    (2, 4, 6, 5),
    (2, 18, 6, 5),
    torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(1)),
)
fn(
    "deform_conv2d in double",
    lambda x: ops.deform_conv2d(x.double(), x.double()[:, :2], torch.ones(2, 4, 1, 1).double()),
    (2, 4, 6, 5),
)
case(
    "deform_conv2d to channels that groups of offsets do not divide",
    Deform((1, 1), False, 4, filters=6),
    (2, 4, 5, 5),
    refuses="deform_conv2d() to 6 channels with 4 groups of offsets",
    hint="MXNet's op wants a number of channels that the groups of offsets divide",
    why="contrib.ModulatedDeformableConvolution checks it",
)

for aligned in (False, True):
    for ratio in (-1, 0, 2):
        name = f"roi_align{' aligned' if aligned else ''} sampling_ratio={ratio}"
        fn(
            name,
            lambda x, rois, a=aligned, r=ratio: ops.roi_align(x, rois, (2, 3), 0.5, r, a),
            IMAGES,
            ROIS * torch.tensor([1.0, 2, 2, 2, 2]),
        )
fn("roi_align, wild boxes", lambda x, rois: ops.roi_align(x, rois, 2), IMAGES, boxes(6, 6, 16, wild=True))
fn("roi_align with a scale above 1", lambda x, rois: ops.roi_align(x, rois, 2, 3.0), IMAGES, ROIS)
fn(
    "roi_align of lists",
    lambda x, a, b: ops.roi_align(x[:2], [a, b], 2, 1.0, 2),
    IMAGES,
    plain(6),
    plain(6) + 1,
)
case("RoIAlign", ops.RoIAlign(3, 1.0, 2, aligned=True), IMAGES, ROIS)
fn("roi_align in double", lambda x, rois: ops.roi_align(x.double(), rois.double(), 2), IMAGES, ROIS)
for scale in (1.0, 1 / 3, 2.5):
    fn(f"roi_pool scale {scale:.2g}", lambda x, rois, s=scale: ops.roi_pool(x, rois, (2, 3), s), IMAGES, ROIS)
    fn(
        f"ps_roi_align scale {scale:.2g}",
        lambda x, rois, s=scale: ops.ps_roi_align(x, rois, (2, 3), s),
        IMAGES,
        ROIS,
    )
    fn(
        f"ps_roi_pool scale {scale:.2g}",
        lambda x, rois, s=scale: ops.ps_roi_pool(x, rois, (2, 3), s),
        IMAGES,
        ROIS,
    )
fn("roi_pool, wild boxes", lambda x, rois: ops.roi_pool(x, rois, 3), IMAGES, boxes(6, 6, 16, wild=True))
fn("ps_roi_pool, wild boxes", lambda x, rois: ops.ps_roi_pool(x, rois, 2), IMAGES, boxes(6, 6, 16, wild=True))
fn("ps_roi_pool, halves", lambda x, rois: ops.ps_roi_pool(x, (rois * 2).round() / 2, 2), IMAGES, ROIS)
fn("ps_roi_align sampling_ratio=2", lambda x, rois: ops.ps_roi_align(x, rois, 2, 1.0, 2), IMAGES, ROIS)
fn(
    "roi_pool with its places",
    lambda x, rois: torch.ops.torchvision.roi_pool(x, rois, 1.0, 2, 2),
    IMAGES,
    ROIS,
    refuses="the argmax of roi_pool()",
    hint="MXNet's op gives the values alone",
    why="ROIPooling keeps them for its gradient",
)


class Frozen(nn.Module):
    def __init__(self, eps: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.bn = ops.FrozenBatchNorm2d(8, eps)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


case("FrozenBatchNorm2d", Frozen(1e-5), (2, 3, 7, 6))
case("FrozenBatchNorm2d with its own eps", Frozen(1e-3), (2, 3, 7, 6))

fn(
    "nms",
    lambda rois, scores: rois[ops.nms(rois, scores, 0.5)],
    plain(6),
    (6,),
    refuses="the net looks at the values of a tensor (nms()): a symbol has one graph for all inputs",
    hint=WAYS_OUT["nms()"],
    why=NEVER,
)
for count in (6, 1200):  # torchvision takes two ways
    fn(
        f"batched_nms of {count}",
        lambda rois, scores: ops.batched_nms(rois, scores, (scores > 0).long(), 0.5),
        plain(count),
        (count,),
        refuses="the net looks at the values of a tensor (batched_nms()): a symbol has one graph for all inputs",
        hint=WAYS_OUT["batched_nms()"],
        why=NEVER,
    )


class Pyramid(nn.Module):
    """Boxes that read the level of a pyramid that suits their size."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ops.MultiScaleRoIAlign(["fine", "coarse"], 2, 2)

    def forward(self, fine, coarse, rois):
        return self.pool({"fine": fine, "coarse": coarse}, [rois], [(32, 32)])


def levels(fine, coarse, rois):
    """The way out of the refusal of MultiScaleRoIAlign: each level is read, and one is chosen."""
    level = ((rois[:, 3] - rois[:, 1]) > 4).reshape(-1, 1, 1, 1)
    boxes = torch.cat([torch.zeros_like(rois[:, :1]), rois], 1)
    read = [ops.roi_align(x, boxes, 2, scale, 2) for x, scale in ((fine, 0.5), (coarse, 0.25))]
    return torch.where(level == 0, read[0], read[1])


case(
    "MultiScaleRoIAlign",
    Pyramid(),
    (1, 3, 16, 16),
    (1, 3, 8, 8),
    plain(6, 32),
    refuses="the net looks at the values of a tensor (multiscale_roi_align()): a symbol has one graph for all inputs",
    hint=WAYS_OUT["multiscale_roi_align()"],
    why="one graph for all inputs: which level a box reads hangs on its size",
)
fn("roi_align on each of two levels", levels, (6, 3, 16, 16), (6, 3, 8, 8), plain(6, 32))

if IS_REAL:
    fn("box_iou", ops.box_iou, plain(6), plain(6) + 1)
    for given in ("xyxy", "xywh", "cxcywh"):
        for wanted in ("xyxy", "xywh", "cxcywh"):
            fn(
                f"box_convert {given} {wanted}",
                lambda x, a=given, b=wanted: ops.box_convert(x, a, b),
                plain(6),
            )
    fn("generalized_box_iou", ops.generalized_box_iou, plain(6), plain(6) + 1)
    fn("distance_box_iou", ops.distance_box_iou, plain(6), plain(6) + 1)
    fn("complete_box_iou", ops.complete_box_iou, plain(6), plain(6) + 1)
    fn("box_area", lambda x: ops.box_area(x), plain(6))
    fn("clip_boxes_to_image", lambda x: ops.clip_boxes_to_image(x, (6, 8)), plain(6))
    fn("sigmoid_focal_loss", lambda x, y: ops.sigmoid_focal_loss(x, y.sigmoid()), (2, 3), (2, 3))
    for name, layer in {
        "StochasticDepth": ops.StochasticDepth(0.5, "row"),
        "DropBlock2d": ops.DropBlock2d(0.5, 3),
        "SqueezeExcitation": ops.SqueezeExcitation(8, 2),
        "Conv2dNormActivation": ops.Conv2dNormActivation(8, 4),
    }.items():
        case(name, nn.Sequential(nn.Conv2d(3, 8, 3), layer).eval(), (2, 3, 9, 8))
    case("RoIPool", ops.RoIPool(3, 0.5), IMAGES, ROIS)
    case("PSRoIAlign", ops.PSRoIAlign(2, 0.5, 2), IMAGES, ROIS)
    case("PSRoIPool", ops.PSRoIPool(2, 0.5), IMAGES, ROIS)
    fn(
        "remove_small_boxes",
        lambda rois: rois[ops.remove_small_boxes(rois, 2.0)],
        plain(6),
        refuses="the net looks at the values of a tensor (remove_small_boxes()): a symbol has one graph for all inputs",
        hint=WAY_OUT,
        why=NEVER,
    )
