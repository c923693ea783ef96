"""`python -m tests.architecture`: write the generated parts of docs/architecture.md.

The picture is made from the imports of the code, the list of rooms from the first lines of their docstrings, and the
way of one layer through them from a real conversion. tests/test_architecture.py fails when the page is stale.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.test_layers import HOME, ROOMS, files, imports, room

PAGE = HOME / "docs" / "architecture.md"
MARK = "<!-- {name}: written by python -m tests.architecture -->"
# What stands side by side in the picture, from the top down; `data` is what the stages hand on.

DATA = ("ir", "draft", "program", "folded", "written")


def uses() -> dict[str, set[str]]:
    """For each room of codegen/, and `tracer`, the rooms whose code it imports."""
    found: dict[str, set[str]] = {name: set() for name in ("tracer", *ROOMS)}
    for path in files("codegen", "tracer"):
        own = "tracer" if path.is_relative_to(HOME / "tracer") else room(path)
        if own == "__init__":
            continue
        for one in imports(path):
            parts = one.module.split(".")
            if parts[0] == "codegen" and len(parts) > 1 and parts[1] != own:
                found[own].add(parts[1])
    return found


def picture(used: Mapping[str, set[str]]) -> str:
    """The rooms and who imports whom, as a Mermaid chart; arrows that follow from others are left out."""
    lines = ["```mermaid", "flowchart TD"]
    for name in used:
        shape = f"{name}[({name})]" if name in DATA else f"{name}[{name}]"
        lines.append(f"    {shape}")
    for name, below in used.items():
        lines += [f"    {name} --> {other}" for other in sorted(below - _implied(name, used))]
    return "\n".join([*lines, "```"])


def _implied(name: str, used: Mapping[str, set[str]]) -> set[str]:
    """What a room reaches through the rooms that it imports."""
    reached: set[str] = set()
    waiting = [other for below in used[name] for other in used[below]]
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting += used[other]
    return reached


def rooms() -> str:
    """What each room holds."""
    rows = ["| room | what it holds |", "|---|---|"]
    for name in ("tracer", *ROOMS):
        place = HOME / "tracer" if name == "tracer" else HOME / "codegen" / name
        is_folder = place.is_dir()
        first = place / "__init__.py" if is_folder else place.with_suffix(".py")
        shown = f"`{place.relative_to(HOME)}/`" if is_folder else f"`{first.relative_to(HOME)}`"
        rows.append(f"| {shown} | {_first_line(first)} |")
    return "\n".join(rows)


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0]


def page() -> str:
    """The page with its generated parts as they are today."""
    used = uses()
    parts = {"picture": picture(used), "rooms": rooms(), "way": way()}
    text = PAGE.read_text(encoding="utf-8")
    for name, part in parts.items():
        start, end = MARK.format(name=name), MARK.format(name=f"end of {name}")
        block = f"{start}\n\n{part}\n\n{end}"
        text, count = re.subn(f"{re.escape(start)}.*?{re.escape(end)}", lambda _: block, text, flags=re.S)
        assert count == 1, f"{PAGE.name} has no place for {name}"
    return text


def way() -> str:
    """One nn.Conv2d, as each stage hands it on."""
    import torch
    from torch import nn

    from codegen.builder.builder import Builder
    from codegen.fold.fold import fold
    from codegen.folded import text
    from codegen.lower.graph import drafted, lower
    from codegen.rules import rule_table
    from codegen.written import Origin
    from tracer.conversion import convert_specs
    from tracer.inputs import InputSpec
    from tracer.trace import trace

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    net = Net()
    specs = (InputSpec("x", (1, 3, 8, 8)),)
    graph = trace(net, specs)
    draft = drafted(Builder(graph), rule_table())
    program = lower(graph, "Net", tuple(net.state_dict()))
    code = convert_specs(
        net, specs, "Net", origin=Origin("model.py:Net", "python -m tracer.gen model.py:Net")
    ).code
    stages = [
        ("`codegen.ir.Graph`, by `tracer.trace`: torch's ops with shapes, dtypes and places", graph.text()),
        (
            "`codegen.draft.Draft`, by `codegen.lower`: what the rules wrote, without names",
            _shown(draft.calls[0]),
        ),
        ("`codegen.program.Program`, by `codegen.naming`: MXNet's calls under their names", program.text()),
        ("`codegen.folded.Module`, by `codegen.fold`: functions and statements", text(fold(program, "Net"))),
        ("`model_mxnet.py`, by `codegen.write` and `templates/`", code[code.index("def Net") :]),
    ]
    return "\n\n".join(
        f"{number}. {title}\n\n```\n{text.rstrip()}\n```" for number, (title, text) in enumerate(stages, 1)
    )


def _shown(call: Any) -> str:
    """A dataclass with a field a line."""
    given = "\n".join(f"    {name}={value!r}," for name, value in vars(call).items())
    return f"{type(call).__name__}(\n{given}\n)"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
