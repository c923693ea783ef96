"""The port's ops are laid beside torch's calls, and the first that parts is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codegen.ir import LEAVES, Node
from codegen.program import Program
from codegen.proof.port import Array, Given, Port, run_nodes
from tracer.compare.layouts import TorchValue, alike, distance, torch_values
from tracer.compare.matching import Pair
from tracer.compare.reference import Reading, Reference

# Inputs of which an op reads the shape alone: nothing is carried on by them.
SHAPE_ALONE: Mapping[str, tuple[int, ...]] = {
    "zeros_like": (0,),
    "ones_like": (0,),
    "shape_array": (0,),
    "_contrib_arange_like": (0,),
    "broadcast_like": (1,),
    "reshape_like": (1,),
    "slice_like": (1,),
}
# So many ops are looked through from the one that parts to the next that torch is known to give.
MOST_OPS = 40


@dataclass(frozen=True)
class Target:
    """What an op is to give; `data` is what torch's call reads, where the op stands for the whole call."""

    value: TorchValue
    data: TorchValue | None = None


@dataclass(frozen=True)
class Laid:
    """The port beside torch.

    `given` has what each node gives, `agreeing` the values of torch that it agrees with, `targets` what
    those are to give where it is known: by their weights, by what reads them, and as outputs. `inner` are
    the outputs that agree with a value within torch's net instead.
    """

    port: Port = field(repr=False)
    given: Mapping[int, Given] = field(repr=False)
    agreeing: Mapping[int, tuple[TorchValue, ...]] = field(repr=False)
    targets: Mapping[int, Target] = field(repr=False)
    inner: Mapping[int, tuple[TorchValue, ...]] = field(repr=False)


@dataclass(frozen=True)
class Parted:
    """The first op that parts, and the op `end`, from there on or itself, of which torch's value is known.

    `off` is how far that is from torch's, infinite where MXNet cannot run it; then `error` says why. `before`
    counts the ops before it that agree.
    """

    index: int
    end: int
    target: Target
    off: float
    error: str
    before: int


def laid(
    port: Port,
    inputs: Mapping[str, Array],
    reference: Reference,
    pairs: Sequence[Pair],
    reading: Reading,
    tolerance: float,
) -> Laid:
    """Run the port op by op, and find for each op what it is of torch's."""
    given = run_nodes(port, inputs, {})
    by_size = torch_values(reference)
    agreeing = {}
    for index, node in enumerate(port.nodes):
        values = given.get(index)
        if isinstance(values, tuple) and (not node.is_variable or node.name in inputs):
            found = tuple(alike(values, by_size, tolerance))
            if found:
                agreeing[index] = found
    heads = _of_heads(port, reference)
    wrong = {i for i, target in heads.items() if not _gives(given.get(i), target, tolerance)}
    targets = {**_by_readers(port, pairs, reference, reading), **heads}
    targets |= {i: t for i, t in _by_weights(port, pairs, reference, reading).items() if i not in wrong}
    right = {index: found for index, found in agreeing.items() if index not in wrong}
    inner = {index: found for index, found in agreeing.items() if index in wrong}
    return Laid(port, given, right, targets, inner)


def _gives(given: Given | None, target: Target, tolerance: float) -> bool:
    return isinstance(given, tuple) and distance(given[0], target.value.value) <= tolerance


def _value(reference: Reference, name: str, index: int = 0) -> TorchValue | None:
    node = next((n for n in reference.nodes if n.name == name), None)
    values = reference.values.get(name, ())
    return TorchValue(node, index, values[index]) if node is not None and index < len(values) else None


# By weights --------------------------------------------------------------------------------------------


def _calls_by_weights(port: Port, pairs: Sequence[Pair], reading: Reading) -> dict[int, Node]:
    """The call of torch that reads what an op reads, the last where it reads those of several."""
    keys = {pair.name: pair.keys for pair in pairs}
    seen: dict[str, int] = {}
    found: dict[int, Node] = {}
    for index, node in enumerate(port.nodes):
        names = [port.nodes[source].name for source, _ in node.inputs if port.nodes[source].is_variable]
        read = [name for name in names if keys.get(name)]
        if not read:
            continue
        all_readers = [_readers(keys[name], reading) for name in read]
        turn = max(seen.get(name, 0) for name in read)
        seen.update((name, seen.get(name, 0) + 1) for name in read)
        common = [call for call in all_readers[0] if all(call in readers for readers in all_readers[1:])]
        if common:
            found[index] = common[min(turn, len(common) - 1)]
        elif any(all_readers):
            found[index] = next(readers for readers in reversed(all_readers) if readers)[-1]
    return found


def _readers(keys: Sequence[str], reading: Reading) -> tuple[Node, ...]:
    return next((reading.readers[key] for key in keys if key in reading.readers), ())


def _by_weights(
    port: Port, pairs: Sequence[Pair], reference: Reference, reading: Reading
) -> dict[int, Target]:
    """What ops with weights are to give: of several that read those of one call, the last."""
    calls = _calls_by_weights(port, pairs, reading)
    last = {call.name: index for index, call in calls.items()}
    sole = {call.name for call in calls.values() if [c.name for c in calls.values()].count(call.name) == 1}
    found = {}
    for index, call in calls.items():
        value = _value(reference, call.name)
        if value is not None and last[call.name] == index:
            data = _data_of(call, reference, reading) if call.name in sole else None
            found[index] = Target(value, data)
    return found


def _by_readers(
    port: Port, pairs: Sequence[Pair], reference: Reference, reading: Reading
) -> dict[int, Target]:
    """What stands before ops with weights: what torch's call reads."""
    found = {}
    for index, target in _by_weights(port, pairs, reference, reading).items():
        inputs = port.nodes[index].inputs
        if target.data is not None and inputs and not port.nodes[inputs[0][0]].is_variable:
            found[inputs[0][0]] = Target(target.data)
    return found


def _data_of(call: Node, reference: Reference, reading: Reading) -> TorchValue | None:
    """What a call reads beside its weights, the first."""
    refs = [ref for ref in call.refs() if ref.name not in reading.weights]
    return _value(reference, refs[0].name, refs[0].index) if refs else None


def _of_heads(port: Port, reference: Reference) -> dict[int, Target]:
    """What the outputs are to be."""
    if len(port.heads) != len(reference.outputs):
        return {}
    by_size = torch_values(reference)
    found = {}
    for (index, output), value in zip(port.heads, reference.outputs, strict=True):
        if output == 0 and not port.nodes[index].is_variable:
            own = next(alike([value], by_size, 0.0), None)
            node = own.node if own is not None else reference.nodes[-1]
            found[index] = Target(TorchValue(node, 0, value))
    return found


# The first that parts ----------------------------------------------------------------------------------


def parted(laid: Laid, reference: Reference, program: Program | None) -> Parted | None:
    """The first op that does not agree, and after which nothing does."""
    first = next(_suspects(laid), None)
    if first is None:
        return None
    ends = list(_ends(laid, first, reference, program))
    if not ends:
        return None
    end, target = ends[0]
    given = laid.given.get(end)
    off = distance(given[0], target.value.value) if isinstance(given, tuple) else float("inf")
    error = next((g for i in range(first, end + 1) if isinstance(g := laid.given.get(i), str)), "")
    before = sum(not laid.port.nodes[i].is_variable for i in range(first))
    return Parted(first, end, target, off, error, before)


def _suspects(laid: Laid) -> Iterator[int]:
    """Ops that do not agree, and of which some reader does not come to agree either, in their order."""
    nodes = laid.port.nodes
    carried, live = [True] * len(nodes), [False] * len(nodes)
    for index, _ in laid.port.heads:
        live[index], carried[index] = True, False
    for index in reversed(range(len(nodes))):
        skipped = SHAPE_ALONE.get(nodes[index].op, ())
        for place, (source, _) in enumerate(nodes[index].inputs):
            live[source] |= live[index]
            if live[index] and place not in skipped:
                carried[source] &= index in laid.agreeing or carried[index]
    for index, node in enumerate(nodes):
        is_wrong = index not in laid.agreeing and not carried[index] and index in laid.given
        if is_wrong and live[index] and not node.is_variable and not _is_made(node.inputs):
            yield index


def _is_made(inputs: Sequence[tuple[int, int]]) -> bool:
    """Whether an op reads nothing: zeros, for a state that begins."""
    return not inputs


def _ends(
    laid: Laid, first: int, reference: Reference, program: Program | None
) -> Iterator[tuple[int, Target]]:
    """Where torch's value is known, the best first: the op's own, the next one's, what else may be its."""
    if first in laid.targets:
        yield first, laid.targets[first]
    if program is not None and not _reads_weights(laid.port, first):
        yield from ((first, target) for target in _by_place(laid, first, reference, program))
    later = _descendants(laid.port, first)
    yield from ((index, laid.targets[index]) for index in later[:MOST_OPS] if index in laid.targets)
    yield from ((first, target) for target in _by_place(laid, first, reference, None))


def _reads_weights(port: Port, index: int) -> bool:
    """Whether an op reads a variable that has a value: then its weights tell what it is."""
    return any(port.nodes[source].name in port.params for source, _ in port.nodes[index].inputs)


def _descendants(port: Port, first: int) -> list[int]:
    found = {first}
    for index in range(first + 1, len(port.nodes)):
        if any(source in found for source, _ in port.nodes[index].inputs):
            found.add(index)
    return sorted(found - {first})


def _by_place(laid: Laid, index: int, reference: Reference, program: Program | None) -> Iterator[Target]:
    """What calls of torch give that read what the op reads: with a program, those of the same op there."""
    taken = {known.node.name for found in laid.agreeing.values() for known in found}
    sources = [source for source, _ in laid.port.nodes[index].inputs]
    read = {(k.node.name, k.index) for source in sources for k in laid.agreeing.get(source, ())}
    own = laid.port.nodes[index].op
    for call in reference.nodes:
        if call.op in LEAVES or call.name in taken or not any((r.name, r.index) in read for r in call.refs()):
            continue
        if program is not None and not any(c.node == call.name and is_like(c.op, own) for c in program.calls):
            continue
        value = _value(reference, call.name)
        if value is not None:
            yield Target(value)


# Ops of which one is written where another is meant.
FAMILIES = (
    {"activation", "leakyrelu", "relu", "sigmoid", "tanh", "clip", "hard_sigmoid", "softsign", "erf"},
    {"softmax", "log_softmax", "softmaxactivation", "softmaxoutput"},
    {"pooling", "adaptiveavgpooling2d", "mean"},
)


def is_like(ours: str, op: str) -> bool:
    """Whether two names of ops, ours below mx.sym and the JSON's, are of one kind."""
    one, other = plain(ours), plain(op)
    return one == other or any(one in family and other in family for family in FAMILIES)


def plain(op: str) -> str:
    """An op's name without where it stands: `_contrib_div_sqrt_dim` and `contrib.div_sqrt_dim` are one."""
    name = op.rpartition(".")[2]
    for start in ("_contrib_", "_linalg_", "_"):
        name = name.removeprefix(start)
    return name.lower()
