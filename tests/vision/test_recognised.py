"""How torchvision's ops are known in a net: by the names under which they are registered."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

from codegen.problems import ConversionError
from codegen.proof.run import run_symbol
from tests.vision import ops
from tracer.conversion import convert
from tracer.inputs import inputs_from_tensors
from tracer.trace import trace

BOXES = torch.tensor([[0.0, 1, 1, 4, 5], [1, 0, 2, 6, 6]])


def test_fx2mx_does_not_import_torchvision() -> None:
    """A net that does not use it is converted without it, though it stood on the path."""
    code = """
        import sys
        class Never:
            def find_spec(self, name, *rest):
                assert name.partition(".")[0] != "torchvision", "torchvision is imported"
        sys.meta_path.insert(0, Never())
        import torch, tracer
        conversion = tracer.convert(torch.nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),), name="Net")
        assert conversion.verify().ok
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_an_op_of_another_library_is_not_taken_for_one_of_torchs() -> None:
    """`mine::relu` is called like torch's relu, and is another function."""
    library = torch.library.Library("fx2mx_tests", "DEF")
    library.define("relu(Tensor x) -> Tensor")
    library.impl("relu", lambda x: x - 1, "CPU")
    library.impl("relu", torch.empty_like, "Meta")

    class Net(nn.Module):
        def forward(self, x):
            return torch.ops.fx2mx_tests.relu(x) + torch.ops.fx2mx_tests.relu.default(x)

    with pytest.raises(ConversionError) as caught:
        convert(Net(), (torch.zeros(2, 3),), "Net")
    assert [p.what for p in caught.value.problems] == ["fx2mx_tests::relu() has no rule"] * 2
    assert [p.where.file for p in caught.value.problems] == [__file__] * 2


def test_both_forms_of_a_registered_op_are_one() -> None:
    class Net(nn.Module):
        def forward(self, x, rois):
            whole = torch.ops.torchvision.roi_align(x, rois, 1.0, 2, 2, -1, False)
            return whole + torch.ops.torchvision.roi_align.default(x, rois, 1.0, 2, 2, -1, aligned=False)

    net, inputs = Net(), (torch.ones(2, 3, 8, 8), BOXES)
    nodes = [n for n in trace(net, inputs_from_tensors(net, inputs)).nodes if "roi" in n.op]
    assert {n.op for n in nodes} == {"torchvision::roi_align"}
    assert nodes[0].args == nodes[1].args


@pytest.mark.parametrize("count", [6, 1200])
def test_nms_is_refused_at_the_users_line(count: int) -> None:
    class Net(nn.Module):
        def forward(self, boxes, scores):
            kept = ops.batched_nms(boxes, scores, (scores > 0).long(), 0.5)  # this line
            return boxes[kept]

    boxes = torch.rand(count, 4)
    boxes[:, 2:] += boxes[:, :2]
    with pytest.raises(ConversionError) as caught:
        convert(Net(), (boxes, torch.rand(count)), "Net")
    (problem,) = caught.value.problems
    assert problem.where.file == __file__
    assert "# this line" in Path(__file__).read_text(encoding="utf-8").splitlines()[problem.where.line - 1]
    assert "contrib.box_nms" in problem.hint


def test_a_layer_that_looks_at_values_is_refused_at_the_users_line() -> None:
    """Not at the line in torchvision's own forward."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = ops.MultiScaleRoIAlign(["one", "two"], 2, 2)

        def forward(self, one, two, boxes):
            return self.pool({"one": one, "two": two}, [boxes], [(16, 16)])  # the pool

    boxes = torch.tensor([[1.0, 1, 4, 5], [0, 2, 9, 16]])
    with pytest.raises(ConversionError) as caught:
        convert(Net(), (torch.ones(1, 3, 8, 8), torch.ones(1, 3, 4, 4), boxes), "Net")
    (problem,) = caught.value.problems
    assert problem.where.file == __file__
    assert "# the pool" in Path(__file__).read_text(encoding="utf-8").splitlines()[problem.where.line - 1]
    assert "roi_align on each level" in problem.hint


def test_what_is_generated() -> None:
    """A layer is one call under the module's name; no function of torchvision's stands around it."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.align = ops.RoIAlign(2, 0.5, 2)

        def forward(self, x, rois):
            return self.align(x, rois)

    conversion = convert(Net(), (torch.ones(2, 3, 8, 8), BOXES), "Net")
    assert [(c.op, c.name) for c in conversion.program.calls] == [("contrib.ROIAlign", "align")]
    assert "def " not in conversion.code.replace("def Net()", "")


def test_boxes_that_end_the_process_are_named() -> None:
    class Net(nn.Module):
        def forward(self, x, rois):
            return ops.roi_align(x, rois, 2, aligned=True)

    conversion = convert(Net(), (torch.ones(2, 3, 8, 8), BOXES), "Net")
    assert [n for n in conversion.program.notes if n.startswith("roi_align() reads boxes whose width")]


@pytest.mark.parametrize(
    ("aligned", "box"),
    [
        (True, (0, 4, 1, 1, 5)),
        (True, (0, 1, 1, 1, 5)),
        (False, (0, math.nan, 1, 4, 5)),
        (False, (2, 1, 1, 4, 5)),
        (False, (-1, 1, 1, 4, 5)),
    ],
)
@pytest.mark.parametrize("is_computed", [False, True])
def test_boxes_that_would_end_the_process_do_not_reach_mxnet(aligned, box, is_computed) -> None:
    """torch gives zeros, or raises, for a box without width; where MXNet's ROIAlign sees it, the process is gone."""

    class Net(nn.Module):
        def forward(self, x, rois):
            return ops.roi_align(x, rois * 1.5 if is_computed else rois, 2, sampling_ratio=2, aligned=aligned)

    converted = convert(Net(), (torch.ones(2, 3, 8, 8), BOXES), "Net")
    rois = torch.tensor([box], dtype=torch.float32)
    inputs = {"x": np.ones((2, 3, 8, 8), np.float32), "rois": rois.numpy()}
    for double in (False, True):
        with pytest.raises(mx.base.MXNetError, match=r"roi_align: the box .* would end the process"):
            run_symbol(converted.symbol, converted.arg_params, converted.aux_params, inputs, double=double)
    assert converted.verify().ok
