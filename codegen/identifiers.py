"""Names that Python and MXNet take."""

from __future__ import annotations

import builtins
import keyword
import re

# What generated code calls by these names.
RESERVED = frozenset(
    {
        "mx",
        "math",
        "named",
        "constant",
        "name",
        "DATA_SHAPES",
        "BATCH_AXES",
        "FIXED_PARAMS",
        "OUTPUTS",
        "FROZEN",
        "i",
        "range",
        "enumerate",
        "zip",
    }
)


def flat(path: str) -> str:
    """`layer1.0.bn1` as `layer1_0_bn1`.

    What cannot be printed becomes `_`: it would end MXNet's names, or spoil its JSON.
    """
    text = path.replace(".", "_")
    return text if text.isprintable() else "".join(c if c.isprintable() else "_" for c in text)


def readable(text: str) -> str:
    """A Python identifier close to `text`, for what a reader meets: it begins with a letter."""
    told = re.sub(r"\W", "_", text, flags=re.ASCII).lstrip("_")
    return identifier(told if told and not told[0].isdigit() else f"x{told}")


def identifier(text: str) -> str:
    """A Python identifier close to `text`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    if not name or name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in RESERVED or hasattr(builtins, name) else name
