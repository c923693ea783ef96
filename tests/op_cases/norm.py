"""Normalisation layers."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import case, fn, positive


class Normalize(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        return F.normalize(x, self.p)


SHAPES = {1: (3, 4, 7), 2: (3, 4, 5, 6), 3: (3, 4, 2, 3, 4)}
for axes, norm in ((1, nn.BatchNorm1d), (2, nn.BatchNorm2d), (3, nn.BatchNorm3d)):
    shape = SHAPES[axes]
    case(f"batch_norm{axes}d", norm(4), shape)
    case(f"batch_norm{axes}d eps", norm(4, eps=0.1), shape)
    case(f"batch_norm{axes}d not affine", norm(4, affine=False), shape)
    case(f"batch_norm{axes}d momentum", norm(4, momentum=0.3), shape)
    case(f"batch_norm{axes}d momentum None", norm(4, momentum=None), shape)
    case(f"batch_norm{axes}d batch statistics", norm(4, track_running_stats=False), shape)
    case(
        f"batch_norm{axes}d batch statistics not affine",
        norm(4, affine=False, track_running_stats=False),
        shape,
    )
case("batch_norm1d of vectors", nn.BatchNorm1d(4), (3, 4))
case("batch_norm1d of vectors not affine", nn.BatchNorm1d(4, affine=False, eps=2e-5), (3, 4))
case("batch_norm1d of vectors batch statistics", nn.BatchNorm1d(4, track_running_stats=False), (3, 4))
fn(
    "batch_norm functional",
    lambda x: F.batch_norm(x, torch.zeros(4) + 0.3, torch.ones(4) * 2, torch.arange(4.0), None),
    (3, 4, 5),
)
fn(
    "batch_norm functional training",
    lambda x: F.batch_norm(x, None, None, training=True, eps=0.01),
    (3, 4, 5),
)

for axes in (1, 2, 3):
    shape = (2, 3, 4, 5)
    last = shape[-axes:]
    case(f"layer_norm over {axes}", nn.LayerNorm(last), shape)
    case(f"layer_norm over {axes} not affine", nn.LayerNorm(last, elementwise_affine=False, eps=1e-3), shape)
    case(f"layer_norm over {axes} no bias", nn.LayerNorm(last, bias=False), shape)
case("layer_norm of vectors", nn.LayerNorm(6), (2, 6))
case("layer_norm eps", nn.LayerNorm(6, eps=0.1), (2, 5, 6))
case("layer_norm of everything but the batch", nn.LayerNorm((3, 4)), (2, 3, 4))
fn("layer_norm functional", lambda x: F.layer_norm(x, x.shape[1:]), (2, 3, 4))
fn("layer_norm functional weight", lambda x: F.layer_norm(x, (4,), torch.arange(4.0), None, 1e-6), (2, 3, 4))

for groups in (1, 2, 4):
    case(f"group_norm {groups}", nn.GroupNorm(groups, 4), (2, 4, 5, 6))
    case(f"group_norm {groups} not affine", nn.GroupNorm(groups, 4, affine=False), (2, 4, 5))
case("group_norm eps", nn.GroupNorm(2, 4, eps=0.1), (2, 4, 5, 6))
case("group_norm of vectors", nn.GroupNorm(2, 8), (2, 8))
case("group_norm 3d", nn.GroupNorm(2, 4), (2, 4, 2, 3, 4))

for axes, norm in ((1, nn.InstanceNorm1d), (2, nn.InstanceNorm2d), (3, nn.InstanceNorm3d)):
    shape = SHAPES[axes]
    case(f"instance_norm{axes}d", norm(4), shape)
    case(f"instance_norm{axes}d eps", norm(4, eps=0.1), shape)
    case(f"instance_norm{axes}d affine", norm(4, affine=True), shape)
    case(f"instance_norm{axes}d running", norm(4, track_running_stats=True), shape)
    case(
        f"instance_norm{axes}d running affine",
        norm(4, affine=True, track_running_stats=True, eps=0.01),
        shape,
    )
case("instance_norm2d unbatched", nn.InstanceNorm2d(4, affine=True), (4, 5, 6), frozen=True)

case("local_response_norm odd", nn.LocalResponseNorm(3), (2, 6, 5, 4))
case("local_response_norm arguments", nn.LocalResponseNorm(5, alpha=0.02, beta=0.6, k=2.0), (2, 7, 5, 4))
case("local_response_norm even", nn.LocalResponseNorm(4, alpha=0.02), (2, 7, 5, 4))
case("local_response_norm 1d", nn.LocalResponseNorm(3, alpha=0.02), (2, 7, 5))
case("local_response_norm 3d", nn.LocalResponseNorm(3, alpha=0.02), (2, 7, 2, 5, 3))
case("cross_map_lrn", nn.CrossMapLRN2d(3), (2, 6, 5, 4))
case("rms_norm", nn.RMSNorm(6), (2, 5, 6))
fn("rms_norm in float64", lambda x: F.rms_norm(x * 1e-4, (4,)), positive(2, 4).double())
case("rms_norm over two", nn.RMSNorm((5, 6), eps=0.01), (2, 5, 6))
case("rms_norm not affine", nn.RMSNorm(6, elementwise_affine=False), (2, 5, 6))
for p in (1.0, 2.0, 3.0, float("inf")):
    case(f"normalize {p}", Normalize(p), (2, 5, 6))
fn("normalize dim", lambda x: F.normalize(x, dim=-1, eps=0.5), (2, 5, 6))
fn(
    "batch_norm with computed statistics",
    lambda x: F.batch_norm(x, x.mean((0, 2)), x.abs().amax((0, 2)), None, None),
    (2, 3, 4),
)

WIDE = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
for name, net in {
    "batch_norm": nn.BatchNorm1d(3, affine=False),
    "instance_norm with statistics": nn.InstanceNorm1d(3, track_running_stats=True),
    "layer_norm": nn.LayerNorm(4, elementwise_affine=False),
    "layer_norm without a bias": nn.LayerNorm(4, bias=False),
}.items():
    case(f"{name} of float64 without affine", net.double(), WIDE)
fn(
    "layer_norm of half without affine",
    lambda x: F.layer_norm(x.half(), (4,)).float(),
    (2, 3, 4),
    tolerance=2e-3,
)
