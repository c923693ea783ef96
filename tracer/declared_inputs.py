"""Inputs that a net declares: an example, the size of its images, a configuration as in Hugging Face's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import torch
from torch import nn

from codegen.problems import RequestError
from tracer.inputs import Forward, InputSpec, from_mapping


@dataclass(frozen=True)
class Guess:
    """Specs that are worth a try, each with where it comes from.

    What the module declares itself `is_sure`: one run at batch size 1 is enough.
    """

    specs: tuple[InputSpec, ...]
    whys: tuple[str, ...]
    is_sure: bool = True


def declared_inputs(model: nn.Module, forward: Forward) -> Iterator[Guess]:
    """What the module says of its inputs, the surest first."""
    yield from _declared_example(model, forward)
    yield from _declared_sizes(model, forward)


def float_dtype(model: nn.Module) -> str:
    """The dtype of the net's first parameter of floats, which its inputs of floats have too."""
    dtypes = (p.dtype for p in model.parameters() if p.dtype.is_floating_point)
    return str(next(dtypes, torch.float32)).removeprefix("torch.")


def main_input(model: nn.Module, forward: Forward) -> tuple[str, ...]:
    """Where every argument has a default, as in transformers: the one the class calls its main input."""
    main = getattr(model, "main_input_name", None)
    return (main,) if main in forward.names else forward.names[:1]


def _declared_example(model: nn.Module, forward: Forward) -> Iterator[Guess]:
    example = getattr(model, "example_input_array", None)
    if example is None:
        return
    if not isinstance(example, Mapping):
        values = example if isinstance(example, tuple | list) else (example,)
        example = dict(zip(forward.names, values, strict=False))
    try:
        specs = from_mapping(example, forward)
    except RequestError:
        return
    yield Guess(specs, ("the module's example_input_array",) * len(specs))


def _declared_sizes(model: nn.Module, forward: Forward) -> Iterator[Guess]:
    if len(forward.required) > 1:
        return
    (name,) = forward.required or main_input(model, forward)
    dtype = float_dtype(model)
    for shape, why in _image_shapes(model):
        yield Guess((InputSpec(name, shape, dtype),), (why,))
    config = getattr(model, "config", None)
    if config is not None and not isinstance(config, Mapping):
        yield from _from_config(config, forward, name, dtype)


def _image_shapes(model: nn.Module) -> Iterator[tuple[tuple[int, ...], str]]:
    """Shapes of one image: timm's configurations, then attributes such as pytorchcv's in_size."""
    for attribute in ("default_cfg", "pretrained_cfg"):
        size = _entry(getattr(model, attribute, None), "input_size")
        if _is_size(size) and len(size) > 1:
            yield (1, *size), f"{attribute}['input_size']"
    channels = getattr(model, "in_channels", None)
    channels = channels if isinstance(channels, int) else _first_channels(model)
    for attribute in ("in_size", "image_size", "img_size", "input_size"):
        size = getattr(model, attribute, None)
        size = (size, size) if isinstance(size, int) and not isinstance(size, bool) else size
        if _is_size(size) and len(size) == 3:
            yield (1, *size), f"the module's {attribute}"
        elif _is_size(size) and len(size) == 2:
            yield (1, channels, *size), f"the module's {attribute}"


def _entry(config: Any, key: str) -> Any:
    return config.get(key) if isinstance(config, Mapping) else getattr(config, key, None)


def _is_size(size: Any) -> TypeGuard[Sequence[int]]:
    return isinstance(size, tuple | list) and bool(size) and all(isinstance(s, int) and s > 0 for s in size)


def _first_channels(model: nn.Module) -> int:
    return next((m.in_channels or 3 for m in model.modules() if isinstance(m, nn.Conv2d)), 3)


def _from_config(config: Any, forward: Forward, name: str, dtype: str) -> Iterator[Guess]:
    """The inputs of a Hugging Face model, whose configuration says what it was made for."""
    image = _config_image(config, dtype)
    vocabulary = _config_value(config, "vocab_size")
    given: list[tuple[InputSpec, str]] = []
    if image is not None and name == "pixel_values":
        given.append((replace(image, name=name), "config.image_size and num_channels"))
    elif isinstance(vocabulary, int) and name.endswith("ids"):
        why = f"config.vocab_size={vocabulary}"
        given.append((InputSpec(name, (1, 16), "int64", high=vocabulary, bound=f"from {why}"), why))
    elif name == "input_values":
        given.append((InputSpec(name, (1, 16000), dtype), "the name input_values (one second of sound)"))
    if not given:
        return
    yield _in_order(given, forward)
    for other in ("decoder_input_ids", "input_ids"):
        if other in forward.names and other != name and isinstance(vocabulary, int):
            why = f"config.vocab_size={vocabulary}"
            ids = InputSpec(other, (1, 16), "int64", high=vocabulary, bound=f"from {why}")
            yield _in_order([*given, (ids, why)], forward)
    if image is not None and "pixel_values" in forward.names and name != "pixel_values":
        yield _in_order([*given, (image, "config.image_size and num_channels")], forward)


def _in_order(given: Sequence[tuple[InputSpec, str]], forward: Forward) -> Guess:
    ordered = sorted(given, key=lambda pair: forward.names.index(pair[0].name))
    return Guess(tuple(spec for spec, _ in ordered), tuple(why for _, why in ordered))


def _config_image(config: Any, dtype: str) -> InputSpec | None:
    size = _config_value(config, "image_size")
    size = (size, size) if isinstance(size, int) else size
    if not _is_size(size) or len(size) != 2:
        return None
    return InputSpec("pixel_values", (1, _config_value(config, "num_channels") or 3, *size), dtype)


def _config_value(config: Any, key: str) -> Any:
    """A value of the configuration, or of its parts for text and images."""
    parts = (config, getattr(config, "text_config", None), getattr(config, "vision_config", None))
    return next((v for v in (getattr(part, key, None) for part in parts) if v is not None), None)
