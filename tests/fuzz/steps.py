"""Steps that stand in no table: modules, views, indices, writes in place, and what is computed from sizes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import strategies as st

from tests.fuzz import blocks
from tests.fuzz.calls import call, like, sample
from tests.fuzz.idioms import idiom
from tests.fuzz.maker import NUMBERS, Maker
from tests.fuzz.net import Input, Net

ANY = ("nn.LayerNorm({last})", "nn.Linear({last}, {k})", "nn.Linear({last}, {k}, bias=False)", "nn.PReLU()", "nn.ReLU(inplace=True)",
       "nn.GELU()", "nn.Softmax(dim=-1)", "nn.Dropout(0.5)", "nn.Hardtanh(-0.5, 0.5)", "nn.ELU(0.7)", "nn.Softplus(beta=2)",
       "nn.LeakyReLU(0.2, inplace=True)", "nn.Flatten()", "nn.SiLU()", "nn.RMSNorm({last})", "nn.Identity()", "nn.Threshold(0.1, 2.0)",
       "nn.Flatten(0, 1)", "nn.Unflatten(1, ({c}, 1))", "nn.utils.parametrizations.weight_norm(nn.Linear({last}, 3))",
       "nn.Sequential(nn.Linear({last}, 4), nn.ReLU(), nn.Linear(4, {k}))")  # fmt: skip
OF_RANK = {
    2: ("nn.BatchNorm1d({c})", "nn.BatchNorm1d({c}, affine=False)", "nn.RNNCell({c}, 3)", "nn.GRUCell({c}, 3)"),
    3: ("nn.Conv1d({c}, {k}, {w})", "nn.Conv1d({c}, {c}, 3, padding=1, groups={c})", "nn.BatchNorm1d({c})",
        "nn.ConvTranspose1d({c}, {k}, {w}, stride={w})", "nn.AvgPool1d({w})", "nn.MaxPool1d({w}, stride=1, padding=1)",
        "nn.AdaptiveAvgPool1d({w})", "nn.LSTM({last}, 3, batch_first=True)", "nn.GRU({last}, 3, batch_first=True, bidirectional=True)",
        "nn.LSTM({last}, 2, num_layers=2)", "nn.RNN({last}, 3, batch_first=True)", "nn.InstanceNorm1d({c}, affine=True)", "nn.GroupNorm(1, {c})",
        "nn.TransformerEncoderLayer({last}, 1, 4, batch_first=True)", "nn.MultiheadAttention({last}, 1, batch_first=True)",
        "nn.Upsample(scale_factor=2)", "nn.ConstantPad1d((1, {w}), 0.5)", "nn.ReflectionPad1d(1)", "nn.LPPool1d(2, {w})"),
    5: ("nn.Conv3d({c}, {k}, {w})", "nn.Conv3d({c}, {c}, 3, padding=1, groups={c}, bias=False)", "nn.BatchNorm3d({c})", "nn.MaxPool3d(2, stride={w})",
        "nn.AvgPool3d(2)", "nn.AdaptiveAvgPool3d({w})", "nn.ConvTranspose3d({c}, 2, {w}, stride=2)", "nn.GroupNorm({c}, {c})", "nn.InstanceNorm3d({c})"),
    4: ("nn.Conv2d({c}, {k}, {w})", "nn.Conv2d({c}, {c}, 3, padding=1, groups={c})", "nn.Conv2d({c}, 2, 2, stride=2, dilation=1, padding='valid')",
        "nn.Conv2d({c}, {k}, 3, padding='same', padding_mode='reflect')", "nn.ConvTranspose2d({c}, {k}, {w}, stride=2, output_padding=1)",
        "nn.ConvTranspose2d({c}, 2, 3, padding=1)", "nn.BatchNorm2d({c})", "nn.GroupNorm(1, {c})", "nn.InstanceNorm2d({c})",
        "nn.MaxPool2d(2)", "nn.MaxPool2d(3, 2, 1, ceil_mode=True)", "nn.AvgPool2d({w}, count_include_pad=False)", "nn.AdaptiveAvgPool2d({w})",
        "nn.AdaptiveMaxPool2d(({w}, 2))", "nn.PixelShuffle({w})", "nn.Upsample(scale_factor=2, mode='bilinear')", "nn.ZeroPad2d(({w}, 0, 1, 0))",
        "nn.Softmax2d()", "nn.LocalResponseNorm(2)", "nn.ChannelShuffle({w})", "nn.Dropout2d()", "nn.Sequential(nn.Conv2d({c}, {k}, 3, padding=1), nn.BatchNorm2d({k}), nn.ReLU())"),
}  # fmt: skip
OF_INTS = ("nn.Embedding(5, {k})", "nn.Embedding(9, 3, padding_idx=0)", "nn.EmbeddingBag(5, {k}, mode='sum')", "nn.EmbeddingBag(6, 3, mode='max')")


def module(maker: Maker) -> None:
    """A module, or one of those that are there once more."""
    name = maker.pick("i" if maker.chance(12) else "f", None, 1)
    if name is None:
        return
    value = maker.value(name)
    old = [m.name for m in maker.members if not m.buffer]
    if old and maker.chance(35):
        _again(maker, f"self.{maker.one(old)}", name)
        return
    text = maker.one(_modules(maker, value)).format(
        last=value.shape[-1],
        c=value.shape[1] if value.dim() > 1 else 1,
        k=maker.number(1, 4),
        w=maker.number(1, 3),
    )
    if value.is_floating_point() and str(value.dtype) == "torch.float64":
        text += ".double()"
    if made := maker.module(text):
        _called(maker, made, name, text)


def _again(maker: Maker, made: str, name: str) -> None:
    """The module once more, on the value or on another that it takes."""
    for other in (name, *(maker.one(maker.values("f")) for _ in range(3))):
        out = maker.new()
        if maker.add(f"{out} = {made}({other})") or maker.add(f"{out} = {made}({other})[0]"):
            return


def _modules(maker: Maker, value: torch.Tensor) -> tuple[str, ...]:
    if not value.is_floating_point():
        return OF_INTS
    if maker.chance(30):
        return (*blocks.OF_RANK.get(value.dim(), ()), *blocks.OF_ANY)
    own = OF_RANK.get(value.dim(), ())
    return own if own and maker.chance(60) else ANY


def _called(maker: Maker, made: str, name: str, text: str = "") -> None:
    out = maker.new()
    if "LSTM" in text and maker.chance(40):
        maker.add(f"{out}, (h, c) = {made}({name})")
    elif "Attention" in text:
        maker.add(f"{out}, _ = {made}({name}, {name}, {like(maker, name)})")
    elif not maker.add(f"{out} = {made}({name})"):
        maker.add(f"{out} = {made}({name})[0]")


def index(maker: Maker, name: str, along: bool = True) -> str:
    """An index of a value: numbers, slices with steps, None, lists, `...`."""
    value = maker.value(name)
    parts: list[str] = []
    for axis in range(maker.number(1, max(1, value.dim()))):
        size = value.shape[axis] if axis < value.dim() else 1
        first = not axis and maker.free_batch(name)
        if first and maker.chance(70):
            parts.append(":")
            continue
        low, high = maker.number(-2, size - 1), maker.number(1, size)
        kinds = (":", f"{low}:", f":{high}", "::2", f"{low}", f"[{abs(low) % size}, 0]", "None", f"torch.tensor([0, {abs(low) % size}, -1])", f"{high - 1}:{high + 1}", "1::2", ":-1", "-1:", "...")
        parts.append(maker.one(kinds))
    if maker.chance(15):
        parts = ["...", *[p for p in parts if p != "..."][-1:]]
    if parts.count("...") > 1:
        parts = [p for p in parts if p != "..."]
    return ", ".join(parts or [":"])


def indexed(maker: Maker) -> None:
    """x[:, 1::2]"""
    if name := maker.pick("v", None, 1):
        mask = maker.chance(5)
        place = f"{name}[..., 0] > 0" if mask else index(maker, name)
        maker.add(f"{maker.new()} = {name}[{place}]")


def view(maker: Maker) -> None:
    """Views and reshapes, with sizes read from the value."""
    name = maker.pick("v", None, 1)
    if name is None:
        return
    value = maker.value(name)
    shape = value.shape
    rank = value.dim()
    n = f"{name}.shape[0]" if maker.chance(60) else f"{name}.size(0)"
    order = maker.draw(st.permutations(range(rank)))
    texts = [
        f"{name}.reshape({n}, -1)", f"{name}.view({n}, -1, 1)", f"{name}.flatten(1)", f"{name}.reshape(-1, {shape[-1]})",
        f"{name}.permute({', '.join(map(str, order))})", f"{name}.transpose({maker.dim(name)}, {maker.dim(name)})",
        f"{name}.unsqueeze({maker.dim(name)})", f"{name}.reshape(-1)", f"{name}.view(-1, {shape[-1]}, 1).squeeze(-1)",
        f"{name}.unflatten({maker.dim(name)}, (1, -1))", f"{name}.expand(2, *{name}.shape)", f"{name}[:, None]",
        f"{name}.view_as({name}) + 0", f"{name}.reshape({name}.shape[0] * {shape[1] if rank > 1 else 1}, -1)",
        f"{name}.reshape(*{name}.shape[:-1], 1, {name}.shape[-1])", f"{name}.reshape({name}.numel() // {shape[-1]}, {shape[-1]})",
        f"{name}.mT", f"{name}.squeeze()",
        f"{name}.view({', '.join(['-1', *map(str, shape[1:])])})", f"torch.atleast_3d({name})", f"{name}.ravel()", f"{name}.diagonal(0, 0, -1)",
    ]  # fmt: skip
    maker.add(f"{maker.new()} = {maker.one(texts)}")


def sized(maker: Maker) -> None:
    """What is computed from sizes, the batch's among them."""
    name = maker.pick("f", None, 1)
    if name is None:
        return
    k = maker.number(1, 4)
    n = maker.one((f"{name}.shape[0]", f"{name}.size(0)", f"len({name})", f"{name}.shape[-1]", f"{name}.numel()"))
    texts = [
        f"{name} * {n}", f"{name} / {n}", f"{name} + 1 / {n}", f"{name}[: {n} - 1]", f"{name}[{n} // 2 :]", f"{name}[:{k}]", f"{name}[-{k}:]", f"{name}[{k - 1}::2]",
        f"{name} * min({n}, {k})", f"{name} * max({n}, {k})", f"{name} * ({n} // {k})", f"{name} * ({n} % {k + 1})", f"{name} * (2 if {n} > {k} else 1)",
        f"{name} * (1 if {n} == {k} else 3)", f"{name} + torch.arange({n}).sum()", f"torch.arange({n}) * 2", f"torch.zeros({n}, {k})", f"torch.ones({n}, {k}) * {name}.sum()",
        f"torch.arange({n}, dtype=torch.float32) / {n}", f"torch.full(({n}, {k}), 0.5)", f"{name}.new_zeros({n}, {k})", f"torch.eye({n})", f"torch.linspace(0, 1, {n})",
        f"{name}.sum(0) / {n}", f"{name} * {n} ** 0.5", f"{name}.expand({k}, *{name}.shape)", f"{name}.repeat({k}, *[1] * {maker.value(name).dim() - 1})",
        f"torch.cat([{name}, {name}.new_zeros({n}, *{name}.shape[1:])], 0)", f"{name}.split({n} // 2 or 1)[0]", f"{name}.chunk(2)[0]", f"torch.cat([{name}, {name}]).chunk(2)[1]",
        f"torch.cat([{name}, {name} * 2], 0).reshape(2, {n}, -1)", f"torch.cat([{name}, {name}])[{n}:]", f"{name}[torch.arange({n}) % 2]", f"{name}[0]", f"{name}[-1]", f"{name}[torch.tensor([0, -1])]",
        f"{name}.flip(0)", f"{name}.roll(1, 0)", f"{name}.cumsum(0)", f"{name}.mean(0, keepdim=True) + {name}", f"{name}.unbind(0)[0]", f"torch.stack([t * 2 for t in {name}])",
        f"torch.stack([{name}, {name}], 0)", f"{name}.reshape(1, {n} * {maker.value(name)[0].numel()})", f"{name}.amax(0)", f"{name}.sort(0)[0]", f"{name}.softmax(0)", f"{name}.std(0)", f"{name}.prod(0)", f"{name}.argmax(0)",
        f"{name}.repeat_interleave({k}, 0)", f"torch.triu(torch.ones({n}, {n})) @ {name}.reshape({n}, -1)", f"(torch.arange({n})[:, None] >= {k}) * {name}.reshape({n}, -1)", f"{name} * torch.tensor({n})", f"{name} + float({n})",
        f"{name} * (({n} + {k}) * 2 - 1)", f"torch.cat([{name}] * {k}, 0)", f"F.pad({name}, (0, 0, {k}, 0))", f"{name}.reshape(-1, {n}).sum(0)", f"{name}.t() @ {name}",
    ]  # fmt: skip
    maker.add(f"{maker.new()} = {maker.one(texts)}")


def constant(maker: Maker) -> None:
    """Constants of every make."""
    name = maker.pick("f", None, 1)
    if name is None:
        return
    last = maker.value(name).shape[-1]
    row = ", ".join(str(i * 0.5 - 0.5) for i in range(last))
    buffer = maker.constant(last)
    texts = [
        f"{name} + torch.tensor([{row}])", f"{name} * {buffer}", f"{name} + torch.arange({last})", f"{name} - {name}.new_tensor([{row}])", f"{name} * torch.linspace(0, 1, {last})",
        f"torch.where(torch.arange({last}) > 1, {name}, {maker.one(NUMBERS)})", f"{name} + torch.full(({last},), {maker.one(NUMBERS)})", f"{name} @ torch.eye({last})", f"{name} * torch.tensor(2.5)",
        f"{name} + {buffer}.cumsum(0)", f"{name}.masked_fill(torch.arange({last}) < 2, {maker.one(NUMBERS)})", f"{name} + ({buffer} > 0)", f"{name} * int({buffer}.shape[0])", f"{name} * {buffer}[None, :1]",
        f"{name} + torch.ones({last}, dtype=torch.float64)", f"{name} * torch.tensor([{row}]).softmax(0)", f"{name} @ torch.ones({last}, {last}).tril()", f"{name} + torch.zeros({last}).scatter_(0, torch.tensor([0]), 1.0)",
        f"torch.arange({last}) + 1", f"{buffer} * 2", f"{name} + {buffer}.max()", f"{name} / {buffer}.norm()", f"{name} + torch.tensor(True)", f"{name}[..., {buffer}.argsort()]", f"{name} + {buffer}.outer({buffer}).sum(0)",
    ]  # fmt: skip
    maker.add(f"{maker.new()} = {maker.one(texts)}")


def written(maker: Maker) -> None:
    """A write in place: into a value, a view of it, pieces of it, under a mask; the view may be read later."""
    name = maker.pick("v" if maker.chance(30) else "f", None, 1)
    if name is None:
        return
    value = maker.value(name)
    lines: list[str] = []
    target = name
    if maker.chance(65):
        target = maker.new()
        lines.append(f"{target} = {name}.clone()" if maker.chance(50) or not value.is_floating_point() else f"{target} = {name} * 1")
    number = maker.one(NUMBERS if value.is_floating_point() else ("1", "2", "0", "True"))
    place = index(maker, name)
    other = like(maker, name)
    dim = maker.dim(name)
    piece, rest = maker.new(), maker.new()
    op = maker.one(("+=", "-=", "*="))
    method = maker.one((f"mul_({number})", f"add_({number})", "relu_()", "neg_()", "zero_()", f"fill_({number})", f"clamp_(min={number})", f"copy_({other})", "tanh_()", "sigmoid_()", f"add_({other})", f"masked_fill_({other} > 0, {number})", f"sub_({other}, alpha=2)", "exp_()", "sqrt_()", "round_()", f"div_({other}.abs() + 1)", "sigmoid_().mul_(2)"))
    choices = [
        [f"{target}[{place}] = {number}"], [f"{target}[{place}] {op} {number}"], [f"{target}[{place}] = {name}[{place}] * 2"], [f"{target}.{method}"],
        [f"{target}[{place}].{method}"], [f"{piece} = {target}[{place}]", f"{piece}.{method}"], [f"{piece}, {rest} = {target}.chunk(2, {dim})", f"{piece}.{method}"],
        [f"{piece} = {target}.split([1, {value.shape[dim] - 1}], {dim})[1]", f"{piece}.{method}"], [f"{piece} = {target}.view({target}.shape[0], -1)", f"{piece}.{method}"], [f"{piece} = {target}.transpose(0, {dim})", f"{piece}[0] = {number}"],
        [f"{target}[{target} > {number}] = {number}"], [f"{target}[{target} > 0] {op} 2"], [f"{target}[{target} > 0] = {name}[{target} > 0] * 2"], [f"{target}.index_fill_({dim}, torch.tensor([0]), {number})"], [f"{target}.index_add_({dim}, torch.tensor([0]), {target}.narrow({dim}, 0, 1).clone())"],
        [f"{target}.scatter_({dim}, {target}.argsort({dim}), {number})"], [f"{target}.select({dim}, 0).{method}"], [f"{target}.narrow({dim}, 0, 1).{method}"], [f"{piece} = {target}.unbind({dim})[-1]", f"{piece}.{method}", f"{rest} = {piece} + 1"], [f"{target}.flatten(1)[:, ::2] = {number}"], [f"{target}.diagonal(0, 0, -1).{method}"],
        [f"{target} {op} {other}"], [f"{target}.unsqueeze(0).{method}"], [f"F.relu({target}, inplace=True)"], [f"{piece} = torch.zeros({target}.shape)", f"{piece}[{place}] = {target}[{place}]"], [f"{piece} = {target}.new_zeros({target}.shape)", f"{piece}[:, 0] = {target}[:, -1]", f"{piece}[:, 1:] = {target}[:, :-1]"],
        [f"{piece} = {target}.permute(*range({value.dim()})[::-1])", f"{piece}.{method}"], [f"{piece} = {target}[{place}]", f"{target}.{method}", f"{rest} = {piece} * 2"], [f"torch.add({target}, {number}, out={target})"], [f"{target}.masked_fill_({target} < 0, {number})"], [f"for i in range({value.shape[-1]}):\n    {target}[..., i] {op} i"], [f"{target}.T[{0}] {op} {number}"], [f"{piece} = {target} > 0", f"{piece}[{place}] = True"], [f"{target}[:, [0]] = {number}"], [f"{target}.swapaxes(0, -1).{method}"], [f"{target}.detach().{method}"], [f"{target}.data.{method}"], [f"{target}.squeeze().{method}"],
    ]  # fmt: skip
    maker.add(*lines, *maker.one(choices))


FAMILIES: tuple[Callable[[Maker], None], ...] = (
    call, call, call, sample, sample, module, module, module, idiom, idiom, written, written, view, sized, indexed, constant,
)  # fmt: skip
SHAPES = ((4,), (3, 4), (2, 4, 4), (), (6,), (4, 5), (3, 6, 6), (4, 1, 3), (2, 2, 3, 2), (4, 8, 8), (5, 6), (2, 3, 4, 4), (4, 4, 4))


@st.composite
def nets(draw: Callable[[st.SearchStrategy[int]], int]) -> Net:
    """A random net that torch runs at two batch sizes."""
    kinds = ("float", "float", "float", "int", "bool", "double", "float", "int32")
    first = (*["float"] * 17, "double", "int", "int")[draw(st.integers(0, 19))]
    sizes = draw(st.sampled_from(SHAPES))
    # Time first, as in recurrent nets and nn.Transformer.
    inputs = [Input("x", first, sizes, 1 if sizes and draw(st.integers(0, 15)) == 15 else 0)]
    for name in ("y", "z")[: (0, 0, 1, 1, 1, 2)[draw(st.integers(0, 5))]]:
        sizes = draw(st.sampled_from((inputs[0].sizes, inputs[0].sizes, *SHAPES)))
        axis = None if sizes and draw(st.integers(0, 11)) == 11 else min(inputs[0].axis or 0, len(sizes))
        inputs.append(Input(name, draw(st.sampled_from(kinds)), sizes, axis))
    maker = Maker(draw, inputs, draw(st.sampled_from((2, 3, 1, 4))))
    for _ in range(draw(st.integers(1, 7))):
        draw(st.sampled_from(FAMILIES))(maker)
    return maker.net(_returns(maker))


def _returns(maker: Maker) -> str:
    found = maker.values()
    chosen = [found[-1]]
    for _ in range((0, 0, 1, 2)[maker.number(0, 3)]):
        chosen.append(maker.one(found))
    if len(chosen) == 1:
        return chosen[0]
    if maker.chance(20):
        return "{" + ", ".join(f'"{i}": {c}' for i, c in enumerate(chosen)) + "}"
    return ", ".join(chosen)


