"""One function of the generated file, as the program knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from codegen.folded import Item, Params
from codegen.program import NamedFrame, Operand, Program
from codegen.write.liveness import calls_among, inlined_calls


@dataclass(frozen=True)
class Scope:
    """A function's items and results, the module that it stands for, and what its symbols' names begin with.

    `sizes` counts the ops of torch that stand in it for themselves, by the path of each module that they are
    in; `lines` counts its ops by the author's line; `listed` are the calls of which loops read one result
    after the other. In a net that `is_flat` no module has modules of its own.
    """

    program: Program
    items: tuple[Item, ...]
    outputs: tuple[Operand, ...]
    frame: NamedFrame
    prefix: str
    sizes: Mapping[str, int]
    lines: Mapping[str, int]
    is_flat: bool
    listed: frozenset[int] = frozenset()
    params: Params | None = None


def scope_of(
    program: Program,
    items: tuple[Item, ...],
    outputs: tuple[Operand, ...],
    frame: NamedFrame,
    prefix: str = "",
    params: Params | None = None,
) -> Scope:
    """The scope of a function's items; the net's own function has no prefix."""
    calls = list(inlined_calls(program, items))
    nodes = {(frame.path, call.node) for call in calls for frame in call.source.frames}
    return Scope(
        program=program,
        items=items,
        outputs=outputs,
        frame=frame,
        prefix=prefix,
        sizes=Counter(path for path, _ in nodes),
        lines=Counter(call.source.text for call in calls if call.source.text),
        listed=frozenset(calls_among(items)),
        params=params,
        is_flat=all(f.library or f.is_function for call in program.calls for f in call.source.frames[1:]),
    )
