"""Reductions."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import Ints, case, fn, positive

X = (2, 3, 4, 5)
for name in ("mean", "sum", "amax", "amin", "logsumexp", "var", "std"):
    op = getattr(torch, name)

    def _cases(name=name, op=op):
        fn(f"{name} one axis", lambda x: op(x, 1), X)
        fn(f"{name} last", lambda x: op(x, -1), X)
        fn(f"{name} keepdim", lambda x: op(x, 2, keepdim=True), X)
        fn(f"{name} two axes", lambda x: op(x, (2, 3)), X)
        fn(f"{name} negative axes keepdim", lambda x: op(x, dim=(-1, 1), keepdim=True), X)

    _cases()
for name in ("mean", "sum", "amax", "amin", "max", "min", "prod", "any", "all", "norm"):
    op = getattr(torch, name)
    fn(f"{name} all", op, X)
for name in ("max", "min", "argmax", "argmin", "prod", "any", "all", "cumsum", "cumprod", "logcumsumexp"):
    op = getattr(torch, name)

    def _axis(name=name, op=op):
        fn(f"{name} axis", lambda x: op(x, 1), X)
        fn(f"{name} axis last", lambda x: op(x, -1), X)
        if not name.startswith(("cum", "log")):
            fn(f"{name} axis keepdim", lambda x: op(x, 2, keepdim=True), X)

    _axis()
fn("mean method axes list", lambda x: x.mean([2, 3]), X)
fn("mean axis keyword", lambda x: x.mean(axis=1), X)
fn("mean dtype", lambda x: x.mean(1, dtype=torch.float64), X)
fn("mean of everything but the batch", lambda x: x.mean((1, 2, 3)), X)
fn("mean over the batch", lambda x: x.mean(0), X)
fn("mean empty axes", lambda x: x.mean(()), X)
fn("sum whole", lambda x: x.sum(1), Ints((2, 3)))
fn("sum bools", lambda x: (x > 0).sum(1), X)
fn("sum bools all", lambda x: (x > 0).sum(), X)
fn("sum all keepdim", lambda x: x.sum((0, 1, 2, 3), keepdim=True), X)
fn("prod whole", lambda x: x.prod(1), Ints((2, 3)))
fn("max values only", lambda x: x.max(1)[0], X)
fn("max values by name", lambda x: x.max(dim=1, keepdim=True).values, X)
fn("max indices only", lambda x: x.max(-1).indices, X)
fn("max whole", lambda x: x.max(1)[0], Ints((2, 3)))
fn("aminmax", lambda x: torch.aminmax(x, dim=1), X)
fn("argmax all", lambda x: x[0].reshape(-1).argmax(), X)
fn("argmax whole used", lambda x: x.argmax(1) + 1, X)
fn("any of comparisons", lambda x: (x > 2).any(1), X)
fn("all of comparisons", lambda x: (x > -2).all(-1, keepdim=True), X)
fn("any two axes", lambda x: (x > 1.5).any((1, 2)), X)
fn("logsumexp far", lambda x: torch.logsumexp(x * 100, 1), X)
fn("var all", lambda x: x[:, 0].var((1, 2)), X)
fn("var biased", lambda x: x.var(1, unbiased=False), X)
fn("var correction", lambda x: torch.var(x, (2, 3), correction=2), X)
fn("std biased keepdim", lambda x: x.std((2, 3), unbiased=False, keepdim=True), X)
fn("var_mean", lambda x: torch.var_mean(x, 1), X)
fn("std_mean", lambda x: torch.std_mean(x, (2, 3), keepdim=True, correction=0), X)
fn("std of everything but the batch", lambda x: x.std(dim=(1, 2, 3)), X)
for p in (0, 1, 2, 3, float("inf"), float("-inf")):

    def _norms(p=p):
        fn(f"norm {p}", lambda x: torch.norm(x, p, 1), X)
        fn(f"vector_norm {p}", lambda x: torch.linalg.vector_norm(x, p, dim=(1, 2), keepdim=True), X)

    _norms()
fn("norm default", lambda x: x.norm(dim=1, keepdim=True), X)
fn("norm two axes", lambda x: x.norm(2, (2, 3)), X)
fn("norm fro", lambda x: x.norm(p="fro", dim=(2, 3)), X)
fn("linalg norm", lambda x: torch.linalg.norm(x, dim=1), X)
fn("linalg matrix norm", lambda x: torch.linalg.norm(x, dim=(2, 3)), X)
fn("norm all of a row", lambda x: x[0].norm(), X)
fn("cumsum whole", lambda x: x.cumsum(1), Ints((2, 3)))
fn("cumsum bools", lambda x: (x > 0).cumsum(1), X)
fn("count_nonzero", lambda x: torch.count_nonzero(x > 0, 1), X)
fn("nansum", lambda x: torch.nansum(x, 1), X)
fn("diff", lambda x: torch.diff(x, dim=1), X)
fn("cosine_similarity", lambda x, y: F.cosine_similarity(x, y), (2, 5, 3), (2, 5, 3))
fn("cosine_similarity dim", lambda x, y: F.cosine_similarity(x, y, -1, 0.5), (2, 5, 3), (2, 5, 3))
fn(
    "cosine_similarity broadcast",
    lambda x, y: F.cosine_similarity(x[:, :, None], y[:, None], -1),
    (2, 5, 3),
    (2, 4, 3),
)
case("cosine_similarity module", nn.CosineSimilarity(), (2, 5), (2, 5))
case("pairwise_distance", nn.PairwiseDistance(), (2, 5), (2, 5))
case("pairwise_distance arguments", nn.PairwiseDistance(3.0, 0.01, True), (2, 5), (2, 5))
case("pairwise_distance 1", nn.PairwiseDistance(1), (2, 5), (2, 5))
fn("cdist", lambda x, y: torch.cdist(x, y), (2, 5, 3), (2, 4, 3))
fn("cdist 1", lambda x, y: torch.cdist(x, y, p=1.0), (2, 5, 3), (2, 4, 3))
fn("dist", lambda x, y: torch.dist(x[0], y[0]), (2, 5), (2, 5))
fn("trace", lambda x: torch.trace(x[0]), (2, 3, 3))
fn("softmax of positives", lambda x: x.log().softmax(1), positive(2, 5))
fn(
    "logsumexp of nothing",
    lambda x: x.masked_fill(x < 5, -torch.inf).logsumexp(1),
    torch.tensor([[1.0, 2.0], [3.0, 7.0]]),
)
fn("diff of order 0", lambda x: torch.diff(x, n=0, prepend=x), (2, 3))
fn("vector_norm of order 0 of a number", lambda x: torch.linalg.vector_norm(x.sum(), 0), (2, 3))
fn(
    "cosine_similarity that broadcasts along the axis",
    lambda x, y: F.cosine_similarity(x, y, dim=1),
    (2, 3, 4),
    (2, 1, 4),
)
fn("histogram of float64", lambda x: tuple(torch.histogram(x.double().sum(0) / 3, 3)), (2, 9))
fn("histogram", lambda x: tuple(torch.histogram(x.sum(0), 4)), (2, 9))
fn("digamma", lambda x: torch.digamma(x * 3), (2, 9))
fn("polygamma", lambda x: torch.polygamma(2, x * 3), (2, 9))
fn(
    "scatter of a scalar, times a number",
    lambda x: x.sum().scatter(0, torch.tensor(0), 2.5, reduce="multiply"),
    (2, 3),
)
fn(
    "scatter of a scalar, times a scalar",
    lambda x: x.sum().scatter(0, torch.tensor(0), x.max(), reduce="multiply"),
    (2, 3),
)
fn(
    "scatter to a product",
    lambda x: x.scatter(1, torch.tensor([[0, 1]] * 2), 3.0, reduce="multiply"),
    (2, 5),
    frozen=True,
)
_PLACES = torch.tensor([0.0, 0.5, 1.5, 2.0, 4.0])
fn("gradient", lambda x: tuple(torch.gradient(x, dim=1)), (2, 5))
fn(
    "gradient over more places than there are",
    lambda x: torch.gradient(x, spacing=(_PLACES[:3],), dim=1)[0],
    (3, 2),
)
fn(
    "gradient over uneven places",
    lambda x: tuple(torch.gradient(x, spacing=(_PLACES,), dim=1, edge_order=2)),
    (2, 5),
)
