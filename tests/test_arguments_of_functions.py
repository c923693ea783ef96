"""Functions take few arguments: what is computable from others is computed, in the author's words."""

from __future__ import annotations

import ast
from itertools import pairwise

import pytest
import torch
from torch import nn

from codegen.fold.argument_names import Known
from codegen.fold.arguments import Arguments
from codegen.fold.relations import follows, half_of_odd
from codegen.fold.told import defaults_of
from codegen.folded import MISSING, Argument
from codegen.write.literals import value_of
from tests.test_loops import converted
from tracer.conversion import convert


class Windows(nn.Module):
    """Attention's shapes without the attention: windows of a map, each with a table of its own."""

    def __init__(self, dim: int, num_heads: int, window_size: int, side: int) -> None:
        super().__init__()
        self.dim, self.num_heads, self.window_size = dim, num_heads, window_size
        self.input_resolution = (side, side)
        self.qkv, self.proj = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.hidden = nn.Linear(dim, 4 * dim)
        self.back = nn.Linear(4 * dim, dim)
        self.bias = nn.Parameter(torch.randn(num_heads, window_size**2, 1))

    def forward(self, x):
        n, (h, w), s = x.shape[0], self.input_resolution, self.window_size
        y = self.qkv(x).view(n, h // s, s, w // s, s, self.dim).transpose(2, 3)
        y = y.reshape(n, -1, s * s, self.num_heads, self.dim // self.num_heads).transpose(2, 3)
        y = (y + self.bias).transpose(2, 3).reshape(n, h // s, w // s, s, s, self.dim)
        y = self.proj(y.transpose(2, 3).reshape(n, h * w, self.dim))
        return x + self.back(torch.relu(self.hidden(y)))


class Stages(nn.Module):
    """Blocks of three widths, sides and numbers of heads, two of each."""

    SIZES = ((16, 2, 4, 16), (24, 4, 2, 8), (48, 8, 2, 4))

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Windows(*sizes) for sizes in self.SIZES for _ in range(2))
        widths = [sizes[0] for sizes in self.SIZES]
        self.merges = nn.ModuleList(nn.Linear(4 * i, o) for i, o in pairwise(widths))

    def forward(self, x):
        for i, (_, _, _, side) in enumerate(self.SIZES):
            x = self.blocks[2 * i + 1](self.blocks[2 * i](x))
            if i < len(self.merges):
                n, _, c = x.shape
                x = x.view(n, side // 2, 2, side // 2, 2, c).transpose(2, 3)
                x = self.merges[i](x.reshape(n, side * side // 4, 4 * c))
        return x


class ConvUnit(nn.Module):
    def __init__(self, i: int, o: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Squeezed(nn.Module):
    """A block with a squeeze, which is a 24th of the expanded width, in every block."""

    def __init__(self, i: int, o: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden_dim = 6 * i
        self.hidden_dim, self.has_shortcut = hidden_dim, stride == 1 and i == o
        self.expand = ConvUnit(i, hidden_dim, 1)
        self.depthwise = ConvUnit(hidden_dim, hidden_dim, kernel, stride, hidden_dim)
        self.squeeze, self.excite = nn.Conv2d(hidden_dim, i // 4, 1), nn.Conv2d(i // 4, hidden_dim, 1)
        self.project = nn.Conv2d(hidden_dim, o, 1, bias=False)

    def forward(self, x):
        y = self.depthwise(self.expand(x))
        scale = torch.relu(self.squeeze(y.mean((2, 3), keepdim=True)))
        y = self.project(y * torch.sigmoid(self.excite(scale)))
        return x + y if self.has_shortcut else y


class Mobile(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvUnit(3, 8, 3, 2)
        sizes = ((8, 8, 3, 1), (8, 12, 5, 2), (12, 12, 5, 1), (12, 20, 3, 2), (20, 20, 3, 1), (20, 24, 5, 2))
        self.blocks = nn.Sequential(*(Squeezed(*own) for own in sizes))

    def forward(self, x):
        return self.blocks(self.stem(x))


def signature(code: str, function: str) -> dict[str, str]:
    """The arguments of a generated function, each with its default's text."""
    made = next(
        own for own in ast.parse(code).body if isinstance(own, ast.FunctionDef) and own.name == function
    )
    names = [own.arg for own in made.args.args]
    texts = [""] * (len(names) - len(made.args.defaults)) + [ast.unparse(own) for own in made.args.defaults]
    flags = zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
    of_flags = {flag.arg: ast.unparse(default) if default else "" for flag, default in flags}
    return dict(zip(names, texts, strict=True)) | of_flags


def test_shapes_follow_from_what_the_author_keeps():
    code = converted(Stages(), (2, 256, 16)).code
    taken = signature(code, "windows")
    assert set(taken) == {"x", "dim", "num_heads", "window_size", "input_resolution", "name"}, code
    assert "4 * dim" in code
    assert "input_resolution // window_size" in code
    assert "window_size**2" in code


def test_a_block_takes_the_hidden_width_and_what_is_usual_is_left_out():
    code = converted(Mobile(), (2, 3, 64, 64)).code
    taken = signature(code, "squeezed")
    assert "hidden_dim" in taken
    assert "hidden_dim // 24" in code, "the squeeze is a part of the main width"
    assert "24 * " not in code
    assert not any(name[-1].isdigit() for name in taken), taken
    unit = signature(code, "conv_unit")
    assert unit["stride"] == "(1, 1)"
    assert unit["num_group"] == "1"
    assert "pad" not in unit, "it is half of the kernel everywhere"
    assert "pad=(kernel // 2, kernel // 2)" in code


@pytest.mark.parametrize(
    ("values", "bases", "text"),
    [
        ((64, 128), {"dim": (16, 32)}, "4 * dim"),
        ((16, 32), {"dim": (64, 128)}, "dim // 4"),
        ((80, 160), {"dim": (16, 32)}, None),  # by 5: two uses may well be so by chance
        ((80, 160, 240), {"dim": (16, 32, 48)}, "5 * dim"),
        ((384, 576, 960), {"squeeze": (16, 24, 40)}, None),  # 24 times: the squeeze is no base
        ((16, 24, 40), {"dim": (384, 576, 960)}, "dim // 24"),
        ((1, 2), {"dim": (16, 32)}, None),  # a stride is no part of a width
        ((8, 6, 4), {"dim": (32, 48, 64), "num_heads": (4, 8, 16)}, "dim // num_heads"),
        ((8, 6), {"dim": (32, 48), "num_heads": (4, 8)}, None),
        ((128, 384, 1024), {"dim": (32, 48, 64), "num_heads": (4, 8, 16)}, "dim * num_heads"),
        ((256, 16), {"window": (4, 2)}, "window**4"),
        ((16, 4, 1), {"side": (16, 14, 7), "window": (4, 7, 7)}, "side**2 // window**2"),
        ((64, 128, MISSING), {"dim": (16, 32, 7)}, "4 * dim"),
        ((64, 128, 28), {"dim": (16, 32, MISSING)}, None),
        ((0, 0, -1), {"dim": (16, 32, 48)}, None),
        ((True, 2), {"dim": (1, 2)}, None),
        ((3, 5, 7), {"dim": (16, 32, 48)}, None),
        ((511, 255), {"size": (256, 128)}, "2 * size - 1"),
        ((129, 65, MISSING), {"size": (128, 64, 7)}, "size + 1"),
        ((15, 7), {"size": (8, 4)}, None),  # small numbers are near each other by chance
        ((24, 32, 48), {"dim": (16, 24, 40)}, None),  # each 8 more: three uses may well be so by chance
        ((35, 67, 131, 259), {"dim": (16, 32, 64, 128)}, "2 * dim + 3"),
        ((240, 480, 720, 960), {"dim": (10, 20, 30, 40)}, None),  # 24 times, and nothing beside
        ((20, 28, 36, 45), {"dim": (16, 24, 32, 40)}, None),
    ],
)
def test_what_follows(values: tuple[object, ...], bases: dict[str, tuple[object, ...]], text: str | None):
    found = follows(values, bases)
    assert (found and value_of(found).text) == text
    if found is None:
        return
    for place, value in enumerate(values):
        if value is not MISSING:
            names = {name: own[place] for name, own in bases.items()}
            assert eval(text or "", {}, names) == value


def test_a_pad_is_half_of_an_odd_kernel_alone():
    assert half_of_odd((0, 1, 2), {"kernel": (1, 3, 5)}) == Argument("kernel", divisor=2)
    assert half_of_odd((1, 2), {"kernel": (2, 4)}) is None


def test_names_without_numbers():
    table = Arguments([])
    table.place("num_filter", (16, 24, 32), "expand")
    table.place("num_filter", (8, 40, 24), "reduce_1x1")
    _, arguments = table.settled()
    assert [name for name, _ in arguments] == ["num_filter", "reduce_1x1_num_filter"]


def test_an_attribute_names_a_number_that_agrees_at_every_use():
    known = Known((("in_planes", (16, 24, 40)), ("planes", (16, 24, 32))))
    table = Arguments([], known)
    wide, narrow = table.place("num_filter", (64, 96, 128), "a"), table.place("num_filter", (16, 24, 32), "b")
    chosen, arguments = table.settled()
    assert arguments == [("planes", (16, 24, 32))]
    assert (chosen[wide], chosen[narrow]) == (Argument("planes", 4), Argument("planes"))


def test_defaults_are_what_half_of_many_uses_share():
    one, two = (1, 1), (2, 2)
    given = [
        ("stride", (one, one, two, two)),
        ("kernel", (1, 3, 5, 7)),
        ("num_filter", (8, 8, 8, 16)),
        ("with_add", (True, False, False, False)),
    ]
    assert defaults_of(given) == (("stride", one), ("with_add", False))
    assert defaults_of([("stride", (one, one, two))]) == ()
    assert defaults_of([("num_group", (1, MISSING, 1, 4))]) == (("num_group", 1),)


class Bounded(nn.Module):
    def __init__(self, width: int, bound: float) -> None:
        super().__init__()
        self.fc, self.bound = nn.Linear(width, width), bound

    def forward(self, x):
        return torch.tanh(self.fc(x)).masked_fill(x > 0.5, self.bound) * 0.5


def test_nan_is_a_number_like_any_other():
    net = nn.Sequential(*(Bounded(4, bound) for bound in (1.0, float("nan"), 2.0)), nn.Hardtanh(-1, 1))
    conversion = convert(net.eval(), torch.randn(2, 4))
    assert conversion.folded, conversion.notes
