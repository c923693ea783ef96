"""Each op of a port, and the value of torch's that it gives: agreement by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.ir import Node
from tracer.compare.layers import Laid
from tracer.compare.layouts import TorchValue, distance


@dataclass(frozen=True)
class OpBeside:
    """An op of the port; `torch` is the call whose value it gives or should give, None where none is known.

    `off` is how far it is from that, infinite where its shape is another; None where nothing is known, or
    where MXNet cannot run it: then `error` says why.
    """

    name: str
    op: str
    torch: Node | None
    off: float | None
    agrees: bool
    error: str = ""


@dataclass(frozen=True)
class Layers:
    """The ops of a port in the order of execution, as it was at one batch size with one set of parameters."""

    ops: tuple[OpBeside, ...]
    batch: int
    parameters: str

    @property
    def known(self) -> tuple[OpBeside, ...]:
        """Those of which a value of torch's is known."""
        return tuple(op for op in self.ops if op.torch is not None)


def beside(laid: Laid, tolerance: float) -> tuple[OpBeside, ...]:
    """The ops that the outputs need, each beside torch."""
    return tuple(_of(laid, index, tolerance) for index in _needed(laid))


def _needed(laid: Laid) -> Iterator[int]:
    """The ops that lead to an output."""
    needed = {index for index, _ in laid.port.heads}
    for index in reversed(range(len(laid.port.nodes))):
        if index in needed:
            needed.update(source for source, _ in laid.port.nodes[index].inputs)
    yield from (index for index in sorted(needed) if not laid.port.nodes[index].is_variable)


def _of(laid: Laid, index: int, tolerance: float) -> OpBeside:
    node, given = laid.port.nodes[index], laid.given.get(index)
    agreeing, target = laid.agreeing.get(index, ()), laid.targets.get(index)
    if isinstance(given, str):
        return OpBeside(node.name, node.op, target.value.node if target else None, None, False, given)
    if given is None:  # it reads what cannot be run
        return OpBeside(node.name, node.op, None, None, False)
    if agreeing:
        found = [(min(distance(own, known.value) for own in given), known) for known in agreeing]
        off, known = min(found, key=lambda pair: pair[0])
        return OpBeside(node.name, node.op, known.node, off, True)
    if target is None:
        return OpBeside(node.name, node.op, None, None, False)
    return _of_target(node.name, node.op, target.value, distance(given[0], target.value.value), tolerance)


def _of_target(name: str, op: str, value: TorchValue, off: float, tolerance: float) -> OpBeside:
    return OpBeside(name, op, value.node, off, off <= tolerance)
