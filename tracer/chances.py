"""Questions of a net in training that random numbers answer: whether a layer is skipped."""

from __future__ import annotations

from collections.abc import Callable

from torch import fx

from codegen.ir import Source
from tracer.random_parts import is_drawn


class Chances:
    """Answers each of them by `answer`, and notes where they stand. Without an answer it answers none."""

    def __init__(self, answer: bool | None, source: Callable[[], Source]) -> None:
        self._answer = answer
        self._source = source
        self.decided: list[Source] = []

    def answered(self, name: str, node: fx.Node) -> bool | None:
        """The answer to a call that looks at a value; None for one that is not drawn alone."""
        if self._answer is None or name != "__bool__" or not _is_drawn_alone(node):
            return None
        self.decided.append(self._source())
        return self._answer


def _is_drawn_alone(node: fx.Node) -> bool:
    """Whether a value hangs on random numbers, and on no input or parameter."""
    stack, found = [node], False
    while stack:
        current = stack.pop()
        if not current.meta["traced"]:
            continue
        if current.op != "call_function":
            return False
        found = found or is_drawn(current)
        stack += current.all_input_nodes
    return found
