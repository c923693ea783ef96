"""What training does with each Variable: whether it moves it, and what it begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from codegen.automatic import could_be_automatic, users_of
from codegen.ir import Note
from codegen.kinds.note import note
from codegen.mxnet_ops import spec_of
from codegen.program import FROZEN, Call, Initializer, Leaf, Operand, Program, Variable

# The ends of names that mx.init.Initializer knows.
KNOWN_ENDS = ("weight", "bias", "gamma", "beta", "min", "max")
# What ViT and BERT begin their position tables and class tokens with.
SPREAD = 0.02


def with_training(program: Program, parameters: Mapping[str, bool]) -> Program:
    """What torch does not train, MXNet does not train.

    `parameters` are the torch keys of the net's parameters, with requires_grad.

    torch: parameters are trained, unless requires_grad is False; buffers, and what forward makes, are not.
    MXNet: an optimizer moves every argument of a symbol, constants too, unless its lr_mult and wd_mult are 0;
        what an op makes by itself has those of the op.
    We write: FROZEN for an op that makes such Variables, constant() for others. Where torch trains nothing,
        the whole net in one mx.AttrScope. FIXED_PARAMS names them all.
    Source: torch.nn.Parameter; mx.sym.Variable, mx.AttrScope and mx.mod.Module(fixed_param_names=), measured.

    >>> converted(nn.Sequential(nn.Linear(3, 3).requires_grad_(False), nn.Linear(3, 3)), (1, 3))
    x = mx.sym.FullyConnected(x, num_hidden=3, flatten=False, attr=FROZEN, name="sequential_0")
    return mx.sym.FullyConnected(x, num_hidden=3, flatten=False, name="sequential_1")
    """
    used = {key: parameters[key] for v in program.variables for key in _sources(v) if key in parameters}
    program = replace(
        program,
        variables=tuple(_told(v, used) for v in program.variables),
        all_frozen=bool(used) and not any(used.values()),
        notes=(*program.notes, *_notes(program, used)),
    )
    program = _with_initializers(program)
    return replace(program, calls=tuple(_frozen(program)))


def _sources(variable: Variable) -> tuple[str, ...]:
    return variable.derived or (*variable.keys, *variable.tied)


def _notes(program: Program, parameters: Mapping[str, bool]) -> Iterator[Note]:
    """What of a Variable torch trains in part: MXNet trains all of it."""
    for variable in program.variables:
        frozen = [key for key in _sources(variable) if not parameters.get(key, True)]
        if variable.kind == "arg" and frozen and any(parameters.get(k, False) for k in _sources(variable)):
            yield note("trained-in-part", keys=", ".join(frozen), name=variable.name)


def _told(variable: Variable, parameters: Mapping[str, bool]) -> Variable:
    is_trained = variable.kind != "arg" or any(parameters.get(key, False) for key in _sources(variable))
    return replace(variable, trained=is_trained)


def _frozen(program: Program) -> Iterator[Call]:
    """The calls, with FROZEN where all that an op makes by itself is not trained."""
    users = users_of(program)
    variables = {v.name: v for v in program.variables}
    for call in program.calls:
        made = could_be_automatic(call, users, variables)
        own = [variables[o.name] for slot, o in call.inputs if slot in made and isinstance(o, Leaf)]
        own = [variable for variable in own if variable.kind == "arg" and variable.init is None]
        if own and not program.all_frozen and not any(variable.trained for variable in own):
            yield replace(call, attrs=(*call.attrs, ("attr", FROZEN)))
        else:
            yield call


def _with_initializers(program: Program) -> Program:
    """From scratch too: what MXNet's initializers do not know by name says what it begins with.

    torch: each module fills its parameters when it is made.
    MXNet: initializers go by the end of a name, and raise where they do not know it; Xavier wants two axes.
    We write: init= for the others: what torch's RNNs begin with, ones for scales, and a normal distribution
        of deviation 0.02 for tables and tokens. A constant is read from the .params file.
    Source: mx.init.Initializer; torch.nn.LSTM; https://arxiv.org/abs/2010.11929.

    >>> converted(nn.GRU(4, 9), (5, 2, 4))
    gru = mx.sym.RNN(
        x,
        parameters=gru_parameters,
        state=gru_zeros,
        state_size=9,
        num_layers=1,
        mode="gru",
        state_outputs=True,
        name="gru",
    )
    return mx.sym.Group([gru[0], gru[1]])
    """
    users, variables = users_of(program), {v.name: v for v in program.variables}
    inferred = {name for name in variables if _is_inferred(program, Leaf(name), users, variables)}
    return replace(
        program,
        variables=tuple(
            replace(v, init=_initializer(v), inferred=v.name in inferred) for v in program.variables
        ),
    )


def _is_inferred(
    program: Program,
    leaf: Leaf,
    users: Mapping[Operand, Sequence[int]],
    variables: Mapping[str, Variable],
) -> bool:
    """Whether all that reads a Variable would make one like it by itself, but for the name."""
    own = variables[leaf.name]
    reads = [
        (call, slot)
        for number in users.get(leaf, ())
        if number < len(program.calls)
        for call in [program.calls[number]]
        for slot, operand in call.inputs
        if operand == leaf
    ]
    slots = [slot is not None and spec_of(call.op).makes_input(slot, own.shape) for call, slot in reads]
    return own.dtype == "float32" and own.kind in ("arg", "aux") and bool(slots) and all(slots)


def _initializer(variable: Variable) -> Initializer | None:
    if variable.init is not None or variable.kind != "arg" or not _sources(variable):
        return variable.init
    known = next((end for end in KNOWN_ENDS if variable.name.endswith(end)), "")
    if known and (known != "weight" or len(variable.shape) > 1):
        return None
    is_scale = known == "weight" or variable.shape in {(), (1,)}
    return ("One",) if is_scale else ("Normal", SPREAD)
