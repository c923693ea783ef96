"""Linear layers, matrix products and embeddings."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import Ints, case, fn

case("linear of a vector", nn.Linear(4, 3), (4,), frozen=True)
case("linear", nn.Linear(4, 3), (2, 4))
case("linear 3 axes", nn.Linear(4, 3), (2, 5, 4))
case("linear 4 axes", nn.Linear(4, 3), (2, 5, 6, 4))
case("linear no bias", nn.Linear(4, 3, bias=False), (2, 4))
case("linear 3 axes no bias", nn.Linear(4, 3, bias=False), (2, 5, 4))
case("linear of a vector no bias", nn.Linear(4, 3, bias=False), (4,), frozen=True)
case("linear chain", nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), (2, 4))
fn("linear functional vector weight", lambda x, w: F.linear(x, w), (2, 5, 4), torch.arange(4.0))
fn(
    "linear functional of inputs",
    lambda x, w: F.linear(x, w.reshape(3, 4), w[:3]),
    (2, 5, 4),
    torch.arange(12.0),
)
case("bilinear", nn.Bilinear(3, 4, 5), (2, 3), (2, 4))
case("bilinear no bias", nn.Bilinear(3, 4, 5, bias=False), (2, 3), (2, 4))
case("bilinear 3 axes", nn.Bilinear(3, 4, 5), (2, 6, 3), (2, 6, 4))

MATRICES = (
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (4, 5)),
    ((3, 4), (4, 5)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (4, 5)),
    ((4,), (2, 4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((1, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (1, 4, 5)),
    ((2, 6, 3, 4), (4, 5)),
    ((2, 6, 3, 4), (6, 4, 5)),
    ((6, 3, 4), (2, 6, 4, 5)),
    ((2, 6, 3, 4), (2, 6, 4, 5)),
    ((2, 1, 3, 4), (2, 6, 4, 5)),
    ((2, 6, 3, 4), (4,)),
    ((4,), (2, 6, 4, 5)),
    ((2, 7, 6, 3, 4), (6, 4, 5)),
)
FROZEN = {((4,), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((6, 3, 4), (2, 6, 4, 5)), ((4,), (2, 6, 4, 5))}
for left, right in MATRICES:
    fn(f"matmul {left} {right}".replace(",)", ")"), torch.matmul, left, right, frozen=(left, right) in FROZEN)
fn("matmul operator", lambda x, y: x @ y, (2, 3, 4), (2, 4, 5))
fn("matmul transposed", lambda x, y: x @ y.transpose(-2, -1), (2, 6, 3, 4), (2, 6, 5, 4))
fn("matmul of itself", lambda x: x @ x.mT, (2, 3, 4))
fn("matmul method", lambda x, y: x.matmul(y), (2, 3, 4), (4, 5))
fn("mm", lambda x, y: torch.mm(x, y), (2, 3), (3, 5))
fn("mm with the batch inside", lambda x: x.t().mm(x), (3, 4))
fn("bmm", lambda x, y: torch.bmm(x, y), (2, 3, 4), (2, 4, 5))
fn("mv", lambda x, y: torch.mv(x, y), (2, 3), (3,))
fn("dot", lambda x: torch.dot(x[0], x[1]), (2, 3), frozen=False)
fn("inner", lambda x, y: torch.inner(x, y), (2, 3), (5, 3))
fn("outer", lambda x, y: torch.outer(x[0], y[0]), (1, 3), (1, 5))
fn("addmm", lambda x, y, z: torch.addmm(x, y, z), (5,), (2, 3), (3, 5), frozen=True)
fn("addmm scaled", lambda x, y, z: torch.addmm(x, y, z, beta=0.5, alpha=2), (5,), (2, 3), (3, 5), frozen=True)
fn("baddbmm", lambda x, y, z: torch.baddbmm(x, y, z, beta=0.5, alpha=2), (2, 3, 5), (2, 3, 4), (2, 4, 5))
fn("baddbmm beta 0", lambda x, y, z: torch.baddbmm(x, y, z, beta=0, alpha=2), (2, 3, 5), (2, 3, 4), (2, 4, 5))
fn(
    "addbmm",
    lambda x, y, z: torch.addbmm(x, y, z, beta=0.5, alpha=2),
    (3, 5),
    (2, 3, 4),
    (2, 4, 5),
    frozen=True,
)
fn("addmv", lambda x, y, z: torch.addmv(x, y, z, beta=0.5), (2,), (2, 3), (3,))
fn("matmul of whole numbers", lambda x, y: x @ y, Ints((2, 3, 4)), Ints((2, 4, 5)))

case("embedding", nn.Embedding(7, 4), Ints((2, 5), 7))
case("embedding padding_idx", nn.Embedding(7, 4, padding_idx=2), Ints((2, 5), 7))
case("embedding of a vector", nn.Embedding(7, 4), Ints((3,), 7))
case("embedding of int32", nn.Embedding(7, 4), Ints((2, 3, 4), 7, "int32"))
case("embedding from_pretrained", nn.Embedding.from_pretrained(torch.randn(7, 4)), Ints((2, 5), 7))
case("embedding max_norm", nn.Embedding(7, 4, max_norm=1.0), Ints((2, 5), 7))
case("embedding max_norm 1", nn.Embedding(7, 4, max_norm=1.5, norm_type=1.0), Ints((2, 5), 7))
fn(
    "embedding by positions",
    lambda x, w: F.embedding(torch.arange(x.shape[1]), w) + x[..., None],
    (2, 5),
    (9, 4),
)


class Bags(nn.Module):
    def __init__(self, mode, weighted=False, **options):
        super().__init__()
        self.bag = nn.EmbeddingBag(7, 4, mode=mode, **options)
        self.weighted = weighted

    def forward(self, ids, weights=None):
        if self.weighted:
            return self.bag(ids, per_sample_weights=weights)
        last = ids.shape[0] if self.bag.include_last_offset else 6
        return self.bag(ids, torch.tensor([0, 2, 2, last]))


for mode in ("sum", "mean", "max"):
    case(f"embedding_bag {mode}", nn.EmbeddingBag(7, 4, mode=mode), Ints((2, 5), 7))
    case(
        f"embedding_bag {mode} padding_idx", nn.EmbeddingBag(7, 4, mode=mode, padding_idx=2), Ints((2, 5), 7)
    )
    case(f"embedding_bag {mode} offsets", Bags(mode), Ints((9,), 7))
    case(f"embedding_bag {mode} last offset", Bags(mode, include_last_offset=True), Ints((9,), 7))
case("embedding_bag weights", Bags("sum", weighted=True), Ints((2, 5), 7), (2, 5))
case("embedding_bag max_norm", nn.EmbeddingBag(7, 4, max_norm=1.0), Ints((2, 5), 7))
fn("embedding of one number", lambda i, w: F.embedding(i.amax(), w), Ints((1,)), (5, 3))
fn("matmul over nothing", lambda x: x.sum(0)[:, :0] @ torch.zeros(0, 5) + x.sum(), (2, 3, 4))
fn("addmm over nothing", lambda x, y: torch.addmm(y, x.sum(0)[:, :0], torch.zeros(0, 5)), (2, 3, 4), (3, 5))
fn(
    "linear of nothing",
    lambda x: nn.functional.linear(x.sum(0)[:, :0], torch.zeros(5, 0)) + x.sum(),
    (2, 3, 4),
)
