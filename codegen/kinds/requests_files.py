"""FX23x to FX25x: wrong requests of files, of weights and of what is installed (exit status 2)."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind
from codegen.kinds.requests_nets import SMALL

_SAVE = "import torch\n\nfrom model import Net\n\n"

FILES: tuple[Kind, ...] = (
    Kind(
        230,
        "weights-file",
        (
            "... is neither a file nor a folder: give the weights file",
            "... cannot be read: ...",
            "... is empty: save or download it again",
            "... is a Git LFS pointer, not the weights: run `git lfs pull`",
            "... is a compressed zip, which torch.save does not write: save it again with torch.save, or "
            "name it .npz if numpy wrote it",
            "... holds ..., not a state dict: save one with ...",
            "... holds no tensors (its keys: ...): give a state dict, or one under ...",
        ),
        "The file of `--weights` is not there, is no file of weights, or is damaged.",
        "Download or save it again: `torch.save(model.state_dict(), ...)`.",
        Example(SMALL, "--input 1,8 --weights net.pth", 'open("net.pth", "w").close()\n'),
    ),
    Kind(
        231,
        "weights-code",
        (
            "... holds a whole pickled nn.Module, ..., and to read it runs its code: where you trust it, "
            "and "
            "its class can be imported, save its state dict\n  import torch; net = ...\n  "
            "torch.save(net.state_dict(), ...)",
            "... cannot be read without running code of its own (...): where you trust it, load it with "
            "torch.load(..., weights_only=False) and save the state dict alone with "
            'torch.save(model.state_dict(), "weights.pth")',
            "... is a TorchScript archive: save its state dict with ...",
        ),
        "To read the file would run code that its author put into it. fx2mx executes nothing of a "
        "checkpoint.",
        "Where you trust the file, load it in torch and save the state dict alone, as the message shows.",
        Example(SMALL, "--input 1,8 --weights net.pth", _SAVE + 'torch.save(Net(), "net.pth")\n'),
    ),
    Kind(
        232,
        "weights-fit",
        (
            "... does not fit ..., which has fewer keys: build it to fit with --kwargs, or leave ",
            "... does not fit ...: give the weights of this net, or build it to fit with --kwargs",
            "the weights do not fit ...: ...",
        ),
        "The keys or shapes of the checkpoint are not the net's. They are matched strictly.",
        "Build the net to fit (`--kwargs`), give its own weights, or leave keys out with `--ignore-keys`.",
        Example(
            SMALL, "--input 1,8 --weights net.pth", _SAVE + 'torch.save(Net(5).state_dict(), "net.pth")\n'
        ),
    ),
    Kind(
        233,
        "weights-choice",
        (
            "... holds the weights of ... ...: say which, such as ...",
            "--strip-prefix ...: no key of ... begins so; they begin with ...",
            "--weights-key ...: ... has no state dict there; ...",
        ),
        "The file holds the net's weights more than once, with values that differ; or `--weights-key` or "
        "`--strip-prefix` names none of them.",
        "Say which: `--weights-key`, `--strip-prefix`.",
        Example(
            SMALL,
            "--input 1,8 --weights net.pth",
            _SAVE + 'torch.save({"net": Net().state_dict(), "ema": Net().state_dict()}, "net.pth")\n',
        ),
    ),
    Kind(
        234,
        "weights-shards",
        (
            "... is a folder without a weights file: give one, or a folder of one (...)",
            "... is a folder of ... weights files: give one of ...",
            "... is no index of weights, whose weight_map names a file for each key: give ... or ...",
            "... is no JSON that can be read: download it again (...)",
            "... names ..., which is not in its folder: download it too",
            "... names ..., which is no weights file in its folder: download it again",
            "... holds a ..., not the tensors that ... names",
            "... lacks ..., which ... names: download both again",
            "... has ..., which another shard of ... has: download them again",
        ),
        "A folder of weights, or the index of several files, is not whole.",
        "Give one file, or download what is missing.",
        Example(SMALL, "--input 1,8 --weights weights", 'import os\n\nos.mkdir("weights")\n'),
    ),
    Kind(
        235,
        "weights-range",
        ("... holds whole numbers beyond 2^24, which ... does not hold",),
        "A buffer of whole numbers is kept in float32 in MXNet, where its values were small when the net "
        "was traced, and has others now. It is a guard: no net is known that meets it.",
        "Convert the net again, with the numbers that it has now.",
        None,
    ),
    Kind(
        236,
        "out",
        (
            "--out ... is a folder; name a file in it: ...",
            "--out ...: the generated file is Python code; give it a name that ends in .py",
            "--out ...: in its folder `import mxnet` would find it; give it another name",
            "--out ...: there is no folder ...; make it first: mkdir -p ...",
            "--out ...: ... is a folder; it must make room for a file",
            "--out ...: cannot write to the folder ...: ...",
            "--out ...: ...; give a shorter one",
            "--out ... is the file that defines the net: give another name",
        ),
        "No generated code can be written under the name that `--out` gives.",
        "Give a name that ends in `.py`, in a folder that is there.",
        Example(SMALL, command="python -m tracer.gen model.py:Net --out build/model_mxnet.py"),
    ),
    Kind(
        237,
        "cannot-write",
        ("cannot write ...: ...; nothing was written",),
        "The disk refused a file: it is full, or may not be written. What stood there stands there still.",
        "Make room, or give another folder. No small net shows it.",
        None,
    ),
    Kind(
        238,
        "report-file",
        (
            "--report ...: give a name that ends in ..., or - for the summary alone",
            "--report ... is a folder; name a file in it: ...",
            "--report ...: there is no folder ...; make it first",
        ),
        "No report can be written under the name that `--report` gives.",
        "Give a name with an ending that the message lists, in a folder that is there.",
        Example(SMALL, "--input 1,8 --report review.txt"),
    ),
    Kind(
        240,
        "no-mxnet",
        (
            "there is no mxnet here; install it: ... (or name a Python that has it: --mxnet-python)",
            "mxnet cannot be imported (...); install it anew: ...",
        ),
        "The symbol is made by mxnet, which is not installed here. That is of the machine, not of a net.",
        "`pip install --no-deps mxnet==1.9.1`; or `--mxnet-python PATH`; or `--no-weights --no-verify`, "
        "which does without. `fx2mx doctor` says what is installed.",
        None,
    ),
    Kind(
        241,
        "mxnet-python",
        ("--mxnet-python ...: ...", "--mxnet-python ...: no Python with numpy runs there (see above)"),
        "What `--mxnet-python` names does not run, or has no mxnet or numpy.",
        "Give the path of a Python in which `import mxnet` works.",
        Example(SMALL, "--input 1,8 --mxnet-python nowhere/python"),
    ),
    Kind(
        242,
        "templates",
        (
            "--templates ...: there is no such folder",
            "--templates ...: there is no ... file in it; ...",
            "--templates ...: ... replaces nothing, and no other reads it; ...",
            "--templates ...: ...: it reads itself; fx2mx's own is .../...",
            "--templates ...: what they print is no Python: ...",
            "--templates ...: the code that they print fails: ...",
        ),
        "Your own templates cannot be read, or print what is no code of the net.",
        "docs/templates.md has what each template is given, and examples.",
        Example(SMALL, "--input 1,8 --templates look"),
    ),
    Kind(
        243,
        "plugin",
        (
            "--plugin ...: there is no such file",
            "--plugin ...: it is not a Python file",
            "the rule of ... reads ..., a ...: it must be a tensor, a number, a text or a tuple",
        ),
        "The file with your own rules cannot be run, or a rule reads what no op can be given.",
        "docs/guides/your-own-op.md has an example that works.",
        Example(SMALL, "--input 1,8 --plugin ops.py"),
    ),
    Kind(
        244,
        "project",
        (
            "there is no SPEC, and no pyproject.toml with [...] here or above: give SPEC, as in\n  fx2mx "
            "model.py:XXNet --out model_mxnet.py\n--help tells more",
            "...: [...] is no table: write ...",
            "...: [...] lists no nets: write ...",
            '...: two nets have out = "..."',
            "...: kwargs is no table of plain values, such as {num_classes = 10}",
            "... has no key ...: it takes ...",
            "... needs ..., a text: write ...",
            '... is no list of texts, such as ["--optimize"]',
        ),
        "The command was given no net, and `[tool.fx2mx]` of pyproject.toml lists none, or is wrong.",
        "Give SPEC and `--out`, or list the nets: docs/guides/several-nets.md.",
        Example(SMALL, command="fx2mx"),
    ),
    Kind(
        245,
        "no-head",
        (
            "... has no head with the command that makes it (... ...): was it generated?",
            "there is no generated file here or below",
        ),
        "`fx2mx check` reads the command in the head of a generated file, and this file has none.",
        "Name a generated file, or generate it again.",
        Example(SMALL, command="fx2mx check model.py"),
    ),
    Kind(
        250,
        "not-a-report",
        (
            "... is no report of fx2mx: give a file that --report wrote, or what --format json prints with "
            "--report",
            "... cannot be read: ...; give a report, as --report review.md writes it",
            "... is not whole: ...; give the file as --report wrote it",
            "...:...: ...: ...; make the report anew",
            "...: ...: it was edited, or another fx2mx wrote it; make the report anew",
            "... is a page without the data of its review: an older fx2mx wrote it; make the report anew",
            "... is no whole JSON (...); give the file as fx2mx wrote it",
            "... has form ..., and this fx2mx reads ...: fx2mx ... wrote it; install that one",
            "... has no review: --format json has one with --report, once the net was compared",
            "... tells of a net that is refused or differs: only reports of nets that were converted have "
            "what can be compared",
            "... tells of a port: only reports of nets that were converted have what can be compared",
        ),
        "`fx2mx report-diff` was given a file that is no report of a converted net, is a part of one, was "
        "edited, or was written by another fx2mx in a form that this one does not read.",
        "Give two reports: `review.md` or `review.html` of `--report`, or the document of `--format json` "
        "with `--report`. One of an older fx2mx is made anew by the command that it names.",
        Example(SMALL, command="fx2mx report-diff model.py model.py"),
    ),
)
