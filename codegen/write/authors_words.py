"""The author's own words above the code: comments, and the line of an op that is hard to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from codegen.folded import CallItem, GuardItem, Item, LoopItem, OpItem
from codegen.program import Call, NamedFrame
from codegen.write.captions import Captioned
from codegen.write.docs import COMMAND_LENGTH
from codegen.write.scope import Scope

# A transpose of more axes, and a Reshape of as many codes, are not read at a glance.
FEW_AXES = 3
SPECIAL_CODES = 2


def with_words(captioned: Captioned, scope: Scope, item: Item, reader: OpItem | None = None) -> Captioned:
    """The statements of an item with what its author says; a Variable has the words of its `reader`."""
    if isinstance(item, LoopItem):
        item = item.calls[0]
    if isinstance(item, CallItem):
        source = scope.program.calls[item.span[0]].source
        frames = source.frames
        depth = next((i for i, f in enumerate(frames) if f.path == item.frame.path), len(frames) - 1)
        said = tuple(_of_calls(scope, frames[: depth + 1]))
        own = source.comment if item.frame.op and _is_inside(scope, frames[:depth]) else ""
        return replace(captioned, said=(*said, own))
    op = item if isinstance(item, OpItem) else reader
    if op is None or isinstance(item, GuardItem):
        return captioned
    source = op.call.source
    said = tuple(_of_calls(scope, source.frames))
    if not _is_inside(scope, source.frames):
        return replace(captioned, said=said)
    hard = isinstance(item, OpItem) and is_hard(op.call)
    return replace(captioned, said=(*said, source.comment), line=_cut(source.text) if hard else "")


def _of_calls(scope: Scope, frames: tuple[NamedFrame, ...]) -> Iterator[str]:
    """What is said above the calls of the modules, below the function's own, in which something stands."""
    for place in range(len(frames)):
        if _is_inside(scope, frames[:place]):
            yield frames[place].comment


def _is_inside(scope: Scope, frames: tuple[NamedFrame, ...]) -> bool:
    """Whether the author's lines that these frames run are the function's own, or written out in it."""
    own = next((i for i, frame in enumerate(frames) if frame.path == scope.frame.path), None)
    authors = [i for i, frame in enumerate(frames) if not frame.library]
    return own is not None and bool(authors) and authors[-1] >= own and not frames[-1].op


def is_hard(call: Call) -> bool:
    """Whether a reader would ask what an op does: codes of Reshape, many axes, steps."""
    attrs: dict[str, Any] = dict(call.attrs)
    if call.op == "Reshape":
        return len([size for size in attrs["shape"] if size <= 0]) >= SPECIAL_CODES
    if call.op == "transpose":
        return len(attrs["axes"]) > FEW_AXES
    return call.op == "slice" and any(step not in (None, 1) for step in attrs.get("step", ()))


def _cut(text: str) -> str:
    return text if len(text) <= COMMAND_LENGTH else f"{text[: COMMAND_LENGTH - 4].rstrip()} ..."
