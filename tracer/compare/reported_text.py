"""The report of a port as text, by the templates in templates/review/port/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from codegen.problems import counted, listed
from codegen.write.templates import OURS
from tracer.compare.reported import PortCause, PortReport
from tracer.review.environment import environment
from tracer.review.failed_text import excerpt, highlighted, modules, modules_html
from tracer.review.plot import Plot, plot_of
from tracer.review.report import PAGE
from tracer.review.text import MARK, cell, code_span, number_text

FOLDER = "review/port"
MOST_TRIED = 12
# What ops do, one and several.
TOLD = {
    "agrees": ("agrees", "agree"),
    "parts": ("parts", "part"),
    "not known": ("is not known", "are not known"),
    "cannot be run": ("cannot be run", "cannot be run"),
}


def port_text(path: Path, report: PortReport) -> str:
    """The report in the form that its name asks for."""
    return port_page(report) if path.suffix == PAGE else port_markdown(report)


def port_summary(report: PortReport) -> str:
    """What `--report -` prints."""
    return _rendered("summary", report)


def port_markdown(report: PortReport) -> str:
    """All of it, for a ticket or a pull request."""
    return _rendered("whole", report)


def port_page(report: PortReport) -> str:
    """All of it as a page for a browser."""
    style = (OURS / "review/page/page.css").read_text(encoding="utf-8")
    filters: dict[str, Callable[..., Any]] = {
        "highlighted": highlighted,
        "modules": modules_html,
        "number": number_text,
        "parting": parting,
    }
    page = environment(autoescape=True, **filters).get_template(f"{FOLDER}/page.jinja")
    told = _told(report) | {"mark": Markup(MARK), "style": Markup(style), "plot": plot(report)}
    return page.render(it=report, **told)


def title(report: PortReport) -> str:
    """The first line: whether the port is right."""
    what = "agrees with torch" if report.verdict == "agrees" else "differs from torch"
    return f"{report.net} as ported in {report.port} {what}"


def parting(cause: PortCause) -> str:
    """How a layer parts, and where that is seen."""
    off = f"parts by {cause.difference}" if cause.difference else cause.why
    return off if cause.end == cause.name else f"{off}, as seen at {cause.end}"


def remedy(cause: PortCause) -> str:
    """What makes it agree, in a line."""
    if cause.mending:
        return "; ".join(f"{change.subject}: {change.said}" for change in cause.mending)
    tried = f"; tried: {listed(cause.tried, MOST_TRIED)}" if cause.tried else ""
    return cause.hint or f"not found{tried}"


def closing(report: PortReport) -> str:
    """What becomes of the port once the causes are mended; empty where there is nothing to say."""
    count = sum(len(cause.mending) for cause in report.causes) + len(report.foreign)
    once = f"Once {'these are' if count > 1 else 'that is'} mended the port"
    if report.is_mended:
        return f"{once} agrees with torch: largest difference {report.after}"
    if report.after:
        return f"{once} still differs from torch, by {report.after}"
    if report.is_rounding:
        return (
            "No layer alone parts by as much: float32 rounds, and the net makes it grow. Compare on other "
            "inputs, or with a larger --tolerance"
        )
    return ""


def tally(report: PortReport) -> str:
    """How many ops agree, and how many do not."""
    counts: Counter[str] = Counter(layer.verdict for layer in report.layers)
    found = [f"{counts[v]} {TOLD[v][counts[v] > 1]}" for v in TOLD if counts[v]]
    return f"of {counted(len(report.layers), 'op')} {', '.join(found)}"


def plot(report: PortReport) -> Plot | None:
    """The differences of the ops of which one is known; None where there is none."""
    found = [(n, layer.difference) for n, layer in enumerate(report.layers) if layer.difference]
    return plot_of(found, len(report.layers), float(report.tolerance)) if found else None


def _told(report: PortReport) -> dict[str, Any]:
    """What every form of it says."""
    return {
        "title": title(report),
        "closing": closing(report),
        "tally": tally(report),
        "remedy": remedy,
    }


def _rendered(name: str, report: PortReport) -> str:
    filters: dict[str, Callable[..., Any]] = {
        "code": code_span,
        "cell": cell,
        "excerpt": excerpt,
        "modules": modules,
        "number": number_text,
        "parting": parting,
    }
    template = environment(autoescape=False, **filters).get_template(f"{FOLDER}/{name}.jinja")
    return template.render(it=report, mark=MARK, **_told(report))
