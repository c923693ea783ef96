"""Sums of many gradients that MXNet gets wrong, kept apart by copies: --trainable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codegen.mxnet_ops import spec_of
from codegen.passes.copies import Copy, copy_of
from codegen.program import Call, Leaf, Operand, Out, Program

OF_MANY = Copy("a copy: MXNet 1.9.1 would sum the gradients of so many readers wrongly")
# From so many gradients on MXNet sums them in place: MXNET_EXEC_INPLACE_GRAD_SUM_CAP.
MANY = 8


@dataclass(frozen=True)
class _Group:
    """Readers of one value that read a copy of it, or of the copy of the group before: (call, input)."""

    value: Operand
    readers: tuple[tuple[int, int], ...]
    before: int | None


def with_right_sums(program: Program) -> Program:
    """The program with copies of what many calls read, for those whose gradients MXNet cannot add to others.

    torch: sums the gradients of all that reads a value.
    MXNet: where eight or more read it, sums them in place: each op adds its own to what is there.
        linalg.gemm2, mean, clip, flip, cumsum and others of linear algebra write over it: the sum is wrong.
    We write: with --trainable, a copy that these read; a chain of copies where these are many.
    Source: MXNET_EXEC_INPLACE_GRAD_SUM_CAP, https://github.com/apache/mxnet/pull/3470; measured
        (tests/in_use/test_sums.py).

    >>> def joined(x):
    ...     y = x.tanh()
    ...     return torch.cat([*[y] * 7, y.flip(1)])
    >>> trainable(joined, (2, 3))
    x = mx.sym.Activation(x, act_type="tanh", name="tanh")
    copy = mx.sym.Reshape(x, shape=(-2,), name="tanh_copy")
    return mx.sym.Concat(
        x, x, x, x, x, x, x, mx.sym.flip(copy, axis=(1,), name="flip"), dim=0, name="cat"
    )
    """
    groups = list(_groups(program))
    if not groups:
        return program
    at = {reader: number for number, group in enumerate(groups) for reader in group.readers}
    calls: list[Call] = []
    made: dict[int, int] = {}
    copies: dict[int, int] = {}

    def moved(operand: Operand) -> Operand:
        return replace(operand, call=made[operand.call]) if isinstance(operand, Out) else operand

    def copied(number: int) -> Operand:
        """The copy that a group reads, made before its first reader."""
        if number not in copies:
            group = groups[number]
            source = moved(group.value) if group.before is None else copied(group.before)
            maker = calls[source.call] if isinstance(source, Out) else _as_call(program, source)
            calls.append(copy_of(maker, source, None, [*program.calls, *calls], OF_MANY))
            copies[number] = len(calls) - 1
        return Out(copies[number])

    for index, call in enumerate(program.calls):
        inputs = tuple(
            (slot, copied(at[index, place]) if (index, place) in at else moved(operand))
            for place, (slot, operand) in enumerate(call.inputs)
        )
        calls.append(replace(call, inputs=inputs))
        made[index] = len(calls) - 1
    return replace(
        program,
        calls=tuple(calls),
        outputs=tuple(replace(o, operand=moved(o.operand)) for o in program.outputs),
        values=tuple((node, index, moved(o)) for node, index, o in program.values),
    )


def _groups(program: Program) -> Iterator[_Group]:
    readers: dict[Operand, list[tuple[int, int]]] = {}
    counted = Counter(output.operand for output in program.outputs)
    for index, call in enumerate(program.calls):
        for place, (_, operand) in enumerate(call.inputs):
            counted[operand] += 1
            if spec_of(call.op).overwrites:
                readers.setdefault(operand, []).append((index, place))
    trained = {v.name for v in program.variables if v.kind == "input" or (v.trained and v.keys)}
    number = 0
    for value, own in readers.items():
        if counted[value] < MANY or (isinstance(value, Leaf) and value.name not in trained):
            continue
        # MXNet makes one of two copies of one value, and so each reads the one before.
        for first, part in enumerate(_parts(own)):
            yield _Group(value, part, number - 1 if first else None)
            number += 1


def _parts(readers: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], ...]]:
    size = MANY - 2  # beside them, the next copy
    for start in range(0, len(readers), size):
        yield tuple(readers[start : start + size])


def _as_call(program: Program, leaf: Leaf) -> Call:
    """A Variable as if its first reader had made it, with its name: its copy is called after it."""
    reader = next(call for call in program.calls if leaf in call.operands())
    return replace(reader, name=leaf.name)
