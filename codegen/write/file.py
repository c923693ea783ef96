"""The whole file: the head, a function for each Function, and the net's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.fold.fold import fold
from codegen.folded import MISSING, Function, Given, Many, Module
from codegen.identifiers import RESERVED, identifier
from codegen.program import Program, Scope
from codegen.write.docs import (
    function_doc,
    in_docstring,
    safe_words,
    shape_text,
    wrapped_command,
    wrapped_lines,
)
from codegen.write.lines import SYMBOL, Body, is_expression
from codegen.write.literals import annotation
from codegen.written import FileView, FunctionView, Line, Origin


def view(
    program: Program,
    origin: Origin,
    data_shapes: Sequence[tuple[str, tuple[int, ...]]],
    module: Module | None = None,
) -> FileView:
    """The view of a program, folded unless another form of it is given."""
    main = identifier(program.name)
    module = fold(program, main, sorted(RESERVED)) if module is None else module
    functions = frozenset([main, *(f.name for f in module.functions)])
    return FileView(
        title=safe_words(program.name),
        origin=safe_words(origin.spec),
        command=wrapped_command(in_docstring(origin.command)),
        data_shapes=tuple(data_shapes),
        needs_named=any(is_expression(c) for c in program.calls),
        functions=(
            *(_function(program, f, functions) for f in module.functions),
            _main(program, module, main, origin, functions),
        ),
    )


def _main(
    program: Program, module: Module, main: str, origin: Origin, functions: frozenset[str]
) -> FunctionView:
    outputs = tuple(o.operand for o in program.outputs)
    body = Body(program, module.items, outputs, "", Scope("", program.name), functions)
    lines = body.lines()
    texts = [body.text(o) for o in outputs]
    result = "" if len(texts) == 1 else f"mx.sym.Group([{', '.join(texts)}])"
    inputs = ", ".join(f"{v.name} {shape_text(v.shape)}" for v in program.inputs)
    shapes = ", ".join(shape_text(o.shape) for o in program.outputs)
    doc = (
        f"{safe_words(program.name)} of {safe_words(origin.spec.rpartition(':')[0])}.",
        "\n    ".join(
            (*wrapped_lines(f"Inputs: {safe_words(inputs)}."), *wrapped_lines(f"Outputs: {shapes}."))
        ),
    )
    return FunctionView(main, "", SYMBOL, doc, _returning(lines, texts, result))


def _function(program: Program, function: Function, functions: frozenset[str]) -> FunctionView:
    body = Body(program, function.items, function.outputs, function.prefix, function.frame, functions)
    held = [body.enter(o, name) for o, name in zip(function.inputs, function.input_names, strict=True)]
    lines = body.lines()
    lines[0] = replace(lines[0], blank=False)
    texts = [body.text(o) for o in function.outputs]
    parts = [
        f"{name}: {_given_type(given)}" + (" | None" if i in function.optional else "")
        for i, (name, given) in enumerate(zip(held, function.inputs, strict=True))
    ]
    parts += [f"{name}: {annotation(v)}" for name, v in function.parameters if MISSING not in v]
    optional = [f"{n}: {annotation(v)} = None" for n, v in function.parameters if MISSING in v]
    returns = SYMBOL if len(texts) == 1 else f"tuple[{', '.join([SYMBOL] * len(texts))}]"
    return FunctionView(
        function.name,
        ", ".join([*parts, "name: str", *optional]),
        returns,
        (function_doc(function.frame, function.trait, function.held),),
        _returning(lines, texts),
    )


def _returning(lines: list[Line], texts: Sequence[str], result: str = "") -> tuple[Line, ...]:
    """The lines with the result returned: at once where the last line makes it."""
    last = lines[-1]
    if not result and len(texts) == 1 and last.depth == 0 and last.text.startswith(f"{texts[0]} = "):
        return (*lines[:-1], replace(last, text=f"return {last.text.removeprefix(f'{texts[0]} = ')}"))
    return (*lines, Line(f"return {result or ', '.join(texts)}"))


def _given_type(given: Given) -> str:
    return f"list[{SYMBOL}]" if isinstance(given, Many) else SYMBOL
