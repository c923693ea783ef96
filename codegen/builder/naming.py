"""Names: module path <-> symbol name.

An op is named after the module that owns its weights (`layer1_0_conv1`), or after the module that it
stands in and what it does (`layer1_0_add`); where a module does the same more than once, after the
submodule that feeds it (`layer1_0_bn2_relu`) or the author's variable (`layer1_0_out_add`) too. A parameter is named after its key with MXNet's suffix. Names
depend on nothing but the net, and a number comes in only where nothing else tells two ops apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from codegen.identifiers import flat
from codegen.ir import SAYS_NOTHING, Frame, Graph, Node, Source

# torch's last part of a key that gives way to MXNet's suffix.
TORCH_SUFFIXES = frozenset(["weight", "bias", "running_mean", "running_var"])


class Namer:
    """Gives every call and Variable a name of its own."""

    def __init__(self, repeated: frozenset[tuple[str, str]] = frozenset()) -> None:
        self._taken: set[str] = set()
        self._repeated = repeated

    def reserve(self, name: str) -> None:
        """Keep a name for an input."""
        self._taken.add(name)

    def call(self, source: Source, owner: str | None, hint: str, op: str, feeder: str) -> str:
        """The name of a call; `owner` is the module whose weights it takes, `hint` marks a helper op.

        `feeder` is the submodule whose result it takes, if any.
        """
        return self._unique(self._stem(source, owner, hint, op, feeder))

    def _stem(self, source: Source, owner: str | None, hint: str, op: str, feeder: str) -> str:
        frame = source.frames[-1] if source.frames else None
        path = owner if owner is not None else source.path
        own_name = owner is not None or (frame is not None and frame.library and not source.is_step)
        start = (
            frame.prefix if owner is None and frame is not None and frame.helper else _placed(path, source)
        )
        parts = [start] if start else []
        if hint or not own_name or not path:
            # Inside a layer of torch's own the author has no variables.
            target = "" if frame is not None and frame.library else source.target
            teller = source.local if frame is not None and frame.helper else feeder or target
            if teller and (_class_of(frame), op) in self._repeated:
                parts.append(flat(teller))
            parts.append(hint or op)
        return "_".join(parts)

    def part(self, source: Source, op: str, hint: str, feeder: str) -> str:
        """What a constant that the rule of an op makes is to be called."""
        return f"{self._stem(source, None, '', op, feeder)}_{hint}"

    def release(self, names: Iterable[str]) -> None:
        """Take names back that calls had."""
        self._taken.difference_update(names)

    def helper(self, stem: str, hint: str) -> str:
        """The name of a call under `stem`, the name of the op of torch that it is a part of."""
        return self._unique(f"{stem}_{hint}")

    def parameter(self, key: str, slot: str | None) -> str:
        """The name of a parameter that stands in the state dict under `key`; `slot` is the op's own name for it."""
        path, _, last = key.rpartition(".")
        suffix = slot if slot is not None and last in TORCH_SUFFIXES else last
        name = flat(f"{path}.{suffix}" if path else suffix)
        return self._unique(name)

    def parameter_of(self, path: str, suffix: str) -> str:
        """The name of a parameter that torch does not have."""
        return self._unique(flat(f"{path}.{suffix}" if path else suffix))

    def constant(self, wish: str, node: Node | None) -> str:
        """The name of a constant: after the author's variable where `node`, made in forward, has one."""
        if node is not None and node.source.target:
            wish = flat(f"{node.source.path}.{node.source.target}".lstrip("."))
        elif node is not None:
            wish = re.sub(r"_\d+$", "", wish)
        return self._unique(wish)

    def _unique(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._taken:
            number += 1
            candidate = _numbered(name, number)
        self._taken.add(candidate)
        return candidate


def _placed(path: str, source: Source) -> str:
    """A module's path as the start of a name, in the call that a node stands in."""
    for frame in reversed(source.frames):
        if path == frame.path or (frame.path and path.startswith(f"{frame.path}.")):
            return frame.prefix + flat(path[len(frame.path) :])
    return flat(path)


def prefixed(graph: Graph) -> Graph:
    """The graph with the start of the names in each call of a module: its path, with a number from the second call on.

    The calls are counted in each call of the module around. One that has weights of its own has no number: the
    weights are called after their ops, so that MXNet makes them by itself.
    """
    with_weights = _calls_with_weights(graph)
    called_again = _functions_called_again(graph)
    last = {(f.path, f.call): node.name for node in graph.nodes for f in node.source.frames}
    modules = {flat(f.path) for node in graph.nodes for f in node.source.frames if not f.helper}
    prefixes: dict[tuple[str, int], str] = {}
    counts: Counter[str] = Counter()
    nodes = []
    for node in graph.nodes:
        frames: list[Frame] = []
        for frame in node.source.frames:
            key = (frame.path, frame.call)
            if key not in prefixes:
                stem = _placed(frame.path, Source(frames=tuple(frames)))
                if frame.helper and frame.target not in SAYS_NOTHING and _use(frame, frames) in called_again:
                    told = "_".join(p for p in (frames[-1].prefix, frame.target) if p)
                    stem = stem if told in modules else told
                counts[stem] += 1
                prefixes[key] = stem if not stem or key in with_weights else _numbered(stem, counts[stem])
            frames.append(replace(frame, prefix=prefixes[key]))
        is_step = bool(frames) and frames[-1].library and last[frames[-1].path, frames[-1].call] != node.name
        nodes.append(replace(node, source=replace(node.source, frames=tuple(frames), is_step=is_step)))
    return replace(graph, nodes=tuple(nodes))


def _use(frame: Frame, around: Sequence[Frame]) -> tuple[str, str]:
    """A function of the author's in a class of modules."""
    return _class_of(around[-1] if around else None), frame.cls


def _functions_called_again(graph: Graph) -> frozenset[tuple[str, str]]:
    """The functions that some call of a module of a class calls more than once: told apart by what they give."""
    calls: dict[tuple[tuple[Frame, ...], str], set[int]] = {}
    for node in graph.nodes:
        for depth, frame in enumerate(node.source.frames):
            if frame.helper:
                calls.setdefault((node.source.frames[:depth], frame.cls), set()).add(frame.call)
    return frozenset((_class_of(around[-1]), cls) for (around, cls), made in calls.items() if len(made) > 1)


def _calls_with_weights(graph: Graph) -> frozenset[tuple[str, int]]:
    """The calls of modules in which a parameter or buffer is read that nothing else reads."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for ref in node.refs():
            readers.setdefault(ref.name, []).append(node)
    alone = [readers[n.name][0] for n in graph.nodes if n.op == "param" and len(readers.get(n.name, ())) == 1]
    return frozenset((frame.path, frame.call) for node in alone for frame in node.source.frames)


def _numbered(name: str, number: int) -> str:
    if number == 1:
        return name
    return f"{name}_{number}" if name[-1:].isdigit() else f"{name}{number}"


def repeated_ops(graph: Graph) -> frozenset[tuple[str, str]]:
    """(class of the module, op) of what some call of a module of the class does more than once.

    By class, so that the ops of modules of one class are called alike, whatever a flag of theirs leaves out.
    """
    counts: Counter[tuple[str, int, str, str]] = Counter()
    for node in graph.nodes:
        if node.op not in {"input", "param", "constant"}:
            frame = node.source.frames[-1] if node.source.frames else None
            counts[node.source.path, frame.call if frame else 0, _class_of(frame), node.op] += 1
    return frozenset((cls, op) for (_, _, cls, op), count in counts.items() if count > 1)


def _class_of(frame: Frame | None) -> str:
    return f"{frame.file}:{frame.cls}" if frame is not None else ""


def siblings_of_lines(graph: Graph) -> dict[str, list[Node]]:
    """For each node, those that the same place of the author's code makes in the calls of its modules.

    The place is the file, the line, the op and, of several of that op on the line, which.
    """
    groups: dict[tuple[str, int, str, int], list[Node]] = {}
    made: Counter[tuple[str, int, str, tuple[Frame, ...]]] = Counter()
    for node in graph.nodes:
        if node.source.file and node.op not in {"input", "param", "constant"}:
            line = (node.source.file, node.source.line, node.op)
            use = (*line, node.source.frames)
            groups.setdefault((*line, made[use]), []).append(node)
            made[use] += 1
    return {node.name: group for group in groups.values() for node in group}
