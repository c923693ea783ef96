"""FX26x and FX42x: wrong requests and notes of `fx2mx compare`, which compares a port that somebody wrote."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind
from codegen.kinds.requests_nets import SMALL

COMPARE = "fx2mx compare model.py:Net port --input 1,8"
_IMPORTS = """\
import mxnet as mx
import torch

from model import Net

torch.manual_seed(0)
state = {key: mx.nd.array(value.numpy()) for key, value in Net().state_dict().items()}
"""
_LAYER = 'x = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=4, name="fc")\n'
_PARAMS = 'params = {"fc_weight": state["fc.weight"], "fc_bias": state["fc.bias"]}\n'
_SAVE = 'mx.model.save_checkpoint("port", 0, x, params, {})\n'
_PORT = f"{_IMPORTS}{_LAYER}{_PARAMS}{_SAVE}"
# The same net, to be gone on with.
_OPEN = SMALL.replace("return self.fc(x)\n", "x = self.fc(x)\n")
_NORMED = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(8)

    def forward(self, x):
        return self.bn(x)
"""


def with_port(more: str, model: str = SMALL) -> Example:
    """A port of the small net, in which `more` stands before it is saved."""
    return Example(model, before=f"{_IMPORTS}{_LAYER}{_PARAMS}{more}{_SAVE}", command=COMPARE)


def _normed(attributes: str) -> Example:
    """A BatchNorm with these attributes, its statistics beside."""
    return Example(
        _NORMED,
        before=f"{_IMPORTS}"
        f'x = mx.sym.BatchNorm(mx.sym.Variable("x"), fix_gamma=False, {attributes}, name="bn")\n'
        'params = {"bn_gamma": state["bn.weight"], "bn_beta": state["bn.bias"]}\n'
        'auxiliary = {f"bn_moving_{end}": state[f"bn.running_{end}"] for end in ("mean", "var")}\n'
        'mx.model.save_checkpoint("port", 0, x, params, auxiliary)\n',
        command=COMPARE,
    )


PORT_REQUESTS: tuple[Kind, ...] = (
    Kind(
        260,
        "no-such-port",
        (
            "no such file: ... (PREFIX is what mx.model.load_checkpoint takes)",
            "no such file: ...; give PREFIX alone: ...",
            "no such file: ...-....params...",
            "no such file: ...-0000.params",
            "... has the epochs ...: choose one with --epoch",
        ),
        "`fx2mx compare` reads `PREFIX-symbol.json` and `PREFIX-0000.params`, as `mx.model.load_checkpoint` "
        "does, and one of the two is not there, or there are several epochs.",
        "Give the prefix that `mx.model.save_checkpoint` was given, and `--epoch` where there are several.",
        Example(SMALL, command=COMPARE),
    ),
    Kind(
        261,
        "port-unreadable",
        (
            "...: mx.model.load_checkpoint cannot read it: ...",
            "...: mx.model.load_checkpoint cannot read it (...): give what mx.model.save_checkpoint writes, "
            "with arg: and aux: before the names",
        ),
        "The files of the port are there, and MXNet cannot read them: they are damaged, or the weights were "
        "saved by `mx.nd.save` under names without `arg:` and `aux:`.",
        "Save the port by `mx.model.save_checkpoint`.",
        Example(SMALL, before=f'{_PORT}open("port-0000.params", "wb").write(b"no")\n', command=COMPARE),
    ),
    Kind(
        262,
        "port-table",
        (
            "--contrast: no such file: ...",
            "...:...: ... names no torch key; write NAME, a tab, KEY",
            "...:...: the symbol reads no ...",
            "...: the net has no key ...",
        ),
        "The table that says which weight of the port is which of torch's names one that the symbol does "
        "not read, or a key that the net does not have. It is `PREFIX-layer_contrast.txt`, or what "
        "`--contrast` names.",
        "Correct the line; without a table one is proposed on stdout.",
        Example(
            SMALL,
            before=f'{_PORT}open("port-layer_contrast.txt", "w").write("fc_weight fc.wieght\\n")\n',
            command=COMPARE,
        ),
    ),
    Kind(
        263,
        "port-inputs",
        (
            "... lacks ..., which ... (...) reads: ...",
            "the symbol reads ..., for which ... has no values and forward(...) no input",
        ),
        "The symbol reads a Variable of which there is neither a value in the weights nor an input of "
        "`forward`.",
        "Save the weight with the others; or, where torch's layer has no bias, write `no_bias=True`.",
        with_port('del params["fc_bias"]\n'),
    ),
)

PORT_NOTES: tuple[Kind, ...] = (
    Kind(
        420,
        "port-by-modules",
        ("note: the net cannot be followed, so that what its modules give is compared: {why}",),
        "The net looks at values, or does else what cannot be recorded, so that the value of each call of "
        "torch is not known: those of its modules are, and what reaches them. Whether the outputs agree is "
        "told all the same.",
        "Nothing, where the port agrees. Where it does not, and the step between two modules is what parts, "
        "make a module of it.",
        Example(
            _OPEN + "        if x.sum() > 1e9:\n            x = x + 1\n        return x\n",
            before=_PORT,
            command=COMPARE,
        ),
    ),
    Kind(
        421,
        "port-unread",
        ("note: the symbol reads no {names}, which the weights have",),
        "The file of weights has more than the symbol reads: of a layer that was left out, say, or under a "
        "name that was changed.",
        "Nothing, where it is meant; else give the op the Variable of that name.",
        with_port('params["head_weight"] = state["fc.weight"]\n'),
    ),
    Kind(
        422,
        "port-batch",
        ("note: the port runs at batch {own} and not at {other}, where torch's net does: {why}",),
        "The batch size stands in the symbol, in a reshape most often. It was compared at that size alone.",
        "Write 0 or -1 for the batch in the shapes of reshapes.",
        Example(
            _OPEN + "        return x.reshape(-1, 2, 2)\n",
            before=f"{_IMPORTS}{_LAYER}{_PARAMS}x = mx.sym.reshape(x, shape=(1, 2, 2))\n{_SAVE}",
            command=COMPARE,
        ),
    ),
    Kind(
        423,
        "port-not-random",
        ("note: not compared with random parameters, since nothing of torch's was found in {names}",),
        "Fresh parameters hide errors, so that both are compared with random ones too, where it is known "
        "how the port's weights are made of torch's. Of one it is not: it holds other values, which give "
        "the same outputs (a norm that was folded into a convolution).",
        "Give `--weights` with a trained checkpoint, and the port that was made from it.",
        Example(
            SMALL.replace("nn.Linear(8, width)", "nn.Linear(8, width, bias=False)").replace(
                "self.fc(x)", "self.fc(x) * 2"
            ),
            before=f"{_IMPORTS}"
            'x = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=4, no_bias=True, name="fc")\n'
            f'params = {{"fc_weight": 2 * state["fc.weight"]}}\n{_SAVE}',
            command=COMPARE,
        ),
    ),
    Kind(
        424,
        "port-momentum",
        (
            "note: in training alone: write momentum={wanted} in {name} where the port has {own}: "
            "MXNet's is the share that is kept, 1 - torch's",
        ),
        "A BatchNorm's momentum acts in training alone, and is the other way round in MXNet: what is kept "
        "of the moving statistics, not what is taken in.",
        "Write what the note says, where the port is to be trained.",
        _normed("eps=1e-5, momentum=0.1"),
    ),
    Kind(
        425,
        "port-within",
        ("note: {name} differs by less than the tolerance on these values: {said}",),
        "The port agrees, and an attribute is not torch's all the same: on other values it may be seen.",
        "Write what the note says.",
        _normed("eps=1.1e-5, momentum=0.9"),
    ),
)
