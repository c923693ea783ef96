"""Which variable of a body holds which value, and until where."""

from __future__ import annotations

# What a list of values is called where the net calls a tensor features.
LIST_AGAIN = "outputs"
