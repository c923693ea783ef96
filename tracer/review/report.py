"""`--report`: where the review goes, and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from codegen.artifacts import Paths, write_all
from codegen.problems import OverwriteError, RequestError
from codegen.proof.compare import Agreement
from codegen.written import Origin
from tracer.conversion import Conversion
from tracer.load import LoadedModel
from tracer.options import Options
from tracer.review.failed_text import failed_markdown, failed_page
from tracer.review.failure import Failure
from tracer.review.html import page_html
from tracer.review.made import review_of
from tracer.review.model import Review
from tracer.review.page import page_of
from tracer.review.text import MARK, markdown
from tracer.review.training import training
from tracer.training_parity import TrainingAgreement

TEXT, PAGE = ".md", ".html"


def check_reports(paths: Sequence[Path], force: bool) -> None:
    """Raise RequestError where no review can be written, OverwriteError where another file stands."""
    for path in paths:
        _check_report(path, force)


def _check_report(path: Path, force: bool) -> None:
    if path.suffix not in {TEXT, PAGE}:
        ends = f"{TEXT} or {PAGE}"
        raise RequestError(
            f"--report {path}: give a name that ends in {ends}, or - for the summary alone",
            code="report-file",
        )
    if path.is_dir():
        raise RequestError(
            f"--report {path} is a folder; name a file in it: {path / 'review.md'}", code="report-file"
        )
    if not path.parent.is_dir():
        raise RequestError(
            f"--report {path}: there is no folder {path.parent}; make it first", code="report-file"
        )
    text = path.read_bytes() if path.exists() else b""
    if text.strip() and MARK.encode() not in text and not force:
        raise OverwriteError(path, "was not written by fx2mx", is_edited=False)


def made_report(
    options: Options, loaded: LoadedModel, origin: Origin, conversion: Conversion, agreement: Agreement
) -> Review:
    """The review of what was written; the checkpoint and what was written are told by their sha256."""
    paths = Paths(options.out)
    written = [paths.code, paths.symbol, *([paths.params] if options.write_weights else [])]
    files = [path for path in (options.weights, *written) if path is not None and path.is_file()]
    is_fresh = options.weights is None
    folder = options.out.parent
    return review_of(
        conversion, agreement, origin, folder, files, is_fresh, loaded.file, options.verify_training
    )


def report_text(
    options: Options,
    path: Path,
    review: Review,
    conversion: Conversion,
    agreement: Agreement,
    trained: TrainingAgreement | None,
) -> str:
    """The report in the form that its name asks for: Markdown, or a page."""
    if path.suffix == TEXT:
        return markdown(review, training(trained) if trained is not None else None)
    return page_html(page_of(review, conversion, agreement, trained, options.out))


def failure_text(path: Path, failure: Failure) -> str:
    """The report of a net that is refused or differs, in the form that its name asks for."""
    return failed_page(failure) if path.suffix == PAGE else failed_markdown(failure)


def write_reports(texts: Mapping[Path, str]) -> None:
    """Write all of them, or none. RequestError where the disk refuses."""
    write_all(texts)
