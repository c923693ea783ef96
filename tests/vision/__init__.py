"""torchvision's ops in tests: torchvision's own where it is installed, else a stand-in.

`make torchvision` has torchvision; the environment of the other suites has a build of torch beside which PyPI's
torchvision does not import. The stand-in (tests/vision/torchvision) registers ops of the same names and signatures,
and its files are laid and called as torchvision's, since fx2mx knows both by these.
"""

from __future__ import annotations

import importlib.util

IS_REAL = importlib.util.find_spec("torchvision") is not None

if IS_REAL:
    from torchvision import ops
else:
    from tests.vision.torchvision import ops, registered

    LIBRARY = registered.library()

__all__ = ["IS_REAL", "ops"]
