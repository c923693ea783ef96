"""Inputs: parsed from --input, taken from tensors, made under a seed, and found by trying."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from codegen.problems import RequestError
from tracer.input_search import find_inputs
from tracer.inputs import DTYPES, InputSpec, inputs_from_tensors, make_inputs, parse_inputs

SIZE = "is no size, which is 1 or more (or N, the batch)"
FORM = "write [NAME=]DIMS[:DTYPE] such as x=1,3,224,224 or ids=1,128:int64, or NAME=@FILE.npy"


class Two(nn.Module):
    """An image, a vector, and an optional scale."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 2, 1)
        self.conv2 = nn.Conv2d(4, 8, 3, 2, 1)
        self.fc = nn.Linear(8 * 28 * 28, 12)
        self.vec = nn.Linear(20, 12)
        self.head = nn.Linear(24, 5)

    def forward(self, image: torch.Tensor, vector: torch.Tensor, scale: Any = None) -> torch.Tensor:
        """(N, 3, 112, 112) and (N, 20) to (N, 5)."""
        image = self.fc(self.conv2(self.conv1(image)).flatten(1))
        both = torch.cat([image, self.vec(vector)], 1)
        return self.head(both if scale is None else both * scale)


class Tokens(nn.Module):
    """Words of a few kinds, at learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(30, 4)
        self.token_type = nn.Embedding(2, 4)
        self.positions = nn.Parameter(torch.zeros(1, 40, 4))

    def forward(self, ids: torch.Tensor, type_ids: Any = None, mask: Any = None) -> torch.Tensor:
        """(N, 40) int64 to (N, 40, 4)."""
        x = self.word(ids) + self.positions
        x = x if type_ids is None else x + self.token_type(type_ids)
        return x if mask is None else x * mask[..., None]


class Net(nn.Module):
    """Any net: the layers as keywords, and what forward does with them."""

    def __init__(self, run: Callable[..., torch.Tensor], **layers: Any) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Whatever `run` does."""
        return self.run(self, x)


class NetOfTwo(Net):
    """The same with two inputs."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Whatever `run` does."""
        return self.run(self, a, b)


class Runner:
    """Runs the real net, and keeps what it was given."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()
        self.tries: list[dict[str, torch.Tensor]] = []

    def __call__(self, tensors: dict[str, torch.Tensor]) -> bool:
        self.tries.append(tensors)
        try:
            with torch.no_grad():
                self.model(**tensors)
        except Exception:  # noqa: BLE001 - as the tool itself: whatever the net raises
            return False
        return True


def found(model: nn.Module) -> dict[str, tuple[int, ...]]:
    specs, sentence = find_inputs(model, Runner(model))
    assert sentence.startswith("inputs: ")
    assert sentence.endswith("; change it with --input")
    assert all(f"{s.name} {s.shape} {s.dtype}, found from " in sentence for s in specs)
    return {spec.name: spec.shape for spec in specs}


def refusal(texts: list[str], model: nn.Module | None = None) -> str:
    with pytest.raises(RequestError) as caught:
        parse_inputs(texts, model or Two())
    return str(caught.value)


# --input -----------------------------------------------------------------------------------------


def test_unnamed_ones_fill_forwards_parameters_in_order() -> None:
    assert parse_inputs(["1,3,112,112", "1,20"], Two()) == (
        InputSpec("image", (1, 3, 112, 112)),
        InputSpec("vector", (1, 20)),
    )


def test_named_ones_come_in_forwards_order() -> None:
    specs = parse_inputs(["vector=2,20", "scale=5:float64", "2,3,112,112"], Two())
    assert [(s.name, s.shape, s.dtype) for s in specs] == [
        ("image", (2, 3, 112, 112), "float32"),
        ("vector", (2, 20), "float32"),
        ("scale", (5,), "float64"),
    ]


def test_an_unnamed_one_skips_what_is_named() -> None:
    assert [(s.name, s.shape) for s in parse_inputs(["1,20", "image=1,3"], Two())] == [
        ("image", (1, 3)),
        ("vector", (1, 20)),
    ]


def test_n_marks_the_batch() -> None:
    (spec,) = parse_inputs(["x=35,N,200"], Net(lambda _net, x: x))
    assert (spec.shape, spec.batch_axis) == ((35, 1, 200), 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    specs = parse_inputs([f"2,3:{dtype}"], Net(lambda _net, x: x))
    assert make_inputs(specs, None, 0)["x"].dtype is getattr(torch, dtype)


def test_integers_stay_below_the_embeddings() -> None:
    specs = parse_inputs(["1,40:int64", "1,40:int64"], Tokens())
    assert [(s.name, s.high) for s in specs] == [("ids", 30), ("type_ids", 2)]
    assert Runner(Tokens())(make_inputs(specs, 3, 0))


def test_values_of_a_file(tmp_path: Path) -> None:
    ids = np.array([[3, 1, 2]])
    np.save(tmp_path / "ids.npy", ids)
    (spec,) = parse_inputs([f"ids=@{tmp_path}/ids.npy"], Tokens())
    assert spec == InputSpec("ids", (1, 3), "int64")
    assert make_inputs([spec], None, 5)["ids"].tolist() == [[3, 1, 2]]
    np.save(tmp_path / "x.npy", np.ones((2, 2), ">f8"))
    (spec,) = parse_inputs([f"@{tmp_path}/x.npy:float32"], Net(lambda _net, x: x))
    assert make_inputs([spec], None, 0)["x"].equal(torch.ones(2, 2))
    (spec,) = parse_inputs([f"@{tmp_path}/x.npy"], Net(lambda _net, x: x))
    assert make_inputs([spec], None, 0)["x"].equal(torch.ones(2, 2).double())


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["image=1,3,x"], f"--input image=1,3,x: 'x' {SIZE}; {FORM}"),
        (["1,0,3"], f"--input 1,0,3: '0' {SIZE}; {FORM}"),
        (["1,-3"], f"--input 1,-3: '-3' {SIZE}; {FORM}"),
        ([""], f"--input : '' {SIZE}; {FORM}"),
        (["N,N"], f"--input N,N: only one size can be the batch N; {FORM}"),
        (["2 3=1"], f"--input 2 3=1: '2 3' is no name of a parameter; {FORM}"),
        (["1,3:float"], f"--input 1,3:float: 'float' is no dtype, which are {', '.join(DTYPES)}; {FORM}"),
        (["img=1,3"], "--input img=1,3: forward has no parameter 'img', it takes image, vector, scale"),
        (["image=1", "image=2"], "--input image=2: image is given twice"),
        (["1"] * 4, "--input 1: one too many, since forward(image, vector, scale) takes 3 inputs"),
        (["1"], "forward(image, vector, scale) needs the input vector too: add --input vector=DIMS"),
        (
            ["scale=1"],
            "forward(image, vector, scale) needs the inputs image, vector too: "
            "add --input image=DIMS --input vector=DIMS",
        ),
        (["image=@none.npy"], "--input image=@none.npy: no such file: none.npy"),
    ],
)
def test_bad_texts(texts: list[str], message: str) -> None:
    assert refusal(texts) == message


def test_bad_files(tmp_path: Path) -> None:
    bad, pair, words = tmp_path / "bad.npy", tmp_path / "pair.npz", tmp_path / "words.npy"
    bad.write_text("no array")
    np.savez(pair, a=np.ones(2))
    np.save(words, np.array(["a"]))
    assert refusal([f"@{bad}"]).startswith(f"--input @{bad}: {bad} is no .npy file that can be read (")
    assert refusal([f"@{pair}"]) == f"--input @{pair}: {pair} holds several arrays; save one with numpy.save"
    assert refusal([f"@{words}"]) == f"--input @{words}: {words} holds str32; save one of {', '.join(DTYPES)}"
    np.save(words, np.ones((0, 3)))
    assert refusal([f"@{words}"]) == f"--input @{words}: {words} has no elements, its shape is (0, 3)"


def test_a_forward_without_names() -> None:
    class Stars(nn.Module):
        def forward(self, *xs: torch.Tensor) -> torch.Tensor:
            return xs[0]

    assert refusal(["1"], Stars()) == ("forward(*xs) of Stars names no inputs: give forward named parameters")


# Tensors -----------------------------------------------------------------------------------------


def test_example_tensors_keep_their_values() -> None:
    image, scale = torch.randn(2, 3, 4, 4), torch.tensor(3.0).bfloat16()
    specs = inputs_from_tensors(Two(), (image, torch.ones(2, 20), scale))
    assert [(s.name, s.shape, s.dtype, s.batch_axis) for s in specs] == [
        ("image", (2, 3, 4, 4), "float32", 0),
        ("vector", (2, 20), "float32", 0),
        ("scale", (), "bfloat16", None),
    ]
    made = make_inputs(specs, 2, 0)
    assert made["image"].equal(image)
    assert made["scale"].equal(scale)
    bigger = make_inputs(specs, 3, 0)
    assert bigger["image"].equal(torch.cat([image, image[:1]]))
    assert make_inputs(specs, 1, 0)["image"].equal(image[:1])


def test_none_leaves_an_input_out() -> None:
    specs = inputs_from_tensors(Tokens(), (torch.ones(1, 40).long(), None, torch.ones(1, 40)))
    assert [s.name for s in specs] == ["ids", "mask"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            (torch.ones(1),),
            "forward(image, vector, scale) needs the input vector too: add --input vector=DIMS",
        ),
        ((torch.ones(1),) * 4, "4 inputs given, but forward(image, vector, scale) takes 3 inputs"),
        (
            (torch.ones(1), [torch.ones(1)]),
            "input vector is of type list: inputs are tensors, so give forward a default for it, or wrap the "
            "net in a module that sets it",
        ),
        (
            (torch.ones(1), torch.ones(1, dtype=torch.complex64)),
            f"input vector is complex64: inputs are one of {', '.join(DTYPES)}",
        ),
    ],
)
def test_bad_tensors(inputs: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        inputs_from_tensors(Two(), inputs)
    assert str(caught.value) == message


# Seeded tensors ----------------------------------------------------------------------------------


def test_the_seed_decides() -> None:
    specs = (InputSpec("x", (1, 50)), InputSpec("ids", (1, 50), "int64", high=7))
    first, again, other = (make_inputs(specs, None, seed) for seed in (1, 1, 2))
    assert all(first[name].equal(again[name]) for name in first)
    assert not any(first[name].equal(other[name]) for name in first)
    assert first["ids"].unique().tolist() == list(range(7))
    assert abs(float(first["x"].mean())) < 0.5 < float(first["x"].std())


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    make_inputs((InputSpec("x", (2, 2)), InputSpec("m", (2, 2), "bool")), 3, 0)
    assert torch.get_rng_state().equal(before)


def test_the_batch_replaces_equal_batches_only() -> None:
    specs = (
        InputSpec("table", (9, 9), batch_axis=None),
        InputSpec("x", (5, 2, 3), batch_axis=1),
        InputSpec("y", (2, 4)),
        InputSpec("z", (1, 4)),
    )
    shapes = {name: tuple(t.shape) for name, t in make_inputs(specs, 6, 0).items()}
    assert shapes == {"table": (9, 9), "x": (5, 6, 3), "y": (6, 4), "z": (1, 4)}


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_masks_have_both_values_in_each_row(dtype: str) -> None:
    mask = make_inputs((InputSpec("attention_mask", (1, 3), dtype),), 50, 0)["attention_mask"].long()
    assert set(mask.sum(1).tolist()) == {1, 2}
    assert make_inputs((InputSpec("mask", (4, 1), dtype),), None, 0)["mask"].all()


def test_default_integers_are_small() -> None:
    (values,) = make_inputs((InputSpec("ids", (1, 500), "int32"),), None, 0).values()
    assert (int(values.min()), int(values.max())) == (0, 9)


# Found by trying ---------------------------------------------------------------------------------


def test_the_first_layer_tells() -> None:
    model = Net(lambda net, x: net.conv1(x), conv1=nn.Conv2d(3, 4, 3))
    specs, sentence = find_inputs(model, Runner(model))
    assert specs == (InputSpec("x", (1, 3, 224, 224)),)
    assert sentence == (
        "inputs: x (1, 3, 224, 224) float32, found from the first layer conv1 (in_channels=3); "
        "change it with --input"
    )


def test_an_image_and_a_vector() -> None:
    model = Two()
    specs, sentence = find_inputs(model, Runner(model))
    assert [(s.name, s.shape) for s in specs] == [("image", (1, 3, 112, 112)), ("vector", (1, 20))]
    assert sentence == (
        "inputs: image (1, 3, 112, 112) float32, found from the first layer conv1 (in_channels=3); "
        "vector (1, 20) float32, found from the layer vec (in_features=20); change it with --input"
    )


def conv_then(features: int) -> dict[str, nn.Module]:
    return {"conv": nn.Conv2d(1, 2, 3, padding=1), "fc": nn.Linear(features, 3)}


def flat(net: Any, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = net.fc(net.conv(x).flatten(1))
    return result


def unpacked(net: Any, x: torch.Tensor) -> torch.Tensor:
    batch, length, width = x.shape
    result: torch.Tensor = net.fc(x.reshape(batch * length, width))
    return result.reshape(batch, length, -1)


def positions(length: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, length, width))


def with_positions(net: Any, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = net.patches(x).flatten(2).transpose(1, 2) + net.positions
    return result


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Net(flat, **conv_then(2 * 28 * 28)), (1, 1, 28, 28)),
        (Net(flat, **conv_then(2 * 32 * 32)), (1, 1, 32, 32)),
        (Net(flat, **conv_then(2 * 76 * 76)), (1, 1, 76, 76)),
        (Net(flat, **conv_then(2 * 32 * 100)), (1, 1, 32, 100)),
        (Net(flat, conv=nn.Conv1d(2, 2, 1), fc=nn.Linear(2 * 100, 3)), (1, 2, 100)),
        (Net(flat, conv=nn.ConvTranspose2d(5, 2, 2, 2), fc=nn.Linear(2 * 16 * 16, 3)), (1, 5, 8, 8)),
        (Net(lambda net, x: net.conv(x), conv=nn.Conv3d(1, 2, 1)), (1, 1, 16, 112, 112)),
        (Net(lambda net, x: net.fc(x), fc=nn.Linear(7, 3)), (1, 7)),
        (Net(lambda net, x: net.fc(x.flatten(2).flatten(1)), fc=nn.Linear(784, 3)), (1, 1, 28, 28)),
        (Net(unpacked, fc=nn.Linear(7, 3)), (1, 16, 7)),
        (Net(lambda net, x: net.bn(x), bn=nn.BatchNorm1d(6)), (1, 6)),
        (Net(lambda net, x: net.bn(x), bn=nn.BatchNorm2d(6)), (1, 6, 224, 224)),
        (Net(lambda net, x: net.norm(x), norm=nn.LayerNorm((4, 6))), (1, 4, 6)),
        (Net(lambda net, x: net.rnn(x)[0], rnn=nn.GRU(9, 4)), (16, 1, 9)),
        (Net(lambda net, x: net.rnn(x)[0], rnn=nn.LSTM(9, 4, batch_first=True)), (1, 16, 9)),
        (Net(lambda net, x: net.layer(x), layer=nn.TransformerEncoderLayer(8, 2, 8)), (16, 1, 8)),
        (Net(lambda _net, x: F.max_pool2d(x, 2)), (1, 3, 224, 224)),
        (Net(lambda net, x: x @ net.matrix, matrix=nn.Parameter(torch.ones(9, 5))), (1, 9)),
        (Net(with_positions, patches=nn.Conv2d(3, 4, 6, 6), positions=positions(144, 4)), (1, 3, 72, 72)),
        (Net(lambda net, x: net.fc(x), net_last=nn.Conv2d(4, 4, 1), fc=nn.Linear(7, 3)), (1, 7)),
    ],
)
def test_one_input(model: nn.Module, shape: tuple[int, ...]) -> None:
    assert found(model) == {"x": shape}


def test_the_batch_of_a_recurrent_net_is_axis_1() -> None:
    model = Net(lambda net, x: net.rnn(x)[0], rnn=nn.GRU(9, 4))
    assert find_inputs(model, Runner(model))[0] == (InputSpec("x", (16, 1, 9), batch_axis=1),)


def test_ids_reach_the_last_row() -> None:
    model = Tokens()
    runner = Runner(model)
    specs, _ = find_inputs(model, runner)
    assert specs == (InputSpec("ids", (1, 40), "int64", high=30),)
    assert all(int(tensors["ids"].max()) == 29 for tensors in runner.tries)


def test_layers_called_like_an_input_come_first() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.user_table = nn.Embedding(1000, 4)
            self.item_table = nn.Embedding(50, 4)

        def forward(self, item: torch.Tensor, user: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.user_table(user) * self.item_table(item)
            return result

    model = Pair()
    runner = Runner(model)
    specs, _ = find_inputs(model, runner)
    assert [(s.name, s.high) for s in specs] == [("item", 50), ("user", 1000)]
    assert len(runner.tries) == 2  # at batch sizes 1 and 2


def test_an_entry_behind_many_layers_is_found() -> None:
    widths = [(3, 8), *((8 + i, 9 + i) for i in range(25))]
    convs = nn.Sequential(*(nn.Conv2d(a, b, 1) for a, b in widths))
    layers = {"convs": convs, "vec": nn.Linear(7, 33)}
    model = NetOfTwo(lambda net, a, b: net.convs(a).mean((2, 3)) + net.vec(b), **layers)
    assert found(model) == {"a": (1, 3, 224, 224), "b": (1, 7)}


def test_each_embedding_its_own_input() -> None:
    layers = {"small": nn.Embedding(5, 4), "large": nn.Embedding(1000, 4)}
    model = NetOfTwo(lambda net, a, b: net.large(a) + net.small(b), **layers)
    specs, _ = find_inputs(model, Runner(model))
    assert [(s.name, s.high) for s in specs] == [("a", 1000), ("b", 5)]


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (
            NetOfTwo(lambda net, a, b: flat(net, a) - net.conv(b).sum(), **conv_then(2 * 64 * 64)),
            {"a": (1, 1, 64, 64), "b": (1, 1, 64, 64)},
        ),
        (NetOfTwo(lambda net, a, b: net.both(a, b), both=nn.Bilinear(5, 7, 2)), {"a": (1, 5), "b": (1, 7)}),
        (
            NetOfTwo(lambda net, a, b: net.f(a) + net.e(b), e=nn.Linear(5, 2), f=nn.Linear(6, 2)),
            {"a": (1, 6), "b": (1, 5)},
        ),
        (
            NetOfTwo(lambda net, a, b: net.f(a) + net.e(b), f=nn.Linear(5, 2), e=nn.Embedding(9, 2)),
            {"a": (1, 5), "b": (1,)},
        ),
    ],
)
def test_two_inputs(model: nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    assert found(model) == shapes


def test_a_mask_is_found_by_its_name() -> None:
    class Masked(Tokens):
        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return super().forward(tokens).masked_fill(~mask[..., None], 0.0)

    model = Masked()
    specs, _ = find_inputs(model, Runner(model))
    assert specs[1] == InputSpec("mask", (1, 40), "bool")


def test_a_mask_of_floats_is_found() -> None:
    class Biased(Tokens):
        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            assert mask.is_floating_point()
            assert mask.shape == (40, 40)
            return mask @ super().forward(tokens)

    model = Biased()
    specs, _ = find_inputs(model, Runner(model))
    assert specs[1] == InputSpec("mask", (40, 40), "float32", batch_axis=None)


def test_shapes_that_run_at_two_batch_sizes_are_preferred() -> None:
    # (1, 16, 32) passes as one image without a batch axis, but (2, 16, 32) does not.
    layers = {"time": nn.Linear(32, 1), "conv": nn.Conv2d(1, 1, 1)}
    model = Net(lambda net, x: net.conv(x) + net.time.weight.sum(), **layers)
    assert found(model) == {"x": (1, 1, 224, 224)}


def test_a_frozen_batch_is_found_all_the_same() -> None:
    model = Net(lambda net, x: net.fc(x).view(1, 3), fc=nn.Linear(7, 3))
    assert found(model) == {"x": (1, 7)}


class Declared(nn.Module):
    """A net that runs on squares of an odd size only, and can declare it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 51, 51) to (N, 2, 51, 51)."""
        assert x.shape[2:] == (51, 51)
        result: torch.Tensor = self.conv(x)
        return result


class Config:
    """As a Hugging Face configuration."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"example_input_array": torch.ones(2, 3, 51, 51)}, "the module's example_input_array"),
        ({"example_input_array": (torch.ones(2, 3, 51, 51),)}, "the module's example_input_array"),
        ({"example_input_array": {"x": torch.ones(2, 3, 51, 51)}}, "the module's example_input_array"),
        ({"default_cfg": {"input_size": (3, 51, 51)}}, "default_cfg['input_size']"),
        ({"pretrained_cfg": Config(input_size=(3, 51, 51))}, "pretrained_cfg['input_size']"),
        ({"in_size": (51, 51)}, "the module's in_size"),
        ({"image_size": 51, "in_channels": 3}, "the module's image_size"),
        ({"example_input_array": "none", "in_size": (51, 51)}, "the module's in_size"),
    ],
)
def test_what_the_module_declares(attributes: dict[str, Any], why: str) -> None:
    model = Declared(**attributes)
    specs, sentence = find_inputs(model, Runner(model))
    assert specs[0].shape[1:] == (3, 51, 51)
    assert f"found from {why};" in sentence


def test_an_example_keeps_its_values() -> None:
    example = torch.randn(2, 3, 51, 51)
    model = Declared(example_input_array=example)
    specs, _ = find_inputs(model, Runner(model))
    assert make_inputs(specs, 2, 0)["x"].equal(example)


class Pretrained(nn.Module):
    """As in transformers: every parameter has a default, a configuration tells the sizes."""

    def __init__(self, main_input_name: str, needs: tuple[str, ...], **config: Any) -> None:
        super().__init__()
        self.main_input_name = main_input_name
        self.needs = needs
        self.config = Config(**config)

    def forward(
        self,
        input_ids: Any = None,
        pixel_values: Any = None,
        decoder_input_ids: Any = None,
        input_values: Any = None,
    ) -> torch.Tensor:
        """The sum of all inputs."""
        given = {k: v for k, v in locals().items() if isinstance(v, torch.Tensor)}
        assert tuple(given) == self.needs
        return torch.stack([v.sum() for v in given.values()])


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (Pretrained("input_ids", ("input_ids",), vocab_size=70), {"input_ids": (1, 16)}),
        (
            Pretrained("pixel_values", ("pixel_values",), image_size=48, num_channels=1),
            {"pixel_values": (1, 1, 48, 48)},
        ),
        (
            Pretrained("input_ids", ("input_ids", "decoder_input_ids"), vocab_size=70),
            {"input_ids": (1, 16), "decoder_input_ids": (1, 16)},
        ),
        (
            Pretrained(
                "input_ids",
                ("input_ids", "pixel_values"),
                text_config=Config(vocab_size=70),
                vision_config=Config(image_size=(48, 32)),
            ),
            {"input_ids": (1, 16), "pixel_values": (1, 3, 48, 32)},
        ),
        (Pretrained("input_values", ("input_values",)), {"input_values": (1, 16000)}),
    ],
)
def test_what_a_configuration_tells(model: nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    assert found(model) == shapes


def test_a_double_net_gets_doubles() -> None:
    model = Net(lambda net, x: net.fc(x), fc=nn.Linear(7, 3)).double()
    assert find_inputs(model, Runner(model))[0] == (InputSpec("x", (1, 7), "float64"),)


def test_where_nothing_fits_the_error_names_input() -> None:
    def never(_net: Any, _a: torch.Tensor, _b: torch.Tensor) -> torch.Tensor:
        raise ValueError

    model = NetOfTwo(never, fc=nn.Linear(7, 3))
    runner = Runner(model)
    with pytest.raises(RequestError) as caught:
        find_inputs(model, runner)
    assert str(caught.value) == (
        f"no input was found on which forward(a, b) runs ({len(runner.tries)} shapes tried): give the "
        "shapes, such as --input a=1,3,224,224 --input b=1,16"
    )
    assert 50 < len(runner.tries) <= 500
