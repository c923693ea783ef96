"""A port is compared with the net: outputs first, and where they part, layer by layer and with the causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from codegen.ir import Note
from codegen.kinds.note import note
from codegen.problems import listed
from codegen.proof.compare import CANNOT_RUN, OutputAgreement
from codegen.proof.port import Array, Port
from tracer.compare.beside import Layers, beside
from tracer.compare.causes import Cause, Mended, mended
from tracer.compare.inputs import InputPair, arrays
from tracer.compare.layers import Laid, laid
from tracer.compare.matching import Pair
from tracer.compare.notes import notes_of
from tracer.compare.outputs import Trial, agrees, cannot_run, outputs
from tracer.compare.reference import Net, reading, reference, state_of
from tracer.compare.relations import Relation, applied, as_written
from tracer.verify import with_random_weights

OWN, RANDOM = "its own parameters", "random parameters"


@dataclass(frozen=True)
class Asked:
    """How a port is compared: with random parameters too where those of the net are `fresh`.

    With `layers` each op is laid beside torch, where the port agrees too.
    """

    tolerance: float
    softmax: bool
    fresh: bool
    seed: int = 1
    layers: bool = False


@dataclass(frozen=True)
class Compared:
    """What was compared, and what was found.

    Attributes:
        outputs: each output, at each batch size, with each set of parameters, as the port is.
        causes: what makes them part, in order; each was mended before the next was looked for.
        after: the outputs once all causes are mended; empty where they agree as they are, or a cause has no
            remedy that holds for other inputs.
        notes: what a reader should know beside.
        tolerance: the largest difference that counts as equal.
        foreign: the weights that hold other values than torch's, where most of the `weights` do.
        is_followed: the net's calls could be laid beside the port's ops.
        layers: the port's ops beside torch, None where they were not asked for.
    """

    outputs: tuple[OutputAgreement, ...]
    causes: tuple[Cause, ...]
    after: tuple[OutputAgreement, ...]
    notes: tuple[Note, ...]
    tolerance: float
    foreign: tuple[str, ...]
    weights: int
    is_followed: bool = True
    layers: Layers | None = None

    @property
    def ok(self) -> bool:
        return all(o.within(self.tolerance) for o in self.outputs)

    @property
    def is_rounding(self) -> bool:
        """Whether the outputs part, and no layer alone by as much."""
        has_numbers = not any(o.why for o in self.outputs)
        return not self.ok and self.is_followed and not self.causes and has_numbers

    @property
    def is_mended(self) -> bool:
        """Whether the port agrees once the causes are mended."""
        return bool(self.after) and all(o.within(self.tolerance) for o in self.after)


def compare(
    net: Net, port: Port, pairs: tuple[Pair, ...], inputs: Sequence[InputPair], asked: Asked
) -> Compared:
    """Compare at the net's batch size and at twice that, and with random parameters where they are fresh.

    A port whose weights are others throughout is compared as it is; causes are looked for with torch's.
    """
    notes: list[Note] = []
    trials = list(_trials(net, inputs, port, asked, OWN))
    found_outputs = _all_outputs(port, trials, notes)
    # Other values that give the same are right: of a norm that was folded into a convolution.
    foreign = () if all(o.within(asked.tolerance) for o in found_outputs) else _foreign(pairs)
    found = _with_torchs(port, pairs, state_of(net.model)) if foreign else Mended(port, pairs, ())
    found = _mended(net, found, trials, asked)
    if asked.layers and found.layers is None:
        found = replace(found, layers=_as_it_is(found, trials[0], asked))
    after: list[OutputAgreement] = []
    if asked.fresh and found.is_whole:
        own = found.port
        of_random, found, after = _with_random(net, port, found, inputs, trials[0].batch, asked, notes)
        found_outputs += of_random
        found = replace(found, port=replace(found.port, params={**found.port.params, **own.params}))
    is_mended = bool(found.causes or foreign) and found.is_whole
    after = [*(o for trial in trials for o in outputs(found.port, trial)), *after] if is_mended else []
    is_right = all(o.within(asked.tolerance) for o in found_outputs)
    notes += notes_of(port, pairs, trials[0].reference.nodes, net.program, is_right)
    return Compared(
        tuple(found_outputs),
        found.causes,
        tuple(after),
        tuple(notes),
        asked.tolerance,
        foreign,
        len(pairs),
        net.graph is not None,
        found.layers if asked.layers else None,
    )


def _foreign(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The weights that hold other values than torch's, where most do: they are those of another net."""
    others = [p.name for p in pairs if p.keys and not p.relation.is_known]
    paired = [p for p in pairs if p.keys]
    return tuple(others) if len(others) >= 2 and 2 * len(others) >= len(paired) else ()


def _with_torchs(port: Port, pairs: Sequence[Pair], state: Mapping[str, Array]) -> Mended:
    """The port with torch's values in the place of others."""
    params, found = dict(port.params), list(pairs)
    for place, pair in enumerate(pairs):
        values = as_written([state[key] for key in pair.keys], pair.shape) if pair.keys else None
        if values is not None and not pair.relation.is_known:
            params[pair.name] = values
            found[place] = replace(pair, relation=Relation("equal"))
    return Mended(replace(port, params=params), tuple(found), ())


def _trials(net: Net, inputs: Sequence[InputPair], port: Port, asked: Asked, label: str) -> Iterator[Trial]:
    """The inputs at twice the batch size, where one sees more, and at the net's own."""
    own = net.batch if net.batch is not None else 1
    for batch in [2 * own, own] if net.runs_at_others else [own]:
        values = reference(net, net.model, batch if net.runs_at_others else None, asked.softmax, asked.seed)
        yield Trial(
            values,
            arrays(port, inputs, values.inputs),
            batch,
            label,
            asked.tolerance,
            asked.softmax,
            net.taps,
        )


def _all_outputs(port: Port, trials: list[Trial], notes: list[Note]) -> list[OutputAgreement]:
    """The outputs of all trials; a batch size at which the port alone cannot run is left out, and noted."""
    found = [outputs(port, trial) for trial in trials]
    if len(trials) == 2 and cannot_run(found[0]) and not cannot_run(found[1]):
        why = found[0][0].why.removeprefix(CANNOT_RUN)[2:]
        notes.append(note("port-batch", own=trials[1].batch, other=trials[0].batch, why=why))
        del trials[0], found[0]
    return [output for outputs_ in found for output in outputs_]


def _mended(net: Net, found: Mended, trials: Sequence[Trial], asked: Asked) -> Mended:
    """What is found and mended on each of the trials in turn that does not agree."""
    for trial in trials:
        if not found.is_whole:
            break
        more, before = mended(
            found.port,
            trial.inputs,
            trial.reference,
            found.pairs,
            net.program,
            asked.tolerance,
            partial(agrees, trial=trial),
        )
        layers = found.layers or (_layers(before, trial, asked) if before is not None else None)
        found = Mended(more.port, more.pairs, (*found.causes, *more.causes), layers)
    return found


def _layers(laid: Laid, trial: Trial, asked: Asked) -> Layers | None:
    return Layers(beside(laid, asked.tolerance), trial.batch, trial.label) if asked.layers else None


def _as_it_is(found: Mended, trial: Trial, asked: Asked) -> Layers | None:
    """The ops of a port of which no layer was found to part."""
    reads = reading(trial.reference.nodes)
    own = laid(found.port, trial.inputs, trial.reference, found.pairs, reads, asked.tolerance)
    return _layers(own, trial, asked)


# Random parameters -------------------------------------------------------------------------------------


def _with_random(
    net: Net,
    port: Port,
    found: Mended,
    inputs: Sequence[InputPair],
    batch: int,
    asked: Asked,
    notes: list[Note],
) -> tuple[list[OutputAgreement], Mended, list[OutputAgreement]]:
    """The comparison with random parameters in both, as far as it is known what the port's weights hold.

    The outputs of the port as it is, what else was found, and the outputs of what is mended.
    """
    unknown = [p.name for p in found.pairs if not p.relation.is_known]
    if unknown:
        notes.append(note("port-not-random", names=listed(unknown, 1)))
        return [], found, []
    model = with_random_weights(net.model, net.specs, asked.seed)
    state = state_of(model)
    values = reference(net, model, batch if net.runs_at_others else None, asked.softmax, asked.seed)
    given = arrays(port, inputs, values.inputs)
    trial = Trial(values, given, batch, RANDOM, asked.tolerance, asked.softmax, net.taps)
    own = outputs(_filled(port, found.pairs, state), trial) if not found.causes else []
    more = _mended(net, replace(found, port=_filled(found.port, found.pairs, state)), [trial], asked)
    return own, more, outputs(more.port, trial) if more.causes else []


def _filled(port: Port, pairs: Sequence[Pair], state: Mapping[str, Array]) -> Port:
    """The port with other weights, laid out as its own are."""
    params = dict(port.params)
    for pair in pairs:
        if pair.keys:
            made = applied(pair.relation, [state[key] for key in pair.keys], pair.shape)
            if made is not None:
                params[pair.name] = np.ascontiguousarray(made)
    return replace(port, params=params)
