"""How data goes through each block: its own ops and the blocks in it, and what is read of what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from codegen.program import Call, Operand, Out, Program
from tracer.review.model import Flow, Node
from tracer.review.words import around

# A picture of more is none that a person reads; the outline has all of it.
MOST_NODES = 120


def flows(program: Program, blocks: Mapping[str, int]) -> dict[str, Flow]:
    """The picture of each block that is more than one op, by path; `blocks` are the blocks' numbers."""
    edges: dict[str, dict[tuple[Node, Node], None]] = {}
    for path, before, after in _edges(program, blocks):
        edges.setdefault(path, {})[before, after] = None
    return {path: flow for path, pairs in edges.items() if (flow := _flow(list(pairs))) is not None}


def _flow(pairs: list[tuple[Node, Node]]) -> Flow | None:
    nodes = tuple(dict.fromkeys(node for pair in pairs for node in pair))
    inner = sum(node.kind != "end" for node in nodes)
    if (inner < 2 and not any(node.kind == "block" for node in nodes)) or len(nodes) > MOST_NODES:
        return None
    places = {node: number for number, node in enumerate(nodes)}
    return Flow(nodes, tuple((places[before], places[after]) for before, after in pairs))


def _edges(program: Program, blocks: Mapping[str, int]) -> Iterator[tuple[str, Node, Node]]:
    """(the block in whose picture it is, from, to)."""
    inputs = {v.name for v in program.inputs}
    for number, call in enumerate(program.calls):
        for operand in call.operands():
            if isinstance(operand, Out) or operand.name in inputs:
                yield from _read(program, blocks, number, call, operand)
    for output in program.outputs:
        if isinstance(output.operand, Out):
            number = output.operand.call
            for path in around(program.calls[number].source.path):
                inner = _node(blocks, path, number, program.calls[number])
                yield path, inner, Node("end", text="out")


def _read(
    program: Program, blocks: Mapping[str, int], number: int, call: Call, operand: Operand
) -> Iterator[tuple[str, Node, Node]]:
    """What one op reads of another, or of the net's input, in each block that either is in."""
    own = around(call.source.path)
    theirs = around(program.calls[operand.call].source.path) if isinstance(operand, Out) else ("",)
    shared = sum(mine == other for mine, other in zip(own, theirs, strict=False))
    common = own[shared - 1]
    if isinstance(operand, Out):
        source = program.calls[operand.call]
        before = _node(blocks, common, operand.call, source)
        for path in theirs[shared:]:
            yield path, _node(blocks, path, operand.call, source), Node("end", text="out")
    else:
        before = Node("end", text=operand.name)
    after = _node(blocks, common, number, call)
    if before != after:
        yield common, before, after
    for path in own[shared:]:
        yield path, Node("end", text="in"), _node(blocks, path, number, call)


def _node(blocks: Mapping[str, int], path: str, number: int, call: Call) -> Node:
    """The op in the picture of a block: itself, or the block in it that it is in."""
    own = around(call.source.path)
    inner = own[own.index(path) + 1 :]
    return Node("block", blocks[inner[0]]) if inner else Node("op", number)
