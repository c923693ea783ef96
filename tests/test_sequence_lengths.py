"""Lengths of sequences: where the code holds none it says so, and where it does it names the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from codegen.problems import RequestError
from codegen.proof.run import numpy_inputs, run_symbol
from tests.command import fx2mx
from tracer.conversion import Conversion, convert_specs
from tracer.inputs import InputSpec
from tracer.sequence_lengths import shorter

IDS = (torch.arange(12).reshape(1, 12) % 7,)


class Tagger(nn.Module):
    """An embedding, an LSTM, a layer for each step; with `places`, a table of positions."""

    def __init__(self, places: bool = False) -> None:
        super().__init__()
        self.embed, self.lstm, self.fc = nn.Embedding(7, 6), nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)
        self.places = nn.Parameter(torch.randn(1, 32, 6)) if places else None

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        if self.places is not None:
            x = x + self.places[:, : ids.shape[1]]
        return self.fc(self.lstm(x)[0])


class Fixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


class Signal(nn.Module):
    """A recurrent net of floats, whose layers know the axis of their steps."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 3, batch_first=batch_first)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(x)[0]


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.embed(ids) * mask.unsqueeze(-1).float()


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 6)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        if ids.shape[1] > 10:
            x = x.relu()
        return x


def sizes(conversion: Conversion) -> set[str]:
    return {o.size for o in conversion.verify().outputs}


def test_the_code_is_right_at_another_length() -> None:
    model = Tagger().eval()
    conversion = tracer.convert(model, IDS, "Tagger")
    assert "The length of sequences may change: the code is the same at length 8." in conversion.code
    assert conversion.program.free_length
    assert sizes(conversion) == {"", "length 8"}
    assert conversion.verify().ok
    ids = torch.arange(34).reshape(2, 17) % 7  # a length and a batch that were not tried
    arrays = numpy_inputs(conversion.program, {"ids": ids})
    (ours,) = run_symbol(conversion.symbol, conversion.arg_params, conversion.aux_params, arrays)
    np.testing.assert_allclose(ours, model(ids).detach().numpy(), atol=1e-6)


def test_a_line_that_holds_the_length_is_named() -> None:
    conversion = tracer.convert(Tagger(places=True).eval(), IDS, "Tagger")
    said = "Sequences are of length 12 alone: x = x + self.places[:, :ids.shape[1]] depends on it, "
    assert f"{said}test_sequence_lengths.py:" in " ".join(conversion.code.split())
    assert not conversion.program.free_length
    assert sizes(conversion) == {""}
    assert conversion.verify().ok


def test_other_ops_at_another_length() -> None:
    conversion = tracer.convert(Branches().eval(), IDS, "Branches")
    assert "Sequences are of length 12 alone: forward runs other ops at length 8" in conversion.code
    assert conversion.verify().ok


@pytest.mark.parametrize(("batch_first", "shorter"), [(True, (2, 6, 4)), (False, (6, 2, 4))])
def test_a_recurrent_net_of_floats(batch_first: bool, shorter: tuple[int, ...]) -> None:
    shape = (2, 9, 4) if batch_first else (9, 2, 4)
    spec = InputSpec("x", shape, batch_axis=0 if batch_first else 1)
    conversion = convert_specs(Signal(batch_first).eval(), (spec,))
    assert conversion.larger[0].shape == shorter
    assert conversion.verify().ok


def test_floats_whose_axes_nothing_tells() -> None:
    conversion = tracer.convert(Fixed().eval(), (torch.ones(1, 12),), "Fixed")
    assert conversion.program.size_doc == ""
    assert not conversion.larger
    assert conversion.verify().ok


class Kept(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Embedding(7, 4), nn.Linear(48, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.fc(self.embed(ids).flatten(1))


def test_a_net_that_torch_runs_at_one_length_says_nothing() -> None:
    conversion = tracer.convert(Kept().eval(), IDS, "Kept")
    assert conversion.program.size_doc == ""
    assert conversion.verify().ok


def test_masks_are_cut_too() -> None:
    conversion = tracer.convert(Masked().eval(), (IDS[0], torch.ones(1, 12, dtype=torch.bool)), "Masked")
    assert [spec.shape for spec in conversion.larger] == [(1, 8), (1, 8)]
    assert conversion.verify().ok


def test_values_that_are_given_are_cut() -> None:
    given = np.arange(6, dtype=np.int64).reshape(1, 6)
    tried = shorter(Tagger(), (InputSpec("ids", (1, 6), "int64", value=given),))
    assert tried is not None
    assert tried[0].shape == (1, 4)
    assert tried[0].value is not None
    assert tried[0].value.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("shape", [(1, 2), (4, 2), (12,), (1, 3, 16, 16)])
def test_what_has_no_sequence(shape: tuple[int, ...]) -> None:
    assert shorter(Tagger(), (InputSpec("ids", shape, "int64"),)) is None


class Alone(nn.Module):
    def forward(self) -> torch.Tensor:
        return torch.arange(5.0)


def test_a_net_without_inputs() -> None:
    conversion = convert_specs(Alone().eval(), ())
    assert conversion.verify().ok


def test_free_sizes_are_asked_of_images_alone() -> None:
    with pytest.raises(RequestError, match="for nets whose inputs are images"):
        convert_specs(Tagger().eval(), (InputSpec("ids", (1, 12), "int64", high=7),), free_sizes=True)


def test_the_run_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.embed = nn.Embedding(7, 6)\n\n    def forward(self, ids):\n        return self.embed(ids)\n"
    )
    result = fx2mx("model.py:Net", "--input", "ids=1,9:int64", "--out", "net_mxnet.py")
    assert "any batch size, the length of sequences may change" in result.err
    assert "sequences of length 6: largest relative difference" in result.err
