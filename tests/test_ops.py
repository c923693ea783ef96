"""Each op case on both frameworks: agreement within its tolerance, or the exact refusal."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter

import pytest

from codegen.mxnet_ops import OPS
from codegen.problems import ConversionError
from codegen.rules import rule_table
from tests.op_cases import Case, all_cases
from tracer.trace import trace

CASES = all_cases()


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CASES])
def test_case(case: Case):
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


def test_names_are_unique():
    assert [n for n, count in Counter(c.name for c in CASES).items() if count > 1] == []


def test_every_rule_has_a_case():
    covered: set[str] = set()
    for case in CASES:
        if not case.refuses:
            covered |= {n.op for n in trace(case.module, case.specs()).nodes}
    assert sorted(set(rule_table()) - covered) == []


def _rules() -> list:
    return list({entry.rule: entry for entry in rule_table().values()}.values())


@pytest.mark.parametrize("entry", [pytest.param(e, id=e.op) for e in _rules()])
def test_every_argument_is_read(entry):
    """A parameter that the body never reads would be an argument lost in silence."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(entry.rule)))
    function = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    read = {
        n.id
        for statement in function.body
        for n in ast.walk(statement)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    parameters = entry.signature.parameters.values()
    assert [p.name for p in parameters if p.name not in read and p.name != "b"] == []
    assert [p.name for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)] == []
    assert [name for name in entry.ignores if name in entry.signature.parameters] == []
