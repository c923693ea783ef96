"""Linear algebra, of which MXNet has LAPACK's: the rest is written with these in codegen.decompositions."""

from __future__ import annotations

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value


@lowers("linalg_inv")
def inv(b: Builder, A: Value) -> Value:  # noqa: N803 - torch's name
    return b.op("linalg.inverse", A)


@lowers("linalg_det")
def det(b: Builder, A: Value) -> Value:  # noqa: N803
    return b.op("linalg.det", A, gives=A.sizes[:-2])


@lowers("linalg_slogdet")
def slogdet(b: Builder, A: Value) -> list[Value]:  # noqa: N803
    return b.ops("linalg.slogdet", A, gives=(A.sizes[:-2], A.sizes[:-2]))


@lowers("linalg_cholesky")
def cholesky(b: Builder, input: Value, upper: bool = False) -> Value:
    if not upper:
        return b.op("linalg.potrf", input)
    # potrf reads the lower half; torch reads the upper one here, which is the lower of the transpose.
    lower = b.op("linalg.potrf", _transposed(b, input, "input"), hint="lower")
    return _transposed(b, lower, "")


def _transposed(b: Builder, x: Value, hint: str) -> Value:
    rank = x.rank
    axes = (*range(rank - 2), rank - 1, rank - 2)
    return b.op("transpose", x, axes=axes, hint=f"{hint}_transposed".lstrip("_"))


@lowers("linalg_solve_triangular")
def solve_triangular(
    b: Builder,
    input: Value,
    B: Value,  # noqa: N803
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Value:
    if unitriangular:
        raise b.refuse(f"{b.node.op}() with unitriangular=True: linalg.trsm reads the diagonal")
    if input.sizes[:-2] != B.sizes[:-2]:
        raise b.refuse(f"{b.node.op}() that broadcasts: linalg.trsm takes equal leading axes")
    return b.op("linalg.trsm", input, B, lower=not upper, rightside=not left, gives=B.shape)


# LAPACK's QR of A is its LQ of A transposed, to the signs.
@lowers("linalg_qr")
def qr(b: Builder, A: Value, mode: str = "reduced") -> list[Value]:  # noqa: N803
    rows, columns = A.sizes[-2:]
    if not isinstance(rows, int) or not isinstance(columns, int) or mode != "reduced":
        raise b.refuse(f"{b.node.op}() with mode={mode!r}: linalg.gelqf gives the reduced form")
    if rows < columns:
        raise b.refuse(f"{b.node.op}() of a wide matrix: linalg.gelqf takes the other ones")
    lead = A.sizes[:-2]
    q, r = b.ops(
        "linalg.gelqf",
        _transposed(b, A, "input"),
        gives=((*lead, columns, rows), (*lead, columns, columns)),
    )
    return [_transposed(b, q, "q"), _transposed(b, r, "r")]


# The order of syevd's values is LAPACK's, as torch's is; the signs of its vectors are not.
@lowers("linalg_eigvalsh")
def eigvalsh(b: Builder, input: Value, UPLO: str = "L") -> Value:  # noqa: N803
    matrix = input if UPLO.upper() == "L" else _transposed(b, input, "input")
    return b.ops("linalg.syevd", matrix, gives=(input.shape, input.sizes[:-1]))[1]


# Any vectors of either sign: for results in which the signs cancel (see codegen.decompositions.linalg).
@lowers("fx2mx_eigh")
def eigh(b: Builder, input: Value) -> list[Value]:
    rows, values = b.ops("linalg.syevd", input, gives=(input.shape, input.sizes[:-1]))
    return [values, _transposed(b, rows, "vectors")]
