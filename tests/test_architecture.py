"""docs/architecture.md shows the code as it is."""

from __future__ import annotations

from tests.architecture import PAGE, page, picture


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python -m tests.architecture"


def test_an_arrow_that_follows_is_left_out() -> None:
    chart = picture({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    assert "a --> b" in chart
    assert "a --> c" not in chart
