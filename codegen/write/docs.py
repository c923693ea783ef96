"""Docstrings and comments: text that no name of the user's can turn into code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from codegen.ir import Shape, shape_at
from codegen.program import NamedFrame, Program

# A line of 100 characters less the indentation and the backslash.
COMMAND_LENGTH = 88


def wrapped_command(command: str) -> str:
    """A command that fits its line, broken before an option where it is long."""
    lines: list[str] = []
    start, _, rest = command.partition(" tracer.gen ")
    parts = [f"{start} tracer.gen", *re.split(r" (?=--)", rest)] if rest else [command]
    for part in parts:
        if lines and len(lines[-1]) + 1 + len(part) <= COMMAND_LENGTH:
            lines[-1] = f"{lines[-1]} {part}"
        else:
            lines.append(part)
    return " \\\n        ".join(lines)


def function_doc(frame: NamedFrame, trait: str, held: Sequence[str]) -> str:
    """What a function stands for: a class, a Sequential, or an op of torch's."""
    where = f" of {safe_words(frame.file)}" if frame.file else ""
    with_trait = f", {safe_words(trait)}" if trait else ""
    if frame.op:
        return f"torch's {frame.cls}{with_trait}, for which MXNet needs several ops."
    if held:
        return f"A Sequential of {safe_words(', '.join(held))}{with_trait}."
    if frame.library:
        return f"torch.nn.{safe_words(frame.cls)}{with_trait}."
    return f"{safe_words(frame.cls)}{where}{with_trait}."


def net_doc(program: Program, spec: str) -> tuple[str, ...]:
    """The paragraphs of the net's own docstring: where it comes from; what it takes and gives."""

    def shown(shape: Shape) -> str:
        return shape_text(shape if program.free_batch else shape_at(shape, program.batch))

    takes = ", ".join(f"{v.name} {shown(v.shape)}" for v in program.inputs)
    gives = ", ".join(f"{o.name} {shown(o.shape)}".lstrip() for o in program.outputs)
    notes = [f"{note[:1].upper()}{note[1:]}." for note in program.notes]
    said = (
        f"Inputs: {safe_words(takes)}.",
        f"Outputs: {safe_words(gives)}.",
        *map(safe_words, [program.batch_doc, program.size_doc, *notes]),
    )
    lines = [line for text in said if text for line in _wrapped_lines(text)]
    return (f"{safe_words(program.name)} of {safe_words(spec.rpartition(':')[0])}.", "\n    ".join(lines))


def safe_words(text: str) -> str:
    """Text that is safe in a docstring."""
    return re.sub(r"[^\w .,:;/()*+\-\[\]'=<>%]", "_", text)


def in_docstring(text: str) -> str:
    """A command so that the docstring holds it as it is, and nothing in it ends the docstring."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"') if '"""' in text or "\\" in text else text
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in escaped)


def shape_text(shape: Shape) -> str:
    """A shape, its batch size as N."""
    if len(shape) == 1:
        return f"({shape[0]},)"
    return "(" + ", ".join(str(s) for s in shape) + ")"


def _comment(text: str) -> str:
    """Text that is safe in a comment: no line of it can become code."""
    return re.sub(r"[^\x20-\x7e]", "_", text)


def _wrapped_lines(text: str) -> list[str]:
    """Lines of a docstring that fit, those after the first indented."""
    return textwrap.wrap(text, COMMAND_LENGTH, subsequent_indent="    ", break_long_words=False)


def wrapped_comment(text: str) -> list[str]:
    """A comment in lines that fit, without their `# `."""
    return textwrap.wrap(_comment(text), COMMAND_LENGTH, break_long_words=False)
