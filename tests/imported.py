"""What the children of tests.session are spared: a process imports this, and each of them is its fork."""

from importlib import import_module

from codegen.mxnet_import import import_mxnet

for name in ("tracer.conversion", "tracer.gen"):
    import_module(name)
import_mxnet()
