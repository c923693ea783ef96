"""In-place writes: through views, masks and indices, to bools and whole numbers, and by `out=`."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from tests.op_cases import fn

X = (2, 3, 4)
ANY = slice(None)


def _part(write: Callable[[torch.Tensor], Any]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A net that writes to a tensor, and gives it out."""

    def net(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        write(y)
        return y

    return net


def _set(index: Any, value: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    def net(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y[index] = value(x) if callable(value) else value
        return y

    return net


def _masked(write: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Any]) -> Callable[..., torch.Tensor]:
    """A net that writes to the first tensor, with the second and a mask of it."""

    def net(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        y = x * 1
        write(y, z, z > 0)
        return y

    return net


def _pieces(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x * 1
    a, b = y.split([1, 3], -1)
    a.relu_()
    return b, y


def _thirds(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x * 1
    a, _b, c = y.chunk(3, 1)
    a.relu_()
    c.add_(a)
    return c, y


def _base_then_view(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x * 1
    a, b = y.split(2, 2)
    y.mul_(2)
    a.add_(1)
    return a, b, y


def _diagonal_seen(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x * 1
    row, d = y[:, 0], y.diagonal(0, 1, 2)
    d.mul_(3)
    row.add_(1)
    return row, d, y


def _turned(name: str, *args: Any) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """A net that gives a tensor another shape in place, writes to it, and then to what it was cut from."""

    def net(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x * 1
        z = y[:, 1:]
        row = z[:, 0]
        getattr(z, name)(*args)
        z[:, 0] += 5
        y.mul_(2)
        return y, z, row

    return net


def _squeezed(x: torch.Tensor) -> torch.Tensor:
    y = (x * 1)[:, None]
    y.squeeze_(1)
    y[:, 0] = 3
    return y


def _turned_flat(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y.transpose_(1, 2).add_(1)
    return y * torch.arange(3.0)


def _outs(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    values, places = torch.empty(x.size(0), 3), torch.empty(x.size(0), 3, dtype=torch.long)
    torch.max(x, 2, out=(values, places))
    return values + 1, places


def _outs_kept(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    values, places = torch.empty(x.size(0), 3, 2), torch.empty(x.size(0), 3, 2, dtype=torch.long)
    first = values[:, 0]
    torch.topk(x, 2, out=(values, places))
    return first, values * 2


def _out_view(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    torch.add(x[:, 0], 5, out=y[:, 1])
    return y


def _bool(write: Callable[[torch.Tensor, torch.Tensor], Any]) -> Callable[[torch.Tensor], torch.Tensor]:
    def net(x: torch.Tensor) -> torch.Tensor:
        m = x > 0
        write(m, x)
        return m

    return net


def _ints(write: Callable[[torch.Tensor, torch.Tensor], Any]) -> Callable[[torch.Tensor], torch.Tensor]:
    def net(x: torch.Tensor) -> torch.Tensor:
        m = (x * 3).int()
        write(m, x)
        return m

    return net


def _put_at(m: torch.Tensor, index: Any, value: Any) -> None:
    m[index] = value


def _added(index: Any, value: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    def net(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y[index] += value
        return y

    return net


def _picked_steps(y: torch.Tensor, z: torch.Tensor, m: torch.Tensor) -> None:
    t = y[m]
    t *= 2
    t.clamp_(max=1)
    y[m] = t.sigmoid()


def _picked_before(y: torch.Tensor, z: torch.Tensor, m: torch.Tensor) -> None:
    t = y[m]
    y.mul_(5)
    y[m] = t + 1


def _rows(y: torch.Tensor, z: torch.Tensor, _m: torch.Tensor) -> None:
    m = z[:, :, 0] > 0
    y[m] = torch.softmax(z[m], -1)


T = torch.tensor
for name, op in {
    "split written, uneven": _pieces,
    "chunk written": _thirds,
    "view and base written in turn": _base_then_view,
    "unbind written": _part(lambda y: y.unbind(1)[2].mul_(3)),
    "unsafe_chunk written": _part(lambda y: y.tensor_split(3, 1)[1].mul_(3)),
    "diagonal written": _part(lambda y: y.diagonal(0, 1, 2).fill_(7)),
    "diagonal written, offset": _part(lambda y: y.diagonal(1, 1, 2).mul_(-3)),
    "diagonal written, others seen": _diagonal_seen,
    "diagonal written, negative axes": _part(lambda y: y.diagonal(-1, -1, -2).add_(2)),
    "unfold written": _part(lambda y: y.unfold(2, 2, 2).mul_(3)),
    "unfold written, one window": _part(lambda y: y.unfold(2, 2, 2)[:, :, 1].fill_(0)),
    "unfold written, gaps": _part(lambda y: y.unfold(2, 1, 2).mul_(3)),
    "unfold of overlaps written": _part(lambda y: y.unfold(2, 2, 1)[:, :, 1].mul_(3)),
    "unfold of overlaps filled": _part(lambda y: y.unfold(2, 2, 1).fill_(3)),
    "expand_as of 1 written": _part(lambda y: y[:, :, :1].expand(-1, -1, 1).add_(4)),
    "column of an expand written": _part(lambda y: y[:, :, None].expand(-1, -1, 2, -1)[:, :, 1].add_(4)),
    "expand seen after a write": lambda x: _expanded(x),
    "as_strided written": _part(lambda y: y.as_strided((y.size(0), 2, 2), (12, 8, 3)).mul_(3)),
    "movedim written": _part(lambda y: y.movedim(1, 2)[:, 1].mul_(3)),
    "swapped axes written": _part(lambda y: y.swapaxes(1, 2)[..., 0].fill_(3)),
    "flattened axes written": _part(lambda y: y.flatten(1)[:, 2:9].mul_(3)),
    "unflatten written": _part(lambda y: y.unflatten(2, (2, 2))[:, :, 1, 0].fill_(3)),
    "view_as written": _part(lambda y: y.view(y.size(0), 4, 3)[:, ::2].mul_(3)),
    "squeeze written": _part(lambda y: y[:, :1].squeeze(1).mul_(3)),
    "unsqueeze_, written": _turned("unsqueeze_", 1),
    "transpose_, written": _turned("transpose_", 1, 2),
    "t_ of a square, written": lambda x: _square(x),
    "squeeze_, written": _squeezed,
    "transpose_ and a product": _turned_flat,
    "out= of two tensors": _outs,
    "out= of topk, with a view": _outs_kept,
    "out= of a view": _out_view,
    "setitem tensors together": _set((ANY, T([0, 2]), T([3, 1])), 5.0),
    "setitem tensors together, a tensor": _set((ANY, T([0, 2]), T([3, 1])), lambda x: x[:, 1, :2]),
    "setitem tensors that broadcast": _set((ANY, T([[0], [2]]), T([3, 1])), lambda x: x[:, :2, :2]),
    "setitem tensors, a row": _set((ANY, T([0, 2]), T([3, 1])), lambda x: x[0, 0, :2] * 0 + T([1.0, 2.0])),
    "setitem tensors, negative": _set((ANY, T([-1, 0]), T([-1, -2])), -1.0),
    "setitem tensor 2-d": _set((ANY, ANY, T([[0, 1], [3, 2]])), lambda x: x.reshape(x.size(0), 3, 2, 2)),
    "setitem tensors and None": _set((ANY, None, T([0, 2]), T([3, 1])), lambda x: x[:, :1, :2]),
    "setitem tensors and None last": _set((ANY, T([0, 2]), T([3, 1]), None), lambda x: x[:, 0, :2, None]),
    "setitem mask 2-d, a tensor": _set((ANY, torch.eye(3, 4).bool()), lambda x: x[:, 0, :3]),
    "setitem list of bools": _set((ANY, [True, False, True]), lambda x: x[:, :1]),
    "setitem None and step": _set((ANY, ANY, None, slice(None, None, 2)), 3.0),
    "setitem None, a tensor": _set((ANY, None, 1), lambda x: x[:, :1]),
    "setitem None added": _added((ANY, None), 1),
    "setitem None sliced, multiplied": _part(lambda y: y[..., None, 1:3].mul_(2)),
    "setitem step None, multiplied": _part(lambda y: y[:, ::2, None].mul_(2)),
    "setitem empty": _set((ANY, slice(2, 2)), lambda x: x.mean()),
    "setitem empty, a number": _set((Ellipsis, slice(3, 1)), 4.0),
    "bools, a column of 3": _bool(lambda m, x: _put_at(m, (ANY, 0), 3)),
    "bools, a copy": _bool(lambda m, x: m.copy_(x * 2)),
    "bools, a copy of some": _bool(lambda m, x: _put_at(m, (ANY, 1), x[:, 0].relu())),
    "bools, masked_fill": _bool(lambda m, x: m.masked_fill_(x < -0.5, 5)),
    "bools, fill": _bool(lambda m, x: m.fill_(0.5)),
    "ints, True": _ints(lambda m, x: _put_at(m, ANY, True)),
    "ints, 2.7": _ints(lambda m, x: _put_at(m, (ANY, 1), 2.7)),
    "ints, a copy of floats": _ints(lambda m, x: m.copy_(x * 4)),
    "ints, floats at places": _ints(
        lambda m, x: _put_at(m, (ANY, T([0, 2]), T([3, 1])), (x[:, 0, :2] * 9).int())
    ),
    "ints, index_fill": _ints(lambda m, x: m.index_fill_(1, T([0, 2]), 3.0)),
    "ints, masked_fill": _ints(lambda m, x: m.masked_fill_(x > 0, 7.0)),
}.items():
    fn(f"in place: {name}", op, X)

for name, write in {
    "doubled": lambda y, z, m: _put_at(y, m, y[m] * 2),
    "another's": lambda y, z, m: _put_at(y, m, z[m] + y[m]),
    "log of what is above 0": lambda y, z, m: _put_at(y, m, torch.log(z[m])),
    "several steps": _picked_steps,
    "read before another write": _picked_before,
    "softmax of rows": _rows,
    "samples": lambda y, z, m: _put_at(y, m[:, 0, 0], z[m[:, 0, 0]] * y[m[:, 0, 0]]),
    "a column of rows": lambda y, z, m: _put_at(y, (m[:, :, 0], 1), y[m[:, :, 0], 0] * 2),
    "a number in ranges": lambda y, z, m: _put_at(y, (m[:, :, 0], slice(1, None)), 5.0),
    "the mean of all": lambda y, z, m: _put_at(y, m, y[m] + y.mean()),
    "the same mask again": lambda y, z, m: _put_at(y, z > 0, y[m] * 3),
    "a row for each": lambda y, z, m: _put_at(y, m[:, :, 0], y[m[:, :, 0]] * torch.arange(4.0)),
    "a product of rows": lambda y, z, m: _put_at(
        y, m[:, :, 0], z[m[:, :, 0]] @ torch.arange(16.0).reshape(4, 4)
    ),
    "of a view": lambda y, z, m: _put_at(y.view(y.size(0), -1), m.view(y.size(0), -1), 3.0),
}.items():
    fn(f"in place, masked: {name}", _masked(write), X, X, tolerance=1e-4)


def _expanded(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x * 1
    wide = y[:, :, None].expand(-1, -1, 2, -1)
    y[:, 0] = 2
    return wide * 1, y


def _square(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = torch.ones(3, 4) * x.mean()
    row = y[0]
    y.t_()
    y[0] = 4
    return y, row


def _diag(x: torch.Tensor) -> torch.Tensor:
    kept = torch.diag(x, 1)
    x[[1, 0], 2:4] = x[[1, 0], 2:4] * 2
    return kept


fn("in place: diag() is a copy, not a view", _diag, (4, 4))


def _shuffled(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x * 1
    z = F.channel_shuffle(y, 2)
    z.mul_(3)
    return z, y


def _rolled(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = torch.roll(x.permute(0, 2, 1), 1, 1) * 1
    y.flatten(1)[:, ::2] = 2
    return y, y + 1


def _reshaped(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x.permute(0, 2, 1) * 1
    z = y.reshape(-1)
    y.mul_(2)
    return y, z


def _hooked(x: torch.Tensor) -> torch.Tensor:
    y = x * (1 if x.numel() == 1 else 3)
    a, b = y.clone().chunk(2, 1)
    a.zero_()
    return SCALED(b)


SCALED = torch.nn.LayerNorm(4)
fn("in place: channel_shuffle() is a copy", _shuffled, (3, 2, 4))
fn("in place: flatten() of a rolled tensor", _rolled, (3, 2, 4))
fn("in place: reshape() of a permuted tensor", _reshaped, (3, 2, 4))
fn("in place: a piece that a module reads", _hooked, (3, 2, 4))


for name, write, op in (
    ("mul", lambda y: y.unfold(2, 2, 1).mul_(3), "mul"),
    ("setitem", lambda y: _put_at(y.unfold(2, 2, 1), (ANY, ANY, 0), 3.0), "setitem"),
    ("as_strided", lambda y: y.as_strided((2, 3, 2), (12, 1, 1)).add_(1), "add"),
):
    fn(
        f"in place: elements that are one in memory, {name}",
        _part(write),
        (2, 3, 4),
        refuses=f"{op}() in place on a tensor of which several elements are one in memory",
        hint="torch does not say what it gives: write to a clone() of the tensor",
        why="torch reads and writes such elements in an order of its own",
    )
