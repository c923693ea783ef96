"""Every net of the zoo, and every golden, put to each use that MXNet's users have for one."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.golden import GOLDENS
from tests.in_use.uses import USES, Unknown, subject
from tests.zoo.pool import Row
from tests.zoo.run import converted
from tests.zoo.table import nets
from tracer.conversion import Conversion

GOLDEN = "golden"
# The nets whose training is compared, beside the goldens. A family is the Python module that defines a net. Of
# the families whose smallest net has less than six million parameters, sorted by name, sixty at even
# distances; and of each of these its smallest net.
TRAINED = """
efficientnet_pytorch-b0 ctxnet_cityscapes densenet40_k12_bc_cifar10 dla46xc enet_cityscapes
fastscnn_cityscapes hardnet39ds lwopenpose2d_mobilenet_cmupan_coco fdmobilenet_wd4_cub nasnet_4a1056 peleenet
pyramidnet110_a48_cifar10 resneta10 sepreresnet10 shakedropresnet20_cifar10 shufflenetv2b_wd2 spnasnet
voca8flame AlbertForMaskedLM BeitForImageClassification BioGptModel BlipVisionModel CamembertForMaskedLM
CodeGenModel CTRLModel Data2VecVisionModel Dinov2Model DistilBertModel EfficientNetModel EuroBertModel
FNetModel GemmaModel GLPNForDepthEstimation GPTNeoXModel HeliumModel IBertModel LevitModel LongT5EncoderModel
MarianModel MinistralModel MobileBertModel MobileViTV2Model MraModel NystromformerModel OPTForCausalLM
PegasusEncoder PLBartModel PvtV2ForImageClassification ResNetModel RwkvModel SEWModel Speech2TextEncoder
Starcoder2Model Swin2SRForImageSuperResolution TimesformerModel UnivNetModel ViTMAEModel Wav2Vec2Model
XCLIPTextModel XLMRobertaXLModel
""".split()
# A cell: the use is not asked of the net, it fails, or MXNet's tool does not know an op.
NOT_ASKED, FAILS, UNKNOWN = "", "no", "unknown op"


@dataclass(frozen=True)
class Used(Row):
    """A row of docs/in-use-zoo.md: for each use a difference or `yes`, and why it fails where it does."""

    collection: str
    plot_network: str = NOT_ASKED
    print_summary: str = NOT_ASKED
    xavier: str = NOT_ASKED
    symbol_block: str = NOT_ASKED
    onnx: str = NOT_ASKED
    training: str = NOT_ASKED
    why: str = ""


def collections() -> Mapping[str, str]:
    """The collection of each net, by its name, in the order of the page."""
    goldens = {f"{GOLDEN}-{name}": GOLDEN for name in GOLDENS}
    return {**goldens, **{name: net.collection for name, net in nets().items()}}


def uses_of(name: str) -> list[str]:
    """The uses that are asked of a net."""
    is_trained = name in TRAINED or collections()[name] == GOLDEN
    return [use for use in USES if use != "training" or is_trained]


def run_net(name: str, uses: Collection[str]) -> Used:
    """Convert a net and put it to uses; never raises."""
    warnings.simplefilter("ignore")
    cells: dict[str, str] = {}
    why: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            net = subject(_conversion(name), Path(folder))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the row
            return Used(name, collections()[name], why=f"the conversion: {first_line(error)}")
        for use in uses:
            try:
                cells[use] = USES[use](net)
            except Exception as error:  # noqa: BLE001 - what a tool raises is its answer
                cells[use] = UNKNOWN if isinstance(error, Unknown) else FAILS
                why.append(f"{use}: {first_line(error)}")
    return Used(name, collections()[name], **cells, why="; ".join(why))


def _conversion(name: str) -> Conversion:
    if collections()[name] == GOLDEN:
        return GOLDENS[name.removeprefix(f"{GOLDEN}-")].conversion()
    return converted(nets()[name])


def first_line(error: Exception) -> str:
    """The type of an error, and the first line that says something."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [
        line for line in lines if line and not line.startswith(("Traceback", "Error in operator", "Stack"))
    ]
    return f"{type(error).__name__}: {said[0] if said else ''}"[:160]
