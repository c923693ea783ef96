"""Losses: torch.nn's classes, in inference."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import Ints, case, fn, positive

X = (3, 4)
SHARES = positive(3, 4, low=0.05, high=0.95)
SIGNS = torch.tensor([[1.0, -1.0, 1.0, -1.0]] * 3)
ROW_SIGNS = torch.tensor([1.0, -1.0, 1.0])
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.1])

for how in ("mean", "sum", "none"):
    case(f"mse_loss {how}", nn.MSELoss(reduction=how), X, X)
    case(f"l1_loss {how}", nn.L1Loss(reduction=how), X, X)
    case(f"smooth_l1_loss {how}", nn.SmoothL1Loss(reduction=how, beta=0.4), X, X)
    case(f"huber_loss {how}", nn.HuberLoss(reduction=how, delta=0.4), X, X)
    case(f"kl_div {how}", nn.KLDivLoss(reduction=how), X, SHARES)
    case(f"bce {how}", nn.BCELoss(reduction=how), SHARES, SHARES.flip(0))
    case(f"bce logits {how}", nn.BCEWithLogitsLoss(reduction=how), X, SHARES)
    case(f"nll_loss {how}", nn.NLLLoss(reduction=how), X, Ints((3,), 4))
    case(f"cross_entropy {how}", nn.CrossEntropyLoss(reduction=how), X, Ints((3,), 4))
    case(
        f"cross_entropy all {how}",
        nn.CrossEntropyLoss(WEIGHT, ignore_index=1, reduction=how, label_smoothing=0.2),
        X,
        Ints((3,), 4),
    )
    case(
        f"cross_entropy shares {how}",
        nn.CrossEntropyLoss(WEIGHT, reduction=how, label_smoothing=0.2),
        X,
        SHARES,
    )
    case(f"poisson_nll_loss {how}", nn.PoissonNLLLoss(full=True, reduction=how), X, positive(3, 4))
    case(f"gaussian_nll_loss {how}", nn.GaussianNLLLoss(full=True, reduction=how), X, X, positive(3, 4))
    case(f"hinge_embedding_loss {how}", nn.HingeEmbeddingLoss(0.5, reduction=how), X, SIGNS)
    case(f"margin_ranking_loss {how}", nn.MarginRankingLoss(0.2, reduction=how), (3,), (3,), ROW_SIGNS)
    case(f"soft_margin_loss {how}", nn.SoftMarginLoss(reduction=how), X, SIGNS)
    case(f"cosine_embedding_loss {how}", nn.CosineEmbeddingLoss(0.1, reduction=how), X, X, ROW_SIGNS)
    case(
        f"multilabel_soft_margin_loss {how}",
        nn.MultiLabelSoftMarginLoss(WEIGHT, reduction=how),
        X,
        Ints(X, 2),
    )
    case(f"multi_margin_loss {how}", nn.MultiMarginLoss(2, 0.5, WEIGHT, reduction=how), X, Ints((3,), 4))
    case(f"triplet_margin_loss {how}", nn.TripletMarginLoss(swap=True, reduction=how), X, X, X)
fn("multi_margin_loss of a vector", lambda x: F.multi_margin_loss(x.sum(0), torch.tensor(3)), (2, 5))
case("smooth_l1_loss beta 0", nn.SmoothL1Loss(beta=0.0), X, X)
fn("kl_div log target broadcast", lambda x: F.kl_div(x, x[0], reduction="none", log_target=True), (2, 3))
fn(
    "cosine_embedding_loss of other targets",
    lambda x: F.cosine_embedding_loss(x, x[:1], x[:, 0].round()),
    (4, 3),
)
case("kl_div log target batchmean", nn.KLDivLoss(reduction="batchmean", log_target=True), X, X)
case("bce weight", nn.BCELoss(WEIGHT), SHARES, SHARES.flip(0))
case("bce logits weights", nn.BCEWithLogitsLoss(WEIGHT, pos_weight=WEIGHT * 2), X, SHARES)
case("cross_entropy of images", nn.CrossEntropyLoss(), (2, 4, 3, 3), Ints((2, 3, 3), 4))
case("nll_loss of images weight", nn.NLLLoss(WEIGHT), (2, 4, 3, 3), Ints((2, 3, 3), 4))
case("poisson_nll_loss plain", nn.PoissonNLLLoss(log_input=False), SHARES, positive(3, 4))
case("triplet distance", nn.TripletMarginWithDistanceLoss(margin=0.3), X, X, X)
case("hinge_embedding_loss of other targets", nn.HingeEmbeddingLoss(), (2, 3), (2, 3))


class Ctc(nn.Module):
    """A loss of four samples of twelve frames and five classes, the last of the samples impossible."""

    def __init__(self, joined=False, **options):
        super().__init__()
        self.loss = nn.CTCLoss(**options)
        labels = [[1, 2, 1, 3], [2, 2, 3, 1], [4, 1, 3, 3], [1, 1, 1, 1]]
        counts = [4, 3, 1, 4]
        self.counts, self.frames = torch.tensor(counts), torch.tensor([12, 9, 11, 4])
        self.labels = torch.tensor(
            [y for row, n in zip(labels, counts, strict=True) for y in row[:n]] if joined else labels
        )

    def forward(self, x):
        return self.loss(x, self.labels, self.frames, self.counts)


SCORES = torch.randn(12, 4, 5)
case("ctc_loss", Ctc(reduction="none"), SCORES)
case("ctc_loss mean", Ctc(zero_infinity=True), SCORES)
case("ctc_loss joined", Ctc(joined=True, reduction="sum", zero_infinity=True), SCORES)
case("ctc_loss blank", Ctc(blank=0, reduction="none", zero_infinity=True), SCORES.log_softmax(2))
fn(
    "ctc_loss of a log_softmax, another blank",
    lambda x: F.ctc_loss(
        x.log_softmax(2),
        torch.tensor([[0, 1, 4]] * 4),
        (12, 12, 9, 8),
        (3, 2, 1, 3),
        blank=2,
        reduction="none",
    ),
    SCORES,
)

FAR = torch.tensor([[-100.0, -20.0, 5.0, 15.0]])
fn("soft_margin_loss of far values", lambda x: F.soft_margin_loss(x, torch.ones(1, 4), reduction="none"), FAR)
fn(
    "soft_margin_loss that is small",
    lambda x: F.soft_margin_loss(x, torch.ones(1, 4), reduction="none"),
    abs(FAR) + 15,
)
# Where they are small, relative to nothing larger.
SMALL = -15 - torch.arange(4.0)[None] / 8
fn("softplus that is small", F.softplus, SMALL)
fn("log of softplus", lambda x: torch.log(F.softplus(x, 2.0)), SMALL / 2)
fn("logsigmoid that is small", F.logsigmoid, -SMALL)
fn(
    "bce logits that are small",
    lambda x: F.binary_cross_entropy_with_logits(x, x * 0, reduction="none"),
    SMALL,
)
