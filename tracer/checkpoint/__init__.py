"""Checkpoint: a weights file, or a folder of them, goes into a module, strictly.

`files` reads one file and `shards` a folder or an index; nothing of them is run. `pickles` says what stands
in a file that cannot be read so. `parts` finds the state dicts in what was read, `fitting` the one whose
keys are the net's, and `load` copies its values.
"""

from tracer.checkpoint.load import load_weights

__all__ = ["load_weights"]
