"""FX12x and FX19x: results that are not good, and what failed on the way (exit status 1)."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind

SMALL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(x)
"""
_CONVERT = """\
import subprocess
import sys

words = "model.py:Net --out model_mxnet.py --input 1,8 --no-weights --no-verify --quiet".split()
subprocess.run([sys.executable, "-m", "tracer.gen", *words], check=True)
with open("model_mxnet.py", "a") as file:
    file.write("# edited\\n")
"""
_PORT = """\
import mxnet as mx
import torch

from model import Net

torch.manual_seed(0)
state = {key: mx.nd.array(value.numpy()) for key, value in Net().state_dict().items()}
x = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=4, name="fc")
x = mx.sym.Activation(x, act_type="relu", name="act")
params = {"fc_weight": state["fc.weight"], "fc_bias": state["fc.bias"]}
mx.model.save_checkpoint("port", 0, x, params, {})
"""

RESULTS: tuple[Kind, ...] = (
    Kind(
        121,
        "differs",
        (
            "the MXNet net differs from torch: output ... by ...",
            "the MXNet net differs from torch: output ... (...)",
        ),
        "Both frameworks were run on the same inputs, and an output is apart by more than the tolerance. "
        "The layer at which they part first is named. Without a tolerance of your own this is a defect of "
        "fx2mx, or a net whose float32 rounds far.",
        "Where you gave `--tolerance`, give one that float32 can hold: 1e-4 is the usual one. Else please "
        "report it with the smallest net that shows it.",
        Example(SMALL, "--input 1,8 --tolerance 0"),
    ),
    Kind(
        122,
        "trains-otherwise",
        ("the MXNet net trains otherwise than torch's:...", "training cannot be compared: ..."),
        "With `--verify training`: a gradient, a moving statistic or a loss is apart from torch's, or the "
        "net cannot be trained as it is (it has no parameters, or no output that a loss takes).",
        "`--trainable` writes forms that train as torch does where the usual ones do not; or leave "
        "`--verify training` out, where the net is for inference.",
        Example(
            "from torch import nn\n\n\nclass Net(nn.Module):\n"
            "    def forward(self, x):\n        return x + 1\n",
            "--input 1,8 --verify training",
        ),
    ),
    Kind(
        123,
        "stale",
        ("... is missing", "... is stale"),
        "With `--check` or `--diff`: a file on disk is not what would be generated from the net as it is "
        "now.",
        "Generate it again: the same command without `--check`. `--diff` shows how they differ.",
        Example(SMALL, "--input 1,8 --no-weights --check"),
    ),
    Kind(
        124,
        "edited",
        ("... was edited by hand...",),
        "The generated file holds a digest of itself, which no longer fits: somebody edited it. It is not "
        "overwritten, since the edit would be lost.",
        "Keep the edit under another name, make the change in the net, or give `--force`.",
        Example(SMALL, "--input 1,8 --no-weights --no-verify", _CONVERT),
    ),
    Kind(
        125,
        "not-ours",
        ("... was not written by fx2mx...",),
        "The file that `--report` names is there, and fx2mx did not write it.",
        "Give another name, or `--force`.",
        Example(
            SMALL,
            "--input 1,8 --report review.md",
            'with open("review.md", "w") as file:\n    file.write("mine\\n")\n',
        ),
    ),
    Kind(
        126,
        "port-differs",
        ("the port differs from torch: output ...",),
        "`fx2mx compare` ran a port that somebody wrote and torch's net on the same inputs, and an output is "
        "apart by more than the tolerance. The first layer that parts is named, with what makes it agree.",
        "Write what stands behind `cause:`, and compare again. docs/guides/compare.md tells more.",
        Example(SMALL, "", _PORT, "fx2mx compare model.py:Net port --input 1,8"),
    ),
    Kind(
        198,
        "memory",
        ("the net or its inputs are larger than this machine: make them smaller, or use a larger one",),
        "There is too little memory for a stage of the work. No small net shows it.",
        "Make the net or its inputs smaller, or use a larger machine.",
        None,
    ),
    Kind(
        199,
        "defect",
        ("... failed...",),
        "A stage of fx2mx failed. That is a defect of fx2mx, whatever the net; a net that shows one is "
        "mended, so that there is no example.",
        "Please report the text, with the smallest net that shows it; until it is mended, write this part "
        "of the net in another way.",
        None,
    ),
)
