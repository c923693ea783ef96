"""What an op of the port reads where torch's call reads something else: a step is missing, say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from codegen.ir import LEAVES, Node
from codegen.program import Call, Leaf, Program
from codegen.proof.port import VARIABLE, Port, PortNode
from tracer.compare.attributes import SCALAR_OPS, value_text
from tracer.compare.changes import Change
from tracer.compare.layers import Laid, Parted
from tracer.compare.layouts import TorchValue
from tracer.compare.reference import Reference

# So many of torch's calls may be missing one after the other.
MOST_STEPS = 3
INPUT = "its input"


def other_inputs(
    laid: Laid, parted: Parted, reference: Reference, program: Program | None
) -> Iterator[Change]:
    """What torch reads, or has further on, given to the op instead of what it reads.

    Where the port has that value, it is read from there; where one step leads to it, that is put between.
    """
    for place, (source, _) in enumerate(laid.port.nodes[parted.index].inputs):
        own = {known.node.name for known in laid.agreeing.get(source, ())}
        if not own:
            continue
        for value, between in (*_read_by_torch(own, parted, reference), *_further(own, parted, reference)):
            if len(between) == 1:
                yield from _step(laid.port, parted.index, place, between[0], program)
            yield from _from_there(laid, parted.index, place, value)
            yield _given(laid.port, parted.index, place, value, between)


Values: TypeAlias = "Iterator[tuple[TorchValue, tuple[Node, ...]]]"


def _read_by_torch(own: set[str], parted: Parted, reference: Reference) -> Values:
    """What the call of torch reads that the op stands for, where it reads something else."""
    if parted.index != parted.end:
        return
    nodes = {node.name: node for node in reference.nodes}
    for ref in parted.target.value.node.refs():
        values = reference.values.get(ref.name, ())
        is_data = nodes[ref.name].op not in LEAVES or nodes[ref.name].op == "input"
        if is_data and ref.name not in own and ref.index < len(values):
            yield TorchValue(nodes[ref.name], ref.index, values[ref.index]), ()


def _further(own: set[str], parted: Parted, reference: Reference) -> Values:
    """Values of torch some calls after what is read, with these calls."""
    reached: dict[str, tuple[Node, ...]] = dict.fromkeys(own, ())
    for call in reference.calls():
        ways = [reached[ref.name] for ref in call.refs() if ref.name in reached]
        if not ways or call.name in own or len(ways[0]) >= MOST_STEPS:
            continue
        reached[call.name] = (*ways[0], call)
        if call.name != parted.target.value.node.name:
            yield TorchValue(call, 0, reference.values[call.name][0]), reached[call.name]


def _from_there(laid: Laid, index: int, place: int, value: TorchValue) -> Iterator[Change]:
    """The op of the port that gives what torch's call reads, read instead."""
    for other, found in laid.agreeing.items():
        if other < index and any(known.node.name == value.node.name for known in found):
            node = laid.port.nodes[index]
            own, wanted = laid.port.nodes[node.inputs[place][0]].name, laid.port.nodes[other].name
            inputs = (*node.inputs[:place], (other, 0), *node.inputs[place + 1 :])
            said = f"{node.name} reads {own}: give it {wanted}, {_told(value)}"
            yield Change(index, "input", said, inputs=inputs)
            return


def _step(port: Port, index: int, place: int, missing: Node, program: Program | None) -> Iterator[Change]:
    """The op that fx2mx writes for a call of torch, put before the port's op."""
    calls: Sequence[Call] = [
        c for c in (program.calls if program is not None else ()) if c.node == missing.name
    ]
    if len(calls) != 1 or len(calls[0].inputs) != 1 or isinstance(calls[0].inputs[0][1], Leaf):
        return
    call, read = calls[0], port.nodes[index].inputs[place]
    if call.op in SCALAR_OPS:
        op, attrs = SCALAR_OPS[call.op], {"scalar": str(dict(call.attrs)["c"])}
    else:
        op = call.op.replace("contrib.", "_contrib_").replace("linalg.", "_linalg_")
        attrs = {k: str(v) for k, v in call.attrs}
    shown = "".join(f", {k}={value_text(v)}" for k, v in call.attrs)
    what = f"mx.sym.{call.op}(x{shown})" if call.op not in SCALAR_OPS else call.op
    between = f"{port.nodes[read[0]].name} and {port.nodes[index].name}"
    said = f"{missing.op} is missing between {between} ({missing.source}): write {what}"
    node = PortNode(f"fx2mx_{missing.name}", op, attrs, (read,))
    yield Change(index, missing.op, said, before=node, place=place)


def _given(port: Port, index: int, place: int, value: TorchValue, between: tuple[Node, ...]) -> Change:
    """torch's value in the place of what the op reads."""
    node = port.nodes[index]
    reads = port.nodes[node.inputs[place][0]].name
    said = f"{node.name} reads {reads}: give it {_told(value)}"
    if between:
        missing = ", ".join(call.op for call in between)
        said = f"{missing} is missing between {reads} and {node.name} ({between[0].source})"
    name = f"torch_{value.node.name}"
    variable = PortNode(name, VARIABLE, {}, ())
    return Change(index, INPUT, said, params={name: value.value}, before=variable, place=place)


def _told(value: TorchValue) -> str:
    """What torch's call reads, with its place."""
    if value.node.op == "input":
        return f"as torch reads forward's {value.node.name}"
    return f"as torch reads what {value.node.op} gives ({value.node.source})"
