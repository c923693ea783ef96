"""Corrected defaults: where torch's value is written because MXNet would have taken another, and why."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import codegen.idioms
import codegen.rules
from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, ZEROS, OpSpec
from codegen.program import Call, Program
from codegen.write.literals import python_text
from tracer.review.model import DefaultRow
from tracer.review.words import ITSELF, few

# So many modules are named in a row.
MOST_MODULES = 3
_PARTS = re.compile(r"^(torch|MXNet|We write|Source): ", re.MULTILINE)
_CLAUSES = re.compile(r"; |(?<=\.) ")
_OP = re.compile(r"mx\.sym\.(\w+(?:\.\w+)*)")


def corrected_defaults(program: Program, lines: Mapping[str, tuple[int, ...]]) -> tuple[DefaultRow, ...]:
    """The attributes that are written otherwise than MXNet's default because torch has another, by op.

    `lines` are those of the generated code, by the call's name, that of the op itself first.
    """
    found: dict[tuple[str, str, str], list[Call]] = {}
    for call in program.calls:
        spec = OPS.get(call.op)
        for name, value in call.attrs if spec is not None else ():
            if spec is not None and _is_corrected(spec, name, value):
                found.setdefault((call.op, name, python_text(value)), []).append(call)
    whys = reasons() if found else {}
    return tuple(
        DefaultRow(
            op,
            name,
            value,
            _default(OPS[op], name),
            len(calls),
            _why(op, name, whys),
            tuple(sorted({lines[call.name][0] for call in calls if lines.get(call.name)})),
            few(tuple(dict.fromkeys(call.source.path or ITSELF for call in calls)), MOST_MODULES),
        )
        for (op, name, value), calls in sorted(found.items())
    )


def _is_corrected(spec: OpSpec, name: str, value: Any) -> bool:
    is_default = spec.is_default(name, value, spec.attrs.get(name))
    return name in spec.differing - spec.choices and not is_default


def _why(op: str, name: str, whys: Mapping[tuple[str, str], str]) -> str:
    if name in OPS[op].shared:
        return f"The net's own: where it says nothing, both frameworks have {_default(OPS[op], name)}."
    return f"MXNet: {whys[op, name]}" if (op, name) in whys else ""


def _default(spec: OpSpec, name: str) -> str:
    default = spec.attrs[name]
    words = {id(ONES): "1 for each axis", id(ZEROS): "0 for each axis"}
    return words.get(id(default)) or python_text(default)


def reasons() -> Mapping[tuple[str, str], str]:
    """Why an attribute is corrected, by op and attribute: what the function says of MXNet that does it.

    Of several functions that which tells of the most attributes of the op, and of the fewest other ops.
    """
    found: dict[tuple[str, str], tuple[tuple[int, int], str]] = {}
    for part in (dict(zip(p[1::2], p[2::2], strict=True)) for p in map(_PARTS.split, _docstrings())):
        said = " ".join(part.get("MXNet", "").split())
        words = set(re.findall(r"\w+", f"{said} {part.get('We write', '')}"))
        ops = [op for op in _OP.findall(part.get("Source", "").partition("\n\n")[0]) if op in OPS]
        for op in ops if said else ():
            named = OPS[op].differing & words
            rank = (len(named), -len(ops))
            for name in named:
                found[op, name] = max(found.get((op, name), (rank, said)), (rank, said), key=_rank)
    return {(op, name): _of(name, said) for (op, name), (_, said) in found.items()}


def _of(attribute: str, said: str) -> str:
    """The parts of a sentence that tell of an attribute; all of it where none does."""
    parts = [part for part in _CLAUSES.split(said) if re.search(rf"\b{attribute}\b", part)]
    return "; ".join(part.rstrip(".") for part in parts) + "." if parts else said


def _rank(pair: tuple[tuple[int, int], str]) -> tuple[int, int]:
    return pair[0]


def _docstrings() -> Iterator[str]:
    """Those of the functions of all rules and idioms."""
    for package in (codegen.rules, codegen.idioms):
        for info in pkgutil.iter_modules(package.__path__):
            yield from _own_docstrings(importlib.import_module(f"{package.__name__}.{info.name}"))


def _own_docstrings(module: ModuleType) -> Iterator[str]:
    for value in vars(module).values():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and value.__doc__:
            yield inspect.cleandoc(value.__doc__)
