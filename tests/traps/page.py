"""docs/traps.md: every correction, family by family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.traps.corrections import Correction, anchor

PAGE = Path(__file__).parents[2] / "docs" / "traps.md"
RULES, IDIOMS = "codegen/rules", "codegen/idioms"
# The files of each family, in the order of the page.
FAMILIES = {
    "Normalisation": (f"{RULES}/norm.py",),
    "Convolution": (f"{RULES}/conv.py", f"{IDIOMS}/windows.py"),
    "Pooling": (f"{IDIOMS}/pooling.py", f"{RULES}/pool.py", f"{RULES}/unpool.py"),
    "Linear layers, products and embeddings": (
        f"{IDIOMS}/products.py",
        f"{RULES}/linear.py",
        f"{RULES}/bag.py",
        f"{RULES}/linalg.py",
    ),
    "Recurrent layers": (f"{RULES}/rnn.py",),
    "Attention": (f"{IDIOMS}/attention.py", f"{RULES}/attention.py", f"{RULES}/multihead.py"),
    "Activations": (f"{RULES}/activation.py",),
    "Resizing, padding and sampling": (
        f"{RULES}/resize.py",
        f"{RULES}/pad.py",
        f"{RULES}/sample.py",
        f"{RULES}/shuffle.py",
    ),
    "torchvision": (f"{RULES}/vision.py", "codegen/decompositions/vision.py"),
    "Losses": (f"{RULES}/ctc.py",),
    "Arithmetic and logic": (f"{IDIOMS}/elementwise.py", f"{RULES}/arithmetic.py", f"{RULES}/logic.py"),
    "Reductions and sorting": (f"{IDIOMS}/reductions.py", f"{RULES}/reduce.py", f"{RULES}/sort.py"),
    "Shapes, axes and indices": (
        f"{IDIOMS}/shapes.py",
        f"{IDIOMS}/along.py",
        f"{IDIOMS}/cuts.py",
        f"{RULES}/layout.py",
        f"{RULES}/reshape.py",
        f"{RULES}/join.py",
        f"{RULES}/index.py",
        f"{RULES}/write.py",
        f"{RULES}/create.py",
        "codegen/lower/node.py",
    ),
    "Names and weights": (
        "codegen/builder/builder.py",
        "codegen/builder/dtypes.py",
        "codegen/builder/leaves.py",
        "codegen/naming/namer.py",
        "codegen/weights.py",
    ),
    "Fusion": ("codegen/passes/fusion.py", "codegen/passes/layouts.py"),
    "Inputs": ("codegen/passes/input_order.py",),
    "Training": (
        "codegen/passes/training.py",
        "codegen/passes/gradients.py",
        "codegen/passes/sums.py",
        f"{RULES}/dropout.py",
    ),
    "Running and comparing": (
        "codegen/mxnet_import.py",
        "codegen/proof/run.py",
        "tracer/settings.py",
        "tracer/verify.py",
    ),
}
HEAD = """\
# Where MXNet 1.9.1 differs from PyTorch

`make traps` writes this page from the docstrings of the functions that correct each difference. The examples
are run by `tests/test_traps.py`: `converted` converts a net, checks that both frameworks agree and prints the
generated code without its Variables. "Measured" is what the installed mxnet did with a few numbers; every default
is what `mx.sym.<Op>.__doc__` says (`tests/test_mxnet_defaults.py`).
"""


def text(corrections: Sequence[Correction]) -> str:
    """The page. KeyError where a file belongs to no family."""
    places = {file: family for family, files in FAMILIES.items() for file in files}
    families: dict[str, list[Correction]] = {family: [] for family in FAMILIES}
    for correction in corrections:
        families[places[correction.file]].append(correction)
    for family, found in families.items():
        found.sort(key=lambda c: FAMILIES[family].index(c.file))
    contents = "".join(f"- [{f}](#{anchor(f)}): {len(found)}\n" for f, found in families.items())
    sections = (f"\n## {f}\n{''.join(map(_entry, found))}" for f, found in families.items())
    return f"{HEAD}\n{contents}{''.join(sections)}"


def _entry(c: Correction) -> str:
    ops = f"For `{'`, `'.join(c.ops)}`, in" if c.ops else "In"
    return f"""
### {c.title}

| | |
| --- | --- |
| torch | {_cell(c.torch)} |
| MXNet 1.9.1 | {_cell(c.mxnet)} |
| we write | {_cell(c.we_write)} |

{ops} [`{c.file}`](../{c.file}), `{c.function}`. Source: {c.source}

```pycon
{c.example}
```
"""


def _cell(text: str) -> str:
    """A text in a table: a bar would end its cell, and stars that are no code would lean the letters between."""
    spans = text.replace("|", "\\|").split("`")
    return "`".join(s if number % 2 else s.replace("*", "\\*") for number, s in enumerate(spans))
