"""What stands in a pickle that cannot be read without running code of its own. Here it is not run either."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import torch

# What torch writes before the object, in files that are no zip: a number, a version, and the machine.
BEFORE = 3
MOST_DEEP = 4
_MARK = object()


@dataclass
class _Object:
    """What a pickle makes: an object of a class, and its attributes, or the items of a dict."""

    cls: str
    items: dict[Any, Any] = field(default_factory=dict)

    @property
    def is_module(self) -> bool:
        """Whether it keeps what each nn.Module keeps."""
        return {"_modules", "_parameters"} <= self.items.keys()


def refusal(path: str, is_zip: bool, error: Exception) -> str:
    """Why a file of torch cannot be read, and the way out; "" where it is corrupt."""
    text = str(error)
    name = os.path.basename(path)
    if "TorchScript" in text:
        save = f'torch.save(torch.jit.load("{name}").state_dict(), "weights.pth")'
        return f"{path} is a TorchScript archive: save its state dict with {save}"
    if module := _pickled_module(path, is_zip):
        return _module_text(path, *module)
    names = _unsafe_names(path, is_zip, text)
    if not isinstance(error, pickle.UnpicklingError) or not names:
        return ""
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return (
        f"{path} cannot be read without running code of its own ({listed}): where you trust it, load it "
        "with torch.load(..., weights_only=False) and save the state dict alone with "
        'torch.save(model.state_dict(), "weights.pth")'
    )


def _module_text(path: str, cls: str, keys: tuple[Any, ...]) -> str:
    """The refusal of a whole module, with the two lines that make a state dict of it."""
    place = f", under {'.'.join(map(str, keys))!r}" if keys else ""
    subscripts = "".join(f"[{json.dumps(key)}]" for key in keys)
    stem = os.path.splitext(os.path.basename(path))[0]
    load = f'torch.load({json.dumps(path)}, map_location="cpu", weights_only=False){subscripts}'
    return (
        f"{path} holds a whole pickled nn.Module, {cls}{place}, and to read it runs its code: where "
        "you trust it, and its class can be imported, save its state dict\n"
        f"  import torch; net = {load}\n"
        f"  torch.save(net.state_dict(), {json.dumps(f'{stem}_state.pth')})"
    )


def _unsafe_names(path: str, is_zip: bool, text: str) -> list[str]:
    """The classes and functions that a checkpoint asks for; those of a legacy file stop at the first."""
    if is_zip:
        try:
            found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        except Exception:  # noqa: BLE001 - a corrupt pickle fails in any way, and is reported as such
            found = []
        if found:
            return sorted(found, key=lambda name: (not name.startswith("torch.nn.modules."), name))
    return re.findall(r"GLOBAL (\S+) (?:was not an allowed|whose module)", text)


def _pickled_module(path: str, is_zip: bool) -> tuple[str, tuple[Any, ...]] | None:
    """The class of the first module in a file, and the keys under which it stands."""
    try:
        for made in _made(path, is_zip):
            if found := next(_modules(made, ()), None):
                return found
    except Exception:  # noqa: BLE001 - a pickle that is cut, or no pickle: then nothing is known of it
        return None
    return None


def _made(path: str, is_zip: bool) -> Iterator[Any]:
    """What the pickles of a file make, one after the other."""
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as file:
                yield _interpreted(file)
        return
    with open(path, "rb") as file:
        for _ in range(BEFORE + 1):
            yield _interpreted(file)


def _modules(made: Any, keys: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The modules in an object: itself, or what stands in it where it is a dict."""
    if not isinstance(made, _Object):
        return
    if made.is_module:
        yield made.cls, keys
    elif len(keys) < MOST_DEEP and made.cls in ("dict", "collections.OrderedDict"):
        for key, value in made.items.items():
            yield from _modules(value, (*keys, key))


def _interpreted(file: IO[bytes]) -> Any:
    """What a pickle makes: its dicts, strings and numbers, and the names of the classes of its objects."""
    machine = _Machine()
    for op, argument, _ in pickletools.genops(file):
        machine.do(op, argument)
    return machine.pop()


class _Machine:
    """Follows the opcodes of a pickle (pickletools.opcodes) without calling what they name."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def do(self, op: pickletools.OpcodeInfo, argument: Any) -> None:
        """Follow one opcode."""
        name = op.name
        if name in _STEPS:
            _STEPS[name](self, argument)
        elif name.endswith("PUT"):
            self._memo[argument] = self._stack[-1]
        elif name.endswith("GET"):
            self.push(self._memo[argument])
        elif isinstance(argument, str | int) and not op.stack_before:
            self.push(argument)
        elif name not in ("STOP", "PROTO", "FRAME"):
            for _ in op.stack_before:
                self.pop()
            for _ in op.stack_after:
                self.push(None)

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        return self._stack.pop()

    def pop_to_mark(self) -> list[Any]:
        taken = list(itertools.takewhile(lambda value: value is not _MARK, reversed(self._stack)))
        del self._stack[len(self._stack) - len(taken) - 1 :]
        return taken[::-1]

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def set_items(self, pairs: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, _Object):
            keys = [key if isinstance(key, str | int) else repr(type(key)) for key in pairs[::2]]
            target.items.update(zip(keys, pairs[1::2], strict=True))

    def build(self) -> None:
        state = self.pop()
        state = state[0] if isinstance(state, tuple) and state else state
        target = self._stack[-1]
        if isinstance(state, _Object) and isinstance(target, _Object):
            target.items.update(state.items)

    def make(self, cls: Any, arguments: Any = ()) -> None:
        """An object, of the class that an old pickle hands to copyreg, or of what is called."""
        if str(cls) in ("copyreg._reconstructor", "copy_reg._reconstructor") and arguments:
            cls = arguments[0]
        self.push(_Object(str(cls)))


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, called = machine.pop(), machine.pop()
    machine.make(called, arguments)


def _new_with_names(machine: _Machine, _: Any) -> None:
    machine.pop()
    _reduce(machine, None)


def _global_of_stack(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(f"{module}.{name}")


def _tuple(size: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(tuple([machine.pop() for _ in range(size)][::-1]))


def _dict_of_slice(machine: _Machine, _: Any) -> None:
    pairs = machine.pop_to_mark()
    machine.push(_Object("dict"))
    machine.set_items(pairs)


def _instance(machine: _Machine, argument: Any) -> None:
    machine.pop_to_mark()
    machine.make(argument.replace(" ", "."))


def _stored_apart(machine: _Machine, _: Any) -> None:
    """Files that are no zip name the class of a module in this way, beside its source."""
    name = machine.pop()
    machine.push(name[1] if isinstance(name, tuple) and name[0] == "module" else None)


def _drop_slice(machine: _Machine, _: Any) -> None:
    machine.pop_to_mark()


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, _: machine.push(_MARK),
    "MEMOIZE": lambda machine, _: machine.memoize(),
    "GLOBAL": lambda machine, argument: machine.push(argument.replace(" ", ".")),
    "STACK_GLOBAL": _global_of_stack,
    "EMPTY_DICT": lambda machine, _: machine.push(_Object("dict")),
    "DICT": _dict_of_slice,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_names,
    "OBJ": lambda machine, _: machine.make(machine.pop_to_mark()[0]),
    "INST": _instance,
    "BINPERSID": _stored_apart,
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "BUILD": lambda machine, _: machine.build(),
    "APPENDS": _drop_slice,
    "ADDITEMS": _drop_slice,
    "POP_MARK": _drop_slice,
    "LIST": lambda machine, _: machine.push(machine.pop_to_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.pop_to_mark()),
}
