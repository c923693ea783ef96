"""What the command leaves to read of a net that is refused, or differs: what `--report` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.problems import ConversionError
from tracer.console import Console
from tracer.options import Options
from tracer.report import NOTHING

if TYPE_CHECKING:
    from tracer.conversion import Conversion
    from tracer.inputs import InputSpec
    from tracer.load import LoadedModel
    from tracer.review.failure import Failure


def tells_failures(options: Options) -> bool:
    """Whether a report is written of what fails; `--check` writes nothing."""
    return bool(options.reports) and not options.check


def nothing_but(reports: Sequence[Path]) -> str:
    """What is written where the net fails: nothing, or the reports alone."""
    return f"{NOTHING} but {' and '.join(map(str, reports))}" if reports else NOTHING


def report_refusals(options: Options, loaded: LoadedModel, error: ConversionError, console: Console) -> None:
    """Write the report of a net that cannot be converted exactly."""
    from tracer.review.failed import Failing, failure_of_refusals

    console.say("looking for what converts")
    failing = Failing(options, loaded, _inputs(options, loaded))
    _report(options, failure_of_refusals(failing, error), console)


def report_difference(
    options: Options, loaded: LoadedModel, conversion: Conversion, console: Console
) -> None:
    """Write the report of a net whose outputs are not torch's: `console.outcome` has how far they are."""
    from tracer.review.failed import Failing, failure_of_difference

    agreement = console.outcome.agreement
    if agreement is None:
        return
    console.say("looking for the smallest module that differs")
    failing = Failing(options, loaded, conversion.inputs)
    _report(options, failure_of_difference(failing, conversion, agreement), console)


def _inputs(options: Options, loaded: LoadedModel) -> tuple[InputSpec, ...]:
    """The inputs of a net that was refused; none where they are not found."""
    from codegen.problems import RequestError
    from tracer.conversion import with_inputs
    from tracer.inputs import parse_inputs
    from tracer.wrappers import unwrapped

    try:
        if options.inputs:
            return parse_inputs(options.inputs, loaded.model)
        return with_inputs(unwrapped(loaded.model), None, options.search_seconds, None)[1]
    except (ConversionError, RequestError):
        return ()


def _report(options: Options, failure: Failure, console: Console) -> None:
    from tracer.review.failed_text import failed_summary
    from tracer.review.report import failure_text, write_reports

    console.outcome.failure = failure
    if options.prints_report:
        console.result(failed_summary(failure), nl=False)
    write_reports({path: failure_text(path, failure) for path in options.report_files})
    for path in options.report_files:
        console.wrote(path)
