"""Inputs that fit a net, found from its layers."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import torch
from torch import nn

from codegen.problems import RequestError
from tracer.inputs import Forward, InputSpec, counted, forward_of, from_mapping, make_inputs

CHANGE = "change it with --input"
# Tried in this order: the usual ones first. Squares, then 1-D and 3-D sizes, then sequence lengths.
SQUARES = (
    *(224, 112, 299, 32, 28, 64, 128, 256, 96, 160, 192, 384, 227, 48, 84, 512, 16, 8),
    *(100, 150, 200, 240, 300, 320, 416, 448, 640, 331, 14),
    *range(20, 256, 4),
)
OBLONGS = ((256, 128), (256, 192), (32, 100), (32, 128), (64, 128), (128, 64), (64, 32), (128, 256))
LENGTHS_1D = (128, 64, 256, 1024, 100, 32, 512, 16, 3000, 16000, 50, 187, 200, 300, 1000, 2048, 4096, 8)
VOLUMES = (
    (16, 112, 112),
    (8, 112, 112),
    (32, 32, 32),
    (16, 64, 64),
    (64, 64, 64),
    (16, 32, 32),
    (16, 16, 16),
    (8, 16, 16),
    (8, 8, 8),
    (16, 224, 224),
    (32, 112, 112),
    (4, 32, 32),
)
LENGTHS = (16, 128, 32, 64, 8, 10, 20, 50, 100, 77, 256, 512, 4, 12, 24, 1)
MAX_TRIES = 500
# How long a search goes on for inputs that run at two batch sizes, when it has some that run at one.
MORE_TRIES = 50
MAX_OPTIONS = 16
MAX_CHOICES = 5000
# (combinations, sizes of each): every round goes on where those before it stopped.
ROUNDS = ((30, 4), (12, 16), (1, 1000), (60, 4), (MAX_CHOICES, 1000))


@dataclass(frozen=True)
class _Option:
    """What one parameter of forward may be: shapes tried in order, the kind of values, and why."""

    shapes: tuple[tuple[int, ...], ...]
    why: str
    path: str = ""
    dtype: str = ""
    batch_axis: int | None = 0
    high: int | None = None

    def spec(self, name: str, round_: int, float_dtype: str) -> InputSpec:
        shape = self.shapes[min(round_, len(self.shapes) - 1)]
        return InputSpec(name, shape, self.dtype or float_dtype, self.batch_axis, self.high)


@dataclass(frozen=True)
class _Found:
    """Specs that are worth a try, each with where it comes from.

    What the module declares itself is `sure`: one run at batch size 1 is enough.
    """

    specs: tuple[InputSpec, ...]
    whys: tuple[str, ...]
    sure: bool = True


def find_inputs(
    model: nn.Module, runs: Callable[[dict[str, torch.Tensor]], bool]
) -> tuple[tuple[InputSpec, ...], str]:
    """Inputs on which the net runs, at batch size 1, and a sentence that says where they come from.

    Tried in order: the module's example_input_array; default_cfg["input_size"] and the like; the sizes
    of its layers with a list of usual ones. `runs` says whether the net runs on given tensors. Raises
    RequestError, naming --input, where nothing fits.
    """
    forward = forward_of(model)
    first: _Found | None = None
    tries, last = 0, MAX_TRIES
    for found in _guesses(model, forward):
        if tries >= last:
            break
        tries += 1
        if not runs(_trial_tensors(found.specs, None)):
            continue
        # Shapes that fit by broadcasting, or for lack of a batch axis, fit at one batch size alone.
        if found.sure or runs(_trial_tensors(found.specs, 2)):
            return found.specs, _sentence(found)
        if first is None:
            first, last = found, min(MAX_TRIES, tries + MORE_TRIES)
    if first is None:
        raise RequestError(_nothing_fits(forward, tries))
    return first.specs, _sentence(first)


def _trial_tensors(specs: Sequence[InputSpec], batch: int | None) -> dict[str, torch.Tensor]:
    """Seeded tensors, with the largest integer that may come: an index out of range must show now."""
    tensors = make_inputs(specs, batch, 0)
    for spec in specs:
        if spec.high is not None and spec.value is None and "mask" not in spec.name:
            tensors[spec.name].view(-1)[0] = spec.high - 1
    return tensors


def _sentence(found: _Found) -> str:
    parts = [
        f"{spec.name} {spec.shape} {spec.dtype}, found from {why}"
        for spec, why in zip(found.specs, found.whys, strict=True)
    ]
    return f"inputs: {'; '.join(parts)}; {CHANGE}"


def _nothing_fits(forward: Forward, tries: int) -> str:
    names = forward.required or forward.names[:1]
    shapes = ["1,3,224,224", *["1,16"] * (len(names) - 1)]
    example = " ".join(f"--input {name}={shape}" for name, shape in zip(names, shapes, strict=True))
    return (
        f"no input was found on which {forward} runs ({counted(tries, 'shape')} tried): give the shapes, "
        f"such as {example}"
    )


def _guesses(model: nn.Module, forward: Forward) -> Iterator[_Found]:
    yield from _declared_example(model, forward)
    yield from _declared_sizes(model, forward)
    names = forward.required or _main_input(model, forward)
    float_dtype = _float_dtype(model)
    options = _layer_options(model)
    yield from _combinations(names, [_for_parameter(name, options) for name in names], float_dtype)


def _float_dtype(model: nn.Module) -> str:
    dtypes = (p.dtype for p in model.parameters() if p.dtype.is_floating_point)
    return str(next(dtypes, torch.float32)).removeprefix("torch.")


def _main_input(model: nn.Module, forward: Forward) -> tuple[str, ...]:
    """Where every parameter has a default, as in transformers: the one the class calls its main input."""
    main = getattr(model, "main_input_name", None)
    return (main,) if main in forward.names else forward.names[:1]


def _declared_example(model: nn.Module, forward: Forward) -> Iterator[_Found]:
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
    yield _Found(specs, ("the module's example_input_array",) * len(specs))


def _declared_sizes(model: nn.Module, forward: Forward) -> Iterator[_Found]:
    if len(forward.required) > 1:
        return
    (name,) = forward.required or _main_input(model, forward)
    dtype = _float_dtype(model)
    for shape, why in _image_shapes(model):
        yield _Found((InputSpec(name, shape, dtype),), (why,))
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


def _from_config(config: Any, forward: Forward, name: str, dtype: str) -> Iterator[_Found]:
    """The inputs of a Hugging Face model, whose configuration says what it was made for."""
    image = _config_image(config, dtype)
    vocabulary = _config_value(config, "vocab_size")
    given: list[tuple[InputSpec, str]] = []
    if image is not None and name == "pixel_values":
        given.append((replace(image, name=name), "config.image_size and num_channels"))
    elif isinstance(vocabulary, int) and name.endswith("ids"):
        given.append((InputSpec(name, (1, 16), "int64", high=vocabulary), f"config.vocab_size={vocabulary}"))
    elif name == "input_values":
        given.append((InputSpec(name, (1, 16000), dtype), "the name input_values (one second of sound)"))
    if not given:
        return
    yield _found(given, forward)
    for other in ("decoder_input_ids", "input_ids"):
        if other in forward.names and other != name and isinstance(vocabulary, int):
            ids = InputSpec(other, (1, 16), "int64", high=vocabulary)
            yield _found([*given, (ids, f"config.vocab_size={vocabulary}")], forward)
    if image is not None and "pixel_values" in forward.names and name != "pixel_values":
        yield _found([*given, (image, "config.image_size and num_channels")], forward)


def _found(given: Sequence[tuple[InputSpec, str]], forward: Forward) -> _Found:
    ordered = sorted(given, key=lambda pair: forward.names.index(pair[0].name))
    return _Found(tuple(spec for spec, _ in ordered), tuple(why for _, why in ordered))


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


def _layer_options(model: nn.Module) -> list[_Option]:
    """What the layers could take from outside, likeliest first.

    A layer whose input size no earlier layer yields is likelier to stand at an entry of the net.
    """
    lengths, squares = _lengths(model), _squares(model)
    entries: list[_Option] = []
    others: list[_Option] = []
    yielded: set[int] = set()
    seen: set[tuple[Any, ...]] = set()
    for path, module in model.named_modules():
        for size, label, options in _options_of(module, lengths, squares):
            is_entry = not any(size % width == 0 for width in yielded if width > 1)
            first = "first layer" if not seen else "layer"
            why = f"the {first} {path or type(module).__name__} ({label})"
            fresh = [replace(o, why=why, path=path) for o in options if _signature(o) not in seen]
            seen.update(_signature(o) for o in options)
            (entries if is_entry else others).extend(fresh)
        yielded |= _yielded(module)
    fallbacks = _fallbacks(model, lengths, squares)
    return [*entries, *others][:MAX_OPTIONS] + [o for o in fallbacks if _signature(o) not in seen]


def _signature(option: _Option) -> tuple[Any, ...]:
    return option.shapes[0], option.dtype, option.batch_axis, option.high


def _yielded(module: nn.Module) -> set[int]:
    names = ("out_channels", "out_features", "embedding_dim", "hidden_size", "embed_dim")
    sizes = (getattr(module, name, None) for name in names)
    return {size for size in sizes if isinstance(size, int)}


def _options_of(
    module: nn.Module, lengths: Sequence[int], squares: Sequence[tuple[int, ...]]
) -> Iterator[tuple[int, str, list[_Option]]]:
    """(input size, its label, options) for each input that a layer could take from outside."""
    if isinstance(module, nn.modules.conv._ConvNd):
        channels = module.in_channels or 3
        spatial = len(module.kernel_size)
        yield channels, f"in_channels={channels}", [_grid(channels, spatial, squares)]
    elif isinstance(module, nn.Bilinear):
        for name, size in (("in1_features", module.in1_features), ("in2_features", module.in2_features)):
            yield size, f"{name}={size}", _vectors(size, lengths)
    elif isinstance(module, nn.Linear):
        size = module.in_features or 16
        yield size, f"in_features={size}", _vectors(size, lengths)
    elif isinstance(module, nn.Embedding | nn.EmbeddingBag):
        rows = module.num_embeddings
        yield rows, f"num_embeddings={rows}", _ids(rows, lengths)
    elif isinstance(module, nn.modules.batchnorm._NormBase):
        size = module.num_features or 3
        yield size, f"num_features={size}", _normalized(module, size, squares)
    elif isinstance(module, nn.GroupNorm):
        size = module.num_channels
        grids = [_grid(size, 2, squares), _grid(size, 1, squares), _Option(((1, size),), "")]
        yield size, f"num_channels={size}", grids
    elif isinstance(module, nn.LayerNorm):
        shape = tuple(module.normalized_shape)
        sequences = tuple((1, length, *shape) for length in lengths)
        yield shape[-1], f"normalized_shape={shape}", [_Option(((1, *shape),), ""), _Option(sequences, "")]
    elif isinstance(module, nn.RNNBase):
        size = module.input_size
        yield size, f"input_size={size}", [_sequence(size, module.batch_first, lengths)]
    elif isinstance(module, nn.RNNCellBase):
        yield module.input_size, f"input_size={module.input_size}", [_Option(((1, module.input_size),), "")]
    elif isinstance(module, nn.MultiheadAttention):
        size = module.embed_dim
        yield size, f"embed_dim={size}", [_sequence(size, module.batch_first, lengths)]


def _grid(channels: int, spatial: int, squares: Sequence[tuple[int, ...]]) -> _Option:
    lines = tuple((length,) for length in LENGTHS_1D)
    sizes = {1: lines, 2: tuple(squares), 3: VOLUMES}[spatial]
    return _Option(tuple((1, channels, *size) for size in sizes), "")


def _vectors(size: int, lengths: Sequence[int]) -> list[_Option]:
    """A vector; an image that forward makes a vector of; a sequence; a grid with channels last."""
    images = []
    for channels in (1, 3):
        side = math.isqrt(size // channels)
        if channels * side * side == size and side > 3:
            images.append(_Option(((1, channels, side, side),), ""))
    sequence = _Option(tuple((1, length, size) for length in lengths), "")
    grid = _Option(((1, 8, 8, size), (1, 14, 14, size), (1, 7, 7, size)), "")
    return [_Option(((1, size),), ""), *images, sequence, grid]


def _ids(rows: int, lengths: Sequence[int]) -> list[_Option]:
    sequence = tuple((1, length) for length in lengths)
    return [_Option(shapes, "", dtype="int64", high=rows) for shapes in (sequence, ((1,),))]


def _sequence(size: int, batch_first: bool, lengths: Sequence[int]) -> _Option:
    if batch_first:
        return _Option(tuple((1, length, size) for length in lengths), "")
    return _Option(tuple((length, 1, size) for length in lengths), "", batch_axis=1)


def _normalized(module: nn.Module, size: int, squares: Sequence[tuple[int, ...]]) -> list[_Option]:
    """BatchNorm and InstanceNorm, whose class name ends with the number of dimensions."""
    spatial = {"1d": 1, "3d": 3}.get(type(module).__name__[-2:], 2)
    if spatial == 1:
        return [_Option(((1, size),), ""), _grid(size, 1, squares)]
    return [_grid(size, spatial, squares)]


def _lengths(model: nn.Module) -> tuple[int, ...]:
    """Sequence lengths: those of learned positions after the first, since these allow no other."""
    positions = [n for length in _position_tables(model) for n in (length, length - 1) if n > 1]
    return tuple(dict.fromkeys((LENGTHS[0], *positions[:4], *LENGTHS[1:])))


def _position_tables(model: nn.Module) -> list[int]:
    """The lengths of bare parameters of shape (1, length, width): learned positions, as in a ViT."""
    own = [m for m in model.modules() if not type(m).__module__.startswith("torch.nn.")]
    tables = [p for m in own for p in m.parameters(recurse=False) if not nn.parameter.is_lazy(p)]
    return [p.shape[1] for p in tables if p.dim() == 3 and p.shape[0] == 1]


def _squares(model: nn.Module) -> tuple[tuple[int, ...], ...]:
    """Image sizes: first those whose patches fit a table of learned positions."""
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    step = first.stride[0] if first is not None else 1
    patches = [n for length in _position_tables(model) for n in (length, length - 1, length - 2)]
    sides = [step * math.isqrt(n) for n in patches if n > 1 and math.isqrt(n) ** 2 == n and step > 1]
    squares = [(side, side) for side in dict.fromkeys((*sides, *SQUARES))]
    return (*squares[:16], *OBLONGS, *squares[16:])


def _fallbacks(model: nn.Module, lengths: Sequence[int], squares: Sequence[tuple[int, ...]]) -> list[_Option]:
    """Last of all: bare parameters, then an image, a vector and a sequence that no layer speaks of."""
    options: list[_Option] = []
    for name, parameter in model.named_parameters():
        if nn.parameter.is_lazy(parameter) or "." in name or parameter.dim() not in (1, 2, 4):
            continue
        sizes = [parameter.shape[1]] if parameter.dim() > 1 else []
        for size in [*sizes, parameter.shape[0]]:
            shaped = [_grid(size, 2, squares)] if parameter.dim() == 4 else _vectors(size, lengths)
            why = f"the parameter {name} {tuple(parameter.shape)}"
            options += [replace(option, why=why, path=name) for option in shaped]
    tried = "usual shapes, since no layer tells"
    options.append(replace(_grid(3, 2, squares[:16]), why=tried))
    options.append(replace(_grid(1, 2, squares[:16]), why=tried))
    options += [_Option(((1, 16),), tried), _Option(((1, 16, 64),), tried), _Option(((1,),), tried)]
    return options


def _for_parameter(name: str, options: Sequence[_Option]) -> list[_Option]:
    """The options in order for a parameter of this name: what its name tells, layers called like it."""
    named = [o for o in options if _shares_word(name, o.path)]
    return [*_by_name(name, options), *named, *(o for o in options if o not in named)]


def _shares_word(name: str, path: str) -> bool:
    """`user` and `user_embedding`, `image` and `image_encoder.conv1`: words of three letters and more."""
    words = {w for w in re.split(r"[._\d]+", name.lower()) if len(w) > 2}
    return bool(words & set(re.split(r"[._\d]+", path.lower())))


def _by_name(name: str, options: Sequence[_Option]) -> list[_Option]:
    why = f"the name {name}"
    if "mask" in name:
        ids = next((o for o in options if len(o.shapes[0]) in (2, 3)), None)
        axis = ids.batch_axis if ids else 0
        lengths = [shape[1 - (axis or 0)] for shape in ids.shapes] if ids else list(LENGTHS)
        rows = tuple((1, length) for length in lengths)
        square = tuple((length, length) for length in lengths)
        masks = [_Option(rows, why, dtype=dtype) for dtype in ("bool", "int64", "")]
        return [*masks, *(_Option(square, why, dtype=d, batch_axis=None) for d in ("bool", ""))]
    if name in {"t", "time", "timestep", "timesteps", "sigma", "noise_level"}:
        return [_Option(((1,),), why, dtype="int64", high=100), _Option(((1,),), why)]
    return []


def _combinations(
    names: Sequence[str], options: Sequence[Sequence[_Option]], float_dtype: str
) -> Iterator[_Found]:
    """One option for each parameter, likeliest first; sizes that vary do so together.

    ROUNDS says how many sizes of how many combinations come before the rest.
    """
    combined = list(_ranked(options))
    done: set[tuple[int, int]] = set()
    for count, stop in ROUNDS:
        for place, chosen in enumerate(combined[:count]):
            for index in range(min(stop, max(len(option.shapes) for option in chosen))):
                if (place, index) in done:
                    continue
                done.add((place, index))
                specs = tuple(o.spec(n, index, float_dtype) for n, o in zip(names, chosen, strict=True))
                yield _Found(specs, tuple(option.why for option in chosen), sure=False)


def _ranked(options: Sequence[Sequence[_Option]]) -> Iterator[tuple[_Option, ...]]:
    """Every choice by the sum of its costs; the same layer for two parameters counts as unlikely."""
    depth = max(1, int(MAX_CHOICES ** (1 / len(options))))
    choices = itertools.product(*(_with_costs(o)[:depth] for o in options))

    def cost(choice: tuple[tuple[int, _Option], ...]) -> int:
        layers = {option.why for _, option in choice}
        return sum(own for own, _ in choice) + 2 * (len(choice) - len(layers))

    for choice in sorted(choices, key=cost):
        yield tuple(option for _, option in choice)


def _with_costs(options: Sequence[_Option]) -> list[tuple[int, _Option]]:
    """The rank of an option's layer, and of its form among those of the layer, added; cheapest first."""
    layers = list(dict.fromkeys(option.why for option in options))
    forms = dict.fromkeys(layers, 0)
    costs: list[tuple[int, _Option]] = []
    for option in options:
        costs.append((layers.index(option.why) + forms[option.why], option))
        forms[option.why] += 1
    return sorted(costs, key=lambda pair: pair[0])
