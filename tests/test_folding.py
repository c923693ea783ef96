"""Functions, lists and loops of small nets: the code that a reviewer reads, and the symbol that it gives."""

from __future__ import annotations

import torch
from torch import nn

from tracer.conversion import convert


def converted(model: nn.Module, *shape: int) -> str:
    """The code of a net that folds and agrees with torch."""
    torch.manual_seed(0)
    conversion = convert(model.eval(), torch.randn(*shape))
    assert conversion.folded, conversion.notes
    assert conversion.verify().ok
    return conversion.code


class Rotated(nn.Module):
    def __init__(self, width, turned):
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.norm, self.turned = nn.LayerNorm(width), turned

    def forward(self, x):
        x = torch.tanh(self.norm(x))
        q_embed, k_embed = torch.exp(torch.tanh(self.query(x))), torch.exp(torch.tanh(self.key(x)))
        if self.turned:
            q_embed = (q_embed * 2) + (torch.tanh(q_embed) * 3)
            k_embed = (k_embed * 2) + (torch.tanh(k_embed) * 3)
        return x + q_embed * k_embed


def test_steps_of_a_part_do_not_take_the_variable_of_another():
    code = converted(nn.Sequential(*(Rotated(8, i != 1) for i in range(4))), 2, 8)
    assert code.count("if turned:") == 1


class Residual(nn.Module):
    def __init__(self, width, out, add):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, out, 1), nn.Conv2d(out, out, 1)
        self.norm, self.act = nn.BatchNorm2d(out), nn.ReLU()
        self.add = add

    def forward(self, inputs):
        x = self.act(self.norm(self.conv1(inputs)))
        squeezed = self.conv2(x)
        if self.add:
            x = squeezed + inputs
            return x
        return squeezed


def test_a_part_reads_what_its_variable_held_before():
    converted(nn.Sequential(Residual(3, 4, False), *(Residual(4, 4, True) for _ in range(3))), 2, 3, 5, 5)


class DenseLayer(nn.Module):
    def __init__(self, width, growth):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(width), nn.Conv2d(width, growth, 3, padding=1)

    def forward(self, features):
        return self.conv(torch.relu(self.norm(torch.cat(features, 1))))


class Dense(nn.Module):
    def __init__(self, counts, width=4, growth=2):
        super().__init__()
        self.blocks = nn.ModuleList()
        for count in counts:
            layers = [DenseLayer(width + i * growth, growth) for i in range(count)]
            self.blocks.append(nn.ModuleList(layers))
            width += count * growth

    def forward(self, x):
        for block in self.blocks:
            features = [x]
            for layer in block:
                features.append(layer(features))
            x = torch.cat(features, 1)
        return x


def test_a_list_of_all_earlier_results_grows_in_a_loop():
    code = converted(Dense((5, 3, 1)), 2, 4, 6, 6)
    assert "def dense_layer(features: list[mx.sym.Symbol], name: str)" in code
    assert "    features = [x]\n    for i in range(5):\n        features.append(dense_layer(features," in code
    assert 'x = mx.sym.Concat(*features, name="x_cat_0")' in code
    assert 'dense_layer([x], name="blocks_2_0")' in code


class TwoLists(nn.Module):
    """The earlier results are read one by one too."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(4 + 2 * i, 2) for i in range(4))

    def forward(self, x):
        features = [x]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat([features[1] * 2, *features, features[3]], 1)


def test_one_of_a_list_is_read_by_its_place():
    code = converted(TwoLists(), 2, 4, 6, 6)
    assert "features[1] * 2" in code
    assert "*features, features[3]" in code.replace("\n        ", " ")


class Inner(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one, self.two = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x + self.two(torch.tanh(self.one(x))))


class Repeated(nn.Module):
    """ALBERT: one layer, called again and again."""

    def __init__(self, width=8, times=6):
        super().__init__()
        self.layer, self.times = Inner(width), times

    def forward(self, x):
        for _ in range(self.times):
            x = self.layer(x)
        return x


def test_a_layer_called_again_is_a_function_of_its_weights():
    code = converted(Repeated(), 2, 8)
    assert code.count("mx.sym.FullyConnected(") == 2
    assert "params: mx.rnn.RNNParams, path: str" in code
    assert 'weight=params.get(f"{path}_one_weight")' in code
    assert "for i in range(6):" in code


class Swish(nn.Module):
    def forward(self, x):
        gate = torch.sigmoid(x * 1.5)
        return x * gate + 0.1


class SharedActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.act = nn.Linear(4, 4), nn.Linear(4, 4), Swish()

    def forward(self, x):
        x = self.act(self.fc1(x))
        return self.act(self.fc2(x))


def test_an_activation_called_twice_is_one_function():
    code = converted(SharedActivation(), 2, 4)
    assert 'swish(x, name="act")' in code
    assert 'swish(x, name="act2")' in code


def turned(x):
    x1, x2 = x[..., ::2], x[..., 1::2]
    return torch.cat((-x2, x1), -1)


def rotary(q, k, angle):
    q_embed = q * angle + turned(q)
    k_embed = k * angle + turned(k)
    return q_embed, k_embed


class RotaryAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8)
        self.angle = nn.Parameter(torch.randn(8))

    def scores(self, q, k):
        return torch.sigmoid(q * k)

    def project(self, x):
        return self.query(x), self.key(x)

    def forward(self, x):
        q, k = self.project(x)
        q, k = rotary(q, k, self.angle)
        weights = self.scores(q, k)
        return x + weights * self.scores(k, q)


def test_the_authors_functions_are_functions():
    code = converted(nn.Sequential(RotaryAttention(), RotaryAttention()), 2, 5, 8)
    assert "def turned(x: mx.sym.Symbol, name: str)" in code
    assert "q_embed, k_embed = rotary(" in code
    assert "def scores(q: mx.sym.Symbol, k: mx.sym.Symbol, name: str)" in code
    assert "def project(" not in code, "a function that calls modules is no helper"


class Attention(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.qkv, self.order = nn.Linear(8, 24), order

    def forward(self, x):
        n, t, _ = x.shape
        qkv = self.qkv(x).reshape(n, t, 3, 8).permute(2, 0, 1, 3)
        q, k, v = qkv[0], qkv[1], qkv[self.order]
        return torch.softmax(q @ k.transpose(-2, -1), -1) @ v


def test_all_places_of_an_axis_are_one_split():
    code = converted(Attention(-1), 2, 5, 8)
    assert code.count("mx.sym.split(") == 1
    assert "batch_dot(split[0], split[1], transpose_b=True" in code
    assert code.count("mx.sym.transpose(") == 1


def test_some_places_of_an_axis_are_slices():
    assert "mx.sym.split(" not in converted(Attention(0), 2, 5, 8)


def conv_unit(width, out):
    return nn.Sequential(nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.LeakyReLU(0.1))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_unit(3, 8)
        self.blocks = nn.ModuleList(conv_unit(8, 8) for _ in range(5))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x


def test_a_sequential_that_repeats_is_a_function():
    code = converted(Plain(), 2, 3, 6, 6)
    assert "def conv_bn_leaky_relu(x: mx.sym.Symbol, name: str)" in code
    assert "for i in range(5):\n        x = conv_bn_leaky_relu(x," in code
    assert '"""A Sequential of Conv2d, BatchNorm2d, LeakyReLU."""' in code


class SkipConnections(nn.Module):
    """As many write a U-Net: `x` is one thing after another, and the list keeps what it was."""

    def __init__(self):
        super().__init__()
        self.downs = nn.ModuleList(Inner(8) for _ in range(3))
        self.ups = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.pool = nn.Tanh()

    def forward(self, x):
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        for up, skip in zip(self.ups, skips[::-1]):
            x = up(x) * skip
        return x


def test_x_stays_what_comes_next():
    code = converted(SkipConnections(), 2, 8)
    assert (
        'x = inner(x, name=f"downs_{i}")\n        features.append(x)\n        x = mx.sym.Activation(x' in code
    )
    assert [f"elemwise_mul(x, features[{i}]" in code for i in range(3)] == [True] * 3


class OneBuffer(nn.Module):
    """Made twice of one buffer, as each layer of a Llama makes its cosines."""

    def __init__(self):
        super().__init__()
        self.register_buffer("freq", torch.rand(8))

    def forward(self, x):
        left = x * torch.sin(self.freq * 2)
        return left + torch.tanh(x) * torch.sin(self.freq * 2)


def test_what_is_made_of_a_buffer_twice_is_one_variable():
    assert converted(OneBuffer(), 2, 8).count("mx.sym.Variable(") == 2


class Up(nn.Module):
    def __init__(self, width, bilinear):
        super().__init__()
        self.bilinear, self.conv = bilinear, nn.Conv2d(2 * width, width, 3, padding=1)
        self.up = nn.ConvTranspose2d(width, width, 2, 2)

    def forward(self, x, skip):
        x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear") if self.bilinear else self.up(x)
        return torch.relu(self.conv(torch.cat([skip, x], 1)))


class TwoWaysUp(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.up1, self.up2, self.up3 = Up(4, False), Up(4, True), Up(4, False)

    def forward(self, x):
        x1 = self.pool(x)
        x2 = self.pool(x1)
        return self.up3(self.up2(self.up1(self.pool(x2), x2), x1), x)


def test_a_use_that_takes_another_branch_is_written_out_under_its_path():
    code = converted(TwoWaysUp(), 2, 4, 16, 16)
    assert "# up2: Up" in code
    assert code.count(" = up(") + code.count("return up(") == 2


class Doubles(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True).double()

    def forward(self, x):
        return self.lstm(x.double())[0]


def test_the_begin_state_has_the_layers_dtype():
    assert 'dtype="float64"' in converted(Doubles(), 2, 5, 3)


def test_a_bare_sequential_of_blocks_is_a_loop():
    """Its modules are called `0`, `1`, ...: nothing stands before the number."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return self.fc(x).relu()

    conversion = convert(nn.Sequential(*[Block() for _ in range(5)]), (torch.randn(2, 4),), "Net")
    assert "    for i in range(5):\n        x = block(x, name=str(i))\n" in conversion.code
    assert conversion.verify().ok


def test_what_changes_in_few_places_is_a_loop_as_far_as_it_does():
    """Blocks after them, in which more changes, are no reason to write each of them out."""

    class Block(nn.Module):
        def __init__(self, width, kernel, stride, slope):
            super().__init__()
            self.conv, self.act = nn.Conv1d(4, 4, kernel, stride, dilation=width), nn.LeakyReLU(slope)

        def forward(self, x):
            return self.act(self.conv(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            same = [Block(1, 3, 1, slope) for slope in (0.1, 0.2, 0.3)]
            self.blocks = nn.Sequential(*same, Block(2, 2, 2, 0.4), Block(1, 5, 3, 0.5))

        def forward(self, x):
            return self.blocks(x)

    conversion = convert(Net(), (torch.randn(2, 4, 64),), "Net")
    assert "    for i, slope in enumerate((0.1, 0.2, 0.3)):\n" in conversion.code
    assert conversion.verify().ok
