"""Fine-tunes a converted classifier, under a new head, on generated pictures. Pure MXNet."""

from __future__ import annotations

import mxnet as mx
import numpy as np

from model_mxnet import DATA_SHAPES, FIXED_PARAMS
from pictures import SHAPES, drawn

EPOCHS = 6
BATCH = 32


def with_head(symbol: mx.sym.Symbol, num_classes: int) -> mx.sym.Symbol:
    """The net with another last layer: everything up to `flatten` is kept."""
    features = symbol.get_internals()["flatten_output"]
    return mx.sym.SoftmaxOutput(
        mx.sym.FullyConnected(features, num_hidden=num_classes, name="head"), name="softmax"
    )


def batches(count: int, seed: int, shuffle: bool) -> mx.io.NDArrayIter:
    """Pictures and their classes."""
    (name,) = DATA_SHAPES
    pictures, labels = drawn(count, seed)
    return mx.io.NDArrayIter({name: pictures.astype("float32")}, labels, BATCH, shuffle=shuffle)


def main() -> None:
    mx.random.seed(0)
    np.random.seed(0)
    symbol, arg_params, aux_params = mx.model.load_checkpoint("model_mxnet", 0)
    net = with_head(symbol, len(SHAPES))
    training = batches(2048, seed=0, shuffle=True)
    held_out = batches(512, seed=1, shuffle=False)

    # The new head is initialised, the rest is loaded; what the old head had is left over.
    start = mx.mod.Module(net, data_names=list(DATA_SHAPES))
    start.bind(held_out.provide_data, held_out.provide_label, for_training=False)
    start.init_params(mx.init.Xavier(), arg_params, aux_params, allow_missing=True, allow_extra=True)
    arg_params, aux_params = start.get_params()

    module = mx.mod.Module(net, data_names=list(DATA_SHAPES), fixed_param_names=FIXED_PARAMS)
    module.fit(
        training,
        num_epoch=EPOCHS,
        arg_params=arg_params,
        aux_params=aux_params,
        optimizer="adam",
        optimizer_params={"learning_rate": 0.003},
        epoch_end_callback=mx.callback.do_checkpoint("tuned", period=EPOCHS),
    )
    before, after = accuracy(start, held_out), accuracy(module, held_out)
    print(f"accuracy on pictures kept aside: {before:.2f} before, {after:.2f} after")


def accuracy(module: mx.mod.Module, data: mx.io.NDArrayIter) -> float:
    """The share of the pictures whose class is found."""
    return dict(module.score(data, "acc"))["accuracy"]


if __name__ == "__main__":
    main()
