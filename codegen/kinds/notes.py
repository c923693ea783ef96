"""FX4xx: what a user should know of a run that went as it should."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind
from codegen.kinds.requests_nets import SMALL

PLUGIN = """\
open("ops.py", "w").write('''
import tracer


@tracer.rule("i0")
def i0(b, input):
    b.note("near 0 alone")
    return b.with_number("x + c", input, 1.0)
''')
"""

NOTES: tuple[Kind, ...] = (
    Kind(
        401,
        "inputs-found",
        ("inputs: {inputs}; change it with --input",),
        "`--input` was left out: the shapes were found from what the net declares, or from its layers, and "
        "the net runs with them. The batch and other sizes that may change are told apart from it.",
        "Nothing, where they are right; else give `--input`, one for each argument of `forward`.",
        Example(SMALL),
    ),
    Kind(
        402,
        "own-values",
        ("no --weights: the module's own values are {done} (built under seed 0)",),
        "Without `--weights` the net has the values with which it was built: fresh ones, unless its code "
        "loads some. They are built under a fixed seed, so that the files are the same at each run.",
        "Give the checkpoint with `--weights`.",
        Example(SMALL, "--input 1,8"),
    ),
    Kind(
        403,
        "old-params",
        ("note: {file} is from an earlier run and was not changed (--no-weights)",),
        "With `--no-weights` the code alone is written, and a file with weights of an earlier run stands "
        "beside it. Whether it fits the code is not looked at.",
        "Convert with the weights, or remove the file.",
        Example(
            SMALL, "--input 1,8 --no-weights --no-verify", 'open("model_mxnet-0000.params", "w").close()\n'
        ),
    ),
    Kind(
        404,
        "no-symbol",
        ("note: {file} was not written: there is no mxnet here",),
        "The symbol is made by mxnet, which is not installed here; with `--no-weights --no-verify` the "
        "code alone is written. That is of the machine, not of a net.",
        "Run the generated file where mxnet is, or install it (FX240 no-mxnet).",
        None,
    ),
    Kind(
        405,
        "optimized",
        (
            "--optimize: {what} by MXNet's interleaved products; the rows of the weights that project to "
            "query, key and value stand head by head",
        ),
        "`--optimize` wrote faster forms, for which weights are put in another order.",
        "Read the weights of these layers by the contrast table.",
        Example(
            "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n        self.attention = "
            "nn.MultiheadAttention(8, 2)\n\n"
            "    def forward(self, x):\n        return self.attention(x, x, x)[0]\n",
            "--input x=5,N,8 --optimize",
        ),
    ),
    Kind(
        406,
        "not-optimized",
        ("--optimize found nothing to write in another way",),
        "`--optimize` was asked for, and the net has no self-attention of the form that MXNet has faster.",
        "Leave `--optimize` out.",
        Example(SMALL, "--input 1,8 --optimize"),
    ),
    Kind(
        407,
        "from-a-rule",
        ("{text}",),
        "A rule of your own (`--plugin`) says something: `b.note(...)`.",
        "What it says.",
        Example(
            "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
            "    def forward(self, x):\n        return torch.special.i0(x)\n",
            "--input 1,8 --plugin ops.py --no-verify",
            PLUGIN,
        ),
    ),
    Kind(
        408,
        "weights-read",
        ("{file}: {what}",),
        "What was read of the file of `--weights`: how many tensors, under which key, which prefix was "
        "taken off their names, whether values were rounded or widened to the dtype of the net's, and what "
        "was left over.",
        "Nothing, where it is what you meant; `--weights-key`, `--strip-prefix` and `--ignore-keys` "
        "choose.",
        Example(
            SMALL,
            "--input 1,8 --weights net.pth",
            "import torch\n\nfrom model import Net\n\n"
            'torch.save({"state_dict": Net().double().state_dict()}, "net.pth")\n',
        ),
    ),
    Kind(
        409,
        "code-alone",
        ("the code alone: {why}",),
        "`fx2mx check` compared the generated code, and not the weights, since the file that is named is "
        "not there.",
        "Put the checkpoint beside the generated file, beside the net, or into the current folder.",
        Example(
            SMALL,
            before="import subprocess\nimport sys\n\n"
            'words = "model.py:Net --out model_mxnet.py --input 1,8 --no-weights --no-verify '
            '--quiet".split()\n'
            'subprocess.run([sys.executable, "-m", "tracer.gen", *words], check=True)\n',
            command="fx2mx check model_mxnet.py",
        ),
    ),
)
