"""What of the tree of blocks is open at first, and which of its blocks are the largest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracer.review.model import Block


def opened_blocks(blocks: Sequence[Block]) -> frozenset[int]:
    """The net itself, and the child that holds more than half of its parameters: most of the net is in there.

    So it goes on where a block is all that another holds: a list in a list says nothing.
    """
    opened = {0}
    own = 0
    while True:
        children = [index for index in blocks[own].children if blocks[index].children]
        large = [index for index in children if 2 * blocks[index].parameters > blocks[own].parameters]
        if not large or (own and len(blocks[own].children) > 1):
            return frozenset(opened)
        own = large[0]
        opened.add(own)


def most_of(blocks: Sequence[Block], opened: Iterable[int]) -> dict[int, str]:
    """Of the blocks that are seen at first, which has the most parameters, and which the most FLOPs."""
    seen = [index for own in sorted(opened) for index in blocks[own].children if index not in set(opened)]
    if len(seen) < 2:
        return {}
    largest = max(seen, key=lambda index: (blocks[index].parameters, -index))
    busiest = max(seen, key=lambda index: (blocks[index].flops, -index))
    words: dict[int, list[str]] = {}
    if blocks[largest].parameters:
        words.setdefault(largest, []).append("parameters")
    if blocks[busiest].flops:
        words.setdefault(busiest, []).append("FLOPs")
    return {index: f"most {' and '.join(found)}" for index, found in words.items()}
