"""Causes, one after the other: each is mended before the next is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codegen.ir import Node, Source
from codegen.problems import listed
from codegen.program import Program
from codegen.proof.difference import difference
from codegen.proof.port import VARIABLE, Array, Port, PortNode
from tracer.compare.beside import Layers
from tracer.compare.changes import Change, changed
from tracer.compare.layers import Laid, laid, parted
from tracer.compare.layouts import laid_out
from tracer.compare.matching import Pair
from tracer.compare.reference import Reading, Reference, reading
from tracer.compare.relations import Relation
from tracer.compare.trials import Case, tried
from tracer.compare.wiring import INPUT

MOST_CAUSES, MOST_CALLS = 8, 5
# Where no layer is off by the tolerance, those are looked at that are off by less.
FINER = (1.0, 0.1, 0.01)


@dataclass(frozen=True)
class Cause:
    """An op that parts, and what makes it agree: nothing where no change does.

    Attributes:
        name: of the port's op.
        op: MXNet's.
        end: the op, from there on, of which torch's value is known; its own name where that is itself.
        calls: torch's calls, by their ops.
        where: the place of the first of them.
        off: how far its value is from torch's.
        error: why MXNet cannot run it.
        before: how many ops before it agree.
        changes: what makes it agree.
        subjects: all that was tried.
        hint: what can be said where nothing is found.
        theirs: torch's value at `end`, laid out as the port's is where it can be.
        ours: the port's, None where MXNet cannot run it.
    """

    name: str
    op: str
    end: str
    calls: tuple[str, ...]
    where: Source
    off: float
    error: str
    before: int
    changes: tuple[Change, ...]
    subjects: tuple[str, ...]
    hint: str = ""
    theirs: Array | None = field(default=None, repr=False, compare=False)
    ours: Array | None = field(default=None, repr=False, compare=False)

    @property
    def torch(self) -> str:
        """torch's calls, with their place."""
        return f"{listed(self.calls, MOST_CALLS)} ({self.where})"

    @property
    def is_found(self) -> bool:
        return bool(self.changes)

    @property
    def is_of_input(self) -> bool:
        """Whether it is about what the op reads, for which torch's value of these very inputs stands in."""
        return any(change.subject == INPUT for change in self.changes)


@dataclass(frozen=True)
class Mended:
    """The port with what was found put right; in the place of what was not, torch's own value stands.

    `layers` are its ops as they were where it was first seen to part.
    """

    port: Port
    pairs: tuple[Pair, ...]
    causes: tuple[Cause, ...]
    layers: Layers | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all is mended by changes that hold for other inputs too."""
        return all(cause.is_found and not cause.is_of_input for cause in self.causes)


def mended(
    port: Port,
    inputs: Mapping[str, Array],
    reference: Reference,
    pairs: tuple[Pair, ...],
    program: Program | None,
    tolerance: float,
    agrees: Callable[[Port], bool],
) -> tuple[Mended, Laid | None]:
    """Find what parts and why, mend it, and go on from there until it agrees: a few times at most.

    What was mended, and the port as it was beside torch, None where no layer of it parts.
    """
    causes: list[Cause] = []
    before: Laid | None = None
    reads = reading(reference.nodes)
    while len(causes) < MOST_CAUSES and not agrees(port):
        case = _first(port, inputs, reference, pairs, reads, program, tolerance)
        if case is None:
            break
        before = before or case.laid
        result = tried(case)
        if case.tolerance < tolerance and not result.changes:
            break  # that much float32 rounds
        causes.append(_cause(case, result.changes, result.subjects))
        if result.changes:
            port = changed(port, result.changes)
            pairs = _with_right(pairs, result.changes)
        else:
            port = _with_torchs(case)
    return Mended(port, pairs, tuple(causes)), before


def _first(
    port: Port,
    inputs: Mapping[str, Array],
    reference: Reference,
    pairs: tuple[Pair, ...],
    reads: Reading,
    program: Program | None,
    tolerance: float,
) -> Case | None:
    for share in FINER:
        beside = laid(port, inputs, reference, pairs, reads, tolerance * share)
        first = parted(beside, reference, program)
        if first is not None:
            return Case(beside, first, inputs, reference, pairs, program, tolerance * share)
    return None


def _cause(case: Case, changes: tuple[Change, ...], subjects: tuple[str, ...]) -> Cause:
    """The cause: of several ops from the one that parts to `end`, the one that is changed."""
    where = case.parted
    node = case.port.nodes[changes[0].index if changes else where.index]
    calls = _calls(case)
    if len({change.index for change in changes}) > 1:
        names = [case.port.nodes[change.index].name for change in changes]
        changes = tuple(replace(c, said=f"in {n}, {c.said}") for n, c in zip(names, changes, strict=True))
    hint = "" if changes else _missing_at_the_end(case)
    theirs, ours = _values(case)
    return Cause(
        node.name,
        node.op,
        case.port.nodes[where.end].name,
        tuple(call.op for call in calls),
        calls[0].source,
        where.off,
        where.error,
        where.before,
        changes,
        subjects,
        hint,
        theirs,
        ours,
    )


def _values(case: Case) -> tuple[Array, Array | None]:
    """torch's value where both part, in the layout in which it is nearest to the port's, and the port's."""
    value, given = case.parted.target.value.value, case.laid.given.get(case.parted.end)
    if not isinstance(given, tuple):
        return value, None
    own = given[0]
    return min(laid_out(value, own.shape), key=lambda v: difference(own, v), default=value), own


def _missing_at_the_end(case: Case) -> str:
    """That the port ends too early, where its output is a value within torch's net."""
    inner = case.laid.inner.get(case.parted.index, ())
    if not inner:
        return ""
    own = {known.node.name for known in inner}
    missing = listed([node.op for node in _calls(case) if node.name not in own], MOST_CALLS)
    call = inner[0].node
    return f"it is what {call.op} gives in torch ({call.source}): {missing} is missing after it"


def _calls(case: Case) -> list[Node]:
    """torch's calls from what agrees to where both part."""
    taken = {known.node.name for found in case.laid.agreeing.values() for known in found}
    calls = {node.name: node for node in case.reference.calls()}
    needed, stack = {case.parted.target.value.node.name}, [case.parted.target.value.node]
    while stack:
        for ref in stack.pop().refs():
            if ref.name in calls and ref.name not in taken | needed:
                needed.add(ref.name)
                stack.append(calls[ref.name])
    made = {node.name for node in case.reference.nodes if not any(node.refs())}
    found = [node for node in case.reference.nodes if node.name in needed - made]
    return found or [case.parted.target.value.node]


def _with_right(pairs: Sequence[Pair], changes: Sequence[Change]) -> tuple[Pair, ...]:
    """The pairs of weights that hold torch's values now."""
    right = {name: values.shape for change in changes for name, values in change.params.items()}
    return tuple(
        replace(p, relation=Relation("equal"), shape=right[p.name]) if p.name in right else p for p in pairs
    )


def _with_torchs(case: Case) -> Port:
    """The port with torch's value in the place of the op's, as the op would lay it out."""
    end, value = case.parted.end, _values(case)[0]
    name = f"torch_{case.port.nodes[end].name}"
    port = case.port.with_node(end, PortNode(name, VARIABLE, {}, ()))
    return replace(port, params={**port.params, name: value})
