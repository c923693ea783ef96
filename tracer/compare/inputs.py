"""Which variable of the port is which input of forward, and which weights the port lacks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.problems import RequestError, listed
from codegen.proof.port import DTYPE, Array, Port, PortNode, fits, parsed
from tracer.inputs import InputSpec

# What the name of a weight ends with, by which MXNet's initializers know it too.
SUFFIXES = (
    "_weight",
    "_bias",
    "_gamma",
    "_beta",
    "_moving_mean",
    "_moving_var",
    "_running_mean",
    "_running_var",
    "_parameters",
)
# dtypes as MXNet numbers them.
DTYPES = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64")
MOST_ORDERS = 24


@dataclass(frozen=True)
class InputPair:
    """A variable of the port, and the argument of forward that it is; `how` it was found, in words."""

    variable: str
    name: str
    how: str


def matched_inputs(port: Port, specs: Sequence[InputSpec], params_file: str) -> tuple[InputPair, ...]:
    """The inputs of the port: by name, the others in their order, or in the first in which the shapes fit.

    Labels, which inference does not read, are none. RequestError where weights are missing, and where
    there are more variables than inputs.
    """
    free = [v.name for v in port.variables if v.name not in port.params]
    names = [spec.name for spec in specs]
    pairs = [InputPair(name, name, "by name") for name in free if name in names]
    rest = [name for name in free if name not in names and not name.endswith("label")]
    others = [name for name in names if name not in free]
    lacking = [name for name in rest if name.endswith(SUFFIXES)]
    if lacking:
        raise RequestError(_lacks(port, lacking, params_file), code="port-inputs")
    if len(rest) > len(others):
        extra = rest[len(others) :]
        raise RequestError(
            f"the symbol reads {listed(extra)}, for which {params_file} has no values and forward"
            f"({listed(names)}) no input",
            code="port-inputs",
        )
    return (*pairs, *_by_order(port, rest, others, {s.name: s.shape for s in specs}, pairs))


def _by_order(
    port: Port,
    variables: Sequence[str],
    names: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    known: Sequence[InputPair],
) -> list[InputPair]:
    by_name = {pair.variable: shapes[pair.name] for pair in known}
    orders = itertools.islice(itertools.permutations(names, len(variables)), MOST_ORDERS)
    for place, order in enumerate(orders):
        if fits(port, by_name | {v: shapes[n] for v, n in zip(variables, order, strict=True)}):
            how = "by shape" if place else "by order"
            return [InputPair(v, n, how) for v, n in zip(variables, order, strict=True)]
    return [InputPair(v, n, "by order") for v, n in zip(variables, names, strict=False)]


def _lacks(port: Port, names: Sequence[str], params_file: str) -> str:
    """What the file of weights lacks, which op reads it, and what usually makes MXNet ask for it."""
    index = {node.name: place for place, node in enumerate(port.nodes)}
    reader = port.nodes[port.readers()[index[names[0]]][0]]
    hint = "save it with the others, or give the op the Variable that is saved"
    if names[0].endswith("_bias"):
        hint = f"write no_bias=True in {reader.name} where torch's layer has none, or save it with the others"
    return f"{params_file} lacks {listed(names)}, which {reader.name} ({reader.op}) reads: {hint}"


def arrays(port: Port, pairs: Sequence[InputPair], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """torch's inputs under the port's names, in the dtypes that its variables declare, or in float32."""
    nodes = {node.name: node for node in port.variables}
    found = {}
    for pair in pairs:
        array = inputs[pair.name]
        found[pair.variable] = array.astype(_dtype(nodes[pair.variable])).reshape(array.shape or (1,))
    return found


def _dtype(node: PortNode) -> str:
    declared = parsed(node.attrs.get(DTYPE, "0"))
    return DTYPES[declared] if isinstance(declared, int) and 0 <= declared < len(DTYPES) else "float32"
