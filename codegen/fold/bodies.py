"""The bodies of functions."""

from __future__ import annotations

# The last words of parameters' names.
SUFFIXES = frozenset(["weight", "bias", "gamma", "beta", "moving", "mean", "var", ""])


def last_words(name: str) -> str:
    """The end of a Variable's name that tells it from others: `query_weight`."""
    words = name.split("_")
    count = 1
    while count < len(words) and (words[-count] in SUFFIXES or words[-count][:1].isdigit()):
        count += 1
    return "_".join(words[-count:])
