"""Calls with places for values: those of torch's samples (calls.txt), and the usual ones of real nets.

`{f}` is a float value, `{i}` whole numbers, `{b}` bools, `{v}` any; `{f3}` has three axes, `{f2+}` two or more.
`{like}` is a value that broadcasts with the first, `{c:3, 4}` a constant, `{d}` an axis of the first value, `{ds}`
some axes, `{n}` a number, `{p}` a positive one, `{t}` True or False, `{k}` 1 to 3, `{z}` the size of the first value's
axis that `{d}` names.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import torch

from tests.fuzz.maker import NUMBERS, Maker, kind_of

UNARY = """relu tanh sigmoid abs neg square exp sin cos erf floor ceil round sign reciprocal rsqrt sqrt log1p expm1
 trunc frac atan sinh softplus gelu silu elu selu mish hardtanh hardswish hardsigmoid relu6 leaky_relu celu logsigmoid
 softsign tanhshrink softshrink hardshrink""".split()
BINARY = "+ - * / // % ** == != < <= > >=".split()
REDUCTIONS = "sum mean amax amin prod var std logsumexp any all argmax argmin cumsum softmax log_softmax sort".split()

CALLS = (
    *(f"F.{u}({{f}})" if not hasattr(torch, u) or u in ("celu", "selu") else f"torch.{u}({{f}})" for u in UNARY),
    *(f"{{f}} {o} {{like}}" for o in BINARY if o != "**"),
    *(f"{{f}} {o} {{n}}" for o in BINARY),
    *(f"{{n}} {o} {{f}}" for o in BINARY if o not in ("**", "==", "!=")),
    *(f"{{i}} {o} {{like}}" for o in BINARY if o not in ("**", "/", "//", "%")),
    *(f"{{i}} {o} {{k}}" for o in BINARY),
    *(f"{{b}} {o} {{like}}" for o in "& | ^ == +".split()),
    *(f"{{v}}.{m}()" for m in "float int long bool double clone contiguous flatten t squeeze abs".split()),
    "~{b}", "-{i}", "{b}.sum({d})", "{b}.any({d})", "{b}.all({d}, keepdim=True)", "{b} * {f}", "{b}.float().mean({d})",
    "{f2+}.sum({d})", "{f2+}.mean({ds}, keepdim={t})", "{f2+}.amax({ds}, keepdim={t})", "{f2+}.var({d}, unbiased={t})",
    "{f2+}.std({d}, keepdim={t})", "torch.softmax({f2+}, {d})", "F.log_softmax({f2+}, dim={d})",
    "{f2+}.argmax({d})", "{f2+}.argmin({d}, keepdim={t})", "{f2+}.cumsum({d})", "torch.logsumexp({f2+}, {d})",
    "{f2+}.max({d})[0]", "{f2+}.min({d}).indices", "{f2+}.sort({d}, descending={t})[0]", "{f2+}.argsort({d})",
    "{f2+}.topk({k}, {d})[0]", "{f2+}.topk({k}, dim={d})[1]", "{f2+}.norm(dim={d})", "F.normalize({f2+}, dim={d})",
    "{f}.mean()", "{f}.sum()", "{f}.max()", "{f2+}.median({d})[0]", "{f2+}.prod({d})", "{i2+}.sum({d})", "{i2+}.max({d})[0]",
    "{i}.float() * {n}", "{f2+}.flip({d})", "{f2+}.roll({k}, {d})", "{f2+}.transpose({d}, {d})", "{f2+}.unsqueeze({d})",
    "{f2+}.squeeze({d})", "{f}.clamp({n}, {n})", "{f}.clamp(min={n})", "torch.where({f} > {n}, {like}, {n})",
    "torch.where({b}, {f}, {n})", "{f2+}.repeat_interleave({k}, {d})", "{f2+}.masked_fill({like} > 0, {n})",
    "torch.cat([{v2+}, {like}], {d})", "torch.stack([{v}, {like}], {d})", "torch.cat([{f2+}, {like}, {f}], {d})",
    "{f2+}.chunk({k}, {d})[0]", "{f2+}.chunk(2, {d})[-1]", "{f2+}.split({k}, {d})[-1]", "{f2+}.unbind({d})[0]",
    "{f2+}.narrow({d}, 0, {k})", "{f2+}.select({d}, {k})", "{f2+}.unfold({d}, 2, {k})", "{f2+}.diff(dim={d})",
    "F.pad({f2+}, ({k}, 0))", "F.pad({f2+}, (1, {k}, 0, 1), value={n})", "F.pad({f3}, (1, 1), mode='reflect')",
    "F.pad({f4}, (1, 1, 1, 1), mode='replicate')", "F.pad({f4}, (1, 0, 0, 1), mode='circular')",
    "F.interpolate({f4}, scale_factor={k})", "F.interpolate({f4}, size=({k}, 5), mode='bilinear', align_corners={t})",
    "F.interpolate({f3}, scale_factor=2, mode='linear')", "F.max_pool2d({f4}, 2, stride={k})", "F.avg_pool2d({f4}, 2, {k})",
    "F.max_pool1d({f3}, 2, padding=1)", "F.adaptive_avg_pool2d({f4}, {k})", "F.adaptive_max_pool1d({f3}, {k})",
    "F.unfold({f4}, 2, stride={k})", "F.pixel_unshuffle({f4}, 2)", "F.glu({f2+}, {d})", "torch.tril({f2+})", "torch.triu({f2+}, 1)",
    "torch.einsum('bi,bj->bij', {f2}, {like})", "torch.einsum('bij,bkj->bik', {f3}, {like})", "{f3} @ {like}.transpose(1, 2)",
    "{f2} @ {like}.t()", "torch.bmm({f3}, {like}.transpose(1, 2))", "torch.matmul({f2+}, {like}.transpose(-1, -2))",
    "F.scaled_dot_product_attention({f3}, {like}, {like})", "F.cosine_similarity({f2+}, {like}, dim={d})",
    "torch.addcmul({f}, {like}, {like}, value={n})", "torch.lerp({f}, {like}, {n})", "F.mse_loss({f}, {like})",
    "F.one_hot({i} % 5, 5)", "torch.gather({f2+}, {d}, {i} % 2)", "torch.take_along_dim({f2+}, {like}.argsort({d}), {d})",
    "{f2+}.index_select({d}, torch.tensor([1, 0]))", "torch.bucketize({f}, torch.tensor([-1.0, 0.0, 0.5]))",
    "{f2+}.scatter({d}, {i} % 2, {n})", "{f2+}.scatter_add({d}, {like}.argsort({d}), {like})", "{f2+}.new_zeros({k}) + {n}",
    "torch.meshgrid({f1}, {like}, indexing='ij')[0]", "torch.outer({f1}, {like})", "torch.cdist({f2+}, {like})",
    "{f}.type_as({v})", "{f}.to({v}.dtype)", "torch.maximum({f}, {like})", "torch.fmod({f}, {p})", "torch.remainder({f}, {n})",
    "torch.atan2({f}, {like})", "torch.logaddexp({f}, {like})", "torch.nan_to_num({f} / {like})", "torch.isfinite({f})",
    "F.layer_norm({f2+}, {like}.shape[-1:])", "torch.flatten({f2+}, 1)", "{f3}.permute(2, 0, 1)", "{f4}.permute(0, 2, 3, 1)",
    "{f2+}.swapaxes(0, {d})", "{f2+}.movedim(0, -1)", "{f2+}.sum(0, keepdim=True)", "{f2+}.mean(0)", "{f2+}.var(0)",
    "{f}.pow({k})", "{f2+}.tile(2)", "{f2+}.repeat(1, {k})" , "{f2+}.expand(3, *{like}.shape)", "torch.full_like({f}, {n})",
    "torch.zeros_like({v})", "torch.ones_like({v}) * {n}", "{f}.new_full((2, 3), {n})", "{f2+}.count_nonzero({d})",
    "torch.clamp({i}, {k}, 3)", "torch.tanh({i})", "torch.sigmoid({i})", "torch.exp({b})", "{i} / 2", "{i} // 2", "{i} % 3", "{i}.float().mean({d})",
)  # fmt: skip


@functools.cache
def samples() -> tuple[str, ...]:
    """The calls of calls.txt."""
    return tuple(Path(__file__).with_name("calls.txt").read_text(encoding="utf-8").splitlines())


def call(maker: Maker) -> None:
    """One of the usual calls."""
    _added(maker, maker.one(CALLS))


def sample(maker: Maker) -> None:
    """One of torch's own samples."""
    _added(maker, maker.one(samples()))


def _added(maker: Maker, template: str) -> None:
    text = filled(maker, template)
    if text is None:
        return
    name = maker.new()
    if not maker.add(f"{name} = {text}"):
        maker.add(f"{name} = {text}[0]")  # an op of several results


def filled(maker: Maker, template: str) -> str | None:
    """The call with values in its places; None where no value is of its kind."""
    first: list[str] = []

    def place(match: re.Match[str]) -> str:
        drawn = _place(maker, match[1], first)
        if drawn is None:
            raise LookupError
        return drawn

    try:
        return re.sub(r"\{(\w+\+?(?::[^}]*)?)\}", place, template)
    except LookupError:
        return None


def _place(maker: Maker, kind: str, first: list[str]) -> str | None:
    if kind.startswith("c:"):
        return maker.constant(*map(int, kind[2:].split(", ")))
    if kind in PLAIN:
        return maker.one(PLAIN[kind])
    if match := re.fullmatch(r"([fibv])(\d?)(\+?)", kind):
        rank = int(match[2] or 0)
        name = maker.pick(match[1], None, rank) if match[3] else maker.pick(match[1], rank or None)
        if name is not None and not first:
            first.append(name)
        return name
    if not first:
        return None
    if kind == "like":
        return like(maker, first[0])
    if kind == "d":
        return str(maker.dim(first[0]))
    if kind == "ds":
        rank = maker.value(first[0]).dim()
        dims = sorted({maker.dim(first[0]) % max(rank, 1) for _ in range(maker.number(1, 2))})
        return f"({', '.join(map(str, dims))},)"
    raise ValueError(kind)


PLAIN = {
    "n": NUMBERS,
    "p": ("1", "2", "0.5", "3.5"),
    "t": ("True", "False"),
    "k": ("1", "2", "3"),
}


def like(maker: Maker, name: str) -> str:
    """A value that broadcasts with this one, of the same kind; or a constant that does."""
    value = maker.value(name)
    found = [n for n in maker.values() if n != name and _broadcasts(maker, n, name)]
    if found and maker.chance(70):
        return maker.one(found)
    sizes = maker.fixed(name)
    if maker.chance(35):
        return name
    if maker.chance(30):
        sizes = [1 if maker.chance(50) else s for s in sizes]
    return maker.constant(*sizes, of=kind_of(value))


def _broadcasts(maker: Maker, name: str, other: str) -> bool:
    a, b = maker.value(name), maker.value(other)
    if a.dtype != b.dtype:
        return False
    return all(x == y or 1 in (x, y) for x, y in zip(reversed(a.shape), reversed(b.shape), strict=False))
