"""torch's side of the comparison: what each call of the net gives, and which weights it reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from codegen.ir import LEAVES, Graph, Node
from codegen.problems import ConversionError
from codegen.program import Program
from codegen.proof.port import Array
from codegen.proof.run import as_numpy
from tracer.capture import recorded_values, run
from tracer.compare.by_modules import Values, values_by_modules
from tracer.copies import full_state
from tracer.inputs import InputSpec, make_inputs
from tracer.looked_up import with_rows_of_tables
from tracer.lowering import Asked, lowered
from tracer.samples import Variation
from tracer.trace import trace


@dataclass(frozen=True)
class Net:
    """The net as fx2mx knows it.

    `program` is its conversion, None where an op has no counterpart in MXNet; then `why` says so. `graph` is
    None where the net cannot be followed at all: what its modules give is compared then.
    """

    model: nn.Module
    specs: tuple[InputSpec, ...]
    graph: Graph | None
    program: Program | None
    taps: tuple[str, ...] = ()
    why: str = ""

    @property
    def batch(self) -> int | None:
        return self.graph.batch if self.graph is not None else None

    @property
    def runs_at_others(self) -> bool:
        return self.graph is not None and self.graph.runs_at_others


@dataclass(frozen=True)
class Reference:
    """What torch computes on one set of inputs.

    `values` has what each call gives, by the name of its node; `state` the weights by key, computed ones too.
    """

    nodes: tuple[Node, ...]
    values: Mapping[str, tuple[Array, ...]]
    inputs: Mapping[str, Array]
    outputs: tuple[Array, ...]
    state: Mapping[str, Array]
    model: nn.Module = field(repr=False)
    tensors: Mapping[str, torch.Tensor] = field(repr=False)

    def calls(self) -> Iterator[Node]:
        """The calls of torch, without inputs, weights and constants."""
        return (node for node in self.nodes if node.op not in LEAVES and node.name in self.values)


def net_of(model: nn.Module, specs: tuple[InputSpec, ...], name: str, taps: tuple[str, ...] = ()) -> Net:
    """The net, traced, and converted as far as it can be. RequestError as the conversion raises it."""
    try:
        graph, program = lowered(model, specs, Asked(name, taps))
        return Net(model, with_rows_of_tables(model, specs, graph), graph, program, taps)
    except ConversionError as error:
        why = error.problems[0].what
    try:
        return Net(model, specs, trace(model, specs, taps), None, taps, why)
    except ConversionError as error:
        return Net(model, specs, None, None, taps, error.problems[0].what)


def reference(net: Net, model: nn.Module, batch: int | None, softmax: bool, seed: int) -> Reference:
    """What torch gives for seeded inputs; `model` is the net, or a copy of it with other weights."""
    inputs = make_inputs(net.specs, batch, seed, Variation())
    found = _recorded(net.graph, model, inputs, net.taps) if net.graph else values_by_modules(model, inputs)
    return Reference(
        nodes=found.nodes,
        values=found.values,
        inputs={name: as_numpy(tensor) for name, tensor in inputs.items()},
        outputs=tuple(map(as_numpy, outputs_of(model, inputs, net.taps, softmax))),
        state=state_of(model),
        model=model,
        tensors=inputs,
    )


def _recorded(
    graph: Graph, model: nn.Module, inputs: Mapping[str, torch.Tensor], taps: Sequence[str]
) -> Values:
    """What each call of torch gives."""
    values = recorded_values(model, inputs, taps)
    return Values(graph.nodes, {name: tuple(map(as_numpy, tensors)) for name, tensors in values.items()})


def outputs_of(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], taps: Sequence[str], softmax: bool
) -> list[torch.Tensor]:
    """What torch returns, or the modules that are tapped, with the softmax that the port alone has."""
    outputs = run(model, inputs, taps)
    return [torch.softmax(outputs[0], 1), *outputs[1:]] if softmax else outputs


def state_of(model: nn.Module) -> dict[str, Array]:
    """The weights by key, as arrays."""
    return {key: as_numpy(tensor.detach().cpu()) for key, tensor in full_state(model).items()}


@dataclass(frozen=True)
class Reading:
    """Which calls read which weights.

    `readers` has, for each key, the calls that read it with something else; `weights` are the nodes that hang
    on weights and constants alone.
    """

    readers: Mapping[str, tuple[Node, ...]]
    weights: Collection[str]


def reading(nodes: Sequence[Node]) -> Reading:
    """Which calls read which weights, be they turned or cut on the way."""
    held: dict[str, frozenset[str]] = {}
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        if node.op in LEAVES:
            if node.op == "param":
                keys = (node.kwargs["key"], *node.kwargs.get("tied", ()))
                held[node.name] = frozenset(keys)
            elif node.op == "constant":
                held[node.name] = frozenset()
            continue
        refs = [ref.name for ref in node.refs()]
        keys_read = frozenset().union(*(held.get(name, frozenset()) for name in refs))
        if all(name in held for name in refs):
            held[node.name] = keys_read
            continue
        for key in keys_read:
            readers.setdefault(key, []).append(node)
    return Reading({key: tuple(found) for key, found in readers.items()}, frozenset(held))
