"""Each op case on both frameworks: agreement within its tolerance, or the exact refusal."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter

import pytest

from codegen.rules import rule_table
from tests.op_cases import Case, all_cases
from tests.op_check import check
from tracer.trace import trace

CASES = all_cases()


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CASES])
def test_case(case: Case):
    check(case)


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
