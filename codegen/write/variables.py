"""Which variable of a function holds which value, and until where."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from codegen.defects import of_kind
from codegen.folded import Among, Given, Many
from codegen.identifiers import readable
from codegen.ir import SAYS_NOTHING
from codegen.program import Operand, Out
from codegen.turn import Turn
from codegen.written import ListOf, Op, Read, Value

# What a list of values is called where the net calls a tensor features.
LIST_AGAIN = "outputs"


class Variables:
    """The variables of one function: every value is given one that is free while it is needed.

    Items are numbered in order; -1 is where the function is entered.
    """

    def __init__(
        self,
        functions: frozenset[str],
        last_use: Mapping[Given, int],
        assigned: Mapping[str, Sequence[int]],
    ) -> None:
        self._functions = functions
        self._last_use = last_use
        # The author's variables, with the items that end the assignments to them.
        self._assigned = assigned
        self._holder: dict[Given, str] = {}
        # How a loop reads what stands among others.
        self._among: dict[Among, Read] = {}
        self._until: dict[str, int] = {}
        self._first = ""
        # Variables that are called as the author calls none.
        self._made_up: set[str] = set()
        # What a part under a flag makes, with the variable of what stands in its place without the part.
        self._merged: dict[Given, str] = {}
        # Variables that a part gives another value: free from the last op that reads them until that one.
        self._replaced: dict[str, tuple[int, int]] = {}
        # What the variables that hold lists hold.
        self._lists: dict[str, tuple[Operand, ...]] = {}
        # What is written inside of the one statement that reads it.
        self._inside: dict[Given, tuple[Op, list[Given]]] = {}
        # The lists that loops append to, by what the first turn appends.
        self._collected: dict[Operand, str] = {}

    # What is read ------------------------------------------------------------------------------------

    def operand(self, given: Given) -> Read | Op:
        """What a statement reads: a variable, or the op itself that makes the value."""
        return self._inside[given][0] if given in self._inside else self.read(given)

    def write_inside(self, operand: Operand, value: Op, given: list[Given]) -> None:
        """Tell that a value is written inside of the statement that reads it; it is made of what is given."""
        self._inside[operand] = (value, given)

    def is_inside(self, given: Given) -> bool:
        """Whether a value is written inside of the statement that reads it."""
        return given in self._inside

    def read_in(self, given: Given) -> list[Given]:
        """What a statement reads for one of its values: that itself, or what it is made of inside."""
        return self._inside[given][1] if given in self._inside else [given]

    def read(self, operand: Given) -> Read:
        """The variable that holds a value, or the item of one that does."""
        if isinstance(operand, Among):
            return self._among[operand]
        if operand in self._holder:
            return Read(self._holder[operand])
        for name, items in self._lists.items():
            if operand in items:
                return Read(name, items.index(operand))
        operand = of_kind(operand, Out, f"{operand} is read before it is made")
        return Read(self._holder[Out(operand.call, -1)], operand.index)

    def operands(self, given: Sequence[Given]) -> tuple[Read | Op, ...]:
        """Values one after the other, as a statement reads them."""
        return tuple(map(self.operand, given)) if any(map(self.is_inside, given)) else self.reads(given)

    def reads(self, operands: Sequence[Given]) -> tuple[Read, ...]:
        """Values one after the other; those of a list, all together, as `*features`."""
        made: list[Read] = []
        place = 0
        while place < len(operands):
            fits = [
                (name, items)
                for name, items in self._lists.items()
                if tuple(operands[place : place + len(items)]) == items
            ]
            name, items = fits[0] if fits else ("", tuple(operands[place : place + 1]))
            made.append(Read(name, spread=True) if name else self.read(operands[place]))
            place += len(items)
        return tuple(made)

    def given(self, given: Given | None) -> Read | ListOf | Value:
        """What a function is given: None where it reads an input only in parts that a use does not have."""
        if given is None:
            return Value("None")
        if not isinstance(given, Many):
            return self.read(given)
        held = [name for name, items in self._lists.items() if items == given.items]
        return Read(held[0]) if held else ListOf(self.reads(given.items))

    def holder(self, operand: Given) -> str:
        """The variable that holds a value by itself, if one does."""
        return self._holder.get(operand, "")

    def last_use(self, operand: Given, index: int) -> int:
        """The item that reads a value last: itself, item `index`, where none does."""
        if isinstance(operand, Out) and operand.index == -1:
            outs = [o for o in self._last_use if isinstance(o, Out) and o.call == operand.call]
            return max((self._last_use[o] for o in outs), default=index)
        return self._last_use.get(operand, index)

    def is_read(self, operand: Operand) -> bool:
        """Whether any item reads a value, or the function returns it."""
        return operand in self._last_use

    def dying(self, index: int, operands: Sequence[Given], since: int | None = None) -> str:
        """The variable of an operand that nothing reads later: `x` in `x = f(x)`, and in `x = add(conv, x)`.

        The statement begins with item `since`, where an op stands inside of it.

        Other than the first operand, only one whose name says nothing: `sin` holds no `mul(cat, sin)`.
        """
        for place, operand in enumerate(operands):
            holder = self.holder(operand)
            fits = place == 0 or holder in SAYS_NOTHING or holder == self._first
            last = self._last_use.get(operand, -2)
            if (
                (index if since is None else since) <= last <= index
                and fits
                and holder not in {"", *self._made_up}
            ):
                return holder
        return ""

    def is_free(self, name: str, index: int) -> bool:
        """Whether nothing is read under a name after item `index`."""
        return name not in self._functions and self._until.get(name, -2) <= index

    # What is assigned --------------------------------------------------------------------------------

    def enter(self, given: Given, name: str) -> str:
        """The name of what the function is given: the one asked for, unless it is taken."""
        if isinstance(given, Many):
            held = self.hold_list(given.items, name, -1)
        else:
            held = self._hold(given, name, -1)
        self._first = self._first or held
        return held

    def assign(self, index: int, operand: Given, wishes: Sequence[str], made_up: Sequence[str] = ()) -> str:
        """The variable that item `index` assigns a value to: the first of the wishes that is free there.

        Of the wishes, those `made_up` are none of the author's.
        """
        target = self._target(index, operand, wishes)
        if target in {readable(name) for name in made_up if name}:
            self._made_up.add(target)
        return target

    def keep(self, operand: Given, holder: str, index: int) -> None:
        """Tell that item `index` assigns a value to a variable of its own choice."""
        self._holder[operand] = holder
        self._until[holder] = self.last_use(operand, index)

    def hold_list(self, items: tuple[Operand, ...], name: str, index: int) -> str:
        """A variable for a list, which never holds anything but lists."""
        numbered = (f"{LIST_AGAIN}{n}" for n in itertools.count(2))
        for candidate in itertools.chain([readable(name), LIST_AGAIN], numbered):
            fresh = candidate in self._lists or candidate not in self._until
            if fresh and self.is_free(candidate, index):
                break
        return self._hold_items(items, candidate, index)

    def hold_tuple(self, items: tuple[Operand, ...], name: str, index: int) -> str:
        """A variable for the results of a function, which never holds anything but as many of them."""
        candidate, number = readable(name), 1
        while candidate in self._until and not (
            self.is_free(candidate, index) and len(self._lists.get(candidate, ())) == len(items)
        ):
            number += 1
            candidate = f"{readable(name)}{number}"
        return self._hold_items(items, candidate, index)

    def _hold_items(self, items: tuple[Operand, ...], name: str, index: int) -> str:
        self._lists[name] = items
        lasts = (self.last_use(o, index) for o in items)
        self._until[name] = max(self._last_use.get(Many(items), index), *lasts)
        return name

    def spread(self, given: Sequence[Read | ListOf | Value]) -> list[Read | ListOf | Value]:
        """What a call is given, all items of a list in a row as `*features`."""
        made: list[Read | ListOf | Value] = []
        place = 0
        while place < len(given):
            own = given[place]
            items = self._lists.get(own.variable, ()) if isinstance(own, Read) and own.item == 0 else ()
            name = own.variable if isinstance(own, Read) else ""
            whole = [Read(name, number) for number in range(len(items))]
            is_whole = len(whole) > 1 and [*given[place : place + len(whole)]] == whole
            made.append(Read(name, spread=True) if is_whole else own)
            place += len(whole) if is_whole else 1
        return made

    def among(self, given: Among, counter: str, start: int) -> bool:
        """Read one of several values in each turn: as an item of the list that holds them, if one does."""
        first = self._place_in_list(given.items[0])
        places = [self._place_in_list(operand) for operand in given.items]
        is_list = first is not None and places == [(first[0], first[1] + n) for n in range(len(places))]
        if first is not None and is_list:
            self._among[given] = Read(first[0], Turn(counter, first[1] - start))
        else:
            self._among[given] = Read(given.column)
        return is_list

    def _place_in_list(self, operand: Operand) -> tuple[str, int] | None:
        """The list that holds a value, and where."""
        if operand in self._holder:
            return None
        for name, items in self._lists.items():
            if operand in items:
                return name, items.index(operand)
        if isinstance(operand, Out) and Out(operand.call, -1) in self._holder:
            return self._holder[Out(operand.call, -1)], operand.index
        return None

    def collect(self, first: Operand, name: str) -> None:
        """Tell that a list is made which a loop appends to, in its first turn `first`."""
        self._collected[first] = name

    def is_collected(self, first: Operand) -> str:
        """The list that a loop appends a value to in its first turn, if one does."""
        return self._collected.get(first, "")

    def forget(self, operands: Iterable[Operand]) -> None:
        """Tell that the variables that hold some values hold others from now on."""
        for operand in operands:
            self._holder.pop(operand, None)

    def take_part(self, replaced: dict[str, tuple[int, int]] | None = None) -> dict[str, tuple[int, int]]:
        """Begin a part inside of another, or go back to that: what the part gives other values."""
        before, self._replaced = self._replaced, {} if replaced is None else replaced
        return before

    def merge(self, operand: Operand, holder: str, index: int, end: int, free: tuple[int, int]) -> None:
        """Tell that a part, items `index` to `end`, gives a variable another value.

        Between the items `free` the part may use it for others.
        """
        self._replaced[holder] = free
        self._merged[operand] = holder
        self._until[holder] = max(self.last_use(operand, index), end)

    def end_part(self) -> None:
        """Tell that the part is over."""
        self._replaced = {}

    def _target(self, index: int, operand: Given, wishes: Sequence[str]) -> str:
        merged = self._merged.get(operand)
        if merged is not None:
            self.keep(operand, merged, index)
            return merged
        named = [wish for wish in wishes if wish.strip("_")] or ["x"]
        named = [wish for wish in named if not self._comes_again(wish, operand, index)] or named[-1:]
        life = self.last_use(operand, index)
        for wish in map(readable, named):
            since, made_at = self._replaced.get(wish, (0, -1))
            if since <= index and life <= made_at:
                self._replaced[wish] = (life, made_at)
                self._holder[operand] = wish
                return wish
            if self.is_free(wish, index):
                return self._hold(operand, wish, index)
        return self._hold(operand, named[-1], index)

    def _hold(self, operand: Given, name: str, index: int) -> str:
        """A free variable for a value: the name itself, or that with a number."""
        base = readable(name)
        candidate, number = base, 1
        while not self.is_free(candidate, index):
            number += 1
            candidate = f"{base}{number}"
        self.keep(operand, candidate, index)
        return candidate

    def _comes_again(self, name: str, operand: Given, index: int) -> bool:
        """Whether the author's `x` holds something else while a value is needed: a skip connection's, say."""
        life = self.last_use(operand, index)
        return name in SAYS_NOTHING and any(index < later < life for later in self._assigned.get(name, ()))
