"""What is said of a compared port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.ir import Source
from codegen.problems import Problem, counted, listed
from codegen.proof.compare import Agreement, LayerAgreement, OutputAgreement
from codegen.proof.port import Port
from tracer.compare.causes import Cause
from tracer.compare.inputs import InputPair
from tracer.compare.work import Compared
from tracer.report import agreement_text

MOST_SUBJECTS = 12
DIFFERS = "port-differs"


def port_text(prefix: str, epoch: int, port: Port) -> str:
    """What was read."""
    weights = [v for v in port.variables if v.name in port.params]
    files = f"{prefix}-symbol.json and {prefix}-{epoch:04d}.params"
    return f"{files}: {counted(port.ops, 'op')}, {counted(len(weights), 'parameter')}"


def inputs_text(pairs: Sequence[InputPair], names: Sequence[str]) -> str:
    """Which variable is which input, in a line."""
    return "inputs: " + "; ".join(inputs_said(pairs, names))


def inputs_said(pairs: Sequence[InputPair], names: Sequence[str]) -> list[str]:
    """Which variable is which input, and what the port reads nothing for."""
    said = [f"{p.variable} is forward's {p.name}, {p.how}" for p in pairs]
    missed = [name for name in names if name not in {p.name for p in pairs}]
    return [*said, *(f"the port reads nothing for forward's {name}" for name in missed)]


def agreement_of(found: Compared) -> Agreement:
    """The outputs, and the first layer that parts, as a conversion's comparison has them."""
    layers = tuple(LayerAgreement(c.name, c.where, c.off) for c in found.causes[:1])
    return Agreement(found.outputs, layers, found.tolerance)


def agrees_text(found: Compared) -> str:
    """That the port agrees, and how far it is off."""
    return agreement_text(agreement_of(found))


def problems_of(found: Compared) -> list[Problem]:
    """That the port differs, and each layer that parts, at its line of torch's net."""
    first = found.causes[0].where if found.causes else Source()
    whole = Problem(DIFFERS, _worst(found), first, "; ".join(_end(found)))
    return [whole, *(Problem(DIFFERS, *_problem(cause)) for cause in found.causes)]


def _problem(cause: Cause) -> tuple[str, Source, str]:
    end = "" if cause.end == cause.name else f", as seen at {cause.end}"
    error = f" ({cause.error})" if cause.error else ""
    said = "; ".join(f"{change.subject}: {change.said}" for change in cause.changes)
    return f"{cause.name} ({cause.op}){end} {_off(cause)}{error}", cause.where, said or cause.hint


def differs_text(found: Compared) -> str:
    """That it does not, where it parts, and why."""
    return "\n".join([_worst(found), *_foreign(found), *_causes(found), *_end(found)])


def _worst(found: Compared) -> str:
    wrong = [o for o in found.outputs if not o.within(found.tolerance)]
    worst = max(wrong, key=lambda o: (o.difference != o.difference, o.difference))
    off = "" if worst.difference == float("inf") else f" by {worst.difference:.1e}, relative"
    where = f"tolerance {found.tolerance:g}; batch {worst.batch}; {worst.parameters}"
    why = f"\n{worst.why}" if worst.why else ""
    return f"the port differs from torch: output {worst.name}{off} ({where}){why}"


def _foreign(found: Compared) -> Iterator[str]:
    if found.foreign:
        yield (
            f"{len(found.foreign)} of {found.weights} parameters hold other values than torch's "
            f"({listed(found.foreign)}): was the port made from another checkpoint? give that as --weights"
        )
        yield "from here on torch's values stand in their place"


def _causes(found: Compared) -> Iterator[str]:
    for number, cause in enumerate(found.causes):
        yield from _cause(cause, is_first=number == 0)


def _cause(cause: Cause, is_first: bool) -> Iterator[str]:
    end = "" if cause.end == cause.name else f", as seen at {cause.end}"
    head = "the first layer that parts is" if is_first else "with that mended, the next one is"
    before = "; the op before it agrees" if cause.before == 1 else f"; the {cause.before} ops before it agree"
    before = before if is_first and cause.before else ""
    yield f"{head} {cause.name} ({cause.op}){end}: it {_off(cause)}{before}"
    yield f"    torch: {cause.torch}"
    if cause.error:
        yield f"    MXNet: {cause.error}"
    for change in cause.changes:
        yield f"    cause: {change.subject}: {change.said}"
    if not cause.changes:
        tried = f"; tried: {listed(cause.subjects, MOST_SUBJECTS)}" if cause.subjects else ""
        yield f"    cause: {cause.hint}" if cause.hint else f"    cause: not found{tried}"
        yield "    from here on torch's own value stands in its place"


def _off(cause: Cause) -> str:
    if cause.off != float("inf"):
        return f"parts by {cause.off:.1e}"
    return "cannot be run" if cause.error else "gives another shape"


def _end(found: Compared) -> Iterator[str]:
    if found.is_mended:
        several = (
            "these are" if sum(len(c.changes) for c in found.causes) + len(found.foreign) > 1 else "that is"
        )
        yield f"once {several} mended the port agrees with torch: {_largest(found.after):.1e}"
    elif found.after:
        yield f"once these are mended the port still differs from torch: {_largest(found.after):.1e}"
    elif found.is_rounding:
        yield (
            "no layer alone parts by as much: float32 rounds, and the net makes it grow; compare on other "
            "inputs (--input x=@x.npy), or with a larger --tolerance"
        )


def _largest(outputs: Sequence[OutputAgreement]) -> float:
    return max(o.difference for o in outputs)
