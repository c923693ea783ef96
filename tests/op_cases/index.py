"""Indexing, writing to an index, and tensors made in forward."""

import torch
import torch.nn.functional as F

from tests.op_cases import Ints, fn

X = (2, 3, 4, 6)
for name, op in {
    "int": lambda x: x[:, 1],
    "int last": lambda x: x[..., 2],
    "int negative": lambda x: x[:, -1],
    "ints": lambda x: x[:, 1, -2],
    "ints apart": lambda x: x[:, 1, :, 3],
    "all ints": lambda x: x[:, 1, 2, 3],
    "int of the batch": lambda x: x[0],
    "int of the batch negative": lambda x: x[-1],
    "slice": lambda x: x[:, 1:],
    "slice end": lambda x: x[:, :, :-1],
    "slice negative": lambda x: x[:, -2:],
    "slice both": lambda x: x[:, 1:3, 1:-1],
    "slice to another batch": lambda x: torch.cat((x, x))[: x.size(0)],
    "slice to a tensor": lambda x: x[:, : torch.tensor(2)],
    "as_strided": lambda x: (
        x.as_strided((x.size(0), 3, 4, 4, 6), (72, 12, 6, 6, 1)) if x.is_contiguous() else x
    ),
    "whole axes as tensors": lambda x: x[torch.arange(x.size(0))[:, None], torch.arange(3)[None, :]],
    "whole axes in new places": lambda x: x[:, 0, :, 0][
        torch.arange(x.size(0))[:, None, None], torch.arange(4)[None, None, :]
    ],
    "slice step": lambda x: x[..., ::2],
    "slice step start": lambda x: x[..., 1::2, 1::3],
    "slice step stop": lambda x: x[..., 1:5:2],
    "slice beyond": lambda x: x[:, 1:100],
    "slice of the batch": lambda x: x[:1],
    "slice of the batch from 1": lambda x: x[1:],
    "slice of the batch to -1": lambda x: x[:-1],
    "slice of the batch step": lambda x: x[::2],
    "slice mixed": lambda x: x[:, 0, 1:, ::2],
    "None": lambda x: x[:, None],
    "None last": lambda x: x[..., None],
    "None several": lambda x: x[:, None, :, None],
    "None with int": lambda x: x[:, 0, None],
    "None with slice": lambda x: x[:, None, 1:, :, 0],
    "Ellipsis": lambda x: x[..., 0, :],
    "Ellipsis alone": lambda x: x[...] + 1,
    "list": lambda x: x[:, [0, 2]],
    "list negative": lambda x: x[:, :, [-1, 0, 1]],
    "tensor": lambda x: x[:, torch.tensor([2, 0, 1])],
    "tensor last": lambda x: x[..., torch.tensor([5, 0])],
    "tensor 2-d": lambda x: x[:, :, torch.tensor([[0, 1], [2, 3]])],
    "tensor with slice": lambda x: x[:, 1:, torch.tensor([2, 0])],
    "tensor with int": lambda x: x[:, 1, torch.tensor([2, 0])],
    "tensor with None": lambda x: x[:, None, torch.tensor([2, 0])],
    "tensor with int apart": lambda x: x[:, 1, :, torch.tensor([2, 0])],
    "tensors": lambda x: x[:, torch.tensor([0, 2]), torch.tensor([1, 3])],
    "tensors broadcast": lambda x: x[:, torch.tensor([[0], [2]]), torch.tensor([1, 3])],
    "tensors apart": lambda x: x[:, torch.tensor([0, 2]), :, torch.tensor([1, 3])],
    "tensors last": lambda x: x[:, :, torch.tensor([0, 2]), torch.tensor([1, 3])],
    "bool mask": lambda x: x[:, torch.tensor([True, False, True])],
    "bool mask 2-d": lambda x: x[:, :, torch.eye(4, 6).bool()],
    "bool list": lambda x: x[:, [True, False, True]],
    "range": lambda x: x[:, torch.arange(0, 3, 2)],
    "slice object": lambda x: x[(slice(None), slice(1, 2))],
    "select": lambda x: x.select(1, 1),
    "select negative": lambda x: torch.select(x, -1, -2),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "narrow negative": lambda x: x.narrow(-1, -3, 2),
    "index_select": lambda x: x.index_select(1, torch.tensor([2, 0])),
    "index_select negative": lambda x: torch.index_select(x, -1, torch.tensor([3, 3, 0])),
    "by computed place": lambda x: x[:, torch.arange(3).flip(0)],
    "setitem int": lambda x: _set(x, (slice(None), 1), 5.0),
    "setitem slice": lambda x: _set(x, (slice(None), slice(1, 3)), -1),
    "setitem last": lambda x: _set(x, (Ellipsis, 0), 0.0),
    "setitem several": lambda x: _set(x, (slice(None), 1, slice(1, 3)), 2.0),
    "setitem corner": lambda x: _set(x, (Ellipsis, slice(1, 3), slice(2, 4)), 2.0),
    "setitem tensor": lambda x: _set(x, (slice(None), 1), x[:, 0] * 2),
    "setitem tensor broadcast": lambda x: _set(x, (slice(None), slice(0, 2)), x[:, :1]),
    "setitem tensor slice": lambda x: _set(x, (Ellipsis, slice(1, 4)), x[..., :3] + 1),
    "setitem step": lambda x: _set(x, (Ellipsis, slice(0, None, 2)), 3.0),
    "setitem step tensor": lambda x: _set(x, (Ellipsis, slice(0, None, 2)), x[..., :3] * 2),
    "setitem step broadcast": lambda x: _set(x, (Ellipsis, slice(1, None, 2)), torch.arange(3.0)),
    "setitem all": lambda x: _set(x, slice(None), 3.0),
    "setitem mask": lambda x: _set(x, x > 0, -1.0),
    "setitem mask tensor": lambda x: _set(x, x < 0, 0.5),
    "setitem batch": lambda x: _set(x, 0, 3.0),
    "setitem list": lambda x: _set(x, (slice(None), [0, 2]), 3.0),
    "setitem list tensor": lambda x: _set(x, (slice(None), [0, 2]), x[:, :2] * 3),
    "in place on a slice": lambda x: _add_to(x),
    "in place on a chunk": lambda x: _chunk_relu(x),
    "copy_": lambda x: _copy(x),
    "zero_": lambda x: x + torch.ones_like(x).zero_(),
    "fill_": lambda x: x + torch.empty_like(x).fill_(2.0),
    "zeros at the batch": lambda x: torch.cat([x, torch.zeros(x.shape[0], 1, 4, 6)], 1),
    "ones at the batch": lambda x: torch.cat([x, torch.ones(x.size(0), 1, 4, 6)], 1),
    "full at the batch": lambda x: torch.cat([x, torch.full((x.size(0), 1, 4, 6), 2.5)], 1),
    "zeros whole at the batch": lambda x: torch.zeros(x.size(0), 4, dtype=torch.int64) + 2,
    "zeros_like": lambda x: torch.zeros_like(x) + x[:, :1],
    "ones_like": lambda x: torch.ones_like(x[:, 0]) * 3,
    "ones_like bool": lambda x: torch.where(torch.ones_like(x, dtype=torch.bool), x, 0.0),
    "full_like": lambda x: torch.full_like(x, 0.5) * x,
    "new_zeros": lambda x: torch.cat([x.new_zeros(x.size(0), 1, 4, 6), x], 1),
    "new_ones": lambda x: x.new_ones(x.size(0), 5),
    "new_full": lambda x: x.new_full((x.size(0), 5), -2.0),
    "new_full with a 0-d tensor": lambda x: x.new_full((x.size(0), 5), torch.tensor(2.5)),
    "empty then filled": lambda x: _filled(x),
    "zeros constant": lambda x: x + torch.zeros(6) + torch.ones(4, 1),
    "eye": lambda x: x @ torch.eye(6),
    "linspace": lambda x: x * torch.linspace(0, 1, 6),
    "arange": lambda x: x + torch.arange(6),
    "arange of a size": lambda x: x + torch.arange(x.size(-1), dtype=torch.float32),
    "arange at the batch": lambda x: x[:, 0, 0, 0] + torch.arange(x.size(0)),
    "arange at the batch scaled": lambda x: torch.arange(1, 2 * x.size(0) + 1, 2).float() + x[:, 0, 0, 0],
    "tensor made": lambda x: x * torch.tensor([1.0, 2, 3, 4, 5, 6]),
    "rows of the batch": lambda x: x[torch.arange(x.size(0)), 1],
    "rows of the batch by argmax": lambda x: x[:, :, 0, 0].gather(1, x[:, :, 0, 0].argmax(1, keepdim=True)),
    "one_hot": lambda x: F.one_hot(x[:, :, 0, 0].argmax(1), 4),
    "argsort": lambda x: x.argsort(-1),
    "argsort descending": lambda x: torch.argsort(x, 1, descending=True),
    "sort": lambda x: x.sort(-1),
    "sort descending": lambda x: torch.sort(x, 2, descending=True),
    "topk": lambda x: x.topk(2, -1),
    "topk smallest": lambda x: torch.topk(x, 2, 1, largest=False),
    "topk default axis": lambda x: x.topk(3)[0],
    "kthvalue": lambda x: torch.kthvalue(x, 2, -1),
    "median": lambda x: torch.median(x, -1),
    "msort": lambda x: torch.msort(x.transpose(0, 1)),
    "cummax": lambda x: torch.cummax(x, -1),
}.items():
    fn(f"index {name}", op, X)


def _set(x, index, value):
    y = x.clone()
    y[index] = value
    return y


def _add_to(x):
    y = x.clone()
    y[:, 1] += 2
    y[..., 0].mul_(3)
    y.narrow(1, 0, 1).zero_()
    return y


def _chunk_relu(x):
    y = x.clone()
    y.chunk(3, 1)[1].relu_()
    y.view(x.size(0), -1)[:, 3] = 7.0
    return y


def _copy(x):
    y = torch.zeros(x.shape)
    y[:, :2].copy_(x[:, 1:])
    return y


def _filled(x):
    y = torch.empty(x.shape[0], 2, 6)
    y[:, 0] = x[:, 0, 0]
    y[:, 1] = 1.5
    return y


fn("gather", lambda x, i: x.gather(1, i), (2, 5), Ints((2, 3), 5))
fn("gather one", lambda x, i: x.gather(1, i), (2, 5), Ints((2, 1), 5))
fn("gather 3 axes", lambda x, i: torch.gather(x, 2, i), (2, 4, 5), Ints((2, 4, 3), 5))
fn("gather middle", lambda x, i: torch.gather(x, 1, i), (2, 4, 5), Ints((2, 3, 5), 4))
fn("gather smaller", lambda x, i: torch.gather(x, 2, i), (2, 4, 5), Ints((2, 3, 3), 5))
fn(
    "gather expanded",
    lambda x, i: torch.gather(x, 1, i.unsqueeze(-1).expand(-1, -1, 5)),
    (2, 4, 5),
    Ints((2, 3), 4),
)
fn("take_along_dim", lambda x, i: torch.take_along_dim(x, i, 1), (2, 5), Ints((2, 3), 5))
fn("index by an input", lambda x, i: x[:, i], (2, 5, 3), torch.tensor([4, 0, -1]))
fn("index table by an input", lambda w, i: w[i], (7, 4), Ints((3, 2), 7))
fn("index_select by an input", lambda x, i: x.index_select(1, i), (2, 5, 3), torch.tensor([4, 0]))
fn(
    "index relative positions",
    lambda x, t: x + t[torch.arange(16).reshape(4, 4) % 7].permute(2, 0, 1),
    (2, 3, 4, 4),
    torch.randn(7, 3),
)
fn("one_hot of an input", lambda i: F.one_hot(i, 5).float(), Ints((2, 3), 5))
fn(
    "scatter",
    lambda x, i: torch.zeros(x.shape[0], 5).scatter(1, i, x),
    (2, 3),
    torch.tensor([[0, 2, 4], [3, 1, 0]]),
)
fn(
    "scatter, the last of several",
    lambda x, i: (torch.zeros(x.shape[0], 5).scatter(1, i, x), x.scatter(1, i, x)),
    (2, 6),
    torch.tensor([[0, 2, 2, 4, 0, 0], [3, 3, 3, 3, 3, 1]]),
)
fn(
    "scatter along an axis within, the last of several",
    lambda x, i: torch.zeros(x.shape[0], 5, 2).scatter(1, i[:, :, None].expand(-1, -1, 2), x),
    (2, 4, 2),
    torch.tensor([[0, 2, 2, 4], [3, 1, 3, 3]]),
)
fn(
    "scatter whole numbers, the last of several",
    lambda i: torch.zeros(i.shape[0], 5, dtype=torch.int64).scatter(1, i, i * 7 + torch.arange(4)),
    torch.tensor([[0, 2, 2, 4], [3, 1, 3, 3]]),
)
fn("scatter a number into some rows", lambda x, i: x.scatter(2, i % 2, 1.5), (2, 4, 4), Ints((2, 3, 3), 5))
fn(
    "scatter to places of topk",
    lambda x: torch.zeros_like(x).scatter(1, x.topk(3, 1)[1], x.topk(3, 1)[0] * 2),
    (2, 6),
)
fn(
    "scatter to sorted places, some of them twice",
    lambda x, i: torch.zeros(x.shape[0], 5).scatter(1, i.sort(1)[0], x),
    (2, 6),
    torch.tensor([[0, 2, 2, 4, 0, 0], [3, 3, 3, 3, 3, 1]]),
)
for dtype in (torch.uint8, torch.int8, torch.bool):
    fn(
        f"scatter {str(dtype)[6:]}, the last of many",
        lambda x, i: x.new_zeros(x.shape[0], 5).scatter(1, i, x),
        torch.arange(600).reshape(2, 300).fmod(7).fmod(2).to(dtype),
        torch.arange(600).reshape(2, 300).fmod(5),
    )
fn(
    "index_copy, the last of several",
    lambda x, i: (
        x.index_copy(1, torch.tensor([0, 2, 0]), x[:, 1:] * 5),
        x.index_copy(1, i[0] % 4, x[:, 1:]),
    ),
    (2, 4),
    torch.tensor([[2, 3, 2], [2, 2, 2]]),
)
fn("scatter number", lambda i: torch.zeros(i.shape[0], 5).scatter_(1, i, 1.0), torch.tensor([[0, 2], [3, 1]]))
fn("scatter_add", lambda x, i: torch.zeros(x.shape[0], 5).scatter_add(1, i, x), (2, 3), Ints((2, 3), 5))
fn(
    "index_add of bools",
    lambda x: (x > 0).index_add(1, torch.tensor([0, 2, 0]), x[:, :3] > -0.5),
    (2, 4),
)
fn(
    "index_put of bools, accumulated",
    lambda x: (x > 0).t().index_put((torch.tensor([0, 0, 2]),), x.t()[:3] > -0.5, accumulate=True),
    (3, 4),
)
fn("a number and a new axis", lambda x: (x.mean()[None], x.sum()[..., None], x.mean()[None, None]), (2, 4))
fn("a number squeezed out, and a new axis", lambda x: x[:1, :1].squeeze()[None] * x, (2, 4))
fn("index_add", lambda x: torch.zeros(x.shape[0], 3).index_add(1, torch.tensor([0, 2, 0, 1]), x), (2, 4))
fn("index_fill", lambda x: x.index_fill(1, torch.tensor([0, 2]), 4.0), (2, 4))
fn("index_copy", lambda x: x.index_copy(1, torch.tensor([0, 2]), x[:, 2:] * 5), (2, 4))
fn("masked_scatter", lambda x: x.masked_fill(x > 0, 1.0), (2, 4))
fn("searchsorted", lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])), (2, 4))
fn("batch size as a number", lambda x: x / x.size(0), (2, 3))
fn("batch size reflected", lambda x: 2 * x.shape[0] + 1 - x, (2, 3))
fn("batch size in a tensor", lambda x: x + torch.tensor([1.0, x.shape[0], 2 * x.shape[0] + 1]), (2, 3))
fn("batch size as a tensor", lambda x: x * torch.tensor(x.shape[0]), (2, 3))
fn("resize_ to fewer", lambda x: x.sum(0).resize_(3), (2, 4))
fn("resize_as_ of the same size", lambda x: (x + 1).resize_as_(x), (2, 3))
fn("index by a list", lambda x: x[[1, 0]], torch.arange(12.0).reshape(3, 4))
fn("index by a list of lists", lambda x: x[:, [[1, 0], [2, 3]]], (2, 4))
fn(
    "take_along_dim counts round and round",
    lambda x: torch.take_along_dim(x, torch.tensor([[[4], [-7], [2]]]), 1),
    (3, 3, 2),
)
fn(
    "take_along_dim by the order of another axis",
    lambda x: torch.take_along_dim(x, x.argsort(-2), 1),
    (2, 2, 4, 4),
)
fn("take_along_dim that broadcasts", lambda x: torch.take_along_dim(x, torch.tensor([[1, -1]]), 1), (2, 4))
fn("index_select of a number", lambda x: x.sum().index_select(0, torch.tensor([0])), (2, 3))
fn(
    "new_full with a computed value",
    lambda x: x.new_full((2, 5), x.sum()),
    (2, 3),
    refuses="the net looks at the values of a tensor (item() or bool()): a symbol has one graph for all inputs",
    hint="compute with torch.where or a mask instead of Python control flow, or move this step out of forward",
    why="torch reads the number out of the tensor to fill with it; expand() fills with a tensor",
)
