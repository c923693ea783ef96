"""The text of the generated code: folded into functions and loops, and held against the flat program."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from torch import nn

from codegen.artifacts import load_symbol
from codegen.fold.fold import fold, unfolded
from codegen.identifiers import RESERVED, identifier
from codegen.problems import RequestError, in_a_line
from codegen.program import Program
from codegen.proof.same_symbol import same_symbol
from codegen.write.file import written_file
from codegen.write.render import render
from codegen.write.templates import Templates, templates_of
from codegen.written import File, Origin

# The lines of the net's own function from which its stages become functions.
LONGEST = 150


def made_code(
    program: Program,
    origin: Origin,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    look: Templates,
    proved: bool,
) -> tuple[str, str]:
    """The code, folded where that gives the very symbol of the flat program, and else what is at fault.

    Both are compared in the look of our own templates: what a user's change of the net would be in both.
    """
    function = identifier(program.name)
    ours = templates_of() if look.folder else look
    flat = written_file(program, unfolded(program), origin, shapes)
    try:
        made, code = _folded(program, function, origin, shapes, ours)
        same = not proved or same_symbol(
            load_symbol(code, function), load_symbol(ours.source(flat), function)
        )
        fault = "" if same else "folded, it gives another symbol (a defect of fx2mx; please report it)"
    except RequestError:
        raise  # there is no mxnet
    except Exception as error:  # noqa: BLE001 - a net must not fail for a matter of style
        fault = f"folding failed with {in_a_line(error)} (a defect of fx2mx; please report it)"
    if fault:
        made, code = flat, render(flat, ours)
    return (_in_look(made, look, code, function, proved) if look.folder else code), fault


def _folded(
    program: Program,
    function: str,
    origin: Origin,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    look: Templates,
) -> tuple[File, str]:
    """The folded program, and its code; in sections where the net's own function would be long otherwise."""
    files = (
        written_file(program, fold(program, function, sorted(RESERVED), in_sections), origin, shapes)
        for in_sections in (False, True)
    )
    made = next(files)
    code = render(made, look)
    if _lines_of_last(code) <= LONGEST:
        return made, code
    in_sections = next(files)
    other = render(in_sections, look)
    return (in_sections, other) if _lines_of_last(other) < _lines_of_last(code) else (made, code)


def _lines_of_last(code: str) -> int:
    """The lines of the last function, which is the net's."""
    last = ast.parse(code).body[-1]
    return (last.end_lineno or last.lineno) - last.lineno + 1


def _in_look(made: File, look: Templates, plain: str, function: str, proved: bool) -> str:
    """The code by a user's templates. RequestError where it does not give the symbol of the `plain` code."""
    code = render(made, look)
    try:
        same = not proved or same_symbol(load_symbol(code, function), load_symbol(plain, function))
    except RequestError:
        raise
    except Exception as error:
        what = in_a_line(error)
        raise RequestError(
            f"--templates {look.folder}: the code that they print fails: {what}", code="templates"
        ) from error
    if not same:
        what = "the code that they print gives another symbol than that of fx2mx's own"
        raise RequestError(f"--templates {look.folder}: {what}", code="templates")
    return code


def default_origin(model: nn.Module, name: str) -> Origin:
    """What the head names where nobody says: the class, and a command that would convert it."""
    spec = f"{type(model).__module__}:{name}"
    return Origin(spec, f"python -m tracer.gen {spec} --out model_mxnet.py")
