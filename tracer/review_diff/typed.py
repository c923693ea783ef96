"""Data of JSON becomes the dataclasses of the review; a field that these do not have is left out."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from tracer.review.model import Review

_PLAIN = {str: "a text", int: "a whole number"}


class OtherForm(Exception):
    """Data of another form; where, and what is wrong, in words."""


def typed_review(data: Any) -> Review:
    """The review that JSON holds, as `dataclasses.asdict` made it. OtherForm where it is none."""
    made: Review = _typed(Review, data, "review")
    return made


def _typed(hint: Any, data: Any, where: str) -> Any:
    if hint in _PLAIN:
        if type(data) is not hint:
            raise OtherForm(f"{where} is not {_PLAIN[hint]}")
        return data
    if is_dataclass(hint):
        return _object(hint, data, where)
    if get_origin(hint) is not tuple:
        raise TypeError(f"no reading of {hint}")
    if not isinstance(data, list):
        raise OtherForm(f"{where} is no list")
    inner = get_args(hint)
    if inner[-1] is ...:
        return tuple(_typed(inner[0], part, f"{where}[{i}]") for i, part in enumerate(data))
    if len(data) != len(inner):
        raise OtherForm(f"{where} has {len(data)} parts instead of {len(inner)}")
    pairs = zip(inner, data, strict=True)
    return tuple(_typed(one, part, f"{where}[{i}]") for i, (one, part) in enumerate(pairs))


def _object(cls: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise OtherForm(f"{where} is no object")
    hints = get_type_hints(cls)
    lacking = [field for field in fields(cls) if field.name not in data]
    # An earlier fx2mx wrote no field that has come since, which has a default.
    if missing := [field.name for field in lacking if field.default is MISSING]:
        raise OtherForm(f"{where} has no {missing[0]}")
    there = [field.name for field in fields(cls) if field.name in data]
    return cls(**{name: _typed(hints[name], data[name], f"{where}.{name}") for name in there})
