"""The command's torch without what its first fake tensor imports: more than a second, for a question.

torch asks torch.distributed.tensor for DTensor, to tell its tensors from others: before it is imported,
none is one. The functions that compute shapes ask torch.fx.experimental.symbolic_shapes about plain bools and
ints, and import sympy. mxnet imports requests, to download what is not asked for.
These are given without the rest; whoever asks for more gets the module itself.
"""

from __future__ import annotations

import contextlib
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tracer.stand_ins import Finder, is_away, itself, take_off

DTENSOR = "torch.distributed.tensor"
SHAPES = "torch.fx.experimental.symbolic_shapes"
FUNCTIONS = "torch.utils._sympy.functions"
SYMPY = "sympy"
REQUESTS = "requests"


@contextlib.contextmanager
def without_sympy() -> Iterator[None]:
    """These modules are imported where something asks for more than is said above.

    For a process of our own: torch keeps the DTensor that it is given.
    """
    known = {
        DTENSOR: {"DTensor": _class_of(DTENSOR, "DTensor")},
        SHAPES: _of_shapes(),
        FUNCTIONS: {"Max": _class_of(FUNCTIONS, "Max")},
        SYMPY: {"Basic": _class_of(SYMPY, "Basic")},
        REQUESTS: {},
    }
    finder = Finder(known)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in known:
            if is_away(name):
                take_off(name)


# What is known ------------------------------------------------------------------------------------


class _Named(type):
    """The class of a class that is another one to who asks: that of its name in its module, once imported."""

    def __instancecheck__(cls, instance: object) -> bool:
        found = cls._found()
        return found is not None and isinstance(instance, found)

    def __subclasscheck__(cls, subclass: type) -> bool:
        found = cls._found()
        return found is not None and issubclass(subclass, found)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return getattr(itself(cls.__module__), cls.__name__)(*args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        return getattr(getattr(itself(cls.__module__), cls.__name__), name)

    def _found(cls) -> type | None:
        module = None if is_away(cls.__module__) else sys.modules.get(cls.__module__)
        return getattr(module, cls.__name__, None)


def _class_of(module: str, name: str) -> type:
    """What stands for a class, and may be kept."""
    return _Named(name, (), {"__module__": module})


class _Unraised(RuntimeError):
    """What sizes of a ShapeEnv raise: no tensor of ours has any."""


def _of_shapes() -> dict[str, Any]:
    """What symbolic_shapes says of plain values; functions ask itself about all others."""
    as_given = (
        "expect_true",
        "guard_or_false",
        "guard_or_true",
        "guard_size_oblivious",
        "statically_known_true",
    )
    # Imported beside others, and not called for tensors of plain sizes.
    uncalled = (
        "compute_unbacked_bindings",
        "free_unbacked_symbols",
        "has_free_unbacked_symbols",
        "_iterate_nodes",
    )
    return {
        **{name: _asked(name, _are_bools, lambda value: value) for name in as_given},
        "sym_and": _asked("sym_and", _are_bools, lambda *values: all(values)),
        "sym_or": _asked("sym_or", _are_bools, lambda *values: any(values)),
        "sym_eq": _asked("sym_eq", _are_sizes, operator.eq),
        "is_nested_int": _asked("is_nested_int", _are_ints, lambda _size: False),
        "is_symbolic": _asked("is_symbolic", _are_ints, lambda _size: False),
        "has_guarding_hint": _asked("has_guarding_hint", _are_ints, lambda _size: True),
        **{
            name: _asked(name, _are_ints, lambda size: size)
            for name in ("guard_int", "guarding_hint_or_throw")
        },
        "_iterate_exprs": _asked("_iterate_exprs", _are_without_symbols, lambda _value: iter(())),
        **{name: _asked(name, lambda _values: False, tuple) for name in uncalled},
        "GuardOnDataDependentSymNode": _Unraised,
    }


def _asked(
    name: str, are_known: Callable[[tuple[Any, ...]], bool], answer: Callable[..., Any]
) -> Callable[..., Any]:
    """A function that answers where its arguments are plain; whoever keeps it has torch's own for others."""

    def asked(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and are_known(args):
            return answer(*args)
        return getattr(itself(SHAPES), name)(*args, **kwargs)

    return asked


def _are_bools(values: Iterable[Any]) -> bool:
    return all(type(value) is bool for value in values)


def _are_ints(values: Iterable[Any]) -> bool:
    return all(type(value) is int for value in values)


def _are_sizes(values: tuple[Any, ...]) -> bool:
    """Whether these are two sizes, or tuples (torch.Size among them) of sizes."""
    return _are_ints(values) or all(isinstance(value, tuple) and _are_ints(value) for value in values)


def _are_without_symbols(values: Iterable[Any]) -> bool:
    return all(map(_is_without_symbols, values))


def _is_without_symbols(value: Any) -> bool:
    """Whether nothing in what an op gives is a symbol of sympy, so far as a look at plain things tells."""
    if isinstance(value, tuple | list):
        return _are_without_symbols(value)
    return value is None or type(value) in (bool, int, float) or _is_of_plain_sizes(value)


def _is_of_plain_sizes(value: Any) -> bool:
    import torch

    is_strided = isinstance(value, torch.Tensor) and value.layout is torch.strided
    return is_strided and _are_ints((*value.shape, *value.stride(), value.storage_offset()))
