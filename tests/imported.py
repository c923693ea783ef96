"""What the children of tests.session are spared: a process imports this, and each of them is its fork."""

import tracer.conversion
import tracer.gen
from codegen.mxnet_import import import_mxnet

import_mxnet()
