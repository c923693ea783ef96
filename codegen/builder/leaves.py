"""Variables of a draft: inputs, parameters and constants, each made once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from codegen.builder.value import EMPTY, Refused, Value, stored_dtype
from codegen.defects import Defect
from codegen.draft import DraftVariable, OfInput, OfKey, OfModule, OfNode, OfRule, Unnamed, Wish
from codegen.ir import Graph, Node, Shape
from codegen.program import Initializer, Variable

# Whole numbers up to this are exact in float32.
EXACT = 2**24

Kind = Literal["arg", "aux"]


class Leaves:
    """The Variables so far. What asks for one that is there already gets it again."""

    def __init__(self, graph: Graph) -> None:
        self.variables: list[DraftVariable] = []
        self._graph = graph
        self._parameters: dict[str, Unnamed] = {}
        # How many constants of a kind each call of a module has made.
        self._made_in: Counter[tuple[Any, ...]] = Counter()
        self._made: dict[Any, Unnamed] = {}
        self._constants: dict[tuple[Any, ...], Unnamed] = {}

    def of(self, value: Value, slot: str | None, kind: Kind) -> Unnamed:
        """The Variable that holds a parameter of the net or a constant, for an op that calls it `slot`."""
        node = self._graph.by_name.get(value.node)
        if node is not None and node.op == "param":
            return self._parameter(node, slot, kind, value.dtype)
        return self._constant(value, kind)

    def whole(self, value: Value) -> Value | None:
        """A parameter or constant of whole numbers as one of float32; None where that is not exact."""
        if value.operand is not None or not np.issubdtype(np.dtype(value.dtype), np.integer):
            return None
        node = self._graph.by_name.get(value.node)
        array = value.const if node is None or node.op != "param" else node.value
        if array is None or not array.size or np.abs(array.astype(np.float64)).max() > EXACT:
            return None
        const = None if value.const is None else value.const.astype(np.float32)
        return replace(value, dtype="float32", const=const)

    def input(self, node: Node) -> Unnamed:
        """An input of the net."""
        kind = node.outputs[0]
        variable = Variable("", "input", kind.shape or (1,), stored_dtype(kind.dtype))
        return self._add(variable, OfInput(node.name))

    def filled(self, path: str, suffix: str, shape: Shape, fill: float, dtype: str) -> Unnamed:
        """A parameter of one value that torch does not have, below the module at `path`."""
        variable, wish = Variable("", "arg", shape, dtype, fill=fill), OfModule(path, suffix)
        return self._once((variable, wish), variable, wish)

    def packed(
        self, path: str, suffix: str, values: Sequence[Value], size: int, init: Initializer
    ) -> Unnamed:
        """Several parameters of the net, flattened and joined into one of `size` elements.

        One Variable for the same parameters, whichever module packs them again.
        """
        nodes = [self._node(value).kwargs for value in values]
        keys = tuple(str(given["key"]) for given in nodes)
        tied = tuple(key for given in nodes for key in given.get("tied", ()))
        sources = tuple(key for given in nodes for key in _sources(given))
        derived = sources if any("derived" in given for given in nodes) else ()
        variable = Variable("", "arg", (size,), values[0].dtype, keys, tied, derived, init=init)
        return self._once(variable, variable, OfModule(path, suffix))

    def _add(self, variable: Variable, wish: Wish) -> Unnamed:
        self.variables.append(DraftVariable(variable, wish))
        return Unnamed(len(self.variables) - 1)

    def _once(self, key: Any, variable: Variable, wish: Wish) -> Unnamed:
        """The Variable that was added under this key, and now where there is none."""
        if key not in self._made:
            self._made[key] = self._add(variable, wish)
        return self._made[key]

    def _node(self, value: Value) -> Node:
        node = self._graph.by_name.get(value.node)
        if node is None or node.op != "param":
            raise Refused("weights that are computed in forward", "store them as a parameter of the module")
        return node

    def _parameter(self, node: Node, slot: str | None, kind: Kind, dtype: str) -> Unnamed:
        """One Variable for a parameter, however often the net reads it.

        torch: a module that is called twice has the same weights both times.
        MXNet: an op makes Variables of its own, after its name; the same name twice is an error, another one
            other weights.
        We write: one Variable, passed to both ops by keyword; their names differ.
        Source: torch.nn.Module; mx.sym.FullyConnected, measured.

        >>> layer = nn.Linear(3, 3)
        >>> converted(nn.Sequential(layer, nn.ReLU(), layer), (1, 3))
        x = mx.sym.FullyConnected(
            x,
            weight=sequential_0_weight,
            bias=sequential_0_bias,
            num_hidden=3,
            flatten=False,
            name="sequential_0",
        )
        x = mx.sym.Activation(x, act_type="relu", name="sequential_1")
        return mx.sym.FullyConnected(
            x,
            weight=sequential_0_weight,
            bias=sequential_0_bias,
            num_hidden=3,
            flatten=False,
            name="sequential_0_2",
        )
        """
        known = self._parameters.get(node.name)
        if known is not None:
            return known
        key, given = str(node.kwargs["key"]), node.outputs[0]
        variable = Variable(
            "",
            kind,
            given.shape or (1,),
            dtype,
            (key,),
            tuple(node.kwargs.get("tied", ())),
            tuple(node.kwargs.get("derived", ())),
        )
        self._parameters[node.name] = self._add(variable, OfKey(key, slot))
        return self._parameters[node.name]

    def _constant(self, value: Value, kind: Kind) -> Unnamed:
        if value.const is None:
            raise Defect("a value without an operand is no constant")
        array = value.const
        if not array.size:
            raise Refused(EMPTY, "leave it out where it holds nothing", "empty")
        dtype = "float32" if array.dtype == np.bool_ else str(array.dtype)
        stored = array.astype(dtype).reshape(array.shape or (1,))
        wish = value.wish or OfNode(value.node)
        key = (wish, kind, dtype, stored.shape, stored.tobytes())
        if key not in self._constants:
            variable = Variable("", kind, stored.shape, dtype, value=stored)
            self._constants[key] = self._once((self._home(wish), *key[1:]), variable, wish)
        return self._constants[key]

    def _home(self, wish: Wish) -> Wish | tuple[Any, ...]:
        """What a constant has in common with those that other calls of its module make in its place.

        It is the n-th of its op in the call. A module that is called again reads the same Variable.
        """
        if not isinstance(wish, OfNode | OfRule):
            return wish
        node = self._graph.by_name[wish.node]
        frame = next((f for f in reversed(node.source.frames) if not f.is_function), None)
        if frame is None or not frame.path:
            return wish
        told = (frame.path, node.op, wish.hint if isinstance(wish, OfRule) else None)
        number = self._made_in[frame.call, told]
        self._made_in[frame.call, told] += 1
        return (told, number)


def _sources(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the state dict that a parameter is made of."""
    return tuple(given.get("derived", ())) or (str(given["key"]), *given.get("tied", ()))
