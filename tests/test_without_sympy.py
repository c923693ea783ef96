"""What the command's torch does without is imported for who asks: each test in a process of its own."""

from __future__ import annotations

from tests.alone import ran

NET = """
import sys
import torch, tracer
from torch import nn
from tracer.without_sympy import without_sympy

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        {first}
        x = self.norm(nn.functional.gelu(self.conv(x)))
        return torch.cat([x, x.transpose(2, 3) @ x], 1).amax(-1)

net = Net().eval()
with without_sympy():
    conversion = tracer.convert(net, (torch.randn(2, 3, 8, 8),), "Net")
assert conversion.verify().ok
LEFT = "torch.distributed.tensor", "torch.fx.experimental.symbolic_shapes", "torch.utils._sympy.functions", "sympy", "requests"
"""
# A DTensor of one process, as it is used after a conversion or before.
REAL = """
import os, tempfile
import torch.distributed as dist
from torch.distributed.tensor import DTensor, Shard, distribute_tensor, init_device_mesh
dist.init_process_group("gloo", init_method="file://" + tempfile.mktemp(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
made = distribute_tensor(torch.ones(4, 2), mesh, [Shard(0)])
made = (made + made).relu()
assert type(made) is DTensor and made.full_tensor().sum() == 16, made
dist.destroy_process_group()
"""


def ran_net(first: str, then: str) -> str:
    return ran(NET.format(first=first) + then)


def test_a_conversion_does_not_import_them() -> None:
    assert ran_net("pass", "print([name for name in LEFT if name in sys.modules])") == "[]\n"


def test_they_are_whole_after_a_conversion() -> None:
    then = """
import sympy, torch.fx.experimental.symbolic_shapes as shapes
from torch.utils._sympy.functions import Max
assert torch.fx.experimental.symbolic_shapes is shapes
assert shapes.ShapeEnv and Max(sympy.Symbol("a"), 1).args and sympy.core.Basic is sympy.Basic
x = torch.randn(2, 3, 8, 8)
exported = torch.export.export(net, (x,), dynamic_shapes={"x": {0: torch.export.Dim("n", min=2, max=9)}})
assert torch.equal(exported.module()(x), net(x))
"""
    ran_net("pass", then)


def test_dtensor_after_a_conversion() -> None:
    ran_net("pass", REAL)


def test_what_forward_asks_of_them() -> None:
    for first in (
        "import sympy; assert sympy.Symbol('a') + 0 == sympy.Symbol('a')",
        "from sympy.core.numbers import Integer; assert isinstance(Integer(2), __import__('sympy').Basic)",
        "import torch.distributed.tensor as t; assert not isinstance(x, t.DTensor) and t.Shard(0).dim == 0",
        "from torch.distributed.tensor.placement_types import Shard; assert Shard(1).is_shard()",
        "import torch.fx.experimental.symbolic_shapes as s; assert s.ShapeEnv().create_unbacked_symint() is not None",
    ):
        then = "import sympy; assert sympy.Basic.__module__ == 'sympy.core.basic'"
        ran_net(first, then + " and sympy.__spec__.loader is sympy.__loader__")


def test_what_was_kept_is_torchs_own_to_others() -> None:
    """A function that a module took while it stood in asks torch's about what is not plain."""
    then = """
with without_sympy():
    from torch.fx.experimental.symbolic_shapes import guard_or_false, statically_known_true, sym_eq
    from torch.distributed.tensor import DTensor
    assert guard_or_false(True) and sym_eq((1, 2), torch.Size([1, 2])) and not sym_eq(1, 2)
    assert "sympy" not in sys.modules or type(sys.modules["sympy"]).__name__ == "StandIn"
    assert not issubclass(nn.Parameter, DTensor)
from torch.fx.experimental.symbolic_shapes import ShapeEnv
size = ShapeEnv().create_unbacked_symint()
assert guard_or_false(size == 3) is False and statically_known_true(size == size)
import torch.distributed.tensor
assert issubclass(torch.distributed.tensor.DTensor, DTensor)
"""
    ran_net("pass", then)
