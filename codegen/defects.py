"""What must hold within fx2mx, whatever the net: an error where it does not, under `python -O` too."""

from __future__ import annotations

from typing import TypeVar

_T = TypeVar("_T")


class Defect(AssertionError):
    """Something within fx2mx is not as it must be: no fault of the net."""


def demand(holds: object, what: str) -> None:
    """Raise Defect unless something holds."""
    if not holds:
        raise Defect(what)


def present(value: _T | None, what: str = "a value is missing") -> _T:
    """A value that is there. Raises Defect for None."""
    if value is None:
        raise Defect(what)
    return value


def of_kind(value: object, kind: type[_T], what: str = "") -> _T:
    """A value that is of a kind. Raises Defect for another."""
    if not isinstance(value, kind):
        raise Defect(what or f"{value} is no {kind.__name__}")
    return value
