"""Corrections: told in docstrings where they are made, run as examples, listed in docs/traps.md."""
