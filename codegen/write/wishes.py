"""What the author's source would call a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from codegen.folded import CallItem, GuardItem, Item, OpItem, RepeatItem, without_turns
from codegen.identifiers import flat
from codegen.ir import SAYS_NOTHING
from codegen.items import makes
from codegen.program import Call, NamedFrame, Operand, Out, Program
from codegen.write.liveness import item_length
from codegen.write.scope import Scope

# Names of variables are cut to their last word at this length.
LONG_NAME = 25


def assignments(scope: Scope) -> dict[str, list[int]]:
    """The author's variables, each with the numbers of the items that end the assignments to it."""
    assigned: dict[str, list[int]] = {}
    statements = list(_statements(scope, scope.items, 0))
    for (key, index), (after, _) in zip(statements, [*statements[1:], (None, 0)], strict=False):
        if key != after:
            assigned.setdefault(key[0], []).append(index)
    return assigned


def _statements(scope: Scope, items: Sequence[Item], index: int) -> Iterator[tuple[tuple[str, int], int]]:
    """The author's statement of each item, and the item's number."""
    for item in items:
        if isinstance(item, OpItem):
            yield _statement(scope, item.call), index
        elif isinstance(item, CallItem):
            yield _statement(scope, scope.program.calls[item.span[1]]), index
        elif isinstance(item, GuardItem):
            yield from _statements(scope, item.items, index)
        elif isinstance(item, RepeatItem):
            yield from _statements(scope, item.items, index + 1)
        index += item_length(item)


def _statement(scope: Scope, call: Call) -> tuple[str, int]:
    """The statement of the function's own author that a call is part of: its variable and its line."""
    frames = call.source.frames
    depth = next((i for i, frame in enumerate(frames) if frame.path == scope.frame.path), len(frames) - 1)
    if depth + 1 < len(frames) and not frames[depth + 1].op:
        return frames[depth + 1].target, frames[depth + 1].line
    return own_target(scope, call), call.source.line


def own_target(scope: Scope, call: Call) -> str:
    """The variable that a call's statement assigns: in a function that forward calls, that function's."""
    return call.source.local if scope.frame.is_function else call.source.target


def authors_variable(scope: Scope, target: str, last: int, own: NamedFrame | None) -> str:
    """The author's variable; for what an inlined module returns, the one that its caller assigns it to.

    `last` is the number of the last call, `own` the frame of the item itself, if it is a call of a module.
    """
    calls = scope.program.calls
    after = _frames_at(scope.program, last + 1)
    if target and not (own is None and is_inside_layer(scope.program, last)):
        return target
    for frame in reversed(calls[last].source.frames):
        inside = own is not None and len(frame.path) >= len(own.path)
        if len(frame.path) <= len(scope.frame.path) or (frame.path, frame.call) in after:
            break
        if not inside and not frame.op and frame.target:
            return frame.target
    return ""


def merged_variable(scope: Scope, part: GuardItem, operand: Operand) -> str:
    """The author's variable for what a part makes."""
    maker = next((inner for inner in part.items if operand in makes(inner)), None)
    if isinstance(maker, OpItem):
        return authors_variable(scope, maker.call.source.target, maker.index, None)
    if isinstance(maker, CallItem):
        return authors_variable(scope, maker.target, maker.span[1], maker.frame)
    return ""


def is_inside_layer(program: Program, index: int) -> bool:
    """Whether a call is a step on the way to the result of a layer of torch's own."""
    frames = program.calls[index].source.frames
    layer = next((f for f in reversed(frames) if not f.op), None)
    if layer is None or not layer.library:
        return False
    return (layer.path, layer.call) in _frames_at(program, index + 1)


def _frames_at(program: Program, index: int) -> set[tuple[str, int]]:
    """The module calls that a call stands in; none after the last."""
    calls = program.calls[index : index + 1]
    return {(f.path, f.call) for call in calls for f in call.source.frames}


def is_on_the_way(program: Program, index: int) -> bool:
    """Whether the author's statement goes on after a call."""
    here = program.calls[index].source
    after = program.calls[index + 1].source if index + 1 < len(program.calls) else None
    return after is not None and bool(here.file) and (here.file, here.line) == (after.file, after.line)


def layer_or_last_word(scope: Scope, call: Call) -> str:
    """The name of a layer of torch's; else the last word of the op's name below the function's own."""
    frame = next((f for f in reversed(call.source.frames) if not f.op), None)
    layer = frame.path.rpartition(".")[2] if frame is not None and frame.library else ""
    stem = without_turns(call.name, call.stem)
    if layer and not layer[0].isdigit() and stem.endswith(flat(layer)) and len(layer) < LONG_NAME:
        return layer
    below = stem[len(scope.prefix) :]
    # In a loop a name may end with the turn: `add_2`.
    last = (re.sub(r"[\d_]+$", "", below) if call.source.turns else below).rsplit("_", 1)[-1]
    return "x" if not last or last.isdigit() else last


def inlined_module(scope: Scope, call: Call) -> str:
    """The name of the innermost module of the author's whose forward is written out where the call stands."""
    frame = next((f for f in reversed(call.source.frames) if not f.library), None)
    if frame is None or len(frame.path) <= len(scope.frame.path):
        return ""
    *around, name = frame.path[len(scope.frame.path) :].strip(".").split(".")
    # BERT's attention has one that is called `self`.
    name = around[-1] if name == "self" and around else name
    return "" if name[:1].isdigit() or name == "self" else name


def step(scope: Scope, call: Call) -> str:
    """What a step inside a layer or an op of torch is called: its name below theirs."""
    frame = next((f for f in reversed(call.source.frames) if f.library), None)
    stem = without_turns(call.name, call.stem[len(frame.prefix) :] if frame is not None else "")
    below = stem.strip("_")
    fits = 0 < len(below) < LONG_NAME and not below[0].isdigit()
    return below if fits else layer_or_last_word(scope, call)


def sequence_around(scope: Scope, call: Call) -> str:
    """The attribute that holds the Sequential, below the function's own module, that a layer stands in."""
    frame = next((f for f in reversed(call.source.frames) if not f.op), None)
    words = frame.path[len(scope.frame.path) :].strip(".").split(".") if frame is not None else []
    if frame is None or not frame.library or not words[-1].isdigit():
        return ""
    return next((word for word in reversed(words) if not word[:1].isdigit() and len(word) < LONG_NAME), "")


def own_name(scope: Scope, name: str) -> str:
    """The end of a symbol's name, below the function's own, that is short enough for a variable.

    What tells it from others of its kind is in there: numbers are those of the source.
    """
    words = without_turns(name, name[len(scope.prefix) :]).strip("_").split("_")
    while words and (len("_".join(words)) >= LONG_NAME or words[0][:1].isdigit()):
        words = words[1:]
    return "_".join(words)


def last_word(path: str) -> str:
    """The last word of a module's path that is no number."""
    words = without_turns(path, path).split("_")
    return next((p for p in reversed(words) if not p.isdigit()), "x")


def variable_inside(program: Program, operand: Operand) -> str:
    """The author's variable for one of a module's several results, where it is made."""
    if not isinstance(operand, Out):
        return ""
    source = program.calls[operand.call].source
    local = source.local or source.target
    return "" if local in SAYS_NOTHING else local
