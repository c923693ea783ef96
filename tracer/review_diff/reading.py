"""A report is read, whichever of its forms it has: Markdown, a page, or the document of `--format json`."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import tracer
from codegen.problems import RequestError
from tracer.formats.document import VERSION
from tracer.review.model import Review
from tracer.review.text import MARK
from tracer.review_diff.parsed import Cut, Unreadable, parsed
from tracer.review_diff.typed import OtherForm, typed_review

# Under this id a page has the review as JSON.
PAGE_ID = "review"
STDIN = "-"
# As the report of a net that failed begins, in Markdown and as a page, and that of a port.
_FAILED = re.compile(
    r"^(?:### |<title>).* (?:is not converted: \d+ refusals?|in MXNet differs from torch)(?:</title>)?$",
    re.MULTILINE,
)
_PORT = re.compile(
    r"^(?:### |<title>).* as ported in .* (?:agrees with|differs from) torch(?:</title>)?$", re.MULTILINE
)
_WRITER = re.compile(r"^- \*\*With\*\*: fx2mx ([^\s,]+)", re.MULTILINE)


def read_report(path: Path) -> Review:
    """The review of a report. RequestError where the file holds none."""
    text = _text(path)
    if text.lstrip().startswith("{"):
        return _from_document(path, _json(path, text))
    if text.lstrip().lower().startswith("<!doctype html>") and MARK in text:
        return _from_page(path, text)
    if MARK in text or "in MXNet agrees with torch" in text:
        return _from_markdown(path, text)
    raise _no_report(path)


def _no_report(path: Path) -> RequestError:
    return RequestError(
        f"{path} is no report of fx2mx: give a file that --report wrote, or what --format json prints with "
        "--report",
        code="not-a-report",
    )


def _check_converted(path: Path, text: str) -> None:
    """Raise RequestError where a report is not that of a net that was converted."""
    if _FAILED.search(text):
        raise _failed(path)
    if _PORT.search(text):
        raise RequestError(
            f"{path} tells of a port: only reports of nets that were converted have what can be compared",
            code="not-a-report",
        )


def _failed(path: Path) -> RequestError:
    return RequestError(
        f"{path} tells of a net that is refused or differs: only reports of nets that were converted have "
        "what can be compared",
        code="not-a-report",
    )


def _text(path: Path) -> str:
    """What a file holds, with the line ends that it was written with."""
    try:
        data = sys.stdin.buffer.read() if str(path) == STDIN else path.read_bytes()
    except OSError as error:
        raise RequestError(
            f"{path} cannot be read: {error.strerror}; give a report, as --report review.md writes it",
            code="not-a-report",
        ) from None
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise _no_report(path) from None


def _from_markdown(path: Path, text: str) -> Review:
    _check_converted(path, text)
    try:
        return parsed(text)
    except Cut as error:
        raise RequestError(
            f"{path} is not whole: {error}; give the file as --report wrote it", code="not-a-report"
        ) from None
    except Unreadable as error:
        writer = _WRITER.search(text)
        raise RequestError(
            f"{path}:{error.line}: {error}: {_written_by(writer[1] if writer else '')}; make the report anew",
            code="not-a-report",
        ) from None


def _written_by(version: str) -> str:
    """Who wrote a text that is not as this fx2mx writes it."""
    if version and version != tracer.__version__:
        return f"fx2mx {version} wrote it, and this is {tracer.__version__}"
    return "it was edited, or another fx2mx wrote it"


class _Data(HTMLParser):
    """What stands in a page's script of an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: str | None = None
        self._is_within = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and ("id", PAGE_ID) in attrs:
            self.found, self._is_within = "", True

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._is_within = False

    def handle_data(self, data: str) -> None:
        if self._is_within:
            self.found = (self.found or "") + data


def _from_page(path: Path, text: str) -> Review:
    found = _Data(text).found
    if found is None:
        _check_converted(path, text)
        raise RequestError(
            f"{path} is a page without the data of its review: an older fx2mx wrote it; make the report anew",
            code="not-a-report",
        )
    return _from_document(path, _json(path, found))


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RequestError(
            f"{path} is no whole JSON ({error}); give the file as fx2mx wrote it", code="not-a-report"
        ) from None


def _from_document(path: Path, data: Any) -> Review:
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is not int or "review" not in data:
        raise _no_report(path)
    if version > VERSION:
        raise RequestError(
            f"{path} has form {version}, and this fx2mx reads {VERSION}: fx2mx {data.get('fx2mx')} wrote it; "
            "install that one",
            code="not-a-report",
        )
    if data.get("failure") is not None:
        raise _failed(path)
    if data["review"] is None:
        raise RequestError(
            f"{path} has no review: --format json has one with --report, once the net was compared",
            code="not-a-report",
        )
    try:
        return typed_review(data["review"])
    except OtherForm as error:
        raise RequestError(
            f"{path}: {error}: it was edited, or another fx2mx wrote it; make the report anew",
            code="not-a-report",
        ) from None
