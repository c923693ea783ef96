"""What stands around a node of the IR: who reads it, and what else its line of code makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.ir import LEAVES, Graph, Node


@dataclass(frozen=True)
class Neighbours:
    """By IR tensor (node, index), the nodes that read it; by node, those that the same line of code makes.

    `read` holds the tensors that a node reads or the net returns.
    """

    readers: Mapping[tuple[str, int], Sequence[Node]]
    read: frozenset[tuple[str, int]]
    siblings: Mapping[str, Sequence[Node]]


def neighbours_of(graph: Graph) -> Neighbours:
    """The neighbours of every node."""
    readers: dict[tuple[str, int], list[Node]] = {}
    for node in graph.nodes:
        for ref in node.refs():
            readers.setdefault((ref.name, ref.index), []).append(node)
    read = frozenset(readers) | {(r.name, r.index) for r in graph.outputs}
    return Neighbours(readers, read, _siblings(graph))


def _siblings(graph: Graph) -> dict[str, list[Node]]:
    """For each node, those that the same place of the author's code makes in the calls of its modules.

    The place is the file, the line, the op and, of several of that op on the line, which.
    """
    groups: dict[tuple[str, int, str, int], list[Node]] = {}
    made: Counter[tuple[str, int, str, object]] = Counter()
    for node in graph.nodes:
        if node.source.file and node.op not in LEAVES:
            line = (node.source.file, node.source.line, node.op)
            use = (*line, node.source.frames)
            groups.setdefault((*line, made[use]), []).append(node)
            made[use] += 1
    return {node.name: group for group in groups.values() for node in group}
