"""Arguments of functions are called as the author calls what they take, and `num_filter` is a block's width."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.test_arguments_of_functions import signature
from tests.test_loops import converted
from tracer.frames import is_library
from tracer.words import Words


def conv1x1(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1, bias=False)


class Squeeze(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        mid_channels = channels // reduction + channels % 3
        self.conv1 = nn.Conv2d(channels, mid_channels, 1)
        self.conv2 = nn.Conv2d(in_channels=mid_channels, out_channels=channels, kernel_size=1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv2(torch.relu(self.conv1(x.mean((2, 3), keepdim=True)))))


class Expanded(nn.Module):
    """A block that widens its input, and makes another width of that: its layers stand in a list."""

    def __init__(self, inp: int, oup: int, ratio: int) -> None:
        super().__init__()
        hidden_dim = round(inp * ratio)
        self.use_skip, self.is_plain = inp == oup, ratio == 1
        layers: list[nn.Module] = []
        if ratio != 1:
            layers.append(conv1x1(inp, hidden_dim))
        layers.extend([nn.BatchNorm2d(hidden_dim), nn.Conv2d(hidden_dim, hidden_dim, 3, 1, 1)])
        layers += [Squeeze(hidden_dim, 4), conv1x1(hidden_dim, oup)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv(x) if self.use_skip else self.conv(x)


class Blocks(nn.Module):
    SIZES = ((8, 8, 2), (8, 16, 3), (16, 16, 5), (16, 20, 3), (20, 20, 4))

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Expanded(*sizes) for sizes in self.SIZES))

    def forward(self, x):
        return self.blocks(x)


def test_the_width_of_a_block_is_num_filter_and_other_widths_are_the_authors():
    code = converted(Blocks(), (2, 8, 6, 6)).code
    block = signature(code, "expanded")
    assert {"hidden_dim", "num_filter"} < set(block), code
    assert "num_filter=num_filter, no_bias=True" in code, "the last convolution takes the block's width"
    assert "mid_channels" in signature(code, "squeeze")
    assert not any(name.endswith("_num_filter") for name in block), block


def test_a_flag_is_the_attribute_that_tells_of_the_part():
    code = converted(Blocks(), (2, 8, 6, 6)).code
    assert signature(code, "expanded")["use_skip"] == "True"
    assert "if use_skip:" in code
    assert "with_" not in code


class Told(nn.Module):
    """Two attributes that say the same: neither is the flag."""

    def __init__(self, width: int, skips: bool, adds: bool) -> None:
        super().__init__()
        self.skips, self.adds, self.unasked = skips, adds, not skips
        self.conv, self.bn = nn.Conv2d(width, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width)

    def forward(self, x):
        y = torch.tanh(self.bn2(self.conv2(torch.relu(self.bn(self.conv(x))))))
        return x + y if self.skips and self.adds else y


@pytest.mark.parametrize(("adds", "flag"), [((True, False, False), "with_add"), ((True,) * 3, "skips")])
def test_a_flag_has_the_word_of_one_attribute_alone(adds: tuple[bool, ...], flag: str):
    skips = (True, False, False)
    net = nn.Sequential(*(Told(4, *own) for own in zip(skips, adds, strict=True)), nn.ReLU())
    assert flag in signature(converted(net, (2, 4, 5, 5)).code, "told")


class Attention(nn.Module):
    def __init__(self, dim: int, scale: float) -> None:
        super().__init__()
        self.qkv, self.scale = nn.Linear(dim, 3 * dim), scale

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return (q @ k.transpose(1, 2) * self.scale).softmax(-1) @ v + x


def test_a_number_of_an_operator_has_the_attributes_name():
    net = nn.Sequential(*(Attention(8, scale) for scale in (0.5, 0.25, 0.125)), nn.Linear(8, 4))
    code = converted(net, (2, 5, 8)).code
    assert "scale" in signature(code, "attention")
    assert "* scale" in code


class Halves(nn.Module):
    """Convolutions with the corners of one weight."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.h_in, self.h_out = i // 2 + i % 3, o // 2 + o % 3
        self.weight = nn.Parameter(torch.randn(o, i, 1, 1))

    def forward(self, x):
        one, two = x[:, : self.h_in], x[:, self.h_in :]
        one, two = torch.tanh(one), torch.sigmoid(two)
        conv = nn.functional.conv2d
        high = conv(one, self.weight[: self.h_out, : self.h_in])
        high = high + conv(two, self.weight[: self.h_out, self.h_in :])
        low = conv(one, self.weight[self.h_out :, : self.h_in])
        low = low + conv(two, self.weight[self.h_out :, self.h_in :])
        return torch.cat([high, low], 1)


def test_the_ends_of_slices_are_made_of_the_authors_numbers():
    widths = (8, 10, 16, 22, 14)
    net = nn.Sequential(*(Halves(i, o) for i, o in pairwise(widths)), nn.ReLU())
    code = converted(net, (2, 8, 5, 5)).code
    taken = signature(code, "halves")
    assert {"h_in", "h_out"} <= set(taken), code
    assert "end=(h_out, h_in, None, None)" in code
    assert not any("begin" in name or "end" in name for name in taken)


class Either(nn.Module):
    """What makes `conv` is not seen in the source, but what both calls say of it holds."""

    def __init__(self, wide: int, narrow: int, is_deep: bool) -> None:
        super().__init__()
        if is_deep:
            self.conv = nn.Conv2d(wide, narrow, 1)
        else:
            self.conv = nn.Conv2d(narrow, narrow, 1)
        for width in (wide, narrow):
            self.last = nn.Conv2d(width, width, 1)
        self.items = nn.Sequential(*[nn.Conv2d(width, wide, 1) for width in (wide, narrow)])


def words_of(module: nn.Module) -> dict[str, float]:
    return dict(Words(is_library).of(module))


def test_words_that_may_be_another_numbers_are_none():
    assert words_of(Either(8, 4, True)) == {"narrow": 4}
    assert words_of(Either(8, 4, False)) == {"narrow": 4}
    assert words_of(Expanded(8, 16, 1)) == {"hidden_dim": 8, "oup": 16}
    assert words_of(Expanded(8, 16, 3)) == {"inp": 8, "hidden_dim": 24, "oup": 16}


class Maybe(nn.Module):
    """Which of two calls alike has made the only module is not seen."""

    def __init__(self, wide: int, narrow: int, is_wide: bool) -> None:
        super().__init__()
        layers = []
        if is_wide:
            layers.append(nn.Conv2d(wide, wide, 1))
        else:
            layers.append(nn.Conv2d(narrow, narrow, 1))
        self.body = nn.Sequential(*layers)


def test_a_list_of_unknown_items_has_no_words():
    assert words_of(Maybe(8, 4, True)) == {}


class Inverse(nn.Module):
    """A function whose turns take constants: in each turn the same, under a name of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)

    def inverse(self, mat, turns: int = 4):
        identity, value = torch.eye(mat.size(-1)), mat.transpose(-1, -2)
        for _ in range(turns):
            inner = mat @ value
            value = (0.25 * value) @ (
                13 * identity - inner @ (15 * identity - inner @ (7 * identity - inner))
            )
        return value

    def forward(self, x):
        return x + self.inverse((self.q(x) @ self.k(x).transpose(1, 2)).softmax(-1)) @ x


def test_the_constants_of_a_function_are_made_in_it():
    code = converted(nn.Sequential(*(Inverse(8) for _ in range(3))), (2, 5, 8)).code
    assert list(signature(code, "inverse")) == ["mat", "name"]


class Bottleneck(nn.Module):
    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        mid_channels = width // 4
        self.conv1, self.conv2 = conv1x1(width, mid_channels), conv1x1(mid_channels, mid_channels)
        self.conv3 = conv1x1(mid_channels, width)
        self.pool = nn.AvgPool2d(stride)

    def forward(self, x):
        return self.pool(self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x))))))


class Unit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body, self.act = Bottleneck(width, 1), nn.ReLU()

    def forward(self, x):
        return self.act(torch.tanh(x + self.body(x)) * 2.0)


def test_what_calls_a_block_takes_its_width_too():
    parts = [part for width in (16, 32, 64) for part in (Unit(width), Unit(width), conv1x1(width, 2 * width))]
    code = converted(nn.Sequential(*parts), (2, 16, 4, 4)).code
    assert "4 * mid_channels" in code, "of widths inside, the author's word for what most ops take"
    assert "mid_channels=num_filter // 4" in code
    assert "num_filter" in signature(code, "unit")
