"""Inputs that fit a net: what it declares is tried, then what its layers could take."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from codegen.ir import Note
from codegen.kinds.note import note
from codegen.problems import RequestError, counted, listed
from tracer.declared_inputs import Guess, declared_inputs, float_dtype, main_input
from tracer.input_options import Option, layer_options, options_for
from tracer.inputs import MOST_NAMES, Forward, InputSpec, forward_of, make_inputs
from tracer.time_limit import OutOfTime, time_limit

# The search ends after so many seconds, unless asked otherwise; the net is run this often at most.
SECONDS = 10.0
MAX_TRIES = 500
# How long a search goes on for inputs that run at two batch sizes, when it has some that run at one.
MORE_TRIES = 50
MAX_CHOICES = 5000
# (combinations, sizes of each): every round goes on where those before it stopped.
ROUNDS = ((30, 4), (12, 16), (1, 1000), (60, 4), (MAX_CHOICES, 1000))


def find_inputs(
    model: nn.Module,
    runs: Callable[[dict[str, torch.Tensor]], bool],
    seconds: float = SECONDS,
    say: Callable[[str], None] | None = None,
) -> tuple[tuple[InputSpec, ...], Note]:
    """Inputs on which the net runs, at batch size 1, and a sentence that says where they come from.

    Tried in order: the module's example_input_array; default_cfg["input_size"] and the like; the sizes
    of its layers with a list of usual ones; for so many `seconds`. `runs` says whether the net runs on given
    tensors; `say` is told what is tried, once a second. Raises RequestError, naming --input, where nothing
    fits.
    """
    search = _Search(model, runs, seconds, say)
    try:
        with time_limit(seconds):
            search.run()
    except OutOfTime:
        search.is_late = True
    if search.found is None:
        raise RequestError(search.nothing_fits(), code="no-inputs")
    return search.found.specs, _sentence(search.found)


@dataclass
class _Search:
    """What was tried so far: `found` runs, if only at one batch size."""

    model: nn.Module
    runs: Callable[[dict[str, torch.Tensor]], bool]
    seconds: float
    say: Callable[[str], None] | None
    tries: int = 0
    found: Guess | None = None
    is_late: bool = False

    def run(self) -> None:
        last, start, said = MAX_TRIES, time.monotonic(), 0.0
        for guess in _guesses(self.model, forward_of(self.model)):
            taken = time.monotonic() - start
            self.is_late = taken > self.seconds
            if self.tries >= last or self.is_late:
                return
            if self.say is not None and taken - said > 1:
                self.say(
                    f"looking for inputs: {_written(guess.specs)} ({counted(self.tries, 'shape')} tried)"
                )
                said = taken
            self.tries += 1
            if not self.runs(_trial_tensors(guess.specs, None)):
                continue
            if self.found is None:
                self.found, last = guess, min(MAX_TRIES, self.tries + MORE_TRIES)
            # Shapes that fit by broadcasting, or for lack of a batch axis, fit at one batch size alone.
            if guess.is_sure or self.runs(_trial_tensors(guess.specs, 2)):
                self.found = guess
                return

    def nothing_fits(self) -> str:
        forward = forward_of(self.model)
        names = forward.required or forward.names[:1]
        shapes = ["1,3,224,224", *["1,16"] * (len(names) - 1)]
        options = [f"--input {name}={shape}" for name, shape in zip(names, shapes, strict=True)]
        example = listed(options, MOST_NAMES, " ")
        late = f" in {self.seconds:g} s" if self.is_late else ""
        longer = f", or more time with --search-seconds {6 * self.seconds:g}" if self.is_late else ""
        return (
            f"no input was found{late} on which {forward} runs ({counted(self.tries, 'shape')} tried): give "
            f"the shapes, such as {example}{longer}"
        )


def _written(specs: Sequence[InputSpec]) -> str:
    return " ".join(f"{spec.name}={','.join(map(str, spec.shape))}:{spec.dtype}" for spec in specs)


def _trial_tensors(specs: Sequence[InputSpec], batch: int | None) -> dict[str, torch.Tensor]:
    """Seeded tensors, with the largest integer that may come: an index out of range must show now."""
    tensors = make_inputs(specs, batch, 0)
    for spec in specs:
        if spec.high is not None and spec.value is None and "mask" not in spec.name:
            tensors[spec.name].view(-1)[0] = spec.high - 1
    return tensors


def _sentence(guess: Guess) -> Note:
    parts = [
        f"{spec.name} {spec.shape} {spec.dtype}, found from {why}"
        for spec, why in zip(guess.specs, guess.whys, strict=True)
    ]
    return note("inputs-found", inputs="; ".join(parts))


def _guesses(model: nn.Module, forward: Forward) -> Iterator[Guess]:
    yield from declared_inputs(model, forward)
    names = forward.required or main_input(model, forward)
    options = layer_options(model)
    yield from _combinations(names, [options_for(name, options) for name in names], float_dtype(model))


def _combinations(
    names: Sequence[str], options: Sequence[Sequence[Option]], float_dtype: str
) -> Iterator[Guess]:
    """One option for each argument, likeliest first; sizes that vary do so together.

    ROUNDS says how many sizes of how many combinations come before the rest.
    """
    combined = list(_ranked(options))
    done: set[tuple[int, int]] = set()
    for count, stop in ROUNDS:
        for place, chosen in enumerate(combined[:count]):
            for index in range(min(stop, max(len(option.shapes) for option in chosen))):
                if (place, index) in done:
                    continue
                done.add((place, index))
                specs = tuple(o.spec(n, index, float_dtype) for n, o in zip(names, chosen, strict=True))
                yield Guess(specs, tuple(option.why for option in chosen), is_sure=False)


def _ranked(options: Sequence[Sequence[Option]]) -> Iterator[tuple[Option, ...]]:
    """Every choice by the sum of its costs; the same layer for two arguments counts as unlikely."""
    depth = max(1, int(MAX_CHOICES ** (1 / len(options))))
    choices = itertools.product(*(_with_costs(o)[:depth] for o in options))

    def cost(choice: tuple[tuple[int, Option], ...]) -> int:
        layers = {option.why for _, option in choice}
        return sum(own for own, _ in choice) + 2 * (len(choice) - len(layers))

    for choice in sorted(choices, key=cost):
        yield tuple(option for _, option in choice)


def _with_costs(options: Sequence[Option]) -> list[tuple[int, Option]]:
    """The rank of an option's layer, and of its form among those of the layer, added; cheapest first."""
    layers = list(dict.fromkeys(option.why for option in options))
    forms = dict.fromkeys(layers, 0)
    costs: list[tuple[int, Option]] = []
    for option in options:
        costs.append((layers.index(option.why) + forms[option.why], option))
        forms[option.why] += 1
    return sorted(costs, key=lambda pair: pair[0])
