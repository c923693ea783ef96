"""Lowering rules: one short function for each op, whose signature is the op's.

    @lowers("avg_pool1d", axes=1)
    @lowers("avg_pool2d", axes=2)
    @lowers("avg_pool3d", axes=3)
    def avg_pool(b, input, kernel_size, stride=None, padding=0, ..., *, axes): ...

The arguments of an IR node are bound to the rule by name. An argument that the rule does not name and
that is not at torch's default does not bind, and the op is refused: none can be lost in silence.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_type_hints

from codegen.builder.value import Value

Rule = Callable[..., Any]
_R = TypeVar("_R", bound=Rule)


@dataclass(frozen=True)
class RuleEntry:
    """The rule of one op, and what is true of it.

    `ignores` are arguments of the op without meaning in inference, `constants` what the rule is told of the
    op.
    """

    op: str
    rule: Rule
    signature: inspect.Signature
    ignores: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    takes_empty: bool = False
    takes_numbers: bool = False
    whole_as_floats: bool = False
    any_of_ties: bool = False

    def unread(self, arguments: Mapping[str, Any]) -> list[str]:
        """The arguments that the rule does not read."""
        names = (set(self.signature.parameters) - {"b", *self.constants}) | set(self.ignores)
        if any(p.kind is p.VAR_KEYWORD for p in self.signature.parameters.values()):
            return []
        return [name for name in arguments if name not in names]

    @functools.cached_property
    def numbers(self) -> frozenset[str]:
        """The arguments that the rule takes as numbers, never as tensors."""
        hints = get_type_hints(self.rule)
        names = self.signature.parameters
        return frozenset(name for name in names if not _may_be_tensor(hints.get(name, Any)))


def _may_be_tensor(hint: Any) -> bool:
    return hint in {Any, Value} or any(_may_be_tensor(part) for part in get_args(hint))


def lowers(
    *ops: str,
    ignores: tuple[str, ...] = (),
    takes_empty: bool = False,
    takes_numbers: bool = False,
    whole_as_floats: bool = False,
    any_of_ties: bool = False,
    **constants: Any,
) -> Callable[[_R], _R]:
    """Mark a function as the rule of `ops` (canonical names, see tracer.canonical).

    `ignores` names arguments that change nothing in inference; the reason belongs in a comment.
    `takes_empty`: the rule takes tensors without elements, which are refused otherwise. `takes_numbers`:
    torch lets the op act along an axis of a 0-d tensor; it arrives as the (1,) that it is in MXNet.
    `whole_as_floats`: MXNet gives whole numbers as float32, which are cast only where something asks for
    their dtype. `any_of_ties`: torch does not say which of equal values it takes, so that ties cannot be
    compared. `constants` are arguments of the rule that tell its ops apart.
    """

    def mark(rule: _R) -> _R:
        signature = inspect.signature(rule)
        facts = (ignores, constants, takes_empty, takes_numbers, whole_as_floats, any_of_ties)
        entries = tuple(RuleEntry(op, rule, signature, *facts) for op in ops)
        rule.__lowers__ = (*entries, *getattr(rule, "__lowers__", ()))  # type: ignore[attr-defined]
        return rule

    return mark


def lowers_each(constant: str, table: Mapping[str, Any], **facts: Any) -> Callable[[_R], _R]:
    """Mark a function as the rule of every op of a table; the argument `constant` is the op's entry."""

    def mark(rule: _R) -> _R:
        for op, entry in reversed(list(table.items())):
            rule = lowers(op, **facts, **{constant: entry})(rule)
        return rule

    return mark
