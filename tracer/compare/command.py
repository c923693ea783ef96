"""`fx2mx compare SPEC PREFIX`: what it does with its options, and with which status it ends."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen.problems import ConversionError, RequestError, defect, in_a_line, listed, with_code
from tracer.command import COLLECT_AFTER, INTERRUPTED
from tracer.compare.files import contrast_of, epoch_of
from tracer.console import Console
from tracer.loading import load_checkpoint, load_net
from tracer.options import WeightsChoice
from tracer.watching import told, watched
from tracer.without_sympy import without_sympy

if TYPE_CHECKING:
    from codegen.proof.port import Port
    from tracer.compare.matching import Pair
    from tracer.compare.reference import Net
    from tracer.load import LoadedModel


@dataclass(frozen=True)
class CompareOptions:
    """The command line, parsed."""

    spec: str
    prefix: str
    epoch: int | None
    contrast: Path | None
    kwargs: Mapping[str, Any]
    inputs: tuple[str, ...]
    weights: Path | None
    weights_choice: WeightsChoice
    tolerance: float
    softmax: bool
    search_seconds: float
    taps: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()


def run_compare(options: CompareOptions, console: Console) -> int:
    """Compare; the exit status."""
    os.environ.setdefault("PYTORCH_JIT", "0")
    gc.set_threshold(COLLECT_AFTER)
    try:
        with watched(console):
            return _run(options, console)
    except RequestError as error:
        console.error(with_code(str(error), error.code))
        return 2
    except ConversionError as error:
        console.error(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last net: a defect of ours is a message too
        from codegen.ir import Source

        console.error(str(ConversionError((defect("the comparison failed", error, Source()),))))
        return 1


def _run(options: CompareOptions, console: Console) -> int:
    from tracer.compare.inputs import matched_inputs
    from tracer.compare.text import agrees_text, differs_text, inputs_text, port_text
    from tracer.compare.work import Asked, compare

    epoch = epoch_of(options.prefix, options.epoch)
    contrast = contrast_of(options.prefix, options.contrast)
    loaded = _load(options, console)
    with without_sympy():
        net = _traced(options, loaded, console)
        port = _port(options.prefix, epoch)
        console.say(port_text(options.prefix, epoch, port))
        params_file = f"{options.prefix}-{epoch:04d}.params"
        inputs = matched_inputs(port, net.specs, params_file)
        console.say(inputs_text(inputs, [spec.name for spec in net.specs]))
        pairs = _matched(net, port, contrast, console)
        console.say("comparing with torch")
        asked = Asked(options.tolerance, options.softmax, options.weights is None)
        with told("the comparison with torch"):
            found = compare(net, port, pairs, inputs, asked)
    for note in found.notes:
        console.say(f"note: {note}")
    if found.ok:
        console.say(agrees_text(found))
        return 0
    console.error(differs_text(found))
    return 1


def _load(options: CompareOptions, console: Console) -> LoadedModel:
    loaded = load_net(options.spec, options.kwargs, options.plugins, console)
    if options.weights is None:
        console.say("no --weights: the module's own values are compared (built under seed 0)")
    else:
        load_checkpoint(loaded, options.weights, options.weights_choice, console)
    return loaded


def _traced(options: CompareOptions, loaded: LoadedModel, console: Console) -> Net:
    from tracer.compare.reference import net_of
    from tracer.conversion import with_inputs
    from tracer.inputs import parse_inputs
    from tracer.trace import check_taps
    from tracer.wrappers import unwrapped

    console.say(f"tracing {loaded.name}")
    model = unwrapped(loaded.model)
    if options.inputs:
        specs = parse_inputs(options.inputs, model)
    else:
        model, specs, notes = with_inputs(model, None, options.search_seconds, console.say)
        for note in notes:
            console.say(note)
    check_taps(model, options.taps)
    net = net_of(model, specs, loaded.name, options.taps)
    if net.graph is None:
        console.say(f"note: the outputs alone are compared, since the net cannot be followed: {net.why}")
    return net


def _port(prefix: str, epoch: int) -> Port:
    from codegen.mxnet_process import mxnet_error
    from codegen.proof.port import last_line, load_port

    try:
        return load_port(os.path.abspath(prefix), epoch)
    except mxnet_error() as error:
        raise RequestError(
            f"{prefix}: mx.model.load_checkpoint cannot read it: {last_line(str(error))}"
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        what = "give what mx.model.save_checkpoint writes, with arg: and aux: before the names"
        raise RequestError(
            f"{prefix}: mx.model.load_checkpoint cannot read it ({in_a_line(error)}): {what}"
        ) from None


def _matched(net: Net, port: Port, contrast: Path | None, console: Console) -> tuple[Pair, ...]:
    from tracer.compare.matching import constants_of, entries_of, matched
    from tracer.compare.reference import state_of
    from tracer.compare.tables import read_table, table

    state = state_of(net.model)
    names = [variable.name for variable in port.variables]
    rows = read_table(contrast, names, state) if contrast is not None else ()
    entries, constants = entries_of(net.program, net.graph, state), constants_of(net.program)
    pairs = matched(port, entries, constants, rows, state)
    unread = [name for name in port.params if name not in names]
    if unread:
        console.say(f"note: the symbol reads no {listed(unread)}, which the weights have")
    if contrast is not None:
        console.say(f"{contrast}: {len(rows)} parameters")
        return pairs
    console.say("there is no contrast table; this is proposed:")
    console.tell(table(pairs, state))
    return pairs
