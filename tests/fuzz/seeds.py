"""The net of a seed: what hypothesis draws from the seed's bytes. And the smallest net that fails as a seed's does."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import random
import re
import time
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.errors import FlakyFailure

from tests.fuzz.net import Net, Step, names
from tests.fuzz.run import Outcome
from tests.fuzz.steps import nets

BYTES = 8192
Run = Callable[[str], Outcome]


class _Fails(Exception):
    """The net fails as the first did."""


def net_of(seed: int) -> Net:
    """The same net at every call."""
    found: list[Net] = []

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(nets())
    def drawn(net: Net) -> None:
        found.append(net)

    drawn.hypothesis.fuzz_one_input(_bytes(seed))
    return found[0]


def _bytes(seed: int) -> bytes:
    return random.Random(seed).randbytes(BYTES)


def shrunk(seed: int, first: Outcome, run: Run, seconds: float) -> tuple[Net, Outcome]:
    """The smallest net found that fails as the seed's does, and how it fails."""
    search = _Search(first, run, time.monotonic() + seconds)
    search.fails(net_of(seed))
    if first.status != "hung":
        search.by_hypothesis(seed)
    search.end += seconds  # what hypothesis leaves is tidied
    search.tidied()
    return search.best, search.outcome


class _Enough(BaseException):
    """The time is up: hypothesis lets what is no Exception through."""


class _Search:
    def __init__(self, first: Outcome, run: Run, end: float) -> None:
        self.first, self.run, self.end = first, run, end
        self.known: dict[str, bool] = {}
        self.best, self.outcome = Net((), (), (), ""), first

    def fails(self, net: Net) -> bool:
        """Whether the net fails as the first did; the smallest that does is kept."""
        source = net.source()
        if source not in self.known:
            if time.monotonic() > self.end and self.best.inputs:
                return False
            found = self.run(source)
            self.known[source] = (found.status, found.kind) == (self.first.status, self.first.kind)
            if self.known[source] and (not self.best.inputs or _size(net) < _size(self.best)):
                self.best, self.outcome = net, found
        return self.known[source]

    def by_hypothesis(self, seed: int) -> None:
        @settings(
            database=InMemoryExampleDatabase(),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.shrink],
            max_examples=1000,
            report_multiple_bugs=False,
        )
        @given(nets())
        def search(net: Net) -> None:
            if self.fails(net):
                raise _Fails
            if time.monotonic() > self.end:
                raise _Enough

        with contextlib.suppress(_Fails):
            search.hypothesis.fuzz_one_input(_bytes(seed))  # keeps in its database what raises
        with contextlib.suppress(_Fails, _Enough, FlakyFailure), contextlib.redirect_stdout(io.StringIO()):
            search()

    def tidied(self) -> None:
        """Leave out what may be left out: steps, results, lines."""
        again = True
        while again and time.monotonic() < self.end:
            before = _size(self.best)
            again = any(_size(n) < before and self.fails(n) for n in _smaller(self.best))


def _size(net: Net) -> tuple[int, int]:
    return sum(len(s.lines) for s in net.steps), len(net.source())


def _smaller(net: Net) -> Iterator[Net]:
    parts = net.returns.split(", ")
    if len(parts) > 1 or net.returns.startswith("{"):
        for part in parts:
            yield dataclasses.replace(net, returns=part.strip("{}").split(": ")[-1])
    for place in range(len(net.steps)):
        fewer = net.steps[:place] + net.steps[place + 1 :]
        yield dataclasses.replace(net, steps=fewer)
        made = _name(net.steps[place].lines[-1])
        for read in sorted(names("\n".join(net.steps[place].lines))):
            if made and read != made and (read in {i.name for i in net.inputs} or read[:1] == "v"):
                yield _renamed(dataclasses.replace(net, steps=fewer), made, read)
    for place, step in enumerate(net.steps):
        for line in range(len(step.lines)):
            if len(step.lines) > 1:
                fewer_lines = Step(step.lines[:line] + step.lines[line + 1 :])
                yield dataclasses.replace(net, steps=(*net.steps[:place], fewer_lines, *net.steps[place + 1 :]))


def _name(line: str) -> str:
    head = line.split(" = ")[0]
    return head if head.isidentifier() else ""


def _renamed(net: Net, old: str, new: str) -> Net:
    def put(text: str) -> str:
        return re.sub(rf"\b{old}\b", new, text)

    steps = tuple(Step(tuple(map(put, s.lines))) for s in net.steps)
    return dataclasses.replace(net, steps=steps, returns=put(net.returns))
