"""A block seen from outside (what it is given, and gives), and its statements, to be compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from codegen.fold.blocks import Block, Structure
from codegen.folded import GENERAL, Given, Many, each
from codegen.identifiers import readable
from codegen.mxnet_ops import spec_of
from codegen.program import Leaf, NamedFrame, Operand, Out, Variable

# What a statement reads: (slot, value). A call of a function lacks what only its lacking parts would read.
Reads: TypeAlias = "tuple[tuple[str | None, Given | None], ...]"


@dataclass(frozen=True)
class Interface:
    """What a block reads from outside, and what others read of it, in the order of first use.

    `join` is the number of the block's Concat that joins its inputs, where they are one list.
    """

    inputs: tuple[Given, ...]
    outputs: tuple[Operand, ...]
    join: int | None = None


@dataclass(frozen=True)
class Run:
    """Calls that do the same, each fed by the one before: how many may differ from use to use."""

    calls: tuple[Entry, ...]
    start: int


@dataclass(frozen=True)
class Choice:
    """The statements of an activation, for which uses of one function may have others: `word` tells which.

    `frame` is its module's, `form` what it computes, whatever it is called.
    """

    word: str
    frame: NamedFrame
    entries: tuple[Entry, ...]
    form: tuple[Any, ...]


@dataclass(frozen=True)
class Entry:
    """One statement of a block, in a form that can be compared with another block's.

    `label` is what must be equal. `source` is the op's number, the Variable, the inner block or blocks, or an
    activation.
    """

    label: tuple[Any, ...]
    reads: Reads
    makes: tuple[Operand, ...]
    source: int | Variable | Block | Run | Choice

    def calls(self) -> tuple[Entry, ...]:
        """The calls of a run; of any other statement itself."""
        return self.source.calls if isinstance(self.source, Run) else (self,)

    def blocks(self) -> tuple[Block, ...]:
        """The blocks that it calls."""
        return tuple(own.source for own in self.calls() if isinstance(own.source, Block))


@dataclass(frozen=True)
class Use:
    """A block as a use of the structure of `base`: for each entry of the base its own, None where it has
    none.

    `inputs` stand in the order of the base's. `merges` are (what a part that this block lacks would make,
    what stands in its place), both in the base's values.
    """

    block: Block
    base: Block
    entries: tuple[Entry | None, ...]
    inputs: tuple[Given | None, ...]
    outputs: tuple[Operand, ...]
    merges: tuple[tuple[Operand, Operand], ...] = ()


# Interfaces -----------------------------------------------------------------------------------------


def interfaces(structure: Structure) -> dict[Block, Interface]:
    """The interface of every block but the root."""
    joins = _joins(structure)
    return {block: _interface(structure, block, joins.get(block)) for block in structure.root.blocks()}


def _interface(structure: Structure, block: Block, join: int | None) -> Interface:
    inside = set(block.calls())
    inputs: tuple[Given, ...] = _inputs(structure, block, inside)
    if join is not None:
        joined = _joined(structure, join)
        inputs = tuple(dict.fromkeys(Many(joined) if o in joined else o for o in inputs))
    return Interface(inputs, _outputs(structure, block, inside), join)


def _inputs(structure: Structure, block: Block, inside: Collection[int]) -> tuple[Operand, ...]:
    """What the ops of a block read from outside, in the order of the author's forward, then of first use."""
    within = {block, *block.blocks()}
    found: dict[Operand, None] = {}
    for index in block.calls():
        for slot, operand in structure.program.calls[index].inputs:
            if isinstance(operand, Out):
                is_given = operand.call not in inside
            else:
                made_inside = slot in structure.automatic[index] or structure.owners[operand.name] in within
                is_given = not made_inside
            if is_given:
                found.setdefault(operand)
    places = {operand: place for place, operand in enumerate(forward_arguments(structure, block.frame))}
    return tuple(sorted(found, key=lambda operand: places.get(operand, len(places))))


def _outputs(structure: Structure, block: Block, inside: Collection[int]) -> tuple[Operand, ...]:
    """What others read of what a block makes, in the order in which it returns that, then of its making."""
    made = (Out(i, output) for i in block.calls() for output in range(structure.program.calls[i].outputs))
    read = [out for out in made if any(u not in inside for u in structure.users.get(out, ()))]
    returned = [structure.values.get((node, index)) for _, node, index in block.frame.results]
    return tuple(sorted(read, key=lambda out: returned.index(out) if out in returned else len(returned)))


def forward_arguments(structure: Structure, frame: NamedFrame) -> dict[Operand, str]:
    """What a call of a module is given, by the names that its forward has for it, in that order."""
    found: dict[Operand, str] = {}
    for name, node, index in frame.arguments:
        operand = structure.values.get((node, index), Leaf(node))
        found.setdefault(operand, "x" if name in GENERAL else readable(name))
    return found


# Lists ----------------------------------------------------------------------------------------------


def _joins(structure: Structure) -> dict[Block, int]:
    """The Concat of each block that joins its inputs, where blocks of its class are given unequal numbers."""
    by_class: dict[str, dict[Block, int]] = {}
    for block in structure.root.blocks():
        join = _join(structure, block)
        if join is not None:
            by_class.setdefault(block.frame.cls, {})[block] = join
    found: dict[Block, int] = {}
    for joins in by_class.values():
        if len({len(_joined(structure, join)) for join in joins.values()}) > 1:
            found |= joins
    return found


def _join(structure: Structure, block: Block) -> int | None:
    """A block's first Concat, if it reads nothing but what comes from outside, and alone reads that."""
    inside = set(block.calls())
    join = next((i for i in block.calls() if structure.program.calls[i].op == "Concat"), None)
    if join is None:
        return None
    joined = _joined(structure, join)
    alone = all([u for u in structure.users[o] if u in inside] == [join] for o in joined)
    outside = all(_comes_from_outside(structure, operand, inside) for operand in joined)
    return join if alone and outside and len(set(joined)) == len(joined) else None


def _joined(structure: Structure, join: int) -> tuple[Operand, ...]:
    return tuple(structure.program.calls[join].operands())


def _comes_from_outside(structure: Structure, operand: Operand, inside: Collection[int]) -> bool:
    if isinstance(operand, Leaf):
        return structure.variables[operand.name].kind == "input"
    return operand.call not in inside


# Statements -----------------------------------------------------------------------------------------


def entries(
    structure: Structure, block: Block, join: int | None = None, uses: Mapping[Block, Use] | None = None
) -> list[Entry]:
    """The statements of a block: its ops, its calls of functions, and before them the Variables that it
    makes.

    `uses` are the blocks that are calls of functions; all others inside are written where they stand.
    """
    uses = uses or {}
    found: list[Entry] = []
    if block is structure.root:
        inputs = (v.name for v in structure.program.inputs if v.name in structure.owners)
        found += [_variable_entry(structure, block, name) for name in inputs]
    makers = {block, *_written_out(block, uses)}
    made = {entry.makes for entry in found}
    for child in _statements(block, uses):
        entry = (
            _call_entry(block, uses[child])
            if isinstance(child, Block)
            else _op_entry(structure, block, child, is_join=child == join)
        )
        for leaf in _leaves(entry.reads):
            if (leaf,) not in made and structure.owners[leaf.name] in makers:
                made.add((leaf,))
                found.append(_variable_entry(structure, block, leaf.name))
        found.append(entry)
    return found


def _leaves(reads: Reads) -> Iterator[Leaf]:
    return (operand for operand in each(given for _, given in reads) if isinstance(operand, Leaf))


def _variable_entry(structure: Structure, block: Block, name: str) -> Entry:
    variable = structure.variables[name]
    label = (
        "variable",
        name[len(block.prefix) :],
        variable.dtype,
        variable.kind,
        variable.trained,
        variable.init,
    )
    return Entry(label, (), (Leaf(name),), variable)


def _call_entry(block: Block, use: Use) -> Entry:
    label = ("call", use.base, use.block.prefix[len(block.prefix) :])
    return Entry(label, tuple((None, given) for given in use.inputs), use.outputs, use.block)


def _op_entry(structure: Structure, block: Block, index: int, is_join: bool) -> Entry:
    call = structure.program.calls[index]
    automatic = structure.automatic[index]
    reads: Reads = tuple((slot, o) for slot, o in call.inputs if slot not in automatic)
    if is_join:
        reads = ((None, Many(_joined(structure, index))),)
    # A bias that MXNet makes by itself hangs on no_bias, which may be an argument.
    made_alike = automatic - {"bias"} if "no_bias" in spec_of(call.op).attrs else automatic
    label = ("op", call.op, call.outputs, call.name[len(block.prefix) :], call.comment, made_alike)
    return Entry(label, reads, tuple(Out(index, i) for i in range(call.outputs)), index)


def _statements(block: Block, uses: Mapping[Block, Use]) -> Iterator[int | Block]:
    """The ops of a block and its calls of functions, in order, through the blocks that are written out."""
    for child in block.children:
        if isinstance(child, Block) and child not in uses:
            yield from _statements(child, uses)
        else:
            yield child


def _written_out(block: Block, uses: Mapping[Block, Use]) -> Iterator[Block]:
    """The blocks inside that are no calls of functions."""
    for child in block.children:
        if isinstance(child, Block) and child not in uses:
            yield child
            yield from _written_out(child, uses)
