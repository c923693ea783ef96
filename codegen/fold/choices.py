"""Activations that differ between modules of one class: a call of one function, told which by `act_type`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.defects import of_kind, present
from codegen.fold.blocks import Block, Structure, is_sequence
from codegen.fold.entries import Choice, Entry, Use
from codegen.fold.families import Family
from codegen.fold.function_names import snake
from codegen.folded import Argument, CallItem, Function, GuardItem, Item, OpItem
from codegen.items import makes, with_reads
from codegen.mxnet_ops import OPS
from codegen.program import Call, Leaf, NamedFrame, Operand, Out
from codegen.result_shapes import broadcast, same

FUNCTION = "activation"
# The argument that tells which, as that of MXNet's op of many activations is called, and that op.
ARGUMENT = "act_type"
OF_MANY = "Activation"


@dataclass(frozen=True)
class Activation:
    """A module that computes one thing of one thing, element by element, without weights.

    `ops` are the numbers of its ops, `form` what they are under any name, `word` what that is called.
    """

    frame: NamedFrame
    ops: tuple[int, ...]
    given: Operand
    form: tuple[Any, ...]
    word: str


def activations(structure: Structure) -> dict[tuple[str, int], Activation]:
    """The activations of a program by path and call; none whose word another one has too."""
    found: dict[tuple[str, int], Activation] = {}
    inside: dict[NamedFrame, list[int]] = {}
    for index, call in enumerate(structure.program.calls):
        for frame in call.source.frames[1:]:
            inside.setdefault(frame, []).append(index)
    for frame, ops in inside.items():
        if not (frame.op or frame.is_function or is_sequence(frame)):
            own = _activation(structure, frame, tuple(ops))
            if own is not None:
                found[frame.path, frame.call] = own
    forms: dict[str, set[tuple[Any, ...]]] = {}
    for own in found.values():
        forms.setdefault(own.word, set()).add(own.form)
    return {key: own for key, own in found.items() if len(forms[own.word]) == 1}


def _activation(structure: Structure, frame: NamedFrame, ops: tuple[int, ...]) -> Activation | None:
    calls = [structure.program.calls[index] for index in ops]
    outside = {o for call in calls for o in call.operands() if isinstance(o, Leaf) or o.call not in ops}
    if len(outside) != 1 or not all(map(_is_by_element, calls)):
        return None
    given = outside.pop()
    if isinstance(given, Leaf) or any(_is_read_outside(structure, index, ops) for index in ops[:-1]):
        return None
    if not all(call.name == frame.prefix or call.name.startswith(f"{frame.prefix}_") for call in calls):
        return None
    form = tuple(_form(call, frame, ops) for call in calls)
    word = dict(calls[0].attrs)[ARGUMENT] if _is_of_many(calls) else snake(frame.cls)
    return Activation(frame, ops, given, form, word)


def _is_by_element(call: Call) -> bool:
    if call.op not in OPS:
        return True  # one of Python's operators
    spec = OPS[call.op]
    return spec.shape in (same, broadcast) and not spec.is_identity and call.outputs == 1


def _is_of_many(calls: Sequence[Call]) -> bool:
    return [call.op for call in calls] == [OF_MANY]


def _is_read_outside(structure: Structure, index: int, ops: Sequence[int]) -> bool:
    return any(user not in ops for user in structure.users.get(Out(index), ()))


def _form(call: Call, frame: NamedFrame, ops: tuple[int, ...]) -> tuple[Any, ...]:
    """An op with its name below the module's, and of what it reads the place among the module's own ops."""
    reads = tuple(
        (slot, ops.index(o.call) if isinstance(o, Out) and o.call in ops else -1) for slot, o in call.inputs
    )
    return call.op, call.name[len(frame.prefix) :], call.attrs, call.comment, reads


# In blocks and families ------------------------------------------------------------------------------


def with_choices(
    structure: Structure,
    block: Block,
    listed: Sequence[Entry],
    known: Mapping[tuple[str, int], Activation],
) -> list[Entry]:
    """The statements of a block, those of each activation inside as one."""
    result: list[Entry] = []
    place = 0
    while place < len(listed):
        begun = _begun(structure, block, listed, place, known)
        if begun is None:
            result.append(listed[place])
            place += 1
            continue
        own, entries = begun
        label = ("choice", own.frame.prefix[len(block.prefix) :])
        choice = Choice(own.word, own.frame, entries, own.form)
        result.append(Entry(label, ((None, own.given),), entries[-1].makes, choice))
        place += len(entries)
    return result


def _begun(
    structure: Structure,
    block: Block,
    listed: Sequence[Entry],
    place: int,
    known: Mapping[tuple[str, int], Activation],
) -> tuple[Activation, tuple[Entry, ...]] | None:
    """The outermost activation inside a block that begins with one of its statements, and its statements."""
    first = _ops_of(listed[place])
    frames = structure.program.calls[first[0]].source.frames if first else ()
    depth = next((n for n, frame in enumerate(frames) if frame == block.frame), 0)
    for frame in frames[depth + 1 :]:
        own = known.get((frame.path, frame.call))
        entries = _whole(own, listed[place:]) if own is not None else ()
        if own is not None and entries:
            return own, entries
    return None


def _whole(own: Activation, listed: Sequence[Entry]) -> tuple[Entry, ...]:
    """The first statements where they are the whole of an activation, else none."""
    ops: tuple[int, ...] = ()
    for place, entry in enumerate(listed):
        ops += _ops_of(entry)
        if len(ops) >= len(own.ops):
            return tuple(listed[: place + 1]) if ops == own.ops else ()
    return ()


def _ops_of(entry: Entry) -> tuple[int, ...]:
    """The ops that a statement, or the block that it calls, is made of."""
    if isinstance(entry.source, Block):
        return tuple(entry.source.calls())
    return (entry.source,) if isinstance(entry.source, int) else ()


def settled(family: Family) -> Family:
    """A family in which activations that are the same ops in all its uses are written out again."""
    places = [
        n
        for n, entry in enumerate(family.base.entries)
        if _choice(entry) is not None and _are_alike(family, n)
    ]
    return Family(tuple(_expanded(use, family.base, places) for use in family.uses)) if places else family


def _choice(entry: Entry | None) -> Choice | None:
    return entry.source if entry is not None and isinstance(entry.source, Choice) else None


def _are_alike(family: Family, place: int) -> bool:
    """Whether all uses have the same activation at a place, or MXNet's op of many with another word."""
    found = [own for use in family.uses if (own := _choice(use.entries[place])) is not None]
    every = {tuple(entry.label for entry in own.entries) for own in found}
    return len({own.form for own in found}) == 1 or (len(every) == 1 and len(found[0].entries) == 1)


def _expanded(use: Use, base: Use, places: Sequence[int]) -> Use:
    entries: list[Entry | None] = []
    for place, entry in enumerate(use.entries):
        if place not in places:
            entries.append(entry)
            continue
        own = _choice(entry)
        length = len(present(_choice(base.entries[place])).entries)
        entries += own.entries if own is not None else [None] * length
    return replace(use, entries=tuple(entries))


# The function ----------------------------------------------------------------------------------------


def chosen(families: Iterable[Family]) -> dict[str, Choice]:
    """The activations that functions are told by a word, in the order in which they are first met."""
    found: dict[str, Choice] = {}
    for family in families:
        for use in family.uses:
            for own in map(_choice, use.entries):
                if own is not None:
                    found.setdefault(own.word, own)
    return found


def call_of_choice(entry: Entry, choice: Choice) -> CallItem:
    """The call of the function for an activation."""
    frame, args, ops = choice.frame, ((ARGUMENT, choice.word),), _ops(choice)
    given = tuple(given for _, given in entry.reads)
    return CallItem(FUNCTION, frame, given, entry.makes, args, frame.prefix, frame.target, (ops[0], ops[-1]))


def function_of_choices(
    structure: Structure, choices: Mapping[str, Choice], item_of: Callable[[Entry], Item]
) -> Function:
    """The function of all activations: those of MXNet's op of many come last, and need no word of ours."""
    calls = structure.program.calls
    of_many = [word for word, own in choices.items() if _is_of_many([calls[index] for index in _ops(own)])]
    words = [*(word for word in choices if word not in of_many), *of_many]
    last = choices[words[-1]]
    bodies = {word: _items(structure, own, last, item_of) for word, own in choices.items()}
    listed = bodies[words[-1]]
    if of_many:
        listed = [replace(of_kind(listed[0], OpItem), attrs=((ARGUMENT, Argument(ARGUMENT)),))]
    guards = [
        GuardItem(ARGUMENT, tuple(bodies[word]), value=word, returns=makes(bodies[word][-1])[0])
        for word in words[:-1]
        if word not in of_many
    ]
    classes = dict.fromkeys(choices[word].frame.cls for word in words)
    return Function(
        FUNCTION,
        replace(last.frame, cls=" or ".join(classes), file="", library=False),
        (_given(structure, last),),
        ("x",),
        frozenset(),
        ((ARGUMENT, tuple(words)),),
        (*guards, *listed),
        makes(listed[-1]),
        last.frame.prefix,
    )


def _ops(choice: Choice) -> tuple[int, ...]:
    return tuple(index for entry in choice.entries for index in _ops_of(entry))


def _items(
    structure: Structure, choice: Choice, last: Choice, item_of: Callable[[Entry], Item]
) -> list[Item]:
    """The statements of an activation, as those of the `last` are called, and on what that is given."""
    given, instead = _given(structure, choice), _given(structure, last)
    frames = structure.program.calls[_ops(last)[0]].source.frames
    start, own = last.frame.prefix, len(choice.frame.prefix)
    items: list[Item] = []
    for entry in choice.entries:
        item = with_reads(item_of(entry), lambda read: instead if read == given else read)
        if isinstance(item, CallItem):
            items.append(replace(item, path=start + item.path[own:]))
        else:
            item = of_kind(item, OpItem)
            source = replace(item.call.source, frames=frames)
            items.append(
                replace(item, call=replace(item.call, name=start + item.call.name[own:], source=source))
            )
    return items


def _given(structure: Structure, choice: Choice) -> Operand:
    """What an activation is of."""
    ops = _ops(choice)
    read = structure.program.calls[ops[0]].operands()
    return next(own for own in read if isinstance(own, Leaf) or own.call not in ops)
