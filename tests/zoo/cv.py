"""Nets of pytorchcv (one or two of each family, the small ones) and of efficientnet_pytorch."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from torch import nn

from tests.zoo.net import Net
from tracer.inputs import InputSpec

# name, or name@HEIGHTxWIDTH for an input other than the net's own.
_PYTORCHCV = """
airnet50_1x64d_r16 airnext50_32x4d_r2 alexnet alexnetb zfnet alphapose_fastseresnet101b_coco@128x96
bagnet9 bagnet17 bam_resnet18 bam_resnet50 bisenet_resnet18_celebamaskhq@96x128 bninception
cbam_resnet18 cbam_resnet50 centernet_resnet18_voc@128x128 centernet_resnet18_coco@128x128
cgnet_cityscapes@128x256 channelnet condensenet74_c8_g8 condensenet74_c4_g4 ctxnet_cityscapes@128x256
dabnet_cityscapes@128x256 danet_resnetd50b_cityscapes@96x96 darknet_tiny darknet_ref darknet53 darts
deeplabv3_resnetd50b_cityscapes@96x96 deeplabv3_resnetd50b_coco@96x96 densenet121 densenet40_k12_cifar10
densenet40_k12_bc_cifar10 diapreresnet10 diapreresnet20_cifar10 diaresnet10 diaresnet20_cifar10 dicenet_wd5
dicenet_wd2 diracnet18v2 dla34 dla46xc dla46c dpn68 dpn68b drnd22 drnc26 edanet_cityscapes@128x256
efficientnet_b0 efficientnet_b1 efficientnet_b0b efficientnet_edge_small_b enet_cityscapes@128x256
erfnet_cityscapes@128x256 esnet_cityscapes@128x256 espnetv2_wd2 espnetv2_w1 fastscnn_cityscapes@256x256
fastseresnet101b fbnet_cb fcn8sd_resnetd50b_cityscapes@96x96 fcn8sd_resnetd50b_voc@96x96 fdmobilenet_wd4
fdmobilenet_wd4_cub fishnet99 fpenet_cityscapes@128x256 fractalnet_cifar10 ghostnet hardnet39ds hardnet68
hrnet_w18_small_v1 hrnet_w18_small_v2 ibnb_resnet50 ibn_densenet121 ibn_resnet50 ibn_resnext50_32x4d
icnet_resnetd50b_cityscapes@96x96 igcv3_wd4 igcv3_w1 inceptionresnetv1 inceptionresnetv2 inceptionv3 inceptionv4
isqrtcovresnet18 lednet_cityscapes@128x256 lffd20x5s320v2_widerface@160x160 lffd25x8s560v1_widerface@160x160
lwopenpose2d_mobilenet_cmupan_coco@128x128 lwopenpose3d_mobilenet_cmupan_coco@128x128 menet108_8x1_g3
menet128_8x1_g4 mixnet_s mixnet_m mnasnet_small mnasnet_a1 mnasnet_b1 mobilenet_wd4 mobilenet_w1 mobilenet_wd4_cub
mobilenetb_wd4 mobilenetv2_wd4 mobilenetv2b_wd4 mobilenetv3_small_w7d20 mobilenetv3_large_w1 msdnet22
msdnet22_cifar10 nasnet_4a1056 nin_cifar10 nin_cifar100 ntsnet_cub nvpattexp116bazel76 octresnet10_ad2
octresnet50b_ad2 peleenet pfpcnet pnasnet5large polynet preresnet18_wd4 preresnet50 preresnetbc14b
preresnet20_cifar10 preresnet164bn_cifar10 prnet proxylessnas_mobile proxylessnas_cpu proxylessnas_mobile_cub
pspnet_resnetd50b_cityscapes@96x96 pspnet_resnetd50b_coco@96x96 pyramidnet101_a360 pyramidnet110_a48_cifar10
regnetx002 regnety002 regnetx004 regnety004 resattnet56 resdropresnet20_cifar10 resnesta18 resnestabc14 resnet10
resnet18 resnet50 resnet50b resnetbc14b resnet18_wd4 resnet10_cub resnet20_cifar10 resnet164bn_cifar10 resneta10
resnetabc14b resnetd50b resnext14_32x2d resnext26_32x2d resnext20_32x2d_cifar10 revnet38 rir_cifar10
ror3_56_cifar10 scnet50 scneta50 segnet_cityscapes@64x128 selecsls42 selecsls60 senet16 sepreresnet10
sepreresnetbc26b sepreresnet20_cifar10 seresnet10 seresnetbc26b seresnet50 seresnet10_cub seresnet20_cifar10
seresnext50_32x4d shakedropresnet20_cifar10 shakeshakeresnet20_2x16d_cifar10 sharesnet18 sharesnet50
shufflenet_g1_wd4 shufflenet_g3_wd4 shufflenet_g8_w1 shufflenetv2_wd2 shufflenetv2_w1 shufflenetv2b_wd2
simplepose_resnet18_coco@128x96 simplepose_mobile_mobilenetv3_small_w1_coco@128x96
simplepose_mobile_mobilenetv2b_w1_coco@128x96 sinet_cityscapes@128x256 sknet50 sparsenet121 spnasnet
sqnet_cityscapes@64x128 squeezenet_v1_0 squeezenet_v1_1 squeezeresnet_v1_1 sqnxt23_w1 sqnxt23v5_w1
superpointnet unet_cityscapes@64x128 vgg11 bn_vgg11 voca8flame vovnet27s vovnet39 wrn50_2 wrn16_10_cifar10
wrn20_10_1bit_cifar10 xception xdensenet121_2 xdensenet40_2_k24_bc_cifar10
"""


def nets() -> Iterator[Net]:
    for entry in _PYTORCHCV.split():
        name, _, size = entry.partition("@")
        build = functools.partial(_pytorchcv, name, tuple(map(int, size.split("x"))) if size else ())
        yield Net(name, "pytorchcv", build, _INPUTS.get(name))
    for number in range(6):
        size = 96 if number < 4 else 64
        build = functools.partial(_efficientnet, f"efficientnet-b{number}", size)
        inputs = (InputSpec("inputs", (1, 3, size, size)),)
        yield Net(f"efficientnet_pytorch-b{number}", "efficientnet_pytorch", build, inputs)


_INPUTS = {
    "voca8flame": (InputSpec("x", (1, 1, 16, 29)), InputSpec("pid", (1,), value=np.array([3.0], np.float32))),
    "nvpattexp116bazel76": (InputSpec("x", (1, 8, 16, 29)), InputSpec("pid", (1,), "int64", high=100)),
    "pfpcnet": (InputSpec("x", (1, 1, 320, 240)),),
    "superpointnet": (InputSpec("x", (1, 1, 64, 64)),),
}


def _pytorchcv(name: str, size: tuple[int, ...]) -> nn.Module:
    from pytorchcv.model_provider import get_model

    # The points of a heat map are found by Python code on its values, which nets of this kind can leave out.
    options = {"return_heatmap": True} if name.startswith("simplepose") else {}
    net: nn.Module = get_model(name, **options, **({"in_size": size} if size else {}))
    return net


def _efficientnet(name: str, size: int) -> nn.Module:
    from efficientnet_pytorch import EfficientNet

    net: nn.Module = EfficientNet.from_name(name, image_size=size)
    return net


def input_of(net: nn.Module) -> tuple[InputSpec, ...]:
    """What pytorchcv says of a net's input."""
    name = "inputs" if "inputs" in net.forward.__code__.co_varnames[:2] else "x"
    return (InputSpec(name, (1, int(getattr(net, "in_channels", 3)), *getattr(net, "in_size", (224, 224)))),)
