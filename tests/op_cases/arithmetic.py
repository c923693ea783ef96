"""Elementwise arithmetic, comparisons, logic."""

import torch

from tests.op_cases import Ints, bools, fn, positive

A, B = (2, 3, 4), (2, 3, 4)
P = positive(2, 3, 4)
NEG = torch.tensor([[-7.5, -3.0, -0.5, 0.0, 0.5, 2.5, 7.0]])
WHOLE = torch.tensor([[-7, -3, -1, 0, 1, 2, 7]])


def _iadd(x, y):
    x = x * 1
    x += y
    x -= 2
    x *= y
    x /= 3
    return x


def _methods(x, y):
    return x.clone().add_(y, alpha=2).sub_(1).mul_(3).div_(y.abs() + 1).pow_(2).neg_()


for name, op in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}.items():
    fn(name, op, A, B)
    fn(f"{name} broadcast 1", op, A, (4,))
    fn(f"{name} broadcast 2", op, A, (3, 1))
    fn(f"{name} broadcast reflected", op, (4,), A, frozen=True)
    fn(f"{name} broadcast both", op, (2, 1, 4), (2, 3, 1))
    fn(
        f"{name} whole",
        op,
        Ints((2, 3)),
        Ints((2, 3)) if name != "div" else torch.tensor([[1, 2, 4], [3, 5, 7]]),
    )
    fn(f"{name} whole and float", op, Ints((2, 3)), positive(2, 3))
fn("add number", lambda x: x + 2.5, A)
fn("add zero", lambda x: x + 0, A)
fn("add reflected", lambda x: 2.5 + x, A)
fn("add alpha", lambda x, y: torch.add(x, y, alpha=0.3), A, B)
fn("add alpha number", lambda x: torch.add(x, 2, alpha=3), A)
fn("add number to whole", lambda x: x + 2, Ints((2, 3)))
fn("add float to whole", lambda x: x + 0.5, Ints((2, 3)))
fn("add constant", lambda x: x + torch.arange(4.0), A)
fn("add 0-d constant", lambda x: x + torch.tensor(2.5), A)
fn("add bools", lambda x, y: (x > 0) + (y > 0), A, B)
fn("add number to bools", lambda x: (x > 0) + 1, A)
fn("sub number", lambda x: x - 2.5, A)
fn("sub reflected", lambda x: 2 - x, A)
fn("sub alpha", lambda x, y: torch.sub(x, y, alpha=2), A, B)
fn("rsub", lambda x, y: torch.rsub(x, y), A, B)
fn("rsub alpha", lambda x, y: torch.rsub(x, y, alpha=2), A, B)
fn("mul number", lambda x: x * -3, A)
fn("mul reflected", lambda x: 0.5 * x, A)
fn("mul by bools", lambda x, y: x * (y > 0), A, B)
fn("div number", lambda x: x / 3, A)
fn("div reflected", lambda x: 2 / x, P)
fn("div number of whole", lambda x: x / 4, Ints((2, 3)))
fn("div floor", lambda x: torch.div(x, 2, rounding_mode="floor"), NEG)
fn("div trunc", lambda x: torch.div(x, 2, rounding_mode="trunc"), NEG)
fn("div floor tensors", lambda x, y: torch.div(x, y, rounding_mode="floor"), A, P)
fn("div trunc tensors", lambda x, y: torch.div(x, y, rounding_mode="trunc"), A, P)
fn("div floor whole", lambda x: torch.div(x, 2, rounding_mode="floor"), WHOLE)
fn("div trunc whole", lambda x: torch.div(x, 2, rounding_mode="trunc"), WHOLE)
fn("floor_divide", lambda x: x // 2, WHOLE)
fn("floor_divide floats", lambda x: x // 0.7, NEG)
fn("floor_divide tensors", torch.floor_divide, A, P)
fn("floor_divide reflected", lambda x: 7 // x, P)
fn("remainder", lambda x: x % 3, WHOLE)
fn("remainder negative", lambda x: x % -3, WHOLE)
fn("remainder floats", lambda x: x % 0.7, NEG)
fn("remainder tensors", torch.remainder, A, P)
fn("remainder reflected", lambda x: 7 % x, P)
fn("fmod", lambda x: torch.fmod(x, 2), NEG)
fn("fmod whole", lambda x: torch.fmod(x, 3), WHOLE)
fn("fmod tensors", torch.fmod, A, P)
fn("pow 2", lambda x: x**2, A)
fn("pow 3", lambda x: x**3, A)
fn("pow 0", lambda x: x**0, A)
fn("pow 1", lambda x: x**1, A)
fn("pow half", lambda x: x**0.5, P)
fn("pow -1", lambda x: x**-1, P)
fn("pow 1.7", lambda x: torch.pow(x, 1.7), P)
fn("pow tensors", torch.pow, P, A)
fn("pow reflected", lambda x: 2**x, A)
fn("pow reflected function", lambda x: torch.pow(2.5, x), A)
fn("pow whole", lambda x: x**3, WHOLE)
fn("pow whole 2", lambda x: x**2, WHOLE)
fn("float_power", lambda x: torch.float_power(x, 2), P)
fn("neg", lambda x: -x, A)
fn("neg whole", lambda x: -x, WHOLE)
fn("neg function", torch.neg, A)
fn("positive", lambda x: +x, A)
fn("in place operators", _iadd, A, P)
fn("in place methods", _methods, A, B)
fn("maximum", torch.maximum, A, B)
fn("minimum broadcast", torch.minimum, A, (4,))
fn("fmax", torch.fmax, A, B)
fn("fmin", torch.fmin, A, B)
fn("max of two", torch.max, A, B)
fn("min of two", torch.min, A, B)
fn("clamp", lambda x: x.clamp(-0.5, 0.5), A)
fn("clamp min", lambda x: x.clamp(min=0.2), A)
fn("clamp max", lambda x: torch.clamp(x, max=0.2), A)
fn("cross along an axis", lambda x: torch.cross(x.clamp(-0.5, 0.5), x, dim=1), (2, 3, 4))
fn(
    "cross along the first axis of three",
    lambda x: torch.cross(x.clamp(-0.5, 0.5), x),
    (2, 3, 4),
    frozen=True,
)
fn("cross of one with several", lambda x: torch.cross(x.mean(0)[:1], x.mean(0)), (2, 3, 3))
fn("clamp crossed", lambda x: x.clamp(0.5, -0.5), A)
fn("clamp tensors", lambda x, y: torch.clamp(x, y, y + 1), A, B)
fn("clamp whole", lambda x: x.clamp(-2, 2), WHOLE)
fn("clamp whole by floats", lambda x: x.clamp(-1.5, 1.5), WHOLE)
fn("clamp_min", lambda x: x.clamp_min(0.1), A)
fn("clamp_max_", lambda x: x.clone().clamp_max_(0.1), A)
fn("clip", lambda x: x.clip(-1, 1), A)
fn("clamp infinite", lambda x: x.clamp(min=0.0, max=float("inf")), A)
for name, op in {
    "eq": torch.eq,
    "ne": torch.ne,
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
}.items():
    fn(name, op, Ints((3, 4)), Ints((3, 4)))
    fn(f"{name} floats", op, A, (4,))
fn("compare number", lambda x: x > 0.1, A)
fn("compare reflected", lambda x: x <= 0.1, A)
fn("compare whole with float", lambda x: x > 1.5, Ints((3, 4)))
fn("compare used", lambda x: (x > 0).float() * x, A)
fn("isclose by hand", lambda x, y: (x - y).abs() <= 0.5, A, B)
fn("logical_and", lambda x, y: torch.logical_and(x > 0, y > 0), A, B)
fn("logical_or of numbers", lambda x, y: torch.logical_or(x, y), Ints((3, 4), 2), Ints((3, 4), 2))
fn("logical_xor", lambda x, y: torch.logical_xor(x > 0, y > 0), A, (4,))
fn("logical_not", lambda x: torch.logical_not(x > 0), A)
fn("logical_not of numbers", lambda x: torch.logical_not(x), Ints((3, 4), 2))
fn("bitwise and", lambda x, y: (x > 0) & (y > 0), A, B)
fn("bitwise or", lambda x, y: (x > 0) | (y > 0), A, B)
fn("bitwise xor", lambda x, y: (x > 0) ^ (y > 0), A, B)
fn("bitwise not", lambda x: ~(x > 0), A)
fn("bitwise not whole", lambda x: ~x, WHOLE)
fn("bitwise and with True", lambda x: (x > 0) & True, A)
fn(
    "bitwise and whole",
    lambda x: x & 3,
    Ints((3, 4)),
    refuses="bitwise_and() on whole numbers: MXNet has no bitwise ops",
    why="no bitwise ops in mx.sym",
    hint="compute the mask with comparisons",
)
fn("bool input", lambda x, y: torch.where(x, y, -y), bools(2, 3, 4), A)
fn("where numbers", lambda x: torch.where(x > 0, 1.0, -1.0), A)
fn("where mixed", lambda x: torch.where(x > 0, x, 0.0), A)
fn("where broadcast", lambda x, y: torch.where(x > 0, y, x), (2, 1, 4), A)
fn("where broadcast condition", lambda x, y: torch.where(x > 0, y, 7), (4,), A, frozen=True)
fn("where method", lambda x, y: x.where(x > 0, y), A, B)
fn("where infinite", lambda x: torch.exp(torch.where(x > 0, x, float("-inf"))), A)
fn("where whole", lambda x: torch.where(x > 2, x, 0), Ints((3, 4)))
fn("where constant mask", lambda x: torch.where(torch.arange(4) > 1, x, -1.0), A)
fn("masked_fill", lambda x: x.masked_fill(x > 0, -5.0), A)
fn("masked_fill_", lambda x, y: x.clone().masked_fill_(y > 0, 3), A, (3, 1))
fn("masked_fill infinite", lambda x, y: torch.softmax(x.masked_fill(y > 1, float("-inf")), -1), A, (4,))
fn(
    "masked_fill infinite softmax of a row",
    lambda x: torch.softmax(x.masked_fill(torch.ones(4, 4).triu(1).bool(), float("-inf")), -1),
    (2, 4, 4),
)
fn("masked_fill tensor value", lambda x: x.masked_fill(x > 0, torch.tensor(2.0)), A)
fn("masked_fill with a constant mask", lambda x: x.masked_fill(torch.eye(4, dtype=torch.bool)[:3], 9.0), A)

for name in [
    "abs",
    "atan",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "frac",
    "round",
    "sign",
    "sgn",
    "sin",
    "sinh",
    "square",
    "tan",
    "trunc",
    "deg2rad",
    "rad2deg",
    "asinh",
    "sinc",
    "signbit",
    "isfinite",
    "isnan",
    "isinf",
    "nan_to_num",
]:
    fn(name, getattr(torch, name), A)
for name in ["log", "log10", "log1p", "log2", "sqrt", "rsqrt", "reciprocal", "lgamma"]:
    fn(name, getattr(torch, name), P)
for name in ["acos", "asin", "atanh", "erfinv"]:
    fn(name, getattr(torch, name), positive(2, 3, 4, low=-0.9, high=0.9))
fn("acosh", torch.acosh, positive(2, 3, low=1.1))
fn("logit", lambda x: torch.logit(x), positive(2, 3, low=0.1, high=0.9))
fn("logit eps", lambda x: torch.logit(x, 0.2), positive(2, 3, low=0.0, high=1.0))
fn("atan2", torch.atan2, A, B)
fn("xlogy", torch.xlogy, P, P)
fn("logaddexp", torch.logaddexp, A, B)
fn("round halves", torch.round, torch.tensor([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]]))
fn("round decimals", lambda x: torch.round(x, decimals=1), A)
fn("abs whole", torch.abs, WHOLE)
fn("sqrt of whole", lambda x: x.sqrt(), Ints((3, 4)))
fn("floor whole", lambda x: x.floor(), WHOLE)
fn("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.5), A, B, (4,))
fn("addcdiv", lambda x, y, z: torch.addcdiv(x, y, z, value=0.5), A, B, positive(4))
fn("lerp", lambda x, y: torch.lerp(x, y, 0.3), A, B)
fn("lerp tensor", lambda x, y, z: torch.lerp(x, y, z), A, B, (4,))
fn("hypot", torch.hypot, A, B)
fn("copysign", torch.copysign, A, B)
fn("heaviside", torch.heaviside, A, B)
fn("to float", lambda x: x.float() / 2, Ints((3, 4)))
fn("to long", lambda x: (x * 3).long(), A)
fn("to int", lambda x: (x * 3).int() + 1, A)
fn("to bool", lambda x: x.bool(), Ints((3, 4), 2))
fn("to dtype", lambda x: x.to(torch.float64) * 2, A)
fn("type_as", lambda x, y: x.type_as(y) + y, Ints((2, 3)), (2, 3))
fn("half and back", lambda x: x.half().float(), A, tolerance=1e-3)
fn("int tensor chain", lambda x: ((x * 2 + 1) // 3) % 4, Ints((3, 4), 9))
fn("0-d result", lambda x: x.sum() * 2 + 1, A)
fn("0-d with tensor", lambda x: x / x.abs().max(), A)
INFINITE = torch.tensor([[-torch.inf, 1.0, torch.nan], [torch.inf, -torch.inf, 0.5]])
fn("nan_to_num of infinities", torch.nan_to_num, INFINITE)
fn(
    "clamp at the ends of float32",
    lambda x: x.clamp(torch.finfo(x.dtype).min, torch.finfo(x.dtype).max),
    torch.tensor([[-torch.inf, 1.0], [torch.inf, 0.5]]),
)
fn("where with infinity", lambda x: torch.where(x > 0, x, -torch.inf), (2, 3))
fn("add infinity", lambda x: torch.cat([x, x + torch.inf], 1), (2, 3))
fn("logaddexp of infinities", lambda x: torch.logaddexp(x, x), torch.tensor([[-torch.inf, 1.0]]))
