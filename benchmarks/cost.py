"""What a conversion costs: start-up, memory, deep nets, and the way through ONNX. See `make bench`.

`python benchmarks/cost.py [--onnx PYTHON] [--gigabytes G] [--write]`, on one core. Processes take turns, so
that a busy machine is busy for all of them; what stands are ratios, and seconds for scale. `--write` writes
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "performance.md"
# The twelve kinds of nets that other converters are measured by, as pytorchcv has them.
NETS = (
    "alexnet vgg16 resnet18 resnet50 densenet121 inceptionv3 mobilenetv2_w1 mobilenetv3_large_w1 "
    "shufflenetv2_w1 efficientnet_b0 efficientnet_edge_small_b regnety004"
).split()
ROUNDS = 5
DEPTHS = (500, 1000, 2000)
IMPORTS = "import torch, mxnet"
# What /proc says of this process alone: ru_maxrss begins with what its parent had in memory.
PEAK = "import re; print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
WIDE = """
from torch import nn

class Wide(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8192, 8192, bias=False) for _ in range(layers)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return x
"""
SAVE = """
import sys, torch
torch.save({f"layers.{i}.weight": torch.zeros(8192, 8192) for i in range(int(sys.argv[1]))}, "wide.pth")
"""
CONVERT = """
from tracer.gen import main
try:
    main()
except SystemExit as end:
    assert not end.code
"""
DEEP = """
import sys, time, torch, mxnet
from torch import nn
import tracer

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()

net = nn.Sequential(*[Block() for _ in range(int(sys.argv[1]))]).eval()
began = time.process_time()
tracer.convert(net, (torch.ones(1, 4, 8, 8),), "Deep")
print(time.process_time() - began)
"""


def python(code: str, *arguments: str, folder: Path = HOME, interpreter: str = sys.executable) -> str:
    """What a process prints that runs some code."""
    environment = os.environ | {"PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    # What pip installs is compiled, and what runs from a source tree after its first run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [interpreter, "-c", code, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    ).stdout


def seconds(code: str, *arguments: str, folder: Path) -> float:
    """Of the processor, as the children's clock counts them: what other processes do matters less."""
    before = os.times()
    python(code, *arguments, folder=folder)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def start_up() -> str:
    """A run of XXNet against the bare imports of both frameworks, with the comparison and without it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [str(HOME / "examples/xxnet/model.py") + ":XXNet", "--out", "model_mxnet.py"]
        python(CONVERT, *command, folder=folder)
        rounds = [
            (
                seconds(IMPORTS, folder=folder),
                seconds(CONVERT, *command, folder=folder),
                seconds(CONVERT, *command, "--no-verify", folder=folder),
            )
            for _ in range(ROUNDS)
        ]
    whole = statistics.median(run / imports for imports, run, _ in rounds)
    uncompared = statistics.median(run / imports for imports, _, run in rounds)
    imports = statistics.median(imports for imports, *_ in rounds)
    return (
        f"The whole command for XXNet, weights and comparison too, takes {whole:.2f} times what "
        f"`import torch, mxnet` takes ({imports:.1f} s of the processor here; {ROUNDS} rounds, the median), "
        f"once Python has compiled the files of both. With `--no-verify` it takes {uncompared:.2f}: the rest "
        "are eight runs of the net in torch and six in MXNet, on images of 224x224 and 257x289."
    )


def memory(gigabytes: float) -> str:
    """The peak of a conversion without comparison, beyond that of the imports."""
    layers = max(1, round(gigabytes * 2**30 / (4 * 8192 * 8192)))
    weights = layers * 4 * 8192 * 8192
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wide.py").write_text(WIDE, encoding="utf-8")
        python(SAVE, str(layers), folder=folder)
        command = [
            "wide.py:Wide",
            "--kwargs",
            f"layers={layers}",
            "--input",
            "1,8192",
            "--weights",
            "wide.pth",
        ]
        peak = python(f"{CONVERT}\n{PEAK}", *command, "--out", "wide_mxnet.py", "--no-verify", folder=folder)
        imports = python(f"{IMPORTS}\n{PEAK}", folder=folder)
    beyond = 1024 * (int(peak.split()[-1]) - int(imports.split()[-1]))
    return (
        f"A checkpoint of {weights / 1e9:.1f} GB, without the comparison: the peak is that of the imports "
        f"and {beyond / weights:.2f} times the weights."
    )


def deep() -> str:
    """Nets of many blocks."""
    rows = [f"| {n:,} | {3 * n:,} | {float(python(DEEP, str(n)).split()[-1]):.1f} |" for n in DEPTHS]
    return "\n".join(
        ["| blocks of conv, bn, relu | ops | s of the processor |", "| --- | --- | --- |", *rows]
    )


def routes(onnx: str) -> str:
    """Both ways for each net, in turns."""
    rows, ratios = [], []
    for net in NETS:
        ours, theirs = (
            _route(interpreter, way, net) for interpreter, way in ((sys.executable, "fx2mx"), (onnx, "onnx"))
        )
        if "why" in ours or "why" in theirs:
            rows.append(f"| {net} | {_cell(ours)} | {_cell(theirs)} | |")
            continue
        ratios.append(ours["seconds"] / theirs["seconds"])
        rows.append(f"| {net} | {_cell(ours)} | {_cell(theirs)} | {ratios[-1]:.2f} |")
        print(rows[-1], flush=True)
    said = (
        f"Of the time through ONNX: {statistics.median(ratios):.2f} in the median, {max(ratios):.2f} at most."
    )
    return "\n".join(
        [
            "| net | fx2mx, s of the processor | ONNX, s | ratio |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            said,
        ]
    )


def _route(interpreter: str, way: str, net: str) -> dict[str, object]:
    code = f"import runpy; runpy.run_path({str(HOME / 'benchmarks/routes.py')!r}, run_name='__main__')"
    found: dict[str, object] = json.loads(python(code, way, net, interpreter=interpreter).splitlines()[-1])
    return found


def _cell(found: dict[str, object]) -> str:
    return f"{found['seconds']:.2f}" if "seconds" in found else re.sub(r"[|\n]", " ", str(found["why"]))[:80]


def page(onnx: str | None, gigabytes: float) -> Iterator[str]:
    """docs/performance.md, part by part."""
    yield "# What a conversion costs"
    yield (
        "`make bench` measures it, and writes this page. On one core; the processes that are compared take "
        "turns. The nets are pytorchcv's."
    )
    yield f"## Start-up\n\n{start_up()}"
    yield f"## Memory\n\n{memory(gigabytes)}"
    yield f"## Deep nets\n\n{deep()}"
    if onnx:
        yield (
            "## Beside the way through ONNX\n\n`torch.onnx.export` (torch 1.13.1, opset 9) and onnxsim, then "
            "MXNet's own importer, which gives a symbol and no code; both from a net in memory to files on "
            f"disk, without imports, without comparison, the least of three runs.\n\n{routes(onnx)}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--onnx", metavar="PYTHON", help="the Python of the environment with torch 1.13 and onnx"
    )
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of the checkpoint")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args(arguments)
    parts = []
    for part in page(options.onnx, options.gigabytes):
        print(part, flush=True)
        parts.append(part)
    if options.write:
        PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
