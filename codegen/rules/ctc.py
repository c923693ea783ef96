"""torch's ctc_loss, by MXNet's CTCLoss."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.elementwise import binary, full_like
from codegen.idioms.reductions import reduction as reduced
from codegen.idioms.shapes import cut, reshape_to, take
from codegen.ir import Dim

Lengths: TypeAlias = "Value | tuple[int, ...] | int"


@lowers("ctc_loss")
def ctc_loss(
    b: Builder,
    log_probs: Value,
    targets: Value,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Value:
    """MXNet takes float32, takes the softmax itself, has the blank first, and gives 0 for infinity."""
    data = b.cast(log_probs, "float32")
    if data.rank == 2:
        data = b.op("expand_dims", data, axis=1, hint="batched", gives=(data.sizes[0], 1, data.sizes[1]))
    _, batch, classes = data.sizes
    if not isinstance(batch, int) or not isinstance(classes, int):
        raise b.refuse_batch("ctc_loss() of a batch of any size")
    frames, counts = (
        _lengths(b, v, batch, name) for v, name in ((input_lengths, "frames"), (target_lengths, "counts"))
    )
    labels = _labels(b, targets, counts, batch)
    loss = b.op(
        "CTCLoss",
        _blank_first(b, data, blank, classes),
        _moved_up(b, labels, blank),
        data_lengths=frames,
        label_lengths=counts,
        use_data_lengths=True,
        use_label_lengths=True,
        blank_label="first",
        hint="each",
        gives=(batch,),
    )
    normalised = _normalised(b, log_probs)
    if not normalised:
        loss = b.op("elemwise_sub", loss, _excess(b, data, frames), hint="loss")
    if not normalised or not zero_infinity:
        loss = _where_possible(b, loss, labels, frames, counts, 0.0 if zero_infinity else math.inf)
    if reduction == "mean":
        loss = binary(b, "div", loss, b.with_number("maximum(x, c)", counts, 1, hint="labels"), hint="shares")
    if reduction == "none":
        return reshape_to(b, loss, b.out.shape)
    return reduced(b, reduction, loss, None, False)


def _lengths(b: Builder, lengths: Lengths, batch: int, hint: str) -> Value:
    if isinstance(lengths, Value):
        lengths = b.cast(lengths, "float32")
        return lengths if lengths.rank else replace(lengths, shape=(1,))
    numbers = np.broadcast_to(np.asarray(lengths, np.float32).reshape(-1), (batch,))
    return b.constant(np.ascontiguousarray(numbers), hint)


def _labels(b: Builder, targets: Value, counts: Value, batch: int) -> Value:
    """A row of labels for each sample."""
    targets = b.cast(targets, "float32")
    if targets.rank == 2:
        return targets
    if batch == 1:
        return reshape_to(b, targets, (1, *targets.sizes), hint="rows")
    if counts.const is None or any(isinstance(s, Dim) for s in targets.sizes):
        raise b.refuse(
            "ctc_loss() of joined targets whose lengths are computed", "give a row for each sample"
        )
    numbers = counts.const.astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(numbers)[:-1]])
    places = starts[:, None] + np.arange(max(int(numbers.max()), 1))
    total = targets.sizes[0]
    total = fixed(total)
    return take(b, targets, b.constant(np.minimum(places, total - 1), "places"), 0, hint="rows")


def _blank_first(b: Builder, data: Value, blank: int, classes: int) -> Value:
    """The classes, the blank first.

    torch: blank is any class, 0 by default.
    MXNet: CTCLoss's blank_label is "first" or "last".
    We write: blank_label as it is by default, "first": the blank's scores are moved to the front, and the
        labels below it count one more.
    Source: torch.nn.functional.ctc_loss; mx.sym.CTCLoss.

    >>> lengths = {"input_lengths": (4,), "target_lengths": (2,), "zero_infinity": True, "blank": 2}
    >>> labels = torch.tensor([[0, 1]])
    >>> converted(lambda x: F.ctc_loss(x.log_softmax(2), labels, **lengths), torch.rand(4, 1, 3))
    x = mx.sym.log_softmax(x, name="log_softmax")
    blank = mx.sym.slice_axis(x, axis=2, begin=2, end=3, name="ctc_loss_blank")
    x = mx.sym.slice_axis(x, axis=2, begin=0, end=2, name="ctc_loss_below")
    first = mx.sym.Concat(blank, x, dim=2, name="ctc_loss_blank_first")
    lower = named(constant_ < 2, name="ctc_loss_lower")
    constant_ = mx.sym.elemwise_add(constant_, lower, name="ctc_loss_labels_moved")
    each = mx.sym.CTCLoss(
        first,
        constant_,
        data_lengths=ctc_loss_frames,
        label_lengths=ctc_loss_counts,
        use_data_lengths=True,
        use_label_lengths=True,
        name="ctc_loss_each",
    )
    ctc_loss_counts = named(mx.sym.maximum(ctc_loss_counts, 1), name="ctc_loss_labels")
    return mx.sym.mean(
        mx.sym.elemwise_div(each, ctc_loss_counts, name="ctc_loss_shares"), axis=0, name="ctc_loss"
    )
    """
    if blank == 0:
        return data
    parts = [cut(b, data, 2, blank, blank + 1, hint="blank"), cut(b, data, 2, 0, blank, hint="below")]
    if blank + 1 < classes:
        parts.append(cut(b, data, 2, blank + 1, classes, hint="above"))
    return b.op("Concat", parts, dim=2, hint="blank_first")


def _moved_up(b: Builder, labels: Value, blank: int) -> Value:
    """The labels below the blank, which goes before them, count one more."""
    if blank == 0:
        return labels
    lower = b.with_number("x < c", labels, blank, hint="lower")
    return binary(b, "add", labels, lower, hint="labels_moved", dtype="float32")


def _normalised(b: Builder, value: Value) -> bool:
    """Whether the value is a log_softmax over the classes, of which the softmax is the exponential."""
    node = b.graph.by_name.get(value.node)
    return node is not None and node.op == "log_softmax" and node.kwargs.get("dim") in {-1, value.rank - 1}


def _excess(b: Builder, data: Value, frames: Value) -> Value:
    """What the softmax takes away.

    The logarithm of the sums, over the frames of each sample.

    torch: ctc_loss takes what it is given as logarithms.
    MXNet: CTCLoss takes the softmax first.
    We write: the logarithm of the sums taken off the loss, unless a log_softmax made the input.
    Source: torch.nn.functional.ctc_loss; mx.sym.CTCLoss, measured.

    >>> lengths = {"input_lengths": (4,), "target_lengths": (2,), "reduction": "none"}
    >>> labels = torch.tensor([[1, 2]])
    >>> converted(lambda x: F.ctc_loss(-x.abs(), labels, **lengths), torch.rand(4, 1, 3))
    x = mx.sym.negative(mx.sym.abs(x, name="abs"), name="neg")
    each = mx.sym.CTCLoss(
        x,
        constant_,
        data_lengths=ctc_loss_frames,
        label_lengths=ctc_loss_counts,
        use_data_lengths=True,
        use_label_lengths=True,
        name="ctc_loss_each",
    )
    peak = mx.sym.max(x, axis=2, keepdims=True, name="ctc_loss_peak")
    exp = mx.sym.exp(mx.sym.broadcast_sub(x, peak, name="ctc_loss_shifted"), name="ctc_loss_exp")
    sum_ = mx.sym.sum(exp, axis=2, keepdims=True, name="ctc_loss_sum")
    sizes = mx.sym.elemwise_add(mx.sym.log(sum_, name="ctc_loss_log"), peak, name="ctc_loss_sizes")
    rows = mx.sym.Reshape(sizes, shape=(0, -1), name="ctc_loss_size_rows")
    x = mx.sym.contrib.arange_like(x, axis=0, name="ctc_loss_frame")
    x = mx.sym.Reshape(x, shape=(0, -1), name="ctc_loss_places")
    line = mx.sym.Reshape(ctc_loss_frames, shape=(0, -1), name="ctc_loss_frame_line")
    x = mx.sym.elemwise_mul(
        rows, mx.sym.broadcast_lesser(x, line, name="ctc_loss_real"), name="ctc_loss_real_sizes"
    )
    x = mx.sym.elemwise_sub(each, mx.sym.sum(x, axis=0, name="ctc_loss_excess"), name="ctc_loss_loss")
    ...
    zeros = mx.sym.zeros_like(x, name="ctc_loss_impossible_zeros")
    impossible = named(zeros + float("inf"), name="ctc_loss_impossible")
    return mx.sym.where(ctc_loss_counts, x=impossible, y=x, name="ctc_loss_possible")
    """
    peak = b.op("max", data, axis=2, keepdims=True, hint="peak")
    shifted = b.op("broadcast_sub", data, peak, hint="shifted")
    total = b.op("sum", b.op("exp", shifted, hint="exp"), axis=2, keepdims=True, hint="sum")
    size = b.op("elemwise_add", b.op("log", total, hint="log"), peak, hint="sizes")
    rows = reshape_to(b, size, data.sizes[:2], hint="size_rows")
    steps = data.sizes[0]
    count = b.op("contrib.arange_like", data, axis=0, hint="frame")
    places = reshape_to(b, count, (steps, 1), hint="places")
    line = reshape_to(b, frames, (1, *frames.sizes), hint="frame_line")
    real = b.op("broadcast_lesser", places, line, hint="real")
    kept = b.op("elemwise_mul", rows, real, hint="real_sizes")
    return b.op("sum", kept, axis=0, hint="excess")


def _where_possible(
    b: Builder, loss: Value, labels: Value, frames: Value, counts: Value, otherwise: float
) -> Value:
    """Another number where the frames are too few for the labels.

    torch: ctc_loss is infinite there, or 0 with zero_infinity=True.
    MXNet: CTCLoss gives 0.
    We write: a count of the frames that are needed: one for each label, one more between equal ones; and a
        choice.
    Source: torch.nn.functional.ctc_loss; mx.sym.CTCLoss, measured.

    >>> lengths = {"input_lengths": (2, 2), "target_lengths": (2, 2), "reduction": "none"}
    >>> labels = torch.tensor([[1, 1], [1, 2]])
    >>> converted(lambda x: F.ctc_loss(x.log_softmax(2), labels, **lengths), torch.rand(2, 2, 3))
    x = mx.sym.log_softmax(x, name="log_softmax")
    ...
    ctc_loss_counts = mx.sym.broadcast_greater(ctc_loss_counts, ctc_loss_frames, name="ctc_loss_short")
    zeros = mx.sym.zeros_like(x, name="ctc_loss_impossible_zeros")
    impossible = named(zeros + float("inf"), name="ctc_loss_impossible")
    return mx.sym.where(ctc_loss_counts, x=impossible, y=x, name="ctc_loss_possible")
    """
    needed = counts
    width = labels.sizes[1]
    width = fixed(width)
    if width > 1:
        later, earlier = cut(b, labels, 1, 1, width, hint="later"), cut(
            b, labels, 1, 0, width - 1, hint="earlier"
        )
        equal = b.op("broadcast_equal", later, earlier, hint="equal")
        place = b.constant(np.arange(1, width, dtype=np.float32).reshape(1, -1), "pairs")
        column = reshape_to(b, counts, (*counts.sizes, 1), hint="count_column")
        real = b.op("broadcast_lesser", place, column, hint="real_pairs")
        both = b.op("elemwise_mul", equal, real, hint="repeats")
        repeats = b.op("sum", both, axis=1, hint="repeat_counts")
        needed = binary(b, "add", counts, repeats, hint="needed", dtype="float32")
    short = b.op("broadcast_greater", needed, frames, hint="short")
    other = full_like(b, loss, otherwise, loss.dtype, "impossible")
    return b.op("where", short, x=other, y=loss, hint="possible")
