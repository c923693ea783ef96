"""Rules for the ops of model.py: `fx2mx model.py:ClippedNet --plugin plugin.py --out model_mxnet.py`."""

import tracer


@tracer.rule("soft_clip")
def soft_clip(b, x, limit):
    x = b.with_number("x / c", x, limit)
    x = b.op("tanh", x, hint="tanh")
    return b.with_number("x * c", x, limit)


@tracer.rule("Scale", module=True)
def scale(b, x, weight, power):
    weight = b.op("Reshape", weight, shape=(1, -1, 1, 1), hint="column")
    weight = b.with_number("x ** c", weight, power)
    return b.op("broadcast_mul", x, weight, gives=x.shape)
