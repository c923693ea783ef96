"""What the children of tests.session are spared: a process imports this, and each of them is its fork."""

import os
from importlib import import_module

from codegen.mxnet_import import import_mxnet

# As the command itself sets it, before it imports torch.
os.environ.setdefault("PYTORCH_JIT", "0")
for name in ("tracer.conversion", "tracer.gen"):
    import_module(name)
import_mxnet()
