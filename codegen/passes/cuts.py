"""Cuts in the turns of a loop, written in one way: what is left out of one is a number in others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codegen.program import Call, Out, Program

# The attributes that say from where to where, of the ops that cut.
ENDS = ("begin", "end")


def with_cuts_alike(program: Program) -> Program:
    """The program with 0, or the size, where other turns of the author's loop have numbers in that place.

    A cut from 0, or to the last, is written as None (MXNet's slice), whatever the author has computed: the
    turns differ in numbers alone then, and are a loop again. The result is the same to the bit. Where all
    begin at one place, the one to the last is that of whatever size, and stays.
    """
    calls = list(program.calls)
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, call in enumerate(calls):
        if call.op in ("slice", "slice_axis") and call.source.turns:
            frames = tuple((f.path, f.call) for f in call.source.frames if not f.op)
            key = (frames, call.source.line, call.op, dict(call.attrs).get("axis"))
            alike.setdefault(key, []).append(number)
    for together in alike.values():
        moves = len({dict(calls[n].attrs).get("begin") for n in together}) > 1
        for name in ENDS if moves else ():
            values = [dict(calls[n].attrs).get(name) for n in together]
            sizes = [_sizes(program, calls[n], name) for n in together]
            for number, value in zip(together, _in_numbers(values, sizes), strict=True):
                attrs = tuple((key, value if key == name else own) for key, own in calls[number].attrs)
                calls[number] = replace(calls[number], attrs=attrs)
    return replace(program, calls=tuple(calls))


def _sizes(program: Program, call: Call, name: str) -> tuple[Any, ...]:
    """What None stands for at each axis that a call cuts."""
    operand = next(call.operands())
    shape = (
        program.calls[operand.call].shapes[operand.index]
        if isinstance(operand, Out)
        else program.variable(operand.name).shape
    )
    axis = dict(call.attrs).get("axis")
    sizes = tuple(shape or ()) if axis is None else (tuple(shape or ())[axis : axis + 1])
    return (0,) * len(sizes) if name == "begin" else sizes


def _in_numbers(values: Sequence[Any], sizes: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The values, with numbers for None where others have numbers that count from the start."""
    rows = [value if isinstance(value, tuple) else (value,) for value in values]
    if len({len(row) for row in rows}) > 1 or any(len(r) != len(s) for r, s in zip(rows, sizes, strict=True)):
        return list(values)
    mixed = [
        any(own is None for own in column) and any(type(own) is int and own > 0 for own in column)
        for column in zip(*rows, strict=True)
    ]
    counted = [all(own is None or own >= 0 for own in column) for column in zip(*rows, strict=True)]
    made = [
        tuple(
            size if own is None and mixed[n] and counted[n] and type(size) is int else own
            for n, (own, size) in enumerate(zip(row, whole, strict=True))
        )
        for row, whole in zip(rows, sizes, strict=True)
    ]
    return [row if isinstance(value, tuple) else row[0] for row, value in zip(made, values, strict=True)]
