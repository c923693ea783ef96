"""A symbol and its weights that somebody wrote: read as `mx.model.load_checkpoint` does, and run op by op.

Op by op, since a port that is wrong may not run as a whole, and since one place of it may then be changed.
"""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet
from codegen.proof.run import run_symbol

if TYPE_CHECKING:
    import mxnet as mx

Array: TypeAlias = "npt.NDArray[Any]"
# Output `index` of node number `node`.
Ref: TypeAlias = tuple[int, int]
# What a node gives, or why MXNet cannot run it.
Given: TypeAlias = "tuple[Array, ...] | str"

VARIABLE = "null"
RESHAPES = frozenset(["Reshape", "reshape"])
# Attributes of a variable, as the JSON has them.
DTYPE = "__dtype__"


@dataclass(frozen=True)
class PortNode:
    """A node of the symbol's JSON: a variable, or an op with its attributes as text."""

    name: str
    op: str
    attrs: Mapping[str, str]
    inputs: tuple[Ref, ...]
    subgraphs: tuple[Any, ...] = ()

    @property
    def is_variable(self) -> bool:
        return self.op == VARIABLE


@dataclass(frozen=True)
class Port:
    """A symbol as its nodes in the order of execution, and the weights, auxiliary states among them."""

    nodes: tuple[PortNode, ...]
    heads: tuple[Ref, ...]
    params: Mapping[str, Array] = field(repr=False)

    @property
    def variables(self) -> tuple[PortNode, ...]:
        """All that the symbol reads."""
        return tuple(node for node in self.nodes if node.is_variable)

    @property
    def ops(self) -> int:
        """How many nodes are ops."""
        return len(self.nodes) - len(self.variables)

    def readers(self) -> dict[int, list[int]]:
        """The nodes that read each node."""
        found: dict[int, list[int]] = {index: [] for index in range(len(self.nodes))}
        for index, node in enumerate(self.nodes):
            for source in dict.fromkeys(source for source, _ in node.inputs):
                found[source].append(index)
        return found

    def with_node(self, index: int, node: PortNode) -> Port:
        """With another node in the place of one."""
        return replace(self, nodes=(*self.nodes[:index], node, *self.nodes[index + 1 :]))

    def with_before(self, index: int, node: PortNode, place: int = 0) -> Port:
        """With a node before node `index`, which reads it at this place of its inputs."""

        def moved(ref: Ref) -> Ref:
            return (ref[0] + (ref[0] >= index), ref[1])

        later = [replace(n, inputs=tuple(map(moved, n.inputs))) for n in self.nodes[index:]]
        own = later[0].inputs
        later[0] = replace(later[0], inputs=(*own[:place], (index, 0), *own[place + 1 :]))
        nodes = (*self.nodes[:index], node, *later)
        return replace(self, nodes=nodes, heads=tuple(map(moved, self.heads)))


def parsed(text: str) -> Any:
    """An attribute as a value: `(3, 3)`, `True`, `1e-05`, and a word as it is."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value


@in_mxnet
def load_port(prefix: str, epoch: int) -> Port:
    """What `mx.model.load_checkpoint` reads. Raises as it does: MXNetError, ValueError."""
    symbol, arg_params, aux_params = import_mxnet().model.load_checkpoint(prefix, epoch)
    graph = json.loads(symbol.tojson())
    nodes = tuple(
        PortNode(
            node["name"],
            node["op"],
            node.get("attrs", {}),
            tuple((source, output) for source, output, *_ in node["inputs"]),
            tuple(node.get("subgraphs", ())),
        )
        for node in graph["nodes"]
    )
    heads = tuple((head[0], head[1]) for head in graph["heads"])
    return Port(nodes, heads, {k: v.asnumpy() for k, v in (arg_params | aux_params).items()})


@in_mxnet
def run_port(port: Port, inputs: Mapping[str, Array], double: bool = False) -> tuple[list[str], list[Array]]:
    """The names of the outputs and their values, as `mx.mod.Module` computes them, or in float64.

    Raises MXNetError where it cannot.
    """
    symbol = _symbol([_with_shape(node, port.params) for node in port.nodes], port.heads)
    _check_reshapes(port.nodes, {k: v.shape for k, v in (*port.params.items(), *inputs.items())})
    arrays = {k: _array(v) for k, v in port.params.items()}
    auxiliary = set(symbol.list_auxiliary_states())
    arg_params = {k: v for k, v in arrays.items() if k not in auxiliary}
    aux_params = {k: v for k, v in arrays.items() if k in auxiliary}
    return symbol.list_outputs(), run_symbol(
        symbol, arg_params, aux_params, inputs, fused=not double, double=double
    )


def _with_shape(node: PortNode, params: Mapping[str, Array]) -> PortNode:
    """A weight with its shape, which MXNet does not infer for each op (dot)."""
    if not node.is_variable or node.name not in params:
        return node
    return replace(node, attrs={**node.attrs, "__shape__": str(params[node.name].shape)})


@in_mxnet
def fits(port: Port, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether MXNet can infer all shapes from those of the inputs and of the weights."""
    symbol = _symbol(port.nodes, port.heads)
    known = {k: v.shape for k, v in port.params.items()} | dict(shapes)
    arguments, _, _ = _inferred(symbol, {k: v for k, v in known.items() if k in symbol.list_arguments()})
    return arguments is not None


@in_mxnet
def run_nodes(
    port: Port,
    inputs: Mapping[str, Array],
    known: Mapping[int, tuple[Array, ...]],
    wanted: Collection[int] | None = None,
) -> dict[int, Given]:
    """What each node gives, alone, in inference: of all nodes, or of those that `wanted` ones need.

    Nodes that are `known` are not run. One that MXNet cannot run has its error, and what reads it is left
    out; so is a variable without a value.
    """
    begun = _begun(port, inputs)
    needed = _needed(port, known, wanted)
    found: dict[int, Given] = dict(known)
    for index, node in enumerate(port.nodes):
        if index in found or index not in needed:
            continue
        if node.is_variable:
            value = inputs.get(node.name, port.params.get(node.name))
            if value is not None:
                found[index] = (value,)
            continue
        operands = [_operand(port, found, ref) for ref in node.inputs]
        if all(operand is not None for operand in operands):
            found[index] = _run_one(begun.get(index, node), operands)
    return found


def _needed(
    port: Port, known: Mapping[int, tuple[Array, ...]], wanted: Collection[int] | None
) -> Collection[int]:
    if wanted is None:
        return range(len(port.nodes))
    needed: set[int] = set()
    stack = list(wanted)
    while stack:
        index = stack.pop()
        if index not in needed and index not in known:
            needed.add(index)
            stack += [source for source, _ in port.nodes[index].inputs]
    return needed


class _NoValue:
    """What stands for a label, which inference does not read: MXNet infers its shape."""


def _operand(port: Port, found: Mapping[int, Given], ref: Ref) -> Any:
    """A value, `_NoValue` for a variable that has none, None where what computes it did not run."""
    given = found.get(ref[0])
    if given is None and port.nodes[ref[0]].is_variable:
        return _NoValue
    return given[ref[1]] if isinstance(given, tuple) and ref[1] < len(given) else None


def _begun(port: Port, inputs: Mapping[str, Array]) -> dict[int, PortNode]:
    """Nodes that make a tensor of a shape that MXNet infers from its readers, with that shape in numbers."""
    unknown = [
        index
        for index, node in enumerate(port.nodes)
        if not node.is_variable and not node.inputs and 0 in _shape_of(node)
    ]
    if not unknown:
        return {}
    internals = _symbol(port.nodes, port.heads).get_internals()
    names = set(internals.list_arguments())
    # From the inputs alone: weights of another shape are for the node that reads them to tell.
    _, inferred, _ = _inferred(internals, {k: v.shape for k, v in inputs.items() if k in names})
    known = dict(zip(internals.list_outputs(), inferred or (), strict=False))
    found = {}
    for index in unknown:
        node = port.nodes[index]
        # Where nothing can be inferred, the 0 is the batch, as in MXNet's own cells.
        batch = next(iter(inputs.values())).shape[0] if inputs else 1
        shape = known.get(f"{node.name}_output") or tuple(size or batch for size in _shape_of(node))
        found[index] = replace(node, attrs={**node.attrs, "shape": str(tuple(shape))})
    return found


def _inferred(symbol: mx.sym.Symbol, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """What infer_shape_partial gives, of all None where the shapes contradict each other."""
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):  # mxnet prints what it was given
        try:
            return symbol.infer_shape_partial(**shapes)
        except import_mxnet().base.MXNetError:
            return None, None, None


def _check_reshapes(nodes: Sequence[PortNode], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise MXNetError for a reshape to another number of elements: of a port in which a batch size stands.

    MXNet infers the shape that is written, and ends the process when it runs.
    """
    places = [index for index, node in enumerate(nodes) if node.op in RESHAPES]
    if not places:
        return
    symbol = _symbol(nodes, [ref for index in places for ref in (nodes[index].inputs[0], (index, 0))])
    names = set(symbol.list_arguments())
    _, found, _ = _inferred(symbol, {k: v for k, v in shapes.items() if k in names})
    for index, given, made in zip(places, (found or ())[::2], (found or ())[1::2], strict=False):
        if given and made and 0 not in (*given, *made) and np.prod(given) != np.prod(made):
            name = nodes[index].name
            raise import_mxnet().base.MXNetError(f"{name} cannot reshape {tuple(given)} to {tuple(made)}")


def _shape_of(node: PortNode) -> tuple[Any, ...]:
    shape = parsed(node.attrs.get("shape", "()"))
    return shape if isinstance(shape, tuple) else (shape,)


def _run_one(node: PortNode, operands: Sequence[Any]) -> Given:
    mx = import_mxnet()
    names = [f"fx2mx_input{place}" for place in range(len(operands))]
    variables = [PortNode(name, VARIABLE, {}, ()) for name in names]
    alone = replace(node, inputs=tuple((place, 0) for place in range(len(operands))))
    try:
        internals = _symbol((*variables, alone), ((len(operands), 0),)).get_internals()
        own = [internals[name] for name in internals.list_outputs() if name not in names]
        symbol = mx.sym.Group(own) if len(own) > 1 else own[0]
        auxiliary = set(symbol.list_auxiliary_states())
        given = {n: v for n, v in zip(names, operands, strict=True) if v is not _NoValue}
        _check_reshapes((*variables, alone), {n: v.shape for n, v in given.items()})
        kept = {n: _array(v) for n, v in given.items() if n in auxiliary}
        read = {n: v for n, v in given.items() if n not in auxiliary}
        return tuple(run_symbol(symbol, {}, kept, read, fused=False))
    except mx.base.MXNetError as error:
        return last_line(str(error))


def last_line(error: str) -> str:
    """What MXNet says is wrong, without the place in its own source."""
    lines = [line for line in error.strip().splitlines() if line.strip()] or ["no message"]
    told = next((line for line in reversed(lines) if "Check failed" in line or "Error" in line), lines[-1])
    return told.rpartition("Check failed: ")[2].rpartition("MXNetError: ")[2].strip()


def _symbol(nodes: Sequence[PortNode], heads: Sequence[Ref]) -> mx.sym.Symbol:
    written = []
    for node in nodes:
        text: dict[str, Any] = {
            "op": node.op,
            "name": node.name,
            "inputs": [[*ref, 0] for ref in node.inputs],
        }
        text |= {"attrs": dict(node.attrs)} if node.attrs else {}
        written.append(text | ({"subgraphs": list(node.subgraphs)} if node.subgraphs else {}))
    arguments = [index for index, node in enumerate(nodes) if node.is_variable]
    graph = {"nodes": written, "arg_nodes": arguments, "heads": [[*head, 0] for head in heads]}
    return import_mxnet().sym.load_json(json.dumps(graph | {"attrs": {"mxnet_version": ["int", 10901]}}))


def _array(array: Array) -> Any:
    return import_mxnet().nd.array(array, dtype=np.asarray(array).dtype)
