"""Other spellings of ops: each has its rule in the family of the first."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import case, fn

fn("atleast_1d", lambda x: torch.atleast_1d(x.sum()) + x, (2, 3))
fn("atleast_2d", lambda x: torch.atleast_2d(x.sum()) + x, (2, 3))
fn("cummin", lambda x: torch.cummin(x, 1), (2, 5))
fn("feature_dropout", lambda x: torch.feature_dropout(x, 0.5, False), (2, 3, 4, 4))
fn("ger", lambda x: torch.ger(x[0], x[1]), (2, 4))
fn("grid_sampler", lambda x, g: torch.grid_sampler(x, g, 0, 0, False), (2, 3, 5, 5), (2, 4, 4, 2))
fn("isneginf", lambda x: torch.isneginf(x), (2, 3))
fn("isposinf", lambda x: torch.isposinf(x), (2, 3))
fn("matrix_norm", lambda x: torch.linalg.matrix_norm(x), (2, 3, 4))
fn("logsigmoid", lambda x: F.logsigmoid(x), (2, 3))
fn("nanmean", lambda x: torch.nanmean(x, 1), (2, 3))
fn("native_channel_shuffle", lambda x: torch.native_channel_shuffle(x, 2), (2, 4, 3, 3))
fn("unsafe_chunk", lambda x: torch.unsafe_chunk(x, 2, 1), (2, 4))
fn("unsafe_split", lambda x: torch.unsafe_split(x, 2, 1), (2, 4))
fn("upsample", lambda x: F.upsample(x, scale_factor=2), (2, 3, 4, 4))
fn("vdot", lambda x: torch.vdot(x[0], x[1]), (2, 4))
fn("zeros for each pair of samples", lambda x: x @ x.T + torch.zeros(x.size(0), x.size(0)), (2, 3))
fn("ones for each pair of samples", lambda x: x @ x.T + torch.ones(x.size(0), x.size(0)), (2, 3))
fn("new_empty, filled", lambda x: x @ x.T + x.new_empty(x.size(0), x.size(0)).fill_(2), (2, 3))
fn("scalar_tensor of the batch size", lambda x: x * torch.scalar_tensor(x.size(0)), (2, 3))
fn("as_tensor of the batch size", lambda x: x * torch.as_tensor(x.size(0)), (2, 3))
fn("searchsorted, constant edges", lambda x: torch.searchsorted(torch.tensor([-1.0, 0.0, 1.0]), x), (2, 3))

# Classes of torch.nn that its own table leaves out.
for axes, shape in ((1, (2, 3, 4)), (2, (2, 3, 4, 4)), (3, (2, 3, 2, 4, 4))):
    case(f"LazyBatchNorm{axes}d", getattr(nn, f"LazyBatchNorm{axes}d")(), shape)
    case(f"LazyInstanceNorm{axes}d", getattr(nn, f"LazyInstanceNorm{axes}d")(affine=True), shape)
case("LazyLinear", nn.LazyLinear(5), (2, 3))
case("SyncBatchNorm", nn.SyncBatchNorm(3), (2, 3, 4, 4))
case("DataParallel", nn.Sequential(nn.DataParallel(nn.Linear(3, 4))), (2, 3))


class Scales(nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = nn.ParameterList([nn.Parameter(torch.rand(3) + 0.5) for _ in range(3)])

    def forward(self, x):
        for scale in self.scales:
            x = x * scale
        return x


case("ParameterList", Scales(), (2, 3))


class DropPath(nn.Module):
    """A sample is dropped as a whole in training, which inference does not show."""

    def forward(self, x):
        return x * (torch.rand(x.shape[0], 1, 1) < 0.75) / 0.75 if self.training else x


case("drop path", nn.Sequential(nn.Linear(4, 4), DropPath()), (2, 3, 4))
