"""Lowering: an IR graph becomes a Program of MXNet calls, one rule for each node.

Every node is tried: an op without a rule, an argument that a rule does not read and a case that MXNet
cannot express become Problems, and all of them are raised together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.naming import prefixed
from codegen.builder.rule import RuleEntry
from codegen.builder.value import Refused
from codegen.ir import Dim, Graph, Node
from codegen.problems import ConversionError, Problem
from codegen.program import Program
from codegen.refusals import RANDOM, way_out
from codegen.rules import rule_table

MAX_ELEMENTS = 2**31


def lower(
    graph: Graph, name: str, state_keys: Sequence[str], rules: Mapping[str, RuleEntry] | None = None
) -> Program:
    """Lower a graph. `state_keys` are all keys of the state dict, so that none goes missing unsaid.

    Raises ConversionError with every refusal.
    """
    rules = rule_table() if rules is None else rules
    graph = prefixed(graph)
    used = {str(n.kwargs["key"]) for n in graph.nodes if n.op == "param"}
    for slot in ("tied", "derived"):
        used |= {str(k) for n in graph.nodes if n.op == "param" for k in n.kwargs.get(slot, ())}
    builder = Builder(graph, [k for k in state_keys if k not in used])
    problems: list[Problem] = []
    poisoned: set[str] = set()
    for node in graph.nodes:
        if any(r.name in poisoned and "complex" in graph.type_of(r).dtype for r in node.refs()):
            poisoned.add(node.name)  # no rule reads complex numbers: what made them is the problem
            builder.poison(node)
            continue
        try:
            _lower_node(builder, node, rules)
        except Refused as refused:
            problems.append(Problem(refused.code, refused.what, node.source, refused.hint))
            poisoned.add(node.name)
            builder.poison(node)
    if problems:
        raise ConversionError(tuple(problems))
    try:
        return builder.program(name)
    except Refused as refused:
        problem = Problem(refused.code, refused.what, builder.node.source, refused.hint)
        raise ConversionError((problem,)) from None


def _lower_node(builder: Builder, node: Node, rules: Mapping[str, RuleEntry]) -> None:
    for kind in node.outputs:
        elements = int(
            np.prod(
                [
                    (
                        d.at(1)
                        if isinstance(d, Dim) and d.coef.denominator == 1
                        else 1 if isinstance(d, Dim) else d
                    )
                    for d in kind.shape
                ],
                dtype=object,
            )
        )
        if elements >= MAX_ELEMENTS:
            raise Refused(
                f"a tensor of {kind}: MXNet 1.9.1 from PyPI has fewer than 2^31 elements each",
                code="too-large",
            )
    if node.op in {"input", "param", "constant"}:
        builder.leaf(node)
        return
    entry = rules.get(node.op)
    if entry is None and node.op in RANDOM:
        raise Refused(
            f"{node.op}() draws random numbers in forward",
            "pass the random tensor in as an input of forward",
            "random",
        )
    if entry is None:
        raise Refused(
            f"{node.op}() has no rule",
            way_out(node.op),
            "no-rule",
        )
    builder.lower(node, entry)
