"""The start of the names in each call of a module: its path, with a number where it is called again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from codegen.identifiers import flat
from codegen.ir import LEAVES, SAYS_NOTHING, Frame, Graph, Node, Source
from codegen.program import NamedFrame, Place

_OF_FRAME = tuple(f.name for f in fields(Frame))
_OF_SOURCE = tuple(f.name for f in fields(Source) if f.name != "frames")


def places_of(graph: Graph) -> Mapping[str, Place]:
    """Where each node stands, with the start of the names in each call around it.

    The calls of a module are counted in each call of the module around; those in a loop by its turns. One
    that has weights of its own has no number: the weights are called after their ops, so that MXNet makes
    them by itself.
    """
    turned = _turned_calls(graph)
    with_weights = _calls_with_weights(graph)
    called_again = _functions_called_again(graph)
    last = {(f.path, f.call): node.name for node in graph.nodes for f in node.source.frames}
    modules = {flat(f.path) for node in graph.nodes for f in node.source.frames if not f.is_function}
    prefixes: dict[tuple[str, int], str] = {}
    counts: Counter[str] = Counter()
    named: dict[int, NamedFrame] = {}
    places = {}
    for node in graph.nodes:
        scopes: list[NamedFrame] = []
        for frame in node.source.frames:
            key = (frame.path, frame.call)
            if key not in prefixes:
                stem = placed(frame.path, scopes)
                if (
                    frame.is_function
                    and frame.target not in SAYS_NOTHING
                    and _use(frame, scopes) in called_again
                ):
                    told = "_".join(p for p in (scopes[-1].prefix, frame.target) if p)
                    stem = stem if told in modules else told
                if stem and key in turned and key not in with_weights:
                    stem = f"{stem}_{turned[key]}"
                counts[stem] += 1
                prefixes[key] = stem if not stem or key in with_weights else numbered(stem, counts[stem])
            if id(frame) not in named:  # the ops of a call share its frame
                named[id(frame)] = named_frame(frame, prefixes[key])
            scopes.append(named[id(frame)])
        is_step = bool(scopes) and scopes[-1].library and last[scopes[-1].path, scopes[-1].call] != node.name
        places[node.name] = _place(node.source, tuple(scopes), is_step)
    return places


def named_frame(frame: Frame, prefix: str) -> NamedFrame:
    """A call of a module or function, with the start of its names."""
    return NamedFrame(**{name: getattr(frame, name) for name in _OF_FRAME}, prefix=prefix)


def _place(source: Source, scopes: tuple[NamedFrame, ...], is_step: bool) -> Place:
    kept = {name: getattr(source, name) for name in _OF_SOURCE}
    return Place(**kept, frames=scopes, is_step=is_step)


def placed(path: str, scopes: Sequence[NamedFrame]) -> str:
    """A module's path as the start of a name, in the calls that stand around it."""
    for scope in reversed(scopes):
        if path == scope.path or (scope.path and path.startswith(f"{scope.path}.")):
            return scope.prefix + flat(path[len(scope.path) :])
    return flat(path)


def numbered(name: str, number: int) -> str:
    """A name for the second of its kind and those after it: `add2`, `conv1_2`."""
    if number == 1:
        return name
    return f"{name}_{number}" if name[-1:].isdigit() else f"{name}{number}"


def class_of(frame: Frame | None) -> str:
    """The class of a module, with its file."""
    return f"{frame.file}:{frame.cls}" if frame is not None else ""


def _use(frame: Frame, around: Sequence[Frame]) -> tuple[str, str]:
    """A function of the author's in a class of modules."""
    return class_of(around[-1] if around else None), frame.cls


def _functions_called_again(graph: Graph) -> frozenset[tuple[str, str]]:
    """The functions that one call of a module calls several times: they are told apart by what they give."""
    calls: dict[tuple[tuple[Frame, ...], str], set[int]] = {}
    for node in graph.nodes:
        for depth, frame in enumerate(node.source.frames):
            if frame.is_function:
                calls.setdefault((node.source.frames[:depth], frame.cls), set()).add(frame.call)
    return frozenset((class_of(around[-1]), cls) for (around, cls), made in calls.items() if len(made) > 1)


def _calls_with_weights(graph: Graph) -> frozenset[tuple[str, int]]:
    """The calls of modules in which a parameter or buffer is read that nothing else reads."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for ref in node.refs():
            readers.setdefault(ref.name, []).append(node)
    alone = [readers[n.name][0] for n in graph.nodes if n.op == "param" and len(readers.get(n.name, ())) == 1]
    return frozenset((frame.path, frame.call) for node in alone for frame in node.source.frames)


def _turned_calls(graph: Graph) -> dict[tuple[str, int], str]:
    """The turns of the calls of modules and functions that a loop of their caller's makes again and again."""
    found: list[Turned[tuple[str, int]]] = []
    seen: set[tuple[int, ...]] = set()
    for node in graph.nodes:
        frames = node.source.frames
        ids = tuple(map(id, frames))
        for depth, frame in enumerate(frames):
            if ids[: depth + 1] in seen:  # another op of the call
                continue
            seen.add(ids[: depth + 1])
            caller = frames[depth - 1] if depth else None
            below = frame.path[len(caller.path) :] if caller is not None else frame.path
            around = tuple((f.path, f.call) for f in frames[:depth])
            kind = (class_of(caller), below)
            found.append(Turned((frame.path, frame.call), (around, frame.path), kind, frame.turns))
    return turn_words(found)


K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Turned(Generic[K]):
    """Something in a turn of a loop: its key, what is called as it is, and what is where its class is."""

    key: K
    alike: Hashable
    kind: Hashable
    turns: tuple[int, ...]


def turn_words(things: Iterable[Turned[K]]) -> dict[K, str]:
    """The turns of what is called alike in several, as words: only of loops whose turns tell them apart.

    They are told wherever they are in one module of the class: all of its modules have the same names.
    """
    together: dict[Hashable, list[Turned[K]]] = {}
    for thing in things:
        together.setdefault(thing.alike, []).append(thing)
    telling: dict[Hashable, set[int]] = {}
    for alike in together.values():
        deepest = max(len(own.turns) for own in alike)
        for place in range(deepest):
            if len({own.turns[place] for own in alike if len(own.turns) == deepest}) > 1:
                for own in alike:
                    telling.setdefault((own.kind, deepest), set()).add(place)
    return {
        own.key: "_".join(str(own.turns[place]) for place in sorted(telling[own.kind, len(own.turns)]))
        for alike in together.values()
        for own in alike
        if (own.kind, len(own.turns)) in telling
    }


def repeated_ops(graph: Graph) -> frozenset[tuple[str, str]]:
    """(class of the module, op) of what some call of a module of the class does more than once.

    By class, so that the ops of modules of one class are called alike, whatever a flag of theirs leaves out.
    """
    counts: Counter[tuple[str, int, str, str]] = Counter()
    for node in graph.nodes:
        if node.op not in LEAVES:
            frame = node.source.frames[-1] if node.source.frames else None
            counts[node.source.path, frame.call if frame else 0, class_of(frame), node.op] += 1
    return frozenset((cls, op) for (_, _, cls, op), count in counts.items() if count > 1)
