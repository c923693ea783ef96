"""A fixed sample of the zoo, converted and compared; and docs/zoo.md, which is to list the whole table."""

from __future__ import annotations

import time

import pytest

from tests.zoo.__main__ import PAGE, Progress, read_page, summary
from tests.zoo.__main__ import main as zoo
from tests.zoo.nets import TIMEOUT
from tests.zoo.run import Result, run_net
from tests.zoo.table import SAMPLE, nets


@pytest.mark.parametrize("name", SAMPLE)
def test_net(name: str):
    result = run_net(nets()[name])
    assert (result.status, result.batch) == ("OK", "yes"), f"{result.difference} {result.why}"


def test_the_table_is_wide():
    collections = [net.collection for net in nets().values()]
    assert len(collections) >= 300
    assert collections.count("pytorchcv") <= 0.75 * len(collections)


def test_the_page_lists_the_table():
    assert list(read_page()) == list(nets()), "run `make zoo`, which writes docs/zoo.md"


def test_the_page_shows_no_defect():
    results = list(read_page().values())
    defects = {r.net: r.status for r in results if r.status not in {"OK", "REFUSED"}}
    assert not defects
    refused = [r for r in results if r.status == "REFUSED"]
    assert len(refused) < 0.03 * len(results)
    assert all(r.why for r in refused), "every refusal says why"


def test_the_summary_counts_the_rows():
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(summary(list(read_page().values())))


@pytest.mark.parametrize(("seconds", "status"), [(1.0, "CRASH"), (TIMEOUT + 1, "TIMEOUT")])
def test_a_process_that_ends_is_a_row(seconds: float, status: str, capsys):
    name = SAMPLE[0]
    progress = Progress([name], {})
    place = f"tests/zoo/nets.py::test_net[{name}]"
    progress.since[place] = time.monotonic() - seconds
    # As xdist reports a worker that went down.
    progress.pytest_runtest_logreport(
        pytest.TestReport(place, ("nets.py", None, "nets.py"), {}, "failed", "worker crashed", "???")
    )
    assert (progress.found[name].status, progress.bad) == (status, 1)
    assert f"[1/1 0.0 min, 1 not OK] {name} {status}" in capsys.readouterr().out


def test_no_nets_are_no_run(capsys, monkeypatch):
    known = {name: Result(name, "a collection", "OK") for name in nets()}
    monkeypatch.setattr("tests.zoo.__main__.read_page", lambda: known)
    assert zoo(["--rest"]) == 0
    assert capsys.readouterr().out == "every net is OK\n"
