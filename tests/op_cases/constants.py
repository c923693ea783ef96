"""Constants and numbers of every make: numpy's, bools, tensors of sizes, sparse ones; and nets in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import Ints, bools, case, fn, positive

WHOLE = Ints((2, 4), 6)


class Keeps(nn.Module):
    """A function of an input and of what the net keeps: numpy's arrays and numbers, sparse tensors."""

    def __init__(self, function: Callable[..., object], **kept: object) -> None:
        super().__init__()
        self.function = function
        for name, value in kept.items():
            is_tensor = isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter)
            self.register_buffer(name, value) if is_tensor else setattr(self, name, value)

    def forward(self, x):
        return self.function(self, x)


def sparse() -> torch.Tensor:
    places = torch.tensor([[0, 1, 1], [2, 0, 2]])
    return torch.sparse_coo_tensor(places, torch.tensor([3.0, 4.0, 5.0]), (2, 4))


# numpy's numbers and arrays
fn("numpy number times", lambda x: np.float64(2) * x - np.float32(0.5), (2, 4))
fn("numpy number divides", lambda x: x / np.sqrt(8) + np.float32(1) / (x.abs() + 1), (2, 4))
fn("numpy number power", lambda x: x.abs() ** np.float64(1.5) + x ** np.int64(2), (2, 4))
fn("numpy number of whole numbers", lambda x: x * np.int32(3) + x * np.float32(1.5), WHOLE)
fn("numpy number clip", lambda x: x.clip(np.float32(-0.5), np.float64(0.5)), (2, 4))
fn("numpy size", lambda x: x.reshape(x.shape[0], np.prod(x.shape[1:])), (2, 3, 4))
fn("numpy dim", lambda x: x.sum(np.int64(1)) + x.mean(dim=np.int64(-1), keepdim=True)[:, 0], (2, 4))
fn("numpy dims", lambda x: x.permute(*np.array([0, 2, 1])).sum(tuple(np.array([1, 2]))), (2, 3, 4))
fn("numpy index", lambda x: x[:, np.int64(3)] + x[:, np.int64(1) : np.int64(3)].sum(1), (2, 4))
fn("numpy index list", lambda x: x[:, [np.int64(0), np.int64(2)]], (2, 4))
fn("numpy index array", lambda x: x[:, np.array([0, 3, -1])], (2, 4))
fn("numpy mask", lambda x: x[:, np.array([True, False, True, True])], (2, 4))
fn("numpy array compared", lambda x: (x.round() == np.arange(4.0)).float(), (2, 4))
fn("numpy array times", lambda x: x * np.array([1, 2, 3, 4], "float32") + x / np.array(2.0), (2, 4))
fn("numpy whole array", lambda x: x - np.array([1, 2, 3, 4]), (2, 4))  # in float64, as numpy has it
fn(
    "numpy array, of whole numbers",
    lambda x: x * np.array([0.5, 2, 3, 4]) + x * np.array([1, 2, 3, 4]),
    WHOLE,
)
fn("numpy ufunc", lambda x: np.sqrt(np.maximum(x, np.float32(0.25))) + np.exp(x), (2, 4))
fn("numpy ufunc of tensors", lambda x: np.multiply(x[:, :2], x[:, 2:]), (2, 4))
fn("numpy split", lambda x: x.split([np.int64(1), np.int64(3)], 1)[1], (2, 4))
fn("numpy pad", lambda x: F.pad(x, tuple(np.array([1, 2]))), (2, 4))
fn("numpy factor", lambda x: F.interpolate(x, scale_factor=np.float64(2.0)), (2, 1, 2, 2))
fn("numpy made", lambda x: x * torch.full((4,), np.float32(3)) + torch.linspace(0, 1, np.int64(4)), (2, 4))
fn("numpy array as tensor", lambda x: x * torch.as_tensor(np.arange(4), dtype=x.dtype), (2, 4))
case(
    "numpy kept",
    Keeps(
        lambda net, x: x[:, : net.size] * net.scale + torch.from_numpy(net.line)[net.places],
        size=np.int64(2),
        scale=np.float32(0.3),
        line=np.array([1, 2, 3, 4], np.float32),
        places=np.array([2, 0]),
    ),
    (2, 4),
)
fn(
    "numpy's own method",
    lambda x: np.add.reduce(x, axis=1),
    (2, 4),
    refuses="the net looks at the values of a tensor (array()): a symbol has one graph for all inputs",
    hint="use torch's functions, and make numpy's arrays tensors: torch.as_tensor(array)",
    why="torch has no function of that name, and numpy computes values that a symbol does not have",
)

# Tensors of given values
fn("new_tensor number", lambda x: x * x.new_tensor(2), (2, 4))
fn("new_tensor list", lambda x: x + x.new_tensor([1, 2, 3, 4]), (2, 4))
fn("new_tensor nested", lambda x: x @ x.new_tensor([[1, 2], [3, 4], [5, 6], [7, 8]]), (2, 4))
fn("new_tensor dtype", lambda x: x + x.new_tensor(data=[1, 2, 3, 4], dtype=torch.float64), (2, 4))
fn("new_tensor whole", lambda x: x + x.new_tensor([1.7, 2.2, 0, 1]), WHOLE)
fn("new_tensor array", lambda x: x + x.new_tensor(np.array((0, 10, 20, 30))), WHOLE)
fn("new_tensor of a constant", lambda x: x + x.new_tensor(torch.arange(4)), (2, 4))
fn("new_tensor computed", lambda x: x.new_tensor(x[:, :2].int()) * 2, (2, 4))
fn("new_tensor of tensors", lambda x: x + x.new_tensor([torch.tensor(1.0), 2.0, 3, np.float64(4)]), (2, 4))
fn("new_tensor of computed ones", lambda x: x.new_tensor([[x.mean(), 1.0], [x.max(), x.shape[0]]]), (2, 4))
fn("new_tensor of the batch", lambda x: x * x.new_tensor([1, x.shape[0], 1, 1]), (2, 4))
fn("new of a list", lambda x: x + x.new([1, 2, 3, 4]), (2, 4))
fn(
    "new of sizes",
    lambda x: torch.cat([x, x.new(x.size()).zero_(), x.new(x.shape[0], 2).fill_(2)], 1),
    (2, 4),
)

# True and False as numbers
fn("bool added", lambda x: x + True, WHOLE)
fn("bool bounds", lambda x: torch.clamp(x, False, True), (2, 4))
fn("bool where", lambda x: torch.where(x > 2, True, x), WHOLE)
fn("bool filled", lambda x: x.masked_fill(x > 2, True), WHOLE)
fn("bool leaky_relu", lambda x: F.leaky_relu(x, True) + F.elu(x, True), (2, 4))

# Sizes and numbers read from tensors
fn(
    "sizes unpacked",
    lambda x: [x.reshape(x.shape[0], 3, a, b) for a, b in torch.tensor([[2, 4], [4, 2]])],
    (2, 3, 8),
)
fn("sizes of slices", lambda x: x[:, torch.tensor(1), : torch.tensor([2, 4])[1]], (2, 3, 8))
fn("sizes of splits", lambda x: x.split([a * b for a, b in torch.tensor([[1, 2], [2, 3]])], 2)[1], (2, 3, 8))
fn("sizes of steps", lambda x: x.narrow(2, torch.tensor(1), 3).repeat(1, torch.tensor(2), 1), (2, 3, 8))
fn("sizes of expand", lambda x: x[:, :, None].expand(-1, -1, torch.tensor(3), -1), (2, 3, 8))
fn("sizes of pad", lambda x: F.pad(x, tuple(torch.tensor([1, 2]))), (2, 3, 8))
fn("sizes of pools", lambda x: F.adaptive_avg_pool1d(x, torch.tensor(2)), (2, 3, 8))
fn("sizes of topk", lambda x: x.topk(torch.tensor(2))[0], (2, 8))
fn("slope as a tensor", lambda x: F.leaky_relu(x, torch.tensor(0.2)), (2, 8))
case(
    "slope as a buffer",
    Keeps(lambda net, x: F.leaky_relu(x, net.slope), slope=torch.tensor(0.2)),
    (2, 4),
    refuses="leaky_relu() with negative_slope as a tensor, which is computed",
    hint="give it as a number, or compute with the tensor",
    why="LeakyReLU's slope is a number",
)

# Sparse constants
case("sparse buffer", Keeps(lambda net, x: (net.adj @ x.t()).t(), adj=sparse()), (2, 4))
case(
    "sparse parameter", Keeps(lambda net, x: torch.sparse.mm(net.w, x.t()), w=nn.Parameter(sparse())), (2, 4)
)
fn("sparse mm", lambda x: torch.sparse.mm(sparse(), x.t()).t(), (2, 4))
fn(
    "sparse mm of numbers",
    lambda x: torch.mm(sparse().to_sparse_csr(), x.t()).t() + torch.spmm(sparse(), x.t()).t(),
    (2, 4),
)
fn("sparse addmm", lambda x: torch.sparse.addmm(x[:1, :2].t(), sparse(), x[:1].t(), beta=2, alpha=3), (2, 4))
fn("sparse made dense", lambda x: x * sparse().coalesce().to_dense().sum(0), (2, 4))
fn(
    "sparse of computed values",
    lambda x: (sparse() * x[0, 0]).to_dense() + torch.ones(2, 4).to_sparse(),
    (2, 4),
)

# Functions of whole numbers and of bools
for name in "sigmoid tanh exp sin sqrt erf log1p rsqrt atan expm1 cos sinh reciprocal erfc exp2 sinc".split():
    call = getattr(torch, name)
    fn(f"{name} of whole numbers", lambda x, call=call: call(x), WHOLE)
    fn(f"{name} of bools", lambda x, call=call: call(x), bools(2, 4))
# logit alone is infinite or nan at every whole number: nothing would be compared.
fn("logit of whole numbers", lambda x: torch.logit(x, 0.2), WHOLE)
fn("logit of bools", lambda x: torch.logit(x, 0.2), bools(2, 4))
fn("functions of an int8", lambda x: torch.sigmoid(x.to(torch.int8)) + torch.sqrt(x.to(torch.uint8)), WHOLE)
fn("softmax of whole numbers", lambda x: torch.softmax(x, 1, dtype=torch.float32), WHOLE)
fn("sum of whole numbers", lambda x: x.sum(1, dtype=torch.float32) + x.mean(1, dtype=torch.float32), WHOLE)
fn("where of a mask of whole numbers", lambda x: torch.where(x > 2, 1.0, 0.5), WHOLE)

# What MXNet computes in floats alone
fn("sparse and back", lambda x: x.to_sparse().to_dense(), (2, 3))
fn("rows of a sparse matrix and back", lambda x: x.to_sparse_csr().to_dense(), (2, 3))
fn("columns of a sparse matrix and back", lambda x: x.to_sparse_csc().to_dense(), (2, 3))
fn("matmul and mv of whole numbers", lambda x: x @ x.t() + torch.mv(x, x[0])[:, None], WHOLE)
fn("bmm of whole numbers", lambda x: torch.bmm(x, x.mT), Ints((2, 3, 4), 6))
fn("addmm of whole numbers", lambda x: torch.addmm(x[0, 0], x, x.new_ones(4, 3), beta=2, alpha=3), WHOLE)
fn(
    "linear of whole numbers",
    lambda x: F.linear(x, torch.arange(8).reshape(2, 4), torch.tensor([1, 2])),
    WHOLE,
)
fn(
    "conv of whole numbers",
    lambda x: F.conv1d(x, torch.arange(12).reshape(2, 3, 2), padding=1),
    Ints((2, 3, 4), 6),
)
fn("pool of whole numbers", lambda x: F.max_pool2d(x, 2), Ints((2, 3, 4, 4), 6))
fn("pad of whole numbers", lambda x: F.pad(x, (1, 2), value=7), Ints((2, 3, 4), 6))
fn("cummax of whole numbers", lambda x: torch.cummax(x, 1), Ints((2, 5), 9))
fn("topk of whole numbers", lambda x: x.topk(2)[0] + x.kthvalue(2)[0][:, None], Ints((2, 5), 99))
fn("isfinite of whole numbers", lambda x: torch.isfinite(x) & ~torch.isinf(x), WHOLE)


# Aliases, and what they call their arguments
def invertible(x: torch.Tensor) -> torch.Tensor:
    return x @ x.mT + 4 * torch.eye(3)


fn("inverse of torch", lambda x: torch.inverse(invertible(x)) + invertible(x).inverse(), (2, 3, 3))
fn(
    "det of torch",
    lambda x: torch.det(invertible(x)) + invertible(x).det() + invertible(x).logdet(),
    (2, 3, 3),
)
fn("slogdet of torch", lambda x: torch.slogdet(invertible(x)), (2, 3, 3))
fn("slogdet method", lambda x: invertible(x).slogdet()[1], (2, 3, 3))
fn("cholesky of torch", lambda x: torch.cholesky(invertible(x)) + invertible(x).cholesky(), (2, 3, 3))
fn("pinverse", lambda x: torch.pinverse(x) + x.pinverse(), positive(4, 3) + torch.eye(4, 3), frozen=True)
fn("matrix_power of torch", lambda x: torch.matrix_power(x, 3) + x.matrix_power(2), (2, 3, 3))
fn("matrix_exp", lambda x: torch.matrix_exp(x * 0.1), (2, 3, 3))
fn("chain_matmul", lambda x: torch.chain_matmul(x, x[:1].t() + torch.ones(4, 3), torch.ones(3, 2)), (2, 4))
fn("linalg aliases", lambda x: torch.linalg.matmul(x, x.mT) + torch.linalg.inv(invertible(x)), (2, 3, 3))
fn("vander", lambda x: torch.vander(x[0], 3), (2, 4))
fn("vander of a constant", lambda x: torch.vander(torch.arange(4.0) + 1, 3) + x.mean(), (2, 4))
fn(
    "vander increasing",
    lambda x: torch.vander(x[0], 3, increasing=True) + torch.vander(x[0], 3, True),
    (2, 4),
)
fn("linalg vander", lambda x: torch.linalg.vander(x, N=3), (2, 4))

# Any number of axes
fn("repeat three axes", lambda x: x.repeat(1, 2, 2, 2), (2, 3, 2, 2))
fn("repeat four axes", lambda x: x.repeat(3, 1, 2, 2), (2, 3, 2, 2))
fn("repeat all axes", lambda x: x.repeat(2, 3, 2, 2), (2, 3, 2, 2))
fn("repeat five axes", lambda x: x.repeat(1, 2, 2, 2, 2), (2, 3, 2, 1, 2))
fn("repeat with new axes", lambda x: x.repeat(2, 1, 2, 1, 2), (2, 3, 2))
fn("tile of many axes", lambda x: torch.tile(x, (2, 2, 2)) + x.tile(2, 1, 2, 2, 2).sum((0, 1)), (2, 3, 2))
fn("pixel_shuffle of five axes", lambda x: F.pixel_shuffle(x[None], 2), (2, 4, 2, 2))
fn("pixel_shuffle of six axes", lambda x: F.pixel_shuffle(x, 2), (2, 3, 2, 4, 2, 2))
fn("pixel_unshuffle of five axes", lambda x: F.pixel_unshuffle(x[:, None], 2), (2, 3, 4, 4))
fn("channel_shuffle of five axes", lambda x: F.channel_shuffle(x, 2), (2, 4, 2, 3, 2))
fn("permute of seven axes", lambda x: x.permute(0, 1, 2, 3, 6, 5, 4), (2, 2, 1, 2, 3, 2, 2))

# Sizes that follow the batch where MXNet wants a number: the batch is frozen
fn(
    "one_hot of the batch",
    lambda x: F.one_hot(torch.arange(x.shape[0]), x.shape[0]).float() @ x,
    (2, 4),
    frozen=True,
)
fn("channel_shuffle of the batch", lambda x: F.channel_shuffle(x[None], 2), (2, 4, 4, 6), frozen=True)
fn("quantile over the batch", lambda x: x.quantile(0.25, 0) + x.quantile(0.5), (2, 4), frozen=True)

fn("mask of one bool", lambda x: x + torch.arange(4)[torch.arange(4)[0] > -1], (2, 4))
fn("index by True", lambda x: x[torch.tensor(True)] * 2, (2, 4))

# What torch does with whole numbers in ways of its own
U8 = Ints((2, 4), 6, "uint8")
CUT = "call .float() on its input first"
fn("whole numbers: factors are cut", lambda x: torch.addcmul(x, x, x, value=0.5) + x, WHOLE)
fn(
    "whole numbers: alpha is cut",
    lambda x: torch.addmm(x, x, torch.eye(4).long(), beta=2.5, alpha=1.5),
    WHOLE,
)
fn("whole numbers: cummin", lambda x: torch.cummin(x - 2, 1), WHOLE)
fn("whole numbers: cummax of uint8", lambda x: torch.cummax(x, 1), U8)
fn("whole numbers: vander of bools", lambda x: torch.vander(x[0] > 2) + 0, WHOLE)
fn("whole numbers: a limit below 0 of uint8 wraps", lambda x: x.clamp(-250, 4), U8)
fn("whole numbers: uint8 against a number below 0", lambda x: (x > -250) & (x != -254), U8)
fn("bools: diff", lambda x: torch.diff(x > 2, n=2), WHOLE)
fn("bools: index_add", lambda x: (x > 2).index_add(1, torch.tensor([0, 0]), x[:, :2] > 1), WHOLE)
fn("bools: pad with a number", lambda x: F.pad(x > 2, (1, 2), value=0.5), WHOLE)
for name, function, what in (
    (
        "avg_pool1d",
        lambda x: F.avg_pool1d(x[None], 2)[0],
        "avg_pool1d() of int64, whose means torch cuts to whole numbers",
    ),
    (
        "local_response_norm",
        lambda x: F.local_response_norm(x[:, :, None], 2),
        "local_response_norm() of int64, whose means torch cuts to whole numbers",
    ),
):
    fn(f"whole numbers: {name}", function, WHOLE, refuses=what, hint=CUT, why="MXNet's means are floats")
fn(
    "whole numbers: interpolate of uint8",
    lambda x: F.interpolate(x[:, None, None], scale_factor=2, mode="bilinear"),
    U8,
    refuses="interpolate() of uint8, whose means torch rounds in a way of its own",
    hint=CUT,
    why="MXNet's resizing is of floats",
)
fn(
    "whole numbers: pairwise_distance of uint8",
    lambda x: F.pairwise_distance(x, x.flip(1)),
    U8,
    refuses="pairwise_distance() of uint8, whose differences wrap round",
    hint=CUT,
    why="the distance is computed in floats",
)
fn("float64: nan_to_num", torch.nan_to_num, torch.tensor([[1.0, math.inf], [-math.inf, 0.5]]).double())
fn(
    "float64: losses keep it",
    lambda x: F.binary_cross_entropy_with_logits(-16 - x.abs(), x * 0, reduction="none"),
    torch.linspace(-1, 1, 4).double()[None],
)
