"""What all tests share: mxnet, imported as fx2mx imports it, and the fast part of `python -m tests.matrix`."""

from __future__ import annotations

import pytest

from codegen.mxnet_import import import_mxnet

import_mxnet()  # so that `import mxnet as mx` works in tests under any numpy

# Of the op cases the fast part takes one in so many.
OP_CASES = 20
# torch 2.14 has removed what one calls; the other traces all cases, and takes as long as they.
NOT_FAST = {"test_case[cholesky of torch]", "test_every_rule_has_a_case"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help=f"of the op cases, one in {OP_CASES}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--fast"):
        return
    cases = [item.name for item in items if item.name.startswith("test_case[")]
    left_out = set(cases) - set(cases[::OP_CASES]) | NOT_FAST
    items[:] = [item for item in items if item.name not in left_out]
