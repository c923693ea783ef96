"""Each stage's data is legal between all stages, and its check sees when it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from codegen import draft, folded, ir, program
from codegen.builder.builder import Builder
from codegen.fold import legal
from codegen.fold.fold import fold, unfolded
from codegen.folded import Argument, CallItem, Function, GuardItem, LoopItem, Module
from codegen.identifiers import identifier
from codegen.ir import Graph, Ref
from codegen.lower.graph import drafted
from codegen.naming.names import named
from codegen.program import Leaf, Out, Program, compacted
from codegen.rules import rule_table
from codegen.write.file import written_file
from codegen.write.legal import check as check_written
from codegen.written import Origin
from tests.golden import GOLDENS


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    return {name: golden.conversion(proved=False).graph for name, golden in GOLDENS.items()}


@pytest.mark.parametrize("golden", GOLDENS)
def test_every_stage_of_a_golden(graphs: dict[str, Graph], golden: str) -> None:
    graph = ir.check(graphs[golden])
    made = draft.check(drafted(Builder(graph), rule_table()))
    lowered = program.check(compacted(named(made, graph, "Net")))
    outputs = [output.operand for output in lowered.outputs]
    assert f"{lowered.calls[0].name} = {lowered.calls[0].op}(" in lowered.text()
    for module in (unfolded(lowered), fold(lowered, identifier("Net"))):
        legal.check(module, outputs)
        assert folded.text(module).count("\ndef ") + folded.text(module).startswith("def ") == len(
            module.functions
        )
        check_written(written_file(lowered, module, Origin("Net", "command"), []))


@pytest.fixture(scope="module")
def resnet(graphs: dict[str, Graph]) -> Program:
    graph = graphs["resnet18"]
    return compacted(named(drafted(Builder(graph), rule_table()), graph, "Net"))


def _later(p: Program) -> Program:
    first = replace(p.calls[0], inputs=((None, Out(len(p.calls) - 1)), *p.calls[0].inputs[1:]))
    return replace(p, calls=(first, *p.calls[1:]))


BROKEN_PROGRAMS: dict[str, Callable[[Program], Program]] = {
    "a name twice": lambda p: replace(p, calls=(*p.calls[:-1], replace(p.calls[-1], name=p.calls[0].name))),
    "a later call": _later,
    "an unknown Variable": lambda p: replace(p, variables=p.variables[1:]),
    "an unread Variable": lambda p: replace(
        p, variables=(*p.variables, replace(p.variables[-1], name="nothing_reads_it"))
    ),
    "no outputs": lambda p: replace(p, outputs=()),
    "a Variable as output": lambda p: replace(
        p, outputs=(replace(p.outputs[0], operand=Leaf(p.variables[0].name)),)
    ),
    "an output too many": lambda p: replace(p, outputs=(replace(p.outputs[0], operand=Out(0, 5)),)),
}


@pytest.mark.parametrize("what", BROKEN_PROGRAMS)
def test_a_broken_program(resnet: Program, what: str) -> None:
    program.check(resnet)
    with pytest.raises(AssertionError):
        program.check(BROKEN_PROGRAMS[what](resnet))


def test_a_broken_graph(graphs: dict[str, Graph]) -> None:
    graph = graphs["xxnet"]
    for broken in (
        replace(graph, nodes=graph.nodes[1:]),
        replace(graph, nodes=(*graph.nodes, graph.nodes[-1])),
        replace(graph, outputs=(Ref("nothing"),)),
        replace(graph, outputs=(Ref(graph.nodes[-1].name, 7),)),
    ):
        with pytest.raises(AssertionError):
            ir.check(broken)


def test_a_broken_draft(graphs: dict[str, Graph]) -> None:
    made = drafted(Builder(graphs["resnet18"]), rule_table())
    last = replace(made.calls[0], inputs=((None, Out(len(made.calls))),))
    variable = replace(made.variables[0], variable=replace(made.variables[0].variable, name="x"))
    for broken in (
        replace(made, calls=(last, *made.calls[1:])),
        replace(made, variables=made.variables[:3]),
        replace(made, variables=(variable, *made.variables[1:])),
        replace(made, spans=(made.spans[0], *made.spans)),
        replace(made, outputs=((Out(0, 3), ()),)),
    ):
        with pytest.raises(AssertionError):
            draft.check(broken)


def _first(module: Module, kind: type) -> int:
    return next(i for i, item in enumerate(module.items) if isinstance(item, kind))


def _with_item(module: Module, place: int, item: object) -> Module:
    return replace(module, items=(*module.items[:place], item, *module.items[place + 1 :]))


def _changed_call(module: Module, **changes: object) -> Module:
    place = _first(module, CallItem)
    call = module.items[place]
    assert isinstance(call, CallItem)
    return _with_item(module, place, replace(call, **changes))


def _other_flag(module: Module) -> Module:
    def changed(function: Function) -> Function:
        items = [replace(i, flag="with_nothing") if isinstance(i, GuardItem) else i for i in function.items]
        return replace(function, items=tuple(items))

    return replace(module, functions=tuple(map(changed, module.functions)))


def _other_loop(module: Module) -> Module:
    place = _first(module, LoopItem)
    loop = module.items[place]
    assert isinstance(loop, LoopItem)
    return _with_item(module, place, replace(loop, calls=(loop.calls[0], loop.calls[0])))


BROKEN_MODULES: dict[str, Callable[[Module], Module]] = {
    "an op left out": lambda m: replace(m, items=m.items[1:]),
    "a function left out": lambda m: replace(m, functions=()),
    "a function twice": lambda m: replace(m, functions=(*m.functions, *m.functions)),
    "an input too few": lambda m: _changed_call(m, inputs=()),
    "an input left out": lambda m: _changed_call(m, inputs=(None,)),
    "other arguments": lambda m: _changed_call(m, args=(("width", Argument("num_filter")),)),
    "other defaults": lambda m: _changed_call(m, defaults=(("num_filter", 8),)),
    "no such function": lambda m: _changed_call(m, function="nothing"),
    "a result too many": lambda m: _changed_call(m, outputs=(Out(0), Out(1))),
    "no such flag": _other_flag,
    "a loop that goes nowhere": _other_loop,
    "an op twice": lambda m: replace(m, items=(*m.items[:2], m.items[1], *m.items[2:])),
    "an argument of no function": lambda m: _changed_call(
        m, args=tuple((name, Argument("width")) for name, _ in m.functions[0].arguments)
    ),
    "names of other inputs": lambda m: replace(m, functions=(replace(m.functions[0], input_names=()),)),
    "an argument twice": lambda m: replace(
        m, functions=(replace(m.functions[0], arguments=m.functions[0].arguments * 2),)
    ),
}


@pytest.mark.parametrize("what", BROKEN_MODULES)
def test_a_broken_module(resnet: Program, what: str) -> None:
    outputs = [output.operand for output in resnet.outputs]
    module = legal.check(fold(resnet, "Net"), outputs)
    with pytest.raises(AssertionError):
        legal.check(BROKEN_MODULES[what](module), outputs)


def test_an_output_that_nothing_makes(resnet: Program) -> None:
    with pytest.raises(AssertionError):
        legal.check(fold(resnet, "Net"), [Out(len(resnet.calls))])
