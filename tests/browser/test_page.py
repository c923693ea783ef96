"""What a person does with the page: points, goes through it by keyboard, searches, opens, sorts, prints."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import WIDTHS, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SCHEMES = ("light", "dark")
# What is far below is laid out when it is near: a check of the whole wants all of it.
ALL_OF_IT = "#blocks, #weights { content-visibility: visible !important; }"


def line(page: Page, text: str, pane: str = "#torch") -> Locator:
    return page.locator(f"{pane} .l.m", has_text=text).first


def texts(found: Locator) -> list[str]:
    return [text.strip() for text in found.all_text_contents()]


def twins(page: Page, pane: str) -> list[str]:
    """The lines that are marked, but for those that stand for another: arguments, the head of a loop."""
    return texts(page.locator(f"{pane} .l.twin:not(.s) code"))


def opened_node(page: Page, path: str) -> Locator:
    index = page.evaluate("path => data.blocks.findIndex((block) => block[0] === path)", path)
    return page.locator(f"#graph [data-node=b{index}]")


def is_in_view(page: Page, found: Locator, within: str) -> bool:
    return bool(
        page.evaluate(
            "([one, all]) => one.top >= all.top - 1 && one.bottom <= all.bottom + 1",
            [found.evaluate("e => e.getBoundingClientRect().toJSON()"), box(page, within)],
        )
    )


def box(page: Page, selector: str) -> dict[str, Any]:
    found: dict[str, Any] = page.locator(selector).evaluate("e => e.getBoundingClientRect().toJSON()")
    return found


# For all -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), itertools.product(WIDTHS, SCHEMES))
def test_axe_finds_nothing_and_nothing_sticks_out(opened: Opened, width: int, scheme: str) -> None:
    page = opened(width, scheme)
    page.add_style_tag(content=ALL_OF_IT)
    line(page, "self.conv(x)").click()
    opened_node(page, "features.stage1").click()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    page.fill("#q", "stage2")
    page.locator("#found:not(:empty)").wait_for()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []


def test_it_is_whole_without_a_script(opened: Opened) -> None:
    page = opened(java_script_enabled=False)
    assert line(page, "self.conv(x)").is_visible()
    assert not page.locator("#q").is_visible()
    assert (
        f"All {page.locator('#layers circle').count()} ops were compared"
        in page.locator("#agreement .lead").inner_text()
    )
    assert (
        page.locator("#table-weights tbody tr").count()
        == page.locator("#table-weights .values svg").count()
        > 90
    )
    assert page.locator(".outline summary", has_text="features").is_visible()


def test_printed(opened: Opened) -> None:
    page = opened(scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator(".bar").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    tall = "const pane = document.querySelector('#torch'); pane.scrollHeight <= pane.clientHeight + 1"
    assert page.evaluate(f"() => {{ {tall.replace('; pane', '; return pane')}; }}")
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert page.locator("#table-weights tbody tr").last.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_light_and_dark(opened: Opened) -> None:
    page = opened(scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(ground) != dark
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) == dark


# Both codes --------------------------------------------------------------------------------------------


def test_pointing_at_a_line(opened: Opened) -> None:
    page = opened()
    line(page, "self.bn(x)").hover()
    marked = twins(page, "#mxnet")
    assert marked
    assert all("mx.sym.BatchNorm(" in text or "block" in text for text in marked)
    said = page.locator("#detail").inner_text()
    assert "BatchNorm × " in said
    assert "(N, 16, 32, 32)" in said
    assert "largest difference" in said
    assert "BatchNorm eps=1e-5, where MXNet has 0.001" in said
    line(page, "mx.sym.elemwise_add(", "#mxnet").hover()
    assert twins(page, "#torch") == ["x = x + identity"]
    assert is_in_view(page, page.locator("#torch .twin"), "#torch")


def test_a_call_is_what_it_makes(opened: Opened) -> None:
    page = opened()
    line(page, "self.body(x)").hover()
    marked = twins(page, "#mxnet")
    assert any("mx.sym.Convolution(" in text for text in marked)
    assert not any("elemwise_add" in text for text in marked)


def test_by_keyboard(opened: Opened) -> None:
    page = opened()
    page.locator("#torch").focus()
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.closest('.l').id")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.closest('.l').id")
    assert first != second
    assert page.locator("#mxnet .twin").count() > 0
    assert page.locator("#detail").get_attribute("aria-live") == "polite"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.closest('.l').id") == first
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash.slice(1)") == first
    assert page.locator(".l.pin").get_attribute("id") == first
    page.keyboard.press("Tab")  # one line of a pane is on the way: the next stop is the other pane
    assert page.evaluate("document.activeElement.id") == "mxnet"


def test_a_link_leads_to_a_line(opened: Opened) -> None:
    page = opened()
    line(page, "mx.sym.FullyConnected(", "#mxnet").locator("a").click()
    link = page.evaluate("location.hash")
    assert link.startswith("#resnet20_mxnet.py-L")
    other = opened(link=link)
    own = other.locator(".l.pin")
    assert f"#{own.get_attribute('id')}" == link
    assert is_in_view(other, own, "#mxnet")
    assert twins(other, "#torch") == ["x = self.output(x)"]


# The rest ----------------------------------------------------------------------------------------------


def test_the_search_narrows_everything(opened: Opened) -> None:
    page = opened()
    rows = page.locator("#table-weights tbody tr:visible")
    before = (page.locator(".pane .l:visible").count(), rows.count())
    page.keyboard.press("/")
    page.keyboard.type("stage2.unit1.body.conv2")
    page.locator("#found:not(:empty)").wait_for()
    assert page.locator("#found").inner_text().startswith("2 ops, ")
    assert texts(rows.locator("td:first-child")) == [
        f"features_stage2_unit1_body_conv2_{name}"
        for name in ("conv_weight", "bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var")
    ]
    lines = texts(page.locator(".pane .l:visible code"))
    assert "x = self.conv2(x)" in lines
    assert "x = self.conv1(x)" not in lines
    assert page.locator("#layers circle:not(.off)").count() == 2
    assert page.locator("#worst tbody tr").count() == 2
    assert page.locator(".outline li:visible > div b").all_text_contents() == ["conv", "bn"]
    page.keyboard.press("Escape")
    assert (page.locator(".pane .l:visible").count(), rows.count()) == before
    assert page.locator("#layers circle.off").count() == 0
    assert page.locator("#worst tbody tr").count() == 10


def test_the_plot_leads_to_the_code(opened: Opened) -> None:
    page = opened()
    last = page.locator("#layers circle").last
    place = last.bounding_box()
    assert place is not None
    page.locator("#agreement").scroll_into_view_if_needed()
    last.hover(force=True)
    assert "output" in page.locator("#agreement .tip").first.inner_text()
    page.locator("#layers").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    said = page.locator("#layers").get_attribute("aria-valuetext")
    assert said is not None
    assert said.startswith("features_init_block_bn, BatchNorm, difference ")
    page.keyboard.press("Enter")
    assert "mx.sym.BatchNorm(" in page.locator(".l.pin").inner_text()
    page.locator("#worst a").first.click()
    assert page.locator(".l.pin").count() == 1
    assert is_in_view(page, page.locator(".l.pin"), "body")


def test_the_graph_opens_in_place(opened: Opened) -> None:
    page = opened()
    # Of the net, it has most: it is open at first.
    assert opened_node(page, "features").get_attribute("aria-expanded") == "true"
    opened_node(page, "features.stage1").click()
    opened_node(page, "features.stage1.unit1").focus()
    page.keyboard.press("Enter")
    node = opened_node(page, "features.stage1.unit1")
    assert node.get_attribute("aria-expanded") == "true"
    assert node.evaluate("node => node === document.activeElement")
    said = opened_node(page, "features.stage2").get_attribute("aria-label") or ""
    assert "parameters, " in said
    assert "FLOPs, differs by " in said
    shown = "#graph .op, #graph .end, #graph .block:not(.open)"
    boxes = [
        one.evaluate("e => e.firstChild.getBoundingClientRect().toJSON()")
        for one in page.locator(shown).all()
    ]
    over = [
        (a, b)
        for a, b in itertools.combinations(boxes, 2)
        if a["left"] < b["right"]
        and b["left"] < a["right"]
        and a["top"] < b["bottom"]
        and b["top"] < a["bottom"]
    ]
    assert len(boxes) > 15
    assert over == []
    page.keyboard.press(" ")
    assert opened_node(page, "features.stage1.unit1").get_attribute("aria-expanded") == "false"


def test_the_weights_are_sorted(opened: Opened) -> None:
    page = opened()
    column = page.locator("#table-weights th", has_text="elements")
    counts = page.locator("#table-weights tbody tr td:nth-child(4)")

    def numbers() -> list[int]:
        return [int(text.replace(",", "")) for text in texts(counts)]

    before = numbers()
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "ascending"
    assert numbers() == sorted(before) != before
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "descending"
    assert numbers() == sorted(before, reverse=True)


def test_training_stands_beside_inference(opened: Opened) -> None:
    page = opened()
    left, right = page.locator("#layers").bounding_box(), page.locator("#gradients").bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] < right["x"]
    page.locator("#gradients circle").first.hover(force=True)
    assert ": " in page.locator("#agreement .tip").last.inner_text()
