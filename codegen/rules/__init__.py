"""Lowering rules, a file for each family of ops. See codegen.builder.rule for how a rule is written."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from codegen.builder.rule import Rule, RuleEntry


def collect(module: Any) -> Iterator[RuleEntry]:
    """The rules that a module defines."""
    for value in vars(module).values():
        if getattr(value, "__module__", "") == module.__name__:
            yield from getattr(value, "__lowers__", ())


_ADDED: dict[str, RuleEntry] = {}


def add_rule(op: str, rule: Rule, ignores: tuple[str, ...] = ()) -> RuleEntry:
    """Add a user's rule. ValueError where the op has one of fx2mx's; the user's own is replaced."""
    if op in own_rules():
        raise ValueError(f"fx2mx has a rule for {op}: give the op another name")
    _ADDED[op] = RuleEntry(op, rule, inspect.signature(rule), ignores)
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
    table: dict[str, RuleEntry] = {}
    for info in pkgutil.iter_modules(__path__):
        for entry in collect(importlib.import_module(f"{__name__}.{info.name}")):
            if entry.op in table:
                raise ValueError(
                    f"two rules for {entry.op}: in {table[entry.op].rule.__module__} and {info.name}"
                )
            table[entry.op] = entry
    return table
