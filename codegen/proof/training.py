"""A symbol takes steps of training in MXNet, without dropout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet
from codegen.proof.run import quiet

if TYPE_CHECKING:
    import mxnet as mx

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
# The ops that drop, and the attribute that says how much.
DROPS = {"Dropout": "p", "RNN": "p"}
FLOAT32, FLOAT64 = "0", "1"
# The ops that give float32 where nothing is said.
MAKE_FLOATS = {"_zeros", "_ones", "_arange", "one_hot", "Embedding", "argsort", "topk"}


@dataclass(frozen=True)
class Step:
    """One step of SGD on the mean square of the outputs, each value of which counts by a share of its own.

    The loss before it, the gradient of each trained argument (the first step's alone), and the auxiliary
    states after it.
    """

    loss: float
    gradients: Arrays
    states: Arrays


@in_mxnet
def steps(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, Any],
    aux_params: Mapping[str, Any],
    inputs: Arrays,
    trained: Sequence[str],
    count: int,
    rate: float,
    dtype: str = "float64",
) -> list[Step]:
    """Steps of SGD from the given weights, which are not changed. Raises MXNetError where MXNet does."""
    mx = import_mxnet()

    def own(array: Any) -> Any:
        return array.astype(dtype) if _is_float(array) else array.copy()

    symbol = in_training(symbol, dtype)
    names = set(symbol.list_arguments())
    arguments = {k: own(v) for k, v in arg_params.items() if k in names}
    arguments |= {k: own(mx.nd.array(v, dtype=v.dtype)) for k, v in inputs.items() if k in names}
    wanted = [k for k in trained if k in names]
    # The inputs' too: without, RNN of several layers gives garbage in float64 (1.9.1, measured).
    wanted += [k for k, v in inputs.items() if k in names and np.issubdtype(v.dtype, np.floating)]
    gradients = {k: mx.nd.zeros(arguments[k].shape, dtype=dtype) for k in wanted}
    states = {k: own(aux_params[k]) for k in symbol.list_auxiliary_states()}
    found: list[Step] = []
    with quiet():
        executor = symbol.bind(mx.cpu(), arguments, args_grad=gradients, aux_states=states)
        for _ in range(count):
            outputs = executor.forward(is_train=True)
            floats = [o for o in outputs if _is_float(o)]
            shares = [mx.nd.array(s, dtype=dtype) for s in loss_shares([o.shape for o in floats])]
            loss = sum(float((s * o * o).mean().asscalar()) for s, o in zip(shares, floats, strict=True))
            heads = iter([2 * s * o / o.size for s, o in zip(shares, floats, strict=True)])
            executor.backward([next(heads) if _is_float(o) else mx.nd.zeros_like(o) for o in outputs])
            own_gradients = {k: gradients[k].asnumpy() for k in wanted if k not in inputs}
            found.append(Step(loss, own_gradients, {k: s.asnumpy() for k, s in states.items()}))
            for name in set(wanted) - set(inputs):
                arguments[name] -= rate * gradients[name]
    return found


def loss_shares(shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """How much each value of each output counts in the loss.

    The mean square of what a norm gives is a constant: its gradients would be nothing but rounding.
    """
    made = np.random.default_rng(0)
    return [made.uniform(0.5, 1.5, shape) for shape in shapes]


def in_training(symbol: mx.sym.Symbol, dtype: str) -> mx.sym.Symbol:
    """The same ops in a dtype of floats, none of which drops anything."""
    mx = import_mxnet()

    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        attrs = node.setdefault("attrs", {})
        if node["op"] in DROPS:
            attrs[DROPS[node["op"]]] = "0"
        if attrs.get("dtype", "float32" if node["op"] in MAKE_FLOATS else "") == "float32":
            attrs["dtype"] = dtype
        if attrs.get("__dtype__") == FLOAT32 and dtype == "float64":
            attrs["__dtype__"] = FLOAT64
    return mx.sym.load_json(json.dumps(graph))


def _is_float(array: Any) -> bool:
    return bool(np.issubdtype(array.dtype, np.floating))
