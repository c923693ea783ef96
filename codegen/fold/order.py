"""The order of functions: each stands after those that it calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codegen.folded import CallItem, Function, GuardItem, Item, LoopItem, RepeatItem


def in_order(functions: Sequence[Function]) -> list[Function]:
    """Functions, each after those that it calls."""
    named = {function.name: function for function in functions}
    found: dict[str, Function] = {}

    def visit(function: Function) -> None:
        for called in _called(function.items):
            if called not in found:
                visit(named[called])
        found.setdefault(function.name, function)

    for function in functions:
        visit(function)
    return [*found.values()]


def _called(items: Iterable[Item]) -> Iterator[str]:
    """The functions that statements call."""
    for item in items:
        if isinstance(item, CallItem):
            yield item.function
        elif isinstance(item, LoopItem):
            yield item.calls[0].function
        elif isinstance(item, GuardItem | RepeatItem):
            yield from _called(item.items)
