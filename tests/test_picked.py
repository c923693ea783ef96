"""What a mask picks has no shape in a symbol: the refusal names what the user wrote, and the way out fits it."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

import tracer
from codegen.problems import Problem
from tracer.expressions import expression_of

SAYS = " picks by a mask, so that its shape depends on values: a symbol has one graph for all inputs"


class Named(nn.Module):
    def forward(self, boxes):
        keep = boxes.mean(1) > 0
        return boxes[keep]


class Two(nn.Module):
    def forward(self, x):
        return x[0], x[x.mean(1) > 0], x[x.mean(1) < 0]


class Later(nn.Module):
    def forward(self, x):
        rows = x[x > 0]
        return rows.sum()


class Lines(nn.Module):
    def forward(self, x):
        é = x  # columns are counted in bytes
        return (é, é[
            é.mean(1)
            > 0
        ])  # fmt: skip


class Selected(nn.Module):
    def forward(self, x):
        return x.masked_select(x > 0)


def problem(net: nn.Module) -> Problem:
    with pytest.raises(tracer.ConversionError) as raised:
        tracer.convert(net, (torch.ones(3, 4),))
    (found,) = raised.value.problems
    return found


@pytest.mark.parametrize(
    ("net", "written"),
    [
        (Named(), "boxes[keep]"),
        (Later(), "x[x > 0]"),
        (Two(), "x[x.mean(1) > 0]"),
        (Lines(), "é[é.mean(1) > 0]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_picks_is_named_as_it_is_written(net: nn.Module, written: str) -> None:
    known = sys.version_info >= (3, 11) or isinstance(net, Named | Later)
    found = problem(net)
    assert (found.code, found.what) == ("data-dependent", f"{written if known else 'an index'}{SAYS}")
    assert "Python control flow" not in found.hint
    assert "pick in numpy" in found.hint


def test_a_call_that_picks_has_the_same_way_out() -> None:
    assert "pick in numpy" in problem(Selected()).hint


class Old:
    """Code as Python 3.10 has it, which does not tell the columns."""

    co_filename = __file__


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("return boxes[keep]", "boxes[keep]"),
        ("return x[0], x[x.mean(1) > 0], x[x.mean(1) < 0]", ""),
        ("pass", ""),
    ],
)
def test_where_python_does_not_tell_the_one_index_of_the_line_is_meant(text: str, written: str) -> None:
    with open(__file__, encoding="utf-8") as own:
        line = next((number for number, line in enumerate(own, start=1) if line.strip() == text), 0)
    assert expression_of(Old(), 0, line) == written  # type: ignore[arg-type]
