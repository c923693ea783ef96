"""--softmax: the manual's SoftmaxOutput on top of a net."""

from __future__ import annotations

from dataclasses import replace

from codegen.problems import RequestError
from codegen.program import Call, Leaf, Out, Place, Program, Variable


def with_softmax(program: Program) -> Program:
    """The program with `mx.sym.SoftmaxOutput(name="softmax")` on its one output.

    Its label `softmax_label` is unused in inference. RequestError for a net of several outputs, or of one
    that is no vector of scores.
    """
    if len(program.outputs) != 1:
        raise RequestError(
            f"--softmax needs a net with one output; this one has {len(program.outputs)}", code="softmax"
        )
    output = program.outputs[0]
    if len(output.shape) != 2:
        shape = ", ".join(map(str, output.shape))
        raise RequestError(
            f"--softmax needs an output of shape (N, classes); this net's is ({shape})", code="softmax"
        )
    call = Call(
        "SoftmaxOutput",
        ((None, output.operand), ("label", Leaf("softmax_label"))),
        (),
        "softmax",
        1,
        "softmax",
        Place(),
        (output.shape,),
    )
    label = Variable("softmax_label", "label", output.shape[:1])
    return replace(
        program,
        calls=(*program.calls, call),
        variables=(*program.variables, label),
        outputs=(replace(output, operand=Out(len(program.calls))),),
    )
