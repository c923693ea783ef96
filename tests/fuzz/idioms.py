"""Several lines that stand together: masks, attention, recurrent states, functional layers, modules in loops."""

from __future__ import annotations

from tests.fuzz.calls import like
from tests.fuzz.maker import NUMBERS, Maker


def idiom(maker: Maker) -> None:
    """One of the idioms that fit a value's rank."""
    name = maker.pick("f", None, 1)
    if name is None:
        return
    rank = maker.value(name).dim()
    choices = [_masked, _parted, _looped, _merged]
    if rank == 3:
        choices += [_attention, _recurrent, _padded]
    if rank >= 3:
        choices += [_convolved]
    maker.one(choices)(maker, name)


def _masked(maker: Maker, name: str) -> None:
    other, number, dim = like(maker, name), maker.one(NUMBERS), maker.dim(name)
    mask, out = maker.new(), maker.new()
    size = f"{name}.shape[{dim}]"
    choices = [
        [f"{mask} = {name} > {other}", f"{out} = torch.where({mask}, {name}, {other})"],
        [f"{mask} = ({name} > {number}).float()", f"{out} = ({name} * {mask}).sum({dim}) / {mask}.sum({dim}).clamp(min=1)"],
        [f"{mask} = {name}.gt(0) & {name}.lt({name}.amax({dim}, keepdim=True))", f"{out} = {name}.masked_fill(~{mask}, {number})"],
        [f"{mask} = torch.arange({name}.shape[-1]) < {name}.shape[-1] // 2", f"{out} = {name}.masked_fill({mask}, -1e9).softmax(-1)"],
        [f"{mask} = torch.arange({size}) % 2 == 0", f"{out} = {name}.movedim({dim}, -1) * {mask}"],
        [f"{mask} = {name} == {name}.amax({dim}, keepdim=True)", f"{out} = {mask}.int().cumsum({dim})"],
        [f"{mask} = torch.zeros_like({name}, dtype=torch.bool)", f"{mask}[..., 0] = True", f"{out} = {name}.masked_fill({mask}, {number})"],
        [f"{mask} = ({name} > 0).any({dim}, keepdim=True)", f"{out} = torch.where({mask}, {name}, {name} - 1)"],
        [f"{mask} = torch.isfinite({name} / {name}.round())", f"{out} = {name}.where({mask}, {number})" if number != "0" else f"{out} = {name} * {mask}"],
    ]  # fmt: skip
    maker.add(*maker.one(choices))


def _parted(maker: Maker, name: str) -> None:
    dim, k = maker.dim(name), maker.number(1, 3)
    a, b, out = maker.new(), maker.new(), maker.new()
    size = maker.value(name).shape[dim]
    choices = [
        [f"{a}, {b} = {name}.chunk(2, {dim})", f"{out} = torch.cat([{b}, {a} * 2], {dim})"],
        [f"{a}, {b} = torch.split({name}, [1, {size - 1}], {dim})", f"{out} = torch.cat([{b}, {a}, {b}], {dim})"],
        [f"{a} = torch.stack([{name}, {name} * {k}], {dim})", f"{b}, {out} = {a}.unbind({dim})"],
        [f"{a} = torch.cat([{name}, -{name}], 0)", f"{b}, {out} = {a}.relu().chunk(2)"],
        [f"{a} = [t.mean(-1, keepdim=True) for t in {name}.split(1, {dim})]", f"{out} = torch.cat({a}[::-1], {dim})"],
        [f"{a}, {b} = torch.sort({name}, {dim})", f"{out} = {a} + {name}.gather({dim}, {b})"],
        [f"{a}, {b} = {name}.max({dim}, keepdim=True)", f"{out} = {name} - {a} + {b}"],
        [f"{a}, {b} = {name}.topk(1, {dim})", f"{out} = torch.zeros_like({name}).scatter({dim}, {b}, {a})"],
        [f"{a} = {name}.unsqueeze({dim}).expand(*{name}.shape[: {dim % 9 if dim >= 0 else 0}], 2, *{name}.shape[{dim % 9 if dim >= 0 else 0} :])", f"{out} = {a} + 1"],
        [f"{a} = dict(a={name}, b={name} * 2)", f"{out} = sum({a}.values())"],
        [f"{a} = {name}.var(-1, keepdim=True, unbiased=False)", f"{b} = {name}.mean(-1, keepdim=True)", f"{out} = ({name} - {b}) * torch.rsqrt({a} + 1e-2)"],
        [f"{a} = {name}.reshape({name}.shape[0], -1)", f"{b} = F.normalize({a}, dim=1)", f"{out} = {b} @ {b}.t()"],
        [f"{a} = {name}.flatten(1)", f"{b} = {name}.new_ones({name}.shape[0], 1)", f"{out} = torch.cat([{a}, {b}], 1)"],
    ]  # fmt: skip
    lines = maker.one(choices)
    maker.add(*lines)


def _looped(maker: Maker, name: str) -> None:
    last, k = maker.value(name).shape[-1], maker.number(1, 3)
    old = [m.name for m in maker.members if not m.buffer]
    made = f"self.{maker.one(old)}" if old and maker.chance(40) else maker.module(f"nn.Linear({last}, {last})")
    out, state = maker.new(), maker.new()
    choices = [
        [f"{out} = {name}", f"for _ in range({k + 1}):\n    {out} = {out} + torch.tanh({made}({out}))"],
        [f"{out} = {made}({name}) * {made}({name} * {k})"],
        [f"{out} = {made}({made}({name}))"],
        [f"{state} = {name}.select(-2, 0) * 0", f"for i in range({name}.shape[-2]):\n    {state} = torch.tanh({made}({name}.select(-2, i)) + {state})", f"{out} = {state} * 1"],
        [f"{state} = [{made}(t) for t in ({name}, {name}.flip(-1))]", f"{out} = torch.stack({state}, 1).mean(1)"],
        [f"{out} = {name} * 1", f"for i in range({k}):\n    {out}[..., i % {last}] = {made}({name})[..., 0]"],
    ]  # fmt: skip
    maker.add(*maker.one(choices))


def _merged(maker: Maker, name: str) -> None:
    """Two values of any shape."""
    other, out, a, b = maker.one(maker.values("v", None, 1)), maker.new(), maker.new(), maker.new()
    flat = [f"{a} = {name}.flatten(1)", f"{b} = {other}.reshape({other}.shape[0], -1).to({name}.dtype)"]
    size = f"min({a}.shape[1], {b}.shape[1])"
    choices = [
        [*flat, f"{out} = torch.cat([{a}, {b}], 1)"],
        [*flat, f"{out} = {a}[:, : {size}] * {b}[:, : {size}]"],
        [*flat, f"{out} = {a}.unsqueeze(2) + {b}.unsqueeze(1)"],
        [*flat, f"{out} = torch.bmm({a}.unsqueeze(2), {b}.unsqueeze(1)).flatten(1)"],
        [*flat, f"{out} = torch.where({b}.sum(1, keepdim=True) > 0, {a}, {a} * 0.5)"],
        [f"{out} = {name} * {other}.reshape({other}.shape[0], -1)[:, :1].mean()"],
        [f"{out} = {name} + {other}.float().mean()"],
    ]
    maker.add(*maker.one(choices))


def _attention(maker: Maker, name: str) -> None:
    other = like(maker, name)
    t = maker.value(name).shape[1]
    mask, out = maker.new(), maker.new()
    shown = f"torch.ones({t}, {t}, dtype=torch.bool).tril()"
    text = f"nn.MultiheadAttention({maker.value(name).shape[-1]}, 1, batch_first=True)"
    choices = [
        [f"{out} = F.scaled_dot_product_attention({name}, {name}, {name}, is_causal=True)"],
        [f"{mask} = {shown}", f"{out} = F.scaled_dot_product_attention({name}, {other}, {name}, attn_mask={mask})"],
        [f"{mask} = {name}[..., 0] > 0", f"{mask}[:, 0] = True", f"{out} = ({name} @ {name}.transpose(1, 2)).masked_fill(~{mask}[:, None], float('-inf')).softmax(-1) @ {name}"],
        [f"{mask} = {shown}.log()", f"{out} = ({name} @ {name}.mT + {mask}).softmax(-1) @ {name}"],
        [f"{mask} = torch.arange({t})[None, :] > torch.arange({t})[:, None]", f"{out} = torch.einsum('nij,njd->nid', torch.einsum('nid,njd->nij', {name}, {name}).masked_fill({mask}, -1e4).softmax(-1), {name})"],
    ]  # fmt: skip
    if maker.chance(40) and (made := maker.module(text)):
        more = maker.one(("need_weights=False", f"attn_mask=~{shown}", f"key_padding_mask=({mask} == {mask}.amin(1, keepdim=True))", "average_attn_weights=False"))  # fmt: skip
        maker.add(f"{mask} = {name}[..., 0] * 1", f"{out} = {made}({name}, {name}, {name}, {more})[0]")
        return
    maker.add(*maker.one(choices))


def _recurrent(maker: Maker, name: str) -> None:
    last, (kind, two) = maker.value(name).shape[-1], maker.one((("GRU", 1), ("RNN", 1), ("LSTM", 2)))
    h, out = maker.new(), maker.new()
    state = f"{name}.new_zeros(1, {name}.shape[0], 3)" if maker.chance(50) else f"torch.ones(1, {name}.size(0), 3)"
    given = state if two == 1 else f"({state}, {state} * 0.5)"
    made = maker.module(f"nn.{kind}({last}, 3, batch_first=True)")
    maker.add(f"{out}, {h} = {made}({name}, {given})", f"{h} = ({h} if {two} == 1 else {h}[1])[-1]")


def _padded(maker: Maker, name: str) -> None:
    """Lengths along the second axis, in an input of whole numbers or from values."""
    out, lengths, mask = maker.new(), maker.new(), maker.new()
    maker.add(
        f"{lengths} = ({name}[:, 0, 0] > 0).long() + 1",
        f"{mask} = torch.arange({name}.shape[1])[None, :] < {lengths}[:, None]",
        f"{out} = ({name} * {mask}.unsqueeze(-1)).sum(1) / {lengths}.unsqueeze(-1)",
    )


def _convolved(maker: Maker, name: str) -> None:
    value = maker.value(name)
    axes = min(value.dim() - 2, 3)
    if value.dim() > 5:
        return
    c, k, w = value.shape[1], maker.number(1, 3), maker.number(1, 3)
    out = maker.new()
    if maker.chance(30):
        weight = maker.constant(c, k, *[w] * axes)
        maker.add(f"{out} = F.conv_transpose{axes}d({name}, {weight}, stride={maker.number(1, 2)}, padding={w // 2})")
    elif maker.chance(30):
        maker.add(f"{out} = F.conv{axes}d({name}, {maker.constant(c, 1, *[w] * axes)}, padding={w // 2}, groups={c})")
    else:
        weight, bias = maker.constant(k, c, *[w] * axes), maker.constant(k)
        more = maker.one(("", f", padding={w // 2}", ", stride=2", f", dilation={k}", ", padding='same'"))
        maker.add(f"{out} = F.conv{axes}d({name}, {weight}, {bias}{more})")
