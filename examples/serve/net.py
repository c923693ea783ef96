"""A converted classifier, bound at a few batch sizes. Pure MXNet."""

from __future__ import annotations

import mxnet as mx
import numpy as np

from model_mxnet import DATA_SHAPES


class Net:
    """Pictures in, class probabilities out. For one thread: MXNet's executors are not to be shared."""

    def __init__(self, prefix: str, epoch: int, largest: int) -> None:
        symbol, self._arg_params, self._aux_params = mx.model.load_checkpoint(prefix, epoch)
        if symbol.list_outputs() != ["softmax_output"]:
            raise ValueError(f"{prefix} does not end in probabilities: convert it with --softmax")
        ((self._name, (_, *shape)),) = DATA_SHAPES.items()
        self.shape = tuple(shape)
        self.sizes = batch_sizes(largest)
        # One module for each batch size; they share their parameters and their memory.
        names = (symbol, [self._name], ["softmax_label"])
        self._module = mx.mod.BucketingModule(lambda _: names, default_bucket_key=largest)

    def warm_up(self) -> None:
        """Binds every batch size and runs it once, so that no request pays for that."""
        self._module.bind(*self._shapes(self.sizes[-1]), for_training=False)
        self._module.set_params(self._arg_params, self._aux_params)
        for size in self.sizes:
            self.probabilities(np.zeros((size, *self.shape), "uint8"))

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """A row for each picture. They run at the next bound size, filled up with black ones."""
        size = next(size for size in self.sizes if size >= len(pictures))
        filled = np.zeros((size, *self.shape), "float32")
        filled[: len(pictures)] = pictures
        data, label = self._shapes(size)
        batch = mx.io.DataBatch(
            [mx.nd.array(filled)], bucket_key=size, provide_data=data, provide_label=label
        )
        self._module.forward(batch, is_train=False)
        return self._module.get_outputs()[0].asnumpy()[: len(pictures)]

    def _shapes(self, size: int) -> tuple[list[mx.io.DataDesc], list[mx.io.DataDesc]]:
        """What Module binds: the pictures, and the label, which SoftmaxOutput reads in training alone."""
        return [mx.io.DataDesc(self._name, (size, *self.shape))], [mx.io.DataDesc("softmax_label", (size,))]


def batch_sizes(largest: int) -> list[int]:
    """1, 2, 4, ... and the largest."""
    return [2**i for i in range(largest.bit_length()) if 2**i < largest] + [largest]
