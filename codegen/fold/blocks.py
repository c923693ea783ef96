"""The tree of blocks: each call of a module with what stands inside, and who makes each Variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codegen.automatic import automatic_inputs, users_of
from codegen.program import Leaf, NamedFrame, Operand, Program, Variable

# The ops from which a Sequential of torch's can be a function.
SMALLEST_SEQUENCE = 2


@dataclass(eq=False)
class Block:
    """One call of a module: the ops inside by their numbers, and the blocks inside, in order."""

    frame: NamedFrame
    children: list[int | Block] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the names of all that stands inside begin with."""
        return self.frame.prefix

    def calls(self) -> Iterator[int]:
        """Every op inside, in order."""
        for child in self.children:
            if isinstance(child, Block):
                yield from child.calls()
            else:
                yield child

    def blocks(self) -> Iterator[Block]:
        """Every block inside, outer first."""
        for child in self.children:
            if isinstance(child, Block):
                yield child
                yield from child.blocks()


@dataclass(frozen=True)
class Structure:
    """A program as a tree of blocks, and what reads and makes its values.

    `users` are the numbers of the calls that read each value, in order; the number after the last call stands
    for the net's outputs. `automatic` are, for each call, the inputs that MXNet makes by itself. `owners`
    are, for each Variable that is read, the innermost block around all that reads it. `variables` are those
    of the program by name, `values` what computes each tensor (node, output) of the IR. `sections` are the
    modules (path, call) that are functions though they are called once.
    """

    program: Program
    root: Block
    users: Mapping[Operand, Sequence[int]]
    automatic: Sequence[frozenset[str]]
    owners: Mapping[str, Block]
    variables: Mapping[str, Variable]
    values: Mapping[tuple[str, int], Operand]
    sections: frozenset[tuple[str, int]] = frozenset()


def structure_of(program: Program, sections: frozenset[tuple[str, int]] = frozenset()) -> Structure:
    """The structure of a program."""
    root = _tree(program, sections)
    users = users_of(program)
    variables = {v.name: v for v in program.variables}
    return Structure(
        program=program,
        root=root,
        users=users,
        automatic=automatic_inputs(program, users, variables),
        owners=_owners(program, root, users, variables),
        variables=variables,
        values={(node, index): operand for node, index, operand in program.values},
        sections=sections,
    )


def is_sequence(frame: NamedFrame) -> bool:
    """Whether a call is one of torch's own Sequential, whose class says nothing of what it does."""
    return frame.library and frame.cls == "Sequential"


def kind_of(frame: NamedFrame) -> str:
    """The class whose forward a call runs: classes that have it from one class may share a function."""
    return frame.inherited or frame.cls


def _tree(program: Program, sections: frozenset[tuple[str, int]]) -> Block:
    """The calls of modules that can be functions, as blocks inside each other; the root is the net."""
    can_be = _possible_functions(program, sections)
    root = Block(NamedFrame("", program.name))
    stack = [root]
    for index, call in enumerate(program.calls):
        frames = [f for f in call.source.frames[1:] if (f.path, f.call) in can_be]
        depth = 0
        while depth < len(frames) and depth + 1 < len(stack) and stack[depth + 1].frame == frames[depth]:
            depth += 1
        del stack[depth + 1 :]
        for frame in frames[depth:]:
            block = Block(frame)
            stack[-1].children.append(block)
            stack.append(block)
        stack[-1].children.append(index)
    return root


def _possible_functions(program: Program, sections: frozenset[tuple[str, int]]) -> set[tuple[str, int]]:
    """The calls of modules (path, number) that can be functions: the author's own, and torch's large ones."""
    frames = {(f.path, f.call): f for call in program.calls for f in call.source.frames}
    sizes = Counter((f.path, f.call) for call in program.calls for f in call.source.frames)
    never = _badly_named(program) | (_stages(program) - sections)
    return {key for key, frame in frames.items() if key not in never and sizes[key] >= _least_size(frame)}


def _badly_named(program: Program) -> set[tuple[str, int]]:
    """The calls of modules that make an op whose name does not begin with theirs."""
    return {
        (frame.path, frame.call)
        for call in program.calls
        for frame in call.source.frames
        if not _is_below(call.name, frame.prefix)
    }


def _stages(program: Program) -> set[tuple[str, int]]:
    """The Sequentials of the author's modules: what repeats stands inside them, if they are called once."""
    frames = {f for call in program.calls for f in call.source.frames}
    again = {frame.path for frame in frames if frame.call}
    return {
        (frame.path, frame.call)
        for call in program.calls
        for depth, frame in enumerate(call.source.frames)
        if is_sequence(frame) and frame.path not in again
        if not all(inner.library for inner in call.source.frames[depth:])
    }


def _least_size(frame: NamedFrame) -> int:
    """The ops from which a call of a module can be a function."""
    if is_sequence(frame):
        return SMALLEST_SEQUENCE
    return 2 if frame.library else 1


def _is_below(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}_")


def _owners(
    program: Program,
    root: Block,
    users: Mapping[Operand, Sequence[int]],
    variables: Mapping[str, Variable],
) -> dict[str, Block]:
    """For each Variable that is read, the innermost block around its readers whose name it bears."""
    around: dict[int, list[Block]] = {}

    def walk(block: Block, path: list[Block]) -> None:
        for child in block.children:
            if isinstance(child, Block):
                walk(child, [*path, child])
            else:
                around[child] = path

    walk(root, [root])
    owners: dict[str, Block] = {}
    for operand, readers in users.items():
        if isinstance(operand, Leaf):
            is_roots = variables[operand.name].kind == "input" or readers[-1] == len(program.calls)
            paths = [[root]] if is_roots else [around[reader] for reader in readers]
            owners[operand.name] = _innermost(operand.name, paths)
    return owners


def _innermost(name: str, paths: Sequence[Sequence[Block]]) -> Block:
    """The innermost block that all paths have, and whose name `name` begins with."""
    found = paths[0][0]
    for blocks in zip(*paths, strict=False):
        if any(block is not blocks[0] for block in blocks):
            break
        if _is_below(name, blocks[0].prefix):
            found = blocks[0]
    return found
