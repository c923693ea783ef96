"""A module that may be called: `import tracer.convert`, then `tracer.convert(model, inputs)`.

Importing a submodule puts the module in its package's place of that name. What the function does stands in
tracer.conversion.
"""

import sys
from types import ModuleType

from tracer.conversion import Conversion, convert, convert_specs

__all__ = ["Conversion", "convert", "convert_specs"]


class _Callable(ModuleType):
    __call__ = staticmethod(convert)


sys.modules[__name__].__class__ = _Callable
