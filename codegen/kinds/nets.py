"""FX1xx: nets that cannot be converted exactly (exit status 1)."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind


def _net(*lines: str) -> str:
    """A model.py whose forward is these lines."""
    body = "\n".join(f"        {line}" for line in lines)
    return (
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        f"    def forward(self, x):\n{body}\n"
    )


NETS: tuple[Kind, ...] = (
    Kind(
        101,
        "no-rule",
        ("...() has no rule",),
        "MXNet 1.9.1 has no ops with which this op of torch can be written exactly at every input, or "
        "nobody has written the rule yet. The hint says which of MXNet's ops were tried and where they "
        "fall short; docs/operators.md lists every op of torch.",
        "Write it with other ops, convert the part before it (`--tap`), or give a rule for it (`--plugin`, "
        "docs/guides/your-own-op.md).",
        Example(_net("return torch.special.i0(x)"), "--input 1,8"),
    ),
    Kind(
        102,
        "random",
        (
            "...() draws random numbers in forward",
            "...() with training=True, which is random",
            "attention with dropout_p, which torch applies in inference too",
            "attention with dropout_p and training=True, which is random",
        ),
        "Inference would be random. MXNet and torch draw other numbers from the same seed, so that the two "
        "nets could not be compared, and nobody could say that they are the same.",
        "Pass the random tensor in as an input of `forward`; give dropout `training=self.training`.",
        Example(_net("return x + torch.randn_like(x)"), "--input 1,8"),
    ),
    Kind(
        103,
        "unsupported-argument",
        ("...() with ...", "...() on whole numbers: MXNet has no bitwise ops"),
        "The op has a rule, but MXNet cannot compute it with this argument, dtype or shape, or the rule "
        "does not read the argument. It is not left out in silence. What is said differs from rule to "
        "rule.",
        "The hint names the way out where there is one: most often another argument, or other ops that "
        "give the same.",
        Example(_net("return x.long() & 3"), "--input 1,8"),
    ),
    Kind(
        104,
        "data-dependent",
        (
            "the net looks at the values of a tensor (...): a symbol has one graph for all inputs",
            "... picks by a mask, so that its shape depends on values: a symbol has one graph for all inputs",
        ),
        "`forward` turns a tensor into a Python number or bool (`if x.sum() > 0`, `int(x.max())`), or "
        "makes a tensor whose size depends on values (`x[x > 0]`, `nonzero`). A symbol is one graph, made "
        "before any value is known.",
        "Compute both sides and take one with `torch.where`, or multiply by a mask; or move the step out "
        "of `forward`, and convert the rest: return the tensor and the mask, and pick in numpy from what the "
        "symbol gives, `x[mask > 0]`. What comes before is converted by `--tap MODULE`.",
        Example(_net("return x + 1 if x.sum() > 0 else x"), "--input 1,8"),
    ),
    Kind(
        105,
        "free-batch",
        ("...() along the batch axis",),
        "MXNet can compute this at one batch size, but no symbol does at every one. The net is then "
        "written at the batch size of its inputs, with a warning (FX301 batch-frozen), so that this is a "
        "refusal only where another is found beside it.",
        "Mend what is refused beside it; or ask for one batch size outright, with `--batch frozen`.",
        None,
    ),
    Kind(
        106,
        "frozen-size",
        ("height and width cannot stay free: ...",),
        "`--free H,W` was asked for, and the net is right at one height and width of its images alone: a "
        "layer has weights for so many places, or `forward` computes with the sizes as numbers.",
        "Write it so that it follows its input: `flatten`, `-1` in a view, adaptive pooling, "
        "`F.interpolate` to the size of a tensor; or leave `--free` out.",
        Example(
            _net("return x.reshape(-1, 192) + torch.ones(192)"),
            "--input 1,3,8,8 --free H,W",
        ),
    ),
    Kind(
        107,
        "empty",
        ("...() of ...",),
        "An op reads a tensor with no elements. MXNet's symbols read a size of 0 as unknown, so that none "
        "can be written.",
        "Leave the part out where it holds nothing: `if x.shape[1]:` in Python costs nothing, since shapes "
        "are known.",
        Example(_net("return torch.cat([x, x[:, :0].relu()], 1).sum() + x[:, :0].sum()"), "--input 1,8"),
    ),
    Kind(
        108,
        "too-large",
        ("a tensor of ...: MXNet 1.9.1 from PyPI has fewer than 2^31 elements each",),
        "MXNet's build on PyPI counts the elements of a tensor in 32 bits. A larger one is refused before "
        "work starts, since it would be wrong, or end the process.",
        "Split the tensor, or compute in smaller pieces.",
        Example(_net("return x.expand(65536, 32768).sum(1)"), "--input 1,1"),
    ),
    Kind(
        109,
        "untraceable-call",
        ("a tensor comes from a call that cannot be traced (compiled, scripted or autograd code)",),
        "A tensor was made by code that torch runs without Python's seeing it, so that nobody knows from "
        "what it was computed.",
        "Write this part in plain torch calls.",
        Example(_net("return torch.vmap(lambda row: row * 2)(x) + 1"), "--input 1,8"),
    ),
    Kind(
        110,
        "scripted",
        (
            "a module of torch.jit (scripted, traced or loaded) runs without Python: its ops cannot be "
            "recorded",
        ),
        "A part of the net is a module of `torch.jit`, whose code is not Python.",
        "Build this part by its class, and load its `state_dict()`.",
        Example(
            "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n"
            "        self.part = torch.jit.trace(nn.Linear(8, 4), torch.ones(1, 8))\n\n"
            "    def forward(self, x):\n        return self.part(x) + 1\n",
            command="python before.py",
            before="import torch\n\nimport tracer\nfrom model import Net\n\n"
            "try:\n    tracer.convert(Net(), (torch.ones(1, 8),))\n"
            "except tracer.ConversionError as error:\n    print(error)\n",
        ),
    ),
    Kind(
        111,
        "autocast",
        ("autocast computes ...() in ...",),
        "`forward` has a `torch.autocast` that computes in half precision. The symbol computes in float32, "
        "and would give other numbers.",
        "Take autocast out of `forward`, and put it around the call of the net, where it does not concern "
        "the conversion.",
        Example(
            _net('with torch.autocast("cpu"):', "    return torch.mm(x, x.T)"),
            "--input 2,8",
        ),
    ),
    Kind(
        112,
        "write-through-view",
        (
            "...(), which writes to several tensors at once",
            "...() in place on a tensor of which several elements are one in memory",
            "an in-place write to a tensor that shares its memory with another in a way of its own",
        ),
        "A tensor is written in place that shares its memory with others in a way that no op gives back. "
        "MXNet's symbols have values, and no memory that two of them share.",
        "Write to the whole tensor, to a `clone()`, or build the result with `torch.cat` or `torch.where`.",
        Example(_net("y = x.expand(4, 8)", "y += 1", "return y"), "--input 1,8"),
    ),
)
