"""What is true of one of MXNet's ops: the shape of an entry of codegen.mxnet_ops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codegen.ir import Shape
from codegen.result_shapes import ShapeOf

REQUIRED = "required"
ONES = "ones"
ZEROS = "zeros"


@dataclass(frozen=True)
class OpSpec:
    """One op: its attributes in the order in which they are written, with MXNet's defaults.

    A default of `ONES` or `ZEROS` is MXNet's empty shape, which means one (stride) or zero (pad) for each
    axis. Of those that are `differing` torch may mean another value than MXNet's default where its call says
    nothing; but `choices` among these say which function the op is, and `shared` ones have one default in
    both frameworks, so that another value is the net's own. Those that are `always` written are so at MXNet's
    default too. `shape` tells the shape of the result (codegen.result_shapes). `automatic` are
    the inputs that MXNet makes by itself, under the op's name and these suffixes, and `auxiliary` those
    that it keeps as auxiliary states; it takes an automatic input for another one where the shape is
    `guessed_wrong`. `result_dtype` is what the op gives, whatever it reads. `is_identity`: in inference
    the result is what the op reads. `is_new`: the result is no later state of one of the inputs, as a sum
    is of the first. `onednn` says what MXNet's oneDNN pass does with the op (codegen.passes.fusion): it
    `begins` a fused op, or is the `linear` layer that begins one; it `joins` what it reads, by a sum of
    two (`sums`), or `joins_linear`. An op that is `alike` wants all its inputs in one dtype. One of
    `floats_only` refuses whole numbers, or cuts what it gives of them off, and one with `no_float64`
    refuses float64. `places` are the numbers of the inputs that are places along an axis, of any dtype,
    and `shape_alone` of those of which it reads the shape alone; one that `must_write` cannot be bound
    where that is all that is read of it. One that `commutes` gives the same bits whichever of its two
    inputs comes first. One that `reshapes` gives the values of its first input in another shape. The
    gradient of one that `overwrites` takes the place of what MXNet has summed so far
    (codegen.passes.sums).
    """

    attrs: dict[str, Any]
    differing: frozenset[str]
    shape: ShapeOf
    automatic: tuple[str, ...] = ()
    auxiliary: frozenset[str] = frozenset()
    result_dtype: str = ""
    is_identity: bool = False
    is_new: bool = False
    onednn: frozenset[str] = frozenset()
    guessed_wrong: tuple[Shape, ...] = ()
    alike: bool = False
    floats_only: bool = False
    no_float64: bool = False
    places: tuple[int, ...] = ()
    commutes: bool = False
    shape_alone: tuple[int, ...] = ()
    must_write: bool = False
    reshapes: bool = False
    overwrites: bool = False
    always: frozenset[str] = frozenset()
    choices: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    def makes_input(self, slot: str, shape: Shape) -> bool:
        """Whether MXNet makes an input of this shape by itself; not where it guesses another shape."""
        return slot in self.automatic and shape not in self.guessed_wrong

    @staticmethod
    def is_default(name: str, value: Any, default: Any) -> bool:
        """Whether leaving the attribute out gives the same op."""
        del name
        if default is REQUIRED:
            return False
        if default is ONES or default is ZEROS:
            return isinstance(value, tuple) and all(v == (default is ONES) for v in value)
        if isinstance(value, bool) != isinstance(default, bool):
            return False
        return bool(value == default)


def op_spec(
    shape: ShapeOf,
    differing: str = "",
    /,
    *,
    always: str = "",
    choices: str = "",
    shared: str = "",
    automatic: str = "",
    auxiliary: str = "",
    result_dtype: str = "",
    is_identity: bool = False,
    is_new: bool = False,
    onednn: str = "",
    guessed_wrong: tuple[Shape, ...] = (),
    dtypes: str = "",
    places: tuple[int, ...] = (),
    commutes: bool = False,
    shape_alone: tuple[int, ...] = (),
    must_write: bool = False,
    reshapes: bool = False,
    overwrites: bool = False,
    **attrs: Any,
) -> OpSpec:
    facts = (frozenset(differing.split()), shape, tuple(automatic.split()), frozenset(auxiliary.split()))
    words = frozenset(onednn.split())
    about = ("alike" in dtypes, "floats_only" in dtypes, "no_float64" in dtypes)
    return OpSpec(
        attrs,
        *facts,
        result_dtype,
        is_identity,
        is_new,
        words,
        guessed_wrong,
        *about,
        places,
        commutes,
        shape_alone,
        must_write,
        reshapes,
        overwrites,
        *(frozenset(names.split()) for names in (always, choices, shared)),
    )


def plain_ops(shape: ShapeOf, names: str, **facts: Any) -> dict[str, OpSpec]:
    """Ops without attributes."""
    return {name: op_spec(shape, **facts) for name in names.split()}
