"""The lines of the user's that hold a size of the inputs: where another size gives other code."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from itertools import islice

import numpy as np

from codegen.ir import Graph, Node, Source
from codegen.passes.same_code import differences
from codegen.program import Program
from tracer.statements import statement_at

# A longer piece of code is cut.
LONGEST = 100
# What a docstring and a message hold as it is.
_PLAIN = re.compile(r"[\w .,:;/()*+\-\[\]'=<>%]+")


def holders(program: Program, there: Program, graph: Graph, other: Graph) -> tuple[Source, ...]:
    """The lines because of which a program is another `there`, whose graph is `other`: each once, in order.

    Of a constant it is the line that makes it, not the one that reads it.
    """
    elsewhere = {node.name: its for node, its in zip(graph.nodes, other.nodes, strict=True)}
    # Programs of unequal lengths are aligned as far as the first call that differs.
    sure = 1 if are_more(program, there) else None
    found: dict[tuple[str, int], Source] = {}
    for call in islice(differences(program, there), sure):
        node = graph.by_name.get(call.node)
        made = list(_other_constants(node, graph, elsewhere[node.name], other)) if node is not None else []
        for source in made or [call.source]:
            found.setdefault((source.file, source.line), source)
    return tuple(found.values())


def are_more(program: Program, there: Program) -> bool:
    """Whether other lines may hold the size too: programs of unequal lengths are not told apart further."""
    return len(program.calls) != len(there.calls)


def _other_constants(node: Node, graph: Graph, its: Node, other: Graph) -> Iterator[Source]:
    """Where the constants are made that a node reads, and that are others at the other size."""
    for ref, there in zip(node.refs(), its.refs(), strict=False):
        own, made = graph.by_name[ref.name], other.by_name[there.name]
        if own.value is not None and made.value is not None and not np.array_equal(own.value, made.value):
            yield own.source


def expression(source: Source) -> str:
    """What the author wrote there, in a line that may be cut; '' where there is no source."""
    text = statement_at(source.file, source.line).text if source.file else ""
    # A statement of many lines is told by the one that is meant.
    if not text or len(text) > LONGEST:
        text = linecache.getline(source.file, source.line).strip() if source.file else ""
    text = text.removeprefix("return ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4].rstrip()} ..."


def holder_words(source: Source, op: str) -> str:
    """What holds a size, for a docstring: the author's code, or where that has no letters for it, the op."""
    text = expression(source)
    return text if _PLAIN.fullmatch(text) and not text.endswith("...") else f"{op}()"
