"""The corrections of docs/traps.md: told in docstrings of fixed parts, with examples that run."""

from __future__ import annotations

import operator
import re

import mxnet as mx
import pytest
import torch

from codegen.mxnet_ops import OPS
from tests.conformance import page as operators
from tests.traps import page
from tests.traps.corrections import corrections, parsed
from tests.traps.examples import failures

CORRECTIONS = corrections()
STALE = "run `make traps`"

# The left column of the first list of differences, and the function that corrects each.
FIRST_LIST = {
    "BatchNorm eps 1e-5": "codegen/rules/norm.py:batch_norm",
    "BatchNorm momentum 0.1 is the share of the new batch": "codegen/rules/norm.py:batch_norm",
    "gamma is learned": "codegen/rules/norm.py:batch_norm",
    "running_var is updated with the unbiased batch variance": "codegen/rules/norm.py:batch_norm",
    "track_running_stats=False normalises with batch statistics": "codegen/rules/norm.py:_batch_statistics",
    "pool stride defaults to the kernel": "codegen/idioms/pooling.py:pool",
    "ceil_mode drops a last window in the right padding": "codegen/idioms/pooling.py:window_count",
    "count_include_pad=True": "codegen/idioms/pooling.py:pool",
    "max_pool dilation": "codegen/idioms/pooling.py:_dilated_max",
    "avg_pool divisor_override": "codegen/rules/pool.py:avg_pool",
    "return_indices": "codegen/rules/unpool.py:max_pool_with_indices",
    "ConvTranspose has a bias": "codegen/rules/conv.py:conv_transpose",
    "Convolution: no_bias=False": "codegen/rules/conv.py:conv",
    "Linear acts on the last axis": "codegen/idioms/products.py:connected",
    "interpolate align_corners=False": "codegen/rules/resize.py:interpolate",
    "LeakyReLU slope 0.01": "codegen/rules/activation.py:leaky_relu",
    "ELU alpha 1.0": "codegen/rules/activation.py:elu",
    "hardsigmoid x/6 + 0.5": "codegen/rules/activation.py:hardsigmoid",
    "GroupNorm weight and bias: one per channel": "codegen/rules/norm.py:group_norm",
    "InstanceNorm eps 1e-5": "codegen/rules/norm.py:instance_norm",
    "LocalResponseNorm k=1": "codegen/rules/norm.py:local_response_norm",
    "normalize: divides by max(norm, eps)": "codegen/rules/norm.py:normalize",
    "argmax gives int64": "codegen/rules/reduce.py:position",
    "topk gives int64": "codegen/rules/sort.py:_both",
    "argsort gives int64": "codegen/rules/sort.py:_order",
    "comparisons give bool": "codegen/rules/logic.py:compare",
    "pad to any rank, any mode": "codegen/rules/pad.py:pad",
    "a 0-d tensor": "codegen/lower/node.py:_as_line",
    "LSTM, GRU: one tensor per gate block and layer": "codegen/rules/rnn.py:_parameters",
    "broadcasting everywhere": "codegen/idioms/elementwise.py:_of_tensors",
    "repeating a module shares its weights": "codegen/builder/leaves.py:Leaves._parameter",
    "any numpy": "codegen/mxnet_import.py:import_mxnet",
    "tensors of any size": "codegen/lower/node.py:_check_sizes",
    "initializers choose by the suffix of a name": "codegen/naming/namer.py:Namer.wished",
    "from_numpy copies nothing": "codegen/weights.py:parameters",
}
# What docs/traps.md held beyond that list before it was generated.
LATER = {
    "weights stay as they are": "codegen/proof/run.py:_bound",
    "float32 rounding of an ill-conditioned net": "tracer/verify.py:_outputs_in_double",
    "operators on tensors have no names": "codegen/builder/builder.py:Builder.with_number",
    "relu(bn(c)) and c, both used": "codegen/passes/fusion.py:_is_fused_wrongly",
    "relu(c) and c - 1, where c is a Linear": "codegen/passes/fusion.py:_copied_linears",
    "softmax(c, -1) and c as outputs": "codegen/passes/fusion.py:_separate",
    "dropout of a dropout": "codegen/passes/fusion.py:_copied_dropouts",
    "bilinear interpolation computes in the input's dtype": "codegen/rules/resize.py:interpolate",
    "a pool of kernel 1": "codegen/idioms/pooling.py:pool",
    "clamp at the ends of float32": "codegen/rules/logic.py:clamp",
    "ctc_loss gives infinity": "codegen/rules/ctc.py:_where_possible",
    "ctc_loss takes what it is given as logarithms": "codegen/rules/ctc.py:_excess",
    "a split of a line gives numbers": "codegen/rules/join.py:unbind",
    "half() and bfloat16() round": "codegen/rules/layout.py:_rounded",
    "nn.TransformerEncoder with a padding mask": "tracer/settings.py:traced_settings",
}


@pytest.mark.parametrize("correction", [pytest.param(c, id=c.where) for c in CORRECTIONS])
@pytest.mark.filterwarnings("ignore")
def test_the_example_prints_what_it_says(correction):
    said = failures(correction)
    if said:
        pytest.fail(said, pytrace=False)


@pytest.mark.parametrize(("row", "where"), [*FIRST_LIST.items(), *LATER.items()])
def test_each_known_difference_is_told(row: str, where: str):
    assert where in {c.where for c in CORRECTIONS}, f"nothing tells of: {row}"


def test_each_attribute_in_which_torch_differs_is_told():
    told = {attribute for c in CORRECTIONS for attribute in c.attributes()}
    assert {f"{op}.{attr}" for op, spec in OPS.items() for attr in spec.differing} - told == set()


@pytest.mark.parametrize("correction", [pytest.param(c, id=c.where) for c in CORRECTIONS])
def test_what_a_source_names_exists(correction):
    for name in re.findall(r"\b(?:mx|torch)\.[\w.]*\w", correction.source):
        assert operator.attrgetter(name.partition(".")[2])({"mx": mx, "torch": torch}[name.partition(".")[0]])


def test_titles_are_unique():
    assert len({c.title for c in CORRECTIONS}) == len(CORRECTIONS)


def test_the_page_is_what_would_be_generated():
    assert page.PAGE.read_text(encoding="utf-8") == page.text(CORRECTIONS), STALE


def test_the_links_of_the_page_of_operators_are_what_would_be_generated():
    text = operators.PAGE.read_text(encoding="utf-8")
    assert operators.linked(text) == text, STALE


DOCSTRING = """Title.

torch: one.
MXNet: two,
    and a half.
We write: three.
Source: four; mx.sym.Concat.

>>> 1 + 1
2
"""


def test_a_docstring_is_read():
    correction = parsed(DOCSTRING, "file.py", "function", ("cat",))
    assert correction is not None
    assert (correction.title, correction.torch, correction.mxnet) == ("Title", "one.", "two, and a half.")
    assert (correction.we_write, correction.source) == ("three.", "four; mx.sym.Concat.")
    assert correction.example == ">>> 1 + 1\n2"
    assert failures(correction) == ""


def test_an_example_that_prints_something_else_is_shown():
    correction = parsed(DOCSTRING.replace("2\n", "3\n"), "file.py", "function")
    assert correction is not None
    assert "Expected:\n    3\nGot:\n    2\n" in failures(correction)


@pytest.mark.parametrize("line", [line for line in DOCSTRING.splitlines() if ": " in line] + [">>> 1 + 1\n2"])
def test_a_part_that_is_missing_is_an_error(line: str):
    with pytest.raises(ValueError, match=r"file\.py:function: the parts of a correction are torch, MXNet"):
        parsed(DOCSTRING.replace(line, ""), "file.py", "function")


def test_other_docstrings_tell_no_correction():
    assert parsed("One sentence.\n\nAnd another: more.", "file.py", "function") is None
