"""What each argument of forward may be, told by the layers of a net and by the argument's name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from tracer.inputs import InputSpec

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
MAX_OPTIONS = 16


@dataclass(frozen=True)
class Option:
    """What one argument of forward may be: shapes tried in order, the kind of values, and why.

    `why` completes "found from ...". `path` is that of the layer, or the name of the parameter, that tells of
    it; without a `dtype` it takes the net's floats. `high` bounds random integers.
    """

    shapes: tuple[tuple[int, ...], ...]
    why: str = ""
    path: str = ""
    dtype: str = ""
    batch_axis: int | None = 0
    high: int | None = None

    def spec(self, name: str, place: int, float_dtype: str) -> InputSpec:
        """The argument `name` with the shape at this place, the last one where there are fewer."""
        shape = self.shapes[min(place, len(self.shapes) - 1)]
        bound = f"from {self.why}" if self.high is not None else ""
        return InputSpec(name, shape, self.dtype or float_dtype, self.batch_axis, self.high, bound=bound)


def options_for(name: str, options: Sequence[Option]) -> list[Option]:
    """The options in order for an argument of this name: what its name tells, then layers called like it."""
    named = [o for o in options if _shares_word(name, o.path)]
    return [*_by_name(name, options), *named, *(o for o in options if o not in named)]


def _shares_word(name: str, path: str) -> bool:
    """`user` and `user_embedding`, `image` and `image_encoder.conv1`: words of three letters and more."""
    words = {w for w in re.split(r"[._\d]+", name.lower()) if len(w) > 2}
    return bool(words & set(re.split(r"[._\d]+", path.lower())))


def _by_name(name: str, options: Sequence[Option]) -> list[Option]:
    why = f"the name {name}"
    if "mask" in name:
        ids = next((o for o in options if len(o.shapes[0]) in (2, 3)), None)
        axis = ids.batch_axis if ids else 0
        lengths = [shape[1 - (axis or 0)] for shape in ids.shapes] if ids else list(LENGTHS)
        rows = tuple((1, length) for length in lengths)
        square = tuple((length, length) for length in lengths)
        masks = [Option(rows, why, dtype=dtype) for dtype in ("bool", "int64", "")]
        return [*masks, *(Option(square, why, dtype=d, batch_axis=None) for d in ("bool", ""))]
    if name in {"t", "time", "timestep", "timesteps", "sigma", "noise_level"}:
        return [Option(((1,),), why, dtype="int64", high=100), Option(((1,),), why)]
    return []


def layer_options(model: nn.Module) -> list[Option]:
    """What the layers could take from outside, likeliest first.

    A layer whose input size no earlier layer yields is likelier to stand at an entry of the net.
    """
    lengths, squares = _lengths(model), _squares(model)
    entries: list[Option] = []
    others: list[Option] = []
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


def _signature(option: Option) -> tuple[Any, ...]:
    return option.shapes[0], option.dtype, option.batch_axis, option.high


def _yielded(module: nn.Module) -> set[int]:
    names = ("out_channels", "out_features", "embedding_dim", "hidden_size", "embed_dim")
    sizes = (getattr(module, name, None) for name in names)
    return {size for size in sizes if isinstance(size, int)}


def _options_of(
    module: nn.Module, lengths: Sequence[int], squares: Sequence[tuple[int, ...]]
) -> Iterator[tuple[int, str, list[Option]]]:
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
        grids = [_grid(size, 2, squares), _grid(size, 1, squares), Option(((1, size),))]
        yield size, f"num_channels={size}", grids
    elif isinstance(module, nn.LayerNorm):
        shape = tuple(module.normalized_shape)
        sequences = tuple((1, length, *shape) for length in lengths)
        yield shape[-1], f"normalized_shape={shape}", [Option(((1, *shape),)), Option(sequences)]
    elif isinstance(module, nn.RNNBase):
        size = module.input_size
        yield size, f"input_size={size}", [_sequence(size, module.batch_first, lengths)]
    elif isinstance(module, nn.RNNCellBase):
        yield module.input_size, f"input_size={module.input_size}", [Option(((1, module.input_size),))]
    elif isinstance(module, nn.MultiheadAttention):
        size = module.embed_dim
        yield size, f"embed_dim={size}", [_sequence(size, module.batch_first, lengths)]


def _grid(channels: int, spatial: int, squares: Sequence[tuple[int, ...]]) -> Option:
    lines = tuple((length,) for length in LENGTHS_1D)
    sizes = {1: lines, 2: tuple(squares), 3: VOLUMES}[spatial]
    return Option(tuple((1, channels, *size) for size in sizes))


def _vectors(size: int, lengths: Sequence[int]) -> list[Option]:
    """A vector; an image that forward makes a vector of; a sequence; a grid with channels last."""
    images = []
    for channels in (1, 3):
        side = math.isqrt(size // channels)
        if channels * side * side == size and side > 3:
            images.append(Option(((1, channels, side, side),)))
    sequence = Option(tuple((1, length, size) for length in lengths))
    grid = Option(((1, 8, 8, size), (1, 14, 14, size), (1, 7, 7, size)))
    return [Option(((1, size),)), *images, sequence, grid]


def _ids(rows: int, lengths: Sequence[int]) -> list[Option]:
    sequence = tuple((1, length) for length in lengths)
    return [Option(shapes, dtype="int64", high=rows) for shapes in (sequence, ((1,),))]


def _sequence(size: int, batch_first: bool, lengths: Sequence[int]) -> Option:
    if batch_first:
        return Option(tuple((1, length, size) for length in lengths))
    return Option(tuple((length, 1, size) for length in lengths), batch_axis=1)


def _normalized(module: nn.Module, size: int, squares: Sequence[tuple[int, ...]]) -> list[Option]:
    """BatchNorm and InstanceNorm, whose class name ends with the number of dimensions."""
    spatial = {"1d": 1, "3d": 3}.get(type(module).__name__[-2:], 2)
    if spatial == 1:
        return [Option(((1, size),)), _grid(size, 1, squares)]
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


def _fallbacks(model: nn.Module, lengths: Sequence[int], squares: Sequence[tuple[int, ...]]) -> list[Option]:
    """Last of all: bare parameters, then an image, a vector and a sequence that no layer speaks of."""
    options: list[Option] = []
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
    options += [Option(((1, 16),), tried), Option(((1, 16, 64),), tried), Option(((1,),), tried)]
    return options
