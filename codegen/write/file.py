"""The whole file: the head, a function for each of the folded program, and the net's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codegen import folded
from codegen.identifiers import identifier
from codegen.ir import Dim
from codegen.program import FROZEN, NamedFrame, Program
from codegen.write.captions import without_blank
from codegen.write.docs import function_doc, in_docstring, net_doc, safe_words, wrapped_command
from codegen.write.expressions import is_operator
from codegen.write.legal import check
from codegen.write.literals import annotation, literal, uses_math
from codegen.write.liveness import last_uses, variables_in
from codegen.write.scope import Scope, scope_of
from codegen.write.statements import body, returning
from codegen.write.variables import Variables
from codegen.write.wishes import assignments
from codegen.written import (
    Argument,
    File,
    Function,
    Group,
    Input,
    Origin,
)


def written_file(
    program: Program,
    module: folded.Module,
    origin: Origin,
    data_shapes: Sequence[tuple[str, tuple[int, ...]]],
) -> File:
    """A folded program as the statements of its file."""
    main = identifier(program.name)
    fixed = tuple(v.name for v in program.variables if not v.trained)
    names = frozenset([main, *(f.name for f in module.functions)])
    return check(
        File(
            title=safe_words(program.name),
            origin=safe_words(origin.spec),
            command=wrapped_command(in_docstring(origin.command)),
            data_shapes=tuple(data_shapes),
            fixed_params=fixed,
            batch_axes=_batch_axes(program),
            outputs=tuple(o.name for o in program.outputs if o.name),
            has_operators=any(map(is_operator, program.calls)),
            has_frozen=any(("attr", FROZEN) in call.attrs for call in program.calls),
            has_math=uses_math(value for call in program.calls for _, value in call.attrs),
            constants=f"{main[:1].upper()}{main[1:]}Constant" if _has_constants(module) else "",
            functions=(
                *(_function(program, f, names) for f in module.functions),
                _main(program, module, main, origin, names),
            ),
        )
    )


def _batch_axes(program: Program) -> tuple[tuple[str, int | None], ...]:
    """The axis of each input's batch, where the batch is free and not the first axis of all."""
    if not program.free_batch:
        return ()
    axes = tuple(
        (own.name, next((i for i, size in enumerate(own.shape) if isinstance(size, Dim)), None))
        for own in program.inputs
    )
    return axes if any(axis != 0 for _, axis in axes) else ()


def _has_constants(module: folded.Module) -> bool:
    """Whether the file makes a Variable that training leaves alone."""
    bodies = [module.items, *(function.items for function in module.functions)]
    return any(not own.trained for body in bodies for own in variables_in(body))


def _main(
    program: Program, module: folded.Module, main: str, origin: Origin, functions: frozenset[str]
) -> Function:
    """The net's own function, which makes its inputs and returns one symbol."""
    outputs = tuple(o.operand for o in program.outputs)
    frame = NamedFrame("", program.name)
    scope = scope_of(program, module.items, outputs, frame, params=module.params)
    variables = _variables(scope, functions)
    statements = body(scope, variables)
    reads = tuple(map(variables.read, outputs))
    return Function(
        name=main,
        inputs=(),
        arguments=(),
        takes_name=False,
        results=1,
        doc=net_doc(program, origin.spec),
        body=returning(statements, reads if len(reads) == 1 else (Group(reads),)),
        frozen=program.all_frozen,
    )


def _function(program: Program, function: folded.Function, functions: frozenset[str]) -> Function:
    scope = scope_of(
        program, function.items, function.outputs, function.frame, function.prefix, function.params
    )
    variables = _variables(scope, functions | {name for name, _ in function.arguments})
    inputs = tuple(
        Input(variables.enter(given, name), isinstance(given, folded.Many), place in function.optional)
        for place, (given, name) in enumerate(zip(function.inputs, function.input_names, strict=True))
    )
    statements = without_blank(body(scope, variables))
    return Function(
        name=function.name,
        inputs=inputs,
        arguments=tuple(
            _argument(name, values, dict(function.defaults)) for name, values in function.arguments
        ),
        takes_name=True,
        results=len(function.outputs),
        doc=(function_doc(function.frame, function.trait, function.held),),
        body=returning(statements, tuple(map(variables.read, function.outputs))),
        shares=function.params is not None and function.params.given,
    )


def _argument(name: str, values: Sequence[Any], defaults: Mapping[str, Any]) -> Argument:
    if name in defaults:
        given = [value for value in values if value is not folded.MISSING]
        return Argument(name, annotation(given), literal(defaults[name]))
    return Argument(name, annotation(values), "None" if folded.MISSING in values else "")


def _variables(scope: Scope, functions: frozenset[str]) -> Variables:
    taken = functions | folded.counters_of(scope.items)
    taken |= {"params", "path"} if scope.params is not None else set()
    return Variables(taken, last_uses(scope.items, scope.outputs), assignments(scope))
