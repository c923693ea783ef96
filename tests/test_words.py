"""Words and numbers of the generated code: names that say what they name, numbers that explain themselves."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from codegen.fold.function_names import snake
from codegen.write.literals import literal
from tracer.conversion import convert


def converted(model: nn.Module, *shape: int) -> str:
    """The code of a net that folds and agrees with torch."""
    torch.manual_seed(0)
    conversion = convert(model.eval(), torch.randn(*shape))
    assert conversion.folded, conversion.notes
    assert conversion.verify().ok
    return conversion.code


# Functions -------------------------------------------------------------------------------------------

CLASSES = """
BasicBlock basic_block, ViTLayer vit_layer, ConvBN conv_bn, ConvBnReLU conv_bn_relu, ConvBNPReLU conv_bn_prelu
ConvNeXt convnext, ConvNextLayer convnext_layer, ResNeXtBottleneck resnext_bottleneck, RegNetUnit regnet_unit
UNet unet, SENetUnit senet_unit, TextNetwork text_network, NetBlock net_block, SEBlock se_block
MBConvBlock mbconv_block, DWConv dwconv, BasicConv2d basic_conv2d, MobileNetV3_Small mobilenet_v3_small
SiLUActivation silu_activation, SwiGLU swiglu, GELU gelu, ReLU6 relu6, HSwish h_swish, YOLOv5 yolov5
_Transition transition, InceptionAUnit inception_a_unit, DeiTLayer deit_layer, GPT2Block gpt2_block, C2f c2f
"""


@pytest.mark.parametrize("pair", CLASSES.replace("\n", ",").strip(",").split(","))
def test_a_class_as_a_function(pair: str) -> None:
    cls, name = pair.split()
    assert snake(cls) == name


class Unit(nn.Module):
    """A block with an activation of the caller's choice, and with squeeze and excitation after another."""

    def __init__(self, hard):
        super().__init__()
        self.conv1, self.act = nn.Conv2d(8, 8, 1), nn.Hardswish() if hard else nn.Tanh()
        self.conv2, self.se = nn.Conv2d(8, 8, 1), Squeezed() if hard else nn.Identity()

    def forward(self, x):
        return x + self.se(self.conv2(self.act(self.conv1(x))))


class Squeezed(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.relu, self.fc2 = nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1)

    def forward(self, x):
        w = self.fc2(self.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(w)


def test_a_function_tells_what_is_special() -> None:
    code = converted(nn.Sequential(*(Unit(hard) for hard in (True, True, False, False))), 2, 8, 5, 5)
    # ReLU is the shorter word, of a layer further inside.
    assert "def unit_squeezed(" in code
    assert '"""Unit of test_words.py, with Squeezed."""' in code


class Trained(nn.Module):
    def __init__(self, cls):
        super().__init__()
        self.conv, self.bn, self.act = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), cls() if cls else None

    def forward(self, x):
        x = self.bn(self.conv(x))
        return x if self.act is None else self.act(x)


def test_the_plainest_tells_what_it_lacks() -> None:
    units = [Trained(cls) for cls in (nn.Tanh, None, nn.Tanh, None)]
    code = converted(nn.Sequential(*units), 2, 8, 5, 5)
    assert '"""Trained of test_words.py, without Tanh."""' in code


class Resampled(nn.Module):
    def __init__(self):
        super().__init__()
        self.downsample = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.LeakyReLU(0.1)
        )


class Ends(nn.Module):
    def __init__(self):
        super().__init__()
        self.ends = nn.ModuleList(Resampled() for _ in range(3))

    def forward(self, x):
        for end in self.ends:
            x = end.downsample(x)
        return x


def test_a_sequential_is_called_after_its_attribute() -> None:
    code = converted(Ends(), 2, 3, 32, 32)
    assert "def downsample(x: mx.sym.Symbol, name: str)" in code
    assert '"""A Sequential of AvgPool2d, Conv2d, BatchNorm2d, LeakyReLU."""' in code


class Concurrent(nn.Module):
    def __init__(self, width, kernel):
        super().__init__()
        self.left, self.right = nn.Conv2d(width, 8, 1), nn.Conv2d(width, 8, kernel, padding=kernel // 2)
        self.deep = kernel == 3

    def forward(self, x):
        right = torch.tanh(self.right(x)) if self.deep else self.right(x)
        return torch.cat([self.left(x), right], 1)


class WideUnit(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Concurrent(16, 3), Concurrent(16, 3)

    def forward(self, x):
        return self.second(self.first(x))


class NarrowUnit(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Concurrent(16, 1), Concurrent(16, 1)

    def forward(self, x):
        return self.second(self.first(x))


def test_one_class_inside_two() -> None:
    units = [WideUnit(), WideUnit(), NarrowUnit(), NarrowUnit(), nn.Tanh(), WideUnit(), NarrowUnit()]
    code = converted(nn.Sequential(*units), 2, 16, 9, 9)
    assert "def wide_unit_concurrent(" in code
    assert '"""Concurrent of test_words.py, in WideUnit."""' in code


# Numbers ---------------------------------------------------------------------------------------------

NUMBERS = """
1 / 6; 11 / 48; 1 / 255; 24**-0.5; 1 / 24**0.5; 1 / 12**0.5; 24**0.5; 24**-0.25; 2**0.5
0.1 / 7; 0.1 * 3 / 7; 0.1 / 11 * 3; 0.3 * 7 / 11; math.pi; 2 * math.pi; math.pi / 3; (2 / math.pi) ** 0.5
math.log(100); -(24**-0.5); -(1 / 6); -(2 * math.pi)
"""


@pytest.mark.parametrize("text", [t.strip() for t in NUMBERS.replace("\n", ";").split(";") if t.strip()])
def test_a_number_as_it_was_computed(text: str) -> None:
    assert literal(eval(text)) == text


@pytest.mark.parametrize("number", [0.125, 1e-5, 0.7853, 3.1415926, 0.20412414523193, 1e-12])
def test_a_number_that_is_no_other(number: float) -> None:
    assert float(literal(number)) == number


class Scaled(nn.Module):
    def forward(self, x):
        x = torch.clamp(x / math.sqrt(24), max=math.log(100)) * math.sqrt(2 / math.pi)
        return torch.sin(x * (1 / math.sqrt(24))) + torch.cos(2 * math.pi * x)


def test_numbers_of_a_net() -> None:
    code = converted(Scaled(), 2, 24)
    assert "import math\n\nimport mxnet as mx\n" in code
    for part in ("x / 24**0.5,", "minimum(x, math.log(100))", "* (1 / 24**0.5)", "* (2 * math.pi)"):
        assert part in code
    assert "* ((2 / math.pi) ** 0.5)" in code or "* (2 / math.pi) ** 0.5" in code


def test_no_import_for_nothing() -> None:
    assert "import math" not in converted(Trained(nn.Tanh), 2, 8, 5, 5)


def test_a_rate_that_float32_has_held() -> None:
    rates = torch.linspace(0, 0.1, 8)[1:4].tolist()
    layers = [layer for rate in rates for layer in (nn.Dropout(rate), nn.Linear(4, 4))]
    code = converted(nn.Sequential(*layers, nn.Dropout(torch.tensor(0.2).item())), 2, 4)
    for rate in ("0.1 / 7", "0.2 / 7", "0.1 * 3 / 7", "p=0.2,"):
        assert rate in code
    assert [float(np.float32(eval(r))) for r in ("0.1 / 7", "0.2 / 7", "0.1 * 3 / 7")] == rates


# Attributes ------------------------------------------------------------------------------------------


class Defaults(nn.Module):
    """Layers of which torch and MXNet have the same defaults, or are given MXNet's."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, eps=1e-3)
        self.pool, self.average = nn.MaxPool2d(3, 1), nn.AvgPool2d(3, 1, padding=1)
        self.norm, self.fc = nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        x = self.average(self.pool(F.leaky_relu(self.bn(self.conv(x)), 0.25)))
        return self.fc(self.norm(torch.cat([x, torch.exp(x)], 1)))


def test_defaults_of_both_are_left_out() -> None:
    code = converted(Defaults(), 2, 3, 10, 10)
    for line in (
        'mx.sym.Convolution(x, kernel=(3, 3), num_filter=4, name="conv")',
        'mx.sym.BatchNorm(x, fix_gamma=False, name="bn")',
        'mx.sym.LeakyReLU(x, name="leaky_relu")',
        'mx.sym.Pooling(x, kernel=(3, 3), pool_type="max", name="pool")',
        'mx.sym.Pooling(x, kernel=(3, 3), pool_type="avg", pad=(1, 1), name="average")',
        'mx.sym.LayerNorm(cat, name="norm")',
        'mx.sym.FullyConnected(norm, num_hidden=2, flatten=False, name="fc")',
    ):
        assert line in code


def test_layers_with_a_bias_and_without_are_one_function() -> None:
    """An attribute that one use writes and another leaves at its default is an argument."""
    units = [nn.Sequential(nn.Conv2d(4, 4, 3, bias=b), nn.BatchNorm2d(4), nn.Tanh()) for b in (0, 1, 0, 1)]
    assert "no_bias: bool" in converted(nn.Sequential(*units), 2, 4, 16, 16)


# Variables -------------------------------------------------------------------------------------------


class _Private(nn.Module):
    """Attributes and variables as efficientnet_pytorch has them."""

    def __init__(self):
        super().__init__()
        self._expand_conv, self._depth_conv = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self._0 = nn.Conv2d(4, 4, 1)

    def forward(self, inputs):
        _skip = self._expand_conv(inputs)
        return self._0(_skip) + self._depth_conv(torch.tanh(_skip))


def test_no_name_begins_with_an_underscore() -> None:
    code = converted(nn.Sequential(*(_Private() for _ in range(3))), 2, 4, 8, 8)
    assert "def private(" in code
    assert "skip = mx.sym.Convolution(" in code
    assert 'name=f"{name}__expand_conv"' in code  # as the key of the weights says
    assert not re.search(r"(?m)^ +_\w|[(, ]_\w+[,)]", code)


class Normalised(nn.Module):
    """Tensors that are neither parameters nor buffers, alone and in lists."""

    def __init__(self):
        super().__init__()
        self.mean, self.grids = torch.rand(3, 1, 1), [torch.rand(5, 5), torch.rand(5, 5)]

    def forward(self, x):
        y = (x - self.mean) * self.grids[0]
        return torch.tanh(y) + self.grids[1][None] * 2


def test_a_constant_is_called_after_its_attribute() -> None:
    code = converted(Normalised(), 2, 3, 5, 5)
    for name in ("mean", "grids_0", "grids_1"):
        assert f'{name} = constant("{name}"' in code


# The author's words ----------------------------------------------------------------------------------


class Commented(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.proj, self.shift = nn.Linear(12, 36), nn.Linear(12, 12), 1

    def forward(self, x):
        # TODO: faster
        qkv = self.qkv(x)
        # one head for each of the three
        # (as in the paper). Nothing else is said here that would be of interest to anyone who reads it.
        qkv = qkv.reshape(x.shape[0], -1, 3, 4, 3).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        # attn = self.drop(attn)
        attn = (q @ k.transpose(-2, -1)).softmax(-1)

        # cyclic shift
        if self.shift:
            v = torch.roll(v, self.shift, 2)

        # Copyright of nobody, under no licence
        x = (attn @ v).transpose(1, 2).flatten(2)[:, ::2]  # every other one
        return self.proj(x)


def test_the_authors_words_come_along() -> None:
    code = converted(nn.Sequential(Commented(), Commented()), 2, 8, 12).partition("import mxnet")[2]
    told = [line.strip() for line in code.splitlines() if line.strip().startswith("#")]
    assert told == [
        "# one head for each of the three (as in the paper).",
        "# qkv = qkv.reshape(x.shape[0], -1, 3, 4, 3).permute(2, 0, 3, 1, 4)",
        "# cyclic shift",
        "# x = (attn @ v).transpose(1, 2).flatten(2)[:, ::2]",
    ]


class Helped(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Trained(nn.Tanh), Trained(nn.Tanh)

    def forward(self, x):
        for layer in (self.first, self.second):
            # the layer itself
            x = layer(x)
        # what is left
        return torch.exp(-x)


def test_words_above_a_call() -> None:
    code = converted(nn.Sequential(Helped(), nn.Tanh(), Helped()), 2, 8, 5, 5)
    assert code.count("# the layer itself") == code.count("# what is left") == 1
    body = code[code.index("def helped(") :]
    assert body.index("# the layer itself") < body.index("trained(") < body.index("# what is left")


class Both(nn.Module):
    """Returns its result, and what stands before the convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.bn(x))
        before = x
        return self.conv(x), before


class Pair(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.other = Both(width), Both(width)

    def forward(self, x):
        identity = x
        x, early = self.one(x)
        x, _ = self.other(x)
        return x + identity, early


class Pairs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pairs, self.last = nn.ModuleList(Pair(4) for _ in range(3)), nn.Conv2d(4, 8, 1)

    def forward(self, x):
        for pair in self.pairs:
            x, active = pair(x)
            x = x * active
        parts = torch.split(self.last(x), 2, 1)
        return parts[0] * parts[1] + parts[2]


def test_results_of_a_module_are_called_as_where_it_is_called():
    code = converted(Pairs(), (2, 4, 8, 8))
    assert "return conv, x" in code, "in the order in which forward returns them"
    assert 'one, early = both(x, name=f"{name}_one")' in code
    assert 'other, _ = both(one, name=f"{name}_other")' in code, "nothing reads the second"
    assert 'x, active = pair(x, name=f"pairs_{i}")' in code
    assert "split[0]" in code or "parts[0]" in code, "what the author reads as items is read so"
