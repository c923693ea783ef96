"""Who reads the page: lines of which nothing is, places that are looked for, where a box leads, what stands open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Opened
from tests.browser.test_page import ALL_OF_IT, box, is_in_view, line, opened_node, texts, twins

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def code(page: Page, text: str, pane: str = "#mxnet") -> Locator:
    """A line, whether anything is of it or not."""
    return page.locator(f"{pane} .l", has_text=text).first


def detail(page: Page) -> str:
    return page.locator("#detail").inner_text()


def number(found: Locator) -> int:
    return int((found.get_attribute("id") or "").rpartition("-L")[2])


def look_for(page: Page, text: str) -> str:
    page.fill("#q", "")
    page.locator("#found:empty").wait_for(state="attached")
    page.fill("#q", text)
    page.locator("#found:not(:empty)").wait_for()
    return page.locator("#found").inner_text()


# Lines -------------------------------------------------------------------------------------------------


def test_a_line_of_which_nothing_is_says_so(opened: Opened) -> None:
    page = opened()
    line(page, "self.bn(x)").hover()
    assert "BatchNorm" in detail(page)
    unmapped = code(page, "FIXED_PARAMS")
    unmapped.hover()
    assert detail(page) == f"resnet20_mxnet.py:{number(unmapped)}\nno op of MXNet's is made here"
    assert page.locator(".twin").count() == 0
    code(page, "import", "#torch").or_(code(page, "class ", "#torch")).first.click()
    assert "no op of MXNet's is made here" in detail(page)
    page.locator("h1").hover()
    assert "no op of MXNet's is made here" in detail(page)


def test_a_line_that_makes_a_weight_tells_its_keys(opened: Opened, recurrent_report: Path) -> None:
    page = opened(file=recurrent_report)
    code(page, 'mx.sym.Variable("lstm_parameters"').hover()
    said = detail(page)
    assert said.startswith(
        "lstm_parameters holds these 16 of torch's, flattened and joined in this order: lstm.weight_ih_l0, "
        "lstm.weight_hh_l0, lstm.weight_ih_l0_reverse, 13 more"
    )
    assert twins(page, "#torch") == ["return self.out(self.lstm(self.embed(ids))[0])"]
    code(page, 'mx.sym.Variable("lstm_parameters"').click()
    page.locator("#detail .weights button").click()
    assert "lstm.bias_hh_l1_reverse" in detail(page)
    line(page, "mx.sym.FullyConnected(", "#mxnet").hover()
    assert "out_weight is torch's out.weight; out_bias is torch's out.bias" in detail(page)
    row = page.locator("#table-weights tbody tr", has_text="lstm_parameters")
    page.add_style_tag(content=ALL_OF_IT)
    assert "these 16, flattened and joined in this order" in row.inner_text()
    assert "lstm.bias_hh_l1" not in row.inner_text()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []


def test_all_of_a_statement_is_its_op(opened: Opened) -> None:
    page = opened()
    first = line(page, "mx.sym.Convolution(", "#mxnet")
    first.hover()
    said = detail(page)
    assert twins(page, "#torch") == ["x = self.conv(x)"]
    for more in range(1, 9):
        page.locator(f"[id='resnet20_mxnet.py-L{number(first) + more}']").hover()
        assert detail(page) == said
        assert twins(page, "#torch") == ["x = self.conv(x)"]
        assert "on" in (first.get_attribute("class") or "").split()


def test_a_loop_is_what_its_body_makes(opened: Opened) -> None:
    page = opened()
    code(page, "for i in range(1, 4)").hover()
    said = detail(page)
    assert said.startswith("features.stage1.unit1, features.stage1.unit2, features.stage1.unit3 (ResUnit)")
    code(page, "features_stage1_unit{i}").hover()
    assert detail(page) == said


def test_a_quoted_comment_is_the_statement_below(opened: Opened) -> None:
    page = opened()
    code(page, "# x = x.view(").hover()
    assert "Reshape" in detail(page)
    assert twins(page, "#torch") == ["x = x.view(x.size(0), -1)"]


def test_the_arrow_keys_go_on_from_a_click(opened: Opened) -> None:
    page = opened()
    code(page, "features_stage1_unit{i}").locator("code").click(position={"x": 80, "y": 8})
    start = page.evaluate("pinned")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.closest('.l').id")
    lines = page.evaluate("[...document.querySelectorAll('#mxnet .m:not(.s)')].map((one) => one.id)")
    assert lines.index(second) == lines.index(start) + 1
    assert "features.stage2.unit1" in detail(page)
    page.locator("#mxnet").focus()
    page.keyboard.press("ArrowUp")
    assert lines.index(page.evaluate("document.activeElement.closest('.l').id")) == lines.index(start) - 1
    # The pane scrolls below a pointer that rests: what the keyboard is at stays.
    for _ in range(12):
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(100)
    own = page.evaluate("document.activeElement.closest('.l').id")
    assert page.locator("#mxnet .on").first.get_attribute("id") == own


# The box -----------------------------------------------------------------------------------------------


def test_a_call_tells_of_its_module_first(opened: Opened) -> None:
    page = opened()
    call = code(page, 'name="features_stage2_unit1"')
    call.click()
    said = detail(page)
    assert said.startswith("features.stage2.unit1 (ResUnit), called at ")
    assert "In it: identity_conv (ConvBlock), body (ResBlock)" in said
    page.locator("#detail a", has_text="identity_conv (").click()
    assert detail(page).startswith("features_stage2_unit1_identity_conv_conv differs by ")
    call.click()
    place = page.locator("#detail .torch-place a").first
    name, _, found = place.inner_text().rpartition(":")
    place.click()
    assert page.locator(".l.pin").get_attribute("id") == f"pytorchcv/models/{name}-L{found}"
    assert is_in_view(page, page.locator(".l.pin"), "#torch")
    assert page.evaluate("location.hash") == f"#pytorchcv/models/{name}-L{found}"


def test_more_opens_the_rest_and_nothing_is_cut(opened: Opened) -> None:
    page = opened()
    line(page, "self.conv(x)").click()
    calls = page.locator("#detail .calls > div")
    assert calls.count() == 4
    more = page.locator("#detail .calls > .more")
    count = int(more.inner_text().split()[0])
    assert f"Run for {4 + count} calls of torch's:" in detail(page)
    more.click()
    assert calls.count() == 4 + count
    assert page.evaluate(
        "document.activeElement.closest('.calls > div') === document.querySelectorAll('.calls > div')[4]"
    )
    assert page.evaluate("(e => e.scrollHeight <= e.clientHeight + 1)(document.querySelector('#detail'))")


@pytest.mark.parametrize("start", ["table", "dot"])
def test_who_comes_from_a_layer_sees_that_layer(opened: Opened, start: str) -> None:
    page = opened()
    if start == "table":
        link = page.locator("#worst a").nth(3)
        name, index = link.inner_text(), int(link.get_attribute("data-layer") or "")
        link.click()
    else:
        page.locator("#layers").focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        name = (page.locator("#layers").get_attribute("aria-valuetext") or "").partition(",")[0]
        index = page.evaluate("name => data.layers.findIndex((row) => row[0] === name)", name)
        page.keyboard.press("Enter")
    difference, path = page.evaluate("i => [data.layers[i][DIFFERENCE], data.layers[i][PATH]]", index)
    page.wait_for_timeout(100)  # a link's event comes later
    page.locator("#mxnet .l.pin").hover()
    page.locator("h1").hover()
    said = detail(page)
    assert said.startswith(f"{name} differs by {difference}: ")
    assert f"in torch {path}" in said
    page.locator("#detail .more", has_text="ops of its line").click()
    assert not detail(page).startswith(f"{name} differs")


# The search --------------------------------------------------------------------------------------------


def test_a_place_is_found(opened: Opened) -> None:
    page = opened()
    own = line(page, "x = x + identity")
    place = f"resnet.py:{number(own)}"
    shown = page.locator(".pane .l:visible").count()
    assert look_for(page, place) == place
    assert page.locator(".pane .l:visible").count() == shown
    page.keyboard.press("Enter")
    assert page.locator(".l.pin").get_attribute("id") == own.get_attribute("id")
    assert is_in_view(page, own, "#torch")
    assert look_for(page, "resnet20_mxnet.py:102") == "resnet20_mxnet.py:102"
    assert "resnet20_mxnet.py:24" in look_for(page, "line 24").split(", ")
    page.keyboard.press("Enter")
    assert page.locator(".l.pin").get_attribute("id") == "resnet20_mxnet.py-L24"
    assert look_for(page, "resnet20_mxnet.py:9999") == "nothing is found"


def test_what_is_found_is_linked_and_the_rest_hidden(opened: Opened) -> None:
    page = opened()
    assert look_for(page, "stage2_unit1_body_conv2").startswith("2 ops, ")
    assert "3 blocks" in page.locator("#found").inner_text()
    assert not page.locator("#defaults").is_visible()
    page.locator("#found a", has_text="rows").click()
    assert page.locator("#table-weights tbody tr:visible").count() == 5
    assert is_in_view(page, page.locator("#weights h2"), "html")
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    assert detail(page).startswith("features_stage2_unit1_body_conv2_conv differs by ")
    said = look_for(page, "init_block_bn_moving_var")
    assert said == "1 row"
    assert texts(page.locator("main > section:visible h2")) == ["Weights"]
    page.keyboard.press("Enter")
    assert is_in_view(page, page.locator("#table-weights tbody tr:visible"), "#weights .scroll")
    page.keyboard.press("Escape")
    assert page.locator("main > section:visible").count() == page.locator("main > section").count()


def test_a_file_without_a_hit_goes_with_its_name(opened: Opened) -> None:
    page = opened()
    heads = page.locator("#torch h3:visible")
    assert heads.count() > 1
    look_for(page, "x = x + identity")
    assert [text.split()[0] for text in heads.all_inner_texts()] == ["pytorchcv/models/resnet.py"]


# How it looks ------------------------------------------------------------------------------------------


def test_what_is_largest_is_open_and_marked(opened: Opened) -> None:
    page = opened()
    assert opened_node(page, "features").get_attribute("aria-expanded") == "true"
    assert page.locator(".outline details[open]").count() == 2
    marks = page.locator(".outline li:has(> details > summary em), .outline li:has(> div em)")
    assert {one.get_attribute("data-b") for one in marks.all()} == {"features.stage1", "features.stage3"}
    assert set(texts(page.locator(".outline em"))) == {"most parameters", "most FLOPs"}


@pytest.mark.parametrize("width", [390, 1280])
def test_titles_are_whole_and_what_opens_is_in_view(opened: Opened, width: int) -> None:
    page = opened(width)
    for path in ("features.stage3", "features.stage3.unit1", "features.stage3.unit1.body"):
        opened_node(page, path).focus()
        page.keyboard.press("Enter")
        head = opened_node(page, path).locator("rect")
        own = head.evaluate("e => e.getBoundingClientRect().toJSON()")
        frame = box(page, "#graph")
        assert frame["top"] <= own["top"] < frame["bottom"]
        assert frame["left"] <= own["left"] + 1
    assert (
        page.evaluate(
            "[...document.querySelectorAll('#graph .open > text')].filter((text) => "
            "text.getBBox().width + 12 > Number(text.parentNode.firstChild.getAttribute('width'))).length"
        )
        == 0
    )


def test_words_of_tables_are_whole(opened: Opened) -> None:
    page = opened()
    assert (
        page.evaluate(
            "[...document.querySelectorAll('#worst td:nth-child(3) code, #defaults td:first-child code')]"
            ".filter((one) => one.getClientRects().length > 1).length"
        )
        == 0
    )


def test_long_lines_are_wrapped_on_demand(opened: Opened) -> None:
    page = opened()
    wide = "(e => e.scrollWidth > e.clientWidth + 1)(document.querySelector('#mxnet'))"
    assert page.evaluate(wide)
    button = page.get_by_role("button", name="Wrap long lines")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert not page.evaluate(wide)


def test_on_a_phone_all_is_reached(opened: Opened, report: Path) -> None:
    page = opened(390)
    label, value = page.locator("dt").first.bounding_box(), page.locator("dd").first.bounding_box()
    assert label is not None
    assert value is not None
    assert value["y"] >= label["y"] + label["height"] - 1
    for frame, last in ((".bar nav", "a:last-child"), ("#defaults .scroll", "th:last-child")):
        found = page.locator(frame)
        found.scroll_into_view_if_needed()
        page.locator(f"{frame}.wide").wait_for()
        found.evaluate("e => { e.scrollLeft = e.scrollWidth; }")
        page.locator(f"{frame}:not(.wide)").wait_for()
        right = found.locator(last).evaluate("e => e.getBoundingClientRect().right")
        assert right <= 390


def test_a_line_tells_of_its_own_calls_of_torch_alone(opened: Opened) -> None:
    page = opened()
    code(page, 'name="features_final_pool"').click()
    (own,) = page.locator("#detail .calls > div").all()
    said = r"avg_pool2d in features\.final_pool, \w+\.py:\d+, differs by \S+: features_final_pool"
    assert re.fullmatch(said, own.inner_text()), own.inner_text()
    assert "calls of torch's" not in detail(page)
    code(page, "mx.sym.BatchNorm(").click()
    paths = page.evaluate(
        "line => [...layersOf.get(line)].map((index) => [data.calls[data.layers[index][CALL]], data.layers[index][PATH]])",
        page.locator("#mxnet .l.pin").get_attribute("id"),
    )
    assert len(paths) > 4
    rows = page.locator("#detail .calls > div").all_inner_texts()
    assert [row.partition(",")[0] for row in rows] == [f"{op} in {path}" for op, path in paths[:4]]
    assert {op for op, _ in paths} == {"batch_norm"}


def test_an_op_that_is_pointed_at_is_explained(opened: Opened) -> None:
    page = opened()
    line(page, "self.bn(x)").hover()
    said = page.locator("#detail .op").first
    assert said.inner_text() == "mx.sym.BatchNorm: Batch normalization"
    link = said.locator("a").get_attribute("href") or ""
    assert link.endswith("/symbol/symbol.html#mxnet.symbol.BatchNorm")
    page.locator("#ops summary").click()
    row = page.locator("#ops tbody tr", has_text="BatchNorm")
    assert "Batch normalization" in row.inner_text()
