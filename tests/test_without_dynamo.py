"""torch._dynamo is imported for who asks for it, and not for a conversion: each test in a process of its own."""

from __future__ import annotations

from tests.alone import ran

NET = """
import sys
import numpy as np, torch, tracer
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.register_buffer("scale", torch.ones(8)[2:6])

    def forward(self, x):
        {first}
        return F.gelu(self.conv(x) + 1) * self.scale[:, None, None]

net = Net().eval()
conversion = tracer.convert(net, (torch.randn(2, 3, 8, 8),), "Net")
assert conversion.verify().ok
"""


def ran_net(first: str, then: str) -> str:
    return ran(NET.format(first=first) + then)


def test_a_conversion_does_not_import_it() -> None:
    assert ran_net("pass", "print('torch._dynamo' in sys.modules)") == "False\n"


def test_it_is_whole_after_a_conversion() -> None:
    then = """
import torch._dynamo, torch._dynamo.utils
assert torch._dynamo.config.disable is False
assert torch._dynamo.config is sys.modules["torch._dynamo.config"]
seen = []
def backend(graph, inputs):
    seen.append(len(graph.graph.nodes))
    return graph.forward
x = torch.randn(2, 3, 8, 8)
compiled = torch.compile(net, backend=backend)
assert torch.equal(compiled(x), net(x))
print(len(seen))
"""
    assert ran_net("pass", then) == "1\n"


def test_what_forward_asks_of_it() -> None:
    for first in (
        "assert not torch._dynamo.is_compiling()",
        "import torch._dynamo.utils as u; assert u.counters is sys.modules['torch._dynamo.utils'].counters",
        "from torch._dynamo import is_compiling; assert not is_compiling()",
    ):
        ran_net(first, "import torch._dynamo; assert torch._dynamo.config.disable is False")


def test_what_forward_compiles_runs_as_python() -> None:
    first = "x = torch.compile(lambda t: torch.relu(t) * 2)(x)"
    assert "relu" in ran_net(first, "print(conversion.code)")


def test_what_was_compiled_before_runs_as_python() -> None:
    then = """
compiled = torch.compile(lambda t: torch.relu(t) * 2, backend="eager")
class Two(nn.Module):
    def forward(self, x):
        return compiled(x)
two = tracer.convert(Two(), (torch.randn(2, 3),), "Two")
assert two.verify().ok
print("relu" in two.code)
"""
    assert ran_net("pass", then) == "True\n"
