"""FakeTensors for several captures of one net, with what torch works out slowly said at once.

A FakeTensor has a shape, strides, a dtype and a device, and no values (torch._subclasses.fake_tensor).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorConverter, FakeTensorMode

from tracer.without_dynamo import without_dynamo


class _Converter(FakeTensorConverter):
    """Makes fakes of the usual tensors without torch._dynamo, which names each after where it comes from."""

    def from_real_tensor(self, fake_mode: FakeTensorMode, t: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if args or not is_usual(t):
            return super().from_real_tensor(fake_mode, t, *args, **kwargs)
        room = t.untyped_storage().nbytes() // t.element_size()
        memory = torch.empty(room, dtype=t.dtype, device="meta")
        meta = memory.as_strided(t.shape, t.stride(), t.storage_offset())
        fake = self.from_meta_and_device(fake_mode, meta.detach(), t.device)
        if isinstance(t, nn.Parameter):
            fake._is_param = True
        return fake.requires_grad_(t.requires_grad)


def is_usual(t: torch.Tensor) -> bool:
    """Whether a tensor is a plain one, alone in its memory where it is a parameter."""
    if t.layout is not torch.strided or t.is_meta or t.is_quantized or t.is_conj() or t.is_neg():
        return False
    # One of several parameters in one memory is left to torch, which knows the others.
    is_alone = t.numel() * t.element_size() == t.untyped_storage().nbytes()
    return type(t) is torch.Tensor or (type(t) is nn.Parameter and is_alone)


class SharedFakes(FakeTensorMode):  # type: ignore[no-untyped-call]
    """A mode for several captures of one net: each of its parameters is made fake once.

    The plain mode would forget the fake ones with the copy of the net that holds them.
    """

    def __init__(self) -> None:
        with without_dynamo():
            super().__init__(allow_non_fake_inputs=True)
        self.fake_tensor_converter = _Converter()
        # By id, which is not given again while the tensor is kept beside its fake.
        self._kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def dispatch(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """What an op gives: the usual calls of the usual layers are answered here, all others by torch."""
        if func is torch.ops.aten.native_batch_norm.default and not kwargs and _is_plain_inference(*args):
            none = torch.Size([0])
            return tuple(self._made(args[0], shape) for shape in (args[0].shape, none, none))
        if func is torch.ops.aten.convolution.default and not kwargs:
            shape = _convolved(*args)
            if shape is not None:
                return self._made(args[0], shape)
        if not kwargs and _changes_values_alone(func, args):
            return args[0]
        return super().dispatch(func, types, args, kwargs)

    def _made(self, like: FakeTensor, shape: torch.Size) -> FakeTensor:
        """A contiguous tensor of another one's dtype and device."""
        meta = torch.empty(shape, dtype=like.dtype, device="meta")
        return self.fake_tensor_converter.from_meta_and_device(self, meta, like.fake_device)

    def parameter(self, tensor: torch.Tensor) -> torch.Tensor:
        """The fake tensor of a parameter."""
        if id(tensor) not in self._kept:
            self._kept[id(tensor)] = tensor, self.from_tensor(tensor)
        return self._kept[id(tensor)][1]


# The usual calls ----------------------------------------------------------------------------------


def _are_plain(tensors: Sequence[Any]) -> bool:
    """Whether all are fake, on the CPU, contiguous and of one dtype of floats."""
    first = tensors[0]
    return all(
        isinstance(t, FakeTensor)
        and t.fake_device.type == "cpu"
        and t.dtype is first.dtype
        and t.is_contiguous()
        for t in tensors
    ) and bool(first.is_floating_point())


def _is_plain_inference(*args: Any) -> bool:
    """Whether BatchNorm is called on plain tensors, for inference: it gives what is like its input."""
    given, *rest, training, _momentum, _eps = args
    tensors = [given, *(t for t in rest if t is not None)]
    has_statistics = len(rest) == 4 and rest[2] is not None and rest[3] is not None
    if training is not False or not (has_statistics and _are_plain(tensors)):
        return False
    return given.dim() > 1 and {t.shape for t in tensors[1:]} == {given.shape[1:2]}


def _convolved(*args: Any) -> torch.Size | None:
    """The shape that a plain convolution gives, as torch.nn.Conv2d documents it; None for any other."""
    given, weight, bias, strides, paddings, dilations, transposed, _output_padding, groups = args
    tensors = [t for t in (given, weight, bias) if t is not None]
    if transposed or not _are_plain(tensors) or given.dim() != weight.dim() or given.dim() < 3:
        return None
    batch, channels, *sizes = given.shape
    filters, depth, *kernel = weight.shape
    fits = channels == depth * groups and filters % groups == 0 and 0 not in (batch, channels, filters)
    if not fits or (bias is not None and bias.shape != (filters,)):
        return None
    if not len(sizes) == len(strides) == len(paddings) == len(dilations):
        return None
    if min(*strides, *dilations) < 1 or min(paddings) < 0:
        return None
    made = [
        (size + 2 * pad - dilation * (extent - 1) - 1) // stride + 1
        for size, extent, stride, pad, dilation in zip(
            sizes, kernel, strides, paddings, dilations, strict=True
        )
    ]
    return torch.Size([batch, filters, *made]) if min(made) > 0 else None


def _changes_values_alone(func: Any, args: Sequence[Any]) -> bool:
    """Whether a call writes new values of the same dtype into its only tensor, as relu_ does."""
    if torch.Tag.pointwise not in func.tags or not func._schema.is_mutable or not args:
        return False
    if any(isinstance(a, torch.Tensor | list | tuple) for a in args[1:]):
        return False
    written = func._schema.arguments[0].alias_info
    first = args[0]
    is_known = isinstance(first, FakeTensor) and first.constant is None and first.is_floating_point()
    return is_known and written is not None and bool(written.is_write)
