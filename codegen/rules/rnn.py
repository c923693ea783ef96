"""Recurrent layers: MXNet's fused RNN, whose weights are one vector, and the cells.

The vector holds all weights, layer by layer and direction by direction (i2h, h2h, and h2r of a projection),
then all biases in the same order (mxnet/gluon/rnn/rnn_layer.py, _forward_kernel). The gates stand in torch's
order: i, f, c, o of an LSTM; r, z, n of a GRU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.products import connected
from codegen.idioms.shapes import reshape_to, swapped_axes
from codegen.ir import Dim, Shape, elements_in

# Measured with mxnet 1.9.1 of PyPI: oneDNN's RNN reads no p. MXNET_USE_MKLDNN_RNN=0 makes it act, and the
# gradients of several layers wrong, unless that of their input is asked for too.


@dataclass(frozen=True)
class _Layer:
    """The weights and biases of one layer in one direction."""

    weights: tuple[Value, ...]
    biases: tuple[Value, ...]


# `training` is the mode of the trace; what `dropout` does between the layers, MXNet's p does.
@lowers("lstm", ignores=("training",), mode="lstm", gates=4)
@lowers("gru", ignores=("training",), mode="gru", gates=3)
@lowers("rnn_tanh", ignores=("training",), mode="rnn_tanh", gates=1)
@lowers("rnn_relu", ignores=("training",), mode="rnn_relu", gates=1)
def rnn(
    b: Builder,
    input: Value,
    hx: Value | tuple[Value, ...],
    params: Sequence[Value],
    has_biases: bool = True,
    num_layers: int = 1,
    dropout: float = 0.0,
    bidirectional: bool = False,
    batch_first: bool = False,
    *,
    mode: str,
    gates: int,
) -> list[Value]:
    if dropout and num_layers > 1:
        b.note("rnn-dropout")
    states = _states(b, hx if isinstance(hx, tuple) else (hx,))
    directions = 2 if bidirectional else 1
    layers = _layers(params, num_layers * directions, has_biases)
    size, projection = _widths(b, layers[0], gates)
    x = swapped_axes(b, input, 0, 1, hint="time_major") if batch_first else input
    steps, batch = x.sizes[:2]
    output: Shape = (steps, batch, directions * (projection or size))
    # The ONNX exporter knows RNN with its states alone, which cost nothing: they are computed anyway.
    kinds = b.node.outputs[1:]
    results = b.ops(
        "RNN",
        x,
        parameters=_parameters(b, layers, gates, size),
        state=states[0],
        state_cell=states[1] if len(states) > 1 else None,
        state_size=size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        mode=mode,
        p=dropout,
        projection_size=projection,
        state_outputs=True,
        gives=(output, *(kind.shape for kind in kinds)),
    )
    if batch_first:
        results[0] = swapped_axes(b, results[0], 0, 1, hint="batch_first")
    return results


def _states(b: Builder, states: tuple[Value, ...]) -> tuple[Value, ...]:
    """The states that the layer begins with: one Variable for each shape where they are zeros."""
    if all(_is_zeros(b, state) and _is_own(b, state) for state in states):
        begin: dict[Shape, Value] = {}
        for state, what in zip(states, ("state", "cell"), strict=False):
            if state.sizes not in begin:
                begin[state.sizes] = _begin_state(b, state, what)
        return tuple(begin[state.sizes] for state in states)
    alike = len(states) > 1 and states[0].shape == states[1].shape
    if alike and all(_is_zeros(b, state) for state in states):
        return (states[0], states[0])
    return states


def _begin_state(b: Builder, state: Value, what: str) -> Value:
    """The state with which a recurrent layer begins.

    Zeros (layers, N, size).

    torch: a layer that is given no state makes zeros for the batch that it gets.
    MXNet: RNN's state is required, and zeros takes numbers.
    We write: zeros with a 0 for the batch, which MXNet infers from what reads them, as in its own cells.
    Source: torch.nn.GRU; mx.sym.RNN; mxnet/rnn/rnn_cell.py, begin_state.

    >>> converted(nn.GRU(3, 4, batch_first=True), (2, 5, 3))
    begin_state = mx.sym.zeros(shape=(1, 0, 4), name="gru_begin_state")
    time_major = mx.sym.transpose(x, axes=(1, 0, 2), name="gru_time_major")
    gru = mx.sym.RNN(
        time_major,
        parameters=gru_parameters,
        state=begin_state,
        state_size=4,
        num_layers=1,
        mode="gru",
        state_outputs=True,
        name="gru",
    )
    first = mx.sym.transpose(gru[0], axes=(1, 0, 2), name="gru_batch_first")
    return mx.sym.Group([first, gru[1]])
    """
    sizes = tuple(0 if isinstance(size, Dim) else size for size in state.sizes)
    comment = f"the {what} begins as zeros; the 0 is the batch, which is inferred"
    return b.op(
        "zeros", shape=sizes, dtype=state.dtype, hint=f"begin_{what}", comment=comment, gives=state.sizes
    )


def _layers(params: Sequence[Value], count: int, has_biases: bool) -> list[_Layer]:
    """torch's flat list: (w_ih, w_hh, b_ih, b_hh, w_hr) of each layer and direction, some left out."""
    each = len(params) // count
    layers = []
    for i in range(count):
        own = tuple(params[i * each : (i + 1) * each])
        biases = own[2:4] if has_biases else ()
        layers.append(_Layer((*own[:2], *own[2 + len(biases) :]), biases))
    return layers


def _widths(b: Builder, layer: _Layer, gates: int) -> tuple[int, int | None]:
    """The size of the state, and of its projection."""
    rows = layer.weights[0].sizes[0]
    rows = fixed(rows)
    projected = layer.weights[2].sizes[0] if len(layer.weights) > 2 else None
    return rows // gates, None if projected is None else fixed(projected)


def _parameters(b: Builder, layers: Sequence[_Layer], gates: int, size: int) -> Value:
    """The weights of recurrent layers, as one vector.

    torch: LSTM, GRU and RNN have a tensor for each layer, direction and kind.
    MXNet: RNN takes one vector: all weights, layer by layer and direction by direction (i2h, h2h, h2r), then
        all biases in the same order, which it always has. The gates stand as in torch: i, f, c, o and r, z,
        n.
    We write: the tensors flattened and joined, in the checkpoint where they are parameters; zeros for missing
        biases.
    Source: torch.nn.LSTM; mx.sym.RNN; mxnet/gluon/rnn/rnn_layer.py, _forward_kernel.

    >>> converted(nn.LSTM(3, 4), (5, 1, 3))
    lstm = mx.sym.RNN(
        x,
        parameters=lstm_parameters,
        state=lstm_zeros,
        state_cell=lstm_zeros2,
        state_size=4,
        num_layers=1,
        mode="lstm",
        state_outputs=True,
        name="lstm",
    )
    return mx.sym.Group([lstm[0], lstm[1], lstm[2]])
    """
    parts = [w for layer in layers for w in layer.weights] + [v for layer in layers for v in layer.biases]
    sizes = [elements_in(v.sizes) for v in parts]
    total = sum(s for s in sizes if isinstance(s, int))
    if all(b.is_parameter(v) for v in parts) and layers[0].biases:
        return b.packed(parts, "parameters", total, ("Uniform", float(size) ** -0.5))
    flat = [
        reshape_to(b, v, (fixed(s),), hint=f"flat{i}")
        for i, (v, s) in enumerate(zip(parts, sizes, strict=True))
    ]
    if not layers[0].biases:
        missing = 2 * gates * size * len(layers)
        flat.append(b.constant(np.zeros(missing, np.float32), "biases"))
        total += missing
    return b.op("Concat", flat, dim=0, hint="parameters")


def _gates(b: Builder, x: Value, count: int, name: str) -> list[Value]:
    width = x.sizes[-1]
    width = fixed(width)
    gives: Shape = (*x.sizes[:-1], width // count)
    return b.ops("split", x, num_outputs=count, axis=x.rank - 1, hint=name, gives=(gives,) * count)


def _activation(b: Builder, x: Value, kind: str, name: str) -> Value:
    return b.op("Activation", x, act_type=kind, hint=name)


def _both(
    b: Builder, x: Value, h: Value, w_ih: Value, w_hh: Value, b_ih: Value | None, b_hh: Value | None
) -> tuple[Value, Value]:
    return connected(b, x, w_ih, b_ih, "i2h"), connected(b, h, w_hh, b_hh, "h2h")


@lowers("rnn_tanh_cell", act_type="tanh")
@lowers("rnn_relu_cell", act_type="relu")
def rnn_cell(
    b: Builder,
    input: Value,
    hx: Value,
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
    *,
    act_type: str,
) -> Value:
    i2h, h2h = _both(b, input, hx, w_ih, w_hh, b_ih, b_hh)
    total = b.op("elemwise_add", i2h, h2h, hint="sum")
    return _activation(b, total, act_type, "")


@lowers("lstm_cell")
def lstm_cell(
    b: Builder,
    input: Value,
    hx: tuple[Value, ...],
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
) -> list[Value]:
    hidden, cell = hx
    i2h, h2h = _both(b, input, hidden, w_ih, w_hh, b_ih, b_hh)
    gates = _gates(b, b.op("elemwise_add", i2h, h2h, hint="sum"), 4, "gates")
    take_in, forget, out = (
        _activation(b, gates[i], "sigmoid", name) for i, name in ((0, "in"), (1, "forget"), (3, "out"))
    )
    new = _activation(b, gates[2], "tanh", "new")
    kept = b.op("elemwise_mul", forget, cell, hint="kept")
    added = b.op("elemwise_mul", take_in, new, hint="added")
    state = b.op("elemwise_add", kept, added, hint="state")
    shown = _activation(b, state, "tanh", "shown")
    return [b.op("elemwise_mul", out, shown), state]


@lowers("gru_cell")
def gru_cell(
    b: Builder,
    input: Value,
    hx: Value,
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
) -> Value:
    i2h, h2h = _both(b, input, hx, w_ih, w_hh, b_ih, b_hh)
    from_input, from_state = _gates(b, i2h, 3, "i2h_gates"), _gates(b, h2h, 3, "h2h_gates")
    reset, update = (
        _activation(b, b.op("elemwise_add", from_input[i], from_state[i], hint=f"{n}_sum"), "sigmoid", n)
        for i, n in enumerate(("reset", "update"))
    )
    held = b.op("elemwise_mul", reset, from_state[2], hint="held")
    new = b.op("elemwise_add", from_input[2], held, hint="new_sum")
    new = _activation(b, new, "tanh", "new")
    # (1 - update) * new + update * state
    gap = b.op("elemwise_sub", hx, new, hint="gap")
    return b.op("elemwise_add", new, b.op("elemwise_mul", update, gap, hint="moved"))


def _is_zeros(b: Builder, value: Value) -> bool:
    """Whether the value was made in forward as zeros for each sample."""
    node = b.graph.by_name.get(value.node)
    return node is not None and node.op == "full" and node.kwargs.get("fill_value") == 0


def _is_own(b: Builder, value: Value) -> bool:
    """Whether the module that the node stands in made the value."""
    node = b.graph.by_name.get(value.node)
    return node is not None and node.source.frames == b.node.source.frames
