"""torch.einsum: a matrix product for each pair of operands, or a product with broadcasting."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.products import product_of
from codegen.idioms.shapes import permuted, reshape_to
from codegen.ir import Shape, Size, elements_in

Labels = str


@lowers("einsum")
def einsum(b: Builder, equation: str, operands: Sequence[Value]) -> Value:
    terms, result = _parsed(b, equation, operands)
    values = [_diagonal(b, v, t, i) for i, (v, t) in enumerate(zip(operands, terms, strict=True))]
    (left, labels), *rest = values
    for i, (right, names) in enumerate(rest):
        later = "".join(t for _, t in rest[i + 1 :])
        left, labels = _pair(
            b, left, labels, right, names, set(later) | set(result), f"pair{i}" if i < len(rest) - 1 else ""
        )
    left, labels = _summed(b, left, labels, set(result), "sum")
    return permuted(b, left, [labels.index(c) for c in result])


def _parsed(b: Builder, equation: str, operands: Sequence[Value]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result, with letters for the dots."""
    text = equation.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if not arrow:
        letters = [c for c in inputs if c.isalpha()]
        dots = "..." if "..." in inputs else ""
        output = dots + "".join(sorted({c for c in letters if letters.count(c) == 1}))
    free = [c for c in string.ascii_letters if c not in text]
    widest = max(
        (v.rank - len(t.replace("...", "")) for t, v in zip(terms, operands, strict=True) if "..." in t),
        default=0,
    )
    spare = "".join(free[:widest])
    filled = []
    for term, value in zip(terms, operands, strict=True):
        count = value.rank - len(term.replace("...", ""))
        filled.append(term.replace("...", spare[len(spare) - count :] if count else ""))
    return filled, output.replace("...", spare)


def _diagonal(b: Builder, x: Value, labels: Labels, number: int) -> tuple[Value, Labels]:
    """An operand in which each label stands once."""
    for c in sorted(set(labels)):
        while labels.count(c) > 1:
            first = labels.index(c)
            second = labels.index(c, first + 1)
            size = x.sizes[first]
            rest = [s for a, s in enumerate(x.sizes) if a not in {first, second}]
            x = b.op("diag", x, axis1=first, axis2=second, hint=f"diagonal{number}{c}", gives=(*rest, size))
            labels = "".join(v for a, v in enumerate(labels) if a not in {first, second}) + c
    return x, labels


def _summed(b: Builder, x: Value, labels: Labels, wanted: set[str], hint: str) -> tuple[Value, Labels]:
    """The operand without the labels that no one else wants."""
    axes = tuple(i for i, c in enumerate(labels) if c not in wanted)
    if not axes:
        return x, labels
    kept = "".join(c for c in labels if c in wanted)
    return b.op("sum", x, axis=axes[0] if len(axes) == 1 else axes, hint=hint), kept


def _pair(
    b: Builder, left: Value, a: Labels, right: Value, c: Labels, wanted: set[str], hint: str
) -> tuple[Value, Labels]:
    left, a = _summed(b, left, a, wanted | set(c), f"{hint}lhs_sum")
    right, c = _summed(b, right, c, wanted | set(a), f"{hint}rhs_sum")
    sizes = dict(itertools.chain(zip(a, left.sizes, strict=True), zip(c, right.sizes, strict=True)))
    uneven = any(
        dict(zip(a, left.sizes, strict=True))[x] != dict(zip(c, right.sizes, strict=True))[x]
        for x in set(a) & set(c)
    )
    summed = [x for x in a if x in c and x not in wanted]
    if not summed or uneven:
        product_value, labels = _multiplied(b, left, a, right, c, hint if not summed else f"{hint}product")
        return _summed(b, product_value, labels, wanted, hint)
    shared = [x for x in a if x in c and x in wanted]
    rows = [x for x in a if x not in c]
    columns = [x for x in c if x not in a]
    lhs = _matrix(b, left, a, (shared, rows, summed), sizes, f"{hint}lhs")
    rhs = _matrix(b, right, c, (shared, columns, summed), sizes, f"{hint}rhs")
    result = product_of(b, lhs, rhs, transpose_b=True, hint=f"{hint}product")
    labels = "".join((*shared, *rows, *columns))
    return reshape_to(b, result, tuple(sizes[x] for x in labels), hint=f"{hint}shaped"), labels


def _matrix(
    b: Builder, x: Value, labels: Labels, groups: tuple[list[str], ...], sizes: dict[str, Size], hint: str
) -> Value:
    """The operand as matrices: its shared axes, then one axis of rows and one that is summed over."""
    order = [labels.index(c) for group in groups for c in group]
    moved = x
    if order != list(range(x.rank)):
        moved = permuted(b, x, order, hint=f"{hint}_axes")
    lead: Shape = tuple(sizes[c] for c in groups[0])
    flat = []
    for group in groups[1:]:
        size = elements_in([sizes[c] for c in group])
        if size is None:
            raise b.refuse_batch("einsum() in which several joined axes follow the batch")
        flat.append(size)
    return reshape_to(b, moved, (*lead, *flat), hint=hint)


def _multiplied(
    b: Builder, left: Value, a: Labels, right: Value, c: Labels, hint: str
) -> tuple[Value, Labels]:
    labels = a + "".join(x for x in c if x not in a)

    def aligned(x: Value, names: Labels, side: str) -> Value:
        order = [names.index(v) for v in labels if v in names]
        if order != list(range(x.rank)):
            x = b.op(
                "transpose",
                x,
                axes=tuple(order),
                hint=f"{hint}{side}_axes",
                gives=tuple(x.sizes[i] for i in order),
            )
        known = iter(x.sizes)
        return reshape_to(b, x, tuple(next(known) if v in names else 1 for v in labels), hint=f"{hint}{side}")

    lhs, rhs = aligned(left, a, "lhs"), aligned(right, c, "rhs")
    gives = tuple(r if s == 1 else s for s, r in zip(lhs.sizes, rhs.sizes, strict=True))
    value = b.op("broadcast_mul", lhs, rhs, hint=hint or "product")
    return replace(value, shape=gives), labels
