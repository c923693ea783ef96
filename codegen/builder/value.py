"""A tensor while a rule is at work, and the refusal that a rule may raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from codegen.defects import Defect
from codegen.draft import DraftOperand, Wish
from codegen.ir import Shape, Size

# What MXNet computes in: half precision is widened, and the dtypes that its ops lack are too.
MX_DTYPES = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float32",
    "float64": "float64",
    "int64": "int64",
    "int32": "int32",
    "int16": "int32",
    "int8": "int8",
    "uint8": "uint8",
    "bool": "bool",
}
EMPTY = (
    "an empty tensor: MXNet's symbols read a size of 0 as unknown (neither zeros(shape=(0, 3)) nor what "
    "contrib.boolean_mask leaves of nothing binds)"
)


def stored_dtype(torch_dtype: str) -> str:
    """The dtype in which MXNet holds a tensor of a torch dtype: bools are 0 and 1 in float32."""
    dtype = MX_DTYPES[torch_dtype]
    return "float32" if dtype == "bool" else dtype


@dataclass(frozen=True)
class Value:
    """A tensor while lowering.

    `shape` is torch's (a 0-d tensor is () here and has shape (1,) in MXNet), None for a result between
    a rule's ops whose shape no one asks for. `dtype` is MXNet's; `is_bool` marks torch's bool, which
    MXNet keeps as 0 and 1 of whatever dtype computed it. `const` is the value where it is known. `node` is
    the IR node that it is the result of, `wish` what a constant that a rule makes is called after.
    """

    operand: DraftOperand | None
    shape: Shape | None
    dtype: str
    is_bool: bool = False
    const: npt.NDArray[Any] | None = None
    node: str = ""
    wish: Wish | None = None

    @property
    def sizes(self) -> Shape:
        """The shape, which must be known."""
        if self.shape is None:
            raise Defect("a rule needs the shape of a value that it left unknown")
        return self.shape

    @property
    def rank(self) -> int:
        """The number of torch's axes."""
        return len(self.sizes)


# The code of what holds at one batch size, and not at every one.
FREE_BATCH = "free-batch"


class Refused(Exception):
    """Raised by a rule for a case that MXNet cannot express; `hint` is the way out.

    With the code FREE_BATCH it can be expressed at one batch size, though not at every one.
    """

    def __init__(self, what: str, hint: str = "", code: str = "unsupported-argument") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.code = code


def fixed(size: Size | None) -> int:
    """A size that is a number. Raises Refused for one that follows the batch."""
    if not isinstance(size, int):
        raise Refused(
            "a size that follows the batch, where MXNet takes a number", "give --batch frozen", FREE_BATCH
        )
    return size
