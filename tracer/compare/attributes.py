"""Attributes of the port's ops: what they are with MXNet's defaults, and what fx2mx would write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, REQUIRED, ZEROS, OpSpec
from codegen.program import Call, Program
from codegen.proof.port import VARIABLE, Array, PortNode, parsed
from codegen.write.literals import python_text
from tracer.compare.changes import Change
from tracer.compare.layers import is_like, plain

# What acts in training alone, or in no comparison.
IN_TRAINING = frozenset(["momentum", "p"])
_SPECS = {plain(name): spec for name, spec in OPS.items()}
# Python's operators on a symbol and a number, as the JSON has them.
SCALAR_OPS = {
    "x + c": "_plus_scalar",
    "x - c": "_minus_scalar",
    "c - x": "_rminus_scalar",
    "x * c": "_mul_scalar",
    "x / c": "_div_scalar",
    "c / x": "_rdiv_scalar",
    "x ** c": "_power_scalar",
}


def spec_of_node(node: PortNode) -> OpSpec | None:
    """What is known of an op's attributes."""
    return _SPECS.get(plain(node.op))


def momentum_kept(node: PortNode) -> float:
    """The share of the moving statistics that a BatchNorm keeps."""
    return float(parsed(node.attrs.get("momentum", "0.9")))


def right_call(node: PortNode, of: str, program: Program | None) -> Call | None:
    """The call that fx2mx writes for this call of torch, where it is the same op."""
    calls = program.calls if program is not None else ()
    return next((c for c in calls if c.node == of and plain(c.op) == plain(node.op)), None)


def differing(index: int, node: PortNode, call: Call) -> Iterator[Change]:
    """A change for each attribute in which the port's op is not what fx2mx writes."""
    spec = OPS.get(call.op)
    if spec is None:
        return
    right = dict(call.attrs)
    for name, default in spec.attrs.items():
        wanted = right.get(name, default)
        if (
            wanted is REQUIRED
            or name in IN_TRAINING
            or name == "no_bias"
            or _is_same(node, name, wanted, default)
        ):
            continue
        yield setting(index, node, name, _plain_value(wanted, right))


def without_bias(index: int, node: PortNode, call: Call, bias: Mapping[str, Array]) -> Iterator[Change]:
    """A bias that one of both layers has and the other has not; `bias` is torch's, by key."""
    right, own = bool(dict(call.attrs).get("no_bias", OPS[call.op].attrs["no_bias"])), len(node.inputs) == 2
    if right and not own:
        said = f"write no_bias=True in {node.name}: torch's layer has none"
        yield Change(index, "no_bias", said, {"no_bias": "True"}, inputs=node.inputs[:2])
    if own and not right:
        for key, values in bias.items():
            name = f"{node.name}_bias"
            said = f"write no_bias=False in {node.name}, and save {key} as {name}"
            variable = PortNode(name, VARIABLE, {}, ())
            attrs, params = {"no_bias": "False"}, {name: values}
            yield Change(index, "no_bias", said, attrs, params, before=variable, place=2)


def setting(index: int, node: PortNode, name: str, value: Any) -> Change:
    """One attribute set to a value, and what is said of it."""
    said = f"write {name}={value_text(value)} where the port has {had(node, name)}"
    return Change(index, name, said, {name: str(value)})


def value_text(value: Any) -> str:
    """A value as one writes it."""
    return f'"{value}"' if isinstance(value, str) else python_text(value)


def had(node: PortNode, name: str) -> str:
    """What the port has for an attribute."""
    if name in node.attrs:
        return value_text(parsed(node.attrs[name]))
    spec = spec_of_node(node)
    default = spec.attrs.get(name) if spec is not None else None
    if default is None or default is REQUIRED:
        return "none"
    words = {id(ONES): "1 for each axis", id(ZEROS): "0 for each axis"}
    return f"MXNet's default, {words.get(id(default)) or value_text(default)}"


def _is_same(node: PortNode, name: str, wanted: Any, default: Any) -> bool:
    """Whether the port's attribute is this value, be it written or left out."""
    if name not in node.attrs:
        return wanted is default or OpSpec.is_default(name, wanted, default)
    own = parsed(node.attrs[name])
    if wanted is ONES or wanted is ZEROS or wanted is None or wanted == ():
        return own is None or own == () or OpSpec.is_default(name, own, wanted)
    return same_value(own, wanted)


def same_value(own: Any, wanted: Any) -> bool:
    """Whether two values of an attribute are one: MXNet reads 1 as True, and (2,) as 2."""
    if isinstance(own, tuple) and not isinstance(wanted, tuple):
        return bool(own == (wanted,))
    if isinstance(own, float) or isinstance(wanted, float):
        try:
            return abs(float(own) - float(wanted)) <= 1e-6 * abs(float(wanted))
        except (TypeError, ValueError):
            return False
    return bool(own == wanted)


def _plain_value(value: Any, attrs: Mapping[str, Any]) -> Any:
    """A default that stands for one number on each axis, as a tuple."""
    if value is ONES or value is ZEROS:
        return (int(value is ONES),) * len(attrs.get("kernel", (0, 0)))
    return value


def other_op(index: int, node: PortNode, of: str, program: Program | None) -> Iterator[Change]:
    """The op that fx2mx writes for this call of torch, where it is one other of the same kind."""
    calls = [c for c in (program.calls if program is not None else ()) if c.node == of]
    if len(calls) != 1 or plain(calls[0].op) == plain(node.op) or not is_like(calls[0].op, node.op):
        return
    call = calls[0]
    if len(call.inputs) != 1 or call.op in SCALAR_OPS:
        return
    name = call.op.replace("contrib.", "_contrib_").replace("linalg.", "_linalg_")
    shown = ", ".join(f"{k}={value_text(v)}" for k, v in call.attrs)
    said = f"write mx.sym.{call.op}({shown}) where the port has {node.op}"
    attrs = {k: str(v) for k, v in call.attrs}
    yield Change(index, call.op, said, attrs, op=name, inputs=node.inputs[:1])
