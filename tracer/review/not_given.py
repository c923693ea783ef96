"""What forward makes by itself in the place of arguments that are not given."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from codegen.ir import Graph, Node
from tracer.conversion import Conversion
from tracer.inputs import forward_of
from tracer.review.model import MadeRow
from tracer.review.words import held_values, place, shape_text
from tracer.statements import statement_at

# A longer default is not written out.
LONGEST = 40


def made_rows(conversion: Conversion, folder: Path) -> tuple[MadeRow, ...]:
    """The arguments of forward that were not given, and what it makes of nothing but sizes in their place, or
    their defaults."""
    given = {spec.name for spec in conversion.inputs}
    names = [name for name in forward_of(conversion.model).names if name not in given] if given else []
    found: dict[str, Node] = {}
    for node in _known(conversion.graph):
        statement = statement_at(node.source.file, node.source.line)
        # Of the statement that assigns it first, the last step is what it becomes.
        first = found.get(statement.target, node)
        if statement.is_argument and first.source.line == node.source.line:
            found[statement.target] = node
    return tuple(
        (
            _row(name, found[name], conversion.graph, folder)
            if name in found
            else MadeRow(name, _default(conversion.model, name), "", "")
        )
        for name in names
    )


def _default(model: nn.Module, name: str) -> str:
    """What forward has for it; what it computes of that and of its inputs is in the port."""
    default = repr(inspect.signature(model.forward).parameters[name].default)
    return f"its default: {default}" if len(default) <= LONGEST else "its default"


def _known(graph: Graph) -> Iterator[Node]:
    """The nodes whose values hang on neither inputs nor parameters."""
    known: set[str] = set()
    for node in graph.nodes:
        if node.op not in ("input", "param") and all(ref.name in known for ref in node.refs()):
            known.add(node.name)
            yield node


def _row(name: str, node: Node, graph: Graph, folder: Path) -> MadeRow:
    shape = shape_text(node.outputs[0].shape)
    return MadeRow(name, _values(node, graph), shape, place(node.source, folder))


def _values(node: Node, graph: Graph) -> str:
    """What it holds, as far as a few words say it."""
    fill: Any = node.kwargs.get("fill_value")
    if node.op == "full" and isinstance(fill, int | float):
        return {0.0: "zeros", 1.0: "ones"}.get(float(fill), f"all {fill:g}")
    if node.op == "expand":
        return _values(graph.by_name[node.kwargs["input"].name], graph)
    return held_values(node.value)
