"""What functions are called."""

from __future__ import annotations

import re


def snake(cls: str) -> str:
    """A class's name as a function's: BasicBlock is basic_block, ViTLayer vit_layer, ConvBN conv_bn."""
    after_lower = r"(?<=[a-z])(?=[A-Z](?:[a-z\d]|$)|[A-Z]{2,}(?![a-z]))"
    before_word = r"(?<=[A-Z\d])(?=[A-Z][a-z])"
    return re.sub(f"{after_lower}|{before_word}", "_", cls).lower()


def plain(cls: str) -> str:
    """A class or function of torch by letters alone: GroupNorm and group_norm are one helper."""
    return cls.replace("_", "").lower()


MOST_WORDS = 4
SHORT = {
    "batch_norm": "bn",
    "conv_transpose": "deconv",
    "linear": "fc",
    "max_pool": "pool",
    "avg_pool": "pool",
}
CONTAINERS = frozenset(["Sequential", "ModuleList", "ModuleDict"])
