"""The modules of a net one by one: which convert alone, and agree, on what the net hands to them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from codegen.problems import ConversionError, Problem, in_a_line
from tracer.conversion import convert
from tracer.copies import module_copy
from tracer.inputs import InputSpec, make_inputs
from tracer.review.failure import Part, Verdict
from tracer.review.words import around, rounded
from tracer.settings import traced_settings

# So many are tried: each is a conversion of its own.
MOST_TRIED = 40


@dataclass(frozen=True)
class Called:
    """A module, and what its first call was given: None for what is told in `why`."""

    path: str
    module: nn.Module
    given: tuple[Any, ...] | None
    why: str = ""


@dataclass(frozen=True)
class Tried:
    """A part, and what is refused in it: places are those in the whole net. `error` is the refusal itself."""

    part: Part
    problems: tuple[Problem, ...] = ()
    error: ConversionError | None = None


def converted_parts(
    model: nn.Module, specs: Sequence[InputSpec], refused: Collection[str]
) -> tuple[Tried, ...]:
    """The net's children, and those of each module in which something is refused, tried alone.

    `refused` are the paths of what is known to be; a net is refused at the first call that cannot be traced,
    and the parts may show more.
    """
    opened: set[str] = set()
    found: dict[str, Tried] = {}
    order: list[str] = []
    new = {"", *(path for at in refused for path in around(at))}
    while new:
        opened |= new
        called = _called(model, specs, _is_child_of(frozenset(opened)))
        order = [c.path for c in called]
        # What is refused first: of a long net not every module is tried.
        for c in sorted(called, key=lambda c: c.path not in opened):
            if c.path not in found:
                full = len(found) >= MOST_TRIED
                found[c.path] = _untried(c, f"{MOST_TRIED} others were") if full else _converted(c)
        at = {problem.where.path for tried in found.values() for problem in tried.problems}
        new = {outer for path in at for outer in around(path)} - opened
    parts = [found[path] for path in order]
    return tuple(replace(t, part=replace(t.part, why="")) if _is_told(t, parts) else t for t in parts)


def _is_child_of(opened: Collection[str]) -> Callable[[str], bool]:
    """Whether a path is that of a module right within one of these."""
    return lambda path: path != "" and path.rpartition(".")[0] in opened


def _is_told(tried: Tried, parts: Sequence[Tried]) -> bool:
    """Whether all that is refused in a part is refused in a smaller one, which tells why."""
    within = [t for t in parts if t.part.path.startswith(f"{tried.part.path}.")]
    told = {_said(problem) for t in within for problem in t.problems}
    return bool(tried.problems) and {_said(problem) for problem in tried.problems} <= told


def smallest_with(problem: Problem, parts: Sequence[Tried]) -> Part | None:
    """The smallest part in which a problem shows, None where that is the net itself."""
    showing = [t.part for t in parts if _said(problem) in map(_said, t.problems)]
    return max(showing, key=lambda part: part.path.count("."), default=None)


def compared_parts(
    model: nn.Module, specs: Sequence[InputSpec], parted: str, tolerance: float
) -> tuple[Part, ...]:
    """Each module around the one at the path `parted`, and that, compared alone: the larger first."""
    wanted = around(parted)[1:]
    modules = {called.path: called for called in _called(model, specs, lambda path: path in wanted)}
    return tuple(_compared(modules[path], tolerance) for path in wanted if path in modules)


def smallest_of(parts: Sequence[Part]) -> Part | None:
    """The one that fails, and in which none that was tried fails; the first in the order of execution."""
    failed = [part for part in parts if part.verdict in {"refused", "differs"}]
    return next((p for p in failed if not any(o.path.startswith(f"{p.path}.") for o in failed)), None)


def _called(model: nn.Module, specs: Sequence[InputSpec], wanted: Callable[[str], bool]) -> list[Called]:
    """The modules that are wanted, in the order of their first calls, when torch runs the net."""
    copied = module_copy(model)
    found: dict[str, Called] = {}

    def hook(path: str, own: nn.Module) -> Any:
        def note(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            if path not in found:
                found[path] = _bound(path, own, module, args, kwargs)

        return note

    own = dict(model.named_modules())
    for path, module in copied.named_modules():
        if wanted(path):
            module.register_forward_pre_hook(hook(path, own[path]), with_kwargs=True)
    # Where torch cannot run the net, what ran before is known all the same.
    with traced_settings(), torch.no_grad(), contextlib.suppress(Exception):
        copied(**make_inputs(tuple(specs), None, 1))
    return list(found.values())


def _bound(
    path: str, own: nn.Module, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Called:
    try:
        given = inspect.signature(module.forward).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return Called(path, own, None, in_a_line(error))
    if given.kwargs:
        return Called(path, own, None, f"its argument {next(iter(given.kwargs))} goes by name alone")
    return Called(path, own, tuple(_kept(value) for value in given.args))


def _kept(value: Any) -> Any:
    """A tensor as it was when the module was called: what follows may write to it."""
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _converted(called: Called) -> Tried:
    """A module converted alone, which is not compared."""
    if called.given is None:
        return _untried(called, called.why)
    try:
        conversion = convert(called.module, called.given, proved=False)
    except ConversionError as error:
        why = "; ".join(dict.fromkeys(map(_said, error.problems)))
        return Tried(_part(called, "refused", why=why), tuple(_placed(called.path, error.problems)), error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a row of the report
        return _untried(called, in_a_line(error))
    return Tried(_part(called, "converts", len(conversion.program.calls)))


def _placed(path: str, problems: Sequence[Problem]) -> Iterator[Problem]:
    """The problems of a module that was converted alone, at their places in the whole net."""
    for problem in problems:
        at = f"{path}.{problem.where.path}".rstrip(".")
        yield replace(problem, where=replace(problem.where, path=at))


def _compared(called: Called, tolerance: float) -> Part:
    """A module converted and compared alone."""
    if called.given is None:
        return _untried(called, called.why).part
    try:
        conversion = convert(called.module, called.given)
        agreement = conversion.verify(tolerance=tolerance, layers=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a row of the report
        return _untried(called, in_a_line(error)).part
    verdict: Verdict = "agrees" if agreement.ok else "differs"
    return _part(called, verdict, len(conversion.program.calls), rounded(agreement.difference))


def _said(problem: Problem) -> str:
    return f"{problem.what} ({problem.number})"


def _untried(called: Called, why: str) -> Tried:
    return Tried(_part(called, "not tried", why=why))


def _part(called: Called, verdict: Verdict, ops: int = 0, difference: str = "", why: str = "") -> Part:
    return Part(called.path, type(called.module).__name__, verdict, ops, difference, why)


def in_order(parts: Sequence[Part]) -> Iterator[tuple[int, Part]]:
    """Each part with how deep it lies, what is within a module after it."""
    paths = {part.path for part in parts}

    def depth(path: str) -> int:
        return sum(outer in paths for outer in around(path)[1:-1])

    placed = {part.path: number for number, part in enumerate(parts)}

    def key(part: Part) -> list[int]:
        return [placed[path] for path in around(part.path)[1:] if path in placed]

    for part in sorted(parts, key=key):
        yield depth(part.path), part
