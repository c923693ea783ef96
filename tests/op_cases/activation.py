"""Activations: all of torch.nn's, with arguments that are not the default."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import case, fn, positive

X = (3, 4, 5)
WIDE = torch.linspace(-30, 30, 3 * 61).reshape(3, 61)
for name, module in {
    "celu": nn.CELU(),
    "celu alpha": nn.CELU(0.4),
    "elu": nn.ELU(),
    "elu alpha": nn.ELU(0.4),
    "elu inplace": nn.ELU(0.7, inplace=True),
    "gelu": nn.GELU(),
    "gelu tanh": nn.GELU("tanh"),
    "glu": nn.GLU(1),
    "hardshrink": nn.Hardshrink(),
    "hardshrink lambd": nn.Hardshrink(0.9),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardswish": nn.Hardswish(),
    "hardtanh": nn.Hardtanh(),
    "hardtanh bounds": nn.Hardtanh(-0.3, 0.7),
    "leaky_relu": nn.LeakyReLU(),
    "leaky_relu slope": nn.LeakyReLU(0.3),
    "leaky_relu slope 0.25": nn.LeakyReLU(0.25),
    "leaky_relu inplace": nn.LeakyReLU(0.1, inplace=True),
    "log_sigmoid": nn.LogSigmoid(),
    "log_softmax": nn.LogSoftmax(1),
    "mish": nn.Mish(),
    "prelu": nn.PReLU(),
    "prelu channels": nn.PReLU(4),
    "relu": nn.ReLU(),
    "relu inplace": nn.ReLU(inplace=True),
    "relu6": nn.ReLU6(),
    "rrelu": nn.RReLU(),
    "rrelu bounds": nn.RReLU(0.1, 0.5),
    "selu": nn.SELU(),
    "sigmoid": nn.Sigmoid(),
    "silu": nn.SiLU(),
    "softmax": nn.Softmax(1),
    "softmax last": nn.Softmax(-1),
    "softmax implicit": nn.Softmax(),
    "softmin": nn.Softmin(1),
    "softplus": nn.Softplus(),
    "softplus beta": nn.Softplus(2.5),
    "softplus threshold": nn.Softplus(1, 0.5),
    "softplus beta threshold": nn.Softplus(0.5, 3),
    "softshrink": nn.Softshrink(),
    "softshrink lambd": nn.Softshrink(0.2),
    "softsign": nn.Softsign(),
    "tanh": nn.Tanh(),
    "tanhshrink": nn.Tanhshrink(),
    "threshold": nn.Threshold(0.2, -3),
    "threshold 0": nn.Threshold(0, 0),
    "dropout": nn.Dropout(0.3),
    "dropout 0.5": nn.Dropout(),
    "dropout none": nn.Dropout(0.0),
    "dropout all": nn.Dropout(1.0),
    "dropout inplace": nn.Dropout(0.3, inplace=True),
    "dropout1d": nn.Dropout1d(),
    "alpha_dropout": nn.AlphaDropout(),
    "feature_alpha_dropout": nn.FeatureAlphaDropout(),
    "identity": nn.Identity(),
}.items():
    case(name, nn.Sequential(module), X)
    if name in {
        "hardshrink",
        "softplus",
        "softplus threshold",
        "log_sigmoid",
        "mish",
        "gelu tanh",
        "silu",
        "celu alpha",
        "hardswish",
    }:
        case(f"{name} far", nn.Sequential(module), WIDE)
case("softmax2d", nn.Softmax2d(), (2, 3, 4, 5))
case("dropout2d", nn.Dropout2d(), (2, 3, 4, 5))
case("dropout3d", nn.Dropout3d(), (2, 3, 2, 4, 5))
case("prelu of vectors", nn.PReLU(5), (3, 5))
case("prelu of a vector", nn.PReLU(), (5,))
case("prelu of images", nn.PReLU(5), (3, 5, 2, 2))
case("prelu then used", nn.Sequential(nn.PReLU(1), nn.PReLU(3)), (2, 3, 4, 4))
fn("softmax of 4 axes implicit", lambda x: F.softmax(x), (2, 3, 4, 5))
fn("softmax method", lambda x: x.softmax(-2), (2, 3, 4, 5))
fn("softmax dtype", lambda x: x.softmax(-1, dtype=torch.float64), (2, 3))
fn("softmax of a vector", lambda x: torch.softmax(x, 0), (5,), frozen=False)
fn("log_softmax method", lambda x: x.log_softmax(dim=1), (2, 3, 4))
fn("softmin functional", lambda x: F.softmin(x, dim=0), (2, 3, 4))
fn("relu of whole numbers", lambda x: F.relu(x), torch.arange(-6, 6).reshape(2, 6))
fn("relu method in place", lambda x: (x + 1).relu_(), X)
fn("clamp then sigmoid_", lambda x: x.clone().sigmoid_().tanh_(), X)
fn("hardtanh functional", lambda x: F.hardtanh(x, -2.0, 0.5), X)
fn("relu6 far", lambda x: F.relu6(x * 6), X)
fn("hardswish functional", lambda x: F.hardswish(x * 3, inplace=True), X)
fn("glu last", lambda x: F.glu(x), (3, 4, 6))
fn("glu middle", lambda x: F.glu(x, 1), (3, 4, 6))
fn("threshold functional", lambda x: F.threshold(x, 0.1, 20), X)
fn("elu functional", lambda x: F.elu(x, 0.3), X)
fn("prelu functional", lambda x, w: F.prelu(x, w), (3, 4, 5), positive(4))
fn("dropout functional", lambda x: F.dropout(x, 0.3, training=False), X)
fn(
    "dropout training",
    lambda x: F.dropout(x, 0.3),
    X,
    refuses="dropout() with training=True, which is random",
    why="MXNet's Dropout drops in training only, or with mode='always' by other random numbers",
    hint="pass training=self.training",
)
fn(
    "rrelu in training",
    lambda x: F.rrelu(x, training=True),
    (2, 3),
    refuses="rrelu() with training=True, which is random",
    hint="pass training=self.training",
    why="random numbers",
)
