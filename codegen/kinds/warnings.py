"""FX3xx: the result is right, but something is frozen, left out or approximate."""

from __future__ import annotations

from codegen.kinds.kind import Example, Kind


def _net(layers: str, *lines: str) -> str:
    """A model.py with a layer, where one is given, and the lines of its forward."""
    made = f"    def __init__(self):\n        super().__init__()\n        {layers}\n\n" if layers else ""
    body = "\n".join(f"        {line}" for line in lines)
    return (
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        f"{made}    def forward(self, x):\n{body}\n"
    )


_ASKED = (
    "If other sizes are wanted, write this line so that it follows the batch: `x.shape[0]` in a view, "
    "`-1`, `torch.where`. If not, there is nothing to do: the docstring of the generated code says it too."
)

WARNINGS: tuple[Kind, ...] = (
    Kind(
        301,
        "batch-frozen",
        ("the batch size is frozen at {batch}: {why}",),
        "The net does something else at another batch size, MXNet can compute a step of it at one size "
        "alone, or `--batch frozen` asked for it. The symbol is right at this batch size, and at no other.",
        _ASKED,
        Example(_net("", "return x * (2 if x.shape[0] == 1 else 1)"), "--input 1,8"),
    ),
    Kind(
        302,
        "batch-limited",
        ("{sizes}: {why}",),
        "The net does something else, or raises, at smaller batch sizes, or at those that a number does "
        "not divide. The symbol is right at the sizes that are named.",
        _ASKED,
        Example(_net("", "return x * (1 if x.shape[0] < 2 else 2)"), "--input 2,8"),
    ),
    Kind(
        303,
        "batch-of-one",
        ("any batch size from 2 on, and 1 as far as it is compared: {why}",),
        "At a batch of one the net runs other ops than at larger ones. From two on every size is proved; "
        "at one the two frameworks are compared.",
        _ASKED,
        Example(_net("", "return x.squeeze(0).mean(-1).reshape(-1)"), "--input 1,8"),
    ),
    Kind(
        304,
        "batch-sampled",
        ("any batch size, tried at {sizes} and not proved: {why}",),
        "The batch size becomes a plain number on its way (`int(x.shape[0])`, numpy), so that what is made "
        "of it cannot be followed. The sizes that are named were tried, and all run the same ops.",
        "Compute with `x.shape[0]` itself; or be content with the sizes that were tried.",
        Example(
            _net("", "return x.view(int(x.shape[0]), 2, 4)"),
            "--input 1,8",
        ),
    ),
    Kind(
        305,
        "left-out",
        ("not tensors and left out of the outputs: {names}",),
        "`forward` returns something beside tensors; a symbol has tensors alone.",
        "Nothing, where it is not wanted; else return it as a tensor.",
        Example(_net("", 'return x + 1, "name"'), "--input 1,8"),
    ),
    Kind(
        306,
        "state-changed",
        (
            "forward changes what its module keeps: {names}; the symbol keeps nothing, and computes at "
            "each call what torch does at the first",
        ),
        "`forward` writes to a buffer or an attribute (a counter, a cache), so that torch's second call "
        "may differ from its first. A symbol keeps nothing.",
        "Take the state in as an input and return it, where the net needs it in use.",
        Example(
            _net('self.register_buffer("seen", torch.zeros(8))', "self.seen += x[0]", "return x + self.seen"),
            "--input 1,8 --batch frozen",
        ),
    ),
    Kind(
        307,
        "training-only",
        ("left out, since it is computed in training alone: {what}",),
        "In training mode `forward` computes something more, for which the symbol has no place. Inference "
        "is the same.",
        "Add it to the symbol by hand, where it is to be trained there.",
        Example(
            _net("", "if self.training:", "    x = x * 2", "return x + 1"),
            "--input 1,8",
        ),
    ),
    Kind(
        308,
        "training-chance",
        ("left out, since a random number decides on it in training alone: what runs or not at {place}",),
        "In training mode a random number decides what runs (layer drop). Inference is the same.",
        "Nothing, for inference; such layers are trained in torch.",
        Example(
            _net(
                "self.fc = nn.Linear(8, 8)",
                "if self.training and torch.rand([]) < 0.5:",
                "    return x",
                "return self.fc(x)",
            ),
            "--input 1,8",
        ),
    ),
    Kind(
        309,
        "training-unseen",
        ("what the net does in training alone is left out, since it could not be looked at: {why}",),
        "The net was run in training mode too, to see what it does there, and that failed. Inference is "
        "not concerned.",
        "Nothing, for inference.",
        Example(
            _net("", "if self.training:", '    raise ValueError("not here")', "return x + 1"),
            "--input 1,8",
        ),
    ),
    Kind(
        310,
        "trained-in-part",
        ("training moves {keys} too, which torch does not train: it is part of {name}, which is trained",),
        "One Variable of MXNet's holds several of torch's parameters (the weights of an RNN), of which "
        "torch trains some and not others. MXNet trains all of it, or nothing.",
        "Freeze all of them, or none; for inference there is nothing to do.",
        Example(
            _net(
                "self.rnn = nn.LSTM(8, 4)",
                "return self.rnn(x)[0]",
            ).replace(
                "nn.LSTM(8, 4)\n", "nn.LSTM(8, 4)\n        self.rnn.weight_hh_l0.requires_grad_(False)\n"
            ),
            "--input x=5,N,8",
        ),
    ),
    Kind(
        311,
        "prelu-slope",
        (
            "MXNet's executor gives the gradient of PReLU's slope times the slope: before training, "
            "convert with --trainable, or train by Gluon, where it is right",
        ),
        'MXNet 1.9.1\'s `LeakyReLU(act_type="prelu")` has a wrong gradient under Module. Inference is right.',
        "Convert with `--trainable` before training.",
        Example(_net("self.act = nn.PReLU()", "return self.act(x)"), "--input 1,8"),
    ),
    Kind(
        312,
        "alpha-dropout",
        ("AlphaDropout has no counterpart in MXNet: left out, which changes training only",),
        "MXNet has no op for it. In inference it does nothing.",
        "Nothing, for inference.",
        Example(_net("self.drop = nn.AlphaDropout()", "return self.drop(x) + 1"), "--input 1,8"),
    ),
    Kind(
        313,
        "rrelu",
        ("RReLU is converted to its inference form: a LeakyReLU with the mean slope",),
        "In training RReLU draws its slopes at random; in inference it takes the mean.",
        "Nothing, for inference.",
        Example(_net("self.act = nn.RReLU()", "return self.act(x)"), "--input 1,8"),
    ),
    Kind(
        314,
        "encoder-padding",
        (
            "nn.TransformerEncoder with a padding mask: what its layers compute, also at padded places, "
            "where torch's fused inference path gives zeros "
            "(torch.backends.mha.set_fastpath_enabled(False) in torch)",
        ),
        "torch has two ways to compute an encoder, which differ at padded places. The symbol computes what "
        "the layers say.",
        "Do not read the padded places, in torch or in MXNet.",
        Example(
            _net(
                "self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), "
                "1)",
                "return self.encoder(x, src_key_padding_mask=mask)",
            ).replace("self, x)", "self, x, mask)"),
            "--input 2,5,8 --input 2,5:bool --no-verify",
        ),
    ),
    Kind(
        315,
        "batchnorm-average",
        (
            "BatchNorm with momentum=None averages all batches in training, which MXNet cannot: written as "
            "momentum=0.9; inference is the same",
        ),
        "With `momentum=None` torch's moving statistics are the mean of all batches; MXNet's are a moving "
        "average.",
        "Nothing, for inference.",
        Example(_net("self.bn = nn.BatchNorm1d(8, momentum=None)", "return self.bn(x)"), "--input 1,8"),
    ),
    Kind(
        316,
        "rnn-dropout",
        ("the dropout between the layers of RNN acts in training on a GPU alone",),
        "MXNet's `RNN` has no dropout on a CPU. Inference is the same.",
        "Train on a GPU, or set it to 0.",
        Example(_net("self.rnn = nn.LSTM(8, 4, 2, dropout=0.5)", "return self.rnn(x)[0]"), "--input x=5,N,8"),
    ),
    Kind(
        317,
        "empty-boxes",
        (
            "{op}() reads boxes whose width and height must be above 0: for others MXNet 1.9.1's ROIAlign "
            "ends the process (torch gives zeros, or raises); a symbol cannot check it, so check boxes "
            "before they are given",
        ),
        "`ROIAlign` of MXNet 1.9.1 ends the process for boxes without an area, and the values of boxes are "
        "not known when the symbol is made. It takes torchvision to show it.",
        "Leave such boxes out before they are given to the net.",
        None,
    ),
    Kind(
        318,
        "unfolded",
        ("the code stands as one flat function: {why}",),
        "The code could not be written with functions and loops. It is right, and long. That is a defect "
        "of fx2mx; a net that shows one is mended, so that there is no example.",
        "Please report it with the net.",
        None,
    ),
    Kind(
        319,
        "integer-range",
        (
            "integers for {name} are from {low} to {high}: forward raises on others; give some with "
            "--input {name}=@{name}.npy",
        ),
        "The values of an input of whole numbers are random, and the net takes a part of the range alone.",
        "Nothing, where the range is right; else give integers of your own: `--input ids=@ids.npy`.",
        Example(
            _net("self.rows = nn.Parameter(torch.randn(5, 3))", "return self.rows[x]"), "--input x=1,4:int64"
        ),
    ),
    Kind(
        320,
        "in-float64",
        ("in float64, since float32 rounds this net too coarsely",),
        "torch's own float32 result is further from its float64 result than the tolerance, so that a "
        "comparison in float32 could tell nothing: both frameworks were compared in float64. In use, in "
        "float32, the two may be apart by as much as torch is from itself.",
        "Nothing, where that is precise enough; else write the step that loses digits in another way.",
        Example(_net("", "return torch.sin(1e6 * x.sum(1))"), "--input 2,64"),
    ),
    Kind(
        321,
        "training-untold",
        (
            "some are apart by no more than torch is from itself when the last bits of its weights move: "
            "{names}",
        ),
        "With `--verify training`: a gradient or a loss is apart by more than the tolerance, and torch's "
        "own moves as far when the last bits of its weights do, so that nothing can be told of it. It "
        "takes a deep net to show it.",
        "Nothing; a smaller part of the net can be compared with `--tap`.",
        None,
    ),
)
