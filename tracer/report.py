"""What the command says: its texts."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codegen.batch_words import batch_summary, size_words
from codegen.kinds.table import kind_of

if TYPE_CHECKING:
    from codegen.ir import Graph
    from codegen.problems import OverwriteError
    from codegen.program import Program
    from codegen.proof.compare import Agreement
    from tracer.training_parity import TrainingAgreement

# The last line of an error after which no file is another.
NOTHING = "nothing was written"
# So many parameters that differ are named.
MOST = 5
# So many lines are shown of a diff that nobody asked for.
MOST_LINES = 60


def converted_text(name: str, program: Program, graph: Graph) -> str:
    """How large the net is, and for which batch sizes it is converted."""
    return f"{name}: {len(program.calls)} MXNet ops; {batch_summary(graph)}, {_sizes(program)}"


def _sizes(program: Program) -> str:
    if program.free_length:
        return "the length of sequences may change"
    return "H and W may change" if program.free_sizes else "other sizes as in DATA_SHAPES"


def ops_text(program: Program) -> str:
    """How often each op of MXNet is called, the most frequent first."""
    names = [c.op if " " not in c.op else f"{c.op} (operator)" for c in program.calls]
    counts = sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))
    lines = [f"  {count:5d}  {name}" for name, count in counts]
    return "\n".join(["would be converted, by MXNet op:", *lines])


def agreement_text(agreement: Agreement) -> str:
    batches = " and ".join(str(n) for n in dict.fromkeys(o.batch for o in agreement.outputs))
    kinds = " and ".join(dict.fromkeys(o.parameters for o in agreement.outputs))
    double = kind_of("in-float64")
    wide = f"; {double.says[0]}, {double.code}" if any(o.double for o in agreement.outputs) else ""
    return (
        f"{_elsewhere(agreement)}agrees with torch: largest relative difference {agreement.difference:.1e} "
        f"(tolerance {agreement.tolerance:g}; batch {batches}; {kinds}{wide})"
    )


def _elsewhere(agreement: Agreement) -> str:
    """A line for images of another size, or sequences of another length, where they were compared."""
    found = [o for o in agreement.outputs if o.size]
    if not found:
        return ""
    largest = max(o.difference for o in found)
    return f"{size_words(found[0].size)}: largest relative difference {largest:.1e}\n"


def training_text(agreement: TrainingAgreement) -> str:
    """That both train alike, and how far they were apart."""
    gradients = max(agreement.gradients.values(), default=0.0)
    said = f"the gradients of {len(agreement.gradients)} parameters within {gradients:.1e}"
    if agreement.statistics:
        said += f", moving statistics within {max(agreement.statistics.values()):.1e}"
    if agreement.computed:
        computed = ", ".join(agreement.computed[:MOST])
        said += f"; torch trains what {computed} are computed from: not compared"
    else:
        said += f", and the losses of {len(agreement.losses)} steps of SGD"
    if agreement.untold:
        kind = kind_of("training-untold")
        names = ", ".join(agreement.untold[:MOST])
        said += f"; {kind.says[0].format(names=names)}  ({kind.code})"
    return f"trains as torch does: {said}"


def untrained_text(agreement: TrainingAgreement) -> str:
    """Where both train apart."""
    if agreement.why:
        return f"training cannot be compared: {agreement.why}"
    more = f"\n  and {len(agreement.apart) - MOST} more" if len(agreement.apart) > MOST else ""
    lines = "".join(f"\n  {text}" for text in agreement.apart[:MOST])
    return f"the MXNet net trains otherwise than torch's:{lines}{more}"


def disagreement_text(agreement: Agreement, layered: Agreement) -> str:
    worst = max(agreement.outputs, key=lambda o: (o.difference != o.difference, o.difference))
    where = f"tolerance {agreement.tolerance:g}; batch {worst.batch}; {worst.parameters}"
    where += f"; at {worst.size}" if worst.size else ""
    if worst.difference == float("inf"):
        lines = [f"the MXNet net differs from torch: output {worst.name} ({where})"]
    else:
        how_far = f"{worst.difference:.1e}, relative ({where})"
        lines = [f"the MXNet net differs from torch: output {worst.name} by {how_far}"]
    lines += [worst.why] if worst.why else []
    first = layered.first_divergence
    if first is not None:
        place = f"{first.name} ({first.source})"
        lines.append(f"the first layer at which they diverge is {place}, by {first.difference:.1e}")
    elif worst.why:
        pass
    elif others := {o.batch for o in agreement.outputs if o.within(agreement.tolerance)} - {worst.batch}:
        lines.append(
            f"at batch {max(others)} they agree: does forward do something else at batch {worst.batch}, "
            "where each layer alone agrees?"
        )
    elif layered.layers:
        lines.append(
            "each layer alone agrees, the fused whole does not: MXNET_SUBGRAPH_BACKEND=NONE turns fusion off"
        )
    return "\n".join(lines)


def overwrite_text(error: OverwriteError, typed: str) -> str:
    """That a file is left as it is, and what to type where it is not to be."""
    ways = "what it alone has is marked - above" if error.is_edited else "give another name"
    return f"{error.path} {error.why}: {ways}\nto overwrite it, type\n    {typed} --force\n{NOTHING}"


def diff_text(path: Path, text: str, most: int | None = None) -> str:
    """How the file on disk differs from what would be written, as `diff -u` shows it; of `most` lines."""
    old = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{path} (generated)"
    )
    colors = {"+": "green", "-": "red"}
    ended = [n if n.endswith("\n") else f"{n}\n\\ No newline at end of file\n" for n in lines]
    if most is not None and len(ended) > most:
        ended[most:] = [f"... and {len(ended) - most} more lines\n"]
    return "".join(click.style(line, fg=colors.get(line[0])) for line in ended)
