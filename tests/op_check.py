"""One op case on both frameworks."""

from __future__ import annotations

import pytest

from codegen.mxnet_ops import OPS
from codegen.problems import ConversionError
from tests.op_cases import Case


def check(case: Case) -> None:
    """Both frameworks agree on a case, or it is refused as it says."""
    if case.refuses:
        _check_refusal(case)
        return
    conversion = case.conversion()
    # Python's operators on a symbol and a number stand in no table.
    assert [c.op for c in conversion.program.calls if c.op not in OPS and "c" not in dict(c.attrs)] == []
    assert conversion.graph.runs_at_others is not case.frozen, conversion.graph.frozen_because
    fresh = any(True for _ in case.module.parameters()) or any(True for _ in case.module.buffers())
    agreement = conversion.verify(tolerance=case.tolerance, fresh=fresh, layers=False)
    assert len({o.batch for o in agreement.outputs}) == 1 + conversion.graph.runs_at_others
    if not agreement.ok:
        agreement = conversion.verify(tolerance=case.tolerance, fresh=fresh)
        pytest.fail(
            f"{agreement.difference:.3g} > {case.tolerance:g}; first at {agreement.first_divergence}\n"
            f"{[(o.batch, o.difference) for o in agreement.outputs]}\n{conversion.graph.text()}\n{conversion.code}",
            pytrace=False,
        )


def _check_refusal(case: Case) -> None:
    assert case.why, "a refusal says what MXNet lacks"
    with pytest.raises(ConversionError) as caught:
        case.conversion()
    problems = caught.value.problems
    assert [p.what for p in problems] == [case.refuses]
    assert problems[0].hint == case.hint
