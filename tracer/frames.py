"""Which module calls an op stands in."""

from __future__ import annotations

from torch import fx


def is_library(cls: type) -> bool:
    return cls.__module__.startswith("torch.nn.")


def output_of(node: fx.Node) -> tuple[str, int]:
    """The IR's name of a node, and which of its outputs."""
    if "item" in node.meta:
        maker, index = node.meta["item"]
        return str(maker.name), int(index)
    return str(node.target) if node.op == "placeholder" else node.name, 0
