"""What the children of tests.session are spared: a process imports this, and each of them is its fork."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tracer.conversion  # noqa: E402, F401 - torch
import tracer.gen  # noqa: E402, F401
from codegen.mxnet_import import import_mxnet  # noqa: E402

import_mxnet()
