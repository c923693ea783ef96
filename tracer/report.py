"""What the command says: its texts, and how they are printed."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from codegen.ir import Graph
    from codegen.program import Program
    from codegen.proof.compare import Agreement


def converted_text(name: str, program: Program, graph: Graph) -> str:
    """How large the net is, and for which batch sizes it is converted."""
    sizes = "any batch size" if graph.free_batch else f"batch size {graph.batch} only"
    return f"{name}: {len(program.calls)} MXNet ops; {sizes}, other sizes as in DATA_SHAPES"


def ops_text(program: Program) -> str:
    """How often each op of MXNet is called, the most frequent first."""
    names = [c.op if " " not in c.op else f"{c.op} (operator)" for c in program.calls]
    counts = sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))
    lines = [f"  {count:5d}  {name}" for name, count in counts]
    return "\n".join(["would be converted, by MXNet op:", *lines])


def agreement_text(agreement: Agreement) -> str:
    batches = " and ".join(str(n) for n in dict.fromkeys(o.batch for o in agreement.outputs))
    kinds = " and ".join(dict.fromkeys(o.parameters for o in agreement.outputs))
    wide = (
        "; in float64, since float32 rounds this net too coarsely"
        if any(o.double for o in agreement.outputs)
        else ""
    )
    return (
        f"agrees with torch: largest relative difference {agreement.difference:.1e} "
        f"(tolerance {agreement.tolerance:g}; batch {batches}; {kinds}{wide})"
    )


def disagreement_text(agreement: Agreement, layered: Agreement) -> str:
    worst = max(agreement.outputs, key=lambda o: (o.difference != o.difference, o.difference))
    lines = [
        f"the MXNet net differs from torch: output {worst.name} by {worst.difference:.1e}, relative "
        f"(tolerance {agreement.tolerance:g}; batch {worst.batch}; {worst.parameters})"
    ]
    first = layered.first_divergence
    if first is not None:
        place = f"{first.name} ({first.source})"
        lines.append(f"the first layer at which they diverge is {place}, by {first.difference:.1e}")
    elif others := {o.batch for o in agreement.outputs if o.within(agreement.tolerance)} - {worst.batch}:
        lines.append(
            f"at batch {max(others)} they agree: does forward do something else at batch {worst.batch}, "
            "where each layer alone agrees?"
        )
    elif layered.layers:
        lines.append(
            "each layer alone agrees, the fused whole does not: MXNET_SUBGRAPH_BACKEND=NONE turns fusion off"
        )
    lines.append("nothing was written")
    return "\n".join(lines)


def print_diff(path: Path, text: str) -> None:
    old = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{path} (generated)"
    )
    colors = {"+": "green", "-": "red"}
    for line in lines:
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        click.echo(click.style(ended, fg=colors.get(line[0])), nl=False)


def say(text: str) -> None:
    click.echo(text, err=True)


def say_error(text: str) -> None:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {text}", err=True)
