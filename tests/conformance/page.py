"""docs/operators.md: what became of torch's own samples, an op a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from codegen.builder.value import EMPTY
from codegen.refusals import reasons
from tests.conformance import corrected
from tests.conformance.run import Result
from tests.conformance.samples import MODULE_PREFIX, VISION_PREFIX, forms
from tests.traps.corrections import corrections
from tracer.op_facts import WAYS_OUT

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
MOST_OPS = 8
COLUMNS = ("op", "torch forms", "MXNet ops", "corrected", "parity", "refused", "n/a", "refused because")

VISION_HEAD = """
## Ops of torchvision

torchvision has no table of samples: these are the cases of `tests/op_cases/vision.py`. PyPI's torchvision does not import
beside the build of torch that writes this page, so what they are compared with is the stand-in of `tests/vision/`;
`make torchvision` runs the same cases, and those of box arithmetic and whole layers, by torchvision itself, and the
stand-in against it.

"""


def write(results: Sequence[Result]) -> None:
    """Write the page."""
    entries: dict[str, list[Result]] = {}
    for result in results:
        entries.setdefault(result.op, []).append(result)
    shown = {n: rows for n, rows in entries.items() if any(r.status != "n/a" for r in rows)}
    rows_of = {n: _row(n, rows) for n, rows in shown.items()}
    modules = [row for n, row in rows_of.items() if n.startswith(MODULE_PREFIX)]
    vision = [row for n, row in rows_of.items() if n.startswith(VISION_PREFIX)]
    functions = [row for n, row in rows_of.items() if not n.startswith((MODULE_PREFIX, VISION_PREFIX))]
    rest = {n: rows for n, rows in entries.items() if n not in shown}
    parts = [
        summary(results),
        "\n## Modules of torch.nn\n\n" + _head(COLUMNS[:1] + COLUMNS[2:]) + "".join(modules),
        "\n## Functions, methods and operators\n\n" + _head(COLUMNS) + "".join(functions),
        VISION_HEAD + _head(COLUMNS[:1] + COLUMNS[2:]) + "".join(vision),
        "\n## Not applicable\n\n" + "".join(_left_out(n, rows) for n, rows in rest.items()),
    ]
    PAGE.write_text("".join(parts), encoding="utf-8")


def linked(text: str) -> str:
    """The page with the column `corrected` as the docstrings have it now; all else as it stands."""
    told, place, lines = corrections(), 0, []
    for line in text.splitlines():
        cells = line.split(" | ")
        if cells[0] == "| op":
            place = cells.index("corrected")
        elif cells[0].startswith("| `"):
            attributes = corrected.attributes(cells[place])
            cells[place] = corrected.cell(cells[0].strip("| `"), attributes, told)
        lines.append(" | ".join(cells))
    return "\n".join(lines) + "\n"


def summary(results: Sequence[Result]) -> str:
    """The totals, the share of parity and how to get them."""
    counts = Counter(r.status for r in results)
    applicable = len(results) - counts["n/a"]
    empty = sum(r.status == "refused" and is_empty(r) for r in results)
    reasons = Counter(r.why for r in results if r.status == "n/a")
    left_out = ", ".join(f"{why} {n:,}" for why, n in reasons.most_common())
    return f"""\
# Operators

`make conformance` writes this page. torch tests itself with tables of samples: `common_modules.module_db` (constructor
arguments and inputs of the classes of torch.nn) and `common_methods_invocations.op_db` (arguments of functions).
torchvision's ops have cases of our own. Each sample becomes a net, which is converted in eval mode and compared with
torch: within 1e-4, in the same dtype and shape. `python -m tests.conformance NAME` runs one entry; with `--verbose`
it prints each sample.

- {len(results):,} samples of {len({r.op for r in results})} entries: parity {counts["parity"]:,}, refused \
{counts["refused"]:,}, not applicable {counts["n/a"]:,}, wrong {counts["WRONG"]}, crashed {counts["CRASH"]}
- parity: {100 * counts["parity"] / applicable:.1f} % of the {applicable:,} samples that apply; \
{100 * counts["parity"] / (applicable - empty):.1f} % without the {empty:,} whose result has no elements, which a \
symbol of MXNet cannot give
- not applicable: {left_out}

A row counts the samples of an entry. `MXNet ops` are the ops in the symbols of those with parity, the most frequent
first. `corrected` are the attributes that are written where the frameworks' defaults differ, and what
else the rule corrects; the links lead to what is told of it in docs/traps.md.
A refusal is an error with its reason and place; nothing is written then. `no elements` is a sample whose result is
{EMPTY}. No sample that has parity may lose it
(tests/conformance/baseline.txt).
"""


def is_empty(result: Result) -> bool:
    """Whether a sample is refused since its result has no elements."""
    return EMPTY in result.why


def _row(name: str, rows: Iterable[Result]) -> str:
    rows = list(rows)
    counts = Counter(r.status for r in rows)
    ops = Counter(op for r in rows if r.status == "parity" for op in r.ops)
    cells = [
        f"`{name}`",
        *_forms(name),
        _listed([f"`{op}`" for op, _ in ops.most_common()]),
        corrected.cell(name, [attr for r in rows for attr in r.corrected], corrections()),
        *(str(counts[status]) for status in ("parity", "refused", "n/a")),
        _reasons(r.why for r in rows if r.status == "refused"),
    ]
    return "| " + " | ".join(cells) + " |\n"


def _head(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |\n| {' | '.join('---' for _ in columns)} |\n"


def _forms(name: str) -> list[str]:
    """How users write it, in one cell; a module is written as its class, torchvision's op as it is called."""
    return [] if name.startswith((MODULE_PREFIX, VISION_PREFIX)) else [_listed([f"`{f}`" for f in forms(name).split(", ")])]


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - MOST_OPS} more" if len(items) > MOST_OPS else ""
    return ", ".join(items[:MOST_OPS]) + more


def _reasons(whys: Iterable[str]) -> str:
    counts = Counter(whys)
    return "; ".join(f"{_explained(why).replace('|', '/')} ({n})" for why, n in counts.most_common())


def _explained(why: str) -> str:
    """A refusal in few words, with what is known of why there is no rule."""
    if EMPTY in why:
        return "no elements"
    op, without, _ = why.partition("() has no rule")
    called = re.search(r"\((\w+\(\))\)", why)
    reason = reasons().get(op) if without else WAYS_OUT.get(called[1]) if called else None
    return f"{why}: {reason}" if reason else why


def _left_out(name: str, rows: Iterable[Result]) -> str:
    reasons = Counter(r.why for r in rows)
    return f"- `{name}`: {', '.join(f'{why} ({n})' for why, n in reasons.most_common())}\n"
