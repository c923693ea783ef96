"""`fx2mx compare SPEC PREFIX`: what it does with its options, and with which status it ends."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen.problems import ConversionError, OverwriteError, RequestError, defect, in_a_line, listed
from tracer.command import INTERRUPTED, problem_of
from tracer.compare.files import contrast_of, epoch_of
from tracer.console import Console
from tracer.heads import checkpoint_words, net_words, seen_from
from tracer.loading import load_checkpoint, load_net
from tracer.options import PRINTED, WeightsChoice
from tracer.watching import told, watched
from tracer.without_sympy import without_sympy

if TYPE_CHECKING:
    from codegen.proof.port import Port
    from tracer.compare.matching import Pair
    from tracer.compare.reference import Net
    from tracer.compare.reporting import Ported
    from tracer.compare.work import Compared
    from tracer.load import LoadedModel

# What --tolerance is without it.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class CompareOptions:
    """The command line, parsed; and, in `typed`, as it was typed. A report to `-` is printed."""

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
    reports: tuple[Path, ...] = ()
    force: bool = False
    typed: str = ""

    @property
    def report_files(self) -> tuple[Path, ...]:
        """The files that the report goes to."""
        return tuple(path for path in dict.fromkeys(self.reports) if str(path) != PRINTED)

    @property
    def prints_report(self) -> bool:
        """Whether its summary is printed."""
        return Path(PRINTED) in self.reports


def run_compare(options: CompareOptions, console: Console) -> int:
    """Compare; the exit status."""
    os.environ.setdefault("PYTORCH_JIT", "0")
    try:
        with watched(console):
            return _run(options, console)
    except OverwriteError as error:
        text = (
            f"{error.path} {error.why}: give another name\nto overwrite it, type\n    {options.typed} --force"
        )
        console.found(problem_of(error, hint=f"{options.typed} --force"), text)
        return 1
    except RequestError as error:
        console.found(problem_of(error))
        return 2
    except ConversionError as error:
        _refused(error, console)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        what = f"{error.filename or '.'}: {error.strerror or error}"
        console.found(problem_of(RequestError(what, code="cannot-write")))
        return 2
    except Exception as error:  # noqa: BLE001 - the last net: a defect of ours is a message too
        from codegen.ir import Source

        _refused(ConversionError((defect("the comparison failed", error, Source()),)), console)
        return 1


def _refused(error: ConversionError, console: Console) -> None:
    console.outcome.problems += error.problems
    console.error(str(error))


def _run(options: CompareOptions, console: Console) -> int:
    from tracer.compare.inputs import matched_inputs
    from tracer.compare.text import inputs_text, port_text
    from tracer.compare.work import Asked, compare

    epoch = epoch_of(options.prefix, options.epoch)
    contrast = contrast_of(options.prefix, options.contrast)
    if options.report_files:
        from tracer.review.report import check_reports

        check_reports(options.report_files, options.force)
    loaded = _load(options, console)
    with without_sympy():
        net = _traced(options, loaded, console)
        port = _port(options.prefix, epoch)
        console.say(port_text(options.prefix, epoch, port))
        params_file = f"{options.prefix}-{epoch:04d}.params"
        inputs = matched_inputs(port, net.specs, params_file)
        console.say(inputs_text(inputs, [spec.name for spec in net.specs]))
        pairs = _matched(options, net, port, contrast, console)
        console.say("comparing with torch")
        asked = Asked(
            options.tolerance, options.softmax, options.weights is None, layers=bool(options.reports)
        )
        with told("the comparison with torch"):
            found = compare(net, port, pairs, inputs, asked)
    _tell(found, console)
    if options.reports:
        from tracer.compare.reporting import Ported

        files = [Path(f"{options.prefix}-symbol.json"), Path(params_file), *([contrast] if contrast else [])]
        weights = (options.weights,) if options.weights is not None else ()
        command = command_line(options, loaded.file)
        prefix = Path(options.prefix)
        ported = Ported(
            net, loaded.name, loaded.origin, port, prefix, command, tuple(files), weights, inputs, pairs
        )
        _report(options, ported, found, console)
    return 0 if found.ok else 1


def _tell(found: Compared, console: Console) -> None:
    """Say what was found."""
    from codegen.kinds.note import note
    from tracer.compare.text import agreement_of, agrees_text, differs_text, problems_of

    for said in found.notes:
        console.note(said)
    console.outcome.agreement = agreement_of(found)
    if found.ok:
        if any(output.double for output in found.outputs):
            console.outcome.notes.append(note("in-float64"))
        console.say(agrees_text(found))
        return
    first, *more = problems_of(found)
    console.found(first, differs_text(found))
    console.outcome.problems += more


def _report(options: CompareOptions, ported: Ported, found: Compared, console: Console) -> None:
    """Print the summary, write the files; where none is printed, the proposed table is alone on stdout."""
    from tracer.compare.reported_text import port_summary
    from tracer.compare.reported_text import port_text as text_of
    from tracer.compare.reporting import report_of
    from tracer.review.report import write_reports

    report = report_of(ported, found)
    console.outcome.port = report
    if options.prints_report:
        console.result(port_summary(report), nl=False)
    write_reports({path: text_of(path, report) for path in options.report_files})
    for path in options.report_files:
        console.outcome.written.append(path)
        console.say(f"wrote {path}")


def _load(options: CompareOptions, console: Console) -> LoadedModel:
    loaded = load_net(options.spec, options.kwargs, options.plugins, console)
    if options.weights is None:
        from codegen.kinds.note import note

        console.note(note("own-values", done="compared"))
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
        for said in notes:
            console.note(said)
    check_taps(model, options.taps)
    net = net_of(model, specs, loaded.name, options.taps)
    if net.graph is None:
        from codegen.kinds.note import note

        console.note(note("port-by-modules", why=net.why))
    return net


def _port(prefix: str, epoch: int) -> Port:
    from codegen.mxnet_process import mxnet_error
    from codegen.proof.port import last_line, load_port

    try:
        return load_port(os.path.abspath(prefix), epoch)
    except mxnet_error() as error:
        raise RequestError(
            f"{prefix}: mx.model.load_checkpoint cannot read it: {last_line(str(error))}",
            code="port-unreadable",
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise RequestError(
            f"{prefix}: mx.model.load_checkpoint cannot read it ({in_a_line(error)}): give what "
            "mx.model.save_checkpoint writes, with arg: and aux: before the names",
            code="port-unreadable",
        ) from None


def _matched(
    options: CompareOptions, net: Net, port: Port, contrast: Path | None, console: Console
) -> tuple[Pair, ...]:
    from codegen.kinds.note import note
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
        console.note(note("port-unread", names=listed(unread)))
    if contrast is not None:
        console.say(f"{contrast}: {len(rows)} parameters")
        return pairs
    console.say("there is no contrast table; this is proposed:")
    # Where the report is printed it has stdout for itself, and the table in it.
    (console.say if options.prints_report else console.tell)(table(pairs, state))
    return pairs


def command_line(options: CompareOptions, file: Path | None) -> str:
    """The command that compares again, from the folder of the port; `file` is that of the net."""
    return " ".join(["python -m tracer.compare", *map(shlex.quote, _words(options, file))])


def _words(options: CompareOptions, file: Path | None) -> Iterator[str]:
    prefix = Path(options.prefix)
    folder, name = prefix.parent, options.spec.rpartition(":")[2]
    yield options.spec if file is None else f"{seen_from(folder, file)}:{name}"
    yield prefix.name
    if options.epoch is not None:
        yield from ("--epoch", str(options.epoch))
    if options.contrast is not None:
        yield from ("--contrast", seen_from(folder, options.contrast))
    yield from net_words(options.kwargs, options.inputs, folder)
    if options.weights is not None:
        yield from checkpoint_words(options.weights, options.weights_choice)
    if options.taps:
        yield from ("--tap", ",".join(options.taps))
    if options.softmax:
        yield "--softmax"
    if options.tolerance != TOLERANCE:
        yield from ("--tolerance", f"{options.tolerance:g}")
    for plugin in options.plugins:
        yield from ("--plugin", seen_from(folder, plugin))
