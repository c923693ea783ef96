"""The table of corrected defaults: each row is true, and tells where it is."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from codegen.mxnet_ops import OPS
from tests.test_review import review
from tracer.review.defaults import reasons
from tracer.review.text import markdown
from tracer.review_diff.parsed import parsed


def default_of(cls: type, parameter: str) -> Any:
    """torch's default of an argument of a layer."""
    return inspect.signature(cls).parameters[parameter].default


def test_corrected_defaults() -> None:
    found = review(nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2)), torch.rand(1, 3, 8, 8)).defaults
    (row,) = found
    assert (row.op, row.attribute, row.torch, row.mxnet, row.layers) == (
        "Pooling",
        "stride",
        "(2, 2)",
        "1 for each axis",
        2,
    )
    assert (row.why, row.modules) == ("MXNet: Pooling's stride is 1.", ("0", "1"))
    assert len(row.lines) in {1, 2}
    assert review(nn.ReLU(), torch.rand(1, 3)).defaults == ()


def test_what_says_which_function_an_op_is_is_no_default() -> None:
    net = nn.Sequential(nn.AvgPool2d(1), nn.GELU())
    assert review(net, torch.rand(1, 3, 8, 8)).defaults == ()


def test_a_value_of_the_nets_own_is_told_as_that() -> None:
    """LayerNorm's eps is 1e-5 in both: a reason that tells of another default would contradict its row."""
    net = nn.Sequential(nn.LayerNorm(4, eps=1e-12), nn.BatchNorm1d(4, eps=1e-4, momentum=0.3))
    rows = {(row.op, row.attribute): row for row in review(net, torch.rand(2, 4)).defaults}
    assert rows["LayerNorm", "eps"].torch == "1e-12"
    assert rows["LayerNorm", "eps"].why == "The net's own: where it says nothing, both frameworks have 1e-5."
    assert rows["BatchNorm", "eps"].why == "MXNet: eps is 1e-3."
    assert rows["BatchNorm", "momentum"].why.startswith("The net's own: ")
    assert [row.modules for row in rows.values()] == [("1",), ("1",), ("1",), ("0",)]


# torch's defaults, as MXNet has them.
SHARED = {
    ("Convolution", "no_bias"): not default_of(nn.Conv2d, "bias"),
    ("FullyConnected", "no_bias"): not default_of(nn.Linear, "bias"),
    ("Deconvolution", "adj"): (default_of(nn.ConvTranspose2d, "output_padding"),) * 2,
    ("BatchNorm", "momentum"): 1 - default_of(nn.BatchNorm2d, "momentum"),
    ("LayerNorm", "eps"): default_of(nn.LayerNorm, "eps"),
    ("GroupNorm", "eps"): default_of(nn.GroupNorm, "eps"),
    ("LRN", "alpha"): default_of(nn.LocalResponseNorm, "alpha"),
    ("Pooling", "pooling_convention"): "full" if default_of(nn.MaxPool2d, "ceil_mode") else "valid",
    ("Pooling", "count_include_pad"): default_of(nn.AvgPool2d, "count_include_pad"),
    ("CTCLoss", "blank_label"): {0: "first"}[default_of(nn.CTCLoss, "blank")],
    ("stack", "axis"): 0 if torch.stack([torch.ones(3), torch.ones(3)]).shape == (2, 3) else None,
    # torchvision's, whose bias is there by default: tests/vision has the op.
    ("contrib.ModulatedDeformableConvolution", "no_bias"): False,
}


def test_what_both_frameworks_have_at_one_default() -> None:
    assert {(op, name) for op, spec in OPS.items() for name in spec.shared} == set(SHARED)
    for (op, name), value in SHARED.items():
        assert OPS[op].is_default(name, value, OPS[op].attrs[name]), (op, name, value)


def test_each_corrected_default_has_a_reason_of_its_own() -> None:
    found = reasons()
    for op, spec in OPS.items():
        assert spec.choices | spec.shared <= spec.differing, op
        for name in spec.differing - spec.choices - spec.shared:
            others = spec.differing - {name}
            assert others.isdisjoint(re.findall(r"\w+", found[op, name])), (op, name, found[op, name])
    assert "InstanceNorm" in found["InstanceNorm", "eps"]


def test_lines_and_modules_of_a_default_in_markdown() -> None:
    text = markdown(
        review(nn.Sequential(nn.BatchNorm1d(4), *[nn.BatchNorm1d(4) for _ in range(4)]), torch.rand(2, 4))
    )
    (row,) = [line for line in text.splitlines() if line.startswith("| `BatchNorm` | `eps` |")]
    assert re.search(r"\| 5 \| \d+(, \d+)* \| 0, 1, 2, 2 more \| MXNet: eps is 1e-3\. \|$", row), row


def test_a_report_of_an_earlier_version_is_read() -> None:
    """Its rows have neither lines nor modules."""
    own = review(nn.BatchNorm1d(4), torch.rand(2, 4))
    text = markdown(own)
    assert parsed(text).defaults == own.defaults
    earlier = re.sub(r"^(\| `BatchNorm` \| `\w+` (?:\|[^|]*){3}\|)[^|]*\|[^|]*\|", r"\1", text, flags=re.M)
    rows = parsed(earlier.replace("| lines | modules | why |", "| why |")).defaults
    assert rows == tuple(replace(row, lines=(), modules=()) for row in own.defaults)
    assert "| 1 | MXNet: eps is 1e-3. |" in earlier
