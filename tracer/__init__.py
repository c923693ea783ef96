"""fx2mx: PyTorch nets become readable MXNet symbol code, converted weights and proof.

The public interface is `convert`, `Conversion`, `Agreement`, `ConversionError` and `RequestError`, and
`op` and `rule` for a user's own ops.
Importing this package is cheap: torch and mxnet are loaded on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tracer.problems import ConversionError, Problem, RequestError, UserModelError

if TYPE_CHECKING:
    from codegen.agree import Agreement
    from tracer.convert import Conversion, convert
    from tracer.plugins import op, rule

__version__ = "0.1.0"
__all__ = [
    "Agreement",
    "Conversion",
    "ConversionError",
    "Problem",
    "RequestError",
    "UserModelError",
    "convert",
    "op",
    "rule",
]


def __getattr__(name: str) -> Any:
    if name in {"convert", "Conversion"}:
        # The submodule can be called: what is imported first does not change what `tracer.convert` does.
        module = importlib.import_module("tracer.convert")
        return module if name == "convert" else module.Conversion
    if name in {"op", "rule"}:
        return getattr(importlib.import_module("tracer.plugins"), name)
    if name == "Agreement":
        from codegen.agree import Agreement

        return Agreement
    raise AttributeError(f"module 'tracer' has no attribute {name!r}")
