"""The column `corrected` of docs/operators.md: attributes and links to docs/traps.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tests.traps.corrections import Correction


def cell(name: str, attributes: Iterable[str], told: Sequence[Correction]) -> str:
    """What is corrected for the entry `name`.

    `attributes` (`BatchNorm.eps`) were seen in its symbols; each op links to what tells of it. After them stand
    the other corrections of the entry's own rule.
    """
    by_op: dict[str, list[str]] = {}
    for attribute in dict.fromkeys(attributes):
        op, _, key = attribute.rpartition(".")
        by_op.setdefault(op, []).append(key)
    parts, linked = [], set()
    for op, keys in by_op.items():
        correction = _telling(name, op, keys, told)
        linked.add(correction.where)
        parts.append(f"[`{op}`](traps.md#{correction.anchor}): {', '.join(keys)}")
    own = (c for c in told if _squashed(name) & {_plain(op) for op in c.ops} and c.where not in linked)
    parts += [f"[{c.title}](traps.md#{c.anchor})" for c in own]
    return "; ".join(parts)


def attributes(text: str) -> list[str]:
    """The attributes that a cell names."""
    found = re.findall(r"`([\w.]+)`(?:\]\([^)]*\))?: ([\w, ]+)", text)
    return [f"{op}.{key}" for op, keys in found for key in keys.strip().split(", ")]


def _telling(name: str, op: str, keys: Sequence[str], told: Sequence[Correction]) -> Correction:
    """What tells most of the attributes of an op; the entry's own rule comes first."""

    def rank(correction: Correction) -> tuple[int, int, int]:
        of_op = [a for a in correction.attributes() if a.rpartition(".")[0] == op]
        own = [len(o) for o in correction.ops if _plain(o) in _plain(name)]
        return (max(own, default=0) if of_op else -1, sum(f"{op}.{k}" in of_op for k in keys), len(of_op))

    return max(told, key=rank)


def _plain(name: str) -> str:
    return re.sub(r"nn_functional_|nn\.|torchvision(::|\.ops\.)|[_.]|\.?\(.*", "", name).lower()


def _squashed(name: str) -> set[str]:
    """The names that an entry's rule may have: of `nn.BatchNorm2d` batchnorm2d and batchnorm."""
    return {_plain(name), re.sub(r"\dd$", "", _plain(name))}
