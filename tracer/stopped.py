"""Where a trace stops before its end: which modules were done by then, for `--tap` to convert."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from codegen.problems import ConversionError, Problem
from tracer.outputs import flatten_outputs
from tracer.user_code import Refusal

# So many modules are named: a command is to be read.
MOST = 4


class Stopped(ConversionError):
    """The trace stopped at the last of the problems: what follows was not looked at.

    Attributes:
        done: paths of modules that were done by then, and that together need most of what was recorded; none
            that another of them needs.
    """

    def __init__(self, problems: tuple[Problem, ...], done: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.done = done

    @classmethod
    def by(cls, refusal: Refusal) -> Stopped:
        """What a refusal within a trace becomes."""
        return cls((refusal.problem,), refusal.done)


class Done:
    """The modules that are done in a run, with what each returned last."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths
        self._returned: dict[str, Any] = {}

    def add(self, path: str, output: Any) -> None:
        """A module is done; one that `forward` makes has no path by which it is known."""
        if path in self._paths:
            self._returned.pop(path, None)
            self._returned[path] = output

    def last(
        self,
        made_by: Callable[[torch.Tensor], fx.Node | None],
        is_shapeless: Callable[[torch.Tensor], bool],
    ) -> tuple[str, ...]:
        """Those in no other that no later one needs, as far as all that they return has a shape.

        Of more than so many, those that need the most calls; in the order in which they were done.
        """
        known: dict[str, list[fx.Node]] = {}
        for path, output in self._returned.items():
            tensors = [tensor for _, tensor in flatten_outputs(output)[0]]
            nodes = [node for node in map(made_by, tensors) if node is not None]
            if path and nodes and not any(map(is_shapeless, tensors)):
                known[path] = nodes
        return _needed_by_none(known)


def _needed_by_none(known: Mapping[str, Sequence[fx.Node]]) -> tuple[str, ...]:
    outer = [path for path in known if not any(other in known for other in _around(path))]
    needed: set[fx.Node] = set()
    sizes: dict[str, int] = {}
    for path in reversed(outer):
        if not needed.issuperset(known[path]):
            own = _with_all_before(known[path])
            needed |= own
            sizes[path] = sum(node.op == "call_function" for node in own)
    largest = sorted((path for path in sizes if sizes[path]), key=lambda path: -sizes[path])[:MOST]
    return tuple(path for path in outer if path in largest)


def _around(path: str) -> Iterator[str]:
    """The modules in which one stands: a.b and a of a.b.c."""
    while path := path.rpartition(".")[0]:
        yield path


def _with_all_before(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    """Nodes with all that they are computed from."""
    found: set[fx.Node] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.all_input_nodes
    return found
