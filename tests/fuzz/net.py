"""A random net as data, and its text: a small model.py of real code."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.blocks import BLOCKS, named

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
DRAWN = {
    "float": "torch.randn({dims}, generator=g)",
    "double": "torch.randn({dims}, generator=g, dtype=torch.float64)",
    "int": "torch.randint(0, 5, ({dims},), generator=g)",
    "int32": "torch.randint(-3, 6, ({dims},), generator=g, dtype=torch.int32)",
    "bool": "torch.rand({dims}, generator=g) > 0.5",
}


@dataclass(frozen=True)
class Input:
    """An argument of forward: its name, its kind (a key of DRAWN), its sizes, and where the batch stands among them."""

    name: str
    kind: str
    sizes: tuple[int, ...]
    axis: int | None = 0

    def text(self) -> str:
        dims = [str(s) for s in self.sizes]
        if self.axis is not None:
            dims.insert(self.axis, "n")
        return DRAWN[self.kind].format(dims=", ".join(dims))


@dataclass(frozen=True)
class Member:
    """What __init__ makes: `self.name = text`; a constant is registered as a buffer."""

    name: str
    text: str
    buffer: bool = False

    def line(self) -> str:
        return (
            f'self.register_buffer("{self.name}", {self.text})'
            if self.buffer
            else f"self.{self.name} = {self.text}"
        )


@dataclass(frozen=True)
class Step:
    """Statements of forward, which stand or fall together."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Net:
    """A program: inputs, members, steps and what is returned; `at` is the batch size of its conversion."""

    inputs: tuple[Input, ...]
    members: tuple[Member, ...]
    steps: tuple[Step, ...]
    returns: str
    at: int = 2

    def source(self) -> str:
        """The text of its model.py: `Net`, `inputs(n)`, `AT` and `AXES`; members that nothing reads are left out."""
        body = [line for step in self.steps for line in step.lines] + [f"return {self.returns}"]
        read = names("\n".join([*body[:-1], self.returns]))
        members = [m for m in self.members if m.name in read]
        arguments = [i for i in self.inputs if i.name in read] or self.inputs[:1]
        blocks = dict.fromkeys(n for m in members if not m.buffer for n in named(m.text))
        axes = ", ".join(str(a.axis) for a in arguments)
        made = ["super().__init__()", *(m.line() for m in members)]
        return "\n".join(
            [
                HEAD,
                *(BLOCKS[n] for n in BLOCKS if n in blocks),
                "",
                "class Net(nn.Module):",
                *(["    def __init__(self):", *_indented(made), ""] if members else []),
                f"    def forward(self, {', '.join(a.name for a in arguments)}):",
                *_indented(body),
                "",
                "",
                f"AT = {self.at}  # the batch size of the conversion",
                *([f"AXES = ({axes},)  # where the batch stands"] if any(a.axis != 0 for a in arguments) else []),
                "",
                "",
                "def inputs(n):",
                "    g = torch.Generator().manual_seed(n)",
                f"    return ({', '.join(a.text() for a in arguments)},)",
                "",
            ]
        )


def _indented(lines: Sequence[str]) -> list[str]:
    return ["        " + part for line in lines for part in line.split("\n")]


def names(code: str) -> set[str]:
    """The names and attributes that code reads or writes."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def called(code: str) -> set[str]:
    """The functions and methods that the code calls: relu, conv2d, Linear."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            function = node.func
            found.add(function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
    return found - {""}
