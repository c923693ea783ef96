"""fx2mx: PyTorch nets become readable MXNet symbol code, converted weights and proof.

The public interface is `convert`, `Conversion`, `Agreement`, `ConversionError` and `RequestError`, and
`op` and `rule` for a user's own ops.
Importing this package is cheap: torch and mxnet are loaded on first use.
"""

import importlib
import importlib.util
import os
import sys
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


def _claim_codegen() -> None:
    """Load our `codegen` from beside this package: a user's `codegen.py` comes first where Python looks."""
    home = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "codegen")
    loaded = sys.modules.get("codegen")
    if loaded is not None:
        if home in map(os.path.realpath, getattr(loaded, "__path__", ())):
            return
        raise ImportError(
            f"{getattr(loaded, '__file__', 'another module')} is loaded as `codegen`, which is a package of fx2mx: "
            "import tracer before it, or give it another name"
        )
    file = os.path.join(home, "__init__.py")
    spec = importlib.util.spec_from_file_location("codegen", file, submodule_search_locations=[home])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["codegen"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_claim_codegen()


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
