"""Shapes: views, axes, joining, cutting and repeating."""

import torch
from torch import nn

from tests.op_cases import Ints, case, fn

X = (2, 3, 4, 6)
for name, op in {
    "view": lambda x: x.view(x.size(0), -1),
    "view keeps": lambda x: x.view(x.size(0), 3, 24),
    "view splits": lambda x: x.view(x.size(0), 3, 2, 2, 6),
    "view merges the batch": lambda x: x.view(-1, 6),
    "view batch last": lambda x: x.permute(1, 2, 3, 0).reshape(72, -1),
    "view shape tuple": lambda x: x.view((x.shape[0], 12, 6)),
    "view -1 at the batch": lambda x: x.view(-1, 12, 6),
    "view batch times": lambda x: x.view(x.size(0) * 3, 4, 6),
    "view batch times and back": lambda x: x.view(x.size(0) * 3, 4, 6).view(x.size(0), 3, 4, 6),
    "view flat": lambda x: x.view(-1),
    "view_as": lambda x: x.view_as(x.reshape(x.size(0), 72)),
    "reshape": lambda x: x.reshape(x.shape[0], 4, 18),
    "reshape function": lambda x: torch.reshape(x, (-1, 24)),
    "reshape_as": lambda x: x.reshape_as(x.flatten(1)),
    "flatten": lambda x: torch.flatten(x, 1),
    "flatten middle": lambda x: x.flatten(1, 2),
    "flatten from 0": lambda x: x.flatten(0, 1),
    "flatten all": lambda x: x.flatten(),
    "flatten last": lambda x: x.flatten(2),
    "flatten negative": lambda x: x.flatten(-2, -1),
    "unflatten": lambda x: x.unflatten(3, (2, 3)),
    "unflatten inferred": lambda x: x.unflatten(-1, (-1, 2)),
    "ravel": lambda x: x.ravel(),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "squeeze not one": lambda x: x.squeeze(1),
    "squeeze negative": lambda x: x[..., :1].squeeze(-1),
    "squeeze several": lambda x: x[:, :1, :1].squeeze((1, 2)),
    "squeeze_": lambda x: x[:, :1].clone().squeeze_(1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "unsqueeze last": lambda x: x.unsqueeze(-1),
    "unsqueeze first": lambda x: x.unsqueeze(0),
    "transpose": lambda x: x.transpose(1, 2),
    "transpose negative": lambda x: x.transpose(-1, -2),
    "transpose batch": lambda x: x.transpose(0, 1),
    "swapaxes": lambda x: torch.swapaxes(x, 1, 3),
    "mT": lambda x: x.mT,
    "mH": lambda x: x.mH,
    "adjoint": lambda x: x.adjoint(),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "permute batch": lambda x: x.permute(3, 2, 0, 1),
    "permute negative": lambda x: torch.permute(x, (0, -1, 1, 2)),
    "permute none": lambda x: x.permute(0, 1, 2, 3),
    "movedim": lambda x: x.movedim(1, -1),
    "movedim several": lambda x: torch.movedim(x, (1, 2), (0, 1)),
    "contiguous": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last) + 1,
    "clone": lambda x: x.clone() * 1.5,
    "detach": lambda x: x.detach() + 1,
    "data": lambda x: x.data + 1,
    "expand": lambda x: x[:, :1].expand(-1, 5, -1, -1),
    "expand by sizes": lambda x: x[:, :, :1].expand(x.size(0), 3, 4, 6),
    "expand a new axis": lambda x: x[:, 0].expand(5, -1, -1, -1),
    "expand_as": lambda x: x[:, :1].expand_as(x),
    "expand a constant over the batch": lambda x: torch.arange(6.0).expand(x.shape[0], 6),
    "expand to several for each sample": lambda x: (
        x[0, 0, 0, :1].expand(6 * x.shape[0]).view(-1, 1, 1, 6) * x[:, :, :, -6:]
    ),
    "zeros for each sample": lambda x: torch.zeros(x.shape[0] * 5).scatter_reduce(
        0, (x[:, 0, 0, 0] > 0).long() + torch.arange(x.shape[0]) * 5, x[:, 0, 0, 1], "sum"
    ),
    "expand batch and others": lambda x: (
        torch.arange(6.0).view(1, 1, 6).expand(x.shape[0], 3, 6) + x[:, :, 0]
    ),
    "broadcast_to": lambda x: torch.broadcast_to(x[:, :1], x.shape),
    "cat": lambda x: torch.cat([x, x + 1], 1),
    "cat last": lambda x: torch.cat((x, x + 1, x - 1), dim=-1),
    "cat batch": lambda x: torch.cat([x, x + 1]),
    "cat one": lambda x: torch.cat([x], 1),
    "cat with whole numbers": lambda x: torch.cat([x, torch.ones(x.shape, dtype=torch.int64)], 1),
    "cat with empty": lambda x: torch.cat([x, x[:, :0]], 1),
    "cat uneven": lambda x: torch.cat([x, x[:, :1]], 1),
    "cat bools": lambda x: torch.cat([x > 0, x < 0.5], 1),
    "concat": lambda x: torch.concat([x, x], 2),
    "stack": lambda x: torch.stack([x, x + 1]),
    "stack middle": lambda x: torch.stack([x, x + 1, x], 2),
    "stack last": lambda x: torch.stack([x, x + 1], -1),
    "hstack": lambda x: torch.hstack([x, x]),
    "vstack": lambda x: torch.vstack([x, x]),
    "dstack": lambda x: torch.dstack([x, x]),
    "column_stack": lambda x: torch.column_stack([x, x]),
    "split": lambda x: torch.split(x, 2, 2),
    "split uneven": lambda x: x.split(4, -1),
    "split sizes": lambda x: x.split([1, 2], 1),
    "split sizes equal": lambda x: torch.split(x, [2, 2], dim=2),
    "split one": lambda x: x.split(3, 1),
    "split used in part": lambda x: x.split([1, 2], 1)[1],
    "split_with_sizes": lambda x: x.split_with_sizes([1, 3, 2], 3),
    "chunk": lambda x: x.chunk(2, 2),
    "chunk uneven": lambda x: x.chunk(4, 3),
    "chunk negative": lambda x: torch.chunk(x, 3, dim=-3),
    "chunk fewer": lambda x: x.chunk(5, -1),
    "tensor_split": lambda x: torch.tensor_split(x, 4, 3),
    "tensor_split at": lambda x: torch.tensor_split(x, (1, 4), 3),
    "unbind": lambda x: x.unbind(1),
    "unbind last": lambda x: torch.unbind(x, -1)[2],
    "unbind one": lambda x: x[:, :1].unbind(1),
    "iteration": lambda x: [row * 2 for row in x.transpose(0, 1)],
    "flip": lambda x: x.flip(1),
    "flip several": lambda x: torch.flip(x, (-1, 2)),
    "fliplr": lambda x: torch.fliplr(x),
    "flipud": lambda x: torch.flipud(x.transpose(0, 1)),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "repeat new axis": lambda x: x.repeat(2, 1, 1, 1, 1),
    "repeat whole batch": lambda x: x.repeat(2, 1, 1, 1),
    "repeat a constant over the batch": lambda x: torch.arange(6.0).repeat(x.shape[0], 2),
    "tile": lambda x: x.tile(2, 2),
    "tile function": lambda x: torch.tile(x, (1, 2, 1, 1)),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "repeat_interleave flat": lambda x: torch.repeat_interleave(x, 3),
    "repeat_interleave batch": lambda x: torch.repeat_interleave(x, 3, dim=0),
    "repeat_interleave by a tensor": lambda x: torch.repeat_interleave(x, torch.tensor([1, 0, 2]), dim=1),
    "roll": lambda x: x.roll(1, 1),
    "roll several": lambda x: torch.roll(x, (-1, 2), (2, 3)),
    "roll flat": lambda x: torch.roll(x, 5),
    "roll beyond": lambda x: torch.roll(x, 8, 3),
    "size arithmetic": lambda x: x.view(x.size(0), x.size(1) * x.size(2) // 2, -1),
    "unfold method": lambda x: x.unfold(3, 3, 2),
    "diagonal": lambda x: x.diagonal(dim1=2, dim2=3),
    "tril": lambda x: x.tril(),
    "tril offset": lambda x: torch.tril(x, 1),
    "triu": lambda x: torch.triu(x, -1),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
    "meshgrid": lambda x: [
        x[:, :1, :2, :3] * g for g in torch.meshgrid(torch.arange(2.0), torch.arange(3.0), indexing="ij")
    ],
}.items():
    fn(name, op, X)
fn("t", lambda x: x.t(), (2, 3))
fn("T", lambda x: x.T, (2, 3))
fn("H", lambda x: x.H, (2, 3))
fn("hstack of vectors", lambda x: torch.hstack([x[0], x[1]]), (2, 3), frozen=False)
fn("column_stack of vectors", lambda x, y: torch.column_stack([x, y]), (3,), (3,))
fn("vstack of vectors", lambda x, y: torch.vstack([x, y]), (3,), (3,))
fn("squeeze all", lambda x: x.squeeze(), (2, 1, 3, 1))
fn("squeeze all to 0-d", lambda x: x.mean().reshape(1, 1).squeeze(), (2, 3))
fn("unsqueeze 0-d", lambda x: x.mean().unsqueeze(0), (2, 3))
fn("stack 0-d", lambda x: torch.stack([x.mean(), x.max()]), (2, 3))
fn("cat whole numbers", lambda x, y: torch.cat([x, y], 1), Ints((2, 3)), Ints((2, 2), 9))
fn("transpose whole numbers", lambda x: x.transpose(0, 1).reshape(-1), Ints((2, 3)))
fn("channel_shuffle", lambda x: torch.channel_shuffle(x, 2), (2, 4, 3, 3))
case("channel_shuffle module", nn.ChannelShuffle(3), (2, 6, 3, 3))
case("flatten module", nn.Flatten(), (2, 3, 4))
case("flatten module axes", nn.Flatten(2, 3), (2, 3, 4, 5))
case("flatten module of vectors", nn.Flatten(), (2, 3))
case("unflatten module", nn.Unflatten(1, (2, 3)), (2, 6, 4))
fn("meshgrid of inputs", lambda x: torch.meshgrid(x[0], x[1], indexing="ij"), (2, 3))
fn("meshgrid xy", lambda x, y: torch.meshgrid(x[0], y[0], indexing="xy"), (2, 3), (2, 4))
fn("broadcast_tensors", lambda x, y: torch.broadcast_tensors(x, y), (2, 3, 1), (2, 1, 4))
fn("atleast_3d", lambda x: torch.atleast_3d(x), (2, 3))
fn("half", lambda x: x.half().float(), (2, 3))
fn("bfloat16", lambda x: x.bfloat16().float(), (2, 3))
fn("unbind of a line", lambda x: x.sum(0).unbind(0), (2, 3))
fn("atleast_2d of a list", lambda x: torch.atleast_2d([x, x.sum()]), (2, 3))
fn("unfold of a number", lambda x: x.sum().unfold(0, 1, 1), (2, 3))
fn("line of one to a number", lambda x: x.sum((0, 1)).reshape(1).reshape(()) * 2, (2, 3))
fn("alias", torch.alias_copy, (2, 3))
fn("cuts of six axes", lambda x: x.view(-1, 2, 3, 1, 2, 2)[:, 1:, ::2, :, 0], (2, 12, 2))
fn("steps of six axes", lambda x: x.view(-1, 2, 3, 1, 2, 2)[..., 1::2, :-1], (2, 12, 2))
fn(
    "a step along the batch of six axes",
    lambda x: torch.stack([x, -x], 1).flatten(0, 1)[::2],
    (2, 2, 3, 1, 2, 2),
)
