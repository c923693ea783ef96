"""One function for what one forward does: of classes that have it from one class, with a tensor or without."""

from __future__ import annotations

import torch
from torch import nn

from tests.test_folding import converted
from tracer.conversion import convert


class Reduction(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.left, self.right = nn.Conv2d(width, out, 1), nn.Conv2d(width, out, 3, padding=1)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x):
        return torch.relu(self.norm(self.left(x)) + torch.tanh(self.right(x)))


class FirstReduction(Reduction):
    def __init__(self):
        super().__init__(3, 8)


class SecondReduction(Reduction):
    def __init__(self):
        super().__init__(8, 16)


class OwnForward(Reduction):
    def __init__(self):
        super().__init__(16, 16)

    def forward(self, x):
        return torch.relu(self.left(x))


def test_classes_with_the_forward_of_one_class_share_a_function():
    code = converted(nn.Sequential(FirstReduction(), SecondReduction(), OwnForward()), 2, 3, 6, 6)
    assert code.count("\ndef ") == 2
    assert "def reduction(" in code
    assert '"""Reduction of test_one_function.py."""' in code


def test_a_class_keeps_its_name_where_it_is_alone():
    code = converted(nn.Sequential(SecondReduction(), nn.Conv2d(16, 8, 1), SecondReduction()), 2, 8, 6, 6)
    assert "def second_reduction(" in code


class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, mask=None):
        scores = torch.tanh(self.query(x)) * torch.exp(self.key(x))
        if mask is not None:
            scores = scores + mask
        return torch.relu(torch.sin(scores)) * 2


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Attend() for _ in range(4))

    def forward(self, x, mask):
        x = self.layers[1](self.layers[0](x), torch.exp(mask))
        return self.layers[3](torch.tanh(self.layers[2](x)), mask)


def test_a_tensor_that_is_not_given_tells_that_its_part_is_not_there():
    torch.manual_seed(0)
    conversion = convert(Attends().eval(), (torch.randn(2, 8), torch.randn(2, 8)))
    assert conversion.folded
    assert conversion.verify().ok
    assert "if mask is not None:" in conversion.code
    assert "with_" not in conversion.code
    assert "mask: mx.sym.Symbol | None" in conversion.code
