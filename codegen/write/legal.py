"""What a written file is: what templates may rely on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass

from codegen.defects import Defect, demand, of_kind
from codegen.turn import Turn
from codegen.written import (
    Append,
    Assign,
    Blank,
    Call,
    Comment,
    Expression,
    File,
    Guard,
    Loop,
    Name,
    Read,
    Return,
    Statement,
    Value,
)


def check(file: File) -> File:
    """Raise Defect unless the file is legal; return it.

    Legal: a function is defined once, before it is called, and ends with its one Return; a variable is
    assigned before it is read, and what a part under a flag alone assigns is read in such parts alone. A part
    for one value of an argument may return.
    """
    functions: set[str] = set()
    for function in file.functions:
        demand(function.name not in functions, f"{function.name} is defined twice")
        known = _Known(function.name, functions, set(function.takes()), function.results)
        last = function.body[-1] if function.body else None
        last = of_kind(last, Return, f"{function.name} returns nothing")
        demand(len(last.values) == function.results, f"{function.name} returns {len(last.values)} values")
        for statement in function.body[:-1]:
            _check_statement(statement, known)
        _check_read(known, *last.values)
        functions.add(function.name)
    return file


@dataclass
class _Known:
    """What may be read at a place; in a part, variables of others too, as one flag may imply another."""

    function: str
    functions: set[str]
    variables: set[str]
    results: int
    in_parts: set[str] = field(default_factory=set)


def _check_statement(statement: Statement, known: _Known) -> None:
    """Check a statement, and add what it assigns to what is known."""
    if isinstance(statement, Return):
        raise Defect(f"{known.function} returns before its end")
    if isinstance(statement, Assign):
        _check_read(known, statement.value)
        known.variables.update(statement.targets)
    elif isinstance(statement, Append):
        _check_read(known, Read(statement.variable), statement.value)
    elif isinstance(statement, Loop):
        _check_loop(statement, known)
    elif isinstance(statement, Guard):
        _check_guard(statement, known)


def _check_block(body: Sequence[Statement], known: _Known) -> None:
    demand(any(not isinstance(s, Comment | Blank) for s in body), f"{known.function} has an empty block")
    _check_all(body, known)


def _check_all(body: Sequence[Statement], known: _Known) -> None:
    for statement in body:
        _check_statement(statement, known)


def _check_loop(loop: Loop, known: _Known) -> None:
    turns = str(loop.start + len(loop.rows)) if loop.targets else loop.stop.text
    demand(loop.stop.text == turns, f"a loop of {known.function} lacks rows")
    _check_read(known, *loop.rows, loop.stop)
    own = {loop.counter, *loop.targets} - known.variables
    known.variables |= own
    _check_block(loop.body, known)
    known.variables -= own


def _check_guard(guard: Guard, known: _Known) -> None:
    _check_read(known, Read(guard.flag))
    before = set(known.variables)
    known.variables |= known.in_parts
    last = guard.body[-1] if guard.body and guard.value is not None else None
    if isinstance(last, Return):
        demand(len(last.values) == known.results, f"{known.function} returns {len(last.values)} values")
        _check_all(guard.body[:-1], known)
        _check_read(known, *last.values)
        known.variables = before
        return
    _check_block(guard.body, known)
    known.in_parts |= known.variables - before
    known.variables = before


def _check_read(known: _Known, *values: Expression) -> None:
    for value in values:
        for name in _reads(value):
            demand(name in known.variables, f"{known.function} reads {name} before it is assigned")
        if isinstance(value, Call) and value.shared is not None:
            demand("params" in known.variables, f"{known.function} hands on no container")
        if isinstance(value, Call):
            demand(value.function in known.functions, f"{known.function} calls {value.function} too early")


def _reads(part: object) -> Iterator[str]:
    """The variables that a part of an expression reads, `name` and `i` of symbols' names among them."""
    if isinstance(part, Read):
        yield from [part.variable, *([part.item.name] if isinstance(part.item, Turn) else [])]
    elif isinstance(part, Value):
        yield from part.reads
    elif isinstance(part, Name):
        yield from [part.base] * part.relative
        yield from (own.name for own in part.parts if isinstance(own, Turn))
    elif isinstance(part, tuple):
        for inner in part:
            yield from _reads(inner)
    elif is_dataclass(part):
        for own in fields(part):
            yield from _reads(getattr(part, own.name))
