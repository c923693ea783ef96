"""The pass that gives all names, in the order of the calls: a Draft in, a Program out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.batch_words import batch_doc
from codegen.draft import Draft, DraftCall, DraftOperand, OfKey, OfNode, Unnamed
from codegen.ir import Graph, Node, Note, Ref
from codegen.mxnet_ops import spec_of
from codegen.naming.namer import Namer
from codegen.program import (
    NUMBER_FIRST,
    Call,
    Leaf,
    NamedFrame,
    Operand,
    Output,
    Place,
    Program,
    Variable,
)

# The last words of keys whose module an op is named after.
NAMING_KEYS = frozenset(["weight", "bias", "running_mean"])


def named(
    draft: Draft, graph: Graph, name: str, unused_keys: Sequence[str] = (), notes: Sequence[Note] = ()
) -> Program:
    """The draft of `graph` with names everywhere, as the Program of the net `name`.

    A call takes its name before the Variables that it is the first to read. Calls for one node of which
    several are steps on the way are named below the node's own result, and stand in a scope of their own.
    """
    names = _Names(draft, graph)
    called = graph.output_names or ("",) * len(draft.outputs)
    calls = names.calls()
    variables = names.variables()
    return Program(
        name,
        variables,
        calls,
        tuple(
            Output(names.operand(operand), shape, name)
            for (operand, shape), name in zip(draft.outputs, called, strict=True)
        ),
        tuple((node, index, names.operand(operand)) for node, index, operand in draft.values),
        tuple(unused_keys),
        (*notes, *graph.in_training),
        graph.batch,
        graph.free_batch,
        batch_doc(graph),
    )


class _Names:
    """The names given so far."""

    def __init__(self, draft: Draft, graph: Graph) -> None:
        self._draft = draft
        self._graph = graph
        self._namer = Namer(graph)
        self._of_variable: dict[int, str] = {}
        self._constants: dict[tuple[object, ...], str] = {}
        for index, entry in enumerate(draft.variables):
            if entry.variable.kind == "input":
                self._name_variable(index)

    def calls(self) -> tuple[Call, ...]:
        """Every call of the draft, named."""
        made: list[Call] = []
        stops = dict(self._draft.spans)
        while len(made) < len(self._draft.calls):
            start = len(made)
            made += self._of_node(self._draft.calls[start : stops.get(start, start + 1)])
        return tuple(made)

    def variables(self) -> tuple[Variable, ...]:
        """The Variables that calls read, each once."""
        found: dict[str, Variable] = {}
        for index, entry in enumerate(self._draft.variables):
            name = self._of_variable.get(index)
            if name is not None:
                found.setdefault(name, replace(entry.variable, name=name))
        return tuple(found.values())

    def operand(self, operand: DraftOperand) -> Operand:
        """What a call reads, by the name that it has."""
        return Leaf(self._of_variable[operand.index]) if isinstance(operand, Unnamed) else operand

    def _of_node(self, calls: Sequence[DraftCall]) -> list[Call]:
        """The calls that one node takes."""
        node = self._graph.by_name[calls[0].node]
        place = self._namer.places[node.name]
        owners = [self._owner(call, place) for call in calls]
        in_layer = bool(place.frames) and place.frames[-1].library
        steps = len(calls) > 1 and not in_layer and not any(owners)
        names: list[str] = []
        told: set[str] = set()
        for call, owner in zip(calls, owners, strict=True):
            stem = self._namer.stem(node, owner or None, call.hint)
            if steps and call.hint:
                told.add(stem)
            names.append("" if steps and call.hint else self._namer.unique(stem, told))
            self._name_variables(call)
        if steps:
            stem = next(filter(None, reversed(names)), "") or self._namer.unique(
                self._namer.stem(node, None, "")
            )
            names = [
                name or self._namer.unique(f"{stem}_{call.hint}")
                for name, call in zip(names, calls, strict=True)
            ]
            place = replace(place, frames=(*place.frames, _frame_of_op(node, place, stem)))
        return [self._call(call, name, place) for call, name in zip(calls, names, strict=True)]

    def _call(self, call: DraftCall, name: str, place: Place) -> Call:
        if call.op in NUMBER_FIRST:
            name = self._namer.unique(name + NUMBER_FIRST[call.op])
        inputs = tuple((slot, self.operand(operand)) for slot, operand in call.inputs)
        known = (call.outputs, call.node, place, call.shapes, call.comment, call.told_by)
        return Call(call.op, inputs, call.attrs, name, *known)

    def _owner(self, call: DraftCall, place: Place) -> str:
        """The module whose `weight` (or `running_mean`) an op takes: the op bears its name."""
        for slot, operand in call.inputs:
            if slot not in spec_of(call.op).automatic or not isinstance(operand, Unnamed):
                continue
            entry = self._draft.variables[operand.index]
            if isinstance(entry.wish, OfKey):
                path, _, last = _key_in(place, entry.wish.key, entry.variable.tied).rpartition(".")
                if path and last in NAMING_KEYS:
                    return path
        return ""

    def _name_variables(self, call: DraftCall) -> None:
        for operand in call.operands():
            if isinstance(operand, Unnamed) and operand.index not in self._of_variable:
                self._name_variable(operand.index)

    def _name_variable(self, index: int) -> None:
        variable, wish = self._draft.variables[index].variable, self._draft.variables[index].wish
        wished = self._namer.wished(wish)
        if variable.value is None:
            self._of_variable[index] = self._namer.unique(wished)
            return
        told = wish.node if isinstance(wish, OfNode) else wished
        key = (told, variable.kind, variable.dtype, variable.shape, variable.value.tobytes())
        if key not in self._constants:
            self._constants[key] = self._namer.unique(wished)
        self._of_variable[index] = self._constants[key]


def _key_in(place: Place, key: str, tied: Sequence[str]) -> str:
    """The key of a parameter; of tied ones, that of the layer that a node stands in."""
    here = f"{place.frames[-1].path}." if place.frames else ""
    return next((k for k in (key, *tied) if here and k.startswith(here)), key)


def _frame_of_op(node: Node, place: Place, stem: str) -> NamedFrame:
    """The scope around the calls of one op of torch's, called `stem`."""
    around = place.frames[-1] if place.frames else None
    path = f"{around.path}.{stem[len(around.prefix) + 1 :]}" if around and around.prefix else stem
    given = tuple((key, arg.name, arg.index) for key, arg in node.args if isinstance(arg, Ref))
    return NamedFrame(path, node.op, library=True, arguments=given, prefix=stem, op=True)
