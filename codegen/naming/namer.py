"""Module path <-> symbol name.

An op is named after the module that owns its weights (`layer1_0_conv1`), or after the module that it stands
in and what it does (`layer1_0_add`); where a module does the same more than once, after the submodule that
feeds it (`layer1_0_bn2_relu`) or the author's variable (`layer1_0_out_add`) too. A parameter is named after
its key with MXNet's suffix. Names depend on nothing but the net, and a number comes in only where nothing
else tells two ops apart.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from codegen.draft import OfAll, OfInput, OfKey, OfModule, OfRule, Wish
from codegen.identifiers import flat
from codegen.ir import SAYS_NOTHING, Graph, Node
from codegen.naming.scopes import Turned, class_of, numbered, placed, places_of, repeated_ops, turn_words
from codegen.program import Place

# The last words of torch's keys that give way to MXNet's suffix.
TORCH_SUFFIXES = frozenset(["weight", "bias", "running_mean", "running_var"])


class Namer:
    """Gives every call and Variable of a net a name of its own."""

    def __init__(self, graph: Graph) -> None:
        self.places = places_of(graph)
        self._graph = graph
        self._repeated = repeated_ops(graph)
        self._turned = self._turns_of_nodes()
        self._numbers: dict[tuple[object, ...], dict[str, int]] = {}
        self._taken: set[str] = set()

    def unique(self, name: str, steps: Collection[str] = ()) -> str:
        """The name, numbered where it is taken, or is what a step on the way is called; taken from now on."""
        candidate, number = name, 1
        while candidate in self._taken or candidate in steps:
            number += 1
            candidate = numbered(name, number)
        self._taken.add(candidate)
        return candidate

    def stem(self, node: Node, owner: str | None, hint: str) -> str:
        """What a call for a node is called, if nothing else is called so.

        `owner` is the module whose weights the call takes, `hint` what a step on the way to the node's result
        is.
        """
        words, op = self._words(node, owner, hint)
        turns, number = self._turned.get(node.name, ""), self._number_in_turn(node)
        if op:
            op = numbered(op, number)
        elif number > 1:
            words = [*words[:-1], numbered(words[-1], number)]
        # A name begins with no number.
        told = [*words[:1], turns, *words[1:], op] if words and node.source.path else [*words, op, turns]
        return "_".join(word for word in told if word)

    def _number_in_turn(self, node: Node) -> int:
        """Which of those that are called alike in one turn of a loop a node is, from 1."""
        if node.name not in self._turned:
            return 1
        key = (self._kind(node), self._turned[node.name])
        numbers = self._numbers.setdefault(key, {})
        return numbers.setdefault(node.name, len(numbers) + 1)

    def _kind(self, node: Node) -> tuple[object, ...]:
        """What nodes of one call of a module that are called alike have in common."""
        return (tuple((f.path, f.call) for f in node.source.frames), *map(str, self._words(node, None, "")))

    def _turns_of_nodes(self) -> dict[str, str]:
        """The turn of each node of a loop that is called alike in several."""
        found: list[Turned[str]] = []
        for node in self._graph.nodes:
            if node.source.turns:
                scope = self.places[node.name].frames[-1] if node.source.frames else None
                kind = (class_of(scope), node.op, node.source.line)
                found.append(Turned(node.name, self._kind(node), kind, node.source.turns))
        return turn_words(found)

    def _words(self, node: Node, owner: str | None, hint: str) -> tuple[list[str], str]:
        """The words of a call's name, and what it does."""
        place = self.places[node.name]
        scope = place.frames[-1] if place.frames else None
        path = owner if owner is not None else place.path
        own_name = owner is not None or (scope is not None and scope.library and not place.is_step)
        in_function = owner is None and scope is not None and scope.is_function
        start = scope.prefix if scope is not None and in_function else placed(path, place.frames)
        words = [start] if start else []
        if hint or not own_name or not path:
            return [*words, *self._telling(node, place)], hint or node.op.rpartition("::")[2]
        return words, ""

    def _telling(self, node: Node, place: Place) -> list[str]:
        """What tells an op from its like in a module: what feeds it, or the author's variable."""
        scope = place.frames[-1] if place.frames else None
        if (class_of(scope), node.op) not in self._repeated:
            return []
        # Inside a layer of torch's own the author has no variables.
        target = "" if scope is not None and scope.library else place.target
        teller = place.local if scope is not None and scope.is_function else self.feeder(node) or target
        return [flat(teller)] if teller else []

    def feeder(self, node: Node) -> str:
        """The submodule of torch's whose result is the node's first input; '' where it is no such one.

        Where the author's variable says nothing (`x`), ops between the two are passed over.
        """
        base = f"{node.source.path}." if node.source.path else ""
        maker: Node | None = node
        while maker is not None:
            first = next(iter(maker.refs()), None)
            maker = self._graph.by_name[first.name] if first is not None else None
            if maker is None or not maker.source.frames:
                return ""
            frame = maker.source.frames[-1]
            in_turn = _turns_below(node, maker) == node.source.turns
            if node.source.turns and not in_turn:
                return ""
            if frame.library and frame.path.startswith(base):
                return frame.path[len(base) :]
            passes = node.source.target in SAYS_NOTHING and maker.source.path == node.source.path
            if not passes or not in_turn:
                return ""
        return ""

    def wished(self, wish: Wish) -> str:
        """The wished name of a Variable.

        It is called so if nothing else is.

        Constants of one wished name, and of equal values, are one Variable.

        torch: initialisation and training know a parameter by its module.
        MXNet: initializers and Module.fit choose by the end of a name: _weight, _bias, _gamma, _beta,
            _moving_mean, _moving_var.
        We write: names that end so, the op's name before them.
        Source: mx.init.Initializer; mx.mod.Module.

        >>> names(nn.Linear(3, 2), (1, 3))
        ['linear_weight', 'linear_bias']
        >>> names(nn.BatchNorm1d(3), (1, 3))
        ['batchnorm1d_gamma', 'batchnorm1d_beta', 'batchnorm1d_moving_mean', 'batchnorm1d_moving_var']
        """
        if isinstance(wish, OfInput | OfAll):
            return wish.name
        if isinstance(wish, OfKey):
            path, _, last = wish.key.rpartition(".")
            suffix = wish.slot if wish.slot is not None and last in TORCH_SUFFIXES else last
            return flat(f"{path}.{suffix}" if path else suffix)
        if isinstance(wish, OfModule):
            return flat(f"{wish.path}.{wish.suffix}" if wish.path else wish.suffix)
        if isinstance(wish, OfRule):
            return f"{self.stem(self._graph.by_name[wish.node], None, '')}_{wish.hint}"
        return self._of_node(self._graph.by_name[wish.node])

    def _of_node(self, node: Node) -> str:
        if node.source.target:
            turns, frames = self._turned.get(node.name, ""), self.places[node.name].frames
            # What a function of the author's makes, its own function makes too.
            start = frames[-1].prefix if frames and frames[-1].is_function else node.source.path
            words = (start, turns, node.source.target) if start else (node.source.target, turns)
            return flat(".".join(word for word in words if word))
        return re.sub(r"_\d+$", "", node.name)


def _turns_below(node: Node, maker: Node) -> tuple[int, ...]:
    """The turns, of the function that a node stands in, in which another node was made."""
    frames = maker.source.frames[len(node.source.frames) :]
    return frames[0].turns if frames else maker.source.turns
