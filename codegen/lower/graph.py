"""Lowering: an IR graph becomes a Program of MXNet calls, one rule for each node.

Every node is tried: an op without a rule, an argument that a rule does not read and a case that MXNet
cannot express become Problems, and all of them are raised together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.builder.builder import Builder
from codegen.builder.rule import RuleEntry
from codegen.builder.value import MX_DTYPES, Refused, Value
from codegen.defects import Defect
from codegen.draft import Draft, DraftOperand
from codegen.ir import Graph, Ref, Shape
from codegen.lower.node import lower_node, poison
from codegen.naming.names import named
from codegen.problems import ConversionError, Problem, defect
from codegen.program import Out, Program, compacted
from codegen.rules import rule_table


def lower(
    graph: Graph,
    name: str,
    state_keys: Sequence[str],
    rules: Mapping[str, RuleEntry] | None = None,
    trainable: bool = False,
) -> Program:
    """Lower a graph. `state_keys` are all keys of the state dict, so that none goes missing unsaid.

    With `trainable` in forms that train as torch does, where the usual ones do not.

    Raises ConversionError with every refusal.
    """
    b = Builder(graph, trainable)
    draft = drafted(b, rule_table() if rules is None else rules)
    used = _used_keys(graph)
    return compacted(named(draft, graph, name, [k for k in state_keys if k not in used], tuple(b.notes)))


def drafted(b: Builder, rules: Mapping[str, RuleEntry]) -> Draft:
    """The calls of a whole graph, without names. Raises ConversionError with every refusal."""
    problems: list[Problem] = []
    poisoned: set[str] = set()
    spans: list[tuple[int, int]] = []
    for node in b.graph.nodes:
        if any(r.name in poisoned and "complex" in b.graph.type_of(r).dtype for r in node.refs()):
            poisoned.add(node.name)  # no rule reads complex numbers: what made them is the problem
            poison(b, node)
            continue
        start = len(b.calls)
        try:
            lower_node(b, node, rules)
        except Refused as refused:
            problems.append(Problem(refused.code, refused.what, node.source, refused.hint))
            poisoned.add(node.name)
            poison(b, node)
        except Exception as error:  # noqa: BLE001 - a defect of a rule's, whatever it is
            problems.append(defect(f"lowering failed at {node.name} ({node.op})", error, node.source))
            poisoned.add(node.name)
            poison(b, node)
        if len(b.calls) > start:
            spans.append((start, len(b.calls)))
    if problems:
        raise ConversionError(tuple(problems))
    try:
        outputs = _outputs(b)
    except Refused as refused:
        problem = Problem(refused.code, refused.what, b.node.source, refused.hint)
        raise ConversionError((problem,)) from None
    values = tuple(
        (node, index, value.operand)
        for (node, index), value in b.values.items()
        if isinstance(value.operand, Out)
    )
    return Draft(tuple(b.calls), tuple(spans), tuple(b.leaves.variables), tuple(outputs), values)


def _used_keys(graph: Graph) -> set[str]:
    """The keys of the state dict that the graph reads, those of tied and of computed parameters too."""
    params = [node.kwargs for node in graph.nodes if node.op == "param"]
    lists = ((p["key"], *p.get("tied", ()), *p.get("derived", ())) for p in params)
    return {str(key) for keys in lists for key in keys}


def _outputs(b: Builder) -> list[tuple[DraftOperand, Shape]]:
    """What computes each output of the net, each by an op of its own."""
    outputs: list[tuple[DraftOperand, Shape]] = []
    for ref in b.graph.outputs:
        b.node = b.graph.by_name[ref.name]
        operand = _output(b, ref, {operand for operand, _ in outputs})
        outputs.append((operand, b.graph.type_of(ref).shape))
    return outputs


def _output(b: Builder, ref: Ref, taken: set[DraftOperand]) -> DraftOperand:
    """An output must be an op of its own: a Variable, or the same output twice, is copied."""
    value: Value = b.values[ref.name, ref.index]
    dtype = MX_DTYPES[b.graph.type_of(ref).dtype]
    if dtype != "bool":
        value = b.cast(value, dtype)
    if isinstance(value.operand, Out) and value.operand not in taken:
        return value.operand
    copied = b.op("identity", value, hint="output")
    if copied.operand is None:
        raise Defect("an op gives no value")
    return copied.operand
