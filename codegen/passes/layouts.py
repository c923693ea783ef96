"""What oneDNN keeps in layouts of its own, kept from MXNet 1.9.1's transpose.

A Reshape takes such a layout on, and the oneDNN kernel of transpose, which takes up to four axes, then fails.
"""

from __future__ import annotations

from collections.abc import Callable

from codegen.ir import Shape
from codegen.mxnet_ops import spec_of
from codegen.passes.copies import Copy
from codegen.program import Call, Out, Program

# All of an axis: unlike a Reshape, it is laid out anew.
WHOLE = "slice_axis", (("axis", 0), ("begin", 0), ("end", None))
OF_RESULT = Copy("a copy: MXNet 1.9.1 cannot transpose a reshaped Convolution of five axes", *WHOLE)
OF_GRADIENT = Copy("a copy: MXNet 1.9.1 cannot transpose the reshaped gradient of a Convolution", *WHOLE)
CONVOLUTIONS = frozenset(["Convolution", "Deconvolution"])
# The axes that oneDNN transposes.
MOST_AXES = 4


def copied_layouts(program: Program) -> dict[int, Copy]:
    """The calls between which and a Reshape a copy has to stand."""
    return _gradients(program) | _results(program)


def _results(program: Program) -> dict[int, Copy]:
    """A transpose of what a convolution in three dimensions gives, reshaped.

    Gives the calls whose reshaped result a transpose reads.

    torch: permutes whatever it is given.
    MXNet: oneDNN keeps what such a convolution gives in a layout of its own, and after a Reshape its
        transpose fails: "could not create a primitive descriptor for a reorder primitive".
    We write: all of an axis by slice_axis, which lays it out as usual, before the Reshape.
    Source: mx.sym.transpose, measured (tests/test_fusion.py).

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = nn.Conv3d(1, 16, 2, 2)
    ...     def forward(self, x):
    ...         return self.conv(x).flatten(2).transpose(1, 2)
    >>> converted(Net(), (1, 1, 2, 4, 4))
    conv = mx.sym.Convolution(x, kernel=(2, 2, 2), stride=(2, 2, 2), num_filter=16, name="net_conv")
    net = mx.sym.slice_axis(conv, axis=0, begin=0, end=None, name="net_conv_copy")
    net = mx.sym.Reshape(net, shape=(0, 0, -1), name="net_flatten")
    return mx.sym.transpose(net, axes=(0, 2, 1), name="net_transpose")
    """

    def begins(call: Call, before: bool) -> bool:
        return len(_shape(call)) == 5 and (call.op in CONVOLUTIONS or before)

    return dict.fromkeys(_reshaped(program, begins, lambda call: call.op == "transpose"), OF_RESULT)


def _gradients(program: Program) -> dict[int, Copy]:
    """A convolution of what was transposed and reshaped.

    Gives the calls after which it was reshaped.

    torch: trains whatever was permuted.
    MXNet: oneDNN keeps the gradient of what a convolution reads in a layout of its own; where that was
        reshaped and transposed, training fails in float32: "could not create a primitive descriptor for a
        reorder primitive".
    We write: all of an axis by slice_axis, whose gradient is laid out as usual, before the Reshape.
    Source: mx.sym.transpose, measured (tests/test_fusion.py).

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = nn.Conv2d(16, 16, 1)
    ...     def forward(self, x):
    ...         return self.conv(x.transpose(1, 2).unflatten(2, (4, 4)))
    >>> converted(Net(), (1, 16, 16))
    x = mx.sym.transpose(x, axes=(0, 2, 1), name="net_transpose")
    x = mx.sym.slice_axis(x, axis=0, begin=0, end=None, name="net_transpose_copy")
    x = mx.sym.Reshape(x, shape=(0, 0, 4, 4), name="net_unflatten")
    return mx.sym.Convolution(x, kernel=(1, 1), num_filter=16, name="net_conv")
    """

    def begins(call: Call, before: bool) -> bool:
        return len(_shape(call)) <= MOST_AXES and (call.op == "transpose" or before)

    return dict.fromkeys(_reshaped(program, begins, lambda call: call.op in CONVOLUTIONS), OF_GRADIENT)


def _reshaped(
    program: Program, begins: Callable[[Call, bool], bool], ends: Callable[[Call], bool]
) -> set[int]:
    """The calls that begin something, and whose reshaped result reaches an end with its shape.

    `begins` is told whether the call reads one that does, of the same shape.
    """
    begun: set[int] = set()
    sources: dict[int, set[int]] = {}  # of what is reshaped
    found: set[int] = set()
    for index, call in enumerate(program.calls):
        read = {o.call for o in call.operands() if isinstance(o, Out)}
        alike = {i for i in read if _shape(program.calls[i]) == _shape(call) and _keeps_layout(call)}
        own = {s for i in read & {*sources} for s in sources[i]}
        if ends(call):
            found |= own
        if spec_of(call.op).reshapes and read & (begun | {*sources}):
            sources[index] = own | (read & begun)
            continue
        if alike & {*sources}:
            sources[index] = own
        if begins(call, bool(alike & begun)):
            begun.add(index)
    return found


def _keeps_layout(call: Call) -> bool:
    """Whether an op of the same shape passes a layout on: not a layer with parameters, but BatchNorm."""
    spec = spec_of(call.op)
    return call.op != "transpose" and (not spec.automatic or bool(spec.auxiliary))


def _shape(call: Call) -> Shape:
    return call.shapes[0] or ()
