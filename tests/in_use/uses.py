"""What a user of MXNet does with a converted net. Each use raises where the net cannot be put to it."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import mxnet as mx
import numpy as np
import numpy.typing as npt

from codegen.artifacts import Paths
from codegen.identifiers import identifier
from codegen.proof.run import numpy_inputs, quiet, run_symbol
from tests.in_use.training import imported
from tracer.conversion import Conversion, convert_specs
from tracer.inputs import make_inputs

Array = npt.NDArray[Any]
# As in the comparison with torch.
TOLERANCE = 1e-4


# The last set of ONNX's ops that the exporter of mxnet 1.9.1 writes.
OPSET = 13
# What a drawing or a summary shows nothing of.
WITHOUT_SHAPES = "without shapes"
# How many of the gradients that are apart are told.
MOST_APART = 2


class Unfit(Exception):
    """A tool does something with the net, but not what it should."""


class Unknown(Unfit):
    """A tool does not know an op of MXNet's."""


@dataclass(frozen=True)
class Subject:
    """A converted net, its files on disk, the symbol by its code, inputs and what it gives for them.

    `rounding` is how far MXNet is from that by itself, without the fusion of ops.
    """

    conversion: Conversion
    symbol: mx.sym.Symbol
    paths: Paths
    inputs: Mapping[str, Array]
    outputs: tuple[Array, ...]
    rounding: float

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: value.shape for name, value in self.inputs.items()}


def subject(conversion: Conversion, folder: Path) -> Subject:
    """A net with its files in a folder."""
    paths = Paths(folder / "model_mxnet.py")
    conversion.save(paths.code)
    # Imported, not run as text: from scratch, constants are read from the .params file beside the code.
    symbol = getattr(imported(paths.code), identifier(conversion.program.name))()
    arrays = numpy_inputs(conversion.program, make_inputs(conversion.inputs, conversion.graph.batch, 1))
    arguments = conversion.symbol.list_arguments()
    inputs = {name: arrays[name] for name in arguments if name in arrays}
    outputs = run_symbol(conversion.symbol, conversion.arg_params, conversion.aux_params, inputs)
    plain = run_symbol(symbol, conversion.arg_params, conversion.aux_params, inputs, fused=False)
    rounding = max(map(apart, plain, outputs), default=0.0)
    return Subject(conversion, symbol, paths, inputs, tuple(outputs), rounding)


def plotted(net: Subject) -> str:
    """mx.viz.plot_network, which reads the attributes of each op."""
    return _with_shapes(net, mx.viz.plot_network)


def summarised(net: Subject) -> str:
    """mx.viz.print_summary."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        answer = _with_shapes(net, mx.viz.print_summary)
    if "Total params:" not in printed.getvalue():
        raise Unfit("no count of the parameters")
    return answer


def _with_shapes(net: Subject, tool: Callable[..., object]) -> str:
    """With the shapes of the inputs, or without where MXNet 1.9.1 looks for those of its values in vain.

    plot_network knows no second output of topk, and print_summary takes the symbol's first Variable, that of a
    weight with one axis too, for its output.
    """
    try:
        tool(net.symbol, shape=net.shapes)
    except (IndexError, KeyError):
        tool(net.symbol)
        return WITHOUT_SHAPES
    return "yes"


def from_scratch(net: Subject) -> str:
    """Module.init_params(Xavier()): finite outputs where the weights give some, and the constants as they are."""
    module = mx.mod.Module(net.symbol, data_names=list(net.inputs), label_names=None, context=mx.cpu())
    described = [mx.io.DataDesc(name, value.shape, value.dtype) for name, value in net.inputs.items()]
    module.bind(described, for_training=False)
    mx.random.seed(1)
    module.init_params(mx.init.Xavier())
    made = module.get_params()[0]
    own = net.conversion.arg_params
    for variable in net.conversion.program.variables:
        is_kept = variable.kind == "arg" and not (variable.keys or variable.derived)
        if is_kept and not np.array_equal(made[variable.name].asnumpy(), own[variable.name].asnumpy()):
            raise Unfit(f"{variable.name} is not what it was")
    data = [mx.nd.array(value, dtype=value.dtype) for value in net.inputs.values()]
    module.forward(mx.io.DataBatch(data), is_train=False)
    for found, wanted in zip(module.get_outputs(), net.outputs, strict=True):
        if not np.isfinite(found.asnumpy()[np.isfinite(wanted)]).all():
            raise Unfit("an output is not finite")
    return "yes"


def in_gluon(net: Subject) -> str:
    """SymbolBlock(symbol, inputs).load_parameters: the difference from the symbol's own outputs."""
    block = mx.gluon.SymbolBlock(net.symbol, [mx.sym.Variable(name) for name in net.inputs])
    block.load_parameters(str(net.paths.params), cast_dtype=True, dtype_source="saved")
    found = block(*[mx.nd.array(value, dtype=value.dtype) for value in net.inputs.values()])
    found = found if isinstance(found, list | tuple) else [found]
    return _difference([f.asnumpy() for f in found], net)


def in_training(net: Subject) -> str:
    """--verify training of the forms of --trainable: the largest difference of the gradients."""
    made = convert_specs(net.conversion.model, net.conversion.inputs, trainable=True)
    agreement = made.verify_training()
    if agreement.why:
        raise Unfit(agreement.why)
    if not agreement.ok:
        left_out = [note for note in made.notes if "in training alone" in note]
        raise Unfit(", ".join([*left_out, *agreement.apart[:MOST_APART]]))
    return f"{max(agreement.gradients.values(), default=0.0):.0e}"


def in_onnx(net: Subject) -> str:
    """mx.onnx.export_model, run by onnxruntime: the difference from the symbol's own outputs."""
    import onnxruntime

    unknown = _unknown_to_exporter(net.symbol)
    if unknown:
        raise Unknown(", ".join(unknown))
    onnxruntime.set_default_logger_severity(4)
    path = net.paths.code.with_suffix(".onnx")
    parameters = {**net.conversion.arg_params, **net.conversion.aux_params}
    shapes = [value.shape for value in net.inputs.values()]
    types = [value.dtype for value in net.inputs.values()]
    with _opset(OPSET), quiet(), contextlib.redirect_stdout(io.StringIO()):
        mx.onnx.export_model(net.symbol, parameters, shapes, types, str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found = dict(
        zip([o.name for o in session.get_outputs()], session.run(None, dict(net.inputs)), strict=True)
    )
    names = [_name_in_onnx(name) for name in net.symbol.list_outputs()]
    missing = [name for name in names if name not in found]
    if missing:
        raise Unfit(f"no output {', '.join(missing)}")
    return _difference([found[name] for name in names], net)


@contextlib.contextmanager
def _opset(version: int) -> Iterator[None]:
    """The exporter writes for the newest ops that onnx knows, which are newer than its own from onnx 1.9 on."""
    import onnx.checker
    import onnx.defs

    context = onnx.checker.DEFAULT_CONTEXT
    newest = context.opset_imports
    context.opset_imports = {"": version}
    with mock.patch.object(onnx.defs, "onnx_opset_version", return_value=version):
        yield
    context.opset_imports = newest


def _unknown_to_exporter(symbol: mx.sym.Symbol) -> list[str]:
    """The ops of a symbol for which the exporter has nothing."""
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    known = {op for version, ops in MXNetGraph.registry_.items() if version <= OPSET for op in ops}
    return sorted({node["op"] for node in json.loads(symbol.tojson())["nodes"]} - known)


def _name_in_onnx(name: str) -> str:
    """What the exporter calls an output of a symbol."""
    for ending, its in (("_statecell_output", "2"), ("_state_output", "1")):
        if name.endswith(ending):
            return name.removesuffix(ending) + its
    return re.sub(r"_output(\d?)$", r"\1", name)


def _difference(found: list[Array], net: Subject) -> str:
    """The largest difference relative to the largest value. Raises Unfit above the tolerance.

    That is 1e-4, or twice what MXNet rounds by itself where that is more.
    """
    largest = max((apart(f, w) for f, w in zip(found, net.outputs, strict=True)), default=0.0)
    if not largest <= max(TOLERANCE, 2 * net.rounding):
        raise Unfit(f"the outputs differ by {largest:.1e}")
    return f"{largest:.0e}"


def apart(found: Array, wanted: Array) -> float:
    """The largest difference of an output, relative to its largest finite value."""
    if found.shape != wanted.shape:
        return float("inf")
    is_finite = np.isfinite(wanted)
    if not np.array_equal(found[~is_finite], wanted[~is_finite], equal_nan=True):
        return float("inf")
    if not is_finite.any():
        return 0.0
    found, wanted = found[is_finite].astype(np.float64), wanted[is_finite].astype(np.float64)
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-30))


# By the name of the column; the first line of what each raises is told.
USES: dict[str, Callable[[Subject], str]] = {
    "plot_network": plotted,
    "print_summary": summarised,
    "xavier": from_scratch,
    "symbol_block": in_gluon,
    "onnx": in_onnx,
    "training": in_training,
}
