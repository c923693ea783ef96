"""Lowering rules: one short function for each op, whose signature is the op's.

    @lowers("avg_pool1d", "avg_pool2d", "avg_pool3d")
    def avg_pool(b, input, kernel_size, stride=None, padding=0, ...): ...

The arguments of an IR node are bound to the rule by name. An argument that the rule does not name and
that is not at torch's default does not bind, and the op is refused: none can be lost in silence.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

# Ops whose whole numbers MXNet gives as float32: cast only where a dtype is asked for.
WHOLE_FLOATS = frozenset(["argmax", "argmin", "argsort", "arange", "topk", "sort", "max", "min"])
# Ops whose rules take empty tensors among others.
TAKES_EMPTY = frozenset(
    "addbmm addmm addmv baddbmm bmm cat dot linear matmul mm multi_head_attention_forward mv resize resize_as".split()
)
# Ops that torch lets act along an axis of a 0-d tensor: it arrives as the (1,) that it is in MXNet.
TAKES_LINES = frozenset(
    "bucketize cosine_similarity cummax cummin gather index_add index_copy index_fill index_select kl_div "
    "kthvalue median multi_margin_loss normalize scatter scatter_add searchsorted".split()
)
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
