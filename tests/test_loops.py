"""The author's loops are loops in the generated code: over scales, shifts, time, groups and depths."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.test_size import op_calls
from tests.zoo.run import statements
from tracer.conversion import Conversion, convert
from tracer.turns import Turns


def converted(model: nn.Module, *shapes: tuple[int, ...]) -> Conversion:
    """A net that folds, and agrees with torch at several batch sizes."""
    torch.manual_seed(0)
    conversion = convert(model.eval(), tuple(torch.randn(shape) for shape in shapes))
    assert conversion.folded, conversion.notes
    assert conversion.verify().ok
    return conversion


class Shifts(nn.Module):
    """All shifts of one map against another: two loops."""

    def __init__(self, reach: int = 3) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, left, right):
        h, w = left.shape[-2:]
        padded, costs = F.pad(right, [self.reach] * 4), []
        for dy in range(2 * self.reach + 1):
            for dx in range(2 * self.reach + 1):
                costs.append((left * padded[:, :, dy : dy + h, dx : dx + w]).mean(1, keepdim=True))
        return F.leaky_relu(torch.cat(costs, 1), 0.1)


class Scales(nn.Module):
    """Groups of channels, each with the sum of the one before (Res2Net)."""

    def __init__(self, width: int = 16, scales: int = 6) -> None:
        super().__init__()
        convs = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(scales - 1))
        self.convs, self.width = nn.ModuleList(convs), width
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(scales - 1))

    def forward(self, x):
        groups, outputs = torch.split(x, self.width, 1), []
        for i, (conv, bn) in enumerate(zip(self.convs, self.bns, strict=True)):
            y = groups[i] if i == 0 else y + groups[i]  # noqa: F821
            y = torch.relu(bn(conv(y)))
            outputs.append(y)
        return torch.cat([*outputs, groups[-1]], 1)


class Steps(nn.Module):
    """A loop over time that feeds each step's result to the next, with one set of weights."""

    def __init__(self, steps: int = 12, width: int = 24) -> None:
        super().__init__()
        self.cell, self.steps = nn.LSTMCell(4 + width, width), steps
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, 4)

    def forward(self, memory):
        h = c = memory.mean(1)
        y, ys = self.out(h), []
        for _ in range(self.steps):
            score = torch.softmax((self.query(h).unsqueeze(1) * memory).sum(-1), 1)
            context = (score.unsqueeze(-1) * memory).sum(1)
            h, c = self.cell(torch.cat([y, context], 1), (h, c))
            y = self.out(h)
            ys.append(y)
        return torch.stack(ys, 1)


class Heads(nn.Module):
    """The same steps for each scale, with a constant of its own size."""

    def __init__(self, widths: tuple[int, ...] = (8, 16, 24)) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Conv2d(width, 10, 1) for width in widths)
        self.register_buffer("sizes", torch.rand(len(widths), 1, 2) + 1)

    def forward(self, a, b, c):
        boxes = []
        for i, (head, x) in enumerate(zip(self.heads, (a, b, c), strict=True)):
            x = head(x)
            n, _, h, w = x.shape
            x = x.view(n, 2, 5, h, w).permute(0, 1, 3, 4, 2).sigmoid()
            ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack((xs, ys), -1).float()
            xy = (x[..., :2] * 2 - 0.5 + grid) * (64 / h)
            wh = (x[..., 2:4] * 2) ** 2 * self.sizes[i].view(1, 1, 1, 1, 2)
            boxes.append(torch.cat([xy, wh, x[..., 4:]], -1).reshape(n, -1, 5))
        return torch.cat(boxes, 1)


class Inner(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return x + torch.relu(self.two(torch.relu(self.one(x))))


class Stage(nn.Module):
    def __init__(self, i: int, o: int, depth: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(i, o, 3, 2, 1)
        self.blocks = nn.Sequential(*(Inner(o) for _ in range(depth)))
        self.leave = nn.BatchNorm2d(o)

    def forward(self, x):
        return torch.relu(self.leave(self.blocks(torch.relu(self.enter(x)))))


def test_two_loops_around_one_cut():
    conversion = converted(Shifts(), (1, 8, 12, 16), (1, 8, 12, 16))
    assert statements(conversion.code) <= 15
    assert "for i in range(7):\n        for j in range(7):" in conversion.code
    assert "begin=(None, None, i, j)" in conversion.code
    assert 'name=f"mean_{i}_{j}"' in conversion.code
    assert "Concat(*costs, name=" in conversion.code


def test_groups_from_a_split():
    conversion = converted(Scales(), (1, 96, 16, 16))
    assert statements(conversion.code) <= 17
    assert "split[i]" in conversion.code
    assert "y_add_{i}" in conversion.code


def test_time_hands_its_state_on():
    conversion = converted(Steps(), (1, 9, 24))
    assert statements(conversion.code) <= 47
    assert "for i in range(12):" in conversion.code
    assert conversion.code.count("lstm_cell(") == 2


def test_steps_for_each_scale_have_a_table():
    conversion = converted(Heads(), (1, 8, 16, 16), (1, 16, 8, 8), (1, 24, 4, 4))
    assert conversion.code.count("mx.sym.Convolution(") == 1
    assert "for i, (feature, size, scale, length) in enumerate(" in conversion.code
    assert conversion.program.variable("grid_1").shape == (1, 1, 8, 8, 2)


def test_how_many_is_an_argument():
    net = nn.Sequential(Stage(3, 8, 1), Stage(8, 8, 2), Stage(8, 16, 4), Stage(16, 16, 3))
    code = converted(net, (1, 3, 64, 64)).code
    assert code.count("def stage(") == 1
    assert "for i in range(depth):" in code


class Looks(nn.Module):
    """What a loop has made is read one by one, and all together, after it."""

    def forward(self, x):
        found = [x]
        for scale in range(2, 6):
            x = torch.tanh(x * scale)
            found.append(torch.exp(x) + x)
        return found[0] + found[3] * torch.stack(found[1:], 0).sum(0), x


def test_what_a_loop_has_made_is_read_by_its_place():
    conversion = converted(Looks(), (2, 5))
    assert "for i in range(4):" in conversion.code
    assert "* (i + 2)" in conversion.code
    assert "mx.sym.elemwise_mul(found[2], sum_" in conversion.code


class Swapped(nn.Module):
    """Each turn is given what the one before gave, the other way round."""

    def forward(self, a, b):
        for _ in range(5):
            a, b = torch.tanh(b * 3), torch.exp(a - b)
        return a, b


class ReadLate(nn.Module):
    """A turn reads what it was given after it has made what it hands on."""

    def forward(self, x):
        total = x
        for _ in range(4):
            y = torch.tanh(x * 2)
            total = total + torch.exp(x) * y
            x = y
        return total


class Uneven(nn.Module):
    """No loop: the turns do different things."""

    def forward(self, x):
        for i in range(6):
            x = torch.tanh(x) if i % 2 else torch.exp(x) - 1
        return x


class Comprehension(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(6, 3) for _ in range(4))

    def forward(self, x):
        return torch.cat([torch.softmax(head(x) * 2, -1) for head in self.heads], -1)


@pytest.mark.parametrize(
    "net", [Swapped(), ReadLate(), Uneven(), Comprehension()], ids=lambda net: type(net).__name__
)
def test_loops_that_hand_on_in_other_ways(net: nn.Module) -> None:
    shapes = [(2, 6)] * (2 if isinstance(net, Swapped) else 1)
    conversion = converted(net, *shapes)
    compile(conversion.code, "model_mxnet.py", "exec")


def test_no_statement_has_more_than_two_ops():
    import ast

    for net, shapes in ((Shifts(), [(1, 8, 12, 16)] * 2), (Steps(), [(1, 9, 24)])):
        code = converted(net, *shapes).code
        assert max(map(op_calls, ast.walk(ast.parse(code)))) <= 2


# Which turn runs ----------------------------------------------------------------------------------------


def turns(model: nn.Module, op: str) -> list[tuple[int, ...]]:
    conversion = convert(model.eval(), torch.ones(2, 6))
    return [node.source.turns for node in conversion.graph.nodes if node.op == op]


class Nested(nn.Module):
    def forward(self, x):
        for _outer in range(2):
            for _inner in range(3):
                x = torch.tanh(x)
        for _again in range(2):
            x = torch.tanh(x)
        return torch.tanh(x)


class While(nn.Module):
    def forward(self, x):
        n = 0
        while n < 3:
            x = torch.tanh(x)
            n += 1
        return x


def _twice(x):
    return torch.tanh(torch.tanh(x))


class Called(nn.Module):
    """One call takes several ops: that is no loop."""

    def forward(self, x):
        for _ in range(2):
            x = _twice(x)
        return sum([torch.tanh(x + i) for i in range(2)])


def test_turns_of_nested_loops():
    inner = [(outer, inner) for outer in range(2) for inner in range(3)]
    assert turns(Nested(), "tanh") == [*inner, (0,), (1,), ()]


def test_turns_without_a_target():
    assert turns(While(), "tanh") == [(0,), (1,), (2,)]


def test_turns_of_functions_and_comprehensions():
    assert turns(Called(), "tanh") == [(), (), (), (), (0,), (1,)]


# Shared weights -----------------------------------------------------------------------------------------


class Siamese(nn.Module):
    """One trunk of several layers read twice: its weights are made once."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(Stage(3, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6))

    def forward(self, left, right):
        return F.cosine_similarity(self.trunk(left), self.trunk(right))


class Borrowed(nn.Module):
    """A module that calls a layer of another's, and has one of its own: no path says where both stand."""

    def __init__(self, other: nn.Linear) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(6, 6), other

    def forward(self, x):
        return torch.tanh(self.other(torch.relu(self.own(x))) + x)


class Lender(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second, self.third = Borrowed(self.first), Borrowed(self.first)

    def forward(self, x):
        return self.third(self.second(self.first(x))) + self.second(x)


def test_shared_weights_are_made_once_and_handed_over_together():
    conversion = converted(Siamese(), (1, 3, 32, 32), (1, 3, 32, 32))
    code = conversion.code
    assert code.count("mx.rnn.RNNParams()") == 1
    assert 'left = trunk(left, params, "trunk", name="trunk")' in code
    assert 'right = trunk(right, params, "trunk", name="trunk2")' in code
    assert 'f"{path}_blocks_{i}"' in code
    assert len(conversion.arg_params) == len({*conversion.arg_params}) == len([*Siamese().parameters()])


def test_weights_that_are_lent_to_others():
    converted(Lender(), (2, 6))


class Unit(nn.Module):
    """A unit whose first layer is that of the unit before (ShaResNet)."""

    def __init__(self, shared: nn.Conv2d) -> None:
        super().__init__()
        self.shared, self.norm, self.own = shared, nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return x + torch.relu(self.own(torch.relu(self.norm(self.shared(x)))))


def test_one_layer_that_several_modules_hold():
    shared, other = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
    net = nn.Sequential(Unit(shared), Unit(shared), Unit(other), Unit(other), Unit(shared))
    converted(net, (1, 4, 8, 8))


class Prefixes(nn.Module):
    """All cuts begin at one place: the last of them is the whole, of whatever size."""

    def forward(self, x):
        return torch.cat([torch.tanh(x[:, :, : (2, 4, None)[i]]).sum(2, keepdim=True) for i in range(3)], 2)


def test_a_cut_to_the_last_stays_one_where_all_begin_alike():
    conversion = converted(Prefixes(), (1, 3, 8, 8))
    assert conversion.program.free_sizes
    assert "end=8" not in conversion.code


class Deep(nn.Module):
    """Loops deeper than there are counters, and calls in a row in the innermost."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Inner(4) for _ in range(3))

    def forward(self, x):
        for _a in range(2):
            for _b in range(2):
                for _c in range(2):
                    for _d in range(2):
                        for block in self.blocks:
                            x = block(x)
                        x = torch.exp(torch.tanh(x * 0.5))
        return x


def test_loops_deeper_than_there_are_counters():
    converted(Deep(), (1, 4, 6, 6))


def test_what_a_module_held_is_let_go_when_it_is_done():
    counts = Turns(_twice.__code__)

    def forward() -> int:
        counts.at(inspect.currentframe(), "tanh")
        return counts.known()

    before = counts.known()
    assert forward() > before
    counts.forget(before)
    assert counts.known() == before
