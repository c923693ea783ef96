"""The comparison of a Conversion with torch."""

from __future__ import annotations

import torch


def nudged(inputs: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """The inputs with each number moved by at most one unit in the last place of float32."""
    generator = torch.Generator().manual_seed(seed)
    return {
        k: (
            (v * (1 + 2**-23 * torch.randint(-1, 2, v.shape, generator=generator))).to(v.dtype)
            if v.is_floating_point()
            else v
        )
        for k, v in inputs.items()
    }
