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
from typing import Any

from codegen.fold.align import aligned, compatible
from codegen.fold.arguments import Literal, Parameters, filled, slots
from codegen.fold.blocks import Block, is_below, is_sequence, least_size
from codegen.fold.bodies import last_words
from codegen.fold.families import Entry, Family, Use, flags_of, is_named, is_part, runs, segments
from codegen.fold.function_names import CONTAINERS, MOST_WORDS, SHORT, plain, snake
from codegen.fold.loops import with_loops
from codegen.folded import (
    GENERAL,
    LIST,
    CallItem,
    Function,
    Given,
    GuardItem,
    Item,
    Many,
    Module,
    OpItem,
    VariableItem,
    each,
)
from codegen.identifiers import identifier
from codegen.mxnet_ops import automatic_inputs
from codegen.program import Leaf, NamedFrame, Operand, Out, Program, Variable

# Classes that hold each other have no common level: their blocks are then matched where they stand.
MAX_DEPTH = 60


def fold(program: Program, main: str, reserved: Sequence[str] = ()) -> Module:
    """Fold a program; `main` is the name of its main function."""
    return _Folder(program, {main, *reserved}).module()


def unfolded(program: Program) -> Module:
    """The program as one flat body."""
    return _Folder(program, set()).flat()


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
        self._interfaces: dict[int, tuple[tuple[Given, ...], tuple[Operand, ...]]] = {}
        self._joins = self._find_joins()

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
                if slot in automatic_inputs(call.op)
                and isinstance(operand, Leaf)
                and operand.name == f"{call.name}_{slot}"
                and len(self._users[operand]) == 1
                and self._variables[operand.name].dtype == "float32"
                and not self._is_guessed_wrong(call.op, operand.name)
            }
            found[index] = frozenset(slots)
        return found

    def _is_guessed_wrong(self, op: str, name: str) -> bool:
        """Whether MXNet takes another shape for a parameter than it has: PReLU's one slope for (C,)."""
        return op == "LeakyReLU" and self._variables[name].shape == (1,)

    def _tree(self) -> Block:
        composite = self._composite()
        root = Block(NamedFrame("", self.program.name))
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
        frames: dict[tuple[str, int], NamedFrame] = {}
        for call in self.program.calls:
            for frame in call.source.frames:
                key = (frame.path, frame.call)
                sizes[key] = sizes.get(key, 0) + 1
                frames[key] = frame
        bad = {
            (f.path, f.call)
            for c in self.program.calls
            for f in c.source.frames
            if not is_below(c.name, f.prefix)
        }
        # A Sequential of the author's modules is a stage: what repeats stands inside it.
        bad |= {
            (frame.path, frame.call)
            for call in self.program.calls
            for depth, frame in enumerate(call.source.frames)
            if is_sequence(frame) and not all(inner.library for inner in call.source.frames[depth:])
        }
        return {key for key, frame in frames.items() if key not in bad and sizes[key] >= least_size(frame)}

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
                    if is_below(operand.name, blocks[0].prefix):
                        owner = blocks[0]
            owners[operand.name] = owner
        return owners

    # Structure ---------------------------------------------------------------------------------

    def interface(self, block: Block) -> tuple[tuple[Given, ...], tuple[Operand, ...]]:
        """(what a block reads from outside, what others read of it), in the order of first use."""
        if id(block) not in self._interfaces:
            self._interfaces[id(block)] = (self._given(block), self._outputs(block))
        return self._interfaces[id(block)]

    def _given(self, block: Block) -> tuple[Given, ...]:
        """The inputs of a block, those that it joins as one list."""
        inputs = self._inputs(block)
        if id(block) not in self._joins:
            return inputs
        joined = self._joined(self._joins[id(block)])
        return tuple(dict.fromkeys(Many(joined) if o in joined else o for o in inputs))

    def _joined(self, index: int) -> tuple[Operand, ...]:
        return tuple(operand for _, operand in self.program.calls[index].inputs)

    def _is_given(self, operand: Operand, inside: set[int]) -> bool:
        if isinstance(operand, Leaf):
            return self._variables[operand.name].kind == "input"
        return operand.call not in inside

    def _find_joins(self) -> dict[int, int]:
        """The Concat of each block that joins what it is given, where blocks of its class are given unequal numbers."""
        by_class: dict[str, list[tuple[Block, int | None]]] = {}
        for block in self.root.blocks():
            by_class.setdefault(block.frame.cls, []).append((block, self._join(block)))
        found: dict[int, int] = {}
        for pairs in by_class.values():
            joins = {id(block): join for block, join in pairs if join is not None}
            if len({len(self._joined(join)) for join in joins.values()}) > 1:
                found |= joins
        return found

    def _join(self, block: Block) -> int | None:
        """The first Concat of a block, if all that it reads comes from outside, and nothing else in the block reads it."""
        inside = set(block.calls())
        join = next((i for i in block.calls() if self.program.calls[i].op == "Concat"), None)
        if join is None:
            return None
        joined = self._joined(join)
        alone = all([u for u in self._users[o] if u in inside] == [join] for o in joined)
        outside = all(self._is_given(operand, inside) for operand in joined)
        return join if alone and outside and len(set(joined)) == len(joined) else None

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

        def variables(operands: Sequence[tuple[str | None, Given | None]]) -> None:
            for operand in each(o for _, o in operands):
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
                reads: tuple[tuple[str | None, Given | None], ...] = tuple((None, o) for o in use.inputs)
                variables(reads)
                label: tuple[Any, ...] = ("call", id(family), item.prefix[prefix:])
                found.append(Entry(label, reads, use.outputs, item))
            else:
                call = self.program.calls[item]
                automatic = self._automatic[item]
                reads = tuple((s, o) for s, o in call.inputs if s not in automatic)
                if self._joins.get(id(block)) == item:
                    reads = ((None, Many(self._joined(item))),)
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
        return Module(tuple(functions), tuple(with_loops(items, self._users)))

    def flat(self) -> Module:
        """The program as one body."""
        self._family = {}
        return Module((), tuple(self._item(e, e) for e in self.entries(self.root)))

    def _families(self, inline: set[int]) -> list[Family]:
        """All families, inner ones first, of the blocks that are not to be inlined."""
        self._family = {}
        levels = self._levels(inline)
        found: list[Family] = []
        for level in sorted(levels):
            by_class: dict[str, list[Block]] = {}
            for block in levels[level]:
                by_class.setdefault(plain(block.frame.cls), []).append(block)
            for blocks in by_class.values():
                found += self._grouped(blocks)
        return found

    def _levels(self, inline: set[int]) -> dict[int, list[Block]]:
        """The blocks that are not inlined by how deep they nest: those of one class together, where none is in another."""
        nested = {b.frame.cls for a in self.root.blocks() for b in a.blocks() if a.frame.cls == b.frame.cls}
        floor: dict[str, int] = {}
        while True:
            levels: dict[int, list[Block]] = {}
            self._level_of(self.root, inline, floor, levels)
            higher = {b.frame.cls: level for level in sorted(levels) for b in levels[level]}
            higher = {cls: level for cls, level in higher.items() if cls not in nested}
            if higher == floor or max(levels, default=0) > MAX_DEPTH:
                return levels
            floor = higher

    def _level_of(
        self, block: Block, inline: set[int], floor: dict[str, int], levels: dict[int, list[Block]]
    ) -> int:
        inner = (self._level_of(i, inline, floor, levels) for i in block.items if isinstance(i, Block))
        level = max(inner, default=0)
        if block is self.root or id(block) in inline or not self.interface(block)[1]:
            return level
        level = max(level + 1, floor.get(block.frame.cls, 0))
        levels.setdefault(level, []).append(block)
        return level

    def _grouped(self, blocks: Sequence[Block]) -> list[Family]:
        """Blocks of one class as families: each has one with all parts as its base."""
        listed = [(block, self.entries(block)) for block in blocks]
        listed.sort(key=lambda pair: -len(pair[1]))
        families: list[Family] = []
        for block, entries in listed:
            for family in families:
                use = aligned(family.base, entries, block, *self.interface(block))
                if use is not None and compatible(family, use):
                    family.uses.append(use)
                    break
            else:
                inputs, outputs = self.interface(block)
                families.append(Family([Use(block, tuple(entries), inputs, outputs)]))
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
        named = {id(f) for f in families if is_named(f, self.program)}
        once = [f for f in families if len(sites[id(f)]) < 2 and id(f) not in named]
        if once:
            return once
        gains = {
            id(f): sum(sites[id(f)]) - (len(f.base.entries) + len(segments(f)) + 2 + len(sites[id(f)]))
            for f in families
        }
        least = {id(f): -2 if is_part(f, self.program) else 1 for f in families}
        losing = [f for f in families if gains[id(f)] < least[id(f)] and id(f) not in named]
        # The largest first: what stands inside it gets another place when it is inlined.
        return [max(losing, key=lambda f: len(f.base.entries))] if losing else []

    def _name(self, families: Sequence[Family]) -> None:
        for family in sorted(families, key=lambda f: min(min(u.block.calls()) for u in f.uses)):
            family.name = self._function_name(family, families)
            self.reserved.add(family.name)

    def _function_name(self, family: Family, families: Sequence[Family]) -> str:
        base = identifier(self._stem(family))
        others = [f for f in families if f is not family and self._stem(f) == self._stem(family)]
        trait = self._trait(family, others) if others else ""
        family.trait = trait
        name = identifier("_".join([base, *([trait.lower()] if trait else [])]))
        number = 2
        while name in self.reserved:
            name, number = f"{base}_{number}", number + 1
        return name

    def _stem(self, family: Family) -> str:
        """What a function is called after: its class, or of a Sequential what it holds."""
        frame = family.base.block.frame
        if not is_sequence(frame):
            return snake(family.cls)
        held = self._held(family)
        plainly = (re.sub(r"[A-Z][A-Za-z]?LU", lambda m: m.group().capitalize(), cls) for cls in held)
        words = [SHORT.get(word, word) for word in (snake(re.sub(r"\dd$", "", cls)) for cls in plainly)]
        if len(words) <= MOST_WORDS:
            return "_".join(words)
        place = frame.path.rpartition(".")[2]
        return "sequence" if place[:1].isdigit() else snake(place)

    def _held(self, family: Family) -> list[str]:
        """The classes that a Sequential holds, in order, of those alike one after another one."""
        block = family.base.block
        frames = [self.program.calls[index].source.frames for index in block.calls()]
        depth = next(i for i, frame in enumerate(frames[0]) if frame == block.frame) + 1
        held = [own[depth].cls for own in frames if len(own) > depth]
        return [cls for cls, before in zip(held, ["", *held], strict=False) if cls != before]

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
            self.program.calls[span[1]].source.target if block.frame.op else block.frame.target,
            span,
        )

    def _function(self, family: Family) -> Function:
        """The Function of a family: what differs between its uses becomes parameters."""
        base = family.base
        flags = flags_of(family, self.program)
        table = Parameters(
            [(name, tuple(i not in p for i in range(len(family.uses)))) for p, name in flags.items()]
        )
        rows: list[tuple[Item, list[tuple[str, Literal | int]]]] = []
        for place, entry in enumerate(base.entries):
            assert entry is not None
            together = [
                None if (own := use.entries[place]) is None else self._item(own, own) for use in family.uses
            ]
            first = together[0]
            assert first is not None
            handed_on = isinstance(first, CallItem)
            row = [
                (slot, table.place(slot, values, hint, handed_on)) for slot, values, hint in slots(together)
            ]
            rows.append((first, row))
        chosen, parameters = table.settled()
        items = [
            filled(item, [(slot, chosen[p] if isinstance(p, int) else p.value) for slot, p in row])
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
            tuple(self._held(family)) if is_sequence(base.block.frame) else (),
        )

    def _guarded(self, family: Family, items: Sequence[Item], flags: dict[frozenset[int], str]) -> list[Item]:
        """The items of a body, with the parts that some uses do not have under their flags."""
        merges = dict(m for use in family.uses for m in use.merges)
        result: list[Item] = []
        plain: list[Item] = []
        for start, end, pattern in runs(family):
            if not pattern:
                plain += items[start:end]
                continue
            result += with_loops(plain, self._users)
            plain = []
            made = [o for e in family.base.entries[start:end] if e for o in e.makes]
            inner = tuple(with_loops(items[start:end], self._users))
            result.append(
                GuardItem(flags[pattern], inner, tuple((o, merges[o]) for o in made if o in merges))
            )
        return result + with_loops(plain, self._users)

    def _input_names(self, block: Block, inputs: Sequence[Given], taken: set[str]) -> tuple[str, ...]:
        """The parameters as in the author's forward, else x, y and what Variables are called."""
        known = self._argument_names(block.frame)
        names: list[str] = []
        for i, operand in enumerate(inputs):
            base = "x" if i == 0 else "y"
            if isinstance(operand, Many):
                base = known.get(operand.items[0], "x")
                base = LIST if base == "x" else base
            elif operand in known:
                base = known[operand]
            elif i and isinstance(operand, Leaf):
                base = identifier(last_words(operand.name))
            name, number = base, 1
            while name in names or name in taken:
                number += 1
                name = f"{base}{number}"
            names.append(name)
        return tuple(names)

    def _argument_names(self, frame: NamedFrame) -> dict[Operand, str]:
        """What a call is given, by the names that its forward has for it, in that order."""
        found: dict[Operand, str] = {}
        for name, node, index in frame.arguments:
            operand = self._values.get((node, index), Leaf(node))
            found.setdefault(operand, "x" if name in GENERAL else identifier(name))
        return found
