"""The fuzzer: 300 fixed nets, and that it sees what is wrong, dead or hung, and shrinks it."""

from __future__ import annotations

import inspect
import itertools
import json

import pytest

from codegen import rules
from codegen.builder.rule import RuleEntry
from tests.fuzz.known import KNOWN
from tests.fuzz.net import called
from tests.fuzz.pool import Result, Runner, results
from tests.fuzz.record import Record
from tests.fuzz.run import Outcome, batches, outcome
from tests.fuzz.seeds import net_of, shrunk

NETS, CHUNK = 300, 10
HEAD = "import torch\nimport os\nfrom torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        {}\n"
TAIL = "AT = 2\ndef inputs(n):\n    return (torch.randn(n, 4, generator=torch.Generator().manual_seed(n)),)\n"


def source(*lines: str) -> str:
    return HEAD.format("\n        ".join(lines)) + TAIL


@pytest.mark.parametrize("first", range(0, NETS, CHUNK))
def test_nets(first: int):
    """No net fails but those that are known to, and these fail as they are known to."""
    found = {}
    for seed in range(first, first + CHUNK):
        result = outcome(net_of(seed).source())
        if result.failed:
            found[seed] = result.kind
    assert found == {s: kind for s, (kind, _) in KNOWN.items() if first <= s < first + CHUNK}


def test_a_seed_gives_the_same_net():
    assert [net_of(s) for s in (3, 4, 3)] == [net_of(s) for s in (3, 4, 3)]
    assert len({net_of(s).source() for s in range(20)}) > 18


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["return torch.relu(x) @ x.t()"], "agrees"),
        (["return torch.nonzero(x)"], "refused"),
        (["return x.relu(", "    3)"], "no net"),
    ],
)
def test_outcomes(lines: list[str], status: str):
    assert outcome(source(*lines)).status == status


def test_a_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch):
    """A rule that is off only for what is far from nought."""

    def tanh(b, input):
        return b.op("clip", input, a_min=-1, a_max=1)

    text = source("v1 = x.t() / 1e4", "v2 = torch.tanh({})", "return v2 * 3, x.sum(1)")
    assert outcome(text.replace("{}", "v1")).status == "agrees"
    monkeypatch.setitem(rules._ADDED, "tanh", RuleEntry("tanh", tanh, inspect.signature(tanh), ()))
    assert outcome(text.replace("{}", "v1")).status == "agrees"
    found = outcome(text.replace("{}", "v1 * 1e4"))
    assert (found.status, found.kind) == ("wrong", "wrong: value")


def test_orders_that_torch_leaves_open_are_no_faults():
    """Ties, and what float32 rounds away."""
    tied = "v = torch.relu(x)"
    assert outcome(source(tied, "return torch.zeros_like(v).scatter(1, v.topk(2, 1)[1], 1.0)")).status == "agrees"
    assert outcome(source("return (x - x + 1e3) - 1e3 + 1e-6 * x.sum()")).status == "agrees"


def test_inputs_without_a_batch_and_with_it_elsewhere():
    text = "class Net(nn.Module):\n    def forward(self, x, y):\n        return x.sum(0) @ y\nAT = 2\nAXES = (1, None)\n"
    made = "def inputs(n):\n    g = torch.Generator().manual_seed(n)\n    return (torch.randn(5, n, 4, generator=g), torch.ones(4, 2))\n"
    found = outcome("import torch\nfrom torch import nn\n" + text + made)
    assert (found.status, found.kind, found.sizes) == ("agrees", "free batch", 4)


def test_sizes_from_some_on_are_compared():
    assert outcome(source("return x[1:] * 2")).sizes == 4


def test_what_is_wrong_at_another_size_alone_is_seen(monkeypatch: pytest.MonkeyPatch):
    """A docstring that promises too much."""
    text = source("return x * 2 + 1")
    assert outcome(text).sizes == 4
    monkeypatch.setattr("tests.fuzz.run.batches", lambda code, at: [8, 3, 1])
    narrow = outcome(source("return x.reshape(2, 4) if len(x) == 2 else x[:, :3]"))
    assert narrow.status in ("wrong", "does not bind")
    assert "at another batch size" in narrow.kind


def test_shrinks_to_what_matters():
    """With a converter that fails at every transposed view: no more than that is left."""

    def run(text: str) -> Outcome:
        return Outcome("wrong" if "transpose" in called(text) else "agrees", kind="it")

    seed = next(s for s in itertools.count() if "transpose" in called(net_of(s).source()))
    net, _ = shrunk(seed, Outcome("wrong", kind="it"), run, seconds=10)
    assert len(net.steps) == 1
    assert len(net.steps[0].lines) <= 2


def test_survives_death_and_hangs(monkeypatch: pytest.MonkeyPatch):
    runner = Runner()
    try:
        assert runner(source("return x + 1")).status == "agrees"
        died = runner(source("os._exit(7)"))
        assert (died.status, died.why) == ("died", "exit code 7")
        assert runner(source("return x + 1")).status == "agrees"
        monkeypatch.setattr("tests.fuzz.pool.LATEST", 3)
        hung = runner(source("x.sum()", "while True:", "    pass"))
        assert hung.status == "hung"
        monkeypatch.undo()
        assert runner(source("return x + 1")).status == "agrees"
    finally:
        runner.stop()


def test_pool_gives_each_seed_once():
    found = {r.seed: r for r in results(range(400, 406), 2)}
    assert sorted(found) == list(range(400, 406))
    assert found[403].source == net_of(403).source()


def test_record_is_resumed(tmp_path):
    file = tmp_path / "results.jsonl"
    record = Record(file)
    record.add(Result(5, "text", Outcome("agrees", kind="free batch", sizes=4)))
    record.add(Result(6, "text", Outcome("wrong", kind="wrong: value")))
    assert sorted(Record(file).rows) == [5, 6]
    lines = file.read_text().splitlines()
    older = json.dumps({**json.loads(lines[0]), "converter": "older"})
    file.write_text("\n".join([older, *lines[1:]]) + "\n")
    assert sorted(Record(file, keep=True).rows) == [5]
    file.write_text("\n".join([older, *lines[1:]]) + "\n")
    assert sorted(Record(file).rows) == []


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("    Inputs: x (N, 3, 4).\n", [8, 3, 1]),
        ("    Inputs: x (2, 3, 4).\n", []),
        ("    Inputs: x (3, N).\n", [8, 3, 1]),
        ("    Inputs: Next (3, 4).\n", []),
        ("    Inputs: x (2 * N, 3), y (4,).\n", [8, 3, 1]),
        ("    Inputs: x (N, 4).\n    Batch sizes from 2 on: model.py:8\n", [8, 3, 5]),
        ("    Inputs: x (N, 4).\n    Batch sizes from 2 on that 2\n    divides: model.py:8\n", [8, 6, 12]),
    ],
)
def test_batches_of_a_docstring(text: str, others: list[int]):
    assert batches(text, 2) == others
