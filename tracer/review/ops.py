"""The ops of MXNet's that a net uses: what each does, and what of torch it stands for."""

from __future__ import annotations

from collections import Counter

from codegen.proof.op_docs import manual_link, op_sentences
from tracer.conversion import Conversion
from tracer.review.model import OpRow


def op_rows(conversion: Conversion) -> tuple[OpRow, ...]:
    """The ops in the order of execution; what each does in MXNet's own words."""
    calls, nodes = conversion.program.calls, conversion.graph.by_name
    counts = Counter(call.op for call in calls)
    said = op_sentences(list(counts))
    return tuple(
        OpRow(
            op=op,
            count=count,
            torch=tuple(dict.fromkeys(nodes[c.node].op for c in calls if c.op == op and c.node in nodes)),
            does=said[op],
            link=manual_link(op),
        )
        for op, count in counts.items()
    )
