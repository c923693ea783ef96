"""Activations that differ between modules of one class: one function, told which by `act_type`."""

from __future__ import annotations

import ast

import pytest
import torch
from torch import nn

from codegen.fold.relations import halves_of_odd
from codegen.fold.told import defaults_of, without_told
from codegen.folded import MISSING, Argument
from codegen.write.literals import value_of
from tests.test_arguments_of_functions import signature
from tests.test_loops import converted
from tests.zoo.run import statements


def functions(code: str) -> dict[str, ast.FunctionDef]:
    return {own.name: own for own in ast.parse(code).body if isinstance(own, ast.FunctionDef)}


class HSwish(nn.Module):
    """The author's own, of several ops."""

    def forward(self, x):
        return x * nn.functional.relu6(x + 3.0) / 6.0


class Excite(nn.Module):
    """An inverted residual of which the first has no expansion, and most no skip."""

    def __init__(self, i: int, o: int, expand: int, act: type[nn.Module]) -> None:
        super().__init__()
        mid = i * expand
        self.expand = self._layer(i, mid, 1, 1, act) if expand > 1 else None
        self.depthwise = self._layer(mid, mid, 3, mid, act)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(mid, i // 4, 1),
            nn.ReLU(),
            nn.Conv2d(i // 4, mid, 1),
            nn.Sigmoid(),
        )
        self.project = nn.Sequential(nn.Conv2d(mid, o, 1, bias=False), nn.BatchNorm2d(o))
        self.skip = i == o

    @staticmethod
    def _layer(i: int, o: int, kernel: int, groups: int, act: type[nn.Module]) -> nn.Module:
        conv = nn.Conv2d(i, o, kernel, 1, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(o), act())

    def forward(self, x):
        y = x if self.expand is None else self.expand(x)
        y = self.depthwise(y)
        y = self.project(y * self.squeeze(y))
        return x + y if self.skip else y


class Mobile(nn.Module):
    PLAN = ((16, 16, 1), (16, 24, 4), (24, 24, 3), (24, 40, 4), (40, 40, 6), (40, 40, 6), (40, 48, 6))

    def __init__(self, *acts: type[nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.blocks = nn.Sequential(
            *(Excite(*own, acts[place * len(acts) // len(self.PLAN)]) for place, own in enumerate(self.PLAN))
        )

    def forward(self, x):
        return self.blocks(self.stem(x))


@pytest.mark.parametrize(
    ("acts", "words", "told"),
    [
        ((nn.ReLU, nn.Hardswish), {"relu", "hardswish"}, 'if act_type == "hardswish":'),
        ((nn.ReLU, nn.SiLU, nn.Tanh), {"relu", "silu", "tanh"}, 'if act_type == "silu":'),
        ((nn.ReLU, HSwish), {"relu", "h_swish"}, 'if act_type == "h_swish":'),
        ((nn.GELU, nn.SiLU), {"gelu", "silu"}, 'if act_type == "gelu":'),
    ],
)
def test_one_class_of_several_activations_is_one_function(
    acts: tuple[type[nn.Module], ...], words: set[str], told: str
) -> None:
    code = converted(Mobile(*acts), (2, 3, 32, 32)).code
    made = functions(code)
    assert told in code
    assert [name for name in made if name.startswith("excite")] == ["excite"], code
    block = made["excite"]
    assert {own.arg for own in block.args.kwonlyargs} == {"with_expand", "skip"}
    given = {
        ast.literal_eval(keyword.value)
        for node in ast.walk(made["Mobile"])
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "act_type"
    }
    assert given == words
    assert statements(code) <= 48


def test_ops_that_an_attribute_tells_apart_need_no_function_of_ours() -> None:
    code = converted(Mobile(nn.ReLU, nn.Tanh), (2, 3, 32, 32)).code
    assert "activation" not in functions(code)
    assert "act_type=act_type" in code


def test_one_activation_alone_is_written_where_it_stands() -> None:
    code = converted(Mobile(nn.Hardswish), (2, 3, 32, 32)).code
    assert "act_type == " not in code


class Slopes(nn.Module):
    """LeakyReLUs of two slopes beside a ReLU: one word would stand for two things."""

    def __init__(self) -> None:
        super().__init__()
        acts = (nn.LeakyReLU(0.1), nn.ReLU(), nn.LeakyReLU(0.2), nn.ReLU())
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), act) for act in acts)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_word_stands_for_one_thing() -> None:
    code = converted(Slopes(), (2, 4)).code
    assert "slope=0.1" in code
    assert "slope=0.2" in code
    assert "act_type == " not in code


class Activation(nn.Module):
    """A class of the author's that has the function's name."""

    def __init__(self, act: type[nn.Module]) -> None:
        super().__init__()
        self.fc, self.act, self.out = nn.Linear(4, 4), act(), nn.Linear(4, 4)

    def forward(self, x):
        return torch.sigmoid(self.out(self.act(self.fc(x))))


def test_the_authors_name_is_another() -> None:
    net = nn.Sequential(*(Activation(act) for act in (nn.ReLU, nn.SiLU, nn.ReLU, nn.SiLU, nn.SiLU)))
    code = converted(net, (2, 4)).code
    assert 'if act_type == "silu":' in ast.unparse(functions(code)["activation"]).replace("'", '"')
    assert "activation_2" in functions(code)


# Arguments ------------------------------------------------------------------------------------------


class Tall(nn.Module):
    """Kernels of one row or one column: a pad is half of either."""

    def __init__(self, i: int, o: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, padding=(kernel[0] // 2, kernel[1] // 2), bias=False)
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


def test_the_pad_of_a_kernel_that_is_no_square_is_computed() -> None:
    net = nn.Sequential(Tall(3, 8, (1, 7)), Tall(8, 8, (7, 1)), Tall(8, 12, (1, 3)), Tall(12, 8, (3, 1)))
    code = converted(net, (2, 3, 9, 9)).code
    assert "pad" not in signature(code, "tall")
    assert "pad=(kernel[0] // 2, kernel[1] // 2)" in code


def test_halves() -> None:
    found = halves_of_odd(((0, 3), (1, 0)), {"kernel": ((1, 7), (3, 1))})
    assert found == (Argument("kernel", divisor=2, item=0), Argument("kernel", divisor=2, item=1))
    assert value_of(found).text == "(kernel[0] // 2, kernel[1] // 2)"
    assert value_of(found).reads == ("kernel", "kernel")
    assert halves_of_odd(((0, 3), (1, 1)), {"kernel": ((1, 7), (3, 1))}) is None
    assert halves_of_odd(((1, 1),), {"kernel": ((2, 3),)}) is None, "an even kernel has another pad"
    assert halves_of_odd(((1, 1), MISSING), {"kernel": ((3, 3), MISSING)}) is None, "None has no items"


class Unit(nn.Module):
    """A squeeze that some lack: where its width is None, there is none."""

    def __init__(self, width: int, squeeze: int | None) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(8, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        if squeeze:
            self.down, self.up = nn.Conv2d(width, squeeze, 1), nn.Conv2d(squeeze, width, 1)
        self.back, self.last = nn.Conv2d(width, 8, 1), nn.BatchNorm2d(8)
        self.squeeze = squeeze

    def forward(self, x):
        y = torch.relu(self.bn(self.conv(x)))
        if self.squeeze:
            y = y * torch.sigmoid(self.up(torch.relu(self.down(y.mean((2, 3), keepdim=True)))))
        return torch.relu(x + self.last(self.back(y)))


def test_an_argument_that_is_none_is_its_own_flag() -> None:
    sizes = ((16, 2), (24, 2), (24, None), (32, 6), (16, None), (16, None), (16, 2))
    code = converted(nn.Sequential(*(Unit(*own) for own in sizes)), (2, 8, 6, 6)).code
    taken = signature(code, "unit")
    assert not any(
        name.startswith("with_") for name in ast.unparse(functions(code)["unit"].args).split()
    ), code
    assert "down_num_filter" in taken
    assert "if down_num_filter:" in code


def test_which_flags_an_argument_tells() -> None:
    flags = {frozenset([1]): "with_a", frozenset([0, 1]): "with_b"}
    listed = [
        ("size", (4, MISSING, 8)),
        ("shift", (MISSING, MISSING, 0)),
        ("with_a", (True, False, True)),
        ("with_b", (False, False, True)),
    ]
    named, left = without_told(flags, listed, [Argument("size")])
    assert named == {frozenset([1]): "size", frozenset([0, 1]): "with_b"}, "0 is no more true than None"
    assert [name for name, _ in left] == ["size", "shift", "with_b"]
    assert left[0] == ("size", (4, None, 8)), "a use without the part says so"
    assert defaults_of(left) == (("size", None),)
    named, left = without_told(flags, listed, [(4, Argument("with_a"))])
    assert named == flags, "something is computed from the flag"
    assert left == listed


class Wide(nn.Module):
    """Seven widths of which none follows from another: with flags, a function would have too many parameters."""

    def __init__(self, widths: tuple[int, ...], has_first: bool, has_last: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 8, 3, padding=1) if has_first else None
        pairs = zip((8, *widths), (*widths, 8), strict=True)
        self.layers = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in pairs)
        self.last = nn.Sigmoid() if has_last else nn.Identity()

    def forward(self, x):
        if self.first is not None:
            x = self.first(x)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.last(x)


def test_no_function_has_more_than_eight_parameters() -> None:
    widths = ((3, 5, 7, 11, 13, 17, 19), (5, 3, 19, 7, 11, 13, 17), (7, 19, 3, 5, 17, 11, 13))
    flags = ((True, True), (True, False), (False, True))
    uses = [(own, *flags[(n + m) % 3]) for m in range(2) for n, own in enumerate(widths)]
    code = converted(nn.Sequential(*(Wide(*use) for use in uses)), (2, 8, 6, 6)).code
    for name, made in functions(code).items():
        given = [own.arg for own in (*made.args.args, *made.args.kwonlyargs) if own.arg != "name"]
        assert len(given) <= 8, f"{name}: {given}"
