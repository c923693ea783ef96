"""Folding: the flat program becomes functions and loops, along the hierarchy of the source.

Given a Program, the result is a Module: one Function for each structure of submodule that is used more
than once, with what differs between its uses as parameters, and a main body. Equality is decided on the
program (ops, dataflow, names relative to the module's path), never on text. Run, the folded code gives
the very symbol that the flat program gives.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from codegen.mxnet_ops import ONES, OPS, REQUIRED, ZEROS
from codegen.names import flat
from codegen.program import Call, Leaf, Operand, Out, Program, Variable
from tracer.ir import Frame

# Parameters of forward that say no more than x.
GENERAL = frozenset(["input", "self", "inputs"])
CONTAINERS = frozenset(["Sequential", "ModuleList", "ModuleDict"])
# The inputs that MXNet makes by itself, under the op's name and these suffixes.
AUTOMATIC = {
    "Convolution": ("weight", "bias"),
    "Deconvolution": ("weight", "bias"),
    "FullyConnected": ("weight", "bias"),
    "BatchNorm": ("gamma", "beta", "moving_mean", "moving_var"),
    "LayerNorm": ("gamma", "beta"),
    "InstanceNorm": ("gamma", "beta"),
    "Embedding": ("weight",),
    "LeakyReLU": ("gamma",),
    "RNN": ("parameters",),
    "SoftmaxOutput": ("label",),
}


@dataclass(frozen=True)
class Parameter:
    """A function's parameter in the place of a value; `factor` writes `4 * num_filter`."""

    name: str
    factor: int = 1


@dataclass(frozen=True)
class OpItem:
    """One call of an MXNet op. `attrs` may hold Parameters."""

    call: Call
    index: int
    attrs: tuple[tuple[str, Any], ...]
    automatic: frozenset[str]


@dataclass(frozen=True)
class VariableItem:
    """A Variable that the code makes by itself; `shape` may be a Parameter."""

    variable: Variable
    shape: Any


@dataclass(frozen=True)
class CallItem:
    """One call of a Function. `args` may hold Parameters; `path` is the module's, with `_`.

    An input is None where the function reads it only in parts that this use does not have.
    """

    function: str
    frame: Frame
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    args: tuple[tuple[str, Any], ...]
    path: str
    target: str
    span: tuple[int, int]


@dataclass(frozen=True)
class LoopItem:
    """A run of calls of one Function, each fed by the one before.

    `carried` are the places of the inputs that the outputs of the call before take; `varying` are the
    arguments that change, with their values, `args` all of them, as the first call that has them gives them.
    """

    calls: tuple[CallItem, ...]
    carried: tuple[tuple[int, int], ...]
    prefix: str
    start: int
    suffix: str
    varying: tuple[tuple[str, tuple[Any, ...]], ...]
    args: tuple[tuple[str, Any], ...]

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """What the last call gives."""
        return self.calls[-1].outputs


@dataclass(frozen=True)
class GuardItem:
    """A part that some uses of a Function do not have: `if flag:`.

    `merges` are (what the part makes, what stands in its place without it).
    """

    flag: str
    items: tuple[Item, ...]
    merges: tuple[tuple[Operand, Operand], ...]


Item: TypeAlias = "OpItem | VariableItem | CallItem | LoopItem | GuardItem"


@dataclass(frozen=True)
class Function:
    """One function of the generated file: parameters, body and results.

    `prefix` is the path of the use that the body was taken from: names in it are relative.
    `parameters` are names with the values that the uses give, `optional` the numbers of inputs that some
    uses do not give. `trait` tells it from other functions of its class.
    """

    name: str
    frame: Frame
    inputs: tuple[Operand, ...]
    input_names: tuple[str, ...]
    optional: frozenset[int]
    parameters: tuple[tuple[str, tuple[Any, ...]], ...]
    items: tuple[Item, ...]
    outputs: tuple[Operand, ...]
    prefix: str
    trait: str = ""


@dataclass(frozen=True)
class Module:
    """The whole file: functions in the order in which they are defined, and the main body."""

    functions: tuple[Function, ...]
    items: tuple[Item, ...]


def fold(program: Program, main: str, reserved: Sequence[str] = ()) -> Module:
    """Fold a program; `main` is the name of its main function."""
    return _Folder(program, {main, *reserved}).module()


def unfolded(program: Program) -> Module:
    """The program as one flat body."""
    return _Folder(program, set()).flat()


# Blocks ----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Block:
    """One call of a module: ops by their index, and the blocks inside."""

    frame: Frame
    items: list[int | Block] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return flat(self.frame.path)

    def calls(self) -> Iterator[int]:
        """Every op inside, in order."""
        for item in self.items:
            if isinstance(item, Block):
                yield from item.calls()
            else:
                yield item

    def blocks(self) -> Iterator[Block]:
        """Every block inside, outer first."""
        for item in self.items:
            if isinstance(item, Block):
                yield item
                yield from item.blocks()


@dataclass(frozen=True)
class Entry:
    """One statement of a block, in a form that can be compared with another block's.

    `label` is what must be equal; `reads` are (slot, operand); `source` is the op's number, the
    Variable or the inner block.
    """

    label: tuple[Any, ...]
    reads: tuple[tuple[str | None, Operand | None], ...]
    makes: tuple[Operand, ...]
    source: int | Variable | Block


@dataclass(frozen=True)
class _Use:
    """A block as one use of a Family: for each entry of the base its own, or None where it has none."""

    block: Block
    entries: tuple[Entry | None, ...]
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    merges: tuple[tuple[Operand, Operand], ...] = ()


@dataclass(eq=False)
class Family:
    """A structure that blocks share, up to parts that some do not have, and the Function made of it."""

    uses: list[_Use]
    name: str = ""
    trait: str = ""
    arguments: dict[int, tuple[tuple[str, Any], ...]] = field(default_factory=dict)

    @property
    def base(self) -> _Use:
        """The use with all parts."""
        return self.uses[0]

    @property
    def cls(self) -> str:
        return self.base.block.frame.cls

    def use_of(self, block: Block) -> int:
        """The number of a block's use."""
        return next(i for i, use in enumerate(self.uses) if use.block is block)

    def pattern(self, place: int) -> frozenset[int]:
        """The uses that do not have an entry of the base."""
        return frozenset(i for i, use in enumerate(self.uses) if use.entries[place] is None)


class _Folder:
    def __init__(self, program: Program, reserved: set[str]) -> None:
        self.program = program
        self.reserved = reserved
        self._variables = {v.name: v for v in program.variables}
        self._values = {(node, index): operand for node, index, operand in program.values}
        self._users = self._find_users()
        self._automatic = self._find_automatic()
        self.root = self._tree()
        self._owners = self._find_owners()
        self._family: dict[int, Family] = {}
        self._interfaces: dict[int, tuple[tuple[Operand, ...], tuple[Operand, ...]]] = {}

    # What is read where ------------------------------------------------------------------------

    def _find_users(self) -> dict[Operand, list[int]]:
        users: dict[Operand, list[int]] = {}
        for index, call in enumerate(self.program.calls):
            for operand in call.operands():
                users.setdefault(operand, []).append(index)
        end = len(self.program.calls)
        for output in self.program.outputs:
            users.setdefault(output.operand, []).append(end)
        return users

    def _find_automatic(self) -> dict[int, frozenset[str]]:
        """For each call, the inputs that MXNet makes by itself under the right name."""
        found = {}
        for index, call in enumerate(self.program.calls):
            slots = {
                slot
                for slot, operand in call.inputs
                if slot in AUTOMATIC.get(call.op, ())
                and isinstance(operand, Leaf)
                and operand.name == f"{call.name}_{slot}"
                and len(self._users[operand]) == 1
                and self._variables[operand.name].dtype == "float32"
            }
            found[index] = frozenset(slots)
        return found

    def _tree(self) -> Block:
        composite = self._composite()
        root = Block(Frame("", self.program.name))
        stack = [root]
        for index, call in enumerate(self.program.calls):
            frames = [f for f in call.source.frames[1:] if (f.path, f.call) in composite]
            depth = 0
            while depth < len(frames) and depth + 1 < len(stack) and stack[depth + 1].frame == frames[depth]:
                depth += 1
            del stack[depth + 1 :]
            for frame in frames[depth:]:
                block = Block(frame)
                stack[-1].items.append(block)
                stack.append(block)
            stack[-1].items.append(index)
        return root

    def _composite(self) -> set[tuple[str, int]]:
        """The module calls that count as blocks: the user's own, and torch's large ones."""
        sizes: dict[tuple[str, int], int] = {}
        frames: dict[tuple[str, int], Frame] = {}
        for call in self.program.calls:
            for frame in call.source.frames:
                key = (frame.path, frame.call)
                sizes[key] = sizes.get(key, 0) + 1
                frames[key] = frame
        bad = {
            (f.path, f.call)
            for c in self.program.calls
            for f in c.source.frames
            if not _is_below(c.name, flat(f.path))
        }
        return {
            key
            for key, frame in frames.items()
            if frame.cls not in CONTAINERS and key not in bad and (not frame.library or sizes[key] >= 2)
        }

    def _find_owners(self) -> dict[str, Block]:
        """For each Variable that the code makes, the innermost block around all its uses."""
        around: dict[int, list[Block]] = {}

        def walk(block: Block, path: list[Block]) -> None:
            for item in block.items:
                if isinstance(item, Block):
                    walk(item, [*path, item])
                else:
                    around[item] = path

        walk(self.root, [self.root])
        owners: dict[str, Block] = {}
        for operand, users in self._users.items():
            if not isinstance(operand, Leaf):
                continue
            owner = self.root
            if self._variables[operand.name].kind != "input" and users[-1] < len(self.program.calls):
                paths = [around[u] for u in users]
                for blocks in zip(*paths, strict=False):
                    if any(b is not blocks[0] for b in blocks):
                        break
                    if _is_below(operand.name, blocks[0].prefix):
                        owner = blocks[0]
            owners[operand.name] = owner
        return owners

    # Structure ---------------------------------------------------------------------------------

    def interface(self, block: Block) -> tuple[tuple[Operand, ...], tuple[Operand, ...]]:
        """(what a block reads from outside, what others read of it), in the order of first use."""
        if id(block) not in self._interfaces:
            self._interfaces[id(block)] = (self._inputs(block), self._outputs(block))
        return self._interfaces[id(block)]

    def _inputs(self, block: Block) -> tuple[Operand, ...]:
        inside = set(block.calls())
        within = {id(block), *(id(b) for b in block.blocks())}
        found: dict[Operand, None] = {}
        for index in block.calls():
            for slot, operand in self.program.calls[index].inputs:
                if isinstance(operand, Out):
                    if operand.call not in inside:
                        found.setdefault(operand)
                elif slot not in self._automatic[index] and id(self._owners[operand.name]) not in within:
                    found.setdefault(operand)
        order = list(self._argument_names(block.frame))
        return tuple(sorted(found, key=lambda o: order.index(o) if o in order else len(order)))

    def _outputs(self, block: Block) -> tuple[Operand, ...]:
        inside = set(block.calls())
        return tuple(
            Out(index, i)
            for index in block.calls()
            for i in range(self.program.calls[index].outputs)
            if any(u not in inside for u in self._users.get(Out(index, i), ()))
        )

    def entries(self, block: Block) -> list[Entry]:
        """The statements of a block: its ops, calls of families, and the Variables that it makes."""
        prefix = len(block.prefix)
        made: set[str] = set()
        found: list[Entry] = []
        owners = {id(block), *(id(b) for b in self._spliced_blocks(block))}

        def variables(operands: Sequence[tuple[str | None, Operand | None]]) -> None:
            for _, operand in operands:
                if not isinstance(operand, Leaf) or operand.name in made:
                    continue
                if id(self._owners[operand.name]) in owners:
                    made.add(operand.name)
                    variable = self._variables[operand.name]
                    label = ("variable", variable.name[prefix:], variable.dtype, variable.kind)
                    found.append(Entry(label, (), (operand,), variable))

        if block is self.root:
            variables([(None, Leaf(v.name)) for v in self.program.inputs if v.name in self._owners])
        for item in self._spliced(block):
            if isinstance(item, Block):
                family = self._family[id(item)]
                use = family.uses[family.use_of(item)]
                reads: tuple[tuple[str | None, Operand | None], ...] = tuple((None, o) for o in use.inputs)
                variables(reads)
                label: tuple[Any, ...] = ("call", id(family), item.prefix[prefix:])
                found.append(Entry(label, reads, use.outputs, item))
            else:
                call = self.program.calls[item]
                automatic = self._automatic[item]
                reads = tuple((s, o) for s, o in call.inputs if s not in automatic)
                variables(reads)
                # A bias that MXNet makes by itself hangs on no_bias, which may be a parameter.
                made_alike = automatic - {"bias"} if "no_bias" in dict(call.attrs) else automatic
                label = ("op", call.op, call.outputs, call.name[prefix:], call.comment, made_alike)
                makes = tuple(Out(item, i) for i in range(call.outputs))
                found.append(Entry(label, reads, makes, item))
        return found

    def _spliced(self, block: Block) -> Iterator[int | Block]:
        """The items of a block, with those blocks that are no use of a family written where they stand."""
        for item in block.items:
            if isinstance(item, Block) and id(item) not in self._family:
                yield from self._spliced(item)
            else:
                yield item

    def _spliced_blocks(self, block: Block) -> Iterator[Block]:
        for item in block.items:
            if isinstance(item, Block) and id(item) not in self._family:
                yield item
                yield from self._spliced_blocks(item)

    # Which structures become functions -----------------------------------------------------------

    def module(self) -> Module:
        """The folded program."""
        inline: set[int] = set()
        while True:
            families = self._families(inline)
            losers = self._losers(families)
            if not losers:
                break
            inline |= {id(use.block) for family in losers for use in family.uses}
        self._name(families)
        functions = [self._function(family) for family in families]
        items = [self._item(e, e) for e in self.entries(self.root)]
        return Module(tuple(functions), tuple(_with_loops(items, self._users)))

    def flat(self) -> Module:
        """The program as one body."""
        self._family = {}
        return Module((), tuple(self._item(e, e) for e in self.entries(self.root)))

    def _families(self, inline: set[int]) -> list[Family]:
        """All families, inner ones first, of the blocks that are not to be inlined."""
        self._family = {}
        levels: dict[int, list[Block]] = {}

        def level_of(block: Block) -> int:
            level = max((level_of(i) for i in block.items if isinstance(i, Block)), default=0)
            if block is self.root or id(block) in inline or not self.interface(block)[1]:
                return level
            levels.setdefault(level + 1, []).append(block)
            return level + 1

        level_of(self.root)
        found: list[Family] = []
        for level in sorted(levels):
            by_class: dict[str, list[Block]] = {}
            for block in levels[level]:
                by_class.setdefault(_plain(block.frame.cls), []).append(block)
            for blocks in by_class.values():
                found += self._grouped(blocks)
        return found

    def _grouped(self, blocks: Sequence[Block]) -> list[Family]:
        """Blocks of one class as families: each has one with all parts as its base."""
        listed = [(block, self.entries(block)) for block in blocks]
        listed.sort(key=lambda pair: -len(pair[1]))
        families: list[Family] = []
        for block, entries in listed:
            for family in families:
                use = _aligned(family.base, entries, block, *self.interface(block))
                if use is not None and _compatible(family, use):
                    family.uses.append(use)
                    break
            else:
                inputs, outputs = self.interface(block)
                families.append(Family([_Use(block, tuple(entries), inputs, outputs)]))
        for family in families:
            for use in family.uses:
                self._family[id(use.block)] = family
        return families

    def _losers(self, families: Sequence[Family]) -> list[Family]:
        """The families that save no statements as functions: they are written where they stand."""
        alone = [f for f in families if len(f.uses) == 1]
        if alone:
            return alone
        sites: dict[int, list[int]] = {id(f): [] for f in families}
        bodies = [self.entries(self.root), *([e for e in f.base.entries if e] for f in families)]
        for body in bodies:
            for entry in body:
                if isinstance(entry.source, Block):
                    family = self._family[id(entry.source)]
                    use = family.uses[family.use_of(entry.source)]
                    sites[id(family)].append(sum(e is not None for e in use.entries))
        once = [f for f in families if len(sites[id(f)]) < 2 and not _is_helper(f)]
        if once:
            return once
        gains = {
            id(f): sum(sites[id(f)]) - (len(f.base.entries) + len(_segments(f)) + 2 + len(sites[id(f)]))
            for f in families
        }
        losing = [f for f in families if gains[id(f)] <= 0 and not _is_helper(f)]
        # The largest first: what stands inside it gets another place when it is inlined.
        return [max(losing, key=lambda f: len(f.base.entries))] if losing else []

    def _name(self, families: Sequence[Family]) -> None:
        for family in sorted(families, key=lambda f: min(min(u.block.calls()) for u in f.uses)):
            family.name = self._function_name(family, families)
            self.reserved.add(family.name)

    def _function_name(self, family: Family, families: Sequence[Family]) -> str:
        from codegen.view import identifier

        base = identifier(_snake(family.cls))
        others = [f for f in families if f is not family and _snake(f.cls) == _snake(family.cls)]
        trait = self._trait(family, others) if others else ""
        family.trait = trait
        name = identifier("_".join([base, *([trait.lower()] if trait else [])]))
        number = 2
        while name in self.reserved:
            name, number = f"{base}_{number}", number + 1
        return name

    def _trait(self, family: Family, others: Sequence[Family]) -> str:
        """A class, an op or a submodule that this family has and others of its class have not; the plainest has none."""
        for parts in (self._classes, self._children):
            own, rest = parts(family), [parts(f) for f in others]
            if all(own < other for other in rest):
                return ""
            rare = Counter(part for other in rest for part in other)
            traits = [part for part in own if rare[part] < len(rest) and part.isidentifier()]
            if traits:
                return min(traits, key=lambda part: (rare[part], len(part), part))
        return ""

    def _classes(self, family: Family) -> frozenset[str]:
        """The classes of modules, and ops of torch, anywhere inside a family's base."""
        block = family.base.block
        depth = block.frame.path.count(".") + bool(block.frame.path)
        found = set()
        for index in block.calls():
            frames = [f for f in self.program.calls[index].source.frames if f.path.count(".") + 1 > depth]
            found |= {f.cls for f in frames if f.cls not in CONTAINERS and f.path != block.frame.path}
        return frozenset(found)

    def _children(self, family: Family) -> frozenset[str]:
        """The names of submodules right below a family's base."""
        path = family.base.block.frame.path
        below = (self.program.calls[i].source.path[len(path) :] for i in family.base.block.calls())
        return frozenset(p.lstrip(".").split(".")[0] for p in below if p)

    # Bodies --------------------------------------------------------------------------------------

    def _item(self, entry: Entry, base: Entry) -> Item:
        """The item of an entry, with literal values everywhere."""
        if isinstance(entry.source, Variable):
            return VariableItem(entry.source, entry.source.shape)
        if isinstance(entry.source, int):
            call = self.program.calls[entry.source]
            return OpItem(call, entry.source, call.attrs, self._automatic[entry.source])
        block = entry.source
        family = self._family[id(block)]
        number = family.use_of(block)
        span = (min(block.calls()), max(block.calls()))
        return CallItem(
            family.name,
            block.frame,
            tuple(o for _, o in entry.reads),
            base.makes,
            family.arguments.get(number, ()),
            block.prefix,
            _outer_target(self.program.calls[span[1]], block.frame),
            span,
        )

    def _function(self, family: Family) -> Function:
        """The Function of a family: what differs between its uses becomes parameters."""
        base = family.base
        flags = _flags(family, self.program)
        table = _Parameters(
            [(name, tuple(i not in p for i in range(len(family.uses)))) for p, name in flags.items()]
        )
        rows: list[tuple[Item, list[tuple[str, _Literal | int]]]] = []
        for place, entry in enumerate(base.entries):
            assert entry is not None
            together = [
                None if (own := use.entries[place]) is None else self._item(own, own) for use in family.uses
            ]
            first = together[0]
            assert first is not None
            row = [(slot, table.place(slot, values, hint)) for slot, values, hint in _slots(together)]
            rows.append((first, row))
        chosen, parameters = table.settled()
        items = [
            _filled(item, [(slot, chosen[p] if isinstance(p, int) else p.value) for slot, p in row])
            for item, row in rows
        ]
        family.arguments = {
            number: tuple((name, values[number]) for name, values in parameters)
            for number in range(len(family.uses))
        }
        inputs = tuple(o for o in base.inputs if o is not None)
        return Function(
            family.name,
            base.block.frame,
            inputs,
            self._input_names(base.block, inputs, {name for name, _ in parameters}),
            frozenset(i for i in range(len(inputs)) if any(u.inputs[i] is None for u in family.uses)),
            tuple(parameters),
            tuple(self._guarded(family, items, flags)),
            base.outputs,
            base.block.prefix,
            family.trait,
        )

    def _guarded(self, family: Family, items: Sequence[Item], flags: dict[frozenset[int], str]) -> list[Item]:
        """The items of a body, with the parts that some uses do not have under their flags."""
        merges = dict(m for use in family.uses for m in use.merges)
        result: list[Item] = []
        plain: list[Item] = []
        for start, end, pattern in _runs(family):
            if not pattern:
                plain += items[start:end]
                continue
            result += _with_loops(plain, self._users)
            plain = []
            made = [o for e in family.base.entries[start:end] if e for o in e.makes]
            inner = tuple(_with_loops(items[start:end], self._users))
            result.append(
                GuardItem(flags[pattern], inner, tuple((o, merges[o]) for o in made if o in merges))
            )
        return result + _with_loops(plain, self._users)

    def _input_names(self, block: Block, inputs: Sequence[Operand], taken: set[str]) -> tuple[str, ...]:
        """The parameters as in the author's forward, else x, y and what Variables are called."""
        from codegen.view import identifier

        known = self._argument_names(block.frame)
        names: list[str] = []
        for i, operand in enumerate(inputs):
            base = "x" if i == 0 else "y"
            if operand in known:
                base = known[operand]
            elif i and isinstance(operand, Leaf):
                base = identifier(operand.name.rsplit("_", 1)[-1])
            name, number = base, 1
            while name in names or name in taken:
                number += 1
                name = f"{base}{number}"
            names.append(name)
        return tuple(names)

    def _argument_names(self, frame: Frame) -> dict[Operand, str]:
        """What a call is given, by the names that its forward has for it, in that order."""
        from codegen.view import identifier

        found: dict[Operand, str] = {}
        for name, node, index in frame.arguments:
            operand = self._values.get((node, index), Leaf(node))
            found.setdefault(operand, "x" if name in GENERAL else identifier(name))
        return found


# Alignment -------------------------------------------------------------------------------------

MAX_FLAGS = 2
SMALLEST_GUARDED = 5
SMALLEST_HELPER = 3
MISSING = object()


def _aligned(
    base: _Use,
    entries: Sequence[Entry],
    block: Block,
    inputs: Sequence[Operand],
    outputs: Sequence[Operand],
) -> _Use | None:
    """`entries` as a use of `base`, which may have parts that they do not have; None if they are not."""
    places: list[Entry | None] = []
    position = 0
    for entry in base.entries:
        assert entry is not None
        own = entries[position] if position < len(entries) else None
        same = own is not None and own.label == entry.label and len(own.reads) == len(entry.reads)
        places.append(own if same else None)
        position += same
    lacking = places.count(None)
    if position < len(entries) or (lacking and 2 * lacking > len(places)):
        return None
    if lacking and len(places) < SMALLEST_GUARDED:
        return None
    match = _Match(base, places, inputs)
    for entry, own in zip(base.entries, places, strict=True):
        if own is not None and entry is not None and not match.entry(entry, own):
            return None
    if len(outputs) != len(base.outputs):
        return None
    if not all(match.operand(b, o) for b, o in zip(base.outputs, outputs, strict=True)):
        return None
    backwards = {b: o for o, b in match.to_base.items()}
    own_inputs = tuple(None if b is None else backwards.get(b) for b in base.inputs)
    if {o for o in own_inputs if o is not None} != set(inputs):
        return None
    return _Use(block, tuple(places), own_inputs, tuple(outputs), tuple(match.merges.items()))


class _Match:
    """Follows the dataflow of two blocks side by side."""

    def __init__(self, base: _Use, places: Sequence[Entry | None], inputs: Sequence[Operand]) -> None:
        self.to_base: dict[Operand, Operand] = {}
        self.merges: dict[Operand, Operand] = {}
        self._inputs = set(inputs)
        self._base_inputs = {o for o in base.inputs if o is not None}
        self._taken: set[Operand] = set()
        self._lacking: dict[Operand, int] = {}
        self._made: dict[Operand, int] = {}
        for number, (entry, own) in enumerate(zip(base.entries, places, strict=True)):
            for operand in entry.makes if entry else ():
                self._made[operand] = number
                if own is None:
                    self._lacking[operand] = number

    def entry(self, base: Entry, own: Entry) -> bool:
        """Match what two entries read, and note what they make."""
        for (base_slot, base_read), (own_slot, own_read) in zip(base.reads, own.reads, strict=True):
            if base_slot != own_slot or (base_read is None and own_read is not None):
                return False
            if own_read is None and base_read in self._lacking:
                return False
            if base_read is not None and own_read is not None and not self.operand(base_read, own_read):
                return False
        if len(base.makes) != len(own.makes):
            return False
        self.to_base.update(zip(own.makes, base.makes, strict=True))
        return True

    def operand(self, base: Operand, own: Operand) -> bool:
        """Whether `own` stands for `base`, or in its place where `base` is made by a lacking part."""
        known = self.to_base.get(own)
        if base in self._lacking:
            if known is None or self._made.get(known, -1) > self._lacking[base]:
                return False
            return self.merges.setdefault(base, known) == known
        if known is not None:
            return known == base
        if own not in self._inputs or base not in self._base_inputs or base in self._taken:
            return False
        self.to_base[own] = base
        self._taken.add(base)
        return True


def _is_helper(family: Family) -> bool:
    """Whether a family is an op or layer of torch that MXNet takes several ops for: it reads better under its name."""
    return family.base.block.frame.library and len(family.base.entries) >= SMALLEST_HELPER


def _compatible(family: Family, use: _Use) -> bool:
    """Whether a family with one more use still reads well, and is right."""
    tried = Family([*family.uses, use])
    merges: dict[Operand, Operand] = {}
    for other in tried.uses:
        for made, instead in other.merges:
            if merges.setdefault(made, instead) != instead:
                return False
    patterns = {tried.pattern(i) for i in range(len(tried.base.entries))} - {frozenset()}
    if len(patterns) > MAX_FLAGS:
        return False
    makers = {o: i for i, e in enumerate(tried.base.entries) if e for o in e.makes}
    for place, entry in enumerate(tried.base.entries):
        for _, operand in entry.reads if entry else ():
            maker = makers.get(operand) if operand is not None else None
            if maker is None or operand in merges:
                continue
            if tried.pattern(maker) not in (frozenset(), tried.pattern(place)):
                return False
    return all(o in merges or not (m := makers.get(o)) or not tried.pattern(m) for o in tried.base.outputs)


def _runs(family: Family) -> list[tuple[int, int, frozenset[int]]]:
    """(start, end, the uses that lack it) of the stretches of the base."""
    runs: list[tuple[int, int, frozenset[int]]] = []
    for place in range(len(family.base.entries)):
        pattern = family.pattern(place)
        if runs and runs[-1][2] == pattern:
            runs[-1] = (runs[-1][0], place + 1, pattern)
        else:
            runs.append((place, place + 1, pattern))
    return runs


def _segments(family: Family) -> list[tuple[int, int, frozenset[int]]]:
    return [run for run in _runs(family) if run[2]]


def _flags(family: Family, program: Program) -> dict[frozenset[int], str]:
    """A name for each set of uses that lack something: after the submodule, or what is done."""
    from codegen.view import identifier

    flags: dict[frozenset[int], str] = {}
    for start, end, pattern in _segments(family):
        if pattern in flags:
            continue
        words = [_word(e, family.base.block, program) for e in family.base.entries[start:end] if e]
        name = identifier(f"with_{next((w for w in words if w), 'part')}")
        while name in flags.values():
            name += "_"
        flags[pattern] = name
    return flags


def _word(entry: Entry, block: Block, program: Program) -> str:
    """What an entry is called in short: the submodule that it stands in, or the op of torch."""
    if isinstance(entry.source, Variable):
        return ""
    inner = entry.source if isinstance(entry.source, Block) else None
    call = program.calls[next(inner.calls()) if inner else entry.source]  # type: ignore[index]
    if inner is not None and inner.frame.op:
        return inner.frame.cls
    path = inner.frame.path if inner is not None else call.source.path
    child = path[len(block.frame.path) :].lstrip(".").split(".")[0]
    if child and not child.isdigit():
        return child
    return re.sub(r"_?\d+$", "", call.name.removeprefix(block.prefix).strip("_").rsplit("_", 1)[-1])


def _snake(cls: str) -> str:
    """A class's name as a function's: BasicBlock is basic_block, ViTLayer vit_layer, ConvBN conv_bn."""
    after_lower = r"(?<=[a-z])(?=[A-Z](?:[a-z\d]|$)|[A-Z]{2,}(?![a-z]))"
    before_word = r"(?<=[A-Z\d])(?=[A-Z][a-z])"
    return re.sub(f"{after_lower}|{before_word}", "_", cls).lower()


def _plain(cls: str) -> str:
    """A class or function of torch by letters alone: GroupNorm and group_norm are one helper."""
    return cls.replace("_", "").lower()


def _is_below(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}_")


def _outer_target(call: Call, frame: Frame) -> str:
    """The author's variable, where the line is the caller's: its frame is not the block's own."""
    own = call.source.frames and call.source.frames[-1] == frame
    return "" if own and not frame.op else call.source.target


# Parameters ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Literal:
    value: Any


class _Parameters:
    """Collects what differs between uses, and names as few parameters as will do.

    A value is `MISSING` where a use does not have the part: any other fits there.
    """

    def __init__(self, flags: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        self._rows: list[tuple[str, tuple[Any, ...], str]] = []
        self._flags = list(flags)

    def place(self, slot: str, values: tuple[Any, ...], hint: str) -> _Literal | int:
        """A literal where all uses agree, else the number of a row to be settled."""
        known = [v for v in values if v is not MISSING] or [MISSING]
        if all(v == known[0] and type(v) is type(known[0]) for v in known):
            return _Literal(known[0])
        self._rows.append((slot, values, hint))
        return len(self._rows) - 1

    def settled(self) -> tuple[dict[int, Parameter], list[tuple[str, tuple[Any, ...]]]]:
        """(row -> Parameter, parameters with their values at each use)."""
        chosen: dict[int, Parameter] = {}
        parameters: list[tuple[str, list[Any]]] = []
        taken: set[str] = {"name", "x", "y", *(name for name, _ in self._flags)}
        # Rows without gaps first: the others may fit one of them.
        order = sorted(range(len(self._rows)), key=lambda n: MISSING in self._rows[n][1])
        names: dict[int, str] = {}
        for number in order:
            slot, values, hint = self._rows[number]
            flag = next((n for n, given in self._flags if all(map(_agree, values, given))), None)
            known = _known(values, parameters) if flag is None else Parameter(flag)
            if known is not None:
                chosen[number] = known
                continue
            name = slot if slot not in taken or hint[:1].isdigit() else f"{hint}_{slot}"
            again = 2
            while name in taken:
                name, again = f"{name.rstrip('0123456789')}{again}", again + 1
            taken.add(name)
            names[number] = name
            parameters.append((name, list(values)))
            chosen[number] = Parameter(name)
        ordered = sorted(parameters, key=lambda p: next(n for n, name in names.items() if name == p[0]))
        return chosen, [*((name, tuple(values)) for name, values in ordered), *self._flags]


def _known(values: tuple[Any, ...], parameters: Sequence[tuple[str, list[Any]]]) -> Parameter | None:
    """The parameter, or a multiple of it, that gives these values."""
    for name, other in parameters:
        if all(_agree(v, o) for v, o in zip(values, other, strict=True)):
            other[:] = [v if o is MISSING else o for v, o in zip(values, other, strict=True)]
            return Parameter(name)
    pairs = [v for v in values if v is not MISSING]
    if not all(type(v) is int and v > 0 for v in pairs):
        return None
    for name, other in parameters:
        if not all(type(o) is int and o > 0 for o in other):
            continue
        if all(v is MISSING or v % o == 0 for v, o in zip(values, other, strict=True)):
            factors = {v // o for v, o in zip(values, other, strict=True) if v is not MISSING}
            if len(factors) == 1:
                return Parameter(name, factors.pop())
    return None


def _agree(one: Any, other: Any) -> bool:
    return one is MISSING or other is MISSING or (type(one) is type(other) and one == other)


def _slots(together: Sequence[Item | None]) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Each value slot of one item: its name, its values at each use, and what tells it from others."""
    first = next(item for item in together if item is not None)
    if isinstance(first, OpItem):
        ops = [item if isinstance(item, OpItem) else None for item in together]
        hint = first.call.name.rsplit("_", 1)[-1]
        for name in _attr_names([i.call for i in ops if i]):
            yield name, tuple(MISSING if i is None else _attr(i.call, name) for i in ops), hint
    elif isinstance(first, VariableItem):
        values = tuple(i.shape if isinstance(i, VariableItem) else MISSING for i in together)
        yield "shape", values, first.variable.name.rsplit("_", 1)[-1]
    elif isinstance(first, CallItem):
        hint = first.path.rsplit("_", 1)[-1]
        for number, (name, _) in enumerate(first.args):
            given = tuple(i.args[number][1] if isinstance(i, CallItem) else MISSING for i in together)
            yield name, given, hint


def _attr_names(calls: Sequence[Call]) -> list[str]:
    """The attributes that any of the calls writes, in the table's order."""
    written = {name for call in calls for name, _ in call.attrs}
    table = OPS[calls[0].op].attrs if calls[0].op in OPS else dict(calls[0].attrs)
    return [name for name in table if name in written]


def _attr(call: Call, name: str) -> Any:
    written = dict(call.attrs)
    if name in written:
        return written[name]
    default = OPS[call.op].attrs[name]
    assert default is not REQUIRED
    if default is ONES or default is ZEROS:
        axes = len(written["kernel"]) if "kernel" in written else 0
        return (1 if default is ONES else 0,) * axes
    return default


def _filled(item: Item, row: Sequence[tuple[str, Any]]) -> Item:
    if isinstance(item, OpItem):
        return OpItem(item.call, item.index, tuple(row), item.automatic)
    if isinstance(item, VariableItem):
        return VariableItem(item.variable, row[0][1])
    assert isinstance(item, CallItem)
    return replace(item, args=tuple(row))


# Loops -----------------------------------------------------------------------------------------


def _with_loops(items: Sequence[Item], users: dict[Operand, list[int]]) -> list[Item]:
    """Runs of calls of one Function, each fed by the one before, become loops."""
    result: list[Item] = []
    position = 0
    while position < len(items):
        run = _run(items, position, users)
        if run is None:
            result.append(items[position])
            position += 1
        else:
            result.append(run)
            position += len(run.calls)
    return result


def _run(items: Sequence[Item], start: int, users: dict[Operand, list[int]]) -> LoopItem | None:
    first = items[start]
    if not isinstance(first, CallItem) or not first.outputs:
        return None
    best: LoopItem | None = None
    for prefix, number, suffix in _numbers(first.path):
        calls = [first]
        carried: tuple[tuple[int, int], ...] | None = None
        for item in items[start + 1 :]:
            if not isinstance(item, CallItem) or item.function != first.function:
                break
            if item.path != f"{prefix}{number + len(calls)}{suffix}":
                break
            link = _link(calls[-1], item)
            if link is None or (carried is not None and link != carried):
                break
            if not _only_feeds(calls[-1], item, users):
                break
            carried = link
            calls.append(item)
        calls = _even(calls)
        if len(calls) > 1 and carried is not None and (best is None or len(calls) > len(best.calls)):
            best = LoopItem(tuple(calls), carried, prefix, number, suffix, *_varying(calls))
    return best


def _even(calls: list[CallItem]) -> list[CallItem]:
    """The run as far as a loop reads well: equal arguments, or at least three that change in few places."""
    same = 1
    while same < len(calls) and not _varying(calls[: same + 1])[0]:
        same += 1
    if same > 1 or len(calls) < 3:
        return calls[:same]
    if not _varying(calls[1:])[0]:
        return calls[:1]
    varying = _varying(calls)[0]
    if len(varying) > 2 or any(_holds_parameter(v) for _, values in varying for v in values):
        return calls[:1]
    return calls


def _holds_parameter(value: Any) -> bool:
    return isinstance(value, Parameter) or (
        isinstance(value, tuple) and any(isinstance(v, Parameter) for v in value)
    )


def _varying(
    calls: Sequence[CallItem],
) -> tuple[tuple[tuple[str, tuple[Any, ...]], ...], tuple[tuple[str, Any], ...]]:
    """(the arguments that change, with their values; all arguments). Any value does for a call that lacks the part."""
    rows, args = [], []
    for number, (name, _) in enumerate(calls[0].args):
        values = tuple(c.args[number][1] for c in calls)
        known = [v for v in values if v is not MISSING] or [MISSING]
        args.append((name, known[0]))
        if any(v != known[0] for v in known):
            rows.append((name, tuple(None if v is MISSING else v for v in values)))
    return tuple(rows), tuple(args)


def _numbers(path: str) -> Iterator[tuple[str, int, str]]:
    for match in reversed(list(re.finditer(r"(?:(?<=_)|(?<=[A-Za-z]))(0|[1-9]\d*)(?=_|$)", path))):
        yield path[: match.start()], int(match.group()), path[match.end() :]


def _link(before: CallItem, after: CallItem) -> tuple[tuple[int, int], ...] | None:
    """Which inputs of `after` are outputs of `before`; None unless all others are the same."""
    if len(before.inputs) != len(after.inputs):
        return None
    link = []
    for place, (old, new) in enumerate(zip(before.inputs, after.inputs, strict=True)):
        if new in before.outputs:
            link.append((place, before.outputs.index(new)))
        elif old != new:
            return None
    return tuple(link) if len(link) == len(before.outputs) else None


def _only_feeds(before: CallItem, after: CallItem, users: dict[Operand, list[int]]) -> bool:
    """Whether nothing but `after` reads what `before` gives."""
    low, high = after.span
    return all(low <= u <= high for o in before.outputs for u in users.get(o, ()))
