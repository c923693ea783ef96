"""One row of the table of nets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tracer.inputs import InputSpec


@dataclass(frozen=True)
class Net:
    """A net of a public collection: how it is built (seeded, with random parameters) and its inputs."""

    name: str
    collection: str
    build: Callable[[], nn.Module]
    inputs: tuple[InputSpec, ...] | None = None
