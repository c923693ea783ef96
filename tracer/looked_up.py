"""Which tables a net reads by its whole numbers, told by the graph: how large these may be.

Before a net is traced the smallest of its tables bounds them; the graph tells which of these an input is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from codegen.ir import Graph, Node, Ref, refs_in
from tracer.capture import run
from tracer.inputs import InputSpec, integer_range, kind_of, make_inputs
from tracer.legal_integers import RUN
from tracer.op_facts import KEPT_IDENTITIES, SAME_ELEMENTS

# What gives rows of its `weight` by its `input`.
_LOOKS_UP = frozenset(["embedding", "embedding_bag"])
# What gives the very numbers that it is given, in other places. `to` may give others: see _keeps.
_MOVES = (SAME_ELEMENTS - KEPT_IDENTITIES) | frozenset(
    "to clone transpose permute movedim t expand expand_as repeat flip roll getitem select narrow chunk "
    "split unbind cat stack".split()
)
# The arguments in which these have them.
_MOVED = frozenset(["input", "tensors"])
# Its truth bounds nothing.
_COMPARES = frozenset("eq ne lt le gt ge".split())
_WIDE = frozenset(["int32", "int64"])


@dataclass(frozen=True)
class Table:
    """A table of a net's, and how many rows it has."""

    name: str
    rows: int


def tables(graph: Graph) -> Mapping[str, Table]:
    """The table with the fewest rows that is read by each input of whole numbers.

    None of an input that goes into anything else, since nothing here tells which numbers that takes.
    """
    held: dict[str, frozenset[str]] = {name: frozenset([name]) for name in graph.inputs}
    found: dict[str, Table] = {}
    unknown: set[str] = set()
    for node in graph.nodes:
        read, others = _reads(node, held)
        unknown |= others
        if node.op in _LOOKS_UP and (table := _table(graph, node)) is not None:
            for name in read:
                found[name] = min(found.get(name, table), table, key=lambda t: t.rows)
        elif _keeps(node):
            held[node.name] = held.get(node.name, frozenset()) | read
        elif node.op not in _COMPARES:
            unknown |= read
    return {name: table for name, table in found.items() if name not in unknown}


def _reads(node: Node, held: Mapping[str, frozenset[str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The inputs whose numbers a node has where it takes those, and those that it has elsewhere."""

    def inputs(refs: Iterator[Ref]) -> Iterator[str]:
        return (name for ref in refs for name in held.get(ref.name, ()))

    own = frozenset(name for key, arg in node.args if key in _MOVED for name in inputs(refs_in(arg)))
    if node.op in _COMPARES:
        return own, frozenset()
    return own, frozenset(n for key, arg in node.args if key not in _MOVED for n in inputs(refs_in(arg)))


def _keeps(node: Node) -> bool:
    return node.op in _MOVES and all(kind.dtype in _WIDE for kind in node.outputs)


def _table(graph: Graph, node: Node) -> Table | None:
    weight = node.kwargs["weight"]
    rows = graph.type_of(weight).shape[0]
    if not isinstance(rows, int):
        return None
    leaf = graph.by_name[weight.name]
    key = leaf.kwargs["key"].removesuffix(".weight") if leaf.op == "param" else node.source.path
    return Table(key or "the net itself", rows)


def with_rows_of_tables(
    model: nn.Module, specs: tuple[InputSpec, ...], graph: Graph
) -> tuple[InputSpec, ...]:
    """The specs in which a guess of how large whole numbers may be is as the tables that they read have it.

    Only where that is more, and torch runs the net on the largest.
    """
    found = tables(graph)
    wider = tuple(_widened(spec, found) for spec in specs)
    if wider == specs:
        return specs
    changed = {spec.name: spec for spec, before in zip(wider, specs, strict=True) if spec != before}
    made = make_inputs(wider, None, 0)
    largest = {name: torch.full_like(made[name], integer_range(s)[1] - 1) for name, s in changed.items()}
    return wider if _runs(model, made | largest) else specs


def _runs(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> bool:
    try:
        run(model, dict(inputs))
    except Exception:  # noqa: BLE001 - whatever a net raises on numbers that it does not take
        return False
    return True


def _widened(spec: InputSpec, found: Mapping[str, Table]) -> InputSpec:
    table = found.get(spec.name)
    # A bound without words was asked for, and one by runs is what torch takes.
    if table is None or kind_of(spec) != "integers" or spec.low < 0 or spec.bound in ("", RUN):
        return spec
    if table.rows <= (spec.high or 0):
        return spec
    return replace(spec, high=table.rows, bound=f"to suit {table.name} ({table.rows} rows)")
