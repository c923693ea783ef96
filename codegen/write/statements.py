"""The body of a function: a statement for each item, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.folded import (
    GENERAL,
    CallItem,
    GuardItem,
    Item,
    LoopItem,
    Many,
    OpItem,
    RepeatItem,
    VariableItem,
    without_turns,
)
from codegen.identifiers import readable
from codegen.ir import SAYS_NOTHING
from codegen.items import makes
from codegen.mxnet_ops import spec_of
from codegen.program import Leaf, Operand, Out
from codegen.write.authors_words import with_words
from codegen.write.captions import Captioned, section_around, section_of, with_captions, without_blank
from codegen.write.expressions import (
    function_call,
    given_of,
    op_or_operator,
    relative_name,
    shared_start,
    variable,
)
from codegen.write.inside import written_inside
from codegen.write.literals import literal
from codegen.write.liveness import item_length, item_reads, numbered_items, op_after
from codegen.write.loops import loop
from codegen.write.scope import Scope
from codegen.write.turns import repeat
from codegen.write.variables import Variables
from codegen.write.wishes import (
    LONG_NAME,
    authors_variable,
    inlined_module,
    is_inside_layer,
    is_on_the_way,
    last_word,
    layer_or_last_word,
    merged_variable,
    own_name,
    own_target,
    sequence_around,
    step,
    variable_inside,
)
from codegen.written import Assign, Comment, Container, Expression, Guard, Read, Return, Statement, Value

# What is said of a container of Variables.
SHARED = "what several calls share: each Variable is made when it is first asked for"
# An op of more results gives them as one list.
MOST_UNPACKED = 6


def body(scope: Scope, variables: Variables) -> list[Statement]:
    """All statements of a function but its return."""
    own = _block(scope, variables, scope.items, 0)
    if scope.params is None or scope.params.given:
        return own
    return [Comment((SHARED,)), Assign(("params",), Container()), *own]


def returning(statements: Sequence[Statement], values: tuple[Expression, ...]) -> tuple[Statement, ...]:
    """The statements with the result returned: at once where the last of them makes it."""
    last = statements[-1]
    if isinstance(last, Assign) and len(values) == 1 and tuple(map(Read, last.targets)) == values:
        return (*statements[:-1], Return((last.value,)))
    return (*statements, Return(values))


def _block(scope: Scope, variables: Variables, items: Sequence[Item], index: int) -> list[Statement]:
    """The statements of some items, of which the first has number `index`."""
    made: list[Captioned] = []
    for place, item in enumerate(items):
        if not written_inside(scope, variables, items, place, index):
            made.append(_item(scope, variables, items, place, index))
        index += item_length(item)
    return with_captions(made)


def _item(scope: Scope, variables: Variables, items: Sequence[Item], place: int, index: int) -> Captioned:
    """The statements of the item at a place, number `index`, with what the author says of it."""
    item = items[place]
    reader = op_after(items, place) if isinstance(item, VariableItem) else None
    return with_words(_statements_of(scope, variables, item, index, reader), scope, item, reader)


def _statements_of(
    scope: Scope, variables: Variables, item: Item, index: int, reader: OpItem | None
) -> Captioned:
    """The statements of one item; `reader` is what a Variable stands with."""
    if isinstance(item, OpItem):
        return _op(scope, variables, index, item)
    if isinstance(item, VariableItem):
        return _variable(scope, variables, index, item, reader)
    if isinstance(item, CallItem):
        return _call(scope, variables, index, item)
    if isinstance(item, LoopItem):
        return loop(scope, variables, index, item)
    if isinstance(item, RepeatItem):
        return _repeat(scope, variables, index, item)
    return _guard(scope, variables, index, item)


def _repeat(scope: Scope, variables: Variables, index: int, item: RepeatItem) -> Captioned:
    def write(inner: Item, number: int) -> Captioned | None:
        place = next(n for n, own in enumerate(item.items) if own is inner)
        if written_inside(scope, variables, item.items, place, number):
            return None
        return _item(scope, variables, item.items, place, number)

    return repeat(scope, variables, index, item, write)


def _variable(
    scope: Scope, variables: Variables, index: int, item: VariableItem, reader: OpItem | None
) -> Captioned:
    """A Variable, which stands with the op that reads it."""
    own = item.variable
    tail = without_turns(own.name, own.name[len(scope.prefix) :]).strip("_")
    wish = tail if len(tail) < LONG_NAME else tail.rsplit("_", 1)[-1]
    wish = "x" if own.kind == "input" and wish in GENERAL else wish
    target = variables.assign(index, Leaf(own.name), [wish, own_name(scope, own.name)])
    section = section_of(scope, reader.call) if reader is not None and own.kind != "input" else None
    return Captioned((Assign((target,), variable(scope, item)),), section)


def _op(scope: Scope, variables: Variables, index: int, item: OpItem) -> Captioned:
    value = op_or_operator(scope, variables, item)
    wishes, made_up = _wishes(scope, variables, index, item)
    call = item.call
    if call.outputs == 1:
        targets = [variables.assign(index, Out(item.index), wishes, made_up)]
    elif _is_unpacked(variables, item) and item.index not in scope.listed:
        targets = list(_unpacked(scope, variables, index, item))
    else:
        is_inside = scope.frame.op or is_inside_layer(scope.program, item.index)
        word = step(scope, call) if is_inside else layer_or_last_word(scope, call)
        targets = [variables.assign(index, Out(item.index, -1), [own_target(scope, call), word])]
    return Captioned((Assign(tuple(targets), value),), section_of(scope, call), call.comment)


def _wishes(scope: Scope, variables: Variables, index: int, item: OpItem) -> tuple[list[str], list[str]]:
    """What an op's result would best be called, best first; and which of these names no author has chosen."""
    call, program = item.call, scope.program
    tail = layer_or_last_word(scope, call)
    takes_over = not spec_of(call.op).is_new or len(call.inputs) == 1
    given = [own for _, read in item.inputs for own in variables.read_in(read)]
    since = index - any(variables.is_inside(own) for _, own in item.inputs)
    dying = variables.dying(index, given, since) if takes_over else ""
    made_up = [inlined_module(scope, call), tail]
    wishes = [authors_variable(scope, own_target(scope, call), item.index, None), dying, *made_up]
    if spec_of(call.op).is_identity and is_on_the_way(program, item.index):
        # Neither what the statement assigns, nor what it reads under a name of its own.
        wishes = [dying if dying in SAYS_NOTHING else "", tail]
    if scope.frame.op or is_inside_layer(program, item.index):
        made_up = wishes = [step(scope, call)]
    own = own_name(scope, call.name)
    return [*wishes, sequence_around(scope, call), own], [*made_up, own]


def _is_unpacked(variables: Variables, item: OpItem) -> bool:
    """Whether each result of an op gets a variable: where the author gives them one, or one alone is read."""
    call = item.call
    read = sum(variables.is_read(Out(item.index, i)) for i in range(call.outputs))
    return read == 1 or (call.outputs <= MOST_UNPACKED and len(call.source.targets) == call.outputs)


def _unpacked(scope: Scope, variables: Variables, index: int, item: OpItem) -> Iterator[str]:
    """A variable for each result, `_` for one that nothing reads."""
    authors = item.call.source.targets
    tail = layer_or_last_word(scope, item.call)
    outs = [Out(item.index, i) for i in range(item.call.outputs)]
    is_only = sum(map(variables.is_read, outs)) == 1
    for i, out in enumerate(outs):
        made_up = tail if is_only else f"{tail}{i}"
        wish = authors[i] if len(authors) == len(outs) else made_up
        yield variables.assign(index, out, [wish]) if variables.is_read(out) else "_"


def _call(scope: Scope, variables: Variables, index: int, item: CallItem) -> Captioned:
    given = variables.spread([given_of(scope, variables, o) for o in item.inputs])
    shared = shared_start(scope, item.shared)
    value = function_call(item, given, item.args, relative_name(scope, item.path), shared)
    targets = _call_targets(scope, variables, index, item)
    return Captioned((Assign(targets, value),), section_around(scope, item))


def _call_targets(scope: Scope, variables: Variables, index: int, item: CallItem) -> tuple[str, ...]:
    tail = last_word(item.path)
    if len(item.outputs) == 1:
        inputs = [o for o in item.inputs if o is not None and not isinstance(o, Many)]
        author = authors_variable(scope, item.target, item.span[1], item.frame)
        made_up = [tail, own_name(scope, item.path)]
        wishes = [author, variables.dying(index, inputs), *made_up]
        return (variables.assign(index, item.outputs[0], wishes, made_up),)
    made = {(node, place): operand for node, place, operand in scope.program.values}
    unpacked = {made.get((node, place)): name for name, node, place in item.frame.results if name != "_"}
    authors = [(unpacked.get(o, ""), variable_inside(scope.program, o)) for o in item.outputs]
    if not any(map(any, authors)) and all(map(variables.is_read, item.outputs)):
        return (variables.hold_tuple(item.outputs, f"{tail}_outputs", index),)
    names: list[str] = []
    for place, operand in enumerate(item.outputs):
        wishes = [*authors[place], f"{tail}{place}" if place else tail]
        names.append(variables.assign(index, operand, wishes) if variables.is_read(operand) else "_")
    return tuple(names)


def _guard(scope: Scope, variables: Variables, index: int, part: GuardItem) -> Captioned:
    """`if flag:`, and above it a variable for what stands in the part's place without it."""
    above = [
        statement
        for operand, instead in part.merges
        for statement in _merged(scope, variables, index, part, operand, instead)
    ]
    flag = part.flag if part.given is None else str(variables.read(part.given))
    inside = without_blank(_block(scope, variables, part.items, index))
    variables.end_part()
    if part.returns is not None:
        value = Value(literal(part.value))
        return Captioned((Guard(part.flag, returning(inside, (variables.read(part.returns),)), value),))
    return Captioned((Guard(flag, inside, is_input=part.given is not None),), above=tuple(above))


def _merged(
    scope: Scope, variables: Variables, index: int, part: GuardItem, operand: Operand, instead: Operand
) -> list[Statement]:
    """Give what a part makes the variable of `instead`, which stands in its place without the part.

    Where `instead` is read again, or the author calls the result otherwise, a variable is made of it first.
    """
    read = variables.read(instead)
    end = index + item_length(part)
    dies = variables.last_use(instead, -1) < end and variables.holder(instead) != ""
    author = readable(merged_variable(scope, part, operand) or str(read))
    is_renamed = author != str(read) and variables.is_free(author, index - 1)
    made_at = next((p for p, i in numbered_items(part, index) if operand in makes(i)), -1)
    if not dies or _is_read_after(part, operand, instead) or is_renamed:
        target = variables.assign(index, Leaf(f"merge {index}"), [author, "identity", "y"])
        variables.merge(operand, target, index, end, (index, made_at))
        return [Assign((target,), read)]
    reading = (p for p, i in numbered_items(part, index) if instead in item_reads(i))
    variables.merge(operand, str(read), index, end, (max(reading, default=index), made_at))
    return []


def _is_read_after(part: GuardItem, made: Operand, instead: Operand) -> bool:
    """Whether a part reads `instead` after it has made what takes its place."""
    place = next((n for n, inner in enumerate(part.items) if made in makes(inner)), len(part.items))
    return any(instead in item_reads(inner) for inner in part.items[place + 1 :])
