"""Which variable of a function holds which value, and until where."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from codegen.defects import of_kind
from codegen.folded import Given, Many
from codegen.identifiers import readable
from codegen.ir import SAYS_NOTHING
from codegen.program import Operand, Out
from codegen.written import ListOf, Read, Value

# What a list of values is called where the net calls a tensor features.
LIST_AGAIN = "outputs"


class Variables:
    """The variables of one function: every value is given one that is free while it is needed.

    Items are numbered in order; -1 is where the function is entered.
    """

    def __init__(
        self,
        functions: frozenset[str],
        last_use: Mapping[Operand, int],
        assigned: Mapping[str, Sequence[int]],
    ) -> None:
        self._functions = functions
        self._last_use = last_use
        # The author's variables, with the items that end the assignments to them.
        self._assigned = assigned
        self._holder: dict[Operand, str] = {}
        self._until: dict[str, int] = {}
        self._first = ""
        # Variables that are called as the author calls none.
        self._made_up: set[str] = set()
        # What a part under a flag makes, with the variable of what stands in its place without the part.
        self._merged: dict[Operand, str] = {}
        # Variables that a part gives another value: free from the last op that reads them until that one.
        self._replaced: dict[str, tuple[int, int]] = {}
        # What the variables that hold lists hold.
        self._lists: dict[str, tuple[Operand, ...]] = {}

    # What is read ------------------------------------------------------------------------------------

    def read(self, operand: Operand) -> Read:
        """The variable that holds a value, or the item of one that does."""
        if operand in self._holder:
            return Read(self._holder[operand])
        for name, items in self._lists.items():
            if operand in items:
                return Read(name, items.index(operand))
        operand = of_kind(operand, Out, f"{operand} is read before it is made")
        return Read(self._holder[Out(operand.call, -1)], operand.index)

    def reads(self, operands: Sequence[Operand]) -> tuple[Read, ...]:
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

    def holder(self, operand: Operand) -> str:
        """The variable that holds a value by itself, if one does."""
        return self._holder.get(operand, "")

    def last_use(self, operand: Operand, index: int) -> int:
        """The item that reads a value last: itself, item `index`, where none does."""
        if isinstance(operand, Out) and operand.index == -1:
            outs = [o for o in self._last_use if isinstance(o, Out) and o.call == operand.call]
            return max((self._last_use[o] for o in outs), default=index)
        return self._last_use.get(operand, index)

    def is_read(self, operand: Operand) -> bool:
        """Whether any item reads a value, or the function returns it."""
        return operand in self._last_use

    def dying(self, index: int, operands: Sequence[Operand]) -> str:
        """The variable of an operand that nothing reads later: `x` in `x = f(x)`, and in `x = add(conv, x)`.

        Other than the first operand, only one whose name says nothing: `sin` holds no `mul(cat, sin)`.
        """
        for place, operand in enumerate(operands):
            holder = self.holder(operand)
            fits = place == 0 or holder in SAYS_NOTHING or holder == self._first
            if self._last_use.get(operand) == index and fits and holder not in {"", *self._made_up}:
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

    def assign(self, index: int, operand: Operand, wishes: Sequence[str], made_up: Sequence[str] = ()) -> str:
        """The variable that item `index` assigns a value to: the first of the wishes that is free there.

        Of the wishes, those `made_up` are none of the author's.
        """
        target = self._target(index, operand, wishes)
        if target in {readable(name) for name in made_up if name}:
            self._made_up.add(target)
        return target

    def keep(self, operand: Operand, holder: str, index: int) -> None:
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
        self._lists[candidate] = items
        self._until[candidate] = max(self.last_use(o, index) for o in items)
        return candidate

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

    def _target(self, index: int, operand: Operand, wishes: Sequence[str]) -> str:
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

    def _hold(self, operand: Operand, name: str, index: int) -> str:
        """A free variable for a value: the name itself, or that with a number."""
        base = readable(name)
        candidate, number = base, 1
        while not self.is_free(candidate, index):
            number += 1
            candidate = f"{base}{number}"
        self.keep(operand, candidate, index)
        return candidate

    def _comes_again(self, name: str, operand: Operand, index: int) -> bool:
        """Whether the author's `x` holds something else while a value is needed: a skip connection's, say."""
        life = self.last_use(operand, index)
        return name in SAYS_NOTHING and any(index < later < life for later in self._assigned.get(name, ()))
