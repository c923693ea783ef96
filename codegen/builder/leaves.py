"""Variables: inputs, parameters and constants."""

from __future__ import annotations

PARAMETER_SLOTS = frozenset(["weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "parameters"])
