"""Folding: the flat program becomes functions and loops, along the hierarchy of the source.

Given a Program, the result is a Module: one Function for each structure of submodule that is used more
than once, with what differs between its uses as parameters, and a main body. Equality is decided on the
program (ops, dataflow, names relative to the module's path), never on text. Run, the folded code gives
the very symbol that the flat program gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from codegen.mxnet_ops import ONES, OPS, REQUIRED, ZEROS
from codegen.names import flat
from codegen.program import Call, Leaf, Operand, Out, Program, Variable
from tracer.ir import Frame

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
    """One call of a Function. `args` may hold Parameters; `path` is the module's, with `_`."""

    function: str
    frame: Frame
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    args: tuple[tuple[str, Any], ...]
    path: str
    target: str
    span: tuple[int, int]


@dataclass(frozen=True)
class LoopItem:
    """A run of calls of one Function, each fed by the one before.

    `carried` are the places of the inputs that the outputs of the call before take; `varying` are the
    arguments that change, with their values.
    """

    calls: tuple[CallItem, ...]
    carried: tuple[tuple[int, int], ...]
    prefix: str
    start: int
    suffix: str
    varying: tuple[tuple[str, tuple[Any, ...]], ...]

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """What the last call gives."""
        return self.calls[-1].outputs


Item: TypeAlias = "OpItem | VariableItem | CallItem | LoopItem"


@dataclass(frozen=True)
class Function:
    """One function of the generated file: parameters, body and results.

    `prefix` is the path of the use that the body was taken from: names in it are relative.
    `parameters` are names with the values that the uses give.
    """

    name: str
    frame: Frame
    inputs: tuple[Operand, ...]
    input_names: tuple[str, ...]
    parameters: tuple[tuple[str, tuple[Any, ...]], ...]
    items: tuple[Item, ...]
    outputs: tuple[Operand, ...]
    prefix: str


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
    folder = _Folder(program, set())
    return Module((), tuple(folder.body(folder.root, frozenset())))


# Blocks ----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Block:
    """One call of a module: ops by their index, and the blocks inside."""

    frame: Frame
    items: list[int | Block] = field(default_factory=list)
    key: Any = None

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


@dataclass
class _Kind:
    """A structure that several blocks share, and the Function made of it."""

    blocks: list[Block]
    name: str = ""
    function: Function | None = None
    arguments: dict[int, tuple[tuple[str, Any], ...]] = field(default_factory=dict)


class _Folder:
    def __init__(self, program: Program, reserved: set[str]) -> None:
        self.program = program
        self.reserved = reserved
        self._variables = {v.name: v for v in program.variables}
        self._users = self._find_users()
        self._automatic = self._find_automatic()
        self.root = self._tree()
        self._owners = self._find_owners()
        self._kinds: dict[Any, _Kind] = {}

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
            if frame.cls not in CONTAINERS and key not in bad and (not frame.library or sizes[key] >= 3)
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

    def inputs(self, block: Block) -> list[Operand]:
        """What a block reads from outside, in the order of first use."""
        inside = set(block.calls())
        within = [block, *block.blocks()]
        found: dict[Operand, None] = {}
        for index in block.calls():
            for slot, operand in self.program.calls[index].inputs:
                if isinstance(operand, Out):
                    if operand.call not in inside:
                        found.setdefault(operand)
                elif slot not in self._automatic[index] and not any(
                    self._owners[operand.name] is b for b in within
                ):
                    found.setdefault(operand)
        return list(found)

    def outputs(self, block: Block) -> list[Operand]:
        """What others read of a block, in the order in which it is made."""
        inside = set(block.calls())
        return [
            Out(index, i)
            for index in block.calls()
            for i in range(self.program.calls[index].outputs)
            if any(u not in inside for u in self._users.get(Out(index, i), ()))
        ]

    def structure(self, block: Block) -> Any:
        """The key under which blocks are equal: everything but the values of attributes."""
        inputs = {operand: i for i, operand in enumerate(self.inputs(block))}
        places = {index: i for i, index in enumerate(block.calls())}
        prefix = len(block.prefix)
        depths: dict[int, tuple[Any, ...]] = {}

        def nested(inner: Block, path: tuple[Any, ...]) -> None:
            for item in inner.items:
                if isinstance(item, Block):
                    nested(item, (*path, (item.prefix[prefix:], item.frame.cls)))
                else:
                    depths[item] = path

        nested(block, ())

        def reference(index: int, slot: str | None, operand: Operand) -> Any:
            if isinstance(operand, Out) and operand.call in places:
                return (places[operand.call], operand.index)
            if operand in inputs:
                return inputs[operand]
            return "automatic" if slot in self._automatic[index] else operand.name[prefix:]  # type: ignore[union-attr]

        calls = tuple(
            (
                call.op,
                call.outputs,
                call.name[prefix:],
                call.comment,
                depths[index],
                tuple((slot, reference(index, slot, operand)) for slot, operand in call.inputs),
            )
            for index, call in ((i, self.program.calls[i]) for i in block.calls())
        )
        outputs = tuple((places[o.call], o.index) for o in self.outputs(block) if isinstance(o, Out))
        return (block.frame.cls, calls, outputs)

    # Which structures become functions -----------------------------------------------------------

    def module(self) -> Module:
        """The folded program."""
        kinds: dict[Any, _Kind] = {}
        for block in self.root.blocks():
            block.key = self.structure(block)
            kinds.setdefault(block.key, _Kind([])).blocks.append(block)
        self._kinds = {k: v for k, v in kinds.items() if len(v.blocks) > 1 and self.outputs(v.blocks[0])}
        kept = self._worthwhile(frozenset(self._kinds))
        ordered = sorted(kept, key=lambda k: len(k[1]))
        self._name(ordered)
        functions = [self._function(key, kept) for key in ordered]
        return Module(tuple(functions), tuple(_with_loops(self.body(self.root, kept), self._users)))

    def _worthwhile(self, kept: frozenset[Any]) -> frozenset[Any]:
        """The structures that save statements as functions; the others are written where they stand."""
        while True:
            sites = dict.fromkeys(kept, 0)
            sizes = {}
            bodies = [self.root, *(self._kinds[k].blocks[0] for k in kept)]
            for block in bodies:
                size = 0
                for item in self._spliced(block, kept):
                    size += 1
                    if isinstance(item, Block):
                        sites[item.key] += 1
                sizes[block.key] = size
            gains = {k: sites[k] * sizes[k] - (sizes[k] + 2 + sites[k]) for k in kept}
            losers = [k for k in kept if gains[k] <= 0]
            if not losers:
                return kept
            # The largest first: what stands inside it gets another place when it is inlined.
            kept = kept - {max(losers, key=lambda k: (len(k[1]), repr(k)))}

    def _spliced(self, block: Block, kept: frozenset[Any]) -> Iterator[int | Block]:
        for item in block.items:
            if isinstance(item, Block) and item.key not in kept:
                yield from self._spliced(item, kept)
            else:
                yield item

    def _name(self, ordered: Sequence[Any]) -> None:
        order = {k: min(next(b.calls()) for b in self._kinds[k].blocks) for k in ordered}
        for key in sorted(ordered, key=lambda k: order[k]):
            name = self._function_name(key)
            self._kinds[key].name = name
            self.reserved.add(name)

    def _function_name(self, key: Any) -> str:
        from codegen.view import identifier

        cls: str = key[0]
        base = identifier(re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", cls).lower())
        if base not in self.reserved:
            return base
        extra = self._own_child(key)
        if extra and f"{base}_{extra}" not in self.reserved:
            return f"{base}_{extra}"
        number = 2
        while f"{base}_{number}" in self.reserved:
            number += 1
        return f"{base}_{number}"

    def _own_child(self, key: Any) -> str:
        """A submodule that only this structure of its class has: `downsample`."""
        from codegen.view import identifier

        def children(k: Any) -> set[str]:
            return {re.split(r"_(?=[a-z0-9]+$)", c[2].strip("_"))[0] for c in k[1]}

        others = [k for k in self._kinds if k[0] == key[0] and k is not key and self._kinds[k].name]
        own = children(key).difference(*(children(k) for k in others))
        return identifier(min(own, key=lambda s: (len(s), s))) if own else ""

    # Bodies --------------------------------------------------------------------------------------

    def body(self, block: Block, kept: frozenset[Any]) -> list[Item]:
        """The items of one block, with literal values everywhere."""
        items: list[Item] = []
        made: set[str] = set()

        def variables(operands: Sequence[tuple[Any, Operand]], automatic: frozenset[str]) -> None:
            for slot, operand in operands:
                if not isinstance(operand, Leaf) or operand.name in made or slot in automatic:
                    continue
                if self._makes(block, operand.name, kept):
                    made.add(operand.name)
                    variable = self._variables[operand.name]
                    items.append(VariableItem(variable, variable.shape))

        if block is self.root:
            variables([(None, Leaf(v.name)) for v in self.program.inputs], frozenset())
        for item in self._spliced(block, kept):
            if isinstance(item, Block):
                inputs = self.inputs(item)
                variables([(None, o) for o in inputs], frozenset())
                items.append(self._call_item(item, inputs))
            else:
                call = self.program.calls[item]
                variables(call.inputs, self._automatic[item])
                items.append(OpItem(call, item, call.attrs, self._automatic[item]))
        return items

    def _makes(self, block: Block, name: str, kept: frozenset[Any]) -> bool:
        """Whether the body of `block` makes this Variable: its owner is spliced into it."""
        owner = self._owners[name]
        if owner is block:
            return True
        return any(b is owner for b in self._spliced_blocks(block, kept))

    def _spliced_blocks(self, block: Block, kept: frozenset[Any]) -> Iterator[Block]:
        for item in block.items:
            if isinstance(item, Block) and item.key not in kept:
                yield item
                yield from self._spliced_blocks(item, kept)

    def _call_item(self, block: Block, inputs: list[Operand]) -> CallItem:
        kind = self._kinds[block.key]
        number = next(i for i, b in enumerate(kind.blocks) if b is block)
        span = (min(block.calls()), max(block.calls()))
        target = _outer_target(self.program.calls[span[1]], block.frame)
        args = kind.arguments.get(number, ())
        outputs = tuple(self.outputs(block))
        return CallItem(kind.name, block.frame, tuple(inputs), outputs, args, block.prefix, target, span)

    def _function(self, key: Any, kept: frozenset[Any]) -> Function:
        """The Function of a structure: what differs between its uses becomes parameters."""
        kind = self._kinds[key]
        first = kind.blocks[0]
        bodies = [self.body(b, kept) for b in kind.blocks]
        table = _Parameters()
        places: list[list[tuple[str, Any]]] = []
        for together in zip(*bodies, strict=True):
            places.append([(slot, table.place(slot, values, hint)) for slot, values, hint in _slots(together)])
        chosen, parameters = table.settled()
        items = [
            _filled(item, [(slot, chosen.get(place, place) if isinstance(place, int) else place.value) for slot, place in row])
            for item, row in zip(bodies[0], places, strict=True)
        ]
        kind.arguments = {
            number: tuple((name, values[number]) for name, values in parameters)
            for number in range(len(kind.blocks))
        }
        inputs = tuple(self.inputs(first))
        function = Function(
            kind.name,
            first.frame,
            inputs,
            self._input_names(first, inputs),
            tuple(parameters),
            tuple(_with_loops(items, self._users)),
            tuple(self.outputs(first)),
            first.prefix,
        )
        kind.function = function
        return function

    def _input_names(self, block: Block, inputs: Sequence[Operand]) -> tuple[str, ...]:
        from codegen.view import identifier

        names: list[str] = []
        for i, operand in enumerate(inputs):
            base = "x" if i == 0 else ""
            if not base and isinstance(operand, Leaf):
                base = identifier(operand.name.rsplit("_", 1)[-1])
            base = base or "y"
            name, number = base, 1
            while name in names:
                number += 1
                name = f"{base}{number}"
            names.append(name)
        return tuple(names)


def _is_below(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}_")


def _outer_target(call: Call, frame: Frame) -> str:
    """The author's variable, where the line is the caller's: its frame is not the block's own."""
    return call.source.target if call.source.frames and call.source.frames[-1] != frame else ""


# Parameters ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Literal:
    value: Any


class _Parameters:
    """Collects what differs between uses, and names as few parameters as will do."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, tuple[Any, ...], str]] = []

    def place(self, slot: str, values: tuple[Any, ...], hint: str) -> _Literal | int:
        """A literal where all uses agree, else the number of a row to be settled."""
        if all(v == values[0] and type(v) is type(values[0]) for v in values):
            return _Literal(values[0])
        self._rows.append((slot, values, hint))
        return len(self._rows) - 1

    def settled(self) -> tuple[dict[int, Parameter], list[tuple[str, tuple[Any, ...]]]]:
        """(row -> Parameter, parameters with their values at each use)."""
        chosen: dict[int, Parameter] = {}
        parameters: list[tuple[str, tuple[Any, ...]]] = []
        taken: set[str] = {"name", "x", "y"}
        for number, (slot, values, hint) in enumerate(self._rows):
            known = self._known(values, parameters)
            if known is not None:
                chosen[number] = known
                continue
            name = slot if slot not in taken else f"{hint}_{slot}" if not hint[:1].isdigit() else slot
            again = 2
            while name in taken:
                name, again = f"{name.rstrip('0123456789')}{again}", again + 1
            taken.add(name)
            parameters.append((name, values))
            chosen[number] = Parameter(name)
        return chosen, parameters

    @staticmethod
    def _known(values: tuple[Any, ...], parameters: Sequence[tuple[str, tuple[Any, ...]]]) -> Parameter | None:
        for name, other in parameters:
            if other == values and all(type(a) is type(b) for a, b in zip(other, values, strict=True)):
                return Parameter(name)
        if not all(type(v) is int and v > 0 for v in values):
            return None
        for name, other in parameters:
            if all(type(o) is int and o > 0 and v % o == 0 for v, o in zip(values, other, strict=True)):
                factors = {v // o for v, o in zip(values, other, strict=True)}
                if len(factors) == 1:
                    return Parameter(name, factors.pop())
        return None


def _slots(together: Sequence[Item]) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Each value slot of one item: its name, its values at each use, and what tells it from others."""
    first = together[0]
    if isinstance(first, OpItem):
        names = _attr_names([i.call for i in together if isinstance(i, OpItem)])
        hint = first.call.name.rsplit("_", 1)[-1]
        for name in names:
            yield name, tuple(_attr(i.call, name) for i in together if isinstance(i, OpItem)), hint
    elif isinstance(first, VariableItem):
        values = tuple(i.shape for i in together if isinstance(i, VariableItem))
        yield "shape", values, first.variable.name.rsplit("_", 1)[-1]
    elif isinstance(first, CallItem):
        hint = first.path.rsplit("_", 1)[-1]
        for number, (name, _) in enumerate(first.args):
            yield name, tuple(i.args[number][1] for i in together if isinstance(i, CallItem)), hint


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
            best = LoopItem(tuple(calls), carried, prefix, number, suffix, _varying(calls))
    return best


def _even(calls: list[CallItem]) -> list[CallItem]:
    """The run as far as a loop reads well: equal arguments, or at least three that change in few places."""
    same = 1
    while same < len(calls) and calls[same].args == calls[0].args:
        same += 1
    if same > 1 or len(calls) < 3:
        return calls[:same]
    return calls if len(_varying(calls)) <= 2 else calls[:1]


def _varying(calls: Sequence[CallItem]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    rows = []
    for number, (name, value) in enumerate(calls[0].args):
        values = tuple(c.args[number][1] for c in calls)
        if any(v != value for v in values):
            rows.append((name, values))
    return tuple(rows)


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
