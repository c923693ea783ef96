"""FX20x to FX22x: what is wrong of the command line, SPEC, the net or its inputs (exit status 2)."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind

SMALL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc = nn.Linear(8, width)

    def forward(self, x):
        return self.fc(x)
"""
TWO = """\
from torch import nn


class Net(nn.Module):
    def forward(self, image, scale):
        return image * scale
"""
_GEN = "python -m tracer.gen"


def _forward(*lines: str) -> str:
    """A model.py whose forward is these lines."""
    body = "\n".join(f"        {line}" for line in lines)
    return (
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        f"    def forward(self, x):\n{body}\n"
    )


REQUESTS: tuple[Kind, ...] = (
    Kind(
        200,
        "request",
        (),
        "The request is wrong in a way that has no kind of its own yet. The message says how.",
        "What the message says.",
        None,
    ),
    Kind(
        201,
        "command-line",
        (
            "No such option: ...",
            "Missing option '--out'.",
            "Invalid value for ...",
            "--tolerance nan is no bound",
        ),
        "The command line cannot be read: an option that there is not, one that is missing, a value that "
        "it does not take, or two that exclude each other.",
        "`--help` lists the options; docs/command-line.md too.",
        Example(SMALL, command=f"{_GEN} model.py:Net"),
    ),
    Kind(
        202,
        "spec-form",
        (
            "SPEC ... has no ':': write it as ...",
            "SPEC ... does not name a module: write it as ...",
            "... is a folder: give a Python file in it, as ...",
            "... is neither a Python file nor a module's name: write SPEC as ...",
        ),
        "SPEC says in which file or module the net is, and how it is called there; one of the two is "
        "missing.",
        "Write `path/model.py:Name` or `package.module:Name`.",
        Example(SMALL, command=f"{_GEN} model.py --out model_mxnet.py"),
    ),
    Kind(
        203,
        "no-such-model",
        (
            "no such file: ...",
            "no such module: ..., neither in the current folder nor installed (SPEC is ...)",
        ),
        "There is no file or module of that name. SPEC is seen from the folder in which the command runs.",
        "Go to the folder of the net, or give the path from here.",
        Example(SMALL, command=f"{_GEN} models/model.py:Net --out model_mxnet.py"),
    ),
    Kind(
        204,
        "no-such-name",
        ("no ... in ...",),
        "The file was imported, and has no such name.",
        "Take one of those that the message lists; a net that is built within a function is reached by "
        "that function's name.",
        Example(SMALL, command=f"{_GEN} model.py:Nett --out model_mxnet.py"),
    ),
    Kind(
        205,
        "not-a-module",
        (
            "... in ... is a class, but not an nn.Module...",
            "... in ... is of type ..., not an nn.Module class, a module, or a function that returns "
            "one...",
            "...() returned ...: it must return one nn.Module",
            "convert() takes an nn.Module, not ...",
        ),
        "What SPEC names is no `nn.Module`, and does not return one.",
        "Name the class, a function that returns one module, or a module.",
        Example("def Net():\n    return 1\n"),
    ),
    Kind(
        206,
        "torch-jit",
        (
            "... loads a net of torch.jit, whose code is not Python: build the net by its class, and give "
            "the state_dict() of this one as --weights",
            "the net is ... of torch.jit, whose code is not Python: give the module that torch.jit.script "
            "or torch.jit.trace was called with, and the state_dict() of this one as weights",
        ),
        "The net is a module of `torch.jit`: its code is not Python, which is what is recorded.",
        "Build the net by its class, and give the `state_dict()` of this one as `--weights`.",
        Example(
            'import torch\n\n\ndef Net():\n    return torch.jit.load("net.pt")\n',
            before="import torch\n\nnet = torch.jit.trace(torch.nn.Linear(8, 4), torch.ones(1, 8))\n"
            'net.save("net.pt")\n',
        ),
    ),
    Kind(
        207,
        "kwargs-form",
        (
            "--kwargs ...: this is no dict; write ...",
            "--kwargs ...: this names no argument; write ...",
            "--kwargs ...: ... is no name of an argument; write ...",
            "--kwargs ...: ... is given twice",
            "--kwargs ...: this is neither JSON (...) nor Python; write ...",
        ),
        "`--kwargs` cannot be read.",
        "Write `--kwargs num_classes=10`, as often as there are arguments, or a dict in JSON or Python.",
        Example(SMALL, "--kwargs '{width: 5'"),
    ),
    Kind(
        208,
        "kwargs-fit",
        (
            "... in ... is a module already: leave out --kwargs",
            "... takes no argument ...",
            "... needs the ...: give ...",
        ),
        "The net takes other arguments than those of `--kwargs`: one that it needs is missing, or it does "
        "not know one.",
        "Give each argument that has no default. What is no plain value is built in a function of a file "
        "of your own, which SPEC names.",
        Example(SMALL.replace("width=4", "width")),
    ),
    Kind(
        209,
        "net-raised",
        (),
        "Your own code raised: when the file was imported, when the net was built, or when it was run on "
        "these inputs. The traceback has your frames alone.",
        "Where it says that shapes do not fit, give the shape with which the net is trained as `--input`. "
        "Else run the net in torch by itself: it raises there too.",
        Example(SMALL, "--input 1,9"),
    ),
    Kind(
        210,
        "needs-gpu",
        ("the net's code asks for a GPU, and fx2mx runs it on the CPU...",),
        'The code of the net names a device (`.cuda()`, `device="cuda"`). The conversion runs on the CPU.',
        "Take the device of what is there: `x.to(next(self.parameters()).device)`; or leave it out.",
        Example(_forward("return x.cuda() + 1"), "--input 1,8"),
    ),
    Kind(
        211,
        "ends-process",
        ("... ends the process when it is imported...",),
        "The file is a script: importing it runs it, and it ends the process (it reads a command line, or "
        "calls `exit`).",
        'Put what runs under `if __name__ == "__main__":`, or the net into a file of its own.',
        Example(SMALL + "\n\nexit()\n"),
    ),
    Kind(
        212,
        "no-copy",
        ("the net cannot be copied, and a copy is what is run (...): ...",),
        "Your net is left as it was: a copy of it is run. This one holds something that cannot be copied, "
        "such as a lock or an open file.",
        "Set the attribute after the conversion, or give the module a `__deepcopy__`.",
        Example(
            "import threading\n\n"
            + SMALL.replace("width)", "width)\n        self.lock = threading.Lock()", 1).replace(
                "width=4)", "width=4)"
            ),
            "--input 1,8",
        ),
    ),
    Kind(
        213,
        "meta-device",
        (
            "... on the meta device: they have no values to convert; build the net on the CPU, or call "
            'net.to_empty(device="cpu") and load its weights',
        ),
        'The net was built without values (`torch.device("meta")`), so that there are none to convert.',
        'Build the net on the CPU, or call `net.to_empty(device="cpu")` and load its weights.',
        Example(SMALL.replace("Linear(8, width)", 'Linear(8, width, device="meta")'), "--input 1,8"),
    ),
    Kind(
        214,
        "no-output",
        ("forward of ... returns no tensor: a symbol needs an output",),
        "`forward` returns nothing, or only values that are no tensors.",
        "Return the tensors that are wanted, or name modules whose outputs are with `--tap`.",
        Example(_forward('return {"name": "net"}'), "--input 1,8"),
    ),
    Kind(
        215,
        "input-form",
        ("--input ...: ...; write ...",),
        "`--input` cannot be read.",
        "Write `[NAME=]DIMS[:DTYPE]`, such as `1,3,224,224` or `ids=1,128:int64`, or `NAME=@FILE.npy`.",
        Example(SMALL, "--input 1,8:float"),
    ),
    Kind(
        216,
        "input-names",
        (
            "... needs the ... ... too: add ...",
            "--input ...: one too many, since ... takes ...",
            "--input ...: forward has no parameter ..., it takes ...",
            "--input ...: ... is given twice",
            "forward(...) of ... names no inputs: give forward named parameters",
            "... given, but ... takes ...",
        ),
        "The inputs that are given are not those that `forward` takes.",
        "One `--input` for each parameter of `forward` that has no default, in their order or by name.",
        Example(TWO, "--input 1,3,8,8"),
    ),
    Kind(
        217,
        "input-file",
        (
            "--input ...: no such file: ...",
            "--input ...: ... is no .npy file that can be read (...)",
            "--input ...: ... holds several arrays; save one with numpy.save",
            "--input ...: ... holds ...; save one of ...",
            "--input ...: ... has no elements, its shape is ...",
        ),
        "The file of an `--input NAME=@FILE.npy` cannot be taken.",
        "Save one array with `numpy.save`, in one of the dtypes that the message lists.",
        Example(SMALL, "--input x=@x.npy"),
    ),
    Kind(
        218,
        "input-type",
        (
            "input ... is of type ...: inputs are tensors, so give forward a default for it, or wrap the "
            "net in a module that sets it",
            "input ... is of type ...: inputs are tensors, or lists, tuples and dicts of tensors, so give "
            "forward a default for it, or wrap the net in a module that sets it",
            "input ... is ...: inputs are one of ...",
        ),
        "In Python, `convert(net, inputs)` was given what is no tensor, or a tensor of a dtype that MXNet "
        "has not.",
        "Wrap the net in a module that sets the value, and takes the tensors alone.",
        Example(
            _forward("return x + 1"),
            command="python before.py",
            before="import torch\n\nimport tracer\nfrom model import Net\n\n"
            "try:\n    tracer.convert(Net(), (torch.ones(1, 8, dtype=torch.complex64),))\n"
            'except tracer.RequestError as error:\n    print(f"{error}  ({error.number})")\n',
        ),
    ),
    Kind(
        219,
        "no-inputs",
        ("no input was found... on which ... runs (... tried): give the shapes, such as ...",),
        "`--input` was left out, and none of the shapes that the layers could take lets the net run.",
        "Give the shapes. `--search-seconds` looks longer.",
        Example(_forward("return x.view(7, 13)")),
    ),
    Kind(
        220,
        "no-integers",
        ("...\nintegers were tried for ..., and fewer: if it takes others, give ...",),
        "An input of whole numbers was made of random ones, and the net raises on each range that was "
        "tried.",
        "Give integers that the net takes, as a file of `numpy.save`: `--input ids=@ids.npy`.",
        Example(
            _forward("if (x < 0).all():", "    return x", 'raise ValueError("below 0 alone")').replace(
                "if (x < 0).all():", "if x.dtype != torch.int64 or bool((x < 0).all()):"
            ),
            "--input x=1,8:int64",
        ),
    ),
    Kind(
        221,
        "tap",
        (
            "--tap ...: the net has no module of that path...",
            "--tap ...: this module is of torch.jit, which runs without Python",
            "--tap ...: forward does not call this module, so that it has no output",
            "--tap ...: this module returns no tensor",
        ),
        "What `--tap` names is no module of the net, or one whose output `forward` never has.",
        "Give the path of a module as `named_modules()` has it, such as `layer1.0.conv2`.",
        Example(SMALL, "--input 1,8 --tap fc1"),
    ),
    Kind(
        222,
        "softmax",
        (
            "--softmax needs a net with one output; this one has ...",
            "--softmax needs an output of shape (N, classes); this net's is (...)",
        ),
        "`--softmax` puts `SoftmaxOutput` behind the net, which takes scores of classes.",
        "Leave `--softmax` out, or name the module that gives the scores with `--tap`.",
        Example(SMALL, "--input 1,3,8 --softmax"),
    ),
    Kind(
        223,
        "free-sizes",
        (
            "--free H,W is for nets whose inputs are images (N, C, height, width) of floats; this net "
            "takes ...",
        ),
        "`--free H,W` asks that height and width of images may change, and the net takes none.",
        "Leave `--free` out.",
        Example(SMALL, "--input 1,8 --free H,W"),
    ),
)
