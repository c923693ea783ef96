"""Which function tells why an op is written so: by its docstring, which says what we write, and for what."""

from __future__ import annotations

from types import FrameType

_PART = "We write: "
_OWN = f"{__name__.rpartition('.')[0]}."


def told_by(frame: FrameType | None) -> str:
    """The innermost running function that tells it, `codegen.idioms.attention:seen_rows`; '' for none.

    What a rule writes with, the builder, tells of itself, not of what the rule means; and what calls the
    rules tells nothing.
    """
    while frame is not None:
        code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
        if module.startswith("codegen.lower."):
            return ""
        docstring = code.co_consts[0] if code.co_consts else None
        if isinstance(docstring, str) and _PART in docstring and not module.startswith(_OWN):
            return f"{module}:{code.co_name}"
        frame = frame.f_back
    return ""
