"""`python -m tests.golden [--check] [NET ...]`: show how the goldens differ from what is generated, and rewrite them.

The diff goes to standard output. With `--check` nothing is written, and the exit status is 1 where one is stale.
"""

from __future__ import annotations

import argparse
import difflib
import sys

from tests.golden import CODE, GOLDENS, IR, Golden


def changed(golden: Golden) -> dict[str, str]:
    """The files that are not what is generated, with what they should hold. Shows the diffs."""
    conversion = golden.conversion()
    texts = {CODE: conversion.code, IR: conversion.graph.text()}
    stale: dict[str, str] = {}
    for name, text in texts.items():
        path = golden.path / name
        old = path.read_bytes().decode() if path.exists() else ""
        if old == text:
            continue
        stale[name] = text
        place = f"tests/golden/{golden.folder}/{name}"
        lines = difflib.unified_diff(
            old.splitlines(keepends=True), text.splitlines(keepends=True), place, place
        )
        sys.stdout.writelines(lines)
    return stale


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("nets", nargs="*", metavar="NET", help=f"of {', '.join(GOLDENS)}; all without")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a golden is stale")
    options = parser.parse_args()
    if unknown := set(options.nets) - set(GOLDENS):
        parser.error(f"no such golden: {', '.join(sorted(unknown))}")
    count = 0
    for name in options.nets or GOLDENS:
        golden = GOLDENS[name]
        stale = changed(golden)
        count += len(stale)
        if not options.check:
            for file, text in stale.items():
                (golden.path / file).write_text(text, encoding="utf-8", newline="\n")
    verb = "would be rewritten" if options.check else "rewritten"
    print(f"{count} of {2 * len(options.nets or GOLDENS)} files {verb}", file=sys.stderr)
    return 1 if options.check and count else 0


if __name__ == "__main__":
    sys.exit(main())
