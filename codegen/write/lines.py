"""The view model: a folded program as the lines that the template prints.

Everything is decided here: which variable holds what, which inputs MXNet makes by itself, how a number
is written. The template prints and decides nothing.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from codegen.folded import (
    GENERAL,
    LIST,
    CallItem,
    Given,
    GuardItem,
    Item,
    LoopItem,
    Many,
    OpItem,
    VariableItem,
)
from codegen.identifiers import flat, identifier
from codegen.ir import SAYS_NOTHING
from codegen.program import Call, Leaf, Operand, Out, Program, Scope
from codegen.write.docs import COMMAND_LENGTH, wrapped_comment
from codegen.write.literals import Raw, in_pieces, quoted, value_text
from codegen.write.liveness import (
    inlined_calls,
    item_length,
    item_makes,
    item_reads,
    last_uses,
    numbered_items,
    op_after,
)
from codegen.write.loops import function_call
from codegen.write.variables import LIST_AGAIN
from codegen.write.wishes import LONG_NAME
from codegen.written import Line

SYMBOL = "mx.sym.Symbol"
# Their result is no later state of one of their operands.
MAKES_ANEW = frozenset(["Concat", "stack", "Embedding", "take"])
# Their result is what their operand is.
KEEPS = frozenset(["Dropout", "identity"])


def is_expression(call: Call) -> bool:
    return " " in call.op


class Body:
    """The lines of one function: every value is given a variable that is free while it lives."""

    def __init__(
        self,
        program: Program,
        items: Sequence[Item],
        outputs: Sequence[Operand],
        prefix: str,
        frame: Scope,
        functions: frozenset[str],
    ) -> None:
        self.program = program
        self.items = items
        self.prefix = prefix
        self.path = frame.path
        self._is_op = frame.op
        self._is_helper = frame.helper
        self._functions = functions
        self._made_up: set[str] = set()
        nodes = {(f.path, call.node) for call in inlined_calls(program, items) for f in call.source.frames}
        self._sizes = Counter(path for path, _ in nodes)
        # A net without hierarchy is read line by line.
        self._is_flat = all(f.library or f.helper for c in program.calls for f in c.source.frames[1:])
        self._lines = Counter(call.source.text for call in inlined_calls(program, items) if call.source.text)
        self._last_use = last_uses(items, outputs)
        self._assigned: dict[str, list[int]] = {}
        for name, index in self._assignments(items):
            self._assigned.setdefault(name, []).append(index)
        self._holder: dict[Operand, str] = {}
        self._until: dict[str, int] = {}
        self._section = ""
        self._first = ""
        self._forced: dict[Operand, str] = {}
        # Variables that a part gives another value: free from the last op that reads them until that one.
        self._replaced: dict[str, tuple[int, int]] = {}
        # What the variables that hold lists hold.
        self._lists: dict[str, tuple[Operand, ...]] = {}

    def enter(self, given: Given, name: str) -> str:
        """Tell that a parameter of the function holds a value; its name, which may need another."""
        if isinstance(given, Many):
            held = self._hold_list(given.items, name, -1)
        else:
            held = self._hold(given, name, -1)
        self._first = self._first or held
        return held

    def text(self, operand: Operand) -> str:
        """The expression that gives a value."""
        if operand in self._holder:
            return self._holder[operand]
        for name, items in self._lists.items():
            if operand in items:
                return f"{name}[{items.index(operand)}]"
        assert isinstance(operand, Out), f"{operand} is read before it is made"
        return f"{self._holder[Out(operand.call, -1)]}[{operand.index}]"

    def lines(self) -> list[Line]:
        """The body, in order."""
        return self._block(self.items, 0)

    def _block(self, items: Sequence[Item], index: int) -> list[Line]:
        """The lines of some items, of which the first has number `index`."""
        made: list[Line] = []
        for place, item in enumerate(items):
            if isinstance(item, OpItem):
                made.append(self._op(index, item))
            elif isinstance(item, VariableItem):
                made.append(self._variable(index, item, op_after(items, place)))
            elif isinstance(item, CallItem):
                made.append(self._call(index, item))
            elif isinstance(item, LoopItem):
                made += self._loop(index, item)
            else:
                made += self._guard(index, item)
            index += item_length(item)
        return made

    def _guard(self, index: int, item: GuardItem) -> list[Line]:
        """`if flag:`, and before it a variable for what stands in the part's place without it."""
        made: list[Line] = []
        end = index + item_length(item)
        for operand, instead in item.merges:
            holder = self.text(instead)
            life = self._last_use.get(instead, -1)
            dies = life < end and instead in self._holder and not self._read_after(item, operand, instead)
            author = identifier(self._author_of(item, operand) or holder)
            if not dies or (author != holder and self._free(author, index - 1)):
                target = self._target(index, Leaf(f"merge {index}"), [author, "identity", "y"])
                made.append(Line(f"{target} = {holder}"))
                holder = target
                since = index
            else:
                since = max(
                    (p for p, i in numbered_items(item, index) if instead in item_reads(i)), default=index
                )
            made_at = next((p for p, i in numbered_items(item, index) if operand in item_makes(i)), -1)
            self._replaced[holder] = (since, made_at)
            self._forced[operand] = holder
            self._until[holder] = max(self._life(operand, index), end)
        section, self._section = self._section, ""
        body = [replace(line, depth=line.depth + 1) for line in self._block(item.items, index)]
        body[0] = replace(body[0], blank=False)
        self._section = ""
        self._replaced = {}
        return [*made, Line(f"if {item.flag}:", blank=bool(section) and not made), *body]

    def _author_of(self, item: GuardItem, operand: Operand) -> str:
        """The author's variable for what a part makes."""
        maker = next((inner for inner in item.items if operand in item_makes(inner)), None)
        if isinstance(maker, OpItem):
            return self._authors(maker.call.source.target, maker.index, None)
        return self._authors(maker.target, maker.span[1], maker.frame) if isinstance(maker, CallItem) else ""

    def _read_after(self, item: GuardItem, made: Operand, instead: Operand) -> bool:
        """Whether the part reads `instead` after it has made what takes its place."""
        done = False
        for inner in item.items:
            if done and instead in item_reads(inner):
                return True
            done = done or made in item_makes(inner)
        return False

    # Variables of the function -------------------------------------------------------------------

    def _free(self, name: str, index: int) -> bool:
        return name not in self._functions and self._until.get(name, -2) <= index

    def _hold(self, operand: Operand, name: str, index: int) -> str:
        base = identifier(name)
        candidate, number = base, 1
        while not self._free(candidate, index):
            number += 1
            candidate = f"{base}{number}"
        self._holder[operand] = candidate
        self._until[candidate] = self._life(operand, index)
        return candidate

    def _hold_list(self, items: tuple[Operand, ...], name: str, index: int) -> str:
        """A variable that never holds anything but lists."""
        numbered = (f"{LIST_AGAIN}{n}" for n in itertools.count(2))
        for candidate in itertools.chain([identifier(name), LIST_AGAIN], numbered):
            fresh = candidate in self._lists or candidate not in self._until
            if fresh and self._free(candidate, index):
                break
        self._lists[candidate] = items
        self._until[candidate] = max(self._life(o, index) for o in items)
        return candidate

    def _given(self, given: Given | None) -> str:
        """What a function is given."""
        if given is None:
            return "None"
        if not isinstance(given, Many):
            return self.text(given)
        held = [name for name, items in self._lists.items() if items == given.items]
        return held[0] if held else f"[{', '.join(self._texts(given.items))}]"

    def _texts(self, operands: Sequence[Operand]) -> list[str]:
        """Values one after the other; those of a list, all together, as `*features`."""
        made: list[str] = []
        place = 0
        while place < len(operands):
            fits = [
                (name, items)
                for name, items in self._lists.items()
                if tuple(operands[place : place + len(items)]) == items
            ]
            name, items = fits[0] if fits else ("", tuple(operands[place : place + 1]))
            made.append(f"*{name}" if name else self.text(operands[place]))
            place += len(items)
        return made

    def _life(self, operand: Operand, index: int) -> int:
        if isinstance(operand, Out) and operand.index == -1:
            outs = [o for o in self._last_use if isinstance(o, Out) and o.call == operand.call]
            return max((self._last_use[o] for o in outs), default=index)
        return self._last_use.get(operand, index)

    def _target(self, index: int, operand: Operand, wishes: Sequence[str]) -> str:
        forced = self._forced.get(operand)
        if forced is not None:
            self._holder[operand] = forced
            self._until[forced] = self._life(operand, index)
            return forced
        named = [wish for wish in wishes if wish.strip("_")] or ["x"]
        named = [wish for wish in named if not self._comes_again(wish, operand, index)] or named[-1:]
        for wish in map(identifier, named):
            since, made_at = self._replaced.get(wish, (0, -1))
            life = self._life(operand, index)
            if since <= index and life <= made_at:
                self._replaced[wish] = (life, made_at)
                self._holder[operand] = wish
                return wish
            if self._free(wish, index):
                return self._hold(operand, wish, index)
        return self._hold(operand, named[-1], index)

    def _comes_again(self, name: str, operand: Operand, index: int) -> bool:
        """Whether the author's `x` holds something else while a value is still read: a skip connection's, say."""
        life = self._life(operand, index)
        return name in SAYS_NOTHING and any(index < later < life for later in self._assigned.get(name, ()))

    def _assignments(self, items: Sequence[Item]) -> Iterator[tuple[str, int]]:
        """The author's variables in the order of their assignments, with the number of the item that ends each."""
        statements = list(self._statements(items, 0))
        for (key, index), (after, _) in zip(statements, [*statements[1:], (None, 0)], strict=False):
            if key != after:
                yield key[0], index

    def _statements(self, items: Sequence[Item], index: int) -> Iterator[tuple[tuple[str, int], int]]:
        """The author's statement of each item, and the item's number."""
        for item in items:
            if isinstance(item, OpItem):
                yield self._statement(item.call), index
            elif isinstance(item, CallItem):
                yield self._statement(self.program.calls[item.span[1]]), index
            elif isinstance(item, GuardItem):
                yield from self._statements(item.items, index)
            index += item_length(item)

    def _statement(self, call: Call) -> tuple[str, int]:
        """(the variable that it assigns, its line) of the statement of the function's own author that a call is part of."""
        frames = call.source.frames
        depth = next((i for i, frame in enumerate(frames) if frame.path == self.path), len(frames) - 1)
        if depth + 1 < len(frames) and not frames[depth + 1].op:
            return frames[depth + 1].target, frames[depth + 1].line
        return call.source.local if self._is_helper else call.source.target, call.source.line

    def _dying(self, index: int, operands: Sequence[Operand]) -> str:
        """The variable of an operand that nothing reads later: `x` in `x = f(x)`, and in `x = add(conv, x)`.

        Other than the first operand, only one whose name says nothing: `sin` holds no `mul(cat, sin)`.
        """
        for place, operand in enumerate(operands):
            holder = self._holder.get(operand, "")
            fits = place == 0 or holder in SAYS_NOTHING or holder == self._first
            if self._last_use.get(operand) == index and fits and holder not in {"", *self._made_up}:
                return holder
        return ""

    # Statements ----------------------------------------------------------------------------------

    def _name(self, name: str) -> str:
        """A symbol's name: written out in the main body, relative to `name` in a function."""
        if not self.prefix:
            return in_pieces(name)
        return self._relative(name[len(self.prefix) :], "")

    def _relative(self, before: str, after: str, counter: str = "") -> str:
        if not before and not after and not counter:
            return "name"
        if re.fullmatch(r"[\w.]*", before + after, flags=re.ASCII):
            return in_pieces(f"{{name}}{before}{counter}{after}", "f")
        return (
            f"name + {quoted(before)}"
            if not counter
            else f"name + {quoted(before)} + str(i) + {quoted(after)}"
        )

    def _variable(self, index: int, item: VariableItem, reader: OpItem | None) -> Line:
        variable = item.variable
        comment, blank = "", False
        if reader is not None and variable.kind != "input":
            comment, blank = self._heading(replace(reader.call, comment=""))
        tail = variable.name[len(self.prefix) :].strip("_")
        wish = tail if len(tail) < LONG_NAME else tail.rsplit("_", 1)[-1]
        wish = "x" if variable.kind == "input" and wish in GENERAL else wish
        parts = [self._name(variable.name)]
        if variable.kind != "input":
            parts.append(f"shape={value_text(item.shape)}")
        # Module.bind knows no dtype but those of the inputs, and infers others only where floats are computed.
        if variable.kind != "input" or variable.dtype != "float32":
            parts.append(f'dtype="{variable.dtype}"')
        target = self._target(index, Leaf(variable.name), [wish])
        return Line(f"{target} = mx.sym.Variable({', '.join(parts)})", 0, comment, blank)

    def _op(self, index: int, item: OpItem) -> Line:
        call = item.call
        text = self._expression(item)
        comment, blank = self._heading(call)
        tail = self._tail(call)
        takes_over = call.op not in MAKES_ANEW or len(call.inputs) == 1
        dying = self._dying(index, list(call.operands())) if takes_over else ""
        own = call.source.local if self._is_helper else call.source.target
        author = self._authors(own, item.index, None)
        made_up = [self._inlined_module(call), tail]
        wishes = [author, dying, *made_up]
        if call.op in KEEPS and self._is_on_the_way(item.index):
            # Neither what the statement assigns, nor what it reads under a name of its own.
            wishes = [dying if dying in SAYS_NOTHING else "", tail]
        if self._is_op or self._is_inside_layer(item.index):
            made_up = wishes = [self._step(call)]
        if call.outputs == 1:
            target = self._target(index, Out(item.index), wishes)
            self._made_up |= {target} if target in map(identifier, filter(None, made_up)) else set()
        elif call.outputs <= 6:
            target = ", ".join(self._unpacked(index, item, tail))
        else:
            target = self._target(index, Out(item.index, -1), ["parts"])
        return Line(f"{target} = {text}", 0, comment, blank)

    def _authors(self, target: str, last: int, own: Scope | None) -> str:
        """The author's variable; for what an inlined module returns, the one that its caller assigns it to.

        `last` is the number of the last call, `own` the frame of the item itself, if it is a call of a module.
        """
        calls = self.program.calls
        after = {(f.path, f.call) for f in calls[last + 1].source.frames} if last + 1 < len(calls) else set()
        if target and not (own is None and self._is_inside_layer(last)):
            return target
        for frame in reversed(calls[last].source.frames):
            inside = own is not None and len(frame.path) >= len(own.path)
            if len(frame.path) <= len(self.path) or (frame.path, frame.call) in after:
                break
            if not inside and not frame.op and frame.target:
                return frame.target
        return ""

    def _is_inside_layer(self, index: int) -> bool:
        """Whether a call is a step on the way to the result of a layer of torch's own."""
        calls = self.program.calls
        layer = next((f for f in reversed(calls[index].source.frames) if not f.op), None)
        if layer is None or not layer.library or index + 1 == len(calls):
            return False
        return (layer.path, layer.call) in {(f.path, f.call) for f in calls[index + 1].source.frames}

    def _tail(self, call: Call) -> str:
        """The name of a layer of torch's; else the last word of the op's name below the function's own."""
        frame = next((f for f in reversed(call.source.frames) if not f.op), None)
        layer = frame.path.rpartition(".")[2] if frame is not None and frame.library else ""
        if layer and not layer[0].isdigit() and call.name.endswith(flat(layer)) and len(layer) < LONG_NAME:
            return layer
        name = call.name
        tail = name[len(self.prefix) :].rsplit("_", 1)[-1]
        return "x" if not tail or tail.isdigit() else tail

    def _inlined_module(self, call: Call) -> str:
        """The name of the innermost module of the author's whose forward is written out where the call stands."""
        frame = next((f for f in reversed(call.source.frames) if not f.library), None)
        if frame is None or len(frame.path) <= len(self.path):
            return ""
        name = frame.path.rpartition(".")[2]
        return "" if name[:1].isdigit() else name

    def _is_on_the_way(self, index: int) -> bool:
        """Whether the author's statement goes on after a call."""
        calls = self.program.calls
        here = calls[index].source
        after = calls[index + 1].source if index + 1 < len(calls) else None
        return after is not None and bool(here.file) and (here.file, here.line) == (after.file, after.line)

    def _step(self, call: Call) -> str:
        """What a step inside a layer or an op of torch is called: its name below theirs."""
        frame = next((f for f in reversed(call.source.frames) if f.library), None)
        below = call.name[len(frame.prefix) :].strip("_") if frame is not None else ""
        return below if 0 < len(below) < LONG_NAME and not below[0].isdigit() else self._tail(call)

    def _unpacked(self, index: int, item: OpItem, tail: str) -> Iterator[str]:
        authors = item.call.source.targets
        for i in range(item.call.outputs):
            out = Out(item.index, i)
            wish = authors[i] if len(authors) == item.call.outputs else f"{tail}{i}"
            yield self._target(index, out, [wish]) if out in self._last_use else "_"

    def _heading(self, call: Call) -> tuple[str, bool]:
        """(comment, blank line before): where an inlined submodule starts and ends."""
        if self._is_op:
            return wrapped_comment(call.comment), False
        section = ""
        for frame in reversed(call.source.frames):
            own = frame.path == self.path
            if own or (not frame.library and not frame.helper and self._sizes[frame.path] > 1):
                section = "" if own else f"{frame.path[len(self.path) :].lstrip('.')}: {frame.cls}"
                break
        if not section and self._is_flat and not self.path and self._lines[call.source.text] > 1:
            section = call.source.text if len(call.source.text) <= COMMAND_LENGTH else ""
        changed = section != self._section
        self._section = section
        parts = [section if changed else "", call.comment]
        return "\n    # ".join(wrapped_comment(p) for p in parts if p), changed

    def _expression(self, item: OpItem) -> str:
        call = item.call
        if is_expression(call):
            ((_, operand),) = call.inputs
            number = value_text(dict(item.attrs)["c"])
            is_power = "**" in call.op and (not number.isdecimal() or call.op.startswith("c"))
            if " " in number or (is_power and not re.fullmatch(r"[\w.]+", number)):
                number = f"({number})"
            text = re.sub(r"\b[xc]\b", lambda m: self.text(operand) if m.group() == "x" else number, call.op)
            if text.startswith(("maximum", "minimum")):
                text = f"mx.sym.{text}"
            return f"named({text}, name={self._name(call.name)})"
        parts = self._texts([operand for slot, operand in call.inputs if not slot])
        parts += [f"{s}={self.text(o)}" for s, o in call.inputs if s and s not in item.automatic]
        parts += [f"{k}={value_text(v)}" for k, v in item.attrs]
        parts.append(f"name={self._name(call.name)}")
        return f"mx.sym.{call.op}({', '.join(parts)})"

    def _call(self, index: int, item: CallItem) -> Line:
        texts = [self._given(o) for o in item.inputs]
        name = self._name(item.path)
        expression = function_call(item, texts, item.args, name)
        targets = self._call_targets(index, item.outputs, item)
        return Line(f"{', '.join(targets)} = {expression}", 0, *self._call_heading(item))

    def _call_heading(self, item: CallItem) -> tuple[str, bool]:
        """The heading of the module that a call stands in."""
        call = self.program.calls[item.span[0]]
        around = tuple(f for f in call.source.frames if len(f.path) < len(item.frame.path))
        return self._heading(replace(call, comment="", source=replace(call.source, frames=around)))

    def _call_targets(self, index: int, outputs: Sequence[Operand], item: CallItem) -> list[str]:
        tail = next((p for p in reversed(item.path.split("_")) if not p.isdigit()), "x")
        if len(outputs) == 1:
            inputs = [o for o in item.inputs if o is not None and not isinstance(o, Many)]
            author = self._authors(item.target, item.span[1], item.frame)
            target = self._target(index, outputs[0], [author, self._dying(index, inputs), tail])
            self._made_up |= {target} if target == identifier(tail) else set()
            return [target]
        return [self._target(index, o, [self._called_inside(o), f"{tail}{i}"]) for i, o in enumerate(outputs)]

    def _called_inside(self, operand: Operand) -> str:
        """The author's variable for one of several results, where it is made."""
        source = self.program.calls[operand.call].source if isinstance(operand, Out) else None
        local = (source.local or source.target) if source is not None else ""
        return "" if local in SAYS_NOTHING else local

    def _loop(self, index: int, item: LoopItem) -> list[Line]:
        if item.listed is not None:
            return self._listing_loop(index, item, item.listed)
        first = item.calls[0]
        made: list[Line] = []
        texts = [self._given(o) for o in first.inputs]
        names = dict(item.carried)
        for place, number in item.carried:
            operand = first.inputs[place]
            assert operand is not None
            assert not isinstance(operand, Many)
            holder = self._holder.get(operand, "")
            if not holder or self._last_use.get(operand) != index:
                target = self._target(index, item.outputs[number], [first.target, "x", "y"])
                made.append(Line(f"{target} = {texts[place]}"))
                texts[place] = target
            else:
                self._holder[item.outputs[number]] = holder
                self._until[holder] = self._life(item.outputs[number], index)
        targets = {number: texts[place] for place, number in names.items()}
        comment, blank = self._call_heading(first)
        head = Line(self._loop_head(item), 0, comment, blank and not made)
        body = Line(f"{', '.join(targets[n] for n in sorted(targets))} = {self._loop_call(item, texts)}", 1)
        return [*made, head, body]

    def _listing_loop(self, index: int, item: LoopItem, place: int) -> list[Line]:
        """A loop that appends what each call gives to the list that the next one is given."""
        first = item.calls[0]
        comment, blank = self._call_heading(first)
        texts = [self._given(o) for o in first.inputs]
        given = first.inputs[place]
        assert isinstance(given, Many)
        begin = ", ".join(self._texts(given.items))
        name = self._hold_list((*given.items, *item.outputs), LIST, index)
        texts[place] = name
        return [
            Line(f"{name} = [{begin}]", 0, comment, blank),
            Line(self._loop_head(item)),
            Line(f"{name}.append({self._loop_call(item, texts)})", 1),
        ]

    def _loop_call(self, item: LoopItem, texts: Sequence[str]) -> str:
        args = tuple((k, Raw(k) if k in dict(item.varying) else v) for k, v in item.args)
        return function_call(item.calls[0], texts, args, self._loop_name(item))

    def _loop_head(self, item: LoopItem) -> str:
        count, start = len(item.calls), item.start
        if not item.varying:
            return f"for i in range({count}):" if start == 0 else f"for i in range({start}, {start + count}):"
        names = [name for name, _ in item.varying]
        rows = list(zip(*(values for _, values in item.varying), strict=True))
        shown = ", ".join(value_text(row[0] if len(names) == 1 else tuple(row)) for row in rows)
        target = names[0] if len(names) == 1 else f"({', '.join(names)})"
        begin = "" if start == 0 else f", start={start}"
        return f"for i, {target} in enumerate(({shown}){begin}):"

    def _loop_name(self, item: LoopItem) -> str:
        if self.prefix:
            return self._relative(item.prefix[len(self.prefix) :], item.suffix, "{i}")
        if re.fullmatch(r"[\w.]*", item.prefix + item.suffix, flags=re.ASCII):
            return in_pieces(f"{item.prefix}{{i}}{item.suffix}", "f")
        return f"{quoted(item.prefix)} + str(i) + {quoted(item.suffix)}"
