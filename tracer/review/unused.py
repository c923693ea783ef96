"""The keys of torch's that went nowhere, those of one place or one name in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from tracer.conversion import Conversion
from tracer.review.model import UnusedRow
from tracer.review.words import around

# From so many on, keys are told as one.
MANY = 4
WHY = "that no output of inference depends on"


def unused_rows(conversion: Conversion) -> tuple[UnusedRow, ...]:
    """The keys of the state that no Variable holds: what forward computes of them, no output needs."""
    used = {k for v in conversion.program.variables for k in (*v.keys, *v.tied, *v.derived)}
    parameters = dict(conversion.model.named_parameters(remove_duplicate=False))
    keys = conversion.model.state_dict()
    kinds = {key: "parameter" if key in parameters else "buffer" for key in keys}
    return tuple(gathered({k: kind for k, kind in kinds.items() if k not in used}, used & keys.keys()))


def gathered(unused: Mapping[str, str], used: Collection[str]) -> Iterator[UnusedRow]:
    """Unused keys with what each is, in order: many of one module, or of one name, are a row.

    So they are where no key that is used is among them: `criterion.*`, then `*.num_batches_tracked`.
    """
    left = dict(unused)
    rows: dict[str, tuple[str, list[str]]] = {}
    for told_of in (_modules, _names):
        held = {pattern for key in used for pattern in told_of(key)}
        counts = Counter(pattern for key in left for pattern in told_of(key))
        for pattern, keys in _taken(left, told_of, {p for p, n in counts.items() if n >= MANY} - held):
            rows[keys[0]] = (pattern, keys)
            for key in keys:
                del left[key]
    rows |= {key: (key, [key]) for key in left}
    for key in unused:
        if key in rows:
            pattern, keys = rows[key]
            yield UnusedRow(pattern, _why([unused[k] for k in keys]), len(keys))


def _taken(
    left: Collection[str], told_of: Callable[[str], Sequence[str]], patterns: Collection[str]
) -> list[tuple[str, list[str]]]:
    """The keys of each of these patterns; a key of several is of the first that it is told of."""
    found: dict[str, list[str]] = {}
    for key in left:
        pattern = next((pattern for pattern in told_of(key) if pattern in patterns), None)
        if pattern is not None:
            found.setdefault(pattern, []).append(key)
    return list(found.items())


def _modules(key: str) -> Sequence[str]:
    """The modules around a key, the outermost first."""
    return [f"{path}.*" for path in around(key.rpartition(".")[0])[1:]]


def _names(key: str) -> Sequence[str]:
    path, _, name = key.rpartition(".")
    return [f"*.{name}"] if path else []


def _why(kinds: Sequence[str]) -> str:
    if len(kinds) == 1:
        return f"a {kinds[0]} {WHY}"
    told = (f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in Counter(kinds).items())
    return f"{' and '.join(told)} {WHY}"
