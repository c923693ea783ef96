"""Stages of a long net are functions that are called once; several results are one variable."""

from __future__ import annotations

import ast

import torch
from torch import nn

from codegen.fold.sections import sections_of
from tests.test_choices import functions
from tests.test_loops import converted
from tracer.folding import LONGEST


class Stem(nn.Module):
    """Layers of which no two are alike."""

    def __init__(self, i: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = zip((i, *widths), widths, strict=False)
        for place, (own, out) in enumerate(sizes):
            kernel = 1 + 2 * (place % 3)
            setattr(self, f"conv{place}", nn.Conv2d(own, out, kernel, padding=kernel // 2, dilation=1))
            setattr(self, f"bn{place}", nn.BatchNorm2d(out))
        self.count = len(widths)

    def forward(self, x):
        for place in range(self.count):
            x = getattr(self, f"bn{place}")(getattr(self, f"conv{place}")(x))
            x = torch.relu(x) if place % 2 else torch.tanh(x)
        return x


class Trunk(Stem):
    """Other layers again."""

    def forward(self, x):
        for place in range(self.count):
            x = getattr(self, f"bn{place}")(torch.sigmoid(getattr(self, f"conv{place}")(x)) * 0.5)
        return x


class Split(nn.Module):
    """One map becomes several, in a list."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width + place, 2 * place + 1) for place in range(count))
        self.last = nn.ModuleList(nn.Conv2d(width + place, 4, 1, bias=not place) for place in range(count))

    def forward(self, x):
        found = []
        for place, (conv, last) in enumerate(zip(self.convs, self.last, strict=True)):
            y = torch.relu(conv(x)) if place else torch.sigmoid(conv(x))
            found.append(last(y).mean((2, 3)) * (0.5 + place))
        return found


class Join(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.fcs = nn.ModuleList(nn.Linear(4, 3 + place) for place in range(count))
        self.out = nn.Linear(sum(3 + place for place in range(count)), 2)

    def forward(self, maps):
        made = [
            torch.tanh(fc(x)) if n else torch.relu(fc(x))
            for n, (fc, x) in enumerate(zip(self.fcs, maps, strict=True))
        ]
        return self.out(torch.relu(torch.cat(made, 1)) * 0.5 + 1)


class Long(nn.Module):
    """A stem, a trunk, a neck that gives three, and a head that takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem(3, (*(5 + 7 * n % 11 for n in range(27)), 5))
        self.trunk = Trunk(5, (*(6 + 5 * n % 13 for n in range(17)), 9))
        self.neck, self.head = Split(9, 3), Join(3)

    def forward(self, x):
        return self.head(self.neck(self.trunk(self.stem(x))))


class Short(Long):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.trunk = Stem(3, (5, 7)), Trunk(7, (6, 9))


def test_a_long_net_is_in_sections() -> None:
    code = converted(Long(), (2, 3, 16, 16)).code
    made = functions(code)
    assert {"stem", "trunk", "neck"} <= set(made), code
    assert '"""Stem of test_sections.py."""' in code
    assert made["Long"].end_lineno - made["Long"].lineno < LONGEST
    assert 'neck_outputs = neck(x, name="neck")' in code
    assert "*neck_outputs" in code or "neck_outputs[0]" in code
    # What each section makes is named in full by what it is given.
    assert all(call.count("name=") == 1 for call in ast.unparse(made["Long"]).splitlines() if "stem(" in call)


def test_a_short_net_is_not() -> None:
    made = functions(converted(Short(), (2, 3, 16, 16)).code)
    assert "stem" not in made
    assert "trunk" not in made


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features, self.fc = Long(), nn.Linear(2, 2)

    def forward(self, x):
        return self.fc(self.features(x))


def test_what_does_nearly_all_is_no_section() -> None:
    program = converted(Nested(), (2, 3, 16, 16)).program
    found = {path for path, _ in sections_of(program)}
    assert {"features.stem", "features.trunk"} <= found
    assert "features" not in found


class Back(nn.Module):
    """The stem is left and read again: its ops do not stand together."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Stem(3, (5, 7, 3)), Stem(3, (6, 3, 9))])

    def forward(self, x):
        return self.parts[1](self.parts[0](x) + x)


def test_a_stage_does_its_work_in_one_go() -> None:
    program = converted(Back(), (2, 3, 8, 8)).program
    for path, call in sections_of(program):
        places = [
            index
            for index, own in enumerate(program.calls)
            if any((f.path, f.call) == (path, call) for f in own.source.frames)
        ]
        assert places == [*range(places[0], places[-1] + 1)]
