"""Which turn of the author's loops runs: known from where Python is, and has been, in forward's bytecode."""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType

from tracer.user_code import is_user_file

# Between a module's forward and who calls it: what stands above is another module's.
MODULE_CALLS = frozenset(["_call_impl", "_wrapped_call_impl"])
# Frames of their own that belong to the function that they stand in.
INLINE = frozenset(["<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"])


@dataclass(frozen=True)
class _Loop:
    """A loop of a function: its first and last instruction, and the variables that a turn gives values."""

    first: int
    last: int
    targets: tuple[str, ...]

    def holds(self, offset: int) -> bool:
        """Whether an instruction stands in it."""
        return self.first <= offset <= self.last


@dataclass
class _Place:
    """How far a running function is: the instruction of the op before, what that was, and its loops.

    `turns` counts those of each loop, `values` are what its targets held then. The frame is kept, so that no
    other is given its id.
    """

    frame: FrameType
    offset: int = -1
    step: object = None
    turns: dict[_Loop, int] = field(default_factory=dict)
    values: dict[_Loop, tuple[object, ...]] = field(default_factory=dict)


class Turns:
    """Counts the turns of the loops of each function of the user's that runs.

    `end` is the code of the function that runs the net. A turn in which no op ran is not counted.
    """

    def __init__(self, end: CodeType) -> None:
        self._end = end
        self._places: dict[int, _Place] = {}

    def known(self) -> int:
        """How many functions are known by now."""
        return len(self._places)

    def forget(self, known: int) -> None:
        """Tell that the functions that became known since then are over: with them goes what they held."""
        for key in list(self._places)[known:]:
            del self._places[key]

    def calling(self, frame: FrameType | None, step: str) -> tuple[int, ...]:
        """The turns around the call of a module, that `frame` runs inside of."""
        while frame is not None and frame.f_code.co_name not in MODULE_CALLS:
            frame = frame.f_back
        while frame is not None and frame.f_code.co_name in MODULE_CALLS:
            frame = frame.f_back
        return self.at(frame, step)

    def at(self, frame: FrameType | None, step: str = "") -> tuple[int, ...]:
        """The turns of the loops around a call in the innermost function of the user's, from 0, outer first.

        `step` is what runs now: an op or a module. Without one nothing is counted.
        """
        inner: object = step
        for current in self._running(frame):
            place = self._places.setdefault(id(current), _Place(current))
            if step:
                _move(place, current.f_lasti, inner)
            inner = current
        return self.around(frame)

    def around(self, frame: FrameType | None) -> tuple[int, ...]:
        """The turns in the innermost function of the user's that `frame` is, or that has called it."""
        counts: tuple[int, ...] = ()
        for current in self._running(frame):
            place = self._places.get(id(current))
            counts = (*(_turns(place, current.f_lasti) if place is not None else ()), *counts)
            if current.f_code.co_name not in INLINE:
                break
        return counts

    def _running(self, frame: FrameType | None) -> Iterator[FrameType]:
        """The user's frames up to forward of the innermost module, that of the call first."""
        while frame is not None and frame.f_code is not self._end:
            if frame.f_code.co_name in MODULE_CALLS:
                return
            if is_user_file(frame.f_code.co_filename):
                yield frame
            frame = frame.f_back


def _move(place: _Place, offset: int, step: object) -> None:
    """Note that a function has come to another instruction, or to the same one again for another step.

    Python goes back in its bytecode in loops alone: in the outermost whose targets hold something else, or,
    where none do, in the innermost. Where it is at one call again, that may have taken several ops.
    """
    before, loops = place.offset, _loops(place.frame.f_code)
    values = _values(place.frame, loops)
    around = [loop for loop in loops if loop.holds(offset)]
    shared = [loop for loop in around if loop.holds(before)]
    changed = [loop for loop in shared if _differ(values[loop], place.values.get(loop, ()))]
    turning: _Loop | None = None
    if changed:
        turning = changed[0]
    elif shared and (offset < before or (offset == before and _is_again(place, shared[-1], step))):
        turning = shared[-1]
    for loop in around:
        if loop is turning:
            place.turns[loop] += 1
        elif loop not in shared or (turning is not None and loop.first > turning.first):
            place.turns[loop] = 0
    place.offset, place.step, place.values = offset, step, values


def _is_again(place: _Place, loop: _Loop, step: object) -> bool:
    """Whether one call for the second time is another turn of a loop that has no targets to tell."""
    return not loop.targets and (step == place.step if isinstance(step, str) else step is not place.step)


def _differ(values: tuple[object, ...], before: tuple[object, ...]) -> bool:
    return any(own is not old for own, old in zip(values, before, strict=False))


def _values(frame: FrameType, loops: tuple[_Loop, ...]) -> dict[_Loop, tuple[object, ...]]:
    held = frame.f_locals if any(loop.targets for loop in loops) else {}
    return {loop: tuple(held.get(name) for name in loop.targets) for loop in loops}


def _turns(place: _Place, offset: int) -> tuple[int, ...]:
    return tuple(place.turns.get(loop, 0) for loop in _loops(place.frame.f_code) if loop.holds(offset))


@functools.lru_cache(maxsize=1024)
def _loops(code: CodeType) -> tuple[_Loop, ...]:
    """The loops of a function, outer ones first."""
    instructions = list(dis.get_instructions(code))
    ends: dict[int, int] = {}
    for instruction in instructions:
        is_jump = instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs
        if is_jump and isinstance(instruction.argval, int) and instruction.argval < instruction.offset:
            ends[instruction.argval] = max(instruction.offset, ends.get(instruction.argval, 0))
    places = {instruction.offset: place for place, instruction in enumerate(instructions)}
    found = (_Loop(first, last, _targets(instructions[places[first] :])) for first, last in ends.items())
    return tuple(sorted(found, key=lambda loop: (loop.first, -loop.last)))


def _targets(instructions: Sequence[dis.Instruction]) -> tuple[str, ...]:
    """The variables of `for a, b in ...`, given the instructions from the loop's first; none for `while`."""
    names: list[str] = []
    if instructions[0].opname != "FOR_ITER":
        return ()
    for instruction in instructions[1:]:
        own = instruction.argval
        if instruction.opname == "STORE_FAST_LOAD_FAST":  # Python 3.13: the second is read already
            return (*names, own[0])
        if instruction.opname.startswith("STORE_FAST"):
            names += [own] if isinstance(own, str) else own
        elif instruction.opname == "STORE_DEREF":
            names.append(instruction.argval)
        elif instruction.opname != "UNPACK_SEQUENCE":
            break
    return tuple(names)
