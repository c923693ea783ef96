"""Inputs: from `--input` texts, from example tensors, or found by trying; and seeded tensors for them.

An `InputSpec` names a parameter of the net's `forward` with the shape and dtype of a tensor for it.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from codegen.problems import RequestError, counted, listed
from tracer.samples import REPEAT, Variation, fitted, floats, integers, mask

DTYPES = (
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
)
FORM = "[NAME=]DIMS[:DTYPE] such as x=1,3,224,224 or ids=1,128:int64, or NAME=@FILE.npy"
DEFAULT_HIGH = 10
# So many parameters of forward are named in an error.
MOST_NAMES = 8
# Given values stay as they are, and stand for further samples too.
PLAIN = Variation(way=REPEAT)


@dataclass(frozen=True)
class InputSpec:
    """One input of the net: the argument of `forward`, its shape and torch dtype.

    `batch_axis` is None for an input without a batch; random integers are in [`low`, `high`), and `bound`
    completes "found ..." with what told so, empty where nothing did; `value` holds given values, of this
    shape (a bfloat16 tensor's as float32).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    batch_axis: int | None = 0
    high: int | None = None
    low: int = 0
    value: npt.NDArray[Any] | None = field(default=None, compare=False)
    bound: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Forward:
    """The parameters of forward that a tensor can be given for, and whether other names are taken."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    takes_any_name: bool

    def __str__(self) -> str:
        return f"forward({listed(self.names, MOST_NAMES)})"


def forward_of(model: nn.Module) -> Forward:
    parameters = inspect.signature(model.forward).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if not named:
        listed = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)
        raise RequestError(
            f"forward({listed}) of {type(model).__name__} names no inputs: give forward named parameters",
            code="input-names",
        )
    required = tuple(p.name for p in named if p.default is p.empty)
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return Forward(tuple(p.name for p in named), required, any_name)


def _in_order(specs: Sequence[InputSpec], forward: Forward) -> tuple[InputSpec, ...]:
    """Specs in the order of forward's parameters; a RequestError where a required one is missing."""
    given = {spec.name: spec for spec in specs}
    missing = [name for name in forward.required if name not in given]
    if missing:
        noun = "input" if len(missing) == 1 else "inputs"
        example = [f"--input {name}=DIMS" for name in missing]
        add = listed(example, MOST_NAMES, " ")
        raise RequestError(
            f"{forward} needs the {noun} {listed(missing, MOST_NAMES)} too: add {add}", code="input-names"
        )
    order = [name for name in forward.names if name in given]
    return tuple(given[name] for name in (*order, *(n for n in given if n not in order)))


def parse_inputs(texts: Sequence[str], model: nn.Module) -> tuple[InputSpec, ...]:
    """`[NAME=]DIMS[:DTYPE]` or `[NAME=]@FILE.npy[:DTYPE]`, one for each input, in forward's order.

    An `N` among DIMS is the batch axis, of size 1; without one it is axis 0. Texts without a name fill
    forward's parameters in order. Raises RequestError with the text at fault and the accepted form.
    """
    forward = forward_of(model)
    split = [_split_name(text) for text in texts]
    taken = [name for name, _ in split if name]
    free = (name for name in forward.names if name not in taken)
    specs: dict[str, InputSpec] = {}
    for text, (name, rest) in zip(texts, split, strict=True):
        given = name or next(free, None)
        if given is None:
            raise RequestError(
                f"--input {text}: one too many, since {forward} takes {counted(len(forward.names), 'input')}",
                code="input-names",
            )
        if given not in forward.names and not forward.takes_any_name:
            raise RequestError(
                f"--input {text}: forward has no parameter {given!r}, it takes "
                f"{listed(forward.names, MOST_NAMES)}",
                code="input-names",
            )
        if given in specs:
            raise RequestError(f"--input {text}: {given} is given twice", code="input-names")
        specs[given] = _parsed(text, given, rest, model)
    return _in_order(list(specs.values()), forward)


def _bad(text: str, why: str) -> RequestError:
    return RequestError(f"--input {text}: {why}; write {FORM}", code="input-form")


def _split_name(text: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals or text.startswith("@"):
        return "", text
    if not name.strip().isidentifier():
        raise _bad(text, f"{name!r} is no name of a parameter")
    return name.strip(), rest


def _parsed(text: str, name: str, rest: str, model: nn.Module) -> InputSpec:
    if rest.startswith("@"):
        return _from_file(text, name, rest[1:])
    dims, colon, dtype = rest.partition(":")
    dtype = dtype.strip() if colon else "float32"
    if dtype not in DTYPES:
        raise _bad(text, f"{dtype!r} is no dtype, which are {', '.join(DTYPES)}")
    parts = [part.strip() for part in dims.rstrip(", ").split(",")]
    wrong = [part for part in parts if part != "N" and not re.fullmatch(r"[0-9]*[1-9][0-9]*", part)]
    if wrong:
        raise _bad(text, f"{wrong[0]!r} is no size, which is 1 or more (or N, the batch)")
    if parts.count("N") > 1:
        raise _bad(text, "only one size can be the batch N")
    shape = tuple(1 if part == "N" else int(part) for part in parts)
    high, bound = _id_bound(model, name) if "int" in dtype else (None, "")
    return InputSpec(name, shape, dtype, parts.index("N") if "N" in parts else 0, high, bound=bound)


def _id_bound(model: nn.Module, name: str) -> tuple[int | None, str]:
    """What random integers must stay below to be rows of every embedding that may look them up.

    And which of these has the fewest rows, in words.
    """
    typed = _is_kind_of_token(name)
    rows = [
        (module.num_embeddings, path or type(module).__name__)
        for path, module in model.named_modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and (typed or not _is_kind_of_token(path))
    ]
    fewest = min(rows, key=lambda found: found[0], default=None)
    return (fewest[0], f"from {fewest[1]} (num_embeddings={fewest[0]})") if fewest is not None else (None, "")


def _is_kind_of_token(name: str) -> bool:
    """token_type_ids and segment embeddings have two or three rows, far fewer than there are words."""
    return "type" in name or "segment" in name


def _from_file(text: str, name: str, file: str) -> InputSpec:
    file, dtype = _split_dtype(file)
    if not os.path.isfile(file):
        raise RequestError(f"--input {text}: no such file: {file}", code="input-file")
    try:
        value = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RequestError(
            f"--input {text}: {file} is no .npy file that can be read ({error})", code="input-file"
        ) from error
    if not isinstance(value, np.ndarray):
        raise RequestError(
            f"--input {text}: {file} holds several arrays; save one with numpy.save", code="input-file"
        )
    if value.dtype.name not in DTYPES:
        raise RequestError(
            f"--input {text}: {file} holds {value.dtype.name}; save one of {', '.join(DTYPES)}",
            code="input-file",
        )
    if 0 in value.shape:
        raise RequestError(
            f"--input {text}: {file} has no elements, its shape is {value.shape}", code="input-file"
        )
    # A big-endian array has the dtype's name too, and torch takes none.
    return _with_value(name, value.astype(value.dtype.newbyteorder("=")), dtype or value.dtype.name)


def _split_dtype(file: str) -> tuple[str, str]:
    base, _, dtype = file.rpartition(":")
    return (base, dtype) if base and dtype in DTYPES else (file, "")


def _with_value(name: str, value: npt.NDArray[Any], dtype: str) -> InputSpec:
    if dtype not in (value.dtype.name, "bfloat16"):
        value = value.astype(dtype)
    return InputSpec(name, value.shape, dtype, 0 if value.ndim else None, value=value)


def inputs_from_tensors(model: nn.Module, inputs: tuple[Any, ...]) -> tuple[InputSpec, ...]:
    """The specs of example tensors, given in the order of forward's parameters; None leaves one out.

    The values are kept, and axis 0 is the batch. Raises RequestError for what is no tensor, and where
    the number does not fit forward.
    """
    forward = forward_of(model)
    if isinstance(inputs, torch.Tensor):
        inputs = (inputs,)
    if len(inputs) > len(forward.names):
        takes = counted(len(forward.names), "input")
        raise RequestError(
            f"{counted(len(inputs), 'input')} given, but {forward} takes {takes}", code="input-names"
        )
    given = dict(zip(forward.names, inputs, strict=False))
    return from_mapping(given, forward)


def from_mapping(given: Mapping[str, Any], forward: Forward) -> tuple[InputSpec, ...]:
    specs = [_from_tensor(name, value) for name, value in given.items() if value is not None]
    return _in_order(specs, forward)


def _from_tensor(name: str, value: Any) -> InputSpec:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if not isinstance(value, torch.Tensor):
        raise RequestError(
            f"input {name} is of type {type(value).__name__}: inputs are tensors, so give forward a default "
            "for it, or wrap the net in a module that sets it",
            code="input-type",
        )
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise RequestError(
            f"input {name} is {dtype}: inputs are one of {', '.join(DTYPES)}", code="input-type"
        )
    value = value.detach().cpu()
    return _with_value(name, (value.float() if dtype == "bfloat16" else value).numpy(), dtype)


def make_inputs(
    specs: Sequence[InputSpec], batch: int | None, seed: int, variation: Variation = PLAIN
) -> dict[str, torch.Tensor]:
    """Tensors for the specs by argument name, the same at each call with the same seed.

    `batch` takes the place of the first spec's batch size, in every spec that has the same one. Given
    values are cut to it or extended as `variation` says; floats are normal, integers uniform in
    [low, high), and a mask of integers or bools holds a 0 and a 1 in each row.
    """
    own = own_batch(specs)
    tensors: dict[str, torch.Tensor] = {}
    for index, spec in enumerate(specs):
        # A generator for each, so that the values of one input do not hang on the others' sizes.
        generator = torch.Generator().manual_seed(seed_of(seed, index))
        size = (own if batch is None else batch) if follows_batch(spec, specs) else None
        # As a user's lie in memory: where others do not, flatten() makes a copy, and a write to it is lost.
        tensors[spec.name] = _tensor(spec, size, generator, variation).contiguous()
    return tensors


def own_batch(specs: Sequence[InputSpec]) -> int | None:
    """The batch size of the first input that has one."""
    return next((s.shape[s.batch_axis] for s in specs if s.batch_axis is not None), None)


def follows_batch(spec: InputSpec, specs: Sequence[InputSpec]) -> bool:
    """Whether an input has as many samples as the batch has, whatever that is."""
    return spec.batch_axis is not None and spec.shape[spec.batch_axis] == own_batch(specs)


def seed_of(seed: int, index: int) -> int:
    """The seed of the generator of the input at this place."""
    return seed * 1009 + index


Kind = Literal["given", "floats", "mask", "integers"]


def kind_of(spec: InputSpec) -> Kind:
    """What the values of an input are."""
    if spec.value is not None:
        return "given"
    dtype: torch.dtype = getattr(torch, spec.dtype)
    if dtype.is_floating_point:
        return "floats"
    return "mask" if "mask" in spec.name else "integers"


def _tensor(
    spec: InputSpec, batch: int | None, generator: torch.Generator, variation: Variation
) -> torch.Tensor:
    dtype: torch.dtype = getattr(torch, spec.dtype)
    axis = spec.batch_axis if batch is not None else None
    if spec.value is not None:
        value = torch.from_numpy(spec.value).to(dtype)
        return value if axis is None or batch is None else fitted(value, batch, axis, variation, generator)
    shape = [s if batch is None or a != axis else batch for a, s in enumerate(spec.shape)]
    kind = kind_of(spec)
    if kind == "floats":
        return floats(shape, generator, variation.edges).to(dtype)
    if kind == "mask":
        return mask(shape, axis, generator).to(dtype)
    low, high = integer_range(spec)
    return integers(shape, axis, low, high, generator).to(dtype)


def integer_range(spec: InputSpec) -> tuple[int, int]:
    """What random integers are drawn from: [low, high)."""
    if spec.dtype == "bool":
        return 0, 2
    limits = torch.iinfo(getattr(torch, spec.dtype))
    return max(spec.low, int(limits.min)), min(spec.high or DEFAULT_HIGH, int(limits.max))
