"""The goldens: nets as people write them, each with the code and the IR that it is to give.

A folder holds `model.py`, the expected `model_mxnet.py` and `ir.txt`. `python -m tests.golden` (`make golden`)
shows how the two differ from what is generated today, and rewrites them.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from codegen.written import Origin
from tracer.conversion import Conversion, convert, convert_specs
from tracer.inputs import parse_inputs
from tracer.load import load_model

HERE = Path(__file__).parent
CODE, IR = "model_mxnet.py", "ir.txt"


@dataclass(frozen=True)
class Golden:
    """A folder, the net in its model.py, the command's inputs, and what the net takes and gives."""

    folder: str
    net: str
    inputs: tuple[str, ...]
    takes: dict[str, tuple[int, ...]]
    gives: tuple[tuple[int, ...], ...]

    @property
    def path(self) -> Path:
        return HERE / self.folder

    @property
    def model(self) -> str:
        return (self.path / "model.py").read_text(encoding="utf-8")

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows `python -m tracer.gen`, in the golden's folder."""
        inputs = [word for text in self.inputs for word in ("--input", text)]
        return (f"model.py:{self.net}", "--out", CODE, *inputs)

    def conversion(self, model: Path | None = None, *, proved: bool = True) -> Conversion:
        """The net as the command line converts it; that of another `model.py` where one is given."""
        loaded = load_model(f"{model or self.path / 'model.py'}:{self.net}", {})
        origin = Origin(loaded.origin, shlex.join(["python", "-m", "tracer.gen", *self.arguments]))
        if not self.inputs:
            return convert(loaded.model, None, loaded.name, origin=origin, proved=proved)
        specs = parse_inputs(self.inputs, loaded.model)
        return convert_specs(loaded.model, specs, loaded.name, origin=origin, proved=proved)


def _image(folder: str, net: str, size: int, *gives: tuple[int, ...], channels: int = 3) -> Golden:
    shape = (1, channels, size, size)
    return Golden(folder, net, (",".join(map(str, shape)),), {"x": shape}, gives)


GOLDENS = {
    golden.folder: golden
    for golden in [
        Golden("xxnet", "XXNet", (), {"x": (1, 3, 224, 224)}, ((1, 64, 112, 112),)),
        _image("resnet18", "resnet18", 64, (1, 1000)),
        _image("iresnet", "iresnet18", 112, (1, 512)),
        _image("mobilenetv2", "MobileNetV2", 64, (1, 1000)),
        _image("mobilenetv3", "MobileNetV3_Small", 64, (1, 100)),
        _image("shufflenet", "shufflenet_v2_x0_5", 64, (1, 100)),
        _image("densenet", "DenseNet", 64, (1, 100)),
        _image("inception", "Inception", 112, (1, 100)),
        _image("unet", "UNet", 96, (1, 2, 96, 96)),
        _image("flat", "Net", 28, (1, 10), channels=1),
        _image("vit", "VisionTransformer", 96, (1, 100)),
        _image("swin", "SwinTransformer", 64, (1, 100)),
        Golden(
            "two_inputs",
            "TwoInputNet",
            ("image=1,3,112,112", "vector=1,20"),
            {"image": (1, 3, 112, 112), "vector": (1, 20)},
            ((1, 10),),
        ),
        Golden("lstm_tagger", "LSTMTagger", ("1,20:int64",), {"sentence": (1, 20)}, ((1, 20, 12),)),
        Golden(
            "bert",
            "BertForSequenceClassification",
            ("input_ids=1,16:int64", "attention_mask=1,16", "token_type_ids=1,16:int64"),
            {"input_ids": (1, 16), "attention_mask": (1, 16), "token_type_ids": (1, 16)},
            ((1, 3),),
        ),
    ]
}
