"""What a net drops in training without a module of its own, put into the graph of the evaluated net.

`drop_connect(x, p, self.training)` and the like leave nothing in inference. In the trained run they are seen
by what they do to ones, and where they stand by what reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import fx

from codegen.ir import Arg, Frame, Graph, Node, Ref, Source, check
from tracer.alignment import Alignment, Dropped, aligned
from tracer.canonical import call_arguments
from tracer.captured import Capture
from tracer.dropped import DROP_PATH
from tracer.frames import output_of
from tracer.to_ir import used_nodes, with_statement


@dataclass(frozen=True)
class Kept:
    """A graph with what is dropped, and the nodes of the trained run that it stands for."""

    graph: Graph
    nodes: frozenset[fx.Node]


def with_drops(graph: Graph, evaluated: Capture, trained: Capture) -> Kept:
    """The graph with each drop whose place is certain: all that reads it in training, inference has too."""
    found = aligned(evaluated, trained)
    used = set(used_nodes(trained))
    stood_for: set[fx.Node] = set()
    for kept in found.kept:
        stood_for.update(kept.region.ops)
    # Where the two return what they have in common in another order, their ops may be turned round too.
    pairs = zip(evaluated.outputs, trained.outputs, strict=False)
    is_sure = all(found.values.get(theirs, own) is own for own, theirs in pairs)
    for dropped in found.dropped if is_sure else ():
        changed = _with_drop(graph, dropped, found, used, trained)
        if changed is not None:
            graph = changed
            stood_for.update(dropped.region.ops)
    return Kept(check(graph), frozenset(_with_own(stood_for, used)))


def _with_own(nodes: set[fx.Node], used: set[fx.Node]) -> set[fx.Node]:
    """Some nodes, and those that none but these read: constants of which masks are made."""
    found, stack = set(nodes), list(nodes)
    while stack:
        for node in stack.pop().all_input_nodes:
            alone = all(user in found for user in node.users if user in used)
            if node not in found and not node.meta["traced"] and alone:
                found.add(node)
                stack.append(node)
    return found


def _with_drop(
    graph: Graph, dropped: Dropped, found: Alignment, used: set[fx.Node], trained: Capture
) -> Graph | None:
    """The graph with one drop more; None where it is not certain where it stands."""
    if _is_shared(dropped, used):
        return None
    own = Ref(_ref_name(graph, dropped))
    source = _value(dropped, found)
    if source is None or source.name not in graph.by_name:
        return None
    changed: dict[str, Node] = {}
    outputs = graph.outputs
    for reader in (n for n in dropped.node.users if n in used):
        if reader.op == "output":
            if len(trained.outputs) != len(outputs):
                return None
            places = [i for i, n in enumerate(trained.outputs) if n is dropped.node]
            if any(outputs[i] != source for i in places):
                return None
            outputs = tuple(own if i in places else ref for i, ref in enumerate(outputs))
            continue
        same = found.same.get(reader)
        node = graph.by_name.get(same.name) if same is not None else None
        made = _reading(node, reader, dropped.node, source, own) if node is not None else None
        if made is None:
            return None
        changed[made.name] = made
    if not changed and outputs == graph.outputs:
        return None
    kind = graph.type_of(source)
    args: tuple[tuple[str, Arg], ...] = (
        ("input", source),
        ("p", dropped.drop.p),
        ("axes", dropped.drop.axes),
    )
    place = _source(graph, dropped.node.meta["source"])
    nodes = [changed.get(n.name, n) for n in graph.nodes]
    nodes.insert(
        _place(graph, dropped, found, source, changed), Node(own.name, DROP_PATH, args, (kind,), place)
    )
    calls = _given_to(dropped.node, used)
    moved = [n if n.name == own.name else _called_with(n, calls, source, own) for n in nodes]
    return replace(graph, nodes=tuple(moved), outputs=outputs)


def _source(graph: Graph, trained: Source) -> Source:
    """The place of what is dropped, in the calls of the evaluated run.

    The function that drops is one op, and no function of the generated code.
    """
    known = {(f.path, f.call): f for node in graph.nodes for f in node.source.frames}
    frames = (known.get((f.path, f.call), replace(f, arguments=())) for f in trained.frames)
    return with_statement(replace(trained, frames=tuple(f for f in frames if not f.is_function)))


def _given_to(dropped: fx.Node, used: set[fx.Node]) -> frozenset[tuple[str, int, str]]:
    """(path, call, argument) of the calls that are given what is dropped."""
    frames = {f for n in used if "source" in n.meta for f in n.meta["source"].frames}
    given = ((f.path, f.call, k, name) for f in frames for k, name, _ in f.arguments)
    return frozenset((path, call, k) for path, call, k, name in given if name == dropped.name)


def _called_with(node: Node, calls: frozenset[tuple[str, int, str]], source: Ref, own: Ref) -> Node:
    """A node within calls that are given what is dropped."""

    def renamed(frame: Frame) -> Frame:
        arguments = tuple(
            (
                (k, own.name, own.index)
                if (frame.path, frame.call, k) in calls and Ref(name, index) == source
                else (k, name, index)
            )
            for k, name, index in frame.arguments
        )
        return frame if arguments == frame.arguments else replace(frame, arguments=arguments)

    frames = tuple(map(renamed, node.source.frames))
    return node if frames == node.source.frames else replace(node, source=replace(node.source, frames=frames))


def _ref_name(graph: Graph, dropped: Dropped) -> str:
    """A name of its own: as a call of the op at this place has."""
    path = dropped.node.meta["source"].path
    name = start = f"{path}.{DROP_PATH}".lstrip(".").replace(".", "_")
    count = 0
    while name in graph.by_name:
        count += 1
        name = f"{start}_{count}"
    return name


def _is_shared(dropped: Dropped, used: set[fx.Node]) -> bool:
    """Whether anything else reads what the drop draws: MXNet's Dropout draws for itself."""
    own = set(dropped.region.ops)
    return any(
        user in used and user not in own
        for node in dropped.region.drawn
        if node is not dropped.node
        for user in node.users
    )


def _value(dropped: Dropped, found: Alignment) -> Ref | None:
    """What is dropped, in the evaluated graph; None for a value that is dropped itself."""
    value = found.values.get(dropped.region.source)
    if value is None or any(d.node is dropped.region.source for d in found.dropped):
        return None
    return Ref(*output_of(value))


def _place(graph: Graph, dropped: Dropped, found: Alignment, source: Ref, readers: Mapping[str, Node]) -> int:
    """Where the drop stands: before what the trained run calls next."""
    places = {n.name: i for i, n in enumerate(graph.nodes)}
    first = min([places[name] for name in readers] or [len(graph.nodes)])
    nodes = list(dropped.node.graph.nodes)
    for node in nodes[nodes.index(dropped.node) + 1 :]:
        same = found.same.get(node)
        if same is not None and same.name in places:
            return max(min(first, places[same.name]), places[source.name] + 1)
    return first


def _reading(node: Node, reader: fx.Node, dropped: fx.Node, source: Ref, own: Ref) -> Node | None:
    """A node that reads what is dropped, wherever the trained one does; None where that cannot be told."""
    try:
        given = call_arguments(cast("Any", reader.target), reader.args, dict(reader.kwargs))
    except TypeError:
        given = {f"arg{i}": a for i, a in enumerate(reader.args)} | dict(reader.kwargs)
    args = tuple((k, _exchanged(v, given.get(k), dropped, source, own)) for k, v in node.args)
    wanted = sum(_count(v, dropped) for v in (reader.args, reader.kwargs))
    made = replace(node, args=args)
    return made if sum(ref == own for ref in made.refs()) == wanted else None


def _exchanged(arg: Arg, given: Any, dropped: fx.Node, source: Ref, own: Ref) -> Arg:
    if isinstance(arg, tuple) and isinstance(given, Sequence) and len(arg) == len(given):
        return tuple(_exchanged(a, g, dropped, source, own) for a, g in zip(arg, given, strict=True))
    return own if given is dropped and arg == source else arg


def _count(value: Any, node: fx.Node) -> int:
    return sum(v is node for v in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, Mapping):
        yield from _leaves(list(value.values()))
    elif isinstance(value, slice):
        yield from _leaves([value.start, value.stop, value.step])
    else:
        yield value
