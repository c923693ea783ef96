"""fx2mx: PyTorch nets become readable MXNet symbol code, converted weights and proof.

The public interface is `convert`, `Conversion`, `Agreement`, `ConversionError` and `RequestError`, and
`op` and `rule` for a user's own ops. `import_mxnet` imports mxnet under any numpy.
Importing this package is cheap: torch and mxnet are loaded on first use.
"""

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codegen.decompositions import op
    from codegen.mxnet_import import import_mxnet
    from codegen.problems import ConversionError, Problem, RequestError, UserModelError
    from codegen.proof.compare import Agreement
    from tracer.conversion import Conversion, convert
    from tracer.plugins import rule

__version__ = "0.1.0"
__all__ = [
    "Agreement",
    "Conversion",
    "ConversionError",
    "Problem",
    "RequestError",
    "UserModelError",
    "convert",
    "import_mxnet",
    "op",
    "rule",
]
# Where the public names are defined.
_HOMES = {
    "Agreement": "codegen.proof.compare",
    "Conversion": "tracer.conversion",
    "ConversionError": "codegen.problems",
    "Problem": "codegen.problems",
    "RequestError": "codegen.problems",
    "UserModelError": "codegen.problems",
    "import_mxnet": "codegen.mxnet_import",
    "op": "codegen.decompositions",
    "rule": "tracer.plugins",
}


def _claim_codegen() -> None:
    """Load our `codegen` from beside this package: a user's `codegen.py` comes first where Python looks."""
    home = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "codegen")
    loaded = sys.modules.get("codegen")
    if loaded is not None:
        if home in map(os.path.realpath, getattr(loaded, "__path__", ())):
            return
        raise ImportError(
            f"{getattr(loaded, '__file__', 'another module')} is loaded as `codegen`, "
            "which is a package of fx2mx: import tracer before it, or give it another name"
        )
    file = os.path.join(home, "__init__.py")
    spec = importlib.util.spec_from_file_location("codegen", file, submodule_search_locations=[home])
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded")
    sys.modules["codegen"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_claim_codegen()


def __getattr__(name: str) -> Any:
    if name == "convert":
        # By way of the module of that name, which can be called: what is imported first changes nothing.
        return importlib.import_module("tracer.convert")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tracer' has no attribute {name!r}")
