"""What one should know of a port beside its outputs: what acts in training, what is too small to see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.ir import Node, Note
from codegen.kinds.note import note
from codegen.program import Call, Program
from codegen.proof.port import Port, PortNode
from tracer.compare.attributes import differing, momentum_kept, right_call
from tracer.compare.matching import Pair
from tracer.compare.reference import reading

MOST_NOTES = 4
# Attributes of which other values can give nearly the same.
SMALL = frozenset(["eps", "fix_gamma"])


def notes_of(
    port: Port, pairs: Sequence[Pair], nodes: Sequence[Node], program: Program | None, agrees: bool
) -> tuple[Note, ...]:
    """Momentums, and where the port `agrees`, what differs from torch's all the same; the first of each."""
    calls = list(_right_calls(port, pairs, nodes, program))
    in_training = list(_in_training(calls))
    within = list(_within(calls)) if agrees else []
    return (*_few(in_training), *_few(within))


def _few(notes: Sequence[Note]) -> Iterator[Note]:
    more = len(notes) - MOST_NOTES
    yield from notes[:MOST_NOTES]
    if more > 0:
        yield Note(f"note: the same of {more} more", notes[0].word)


def _right_calls(
    port: Port, pairs: Sequence[Pair], nodes: Sequence[Node], program: Program | None
) -> Iterator[tuple[PortNode, Call]]:
    """Each op with weights beside what fx2mx writes for torch's call that reads them."""
    keys = {pair.name: pair.keys for pair in pairs}
    readers = reading(nodes).readers
    for node in port.nodes:
        names = [port.nodes[source].name for source, _ in node.inputs]
        calls = [call for name in names for key in keys.get(name, ()) for call in readers.get(key, ())]
        right = right_call(node, calls[0].name, program) if calls else None
        if right is not None:
            yield node, right


def _in_training(calls: Sequence[tuple[PortNode, Call]]) -> Iterator[Note]:
    for node, right in calls:
        wanted, own = float(dict(right.attrs).get("momentum", 0.9)), momentum_kept(node)
        if node.op == "BatchNorm" and abs(own - wanted) > 1e-6:
            yield note("port-momentum", right.source, wanted=f"{wanted:g}", name=node.name, own=f"{own:g}")


def _within(calls: Sequence[tuple[PortNode, Call]]) -> Iterator[Note]:
    for node, right in calls:
        for change in differing(0, node, right):
            if change.subject in SMALL:
                yield note("port-within", right.source, name=node.name, said=change.said)
