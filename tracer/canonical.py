"""One name and one set of keyword arguments for the function, method, operator and in-place forms of an op.

`torch.add(x, 1)`, `x.add_(1)`, `x + 1` and `1 + x` are all `add(input, other)`. The names of the
arguments are torch's own: from the Python signature where there is one, else from the ATen schema of
the overload that the call fits. An argument at its default is left out.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from codegen.ir import Dim, Ref

# Names that torch has for an op that it also has under another one: each op has one rule.
ALIASES = {
    "absolute": "abs",
    "alias_copy": "alias",
    "as_strided_copy": "as_strided",
    "diagonal_copy": "diagonal",
    "expand_copy": "expand",
    "narrow_copy": "narrow",
    "permute_copy": "permute",
    "squeeze_copy": "squeeze",
    "t_copy": "t",
    "transpose_copy": "transpose",
    "unbind_copy": "unbind",
    "unfold_copy": "unfold",
    "unsqueeze_copy": "unsqueeze",
    "view_copy": "view",
    "det": "linalg_det",
    "cholesky": "linalg_cholesky",
    "inverse": "linalg_inv",
    "slogdet": "linalg_slogdet",
    "pinverse": "linalg_pinv",
    "matrix_power": "linalg_matrix_power",
    "special_gammaln": "lgamma",
    "special_xlogy": "xlogy",
    "special_digamma": "digamma",
    "special_psi": "digamma",
    "special_polygamma": "polygamma",
    "special_multigammaln": "mvlgamma",
    "special_erfinv": "erfinv",
    "special_logit": "logit",
    "special_logsumexp": "logsumexp",
    "special_i0": "i0",
    "and": "bitwise_and",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "_threshold": "threshold",
    "divide": "div",
    "fix": "trunc",
    "floordiv": "floor_divide",
    "greater": "gt",
    "greater_equal": "ge",
    "invert": "bitwise_not",
    "less": "lt",
    "less_equal": "le",
    "linalg_matmul": "matmul",
    "lshift": "bitwise_left_shift",
    "mod": "remainder",
    "moveaxis": "movedim",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "or": "bitwise_or",
    "row_stack": "vstack",
    "rsub": "sub",
    "rshift": "bitwise_right_shift",
    "special_erf": "erf",
    "special_erfc": "erfc",
    "special_exp2": "exp2",
    "special_expit": "sigmoid",
    "special_expm1": "expm1",
    "special_log1p": "log1p",
    "special_log_softmax": "log_softmax",
    "special_round": "round",
    "special_sinc": "sinc",
    "special_softmax": "softmax",
    "subtract": "sub",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "_sparse_addmm": "addmm",
    "_sparse_mm": "mm",
    "true_divide": "div",
    "truediv": "div",
    "xor": "bitwise_xor",
}
# All are the op `to` of the IR: what they cast to stands in the type of the result.
CASTS = frozenset("to type type_as float half double bfloat16 long int short byte char bool".split())
# Arguments that say where or how a tensor is stored, never what is in it.
STORAGE = frozenset(
    "device layout memory_format pin_memory non_blocking copy requires_grad _stacklevel names out inplace "
    "generator implicit".split()
)
# torch takes numpy's names of arguments too, and schemas call the first one `self`.
NUMPY_NAMES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "self": "input",
    "x": "input",
    "a": "input",
    "b": "other",
}
# (op, the schema's name of an argument): the name that torch's Python has for it.
RENAMED = {
    ("dropout", "train"): "training",
    ("feature_dropout", "train"): "training",
    ("split", "split_size_or_sections"): "split_size",
    ("split", "tensor"): "input",
    ("transpose", "axis0"): "dim0",
    ("transpose", "axis1"): "dim1",
    ("lstm", "train"): "training",
    ("gru", "train"): "training",
    ("rnn_tanh", "train"): "training",
    ("rnn_relu", "train"): "training",
}
# Methods that give a value in Python keep their underscores: `__bool__` asks for one, `bool` casts.
CONVERSIONS = frozenset("index int bool float len contains complex array".split())
# `1 + x` calls __radd__, `x += 1` calls __iadd__: both are `add`.
REFLECTED = frozenset("radd rsub rmul rdiv rtruediv rpow rmatmul rfloordiv rmod".split())
IN_PLACE = frozenset("iadd isub imul idiv itruediv ipow ifloordiv imod iand ior ixor ilshift irshift".split())


def op_name(func: Callable[..., Any]) -> str:
    """The op's canonical name: `Tensor.__iadd__`, `torch.add` and `Tensor.add_` are `add`.

    An op of another library than torch's is called as it is registered: `torchvision::nms`.

    Not cached by function: `torch.dsmm` and `torch.mm` are one C function, and so equal, under two names.
    """
    name = getattr(func, "__name__", type(func).__name__)
    if isinstance(func, torch._ops.OpOverload):  # torch.ops.aten.slice.Tensor
        name = name.partition(".")[0]
    if library := _library_of(func):
        return f"{library}::{name}"
    if func is F.unfold:  # Tensor.unfold is another op
        return "im2col"
    if func is F.fold:
        return "col2im"
    if name in {"__get__", "__set__"}:
        return str(func.__self__.__name__)  # type: ignore[attr-defined]
    if name.startswith("__") and name.endswith("__"):
        name = _operator_name(name.strip("_"))
    elif name.endswith("_") and not name.startswith("__"):
        name = name.rstrip("_")
    return ALIASES.get(name, name)


def _library_of(func: Callable[..., Any]) -> str:
    """The library that registered an op, `torchvision` of torch.ops.torchvision.nms; '' for torch's own.

    Its op may be called like one of torch's, and be another one.
    """
    if not isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return ""
    packet = func.overloadpacket if isinstance(func, torch._ops.OpOverload) else func
    library = packet._qualified_op_name.partition("::")[0]
    return "" if library == "aten" else library


def _operator_name(name: str) -> str:
    """The op of a method between double underscores: `add` of `__radd__` and of `__iadd__`."""
    if name in CONVERSIONS:
        return f"__{name}__"
    if name in REFLECTED or name in IN_PLACE:
        return name[1:]
    return f"bitwise_{name[1:]}" if name in {"rand", "ror", "rxor"} else name


def _is_reflected(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    return (
        name.startswith("__r") and name not in {"__repr__", "__reversed__", "__rshift__"}
    ) or name == "rsub"


def call_arguments(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The call's arguments by keyword, without those at their default.

    Raises TypeError where the call fits no signature that torch documents.
    """
    if hasattr(func, "is_user_op"):  # tracer.plugins: the names are the user's own
        return dict(inspect.signature(func).bind(*args, **kwargs).arguments)
    name = op_name(func)
    if name in CASTS:
        return {"input": args[0]}
    if name in {"getitem", "setitem"}:
        return dict(zip(("input", "index", "value"), args, strict=False))
    if name == "einsum":
        listed = len(args) == 2 and isinstance(args[1], list | tuple)
        return {"equation": args[0], "operands": tuple(args[1]) if listed else tuple(args[1:])}
    if func is torch.Tensor.where and len(args) > 1:
        args = (args[1], args[0], *args[2:])  # the method's own tensor is what is kept
    if _is_reflected(func):
        args = (args[1], args[0], *args[2:])
        if name != "matmul":
            return dict(zip(("input", "exponent" if name == "pow" else "other"), args, strict=False)) | dict(
                kwargs
            )
    kwargs = {k: v for k, v in kwargs.items() if k not in {"out", "device", "memory_format", "layout"}}
    bound = _bind_python(func, args, kwargs)
    if bound is None:
        raw = getattr(func, "__name__", name)
        raw = raw.partition(".")[0] if isinstance(func, torch._ops.OpOverload) else raw
        bound = _bind_schema(raw, name, args, kwargs)
    names = _names_of_alias(getattr(func, "__name__", name), name)
    return {_argument_name(name, names.get(k, k)): v for k, v in bound.items() if k not in STORAGE}


@functools.cache
def _names_of_alias(raw: str, name: str) -> dict[str, str]:
    """The other names that arguments at the same places have under an op's canonical name: det's `self`."""
    if raw.strip("_") == name:
        return {}
    for own, canonical in itertools.product(_schemas(raw), _schemas(name)):
        known = {a.name for a in canonical}
        pairs = zip(own, canonical, strict=False)
        return {a.name: c.name for a, c in pairs if a.name not in known and a.kind == c.kind}
    return {}


def _argument_name(op: str, name: str) -> str:
    return RENAMED.get((op, name)) or NUMPY_NAMES.get(name, name)


def _bind_python(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    signature = _python_signature(func)
    if signature is None:
        return None
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None
    parameters = signature.parameters
    return {k: v for k, v in bound.items() if not _is_default(v, parameters[k].default)}


@functools.cache
def _python_signature(func: Callable[..., Any]) -> inspect.Signature | None:
    name = getattr(func, "__name__", "")
    if "boolean_dispatch" in getattr(func, "__qualname__", ""):
        whole = getattr(F, f"{name}_with_indices", None) or getattr(torch.functional, f"_{name}_with_infos")
        return inspect.signature(whole)
    if not isinstance(func, types.FunctionType):
        return None
    if func.__module__ == "torch._tensor" and name not in {"split", "norm", "unflatten", "stft"}:
        return None  # thin wrappers, whose ATen schema says more
    signature = inspect.signature(func)
    if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()) and name in {"pow", "rsub"}:
        return None
    return signature


def _bind_schema(raw: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    for candidate in (name,) if "::" in name else dict.fromkeys((raw, raw.rstrip("_"), name)):
        # view(x, -1) is a size before it is a dtype.
        for arguments in (args, _packed(args)) if name != "view" else (_packed(args), args):
            for schema in _schemas(candidate):
                bound = _bound_to(schema, arguments, kwargs)
                if bound is not None:
                    return bound
    if not kwargs and len(args) == 1:
        return {"input": args[0]}  # properties such as T and mT
    raise TypeError(f"the arguments of this {name}() fit no signature of torch")


def _packed(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """`view(x, 2, 3)` as `view(x, (2, 3))`."""
    ints = [i for i, a in enumerate(args) if isinstance(a, int | Dim)]
    if not ints or ints != list(range(ints[0], len(args))):
        return args
    return (*args[: ints[0]], tuple(args[ints[0] :]))


@dataclass(frozen=True)
class SchemaArgument:
    """One argument of a schema; `kind` is its type: `int[2]` is a list that takes one number for all."""

    name: str
    kind: str
    is_keyword_only: bool
    has_default: bool
    default: Any


@functools.cache
def _schemas(name: str) -> tuple[tuple[SchemaArgument, ...], ...]:
    """The arguments of every overload of an op of ATen, or of LIBRARY::NAME; none of those with an `out`."""
    found = []
    for namespaced in (name,) if "::" in name else (f"aten::{name}", f"aten::_{name}"):
        for schema in torch._C._jit_get_schemas_for_operator(namespaced):
            if "out" in schema.overload_name and any(a.name == "out" for a in schema.arguments):
                continue
            found.append(tuple(_schema_argument(a) for a in schema.arguments))
        if found:
            break
    return tuple(found)


def _schema_argument(argument: Any) -> SchemaArgument:
    length = f"[{argument.N}]" if argument.N else ""
    kind, has_default = f"{argument.type}{length}", argument.has_default_value()
    return SchemaArgument(argument.name, kind, argument.kwarg_only, has_default, argument.default_value)


def _bound_to(
    schema: Sequence[SchemaArgument], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The arguments by a schema's names, without those at their default; None where they do not fit it."""
    positional = [a.name for a in schema if not a.is_keyword_only]
    if len(args) > len(positional):
        return None
    bound = dict(zip(positional, args, strict=False))
    for key, value in kwargs.items():
        name = _name_in(schema, key)
        if name is None and key in STORAGE:
            continue
        if name is None or name in bound:
            return None
        bound[name] = value
    if not all(_takes(a, bound) for a in schema):
        return None
    defaults = {a.name: a.default for a in schema if a.has_default}
    return {k: v for k, v in bound.items() if k not in defaults or not _is_default(v, defaults[k])}


def _name_in(schema: Sequence[SchemaArgument], key: str) -> str | None:
    """The schema's name of a keyword: the keyword itself, or another name for it."""
    plain = NUMPY_NAMES.get(key, key)
    names = {a.name for a in schema}
    return key if key in names else next((n for n in names if NUMPY_NAMES.get(n, n) == plain), None)


def _takes(argument: SchemaArgument, bound: Mapping[str, Any]) -> bool:
    if argument.name in bound:
        return _is_of_kind(argument.kind, bound[argument.name])
    return argument.has_default or "Optional" in argument.kind


def _is_of_kind(kind: str, value: Any) -> bool:
    if kind.startswith("Optional["):
        inner, _, rest = kind.removeprefix("Optional[").rpartition("]")
        return value is None or _is_of_kind(inner + (rest or _trailing(kind)), value)
    if kind.startswith("List["):
        inner, _, length = kind.removeprefix("List[").partition("]")
        if isinstance(value, list | tuple):
            return all(_is_of_kind(inner, item) for item in value)
        return bool(length.strip("[]")) and inner in {"int", "SymInt", "number"} and _is_of_kind(inner, value)
    if kind == "Tensor":
        return isinstance(value, torch.Tensor | fx.Node | Ref)
    if kind in {"int", "SymInt"}:
        return _is_dtype(value) or (isinstance(value, int | Dim) and not isinstance(value, bool))
    if kind in {"float", "number", "Scalar"}:
        return isinstance(value, int | float | complex | Dim)
    return {"bool": isinstance(value, bool), "str": isinstance(value, str)}.get(kind, True)


def _trailing(kind: str) -> str:
    return "[1]" if kind.endswith("[1]") else ""


def _is_dtype(value: Any) -> bool:
    if isinstance(value, str):  # the IR's name of a dtype
        return isinstance(getattr(torch, value, None), torch.dtype)
    return isinstance(value, torch.dtype | torch.device | torch.layout | torch.memory_format)


def _is_default(value: Any, default: Any) -> bool:
    """Whether an argument has the value that it has when it is left out."""
    if default is inspect.Parameter.empty or isinstance(value, torch.Tensor | fx.Node | Ref):
        return False
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return list(value) == list(default)
    if isinstance(value, bool) != isinstance(default, bool):
        return False
    return value is default or bool(value == default)
