"""Whether two symbols are the same, node for node."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, ZEROS

if TYPE_CHECKING:
    import mxnet as mx


def same_symbol(one: mx.sym.Symbol, other: mx.sym.Symbol) -> bool:
    """Whether both have the same nodes in the same order: op, name, inputs and attributes.

    An attribute at MXNet's default is the same as one left out.
    """
    return canonical(one) == canonical(other)


def canonical(symbol: mx.sym.Symbol) -> list[Any]:
    """The nodes and heads of a symbol, without attributes at MXNet's default."""
    graph = json.loads(symbol.tojson())
    nodes = [(n["op"], n["name"], _attrs(n), [i[:2] for i in n["inputs"]]) for n in graph["nodes"]]
    return [nodes, [h[:2] for h in graph["heads"]]]


def _attrs(node: dict[str, Any]) -> dict[str, str]:
    spec = OPS.get(node["op"].removeprefix("_contrib_")) or OPS.get(
        "contrib." + node["op"].removeprefix("_contrib_")
    )
    attrs: dict[str, str] = node.get("attrs", {})
    if node["op"] == "null":
        # MXNet copies the attributes of the op onto the Variables that it makes.
        return {k: v for k, v in attrs.items() if k.startswith("__")}
    if spec is None:
        return attrs
    return {k: v for k, v in attrs.items() if not _is_default(v, spec.attrs.get(k))}


def _is_default(text: str, default: Any) -> bool:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text == str(default)
    if default is ONES or default is ZEROS:
        return isinstance(value, tuple) and all(v == (1 if default is ONES else 0) for v in value)
    return bool(value == default)
