"""The view model: a Program as the statements that the template prints.

Everything is decided here: which variable holds what, which inputs MXNet makes by itself, how a number
is written. The template prints and decides nothing.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from codegen.program import Call, Leaf, Operand, Out, Program, Variable
from tracer.ir import Dim, Shape, shape_at

# The inputs that MXNet makes by itself, under the op's name and these suffixes.
AUTOMATIC = {
    "Convolution": ("weight", "bias"),
    "Deconvolution": ("weight", "bias"),
    "FullyConnected": ("weight", "bias"),
    "BatchNorm": ("gamma", "beta", "moving_mean", "moving_var"),
    "LayerNorm": ("gamma", "beta"),
    "InstanceNorm": ("gamma", "beta"),
    "Embedding": ("weight",),
    "LeakyReLU": ("gamma",),
    "RNN": ("parameters",),
    "SoftmaxOutput": ("label",),
}
RESERVED = frozenset({"mx", "named", "name", "DATA_SHAPES"})


@dataclass(frozen=True)
class StatementView:
    """One assignment; `comment` stands above it, `blank` leaves a line free before it."""

    target: str
    expression: str
    comment: str = ""
    blank: bool = False


@dataclass(frozen=True)
class FileView:
    """All that the template prints."""

    title: str
    origin: str
    file: str
    command: str
    data_shapes: tuple[tuple[str, tuple[int, ...]], ...]
    needs_named: bool
    function: str
    doc: tuple[str, ...]
    statements: tuple[StatementView, ...]
    result: str


@dataclass(frozen=True)
class Origin:
    """Where a net comes from, for the head of the file: `model.py:XXNet` and the command that made it."""

    spec: str
    command: str


def view(program: Program, origin: Origin, data_shapes: Sequence[tuple[str, tuple[int, ...]]]) -> FileView:
    """The view of a program."""
    function = identifier(program.name)
    body = _Body(program)
    return FileView(
        title=program.name,
        origin=origin.spec,
        file=origin.spec.rpartition(":")[0],
        command=origin.command,
        data_shapes=tuple(data_shapes),
        needs_named=any(_is_expression(c) for c in program.calls),
        function=function,
        doc=tuple(_doc(program)),
        statements=tuple(body.statements()),
        result=body.result(),
    )


def _doc(program: Program) -> list[str]:
    inputs = ", ".join(f"{v.name} {_shape_text(v.shape)}" for v in program.inputs)
    outputs = ", ".join(_shape_text(o.shape) for o in program.outputs)
    return [f"Inputs: {inputs}.", f"Outputs: {outputs}."]


def _shape_text(shape: Shape) -> str:
    if len(shape) == 1:
        return f"({shape[0]},)"
    return "(" + ", ".join(str(s) for s in shape) + ")"


def identifier(text: str) -> str:
    """A Python identifier close to `text`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    if not name or name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in RESERVED else name


def _is_expression(call: Call) -> bool:
    return " " in call.op


class _Body:
    """Statements of one function: every value is given a variable that is free while it lives."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._variables = {v.name: v for v in program.variables}
        self._last_use = self._uses()
        self._holder: dict[Operand, str] = {}
        self._live: dict[str, int] = {}
        self._section = ""

    def _uses(self) -> dict[Operand, int]:
        uses: dict[Operand, int] = {}
        for index, call in enumerate(self.program.calls):
            for operand in call.operands():
                uses[_whole(operand)] = index
        for output in self.program.outputs:
            uses[_whole(output.operand)] = len(self.program.calls)
        return uses

    def statements(self) -> list[StatementView]:
        made = [self._variable(v, -1) for v in self.program.inputs]
        for index, call in enumerate(self.program.calls):
            made += [self._variable(v, index) for v in self._explicit(call)]
            made.append(self._statement(index, call))
        return made

    def _explicit(self, call: Call) -> list[Variable]:
        """The Variables that must be made for a call and are not made yet."""
        wanted = []
        for slot, operand in call.inputs:
            if isinstance(operand, Leaf) and operand not in self._holder and not is_automatic(call, slot, operand):
                variable = self._variables[operand.name]
                if variable not in wanted:
                    wanted.append(variable)
        return wanted

    def _variable(self, variable: Variable, index: int) -> StatementView:
        leaf = Leaf(variable.name)
        tail = variable.name if variable.kind == "input" else variable.name.rsplit("_", 1)[-1]
        target = self._hold(leaf, variable.name if len(variable.name) < 24 else tail, index)
        parts = [repr(variable.name)]
        if variable.kind != "input":
            parts.append(f"shape={shape_at(variable.shape, 1)!r}")
        if variable.dtype != "float32":
            parts.append(f'dtype="{variable.dtype}"')
        return StatementView(target, f"mx.sym.Variable({', '.join(parts)})")

    def _statement(self, index: int, call: Call) -> StatementView:
        text = self._expression(call)
        comment, blank = call.comment, False
        section = _section_of(call)
        if section != self._section:
            comment = "  ".join(p for p in (section, comment) if p)
            blank = True
            self._section = section
        return StatementView(self._target(index, call), text, comment, blank)

    def _target(self, index: int, call: Call) -> str:
        out = Out(index)
        preferred = call.source.target or self._dying_first(index, call) or call.name.rsplit("_", 1)[-1]
        others = [self._dying_first(index, call), call.name.rsplit("_", 1)[-1]]
        for name in (preferred, *others):
            if name and self._is_free(identifier(name), index):
                return self._hold(out, name, index)
        return self._hold(out, call.name.rsplit("_", 1)[-1], index)

    def _dying_first(self, index: int, call: Call) -> str:
        for operand in call.operands():
            whole = _whole(operand)
            if self._last_use.get(whole) == index and whole in self._holder:
                return self._holder[whole]
        return ""

    def _is_free(self, name: str, index: int) -> bool:
        return self._live.get(name, -2) <= index

    def _hold(self, operand: Operand, name: str, index: int) -> str:
        base = identifier(name)
        candidate, number = base, 1
        while not self._is_free(candidate, index):
            number += 1
            candidate = f"{base}_{number}"
        self._holder[operand] = candidate
        self._live[candidate] = self._last_use.get(operand, index)
        return candidate

    def _text(self, operand: Operand) -> str:
        if isinstance(operand, Leaf):
            return self._holder[operand]
        text = self._holder[Out(operand.call)]
        return f"{text}[{operand.index}]" if self.program.calls[operand.call].outputs > 1 else text

    def _expression(self, call: Call) -> str:
        if _is_expression(call):
            ((_, operand),) = call.inputs
            text = re.sub(r"\bx\b", "%x", call.op)
            text = re.sub(r"\bc\b", lambda _: literal(dict(call.attrs)["c"]), text)
            text = text.replace("%x", self._text(operand))
            if text.startswith(("maximum", "minimum")):
                text = f"mx.sym.{text}"
            return f"named({text}, name={call.name!r})"
        parts = []
        for slot, operand in call.inputs:
            if is_automatic(call, slot, operand) and operand not in self._holder:
                continue
            text = self._text(operand)
            parts.append(f"{slot}={text}" if slot else text)
        parts += [f"{k}={literal(v)}" for k, v in call.attrs]
        if call.op in {"zeros", "ones", "full", "arange"}:
            parts = [p.removeprefix("val=") if p.startswith("val=") else p for p in parts]
        parts.append(f"name={call.name!r}")
        return f"mx.sym.{call.op}({', '.join(parts)})"

    def result(self) -> str:
        texts = [self._text(o.operand) for o in self.program.outputs]
        return texts[0] if len(texts) == 1 else f"mx.sym.Group([{', '.join(texts)}])"


def _whole(operand: Operand) -> Operand:
    return Out(operand.call) if isinstance(operand, Out) else operand


def is_automatic(call: Call, slot: str | None, operand: Operand) -> bool:
    """Whether MXNet makes this very Variable by itself when the input is left out."""
    return (
        isinstance(operand, Leaf)
        and slot in AUTOMATIC.get(call.op, ())
        and operand.name == f"{call.name}_{slot}"
    )


def _section_of(call: Call) -> str:
    """The innermost module of the user's own around a call: where a reader looks for it."""
    for frame in reversed(call.source.frames):
        if not frame.library:
            return f"{frame.path}: {frame.cls}" if frame.path else ""
    return ""


def literal(value: Any) -> str:
    """A Python literal as a person writes it: 1e-5, 1 / 6, (3, 3)."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, tuple):
        inner = ", ".join(literal(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Dim):
        raise AssertionError("a size that follows the batch cannot be written")
    return repr(value)


def _float(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.1f}"
    text = repr(value)
    if len(text) > 10:
        fraction = Fraction(value).limit_denominator(100)
        if fraction.numerator / fraction.denominator == value:
            return f"{fraction.numerator} / {fraction.denominator}"
    return re.sub(r"e([+-])0+(\d)", r"e\1\2", text)
