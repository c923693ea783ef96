"""Whether MXNet takes a step of training in float32, tried in a process of its own.

oneDNN takes part in float32 alone, and may end the process: SIGFPE in the gradient of a Concat of
convolutions whose channels are no multiple of its blocks (16 beside 8, mxnet 1.9.1, measured, by
Gluon too; without oneDNN the step is right).
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet, start_command
from codegen.proof.training import steps

if TYPE_CHECKING:
    import mxnet as mx

Arrays = Mapping[str, npt.NDArray[Any]]
REFUSED = 3


@in_mxnet
def fault_in_float32(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, Any],
    aux_params: Mapping[str, Any],
    inputs: Arrays,
    trained: Sequence[str],
) -> str:
    """What keeps MXNet from a step on these inputs; nothing where it takes one."""
    weights = [{k: v.asnumpy() for k, v in params.items()} for params in (arg_params, aux_params)]
    done = subprocess.run(
        start_command(sys.executable, __name__),
        input=pickle.dumps((symbol.tojson(), *weights, dict(inputs), list(trained))),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    if done.returncode == REFUSED:
        return done.stdout.decode()
    if done.returncode < 0:
        return f"the process ends ({signal.Signals(-done.returncode).name})"
    return f"the process ends with {done.returncode}: {done.stderr.decode()[-300:].strip()}"


def main() -> int:
    """Reads the symbol, the weights and the inputs that `fault_in_float32` sends."""
    mx = import_mxnet()

    graph, arg_params, aux_params, inputs, trained = pickle.load(sys.stdin.buffer)
    arg_params, aux_params = (
        {k: mx.nd.array(v, dtype=v.dtype) for k, v in params.items()} for params in (arg_params, aux_params)
    )
    symbol = mx.sym.load_json(graph)
    try:
        steps(symbol, arg_params, aux_params, inputs, trained, count=1, rate=0.0, dtype="float32")
    except (mx.MXNetError, TypeError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith("Traceback")]
        print(f"{type(error).__name__}: {told[-1] if told else ''}", end="")
        return REFUSED
    return 0
