"""The net and its weights, loaded for a command that says what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.collection import resume
from tracer.console import Console
from tracer.options import WeightsChoice
from tracer.watching import told

if TYPE_CHECKING:
    from tracer.load import LoadedModel


def load_net(spec: str, kwargs: Mapping[str, Any], plugins: Sequence[Path], console: Console) -> LoadedModel:
    """The net, after the plugins that it may need. RequestError, UserModelError as load_model raises them."""
    with told("importing torch"):
        from tracer.load import load_model
    resume()

    for plugin in plugins:
        from tracer.plugins import load_plugin

        load_plugin(plugin)
    console.say(f"loading {spec}")
    with told("loading the net"):
        return load_model(spec, kwargs)


def load_checkpoint(loaded: LoadedModel, path: Path, choice: WeightsChoice, console: Console) -> None:
    """Load a checkpoint into the net, and note what was read. RequestError as load_weights raises it."""
    from tracer.checkpoint import load_weights

    with told("loading the weights"):
        said = load_weights(loaded.model, path, choice)
    console.note(said)
