"""What the command does with its options, and with which status it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen.problems import ConversionError, OverwriteError, Problem, RequestError, defect
from tracer.checking import agreed, are_fresh, report, trains_alike
from tracer.console import Console
from tracer.failing import nothing_but, report_difference, report_refusals, tells_failures
from tracer.hand_edits import check_unedited
from tracer.heads import command_line
from tracer.loading import load_checkpoint, load_net
from tracer.options import Options
from tracer.report import MOST_LINES, NOTHING, converted_text, diff_text, ops_text, overwrite_text
from tracer.watching import watched
from tracer.without_sympy import without_sympy

if TYPE_CHECKING:
    from codegen.proof.compare import Agreement
    from codegen.written import Origin
    from tracer.conversion import Conversion
    from tracer.load import LoadedModel

# As a shell says that SIGINT ended a command.
INTERRUPTED = 130


def run(options: Options, console: Console) -> int:
    """Do what was asked; the exit status."""
    # Functions of torch.jit.script cannot be traced through; torch reads this when it is imported.
    os.environ.setdefault("PYTORCH_JIT", "0")
    try:
        with watched(console):
            return _run(options, console)
    except ConversionError as error:
        _refused(error, console, full=options.dry_run)
        return 1
    except OverwriteError as error:
        problem = problem_of(error, hint=f"{options.typed} --force")
        console.found(problem, overwrite_text(error, options.typed))
        return 1
    except RequestError as error:
        console.found(problem_of(error))
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        what = f"{error.filename or '.'}: {error.strerror or error}; {NOTHING}"
        console.found(problem_of(RequestError(what, code="cannot-write")))
        return 2
    except Exception as error:  # noqa: BLE001 - the last net: a defect of ours is a message too
        from codegen.ir import Source

        _refused(ConversionError((defect("the command failed", error, Source()),)), console)
        return 1


def _refused(error: ConversionError, console: Console, written: str = NOTHING, *, full: bool = False) -> None:
    """Say what was refused, in full or in a few lines, and what was `written` all the same."""
    console.outcome.problems += error.problems
    console.error(f"{error.full if full else error}\n{written}")


def problem_of(error: RequestError, hint: str = "") -> Problem:
    """A wrong request as a problem; one of a file that would be lost is at that file."""
    from codegen.ir import Source

    where = Source(file=str(error.path)) if isinstance(error, OverwriteError) else error.where or Source()
    return Problem(error.code, str(error), where, hint)


def _run(options: Options, console: Console) -> int:
    from codegen.artifacts import check_name, check_writable
    from codegen.write.templates import templates_of

    check_name(options.out)
    if not (options.check or options.dry_run):
        check_writable(options.out)
    templates_of(options.templates)  # before the work: it raises where they are wrong
    loaded = _load(options, console)
    _check_not_source(options.out, loaded.model)
    with without_sympy():
        return _converted(options, loaded, console)


def _converted(options: Options, loaded: LoadedModel, console: Console) -> int:
    """The exit status of what is done with a net that is loaded."""
    if options.dry_run:
        return _dry_run(options, loaded, console)
    if options.reports:
        from tracer.review.report import check_reports

        check_reports(options.report_files, options.check or options.force)
    try:
        conversion = _convert(options, loaded, console)
    except ConversionError as error:
        if not tells_failures(options):
            raise
        _refused(error, console, nothing_but(options.report_files))
        report_refusals(options, loaded, error, console)
        return 1
    if options.check:
        return 0 if _is_fresh(options, loaded, conversion, console) else 1
    if not options.force:
        _check_unedited(options.out, conversion.code, console)
    agreement = _agreed(options, conversion, console) if options.verify else None
    if options.verify and agreement is None:
        if tells_failures(options):
            report_difference(options, loaded, conversion, console)
        return 1
    trained = trains_alike(conversion, console) if options.verify_training else None
    if options.verify_training and trained is None:
        return 1
    _write(options, conversion, console)
    if agreement is not None:
        report(options, loaded, _origin(options, loaded), conversion, agreement, trained, console)
    return 0


def _agreed(options: Options, conversion: Conversion, console: Console) -> Agreement | None:
    """The comparison with torch, None where they differ; op by op where a report is to tell of it."""
    fresh, layers = options.weights is None, bool(options.reports)
    written = nothing_but(options.report_files if tells_failures(options) else ())
    return agreed(conversion, options.tolerance, fresh, layers, console, written)


def _is_fresh(options: Options, loaded: LoadedModel, conversion: Conversion, console: Console) -> bool:
    """Whether the files on disk are what would be written; the report, for which both run, among them."""
    if not are_fresh(conversion, options.out, options.write_weights, options.diff, console):
        return False
    if not options.reports:
        return True
    agreement = _agreed(options, conversion, console)
    if agreement is None:
        return False
    trained = trains_alike(conversion, console) if options.verify_training else None
    if options.verify_training and trained is None:
        return False
    return report(options, loaded, _origin(options, loaded), conversion, agreement, trained, console)


def _origin(options: Options, loaded: LoadedModel) -> Origin:
    """What the head of the code names."""
    from codegen.written import Origin

    return Origin(loaded.origin, command_line(options, loaded.file))


def _check_not_source(out: Path, model: Any) -> None:
    """Raise RequestError where the generated file would take the place of the net's own."""
    modules = {sys.modules.get(type(m).__module__) for m in model.modules()}
    files = [Path(file) for m in modules if (file := getattr(m, "__file__", None))]
    if out.exists() and any(f.exists() and f.samefile(out) for f in files):
        raise RequestError(f"--out {out} is the file that defines the net: give another name", code="out")


def _check_unedited(out: Path, code: str, console: Console) -> None:
    """Raise OverwriteError where the file was edited by hand, after showing how."""
    try:
        check_unedited(out, code)
    except OverwriteError:
        console.result(diff_text(out, code, MOST_LINES), nl=False)
        raise


def _load(options: Options, console: Console) -> LoadedModel:
    loaded = load_net(options.spec, options.kwargs, options.plugins, console)
    # A check of the code alone goes without the checkpoint, which CI need not have.
    if options.weights is not None and (options.write_weights or not options.check):
        load_checkpoint(loaded, options.weights, options.weights_choice, console)
    elif options.write_weights:
        from codegen.kinds.note import note

        console.note(note("own-values", done="converted"))
    return loaded


def _convert(options: Options, loaded: LoadedModel, console: Console) -> Conversion:
    from codegen.mxnet_process import has_mxnet
    from tracer.conversion import convert, convert_specs
    from tracer.inputs import parse_inputs

    # Where no symbol is made mxnet is not imported, and need not be installed.
    wants_mxnet = options.write_weights or options.verify or has_mxnet()
    proved = not options.dry_run and wants_mxnet and (options.write_weights or not options.check)
    settings: dict[str, Any] = {
        "taps": options.taps,
        "softmax": options.softmax,
        "origin": _origin(options, loaded),
        "proved": proved,
        "templates": options.templates,
        "frozen_batch": options.batch == "frozen",
        "optimize": options.optimize,
        "trainable": options.trainable,
        "free_sizes": options.free is not None,
    }
    console.say(f"tracing {loaded.name}")
    if options.inputs:
        specs = parse_inputs(options.inputs, loaded.model)
        conversion = convert_specs(loaded.model, specs, loaded.name, **settings)
    else:
        settings |= {"search_seconds": options.search_seconds, "say": console.say}
        conversion = convert(loaded.model, None, loaded.name, **settings)
    console.outcome.conversion = conversion
    for said in conversion.notes:
        console.note(said)
    console.say(converted_text(loaded.name, conversion.program, conversion.graph))
    return conversion


def _dry_run(options: Options, loaded: LoadedModel, console: Console) -> int:
    conversion = _convert(options, loaded, console)
    console.result(ops_text(conversion.program))
    console.result("nothing was written (--dry-run)")
    return 0


def _write(options: Options, conversion: Conversion, console: Console) -> None:
    from codegen.artifacts import Paths
    from codegen.kinds.note import note

    conversion.save(options.out, weights=options.write_weights, force=options.force)
    files = conversion.files(options.out, options.write_weights)
    for path in files:
        console.wrote(path)
    paths = Paths(options.out)
    if paths.symbol not in files:
        console.note(note("no-symbol", file=paths.symbol))
    old = paths.params
    if not options.write_weights and old.exists():
        console.note(note("old-params", file=old))
