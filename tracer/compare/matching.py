"""Which weight of the port is which of torch's: by the table, by name, by value, else by shapes and order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from codegen.ir import Graph
from codegen.program import Leaf, Program
from codegen.proof.port import Array, Port
from tracer.compare.relations import Relation, as_written, holds, relation

# What the inputs of MXNet's layers are, in their order.
SLOTS: Mapping[str, tuple[str, ...]] = {
    "BatchNorm": ("", "gamma", "beta", "moving_mean", "moving_var"),
    "Convolution": ("", "weight", "bias"),
    "Deconvolution": ("", "weight", "bias"),
    "FullyConnected": ("", "weight", "bias"),
    "LayerNorm": ("", "gamma", "beta"),
    "GroupNorm": ("", "gamma", "beta"),
    "InstanceNorm": ("", "gamma", "beta"),
    "Embedding": ("", "weight"),
    "RNN": ("", "parameters"),
}
# What a key of torch's may be in MXNet, by its last part.
ROLES: Mapping[str, tuple[str, ...]] = {
    "running_mean": ("moving_mean",),
    "running_var": ("moving_var",),
    "weight": ("weight", "gamma"),
    "bias": ("bias", "beta"),
}
NOT_HELD = "num_batches_tracked"
# What pairs are worth where rows are laid side by side: those that are known hold the others in place.
KNOWN, ALIKE = 100, 1


@dataclass(frozen=True)
class Pair:
    """A weight of the port, and the keys of torch that it holds; none where that is not known.

    `relation` says how it holds them, `how` how they were found, in words; `constant` is the one value of
    a weight that holds no key.
    """

    name: str
    shape: tuple[int, ...]
    keys: tuple[str, ...]
    relation: Relation
    how: str = ""
    constant: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a table: a weight of the port, and torch's keys, none for a constant.

    `heads` are those by which its rows are laid, 0 where they are not.
    """

    name: str
    keys: tuple[str, ...]
    heads: int = 0


@dataclass(frozen=True)
class Entry:
    """What one weight may hold: torch's keys with their tensors, under the name that fx2mx would give it.

    `roles` are the inputs of MXNet's layers that it may be, of all where it is empty.
    """

    keys: tuple[str, ...]
    tensors: tuple[Array, ...] = field(repr=False)
    roles: tuple[str, ...] = ()
    name: str = ""

    @property
    def size(self) -> int:
        first = self.tensors[0].size
        alike = all(t.size == first for t in self.tensors) and self.is_tied
        return first if alike else sum(t.size for t in self.tensors)

    @property
    def is_tied(self) -> bool:
        return all(np.array_equal(t, self.tensors[0]) for t in self.tensors[1:])


@dataclass(frozen=True)
class Weight:
    """A weight of the port, and which input of its first reader it is."""

    name: str
    array: Array = field(repr=False)
    slot: str = ""

    def takes(self, entry: Entry) -> bool:
        """Whether it may hold this, by its size and by what it is."""
        right = not self.slot or not entry.roles or self.slot in entry.roles
        return right and self.array.size == entry.size


def weights_of(port: Port) -> tuple[Weight, ...]:
    """The weights that the symbol reads, in the order in which it does."""
    readers = port.readers()
    found = []
    for index, node in enumerate(port.nodes):
        if node.is_variable and node.name in port.params:
            reader = port.nodes[readers[index][0]] if readers[index] else None
            slots = SLOTS.get(reader.op, ()) if reader is not None else ()
            place = [source for source, _ in reader.inputs].index(index) if reader is not None else 0
            slot = slots[place] if place < len(slots) else ""
            found.append(Weight(node.name, port.params[node.name], slot))
    return tuple(found)


def entries_of(program: Program | None, graph: Graph | None, state: Mapping[str, Array]) -> tuple[Entry, ...]:
    """What the weights of a port may hold, in the order in which the net reads it."""
    entries = list(_of_program(program, state)) if program is not None else []
    single = {entry.keys[0] for entry in entries if len(entry.keys) == 1}
    read = [n.kwargs["key"] for n in graph.nodes if n.op == "param"] if graph is not None else []
    for key in dict.fromkeys([*read, *state]):
        last = key.rpartition(".")[2]
        if key in state and key not in single and last != NOT_HELD:
            entries.append(Entry((key,), (state[key],), ROLES.get(last, ()), key.replace(".", "_")))
    return tuple(entries)


def constants_of(program: Program | None) -> tuple[Entry, ...]:
    """The constants that fx2mx writes as weights: numbers that forward makes."""
    variables = program.variables if program is not None else ()
    return tuple(Entry((), (v.value,), name=v.name) for v in variables if v.value is not None)


def _of_program(program: Program, state: Mapping[str, Array]) -> Iterator[Entry]:
    roles: dict[str, str] = {}
    for call in program.calls:
        slots = SLOTS.get(call.op, ())
        for slot, operand in call.inputs:
            if isinstance(operand, Leaf) and slot in slots:
                roles.setdefault(operand.name, slot or "")
    for variable in program.variables:
        if variable.kind in {"arg", "aux"} and variable.keys and all(k in state for k in variable.keys):
            tensors = tuple(state[key] for key in variable.keys)
            own = (roles[variable.name],) if roles.get(variable.name) else ()
            yield Entry(variable.keys, tensors, own, variable.name)


def matched(
    port: Port,
    entries: Sequence[Entry],
    constants: Sequence[Entry],
    rows: Sequence[Row],
    state: Mapping[str, Array],
) -> tuple[Pair, ...]:
    """Each weight of the port with its keys. `rows` are those of a table; the others are looked for."""
    given = {row.name: row.keys for row in rows}
    weights = weights_of(port)
    found: dict[str, tuple[Entry, str]] = {}
    for weight in weights:
        keys = given.get(weight.name)
        if keys:
            tensors = tuple(state[key] for key in keys)
            entry = Entry(keys, tensors)
            if as_written(tensors, weight.array.shape) is None:  # what is computed of these keys
                entry = next((e for e in entries if e.name == weight.name), entry)
            found[weight.name] = (entry, "")
    rest = [weight for weight in weights if weight.name not in given]
    if rest:
        _match_rest(weights, entries, found, rest)
    known = {w.name for w in weights if any(relation(w.array, c.tensors).is_equal for c in constants)}
    known |= {name for name, keys in given.items() if not keys}
    heads = {row.name: row.heads for row in rows}
    return tuple(
        _pair(weight, found.get(weight.name), weight.name in known, heads.get(weight.name, 0))
        for weight in weights
    )


def _match_rest(
    weights: Sequence[Weight],
    entries: Sequence[Entry],
    found: dict[str, tuple[Entry, str]],
    rest: Sequence[Weight],
) -> None:
    """Add what is found to `found`, the surest first."""
    for how, pick in (("by name", _by_name), ("by value", _by_value), ("by name", _by_end_of_name)):
        for weight in rest:
            if weight.name not in found:
                free = _free(entries, found)
                entry = pick(weight, [e for e in free if weight.takes(e)])
                if entry is not None:
                    found[weight.name] = (entry, how)
    if any(weight.name not in found for weight in rest):
        for weight, entry in _side_by_side(weights, _free(entries, found, keep=True), found):
            found.setdefault(weight.name, (entry, "by shape and order"))


def _free(
    entries: Sequence[Entry], found: Mapping[str, tuple[Entry, str]], keep: bool = False
) -> list[Entry]:
    """The entries of which no key is held yet; with `keep`, those that are held as a whole too."""
    whole = {entry.keys for entry, _ in found.values()}
    held = {key for keys in whole for key in keys}
    return [e for e in entries if (keep and e.keys in whole) or not held.intersection(e.keys)]


def _by_name(weight: Weight, entries: Sequence[Entry]) -> Entry | None:
    return next((e for e in entries if e.name == weight.name), None)


def _by_end_of_name(weight: Weight, entries: Sequence[Entry]) -> Entry | None:
    """The only one whose name ends the weight's, or the other way round."""
    own, ends = f"_{weight.name}", [e for e in entries if f"_{weight.name}".endswith(f"_{e.name}")]
    ends = ends or [e for e in entries if f"_{e.name}".endswith(own)]
    return ends[0] if len(ends) == 1 else None


def _by_value(weight: Weight, entries: Sequence[Entry]) -> Entry | None:
    """The only one that holds the same numbers; constants tell nothing."""
    if weight.array.size < 2 or np.ptp(weight.array) == 0:
        return None
    near = [e for e in entries if _same_sums(weight.array, e.tensors)]
    held = [e for e in near if relation(weight.array, e.tensors).is_known]
    return held[0] if len(held) == 1 else None


def _same_sums(array: Array, tensors: Sequence[Array]) -> bool:
    """Whether two sets of numbers have the same sum of squares, in whatever order."""
    squares = sum(float(np.square(t, dtype=np.float64).sum()) for t in tensors)
    return bool(np.isclose(float(np.square(array, dtype=np.float64).sum()), squares, rtol=1e-4))


def _side_by_side(
    weights: Sequence[Weight], entries: Sequence[Entry], found: Mapping[str, tuple[Entry, str]]
) -> Iterator[tuple[Weight, Entry]]:
    """Weights and entries laid side by side in their orders, as many as fit, around those that are known."""
    partner = {name: entry.keys for name, (entry, _) in found.items()}
    held = set(partner.values())

    def worth(weight: Weight, entry: Entry) -> int:
        if weight.name in partner or entry.keys in held:
            return KNOWN if partner.get(weight.name) == entry.keys else 0
        return ALIKE if weight.takes(entry) else 0

    rows, columns = len(weights), len(entries)
    best = np.zeros((rows + 1, columns + 1), np.int64)
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            own = worth(weights[i], entries[j])
            taken = own + best[i + 1, j + 1] if own else 0
            best[i, j] = max(taken, best[i + 1, j], best[i, j + 1])
    i = j = 0
    while i < rows and j < columns:
        own = worth(weights[i], entries[j])
        if own and best[i, j] == own + best[i + 1, j + 1]:
            yield weights[i], entries[j]
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            i += 1
        else:
            j += 1


def _pair(weight: Weight, found: tuple[Entry, str] | None, is_constant: bool, heads: int) -> Pair:
    array = weight.array
    if found is None:
        is_alike = array.size > 0 and bool((array == array.reshape(-1)[0]).all())
        constant = f"{float(array.reshape(-1)[0]):g}" if is_alike else "constant" if is_constant else ""
        return Pair(weight.name, array.shape, (), Relation("constant" if constant else "other"), "", constant)
    entry, how = found
    by_heads = Relation("heads", (heads,))
    # A bias of zeros does not tell how its rows are laid.
    is_by_heads = heads > 0 and holds(array, by_heads, entry.tensors)
    held = by_heads if is_by_heads else relation(array, entry.tensors)
    return Pair(weight.name, array.shape, entry.keys, held, how)
