"""Copies of modules: what copy.deepcopy makes of them, with other parameters."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from tracer.copies import module_copy

SHARED = [1, 2]


class Plain(nn.Module):
    def __init__(self, shared: list[int]) -> None:
        super().__init__()
        self.sizes, self.shared = (3, "a", None), shared
        self.kept = OrderedDict(seen={"deep": [1, {2}]}, dtype=torch.float16)
        self.conv = nn.Conv2d(1, 2, 3)
        self.again = self.conv
        self.register_buffer("count", torch.zeros(2), persistent=False)


class Own(nn.Module):
    """Says itself how it is copied."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Own:
        copied = type(self)()
        copied.was = "copied"
        return copied


class Forgets(nn.Module):
    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "cache": None}


class Holder:
    """No plain value."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = Plain(SHARED), Plain(SHARED)
        self.tied = nn.Linear(2, 2)
        self.tied.weight = nn.Parameter(torch.ones(2, 2))
        self.blocks = nn.ModuleList([nn.BatchNorm2d(2), nn.Sequential(nn.ReLU(), self.tied)])
        self.own, self.forgets = Own(), Forgets()
        self.forgets.cache = [1]
        self.holder = Holder(self.one)
        self.up = [self]


def same(one: Any, other: Any, seen: dict[int, int]) -> None:
    """Both are alike, share what they share in the same places, and nothing that can be changed."""
    assert type(one) is type(other)
    if isinstance(one, int | float | str | type | torch.dtype | None):
        assert one == other
        return
    if id(one) in seen:
        assert seen[id(one)] == id(other)
        return
    seen[id(one)] = id(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
        assert one is not other
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert one is not other
        for key in one:
            same(one[key], other[key], seen)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b, seen)
    elif isinstance(one, set):
        assert one == other
        assert one is not other
    else:
        assert one is not other
        same(vars(one), vars(other), seen)


def test_a_copy_is_what_deepcopy_makes() -> None:
    net = Net().eval()
    ours, theirs = module_copy(net), copy.deepcopy(net).eval()
    for parameter in theirs.parameters():
        parameter.requires_grad_(False)
    same(ours, theirs, {})
    same(ours.one, net.one, {})
    assert ours.one.shared is ours.other.shared
    assert ours.one.shared is not SHARED
    assert ours.holder.module is ours.one
    assert ours.up[0] is ours
    assert ours.one.again is ours.one.conv
    assert ours.own.was == "copied"
    assert ours.forgets.cache is None
    assert net.forgets.cache == [1]
