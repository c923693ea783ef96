"""mxnet is imported for all tests as fx2mx imports it, so that `import mxnet as mx` works under any numpy."""

from codegen.mxnet_import import import_mxnet

import_mxnet()
