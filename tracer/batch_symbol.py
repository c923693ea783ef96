"""The batch size as a symbol: a whole number of Python that remembers what it was asked.

What `x.shape[0]` gives while a net is recorded is a `BatchSize`: coef * N + const, with a value at the
batch size of the run. Sums and multiples of it are such numbers again. What cannot be written so, and
what Python decides by it (`N > 3`), is a question, which is kept with the user's line: where none was
asked that has another answer at another N, the run is the same at every N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch

from codegen.ir import Source


@dataclass(frozen=True)
class Question:
    """What the net asked of the batch size N: the answer is one at each N >= `least` that `step` divides.

    `least` 0: at no N but the one of the run. `is_leak`: the size went where it cannot be followed.
    """

    text: str
    source: Source
    least: int = 0
    step: int = 1
    is_leak: bool = False


@dataclass
class Questions:
    """What a run has asked of its batch size. `where` gives the user's line that runs."""

    where: Callable[[], Source]
    asked: list[Question] = field(default_factory=list)

    def ask(self, text: str, least: int = 0, step: int = 1) -> None:
        """Note a question."""
        self._note(Question(text, self.where(), least, step))

    def leak(self, text: str) -> None:
        """Note that the size became a plain number."""
        self._note(Question(text, self.where(), 1, 1, is_leak=True))

    def _note(self, question: Question) -> None:
        if question not in self.asked:
            self.asked.append(question)


class BatchSize(torch.SymInt):
    """coef * N + const, which is `value` in this run.

    A SymInt, since torch takes these wherever it takes a size, and torch.Size holds them as they are; and an
    `int` to who asks isinstance(). What needs a plain int calls `__index__`, and so is seen. torch's own
    magic methods are not used: those need a SymNode, and sympy.
    """

    def __init__(self, value: int, coef: Fraction, const: Fraction, questions: Questions) -> None:
        self.value = value
        self.coef = coef
        self.const = const
        self.questions = questions

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return int

    # Sums and multiples -------------------------------------------------------------------------

    def _like(self, value: int, coef: Fraction, const: Fraction) -> Any:
        if coef == 0:
            return int(const)
        return BatchSize(value, coef, const, self.questions)

    def __add__(self, other: Any) -> Any:
        if is_batch_size(other):
            return self._like(self.value + other.value, self.coef + other.coef, self.const + other.const)
        if type(other) is int:
            return self._like(self.value + other, self.coef, self.const + other)
        return self._plain(other, "+", lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return self + other if type(other) is int else self._plain(other, "+", lambda a, b: b + a)

    def __neg__(self) -> Any:
        return self._like(-self.value, -self.coef, -self.const)

    def __pos__(self) -> Any:
        return self

    def __sub__(self, other: Any) -> Any:
        if is_batch_size(other) or type(other) is int:
            return self + (-other)
        return self._plain(other, "-", lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return -self + other if type(other) is int else self._plain(other, "-", lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        if type(other) is int:
            return self._like(self.value * other, self.coef * other, self.const * other)
        return self._plain(other, "*", lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return self * other if type(other) is int else self._plain(other, "*", lambda a, b: b * a)

    def __floordiv__(self, other: Any) -> Any:
        if type(other) is int and other and self._divides(other):
            parts = self.coef / other, (self.const - self.const % other) / other
            return self._like(self.value // other, *parts)
        return self._plain(other, "//", lambda a, b: a // b)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._plain(other, "//", lambda a, b: b // a)

    def __mod__(self, other: Any) -> Any:
        if type(other) is int and other and self._divides(other):
            return int(self.const % other)
        return self._plain(other, "%", lambda a, b: a % b)

    def __rmod__(self, other: Any) -> Any:
        return self._plain(other, "%", lambda a, b: b % a)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        return self._plain(other, "/", lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return self._plain(other, "/", lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return self._plain(other, "**", lambda a, b: a**b)

    def __rpow__(self, other: Any) -> Any:
        return self._plain(other, "**", lambda a, b: b**a)

    def __and__(self, other: Any) -> Any:
        return self._plain(other, "&", lambda a, b: a & b)

    def __rand__(self, other: Any) -> Any:
        return self._plain(other, "&", lambda a, b: b & a)

    def __or__(self, other: Any) -> Any:
        return self._plain(other, "|", lambda a, b: a | b)

    def __ror__(self, other: Any) -> Any:
        return self._plain(other, "|", lambda a, b: b | a)

    def __xor__(self, other: Any) -> Any:
        return self._plain(other, "^", lambda a, b: a ^ b)

    def __rxor__(self, other: Any) -> Any:
        return self._plain(other, "^", lambda a, b: b ^ a)

    def __lshift__(self, other: Any) -> Any:
        return self * (1 << other) if type(other) is int and other >= 0 else NotImplemented

    def __rlshift__(self, other: Any) -> Any:
        return self._plain(other, "<<", lambda a, b: b << a)

    def __rshift__(self, other: Any) -> Any:
        return self // (1 << other) if type(other) is int and other >= 0 else NotImplemented

    def __rrshift__(self, other: Any) -> Any:
        return self._plain(other, ">>", lambda a, b: b >> a)

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __trunc__(self) -> Any:
        return self

    __floor__ = __ceil__ = __trunc__

    def __round__(self, ndigits: int | None = None) -> Any:
        return self if ndigits is None or ndigits >= 0 else round(int(self), ndigits)

    def _divides(self, other: int) -> bool:
        """Whether `other` parts coef * N as a whole: at each N, or at each that a `step` divides."""
        step = (self.coef / other).denominator
        if step == 1:
            return True
        if (self.value - self.const) % other:
            return False
        self.questions.ask(f"{self._text} // {other}", least=1, step=step)
        return True

    def _plain(self, other: Any, sign: str, compute: Callable[[Any, Any], Any]) -> Any:
        """What has no such form, in plain numbers; the question is noted."""
        if not is_batch_size(other) and not isinstance(other, int | float | complex):
            return NotImplemented
        self.questions.ask(f"{self._text} {sign} {_text_of(other)}")
        return compute(self.value, plain(other))

    # Comparisons --------------------------------------------------------------------------------

    def _compared(self, other: Any, sign: str, compute: Callable[[Any, Any], bool]) -> Any:
        """The answer, which is noted unless it is the same at every N."""
        if not is_batch_size(other) and not isinstance(other, int | float):
            return NotImplemented
        coef = self.coef - (other.coef if is_batch_size(other) else 0)
        const = self.const - (other.const if is_batch_size(other) else 0)
        against = 0 if is_batch_size(other) else other
        answer = compute(self.value, plain(other))
        if coef and not math.isinf(against) and not math.isnan(against):
            turn = math.floor((Fraction(against) - const) / coef)
            near = [n for n in (turn - 1, turn, turn + 1, turn + 2) if n >= 1] or [1]
            least = _least(near, answer, lambda n: compute(coef * n + const, against))
            if least != 1:
                self.questions.ask(f"{self._text} {sign} {_text_of(other)}", least)
        return answer

    def __eq__(self, other: object) -> Any:
        return self._compared(other, "==", lambda a, b: a == b)

    def __ne__(self, other: object) -> Any:
        return self._compared(other, "!=", lambda a, b: a != b)

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, "<", lambda a, b: a < b)

    def __le__(self, other: Any) -> Any:
        return self._compared(other, "<=", lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, ">", lambda a, b: a > b)

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, ">=", lambda a, b: a >= b)

    def __bool__(self) -> bool:
        return bool(self != 0)

    # Where it becomes a plain number ------------------------------------------------------------

    def _leaked(self, text: str) -> int:
        self.questions.leak(text)
        return self.value

    def __index__(self) -> int:
        return self._leaked(f"int({self._text})")

    __int__ = __index__

    def __float__(self) -> float:
        self.questions.ask(f"float({self._text})")
        return float(self.value)

    def __complex__(self) -> complex:
        return complex(float(self))

    def __hash__(self) -> int:
        return hash(self._leaked(f"hash({self._text})"))

    def __repr__(self) -> str:
        return str(self._leaked(f"str({self._text})"))

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self._leaked(f"str({self._text})"), spec)

    def __copy__(self) -> BatchSize:
        return self

    def __deepcopy__(self, _memo: Any) -> BatchSize:
        return self

    @property
    def _text(self) -> str:
        times = "N" if self.coef == 1 else f"{self.coef} * N"
        if not self.const:
            return times
        return f"({times} {'+' if self.const > 0 else '-'} {abs(self.const)})"


def is_batch_size(value: Any) -> bool:
    """Whether a number is a BatchSize; isinstance() would take it for one wherever it says `int`."""
    return type(value) is BatchSize


def plain(value: Any) -> Any:
    """A value, and all inside it, with plain numbers in the place of BatchSizes."""
    if is_batch_size(value):
        return value.value
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, torch.Size):
        return torch.Size([plain(v) for v in value])
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value) if type(value) is tuple else value
    if isinstance(value, list):
        return [plain(v) for v in value] if _holds_sizes(value) else value
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


def holds_batch_size(value: Any) -> bool:
    """Whether there is a BatchSize anywhere in an argument."""
    if isinstance(value, slice):
        return any(map(is_batch_size, (value.start, value.stop, value.step)))
    if isinstance(value, dict):
        return any(map(holds_batch_size, value.values()))
    return is_batch_size(value) or (isinstance(value, tuple | list) and any(map(holds_batch_size, value)))


def in_symbols(
    value: Any, before: Any, batches: tuple[int, int], questions: Questions, name: str = "size"
) -> Any:
    """What torch says of a size, where an earlier run at another batch size was told `before`.

    A whole number that follows the batch is a BatchSize; another answer is a question. `name` is the
    call's. Raises TypeError where the two are not alike.
    """
    if isinstance(value, torch.Size | tuple | list):
        if not isinstance(before, type(value)) or len(value) != len(before):
            raise TypeError("another number of sizes at another batch size")
        parts = [in_symbols(v, b, batches, questions, name) for v, b in zip(value, before, strict=True)]
        return torch.Size(parts) if isinstance(value, torch.Size) else type(value)(parts)
    if value == before:
        return value
    if type(value) is not int or type(before) is not int:
        questions.ask(f"{name}()", least=2)  # is_contiguous() of a batch of one; larger ones are alike
        return value
    coef = Fraction(value - before, batches[1] - batches[0])
    const = before - coef * batches[0]
    if const.denominator > 1:
        questions.ask("a size that is no multiple of it")
        return value
    return BatchSize(value, coef, const, questions)


def _least(near: list[int], answer: bool, at: Callable[[int], bool]) -> int:
    """The first N from which on `answer` is right, 0 where it is not in the end. `near` holds each turn."""
    if at(near[-1]) != answer:
        return 0
    wrong = [n for n in near if at(n) != answer]
    if wrong:
        return wrong[-1] + 1
    return 1


def _text_of(other: Any) -> str:
    return str(other._text) if is_batch_size(other) else repr(other)


def _holds_sizes(value: list[Any]) -> bool:
    return any(is_batch_size(v) or isinstance(v, tuple | list | slice) for v in value)
