"""At which batch sizes a converted net is right: proved, tried, or frozen, and said with the user's line."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import mxnet as mx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from codegen.ir import Source
from tracer.batch_symbol import BatchSize, Question, Questions, in_symbols, plain
from tracer.conversion import convert_specs
from tracer.inputs import InputSpec

ALL = "any batch size"
Forward = Callable[[torch.Tensor], torch.Tensor]


class Net(nn.Module):
    def __init__(self, f: Forward) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.f(x)


@dataclass(frozen=True)
class Case:
    """`said`: ALL, "least", "least/step", "tried", or the words that say why the batch is frozen."""

    name: str
    f: Forward
    said: str
    at: int = 1


CASES = [
    # What is the same at every size.
    Case("sizes", lambda x: x.view(x.shape[0], 2, -1).transpose(1, 2).reshape(x.size(0), -1), ALL),
    Case("known at every size", lambda x: x * (2 if x.shape[0] >= 1 else 1), ALL),
    Case("a size against itself", lambda x: x * (2 if x.shape[0] == x.size(0) else 1), ALL),
    Case("multiples", lambda x: x.repeat(2, 1).view(2 * x.shape[0] // 2, -1), ALL),
    Case("remainder of a multiple", lambda x: x * (1 + (4 * x.shape[0] + 3) % 2), ALL),
    Case("product of sizes", lambda x: x.view(math.prod(x.shape)).view(*x.shape), ALL),
    Case("numpy's product of sizes", lambda x: x.view(x.shape[0], int(np.prod(x.shape[1:]))), ALL),
    Case("offset", lambda x: torch.cat([x, torch.ones(2, 4)])[1:], ALL),
    Case("arange below a number", lambda x: (torch.arange(x.shape[0]) < 40)[:, None] * x, ALL),
    Case("expanded", lambda x: x + torch.ones(x.shape[0], 1), ALL),
    # What is not, and at a batch of one.
    Case(
        "parts of the batch",
        lambda x: x.unbind(0)[0] * x.split(1)[-1],
        "runs other ops at another batch size",
        2,
    ),
    Case("channels along the batch", lambda x: F.instance_norm(x.view(2, -1, 2)), "as many channels as", 3),
    Case("min", lambda x: x * min(x.shape[0], 4), "N > 4"),
    Case("max", lambda x: x.sum(0, keepdim=True) / max(x.shape[0], 4), "N < 4"),
    Case("floor", lambda x: x * (x.shape[0] // 4), "N // 4"),
    Case("remainder", lambda x: x * (x.shape[0] % 5), "N % 5"),
    Case("branch", lambda x: x * (2 if x.shape[0] > 3 else 1), "N > 3"),
    Case("far branch", lambda x: x * (2 if x.shape[0] > 3000 else 1), "N > 3000"),
    Case("root", lambda x: x * int(x.shape[0] ** 0.5), "N ** 0.5"),
    Case("square", lambda x: x * (x.shape[0] * x.shape[0]), "N * N"),
    Case("division", lambda x: x * (x.shape[0] / 2), "N / 2"),
    Case("bits", lambda x: x * (x.shape[0] & 3), "N & 3"),
    Case("loop", lambda x: sum((x for _ in range(x.shape[0])), x * 0), "other ops"),
    Case("first four", lambda x: x[:4], "not linear"),
    Case("first hundred", lambda x: x[:100], "100"),
    Case("last hundred", lambda x: x[..., :2][-100:], "100"),
    Case("pieces of a hundred", lambda x: x.split(100)[0], "100"),
    Case("cut of a constant", lambda x: torch.arange(40.0)[: x.shape[0], None] + x, "getitem at N"),
    Case("every third", lambda x: x[::3], "not linear"),
    Case("squeeze", lambda x: x.squeeze(), "another rank"),
    Case("squared size", lambda x: (x @ x.t()).view(-1), "not linear"),
    # From some size on, and multiples of one.
    Case("squeeze of two", lambda x: x.squeeze(), "2", at=2),
    Case("squeeze of six", lambda x: x.squeeze(), "2", at=6),
    Case("min of six", lambda x: x * min(x.shape[0], 4), "5", at=6),
    Case("branch of six", lambda x: x * (2 if x.shape[0] > 3 else 1), "4", at=6),
    Case("first four of six", lambda x: x[:4], "6", at=6),
    Case("all but one", lambda x: x[1:] * x[:-1], "2", at=3),
    Case("all but two", lambda x: torch.cat([x[2:], x[:2]]) * 2, "3", at=4),
    Case(
        "the first of two pieces, one of which may be empty", lambda x: x.split([1, x.shape[0] - 1])[0], ALL
    ),
    Case("floor of eight", lambda x: x * (x.shape[0] // 4), "4/4", at=8),
    Case("pairs", lambda x: x.view(x.shape[0] // 2, 2, 4).sum(1), "1/2", at=2),
    Case("pairs by -1", lambda x: x.view(-1, 2, 4).sum(1), ALL, at=2),
    Case(
        "size of every second", lambda x: x.sum() * torch.arange(x[1::2, :2].flatten().shape[0]), "2/2", at=4
    ),
    Case("size of every second of one", lambda x: x * x[::2, :2].numel(), "the size of 1/2"),
    Case("first of two pieces", lambda x: x.chunk(2)[0] * 2, "pieces", at=2),
    Case("two pieces", lambda x: torch.sub(*x.chunk(2)), "pieces", at=2),
    Case("layout", lambda x: x * (2 if x[:, :2].is_contiguous() else 1), "is_contiguous()"),
    # A plain number.
    Case("int and squeeze", lambda x: x.view(int(x.shape[0]), 4).squeeze(), "another rank", at=2),
    Case("int", lambda x: x.view(int(x.shape[0]), 2, 2), "tried"),
    Case("len", lambda x: x.view(len(x), 2, 2), ALL),
    Case("len compared", lambda x: x * (1 if len(x) == 3 else 3), "N == 3"),
    Case("len in C", lambda x: x.view(operator.length_hint(x), 2, 2), "tried"),
    Case("broadcast_shapes", lambda x: x.expand(torch.broadcast_shapes(x.shape, (1, 4))), "tried"),
    Case("list", lambda x: x * [1.0, 2.0][x.shape[0] * 0], ALL),
    Case("value", lambda x: x.view(int(torch.arange(x.shape[0] + 1)[-1]), 2, 2), "tried"),
]


def images(batch: int) -> torch.Tensor:
    return torch.randn(batch, 4, generator=torch.Generator().manual_seed(batch))


def said(conversion: tracer.Conversion) -> str:
    graph = conversion.graph
    if graph.sampled and graph.free_batch:
        return "tried"
    if graph.free_batch:
        return ALL
    if not graph.runs_at_others:
        return graph.frozen_because
    return str(graph.least_batch) + (f"/{graph.batch_step}" if graph.batch_step > 1 else "")


def test_inputs_lie_in_memory_without_gaps() -> None:
    """So that flatten() of a batch on axis 1 is a view, and a write to it reaches its base."""

    class Written(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x * 1
            y.flatten(1)[:, ::2] = 2
            return y

    given = torch.randn(3, 1, 4)
    specs = (InputSpec("x", (3, 1, 4), "float32", 1, value=given.numpy()),)
    conversion = convert_specs(Written(), specs, "Net")
    assert conversion.verify().ok
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="null", x=(3, 1, 4))
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    made = executor.forward(is_train=False, x=mx.nd.array(given.numpy()))[0].asnumpy()
    assert np.array_equal(made, Written()(given).numpy())


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_is_said_of_the_batch_holds(case: Case) -> None:
    net = Net(case.f).eval()
    conversion = tracer.convert(net, (images(case.at),), name="Net")
    found = said(conversion)
    is_frozen = not conversion.graph.runs_at_others
    assert case.said in found if is_frozen else case.said == found
    if is_frozen:
        assert "test_batch.py" in found, "the user's line is named"
    free = re.search(r"Inputs: x \(N, 4\)\.", conversion.code) is not None
    assert free == conversion.graph.free_batch
    limits = [line for line in conversion.code.splitlines() if re.search(r"[Bb]atch sizes? ", line)]
    assert bool(limits) == (found != ALL)
    for batch in sizes(conversion, case.at):
        x = images(batch)
        np.testing.assert_allclose(by_mxnet(conversion, x), case.f(x).numpy(), rtol=1e-5, atol=1e-5)


def test_what_is_empty_at_its_own_batch_is_refused() -> None:
    with pytest.raises(tracer.ConversionError) as refused:
        tracer.convert(Net(lambda x: x[1:] * 2), (images(1),), name="Net")
    assert refused.value.problems[0].code == "empty"


def sizes(conversion: tracer.Conversion, at: int) -> list[int]:
    """Some of the sizes that are admitted."""
    graph = conversion.graph
    if not graph.runs_at_others:
        return [at]
    unit = 2 if "by -1" in conversion.program.name else graph.batch_step
    tried = (1, 2, 3, 4, 5, 6, 7, 8, 12, 30, 31, 41, 100)
    return [at, *(n for n in tried if n >= graph.least_batch and n % unit == 0 and n % graph.batch_unit == 0)]


def by_mxnet(conversion: tracer.Conversion, x: torch.Tensor) -> np.ndarray:
    symbol = conversion.symbol
    executor = symbol.simple_bind(mx.cpu(), grad_req="null", x=tuple(x.shape))
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    return executor.forward(is_train=False, x=mx.nd.array(x.numpy()))[0].asnumpy()


def test_the_batch_is_frozen_when_that_is_asked() -> None:
    conversion = tracer.convert(Net(lambda x: x * 2).eval(), (images(3),), name="Net", frozen_batch=True)
    assert "Inputs: x (3, 4)." in conversion.code
    assert conversion.notes == ("the batch size is frozen at 3: as was asked",)


def test_a_value_that_was_written_to_is_followed() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        marks = torch.zeros(x.shape[0])
        marks[40:] = 1
        return x * (2 if marks.sum() > 0 else 1)

    assert said(tracer.convert(Net(forward).eval(), (images(1),), name="Net")) == "tried"


@pytest.fixture
def questions() -> Questions:
    return Questions(lambda: Source(file="model.py", line=7))


@pytest.fixture
def n(questions: Questions) -> BatchSize:
    found = in_symbols(31, 1, (1, 31), questions)
    assert type(found) is BatchSize
    return found


def test_a_batch_size_is_an_int_to_who_asks(n: BatchSize) -> None:
    assert isinstance(n, int)
    assert torch.Size([n, 3])[0] is n
    assert plain({"a": [n, (n,)], "b": slice(n)}) == {"a": [31, (31,)], "b": slice(31)}


def test_sums_and_multiples_ask_nothing(n: BatchSize, questions: Questions) -> None:
    assert plain(2 * (n + 3) - n) == 37
    assert (n + 1) - n == 1
    assert plain((6 * n + 4) // 3) == 63
    assert (6 * n + 4) % 3 == 1
    assert plain(-n) == -31
    assert n != 0
    assert n > 0
    assert not n < 1
    assert n == n + 0
    assert questions.asked == []


@pytest.mark.parametrize(
    ("ask", "least"),
    [
        (lambda n: n == 1, 2),
        (lambda n: n == 31, 0),
        (lambda n: n > 3, 4),
        (lambda n: n >= 3, 3),
        (lambda n: 2 * n > 7, 4),
        (lambda n: n < 4, 4),
        (lambda n: n < 40, 0),
        (lambda n: n <= 2.5, 3),
        (lambda n: n - 5 == 0, 6),
        (lambda n: 3 * n == 2 * n + 7, 8),
        (lambda n: n // 2, 0),
        (lambda n: n / 2, 0),
        (lambda n: n**2, 0),
        (lambda n: float(n), 0),
        (lambda n: bool(n - 5), 6),
    ],
)
def test_questions(
    n: BatchSize, questions: Questions, ask: Callable[[BatchSize], object], least: int
) -> None:
    ask(n)
    assert [q.least for q in questions.asked] == [least]
    assert questions.asked[0].source.line == 7


@pytest.mark.parametrize(
    "use", [int, range, lambda n: [0] * n, lambda n: f"{n}", hash, lambda n: [1] * 40 and list(range(40))[n]]
)
def test_what_needs_a_plain_number_is_seen(
    n: BatchSize, questions: Questions, use: Callable[[BatchSize], object]
) -> None:
    use(n)
    assert [q.is_leak for q in questions.asked] == [True]


def test_multiples_are_asked_of_a_batch_that_is_one(questions: Questions) -> None:
    n = in_symbols(40, 8, (8, 40), questions)
    assert plain(n // 8) == 5
    assert n % 4 == 0
    assert [(q.least, q.step) for q in questions.asked] == [(1, 8), (1, 4)]


def test_a_question_is_noted_once(n: BatchSize, questions: Questions) -> None:
    assert n > 3
    assert n > 3
    assert questions.asked == [Question("N > 3", Source(file="model.py", line=7), 4)]


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda x: x.relu() if x.shape[0] > 3 else x.tanh(), "forward asks N > 3 of the batch size N, test_batch.py:"),
        (lambda x: x.cumprod(0), "cumprod() along the batch axis, test_batch.py:"),
    ],
)
def test_the_docstring_names_no_folder_of_this_machine(forward: Forward, said: str) -> None:
    """The same net gives the same bytes wherever it lies."""
    conversion = tracer.convert(Net(forward), (torch.rand(2, 3, 8, 8),))
    assert not conversion.graph.runs_at_others
    assert f"Batch size 2 alone: {said}" in re.sub(r"\s+", " ", conversion.code)
    assert __file__ not in conversion.code
