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
from codegen.naming.scopes import class_of, numbered, placed, places_of, repeated_ops
from codegen.program import Place

# The last words of torch's keys that give way to MXNet's suffix.
TORCH_SUFFIXES = frozenset(["weight", "bias", "running_mean", "running_var"])


class Namer:
    """Gives every call and Variable of a net a name of its own."""

    def __init__(self, graph: Graph) -> None:
        self.places = places_of(graph)
        self._graph = graph
        self._repeated = repeated_ops(graph)
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
        place = self.places[node.name]
        scope = place.frames[-1] if place.frames else None
        path = owner if owner is not None else place.path
        own_name = owner is not None or (scope is not None and scope.library and not place.is_step)
        in_function = owner is None and scope is not None and scope.is_function
        start = scope.prefix if scope is not None and in_function else placed(path, place.frames)
        words = [start] if start else []
        if hint or not own_name or not path:
            words += self._telling(node, place)
            words.append(hint or node.op.rpartition("::")[2])
        return "_".join(words)

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
            if frame.library and frame.path.startswith(base):
                return frame.path[len(base) :]
            if node.source.target not in SAYS_NOTHING or maker.source.path != node.source.path:
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
            return flat(f"{node.source.path}.{node.source.target}".lstrip("."))
        return re.sub(r"_\d+$", "", node.name)
