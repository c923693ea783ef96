"""Attention, transformers and einsum."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.op_cases import case, fn

Q, K, V = (2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)
CAUSAL = torch.ones(5, 5).triu(1).bool()
PADDING = torch.tensor([[False] * 5, [False, False, False, True, True]])

fn("sdpa", lambda q, k, v: F.scaled_dot_product_attention(q, k, v), Q, K, V)
fn("sdpa causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), Q, K, V)
fn("sdpa causal square", lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True), Q)
fn("sdpa scale", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3), Q, K, V)
fn(
    "sdpa float mask",
    lambda q, k, m: F.scaled_dot_product_attention(q, k, k, attn_mask=m),
    Q,
    K,
    torch.randn(5, 6),
)
fn("sdpa bool mask", lambda q: F.scaled_dot_product_attention(q, q, q, attn_mask=~CAUSAL), Q)
fn(
    "sdpa bool mask of an input",
    lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m[:, None, None] > -1),
    Q,
    (2, 5),
)
SOME = torch.tensor([[True, False], [False, False], [True, True]])
fn(
    "sdpa bool mask that keeps nothing of a row",
    lambda q, k: F.scaled_dot_product_attention(q, k, k, attn_mask=SOME),
    (2, 4, 3, 4),
    (2, 4, 2, 4),
)
fn(
    "sdpa infinite mask that keeps nothing of a row",
    lambda q, k: F.scaled_dot_product_attention(
        q, k, k, attn_mask=torch.zeros(3, 2).masked_fill(~SOME, -torch.inf)
    ),
    (2, 4, 3, 4),
    (2, 4, 2, 4),
)
fn(
    "sdpa bool mask of an input that keeps nothing of a row",
    lambda q, k, m: F.scaled_dot_product_attention(q, k, k, attn_mask=m > 0),
    (2, 4, 3, 4),
    (2, 4, 2, 4),
    torch.where(SOME, 1.0, -1.0).expand(2, 1, 3, 2).clone(),
)
fn("sdpa three axes", lambda q, k: F.scaled_dot_product_attention(q, k, k), (2, 5, 4), (2, 6, 4))
fn(
    "sdpa grouped",
    lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True),
    (2, 4, 5, 4),
    (2, 2, 6, 4),
)


class SelfAttention(nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        self.options = {k: kwargs.pop(k) for k in list(kwargs) if k in FORWARD}
        self.attention = nn.MultiheadAttention(*args, **kwargs)

    def forward(self, x):
        return self.attention(x, x, x, **self.options)


class CrossAttention(nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        self.options = {k: kwargs.pop(k) for k in list(kwargs) if k in FORWARD}
        self.attention = nn.MultiheadAttention(*args, **kwargs)

    def forward(self, q, k, v):
        return self.attention(q, k, v, **self.options)


FORWARD = {"attn_mask", "key_padding_mask", "need_weights", "average_attn_weights", "is_causal"}
X = (2, 5, 8)
case("attention", SelfAttention(8, 2, batch_first=True), X)
case("attention steps first", SelfAttention(8, 2), (5, 2, 8))
case("attention no bias", SelfAttention(8, 2, bias=False, batch_first=True), X)
case("attention bias_kv", SelfAttention(8, 2, add_bias_kv=True, batch_first=True), X)
case("attention zero", SelfAttention(8, 2, add_zero_attn=True, batch_first=True), X)
case(
    "attention bias_kv zero mask",
    SelfAttention(8, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True, attn_mask=CAUSAL),
    X,
)
case("attention no weights", SelfAttention(8, 2, batch_first=True, need_weights=False), X)
case("attention weights of heads", SelfAttention(8, 2, batch_first=True, average_attn_weights=False), X)
case("attention causal mask", SelfAttention(8, 2, batch_first=True, attn_mask=CAUSAL), X)
case(
    "attention is_causal",
    SelfAttention(8, 2, batch_first=True, attn_mask=CAUSAL, is_causal=True, need_weights=False),
    X,
)
case("attention float mask", SelfAttention(8, 2, batch_first=True, attn_mask=torch.randn(5, 5)), X)
case(
    "attention infinite mask",
    SelfAttention(8, 2, batch_first=True, attn_mask=torch.full((5, 5), float("-inf")).triu(1)),
    X,
)
case(
    "attention head masks",
    SelfAttention(8, 2, batch_first=True, attn_mask=torch.randn(4, 5, 5)),
    X,
    frozen=True,
)
case("attention padding", SelfAttention(8, 2, batch_first=True, key_padding_mask=PADDING), X, frozen=True)
case(
    "attention padding and mask",
    SelfAttention(8, 2, batch_first=True, key_padding_mask=PADDING, attn_mask=CAUSAL),
    X,
    frozen=True,
)
case("attention dropout", SelfAttention(8, 2, dropout=0.3, batch_first=True), X)
case("attention unbatched", SelfAttention(8, 2), (5, 8))
case("attention cross", CrossAttention(8, 2, batch_first=True), X, (2, 6, 8), (2, 6, 8))
case("attention cross steps first", CrossAttention(8, 4), (5, 2, 8), (6, 2, 8), (6, 2, 8))
case("attention own widths", CrossAttention(8, 2, kdim=3, vdim=4, batch_first=True), X, (2, 6, 3), (2, 6, 4))
case(
    "attention own widths no bias",
    CrossAttention(8, 2, kdim=3, vdim=4, bias=False, batch_first=True),
    X,
    (2, 6, 3),
    (2, 6, 4),
)


class Padded(nn.Module):
    """The mask comes in from outside, as for sentences."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x, mask):
        return self.encoder(x, src_key_padding_mask=mask)


class Masked(nn.Module):
    def __init__(self, layer, **options):
        super().__init__()
        self.layer = layer
        self.options = options

    def forward(self, x, y):
        return self.layer(x, y, **self.options)


case("encoder layer", nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), X)
case(
    "encoder layer norm first gelu",
    nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", norm_first=True, batch_first=True),
    X,
)
case("encoder layer no bias", nn.TransformerEncoderLayer(8, 2, 16, bias=False, batch_first=True), X)
case("encoder layer steps first", nn.TransformerEncoderLayer(8, 2, 16), (5, 2, 8))
case(
    "encoder",
    nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, nn.LayerNorm(8)),
    X,
)
case("encoder padded", Padded(), X, PADDING)
case("decoder layer", nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), X, (2, 6, 8))
case(
    "decoder layer causal",
    Masked(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), tgt_mask=CAUSAL, tgt_is_causal=True),
    X,
    (2, 6, 8),
)
case(
    "decoder",
    nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, norm_first=True, batch_first=True), 2),
    X,
    (2, 6, 8),
)
case("transformer", nn.Transformer(8, 2, 1, 1, 16, batch_first=True), X, (2, 6, 8))


class Einsum1(nn.Module):
    def __init__(self, equation):
        super().__init__()
        self.equation = equation

    def forward(self, x):
        return torch.einsum(self.equation, x)


class Einsum2(Einsum1):
    def forward(self, x, y):
        return torch.einsum(self.equation, x, y)


class Einsum3(Einsum1):
    def forward(self, x, y, z):
        return torch.einsum(self.equation, [x, y, z])


EINSUM = {1: Einsum1, 2: Einsum2, 3: Einsum3}
for equation, *shapes in (
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("ij,jk", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bij,bkj->bki", (2, 3, 4), (2, 5, 4)),
    ("bhid,bhjd->bhij", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("bhij,bhjd->bihd", (2, 3, 4, 6), (2, 3, 6, 5)),
    ("bihd,bjhd->bhij", (2, 4, 3, 5), (2, 6, 3, 5)),
    ("nctkv,kvw->nctw", (2, 3, 4, 5, 6), (5, 6, 7)),
    ("nchw,cd->ndhw", (2, 3, 4, 5), (3, 6)),
    ("bchw,bkc->bkhw", (2, 3, 4, 5), (2, 6, 3)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ij,j->ij", (2, 3), (3,)),
    ("i,j->ij", (2,), (3,)),
    ("ij->ji", (2, 3)),
    ("ijk->i", (2, 3, 4)),
    ("bii->bi", (2, 3, 3)),
    ("bii->b", (2, 3, 3)),
    ("...ij,...jk->...ik", (2, 3, 4, 5), (2, 3, 5, 6)),
    ("...ij,jk->...ik", (2, 3, 4, 5), (5, 6)),
    ("b...d,d->b...", (2, 3, 4, 5), (5,)),
    ("bi,bj,bk->bijk", (2, 3), (2, 4), (2, 5)),
    ("bij,jk,kl->bil", (2, 3, 4), (4, 5), (5, 6)),
    ("bij, bjk -> bik", (2, 3, 4), (2, 4, 5)),
):
    case(f"einsum {equation}", EINSUM[len(shapes)](equation), *shapes)


class SeparateProjections(nn.Module):
    """As WavLM calls it: an empty tensor stands for the joined weights that are not used."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x):
        return F.multi_head_attention_forward(
            x,
            x,
            x,
            8,
            2,
            torch.empty([0]),
            torch.cat((self.q.bias, self.k.bias, self.v.bias)),
            None,
            None,
            False,
            0.0,
            self.out.weight,
            self.out.bias,
            training=False,
            use_separate_proj_weight=True,
            q_proj_weight=self.q.weight,
            k_proj_weight=self.k.weight,
            v_proj_weight=self.v.weight,
        )


case("multi_head_attention_forward, separate projections", SeparateProjections(), (5, 2, 8))
