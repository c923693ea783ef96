"""The comparison sees what it should: each conversion here is made wrong in one way, and must be found out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mxnet as mx
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import functional as F

import tracer
from codegen.problems import RequestError
from codegen.proof.compare import Agreement
from codegen.proof.difference import difference
from codegen.proof.run import numpy_inputs, run_symbol
from tests.command import fx2mx
from tracer.conversion import Conversion, convert_specs
from tracer.in_double import double_outputs
from tracer.inputs import InputSpec, inputs_from_tensors, make_inputs
from tracer.samples import REPEAT, WAYS, Variation, fitted

X = mx.sym.Variable("x")
INF, NAN = math.inf, math.nan


class Fn(nn.Module):
    """A function of one tensor as a net."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function.eval() if isinstance(function, nn.Module) else function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Whatever the function does."""
        return self.function(x)


def converted(net: Any, *inputs: torch.Tensor | tuple[int, ...], symbol: Any = None) -> Conversion:
    """A net, or a function as one; `symbol` takes the place of what was converted. A shape is an input."""
    net = net if isinstance(net, nn.Module) else Fn(net)
    if isinstance(inputs[0], tuple):
        conversion = convert_specs(net, (InputSpec("x", inputs[0]),), "Net")
    else:
        conversion = tracer.convert(net, inputs, name="Net")
    if symbol is not None:
        vars(conversion)["symbol"] = symbol
    return conversion


def compared(net: Any, *inputs: Any, symbol: Any = None, **options: Any) -> Agreement:
    return converted(net, *inputs, symbol=symbol).verify(layers=False, **options)


def why(agreement: Agreement) -> str:
    """What stands beside the first output that does not agree."""
    assert not agreement.ok
    return next(o.why for o in agreement.outputs if not o.within(agreement.tolerance))


# Samples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        torch.ones(1, 4),
        torch.zeros(2, 4),
        torch.tensor([[0.3, 0.8, 0.1, 0.6]]),
        torch.tensor([[1, 2, 3]]),
        torch.tensor([[7]]),
        torch.tensor([[1, 1, 1], [1, 1, 1]]),
        torch.tensor([[True, False]]),
        torch.tensor([[True, True]]),
        torch.ones(1, 4).double(),
        torch.ones(1, 4, dtype=torch.uint8),
    ],
    ids=str,
)
def test_samples_that_change_places_are_seen(given: torch.Tensor) -> None:
    swapped = mx.sym.cast(mx.sym.reverse(X, axis=0) * 2, dtype="float32")
    assert compared(lambda x: x.float() * 2, given).ok
    assert not compared(lambda x: x.float() * 2, given, symbol=swapped).ok


def test_also_where_the_batch_is_frozen() -> None:
    swapped = mx.sym.reverse(X, axis=0) * 2
    conversion = converted(lambda x: x.view(2, 4) * 2, torch.ones(2, 4), symbol=swapped)
    assert not conversion.graph.free_batch
    assert not conversion.verify(layers=False).ok


@pytest.mark.parametrize("dtype", ["int64", "bool", "float32", "uint8", "int8"])
@pytest.mark.parametrize("name", ["x", "mask"])
def test_no_two_samples_are_alike(dtype: str, name: str) -> None:
    for edges in (False, True):
        made = make_inputs((InputSpec(name, (1, 4), dtype, high=3),), 5, 1, Variation(edges))[name]
        distinct = {tuple(row) for row in made.tolist()}
        assert len(distinct) == (4 if name == "mask" and dtype != "float32" else 5), made


@pytest.mark.parametrize("way", range(REPEAT))
@pytest.mark.parametrize(
    "given",
    [
        torch.tensor([[0.1, 0.7, 0.2], [0.9, 0.4, 0.3]]),
        torch.tensor([[0.6]]),
        torch.tensor([[3, 4, 5], [7, 8, 9]]),
        torch.tensor([[True]]),
    ],
    ids=["floats", "one float", "integers", "one bool"],
)
def test_given_values_are_extended_by_others(way: int, given: torch.Tensor) -> None:
    specs = inputs_from_tensors(Fn(lambda x: x), (given,))
    made = make_inputs(specs, 2 * len(given), 1, Variation(way=way))["x"]
    assert made[: len(given)].equal(given)
    assert made.dtype == given.dtype
    assert not made[len(given) :].equal(given)


def test_extended_floats_stay_in_the_range_of_the_given_ones() -> None:
    # Of some seeds a mean is a last bit beyond the given values.
    for seed in range(40):
        given = torch.rand(2, 50, generator=torch.Generator().manual_seed(seed)) + 3
        specs = inputs_from_tensors(Fn(lambda x: x), (given,))
        made = make_inputs(specs, 20, 1, Variation())["x"]
        assert made.min() >= specs[0].value.min()
        assert made.max() <= specs[0].value.max()


@pytest.mark.parametrize("way", range(REPEAT))
def test_a_place_of_whole_numbers_among_floats_keeps_its_own(way: int) -> None:
    """The image of a box: torch reads foreign memory for one that is not there."""
    given = torch.tensor([[0, 1.5, 2.25], [1, 0.5, 3.75]])
    made = fitted(given, 6, 0, Variation(way=way), torch.Generator().manual_seed(0))
    assert made[:, 0].tolist() == [0, 1, 0, 1, 0, 1]
    assert len({tuple(row) for row in made.tolist()}) == 6


def test_values_that_a_net_takes_are_found_by_trying() -> None:
    """A matrix that is positive definite, and integers of which each place has its own range."""
    assert compared(torch.linalg.cholesky, torch.eye(3)[None] * 2 + 0.1).ok
    tables = [torch.rand(10, 2), torch.rand(3, 2)]
    net = Fn(lambda x: tables[0][x[:, 0]] + tables[1][x[:, 1]])
    assert compared(net, torch.tensor([[9, 1], [4, 2]])).ok


def test_the_last_way_repeats() -> None:
    assert WAYS[REPEAT].__name__ == "_same"
    specs = inputs_from_tensors(Fn(lambda x: x), (torch.rand(2, 3),))
    assert make_inputs(specs, 4, 0)["x"].equal(torch.from_numpy(specs[0].value).repeat(2, 1))


# What is no number ---------------------------------------------------------------------------------


def test_nan_weights_are_no_agreement() -> None:
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.fill_(NAN)
    assert why(compared(layer, torch.randn(1, 4))) == (
        "nothing was compared, since torch's output is nan or infinite everywhere (the weights hold nan: weight)"
    )


def test_an_output_that_is_masked_everywhere_is_no_agreement() -> None:
    masked = lambda x: x.masked_fill(x < 1e9, -INF)  # noqa: E731 - a net
    assert why(compared(masked, (1, 4))) == (
        "nothing was compared, since torch's output is nan or infinite everywhere (give inputs at which it is "
        "finite, such as --input x=@x.npy)"
    )


def test_an_output_that_is_masked_here_and_there_is() -> None:
    assert compared(lambda x: x.masked_fill(x < 0, -INF), (1, 40)).ok
    assert compared(lambda x: torch.log(x), (1, 40)).ok
    assert compared(lambda x: 1 / x, torch.zeros(1, 4)).ok


@pytest.mark.parametrize(
    ("net", "symbol", "said"),
    [
        (lambda x: x * 1, mx.sym.log(mx.sym.maximum(X, 0)) + X, "MXNet gives -inf at "),
        (lambda x: x * 1, mx.sym.sqrt(X), "MXNet gives nan at "),
        (torch.sqrt, mx.sym.abs(X), "torch gives nan at "),
        (lambda x: x.masked_fill(x > 0, INF), X * 1, "torch gives inf at "),
        (lambda x: x.masked_fill(x > 0, INF), mx.sym.where(X > 0, X / 0 * -1, X), "torch gives inf at "),
        (
            lambda x: x * 1,
            mx.sym.slice_axis(X, axis=1, begin=0, end=39),
            "MXNet gives the shape (1, 39) where",
        ),
        (lambda x: x * 1, mx.sym.dot(X, X), "MXNet cannot run the symbol: "),
    ],
)
def test_a_nan_or_infinity_of_one_side_is_a_failure(net: Any, symbol: Any, said: str) -> None:
    agreement = compared(net, (1, 40), symbol=symbol)
    assert why(agreement).startswith(said)
    assert agreement.difference == INF


def test_no_infinity_is_taken_for_rounding() -> None:
    """A net that float32 rounds coarsely, and an exponential that runs over in MXNet's float32 alone."""
    coarse = lambda x: torch.sin(1e6 * x.sum(1, keepdim=True)) + F.softplus(100 * x)  # noqa: E731 - a net
    summed = mx.sym.sin(1e6 * mx.sym.sum(X, axis=1, keepdims=True))
    wrong = mx.sym.broadcast_add(mx.sym.log(1 + mx.sym.exp(100 * X)), summed)
    assert "MXNet gives inf at " in why(compared(coarse, (1, 64), symbol=wrong))


def test_the_command_says_what_no_number_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layer = nn.Linear(4, 3)
    torch.save({"weight": layer.weight * NAN, "bias": layer.bias}, "nan.pth")
    (tmp_path / "model.py").write_text("from torch import nn\ndef net():\n    return nn.Linear(4, 3)\n")
    done = fx2mx("model.py:net", "--out", "net_mxnet.py", "--input", "1,4", "--weights", "nan.pth")
    assert done.status == 1
    assert "the MXNet net differs from torch: output " in done.err
    assert "(the weights hold nan: weight)" in done.err
    assert not (tmp_path / "net_mxnet.py").exists()


# Zeros, ties, halves and negative numbers ----------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "symbol"),
    [
        (lambda x: (x > 0).float(), X >= 0),
        (torch.sign, 2 * (X >= 0) - 1),
        (torch.round, mx.sym.round(X)),
        (lambda x: x.argmax(1).float(), 39 - mx.sym.argmax(mx.sym.reverse(X, axis=1), axis=1)),
        (lambda x: (x[:, 1:] > x[:, :-1]).float(), mx.sym.slice_axis(X, axis=1, begin=1, end=None)
            >= mx.sym.slice_axis(X, axis=1, begin=0, end=-1)),
    ],
)  # fmt: skip
def test_zeros_ties_and_halves_are_among_the_inputs(net: Any, symbol: Any) -> None:
    assert not compared(net, (1, 40), symbol=symbol).ok


def test_negative_integers_are_among_the_inputs() -> None:
    net = Fn(lambda x: torch.sigmoid(x.float()))
    specs = (InputSpec("x", (1, 8), "int64"),)
    conversion = convert_specs(net, specs, "Net")
    assert (conversion.inputs[0].low, conversion.inputs[0].high) == (-10, 10)
    assert conversion.verify(layers=False).ok
    vars(conversion)["symbol"] = mx.sym.sigmoid(mx.sym.abs(mx.sym.cast(X, dtype="float32")))
    assert not conversion.verify(layers=False).ok


class Offsets(nn.Module):
    """One table for several fields: forward adds where each begins."""

    def __init__(self, sizes: tuple[int, ...] = (10, 10, 10)) -> None:
        super().__init__()
        self.table = nn.Embedding(sum(sizes), 4)
        self.register_buffer("offsets", torch.tensor([0, *sizes[:-1]]).cumsum(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, fields) int64 to (N, 4)."""
        return self.table(x + self.offsets).sum(1)


class Lengths(nn.Module):
    """Takes lengths from 1 to 5."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3) int64 to (N, 3) float32."""
        assert int(x.min()) >= 1 and int(x.max()) <= 5  # noqa: PT018
        return x / 5


@pytest.mark.parametrize(
    ("net", "low", "high"),
    [
        (Offsets(), 0, 10),
        (Offsets((10, 3, 20)), 0, 20),
        (Offsets((9, 3, 2)), 0, 2),
        (Offsets((1, 2, 3)), 0, 3),
    ],
)
def test_integers_that_forward_takes(net: nn.Module, low: int, high: int) -> None:
    from tracer.inputs import parse_inputs

    conversion = convert_specs(net, parse_inputs(["1,3:int64"], net), "Net")
    assert (conversion.inputs[0].low, conversion.inputs[0].high) == (low, high)
    assert conversion.notes == (
        f"integers for x are from {low} to {high - 1}: forward raises on others; give some with --input x=@x.npy",
    )
    assert conversion.verify(layers=False).ok


def test_a_table_that_is_a_parameter() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(4, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.embedding(x, self.table)

    conversion = convert_specs(Table(), (InputSpec("x", (1, 5), "int64"),), "Net")
    assert (conversion.inputs[0].low, conversion.inputs[0].high) == (0, 4)


CHOOSY = """
import torch
from torch import nn
class Choosy(nn.Module):
    def forward(self, ids):
        if ids.sum() != 4711:
            raise ValueError("not these")
        return ids * 2.0
"""


def test_where_no_integers_run_the_command_says_how_to_give_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(CHOOSY)
    done = fx2mx("model.py:Choosy", "--out", "net_mxnet.py", "--input", "1,3:int64")
    assert done.status == 2
    assert done.err.splitlines()[-2:] == [
        "ValueError: not these",
        "integers were tried for ids from 0 to 9, and fewer: if it takes others, give --input ids=@ids.npy",
    ]


# Float64 -------------------------------------------------------------------------------------------


VECTORS, IMAGES = (1, 32), (1, 4, 5, 6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (F.hardsigmoid, VECTORS),
        (F.hardswish, VECTORS),
        (lambda x: F.leaky_relu(x, 0.1), VECTORS),
        (F.elu, VECTORS),
        (F.selu, VECTORS),
        (F.gelu, VECTORS),
        (nn.PReLU(32), VECTORS),
        (nn.PReLU(), IMAGES),
        (F.rrelu, VECTORS),
        (lambda x: x.clamp(-0.3, 0.7), VECTORS),
        (lambda x: F.softshrink(x, 0.3), VECTORS),
        (nn.LayerNorm(32), VECTORS),
        (nn.GroupNorm(2, 4), IMAGES),
        (nn.InstanceNorm2d(4, affine=True), IMAGES),
        (nn.BatchNorm2d(4), IMAGES),
        (F.normalize, VECTORS),
        (lambda x: F.local_response_norm(x, 3, k=1.1), IMAGES),
        (torch.deg2rad, VECTORS),
        (torch.rad2deg, VECTORS),
        (lambda x: x * 0.1 + 0.3, VECTORS),
        (lambda x: x.abs() ** 0.3, VECTORS),
        (lambda x: x * torch.tensor(0.1), VECTORS),
    ],
)
def test_ops_in_true_float64(layer: Any, shape: tuple[int, ...]) -> None:
    conversion = converted(Fn(layer), shape)
    inputs = {"x": torch.randn(2, *shape[1:], generator=torch.Generator().manual_seed(1)).double()}
    (expected, *_), *_ = double_outputs(
        conversion.model, inputs, lambda net, values: [net(**values).detach()]
    )
    arrays = numpy_inputs(conversion.program, inputs)
    params = conversion.arg_params, conversion.aux_params
    found, *_ = run_symbol(conversion.symbol, *params, arrays, fused=False, double=True)
    assert difference(found, expected.numpy()) < 1e-13


def coarse(x: torch.Tensor) -> torch.Tensor:
    """The digits behind the sixth of a sum, which float32 has not."""
    return torch.sin(1e6 * (F.hardsigmoid(x) * x).sum(1))


def test_a_coarse_net_is_compared_in_float64() -> None:
    agreement = compared(coarse, VECTORS)
    assert agreement.ok
    assert any(o.double for o in agreement.outputs)


def test_an_error_is_seen_in_float64() -> None:
    wrong = mx.sym.sin(1e6 * mx.sym.sum(mx.sym.hard_sigmoid(X, alpha=0.16666) * X, axis=1))
    assert why(compared(coarse, VECTORS, symbol=wrong)) == ""


def test_what_float64_cannot_tell_is_said() -> None:
    resized = lambda x: torch.sin(  # noqa: E731 - a net
        1e7 * F.interpolate(x, size=(7, 11), mode="bilinear", align_corners=False).flatten(1).sum(1)
    )
    said = why(compared(resized, IMAGES))
    assert said.startswith("float32 is too coarse for this net to tell, since torch's own result moves by ")
    assert "and contrib.BilinearResize2D of MXNet is no float64 there: compare on inputs that" in said
    cancelled = lambda x: torch.sin(1e6 * F.layer_norm(x, (64,)).sum(1))  # noqa: E731 - a net
    assert "and float64 moves it by " in why(compared(cancelled, (2, 64)))


def test_a_smaller_tolerance_is_asked_of_float32() -> None:
    assert not any(o.double for o in compared(lambda x: x.exp(), (2, 64), tolerance=1e-12).outputs)


# The search for inputs -----------------------------------------------------------------------------

SLOW = """
import time
from torch import nn
class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        time.sleep({seconds})
        raise ValueError
"""


@pytest.mark.parametrize("seconds", [0.4, 60])
def test_the_search_is_bounded_in_time(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(SLOW.format(seconds=seconds))
    start = time.monotonic()
    done = fx2mx("model.py:Slow", "--out", "net_mxnet.py", "--search-seconds", "2")
    assert time.monotonic() - start < 6
    assert done.status == 2
    assert "no input was found in 2 s on which forward(x) runs (" in done.err
    assert "or more time with --search-seconds 12" in done.err
    if seconds < 1:
        assert "looking for inputs: x=1," in done.err


def test_a_search_in_another_thread_ends_too() -> None:
    import threading

    from tracer.input_search import find_inputs

    def slow(_tensors: Any) -> bool:
        time.sleep(0.05)
        return False

    said: list[str] = []

    def search() -> None:
        try:
            find_inputs(nn.Linear(4, 3), slow, 0.2)
        except RequestError as error:
            said.append(str(error))

    thread = threading.Thread(target=search)
    thread.start()
    thread.join(5)
    assert "no input was found in 0.2 s" in said[0]


def test_layers_of_a_net_that_asks_for_values_where_it_is_not_traced() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(x)
        return torch.sin(y) if isinstance(x, FakeTensor) or y.sum() < 100 else y

    agreement = converted(forward, (1, 4)).verify()
    assert agreement.ok
    assert [layer.name for layer in agreement.layers] == ["tanh", "sin"]


class _LooksWhereItIsReal(nn.Module):
    """As transformers do, it leaves out a mask that keeps everything where it is not traced; it writes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        if not isinstance(x, FakeTensor) and bool(mask.all()):
            return self.after(x)
        y = x * 1
        y[:, 1] = x[:, 1]
        first, second = y.masked_fill(~mask, 0).chunk(2, 1)
        return self.after(torch.cat([first.add_(0), second], 1))


def test_layers_of_a_net_that_looks_at_real_values_are_compared() -> None:
    conversion = tracer.convert(_LooksWhereItIsReal().eval(), (torch.rand(2, 4), torch.ones(2, 4).bool()))
    agreement = conversion.verify()
    assert agreement.ok
    assert agreement.layers[-1].name == "after"
    assert len(agreement.layers) >= 6
    assert max(layer.difference for layer in agreement.layers) < 1e-6
