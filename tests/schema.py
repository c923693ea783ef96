"""`python -m tests.schema` writes docs/schema/report.schema.json from the classes of tracer/formats/document.py."""

from __future__ import annotations

import inspect
import json
import re
import types
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tests.session import ROOT
from tracer.formats.document import Document

PAGE = ROOT / "docs" / "schema" / "report.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema() -> dict[str, Any]:
    """The schema of the document that `--format json` prints."""
    parts: dict[str, Any] = {}
    whole = _object(Document, parts)
    return {"$schema": DIALECT, "title": "fx2mx --format json", **whole, "$defs": dict(sorted(parts.items()))}


def text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


def _object(cls: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """The schema of a dataclass; those that it holds go into `parts`."""
    hints, said = get_type_hints(cls), _attributes(cls)
    made = {
        f.name: _type(hints[f.name], parts) | ({"description": said[f.name]} if f.name in said else {})
        for f in fields(cls)
    }
    return {
        "type": "object",
        "description": inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        "properties": made,
        "required": list(made),
    }


def _type(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if is_dataclass(hint):
        # The report's classes may be called as some of the document's own.
        own = hint.__module__ == Document.__module__
        name = hint.__name__ if own else f"review.{hint.__name__}"
        if name not in parts:
            parts[name] = {}
            parts[name] = _object(hint, parts)
        return {"$ref": f"#/$defs/{name}"}
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type(one, parts) for one in inner]}
    if origin is tuple and inner[-1:] == (...,):
        return {"type": "array", "items": _type(inner[0], parts)}
    if origin is tuple:
        count = {"minItems": len(inner), "items": False}
        return {"type": "array", "prefixItems": [_type(one, parts) for one in inner], **count}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(inner[1], parts)}
    raise TypeError(f"no schema for {hint}")


def _attributes(cls: Any) -> dict[str, str]:
    """What the docstring says of each field."""
    _, _, part = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", part, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", " ", words) for name, words in found}


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
