"""`python -m tests.traps` writes docs/traps.md, and the links to it in docs/operators.md, from the docstrings."""

from __future__ import annotations

from tests.conformance import page as operators
from tests.traps import page
from tests.traps.corrections import corrections


def main() -> None:
    page.PAGE.write_text(page.text(corrections()), encoding="utf-8")
    operators.PAGE.write_text(
        operators.linked(operators.PAGE.read_text(encoding="utf-8")), encoding="utf-8"
    )
    print(f"wrote {page.PAGE} and {operators.PAGE}")


if __name__ == "__main__":
    main()
