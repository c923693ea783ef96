"""Modules as people write them: with layers, parameters and a forward of their own, stacked and shared."""

from __future__ import annotations

import functools
import re
from typing import Any

import torch
from torch import nn

BLOCKS = {
    "Mlp": '''
class Mlp(nn.Module):
    def __init__(self, d, k=2):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.fc1 = nn.Linear(d, k * d)
        self.fc2 = nn.Linear(k * d, d)
        self.gamma = nn.Parameter(torch.ones(d) * 0.5)

    def forward(self, x):
        return x + self.gamma * self.fc2(F.gelu(self.fc1(self.norm(x))))
''',
    "Twice": '''
class Twice(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, d)

    def forward(self, x):
        x = torch.relu(self.fc(x))
        return self.fc(x) + x
''',
    "Norm": '''
class Norm(nn.Module):
    def __init__(self, d, eps=1e-3):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = (x - mean).pow(2).mean(-1, keepdim=True)
        return self.weight * (x - mean) / torch.sqrt(var + self.eps)
''',
    "Stack": '''
class Stack(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        outs = []
        for layer in self.layers:
            x = layer(x) + x
            outs.append(x)
        return torch.cat(outs, -1)
''',
    "Attention": '''
class Attention(nn.Module):
    def __init__(self, d, heads=1, causal=False):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * (d // self.heads) ** -0.5
        if self.causal:
            mask = torch.triu(torch.ones(t, t, dtype=torch.bool), diagonal=1)
            scores = scores.masked_fill(mask, float("-inf"))
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d))
''',
    "Gate": '''
class Gate(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, 2 * d)

    def forward(self, x):
        a, b = self.fc(x).chunk(2, dim=-1)
        return a * torch.sigmoid(b)
''',
    "Siamese": '''
class Siamese(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, d)

    def forward(self, x):
        n = x.shape[0]
        both = torch.tanh(self.fc(torch.cat([x, x.flip(-1)], 0)))
        return both[:n] - both[n:]
''',
    "Positions": '''
class Positions(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.table = nn.Embedding(12, d)

    def forward(self, x):
        return x + self.table(torch.arange(x.shape[1]))
''',
    "Pooled": '''
class Pooled(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.rnn = nn.GRU(d, 3, batch_first=True)
        self.token = nn.Parameter(torch.zeros(1, 1, d))

    def forward(self, x):
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        out, h = self.rnn(x)
        return torch.cat([out[:, -1], h[0]], -1)
''',
    "Residual": '''
class Residual(nn.Module):
    def __init__(self, c, k, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c, k, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(k)
        self.conv2 = nn.Conv2d(k, k, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(k)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Conv2d(c, k, 1, stride) if c != k or stride != 1 else None

    def forward(self, x):
        identity = x if self.down is None else self.down(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)
''',
    "Squeeze": '''
class Squeeze(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Linear(c, c)

    def forward(self, x):
        n, c = x.shape[:2]
        s = torch.sigmoid(self.fc(F.adaptive_avg_pool2d(x, 1).view(n, c)))
        return x * s.view(n, c, 1, 1).expand_as(x)
''',
    "Dense": '''
class Dense(nn.Module):
    def __init__(self, c, layers=2):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(c + i, 1, 3, padding=1) for i in range(layers)])

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(F.relu(layer(torch.cat(found, 1))))
        return torch.cat(found[::-1], 1)
''',
    "Shuffle": '''
class Shuffle(nn.Module):
    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        n, c, h, w = x.size()
        return x.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
''',
    "Windows": '''
class Windows(nn.Module):
    def __init__(self, d, size=2):
        super().__init__()
        self.size, self.fc = size, nn.Linear(d, d)

    def forward(self, x):
        n, c, h, w = x.shape
        x = torch.roll(x, (-1, -1), (2, 3)).permute(0, 2, 3, 1)
        s = self.size
        x = x.view(n, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)
        x = self.fc(x) + x.mean(1, keepdim=True)
        x = x.view(n, h // s, w // s, s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return torch.roll(x.permute(0, 3, 1, 2), (1, 1), (2, 3))
''',
    "Pyramid": '''
class Pyramid(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.lateral = nn.Conv2d(c, 2, 1)

    def forward(self, x):
        small = self.lateral(F.max_pool2d(x, 2))
        up = F.interpolate(small, size=x.shape[-2:], mode="nearest")
        return [up + self.lateral(x), small]
''',
}
OF_ANY = ("Mlp({last})", "Mlp({last}, {k})", "Twice({last})", "Norm({last})", "Gate({last})", "Siamese({last})",
          "nn.Sequential(*[Mlp({last}) for _ in range({k})])", "Stack(*[nn.Linear({last}, {last}) for _ in range({k})])",
          "Stack(Norm({last}), Twice({last}), Mlp({last}))", "nn.Sequential(nn.Linear({last}, 6), Norm(6), Stack(Twice(6), Gate(6)))",
          "Stack(*[nn.Sequential(nn.LayerNorm({last}), nn.Linear({last}, {last}, bias=False)) for _ in range(3)])")  # fmt: skip
OF_RANK = {
    3: ("Attention({last})", "Attention({last}, 1, True)", "nn.Sequential(Positions({last}), *[Attention({last}, 1, True) for _ in range({k})])",
        "Positions({last})", "Pooled({last})", "nn.Sequential(nn.Linear({last}, 4), Attention(4, 2), Mlp(4))"),
    4: ("Residual({c}, {c})", "Residual({c}, {k})", "Residual({c}, {k}, 2)", "nn.Sequential(*[Residual({c}, {c}) for _ in range({k})])", "Squeeze({c})",
        "nn.Sequential(nn.Conv2d({c}, 4, 3, padding=1), Shuffle(2), Squeeze(4))", "Dense({c}, {k})", "Windows({c})", "Pyramid({c})",
        "nn.Sequential(Residual({c}, 4), Dense(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, {k}))"),
}  # fmt: skip


def named(text: str) -> list[str]:
    """The blocks that a module's text names."""
    return [n for n in BLOCKS if re.search(rf"\b(?<!\.){n}\(", text)]


@functools.cache
def scope() -> dict[str, Any]:
    """What a module's text may name."""
    found: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional}
    exec("\n".join(BLOCKS.values()), found)
    return found
