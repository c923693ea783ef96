"""Why a step is written so: the review tells what the function that wrote it tells of itself."""

from __future__ import annotations

import importlib
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.test_review import review
from tests.traps.corrections import corrections
from tracer.conversion import convert
from tracer.review.text import markdown
from tracer.review.whys import sentence, whys
from tracer.review_diff.parsed import parsed

MASK = "Scores with a mask: -1e30, whose exponential is zero in float32, added where the mask is False: (mask - 1) * 1e30."
SEEN = "Weights that are zero in rows of which a mask keeps nothing: the weights times the row's largest value of the mask."


class Masked(nn.Module):
    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x, keep > 0)


class Added(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x, mask)


def test_lines_that_rewrite_a_mask_say_why() -> None:
    made = review(Masked(), torch.rand(2, 3, 4), torch.rand(2, 3, 3))
    found = {op: row.why for row in made.source_map for op, _ in row.ops}
    assert found["x - c"] == found["x * c"] == MASK
    assert found["max"] == found["broadcast_mul"] == SEEN
    assert found["x > c"] == found["linalg.gemm2"] == ""
    text = markdown(made)
    assert f" | {SEEN} |\n" in text
    assert [row.why for row in parsed(text).source_map] == [row.why for row in made.source_map]


def test_a_mask_that_is_added_as_it_is_has_nothing_to_say() -> None:
    made = review(Added(), torch.rand(2, 3, 4), torch.rand(2, 3, 3))
    assert {row.why for row in made.source_map} == {""}


@pytest.mark.parametrize(
    "net",
    [
        nn.Linear(4, 4),
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.MaxPool2d(2),
    ],
    ids=lambda net: type(net).__name__,
)
def test_an_attribute_of_the_op_is_no_reason(net: nn.Module) -> None:
    shape = (2, 4) if isinstance(net, nn.Linear) else (2, 3, 8, 8)
    assert dict(whys(convert(net.eval(), (torch.rand(shape),)).program)) == {}


def test_of_a_reason_in_parts_that_which_names_the_op_is_told() -> None:
    """What the rule of a convolution tells of its bias says nothing of a Pad before it."""
    program = convert(nn.Conv2d(3, 4, 2, padding="same").eval(), (torch.rand(2, 3, 8, 8),)).program
    assert dict(whys(program)) == {
        "pad": 'Convolution, with a bias or without: an uneven "same" as a Pad before.'
    }


def test_a_report_without_reasons_is_read() -> None:
    made = review(Masked(), torch.rand(2, 3, 4), torch.rand(2, 3, 3))
    text = markdown(made)
    table = r"(^\| (?:\d+|line) \|.*\|)[^|]*\|$"
    earlier = re.sub(table, r"\1", text, flags=re.MULTILINE)
    assert SEEN not in earlier
    assert [row.why for row in parsed(earlier).source_map] == [""] * len(made.source_map)


def test_each_sentence_is_one_that_is_short() -> None:
    told = [c for c in corrections() if c.file.startswith(("codegen/rules/", "codegen/idioms/"))]
    for own in told:
        module = own.file.removesuffix(".py").replace("/", ".")
        importlib.import_module(module)
        ops = set(re.findall(r"mx\.sym\.([\w.]+)\(", own.example))
        for said in filter(None, (sentence(f"{module}:{own.function}", op) for op in ops)):
            assert said.startswith(f"{own.title}: "), own.where
            assert len(said) <= 260, (own.where, said)
    assert sentence("codegen.idioms.attention:seen_rows", "Convolution") == ""
    assert sentence("codegen.idioms.attention:none", "max") == ""
