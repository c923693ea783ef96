"""The door to mxnet, under the numpy and the Python that run these tests; `make matrix` runs them under others."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
REMOVED = (
    *("bool", "PZERO", "NZERO", "NINF", "PINF", "NAN", "NaN", "Inf", "alltrue", "sometrue", "in1d", "msort"),
    *("trapz", "round_", "product", "mirr", "npv", "pmt", "ppmt", "pv", "rate"),
)

NUMPY_BEFORE = """
import sys, warnings
import numpy as np
import numpy.fft, numpy.linalg, numpy.random, numpy.testing  # which mxnet loads as well

def seen():
    return {name: id(value) for module in (np, np.linalg, np.random, np.fft) for name, value in vars(module).items()}

before, finders = seen(), list(sys.meta_path)
"""


def run(code: str, *options: str, **variables: str) -> str:
    """What a process of its own prints; it must end well, and say nothing to standard error."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_numpy_is_left_as_it_was() -> None:
    run(NUMPY_BEFORE + """
from codegen.mxnet_import import import_mxnet
assert import_mxnet().__version__ == "1.9.1"
assert seen() == before
""")


def test_a_failed_import_leaves_nothing_behind() -> None:
    said = run(NUMPY_BEFORE + """
import os
from codegen.mxnet_import import import_mxnet
from codegen.problems import RequestError
warned = list(warnings.filters)
sys.modules["mxnet.base"] = None  # a part that cannot be imported
try:
    import_mxnet()
except RequestError as error:
    print(error)
assert seen() == before and sys.meta_path == finders and warnings.filters == warned
del sys.modules["mxnet.base"]
""")
    assert said.startswith(
        "mxnet cannot be imported (ModuleNotFoundError: import of mxnet.base halted; None in"
    )
    assert said.endswith("; install it anew: pip install --no-deps mxnet==1.9.1\n")


def test_without_mxnet_it_says_what_to_type() -> None:
    said = run("""
import importlib.machinery, sys
class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "mxnet" else super().find_spec(name, path, target)
import codegen.mxnet_import as door
sys.meta_path[:] = [f for f in sys.meta_path if f is not importlib.machinery.PathFinder] + [Without]
door._Finder.find_spec = classmethod(lambda cls, *args: None)
try:
    door.import_mxnet()
except door.RequestError as error:
    print(error)
""")
    assert said == (
        "there is no mxnet here; install it: pip install --no-deps mxnet==1.9.1 "
        "(or name a Python that has it: --mxnet-python)\n"
    )


def test_mxnet_that_was_there_before_stays() -> None:
    run("""
import sys, types
mine = sys.modules["mxnet"] = types.ModuleType("mxnet")
from codegen.mxnet_import import import_mxnet
finders = list(sys.meta_path)
assert import_mxnet() is mine and sys.meta_path == finders
""")


def test_threads_get_one_mxnet() -> None:
    run("""
from concurrent.futures import ThreadPoolExecutor
from codegen.mxnet_import import import_mxnet
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(lambda _: import_mxnet().sym.Variable, range(8)))
assert len(set(found)) == 1
""")


def test_nothing_is_said(tmp_path: Path) -> None:
    """Also where mxnet's files are compiled anew, which says much of their strings, and all warnings are shown."""
    said = run(
        "from codegen.mxnet_import import import_mxnet; import_mxnet()",
        "-Walways",
        PYTHONPYCACHEPREFIX=str(tmp_path),
    )
    assert said == ""


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_optimized_python(option: str) -> None:
    run("from codegen.mxnet_import import import_mxnet; import_mxnet()", option)


def test_neither_distutils_nor_requests_is_needed() -> None:
    run("""
import sys
sys.modules["distutils"] = sys.modules["setuptools"] = sys.modules["requests"] = None
from codegen.mxnet_import import import_mxnet
import_mxnet()
""")


def test_a_plain_import_works_afterwards() -> None:
    """As generated code and users write it; `tracer` alone is named, and torch is not loaded."""
    code = "import sys, tracer; tracer.import_mxnet(); import mxnet as mx; mx.sym.Variable('x')"
    assert run(f"{code}; import mxnet.contrib.onnx; print('torch' in sys.modules)") == "False\n"


# What mxnet reads of numpy when it runs ----------------------------------------------------------------


def test_every_removed_name_answers() -> None:
    seen = mx.numpy.utils.onp
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in REMOVED:
            assert hasattr(seen, name), name
    with pytest.raises(AttributeError):
        seen.no_such_name


def test_functions_that_were_removed() -> None:
    array = np.array([[3.0, 1.0], [0.0, 2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy 2.0 to 2.3 warn of some
        assert not mx.np.alltrue(array)
        assert mx.np.trapz(array[0]) == 2
        assert mx.np.msort(array).tolist() == [[0, 1], [3, 2]]
        assert mx.np.in1d(array, [3, 2]).tolist() == [True, False, False, True]
    assert mx.np.bool is bool


def test_numpy_functions_take_arrays_of_mxnet() -> None:
    array = mx.np.array([[1.0, 2.0], [3.0, 4.0]])
    for found in (np.mean(array), np.max(array), np.sum(array), np.all(array)):
        assert isinstance(found, mx.np.ndarray)
    assert mx.np.pad(array, ((1, 1), (0, 0)), mode="constant").shape == (4, 2)


def test_moveaxis() -> None:
    assert mx.nd.moveaxis(mx.nd.ones((2, 3, 4)), 0, 2).shape == (3, 4, 2)


def test_records() -> None:
    header = mx.recordio.IRHeader(0, np.array([1.0, 2.0]), 3, 0)
    read, content = mx.recordio.unpack(mx.recordio.pack(header, b"content"))
    assert (read.label.tolist(), content) == ([1.0, 2.0], b"content")


def test_an_event_handler() -> None:
    """Its class reads np.Inf when an object of it is made."""
    metric = mx.metric.Loss("loss")
    handler = mx.gluon.contrib.estimator.EarlyStoppingHandler(metric, mode="min")
    handler.train_begin(None)
    assert handler.best == np.inf


def test_gluon_trains() -> None:
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Dense(2))
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = mx.gluon.Trainer(net.collect_params(), "adam")
    with mx.autograd.record():
        loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(mx.nd.ones((2, 3, 8, 8))), mx.nd.array([0, 1]))
    loss.backward()
    trainer.step(2)
    metric = mx.metric.Accuracy()
    metric.update([mx.nd.array([0, 1])], [net(mx.nd.ones((2, 3, 8, 8)))])
    assert 0 <= metric.get()[1] <= 1
