"""A net in the making: each step is run by torch as it is drawn, at two batch sizes, so that what is drawn is legal."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from hypothesis import strategies as st
from torch import nn

from tests.fuzz.blocks import scope
from tests.fuzz.net import Input, Member, Net, Step

T = TypeVar("T")
SIZES = (2, 5)  # the batch sizes at which a step must be legal
LARGEST = 3000  # elements of a value
NUMBERS = ("2", "0.5", "-1", "3", "1.5", "0", "-0.25", "1", "10")


class Maker:
    """What is drawn so far, and the values that it has at both batch sizes."""

    def __init__(self, draw: Callable[[Any], Any], inputs: Sequence[Input], at: int) -> None:
        self.draw = draw
        self.inputs = tuple(inputs)
        self.at = at
        self.members: list[Member] = []
        self.steps: list[Step] = []
        self._worlds = self._run()
        self._count = 0

    # What may be drawn

    def one(self, choices: Sequence[T]) -> T:
        """One of these; the first is the simplest."""
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def chance(self, percent: int) -> bool:
        """True this often."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def value(self, name: str) -> torch.Tensor:
        """The value at the first batch size."""
        return self._worlds[0][name]

    def values(self, kind: str = "v", rank: int | None = None, least: int = 0) -> list[str]:
        """The names of the values of a kind: `f` floats, `i` whole numbers, `b` bools, `v` all; the newest last."""
        found = []
        for name, value in self._worlds[0].items():
            if not isinstance(value, torch.Tensor) or (kind != "v" and kind_of(value) != kind):
                continue
            if (rank is None or value.dim() == rank) and value.dim() >= least:
                found.append(name)
        return found

    def pick(self, kind: str = "v", rank: int | None = None, least: int = 0) -> str | None:
        """A value's name; one of another rank where none has this one; None where none is of the kind."""
        found = self.values(kind, rank, least) or (self.values(kind, None, least) if rank else [])
        if not found:
            return None
        return found[-1] if len(found) == 1 or self.chance(45) else self.one(found)

    def free_batch(self, name: str) -> bool:
        """Whether the value's first axis goes with the batch size."""
        small, large = (w[name] for w in self._worlds)
        return bool(small.dim()) and small.shape[0] != large.shape[0]

    def fixed(self, name: str) -> list[int]:
        """The sizes of what broadcasts with the value at every batch size: 1 where its size goes with the batch."""
        small, large = (w[name] for w in self._worlds)
        sizes = [s if s == t else 1 for s, t in zip(small.shape, large.shape, strict=True)]
        return sizes[1:] if self.free_batch(name) else sizes

    def dim(self, name: str) -> int:
        """An axis of a value, rarely its first."""
        rank = self.value(name).dim()
        if not rank:
            return 0
        dim = self.number(1, rank - 1) if rank > 1 and self.chance(75) else self.number(0, rank - 1)
        return dim - rank if self.chance(30) else dim

    # What is drawn

    def new(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def constant(self, *sizes: int, of: str = "f") -> str:
        """A buffer's name in forward: of floats, whole numbers or bools."""
        shape = ", ".join(map(str, sizes))
        # Its own generator: the values are the same whatever else the net has.
        seeded = f"generator=torch.Generator().manual_seed({len(self.members)})"
        text = {
            "f": f"torch.randn(({shape},), {seeded})" if sizes else f"torch.randn((), {seeded})",
            "i": f"torch.randint(0, 3, ({shape},), {seeded})",
            "b": f"torch.rand(({shape},), {seeded}) > 0.5",
        }
        return self._member(text[of], True)

    def module(self, text: str) -> str:
        """A module's name in forward."""
        return self._member(text, False)

    def _member(self, text: str, buffer: bool) -> str:
        name = f"{'c' if buffer else 'm'}{len(self.members)}"
        member = Member(name, text, buffer)
        torch.manual_seed(0)
        try:
            made = eval(text, dict(scope()))
        except Exception:  # noqa: BLE001 - arguments that torch does not take
            return ""
        self.members.append(member)
        for world in self._worlds:
            setattr(world["self"], name, made.eval() if isinstance(made, nn.Module) else made)
        return f"self.{name}"

    def add(self, *lines: str) -> bool:
        """Add a step; False where torch does not take it, or its values are of no use."""
        step = Step(lines)
        self.steps.append(step)
        try:
            for world in self._worlds:
                _exec("\n".join(lines), world)
            if all(_useful(v) for v in self._worlds[0].values()) and _alike(*self._worlds):
                return True
        except Exception:  # noqa: BLE001 - whatever torch raises
            pass
        self.steps.pop()
        self._worlds = self._run()
        return False

    def net(self, returns: str) -> Net:
        return Net(self.inputs, tuple(self.members), tuple(self.steps), returns, self._legal())

    def _legal(self) -> int:
        """The batch size of the conversion, where torch runs the net at it."""
        try:
            self._world(self.at)
        except Exception:  # noqa: BLE001 - whatever torch raises
            return SIZES[0]
        return self.at

    def _run(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both worlds, made anew. Steps that hang on what stood before are dropped."""
        while True:
            try:
                return self._world(SIZES[0]), self._world(SIZES[1])
            except Exception:  # noqa: BLE001 - whatever torch raises
                self.steps.pop()

    def _world(self, n: int) -> dict[str, Any]:
        torch.manual_seed(0)
        names = {**scope(), "g": torch.Generator().manual_seed(n), "n": n}
        world: dict[str, Any] = {"self": _Self()}
        for member in self.members:
            made = eval(member.text, names)
            setattr(world["self"], member.name, made.eval() if isinstance(made, nn.Module) else made)
        world.update({i.name: eval(i.text(), names) for i in self.inputs})
        for step in self.steps:
            _exec("\n".join(step.lines), world)
        return world


class _Self:
    """Stands for the net while it is drawn."""


def _exec(code: str, world: dict[str, Any]) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code, _SCOPE, world)


_SCOPE = {"torch": torch, "nn": nn, "F": nn.functional}


def kind_of(value: torch.Tensor) -> str:
    """`f`, `i` or `b`."""
    if value.dtype == torch.bool:
        return "b"
    return "f" if value.is_floating_point() else "i"


def _useful(value: Any) -> bool:
    """What a net may go on with: real, dense, finite for the most part, neither empty nor huge."""
    if isinstance(value, _Self | int | float | str | list):
        return True
    if not isinstance(value, torch.Tensor):
        return False
    if value.layout != torch.strided or value.is_complex() or not 0 < value.numel() <= LARGEST or value.dim() > 6:
        return False
    if value.dtype in (torch.float16, torch.bfloat16):
        return False
    finite = torch.isfinite(value)
    return bool(finite.all()) and float(value.abs().max() if value.dtype != torch.bool else 0) < 1e6


def _alike(small: dict[str, Any], large: dict[str, Any]) -> bool:
    return all(
        type(v) is type(large.get(k)) and (not isinstance(v, torch.Tensor) or v.dim() == large[k].dim())
        for k, v in small.items()
    )
