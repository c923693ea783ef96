"""A fixed sample of the zoo in MXNet's own tools; and docs/in-use-zoo.md, which is to list the whole table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.in_use.__main__ import Progress
from tests.in_use.uses import Unfit, apart, from_scratch, subject, summarised
from tests.in_use.zoo import FAILS, NOT_ASKED, TRAINED, UNKNOWN, Used, collections, run_net, uses_of
from tests.zoo.pool import read_page, write_page
from tests.zoo.table import nets

# One of each kind of structure, among the fast ones. onnxruntime has an environment of its own.
SAMPLE = (
    "golden-shufflenet",
    "golden-lstm_tagger",
    "peleenet",
    "mobilenetv2_wd4",
    "DistilBertModel",
    "edanet_cityscapes",
    "BertModel",
    "GPT2Model",
    "ConvNextModel",
)


@pytest.mark.parametrize("name", SAMPLE)
def test_net(name: str):
    row = run_net(name, [use for use in uses_of(name) if use != "onnx"])
    assert not row.why
    assert (row.plot_network, row.print_summary, row.xavier) == ("yes", "yes", "yes")


def test_the_trained_are_of_the_zoo():
    assert len(set(TRAINED)) == 60
    assert set(TRAINED) < set(nets())


def test_the_page_lists_the_table():
    assert list(read_page(Progress)) == list(collections()), "run `make in-use-zoo`"


def test_the_summary_counts_the_rows():
    assert Progress.page.read_text(encoding="utf-8").startswith(Progress.text(read_page(Progress)))


def test_the_page_of_uses_has_the_share_of_onnx():
    rows = [row for row in read_page(Progress).values() if row.onnx != NOT_ASKED]
    good = sum(row.onnx not in {FAILS, UNKNOWN} for row in rows)
    known = sum(row.onnx != UNKNOWN for row in rows)
    text = Progress.page.with_name("in-use.md").read_text(encoding="utf-8")
    assert (
        f"| {good} of {len(rows)} nets of the zoo and goldens ({good / len(rows):.0%}); {good} of the {known} all of whose"
        in text
    )


def test_a_page_read_again_counts_the_same(tmp_path: Path):
    class Elsewhere(Progress):
        page = tmp_path / "page.md"

    # A cause as an exporter words it, over two lines, and one that a row cuts.
    nets = list(collections())[:3]
    causes = ["onnx: not yet\n    implemented", "onnx: not yet implemented", f"onnx: {'long ' * 100}"]
    write_page(
        Elsewhere, {n: Used(n, "golden", onnx=FAILS, why=w) for n, w in zip(nets, causes, strict=True)}
    )
    written = Elsewhere.page.read_text(encoding="utf-8")
    assert "2 not yet implemented" in written
    assert written.startswith(Elsewhere.text(read_page(Elsewhere)))


def test_the_page_shows_no_process_that_died():
    assert not [row.net for row in read_page(Progress).values() if row.why.startswith(("CRASH", "TIMEOUT"))]


def test_a_process_that_ends_is_a_row():
    name = SAMPLE[0]
    row = Progress([name], {}).died(name, "CRASH", "3")
    assert row.row() == f"| {name} | golden |  |  |  |  |  |  | CRASH: the process ended after 3 s |"


class Shifted(nn.Module):
    """Adds a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.tensor([1.0, 2.0, 3.0])


def test_a_constant_that_does_not_keep_its_value_would_be_seen(tmp_path: Path):
    net = subject(tracer.convert(Shifted(), (torch.ones(2, 3),), "Net"), tmp_path)
    assert from_scratch(net) == "yes"
    (constant,) = [v.name for v in net.conversion.program.variables if v.kind == "arg"]
    net.conversion.arg_params[constant] += 1
    with pytest.raises(Unfit, match="is not what it was"):
        from_scratch(net)


class Scaled(nn.Module):
    """A weight of one axis stands first, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * (self.shift + torch.exp(x))


def test_an_input_is_the_first_argument(tmp_path: Path):
    """print_summary takes the first argument for an output, which has no shape where it has one axis."""
    net = subject(tracer.convert(Scaled(), (torch.ones(2, 3),), "Net"), tmp_path)
    assert net.symbol.list_arguments()[0] == "x"
    assert summarised(net) == "yes"


def test_apart_sees_infinities():
    assert apart(np.array([1.0, np.inf]), np.array([1.0, np.inf])) == 0
    assert apart(np.array([1.0, 2.0]), np.array([1.0, np.inf])) == np.inf
    assert apart(np.array([1.5, 2.0]), np.array([1.0, 2.0])) == 0.25
