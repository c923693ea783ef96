"""One recorded run, and the runs of the same net at two batch sizes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx

from codegen.ir import Source
from tracer.batch_symbol import Question
from tracer.parted import Parts


@dataclass(frozen=True)
class Capture:
    """One recorded run.

    `graph` holds placeholders, `get_attr` nodes and calls. `outputs` are the tensors that `forward` returned,
    flattened, and `output_names` what it called them, if anything; `left_out` names what else it returned.
    `answers` are the calls that gave no tensor (`size`), with what they gave; `questions` what was asked of
    the batch size, in a run that follows it; `changed` what it changed of its module; `decided` where random
    numbers said what it runs. The `meta` of each node has

    - `types`: (shape, dtype) of each output, and `strides` and `offsets` of each;
    - `source`: where in the user's code it stands;
    - `traced`: whether its value depends on inputs or parameters, or is drawn; where not, `value` holds it;
    - `keys` (of `get_attr`): its state-dict keys, none for a constant; `derived`: those it is computed from;
    - `follows_batch`: whether sizes that follow the batch have gone into it, as far as is known;
    - `item` (of one output of a call that has several): the node of the call, and which output.
    """

    graph: fx.Graph
    outputs: tuple[fx.Node, ...]
    left_out: tuple[str, ...]
    changed: tuple[str, ...] = ()
    answers: tuple[tuple[str, Any], ...] = ()
    questions: tuple[Question, ...] = ()
    output_names: tuple[str, ...] = ()
    decided: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """A capture of the same net at another batch size: `batches` are its, and that of the run."""

    capture: Capture
    batches: tuple[int, int]

    @functools.cached_property
    def nodes(self) -> Mapping[str, fx.Node]:
        """Its nodes by name."""
        return {node.name: node for node in self.capture.graph.nodes}

    @functools.cached_property
    def parts(self) -> Parts:
        """What divides the batch size for sizes of both runs to be whole."""
        return Parts(self.nodes, self.batches)
