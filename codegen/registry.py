"""Lowering rules: one short function for each op, whose signature is the op's.

    @lowers("avg_pool1d", "avg_pool2d", "avg_pool3d")
    def avg_pool(b, input, kernel_size, stride=None, padding=0, ...): ...

The arguments of an IR node are bound to the rule by name. An argument that the rule does not name and
that is not at torch's default does not bind, and the op is refused: none can be lost in silence.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Rule = Callable[..., Any]
_R = TypeVar("_R", bound=Rule)


@dataclass(frozen=True)
class RuleEntry:
    """A rule with the ops that it lowers and the arguments without meaning in inference."""

    ops: tuple[str, ...]
    rule: Rule
    signature: inspect.Signature
    ignores: tuple[str, ...]

    def unread(self, arguments: Mapping[str, Any]) -> list[str]:
        """The arguments that the rule does not read."""
        names = set(self.signature.parameters) - {"b"} | set(self.ignores)
        if any(p.kind is p.VAR_KEYWORD for p in self.signature.parameters.values()):
            return []
        return [name for name in arguments if name not in names]


def lowers(*ops: str, ignores: tuple[str, ...] = ()) -> Callable[[_R], _R]:
    """Mark a function as the rule of `ops` (canonical names, see tracer.canonical).

    `ignores` names arguments that change nothing in inference; the reason belongs in a comment.
    """

    def mark(rule: _R) -> _R:
        rule.__lowers__ = RuleEntry(ops, rule, inspect.signature(rule), ignores)  # type: ignore[attr-defined]
        return rule

    return mark


def collect(module: Any) -> dict[str, RuleEntry]:
    """The rules that a module defines, by op. ValueError where an op has two."""
    table: dict[str, RuleEntry] = {}
    for value in vars(module).values():
        entry = getattr(value, "__lowers__", None)
        if entry is None or value.__module__ != module.__name__:
            continue
        for op in entry.ops:
            if op in table:
                raise ValueError(f"two rules for {op}: {table[op].rule.__name__} and {value.__name__}")
            table[op] = entry
    return table


_ADDED: dict[str, RuleEntry] = {}


def add_rule(op: str, rule: Rule, ignores: tuple[str, ...] = ()) -> RuleEntry:
    """Add a user's rule. ValueError where the op has one of fx2mx's; the user's own is replaced."""
    if op in own_rules():
        raise ValueError(f"fx2mx has a rule for {op}: give the op another name")
    _ADDED[op] = RuleEntry((op,), rule, inspect.signature(rule), ignores)
    return _ADDED[op]


def is_added(op: str) -> bool:
    """Whether a plugin has a rule for the op."""
    return op in _ADDED


def rule_table() -> Mapping[str, RuleEntry]:
    """Every rule by op: fx2mx's own and those of plugins."""
    return {**own_rules(), **_ADDED}


@functools.cache
def own_rules() -> Mapping[str, RuleEntry]:
    """Every rule of codegen.rules, by op. ValueError where an op has two."""
    import codegen.rules as package

    table: dict[str, RuleEntry] = {}
    for info in pkgutil.iter_modules(package.__path__):
        for op, entry in collect(importlib.import_module(f"codegen.rules.{info.name}")).items():
            if op in table:
                raise ValueError(f"two rules for {op}: in {table[op].rule.__module__} and {info.name}")
            table[op] = entry
    return table
