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
    """The Cholesky factor.

    torch: upper=True reads the upper half, and gives it.
    MXNet: linalg.potrf reads and gives the lower half.
    We write: the factor of the transpose, transposed.
    Source: torch.linalg.cholesky; mx.sym.linalg.potrf.

    >>> converted(lambda x: torch.linalg.cholesky(x @ x.mT + torch.eye(3), upper=True), (2, 3, 3))
    x = mx.sym.batch_dot(x, x, transpose_b=True, name="matmul")
    x = mx.sym.broadcast_add(x, eye, name="add")
    x = mx.sym.linalg.potrf(
        mx.sym.transpose(x, axes=(0, 2, 1), name="linalg_cholesky_input_transposed"),
        name="linalg_cholesky_lower",
    )
    return mx.sym.transpose(x, axes=(0, 2, 1), name="linalg_cholesky_transposed")
    """
    if not upper:
        return b.op("linalg.potrf", input)
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
    """Equations whose matrix is a triangle.

    torch: upper must be given; left=True.
    MXNet: linalg.trsm has lower=True and rightside=False.
    We write: those that are not MXNet's. A diagonal of ones that is not to be read is refused.
    Source: torch.linalg.solve_triangular; mx.sym.linalg.trsm.

    >>> solve = lambda a, x: torch.linalg.solve_triangular(a.triu() + 3 * torch.eye(3), x, upper=True)
    >>> converted(solve, (2, 3, 3), (2, 3, 2))
    a = mx.sym.broadcast_mul(a, triu_mask, name="triu")
    return mx.sym.linalg.trsm(
        mx.sym.broadcast_add(a, mul, name="add"), x, lower=False, name="linalg_solve_triangular"
    )
    """
    if unitriangular:
        raise b.refuse(f"{b.node.op}() with unitriangular=True: linalg.trsm reads the diagonal")
    if input.sizes[:-2] != B.sizes[:-2]:
        raise b.refuse(f"{b.node.op}() that broadcasts: linalg.trsm takes equal leading axes")
    return b.op("linalg.trsm", input, B, lower=not upper, rightside=not left, gives=B.shape)


@lowers("linalg_qr")
def qr(b: Builder, A: Value, mode: str = "reduced") -> list[Value]:  # noqa: N803
    """The QR factors.

    torch: qr of any matrix.
    MXNet: linalg.gelqf gives the LQ factors, of matrices that are not taller than wide.
    We write: the LQ factors of the transpose, transposed. The signs may differ, as LAPACK leaves them open.
    Source: torch.linalg.qr; mx.sym.linalg.gelqf.

    >>> converted(lambda x: (lambda q, r: q.abs())(*torch.linalg.qr(x)), (2, 4, 3))
    x = mx.sym.transpose(x, axes=(0, 2, 1), name="linalg_qr_input_transposed")
    qr, _ = mx.sym.linalg.gelqf(x, name="linalg_qr")
    qr = mx.sym.transpose(qr, axes=(0, 2, 1), name="linalg_qr_q_transposed")
    return mx.sym.abs(qr, name="abs")
    """
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
