"""Changes of one node of a port: other attributes, weights, inputs, or a node before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from codegen.proof.port import Array, Port, PortNode, Ref


@dataclass(frozen=True)
class Change:
    """What is changed, and what is said of it.

    Attributes:
        index: the number of the node.
        subject: what is changed, in a word that may be searched for: `eps`, `fix_gamma`, `fc1_weight`.
        said: what to write, and what the port has.
        attrs: attributes with their new texts.
        params: weights with their new values.
        op: another op.
        inputs: other inputs.
        before: a node that comes before it, and is read at this `place` of its inputs.
    """

    index: int
    subject: str
    said: str
    attrs: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Array] = field(default_factory=dict, repr=False)
    op: str = ""
    inputs: tuple[Ref, ...] | None = None
    before: PortNode | None = None
    place: int = 0

    @property
    def keeps_numbers(self) -> bool:
        """Whether the nodes keep their numbers."""
        return self.before is None


def changed(port: Port, changes: Sequence[Change]) -> Port:
    """The port with all changes: those that add a node last."""
    for change in sorted(changes, key=lambda c: not c.keeps_numbers):
        node = port.nodes[change.index]
        # An op of another kind takes none of the old one's attributes.
        attrs = {**({} if change.op else node.attrs), **change.attrs}
        inputs = node.inputs if change.inputs is None else change.inputs
        port = port.with_node(
            change.index, replace(node, op=change.op or node.op, attrs=attrs, inputs=inputs)
        )
        port = replace(port, params={**port.params, **change.params})
        if change.before is not None:
            port = port.with_before(change.index, change.before, change.place)
    return port


def moved(index: int, changes: Sequence[Change]) -> int:
    """The number that a node has after the changes; one that a node was put before counts as later."""
    return index + sum(not c.keeps_numbers and c.index <= index for c in changes)
