"""One sample of each entry of the tables; all of them are `make conformance`."""

from __future__ import annotations

import itertools
import re
import warnings
import zlib

import pytest
import torch

from tests.conformance import baseline, page
from tests.conformance.run import run_sample
from tests.conformance.samples import names, samples, vision_cases

PARTS = 8
FIRST = 12  # the samples of an entry of which one is taken: those after it are alike


def _place(name: str, letters: str) -> int:
    """The sample that stands for an entry: one with parity where it has one, the same at each run."""
    first = letters[:FIRST]
    places = [i for i, letter in enumerate(first) if letter == "P"] or list(range(len(first)))
    return places[zlib.crc32(name.encode()) % len(places)]


@pytest.mark.parametrize("part", range(PARTS))
def test_samples(part: int):
    before = baseline.read()
    bad = []
    for name in sorted(before, key=lambda n: zlib.crc32(n.encode()))[part::PARTS]:
        if set(before[name]) == {"N"}:
            continue
        place = _place(name, before[name])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = run_sample(next(itertools.islice(samples(name), place, None)))
        if result.status in {"WRONG", "CRASH"} or baseline.fallen([result], before):
            bad.append(f"{name}[{place}] {result.status} {result.why} ({result.call})")
    assert not bad, "\n".join(bad)


def test_the_baseline_lists_every_entry():
    assert list(baseline.read()) == names(), f"run `make conformance` (torch {torch.__version__})"


def test_the_page_counts_the_baseline():
    letters = "".join(baseline.read().values())
    text = page.PAGE.read_text(encoding="utf-8")
    assert f"parity {letters.count('P'):,}, refused {letters.count('R'):,}" in text
    assert f"not applicable {letters.count('N'):,}, wrong 0, crashed 0" in text


def test_torchvisions_ops_have_rows_and_refused_ones_their_way_out():
    rows = {row.split("`")[1]: row for row in page.PAGE.read_text(encoding="utf-8").splitlines() if row[:3] == "| `"}
    assert set(vision_cases()) <= set(rows)
    assert "contrib.box_nms" in rows["torchvision.ops.nms"]
    assert "id_index=0 is batched_nms" in rows["torchvision.ops.batched_nms"]


def test_each_refusal_says_which_ops_fall_short():
    unexplained = re.findall(r"[\w.]+\(\) has no rule(?!: )", page.PAGE.read_text(encoding="utf-8"))
    assert not unexplained, "give the reason in codegen/reasons.py"
