"""What the review says of sizes that are frozen, and of arguments that are not given."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from codegen.ir import Source
from codegen.written import Origin
from tests.command import fx2mx
from tracer.conversion import convert_specs
from tracer.image_sizes import OtherSizes
from tracer.inputs import parse_inputs
from tracer.review.html import marked as marked_html
from tracer.review.made import review_of
from tracer.review.model import MadeRow, Review
from tracer.review.sizes import _reason
from tracer.review.text import markdown, marked
from tracer.review_diff.difference import plain
from tracer.review_diff.parsed import parsed
from tracer.review_diff.spans import unmarked


def line_of(text: str, file: str = __file__) -> int:
    """The first line that has a text."""
    return next(n for n, line in enumerate(Path(file).read_text().splitlines(), 1) if text in line)


def review(model: nn.Module, *texts: str) -> Review:
    conversion = convert_specs(model.eval(), parse_inputs(texts, model))
    agreement = conversion.verify()
    assert agreement.ok
    return review_of(conversion, agreement, Origin("model.py:Net", "fx2mx"), Path(__file__).parent, [])


class Places(nn.Module):
    """Lines that hold the length: one that makes a constant, and `more` that cut tables."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(50, 4), nn.Embedding(20, 4)
        self.one, self.two, self.three, self.four = (nn.Parameter(torch.randn(1, 20, 4)) for _ in range(4))
        self.more = more

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        places = torch.arange(ids.shape[1])[None]
        x = self.words(ids) + self.places(places)
        if self.more > 0:
            x = x + self.one[:, : ids.shape[1]]
        if self.more > 1:
            x = x + self.two[:, : ids.shape[1]]
        if self.more > 2:
            x = x + self.three[:, : ids.shape[1]]
            x = x + self.four[:, : ids.shape[1]]
        return x


LIMIT = (
    "a limit of this port, not of torch, which runs the net at length 8 as well; for length 8, convert again "
    "with `--input ids=1,8:int64`"
)


def placed(text: str, code: str) -> str:
    return f"`{code}` (`test_review_sizes.py:{line_of(text)}`)"


def test_the_line_that_makes_what_holds_the_length() -> None:
    said = review(Places(0), "ids=1,12:int64").summary.sizes
    line = placed("places = torch.arange(ids", "places = torch.arange(ids.shape[1])[None]")
    assert said == f"sequences are of length 12 alone: {line} allows no other; {LIMIT}"


@pytest.mark.parametrize(("more", "rest"), [(2, ""), (1, None), (3, " and 2 more lines")])
def test_all_lines_that_hold_the_length(more: int, rest: str | None) -> None:
    said = review(Places(more), "ids=1,12:int64").summary.sizes
    count = {1: 2, 2: 3, 3: 5}[more]
    lines = [placed("places = torch.arange(ids", "places = torch.arange(ids.shape[1])[None]")]
    lines.append(placed("self.one[:", "x = x + self.one[:, :ids.shape[1]]"))
    lines += [placed("self.two[:", "x = x + self.two[:, :ids.shape[1]]")] if more > 1 else []
    listed = ", ".join(lines) + (rest or "")
    assert (
        said
        == f"sequences are of length 12 alone: {count} lines of the net allow no other, {listed}; {LIMIT}"
    )


class Asks(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > 3:
            return torch.sigmoid(x)
        return torch.tanh(x) / x.shape[2]


def test_images_and_a_batch() -> None:
    found = review(Asks(), "x=2,3,16,16").summary
    assert found.sizes == (
        f"H and W are 16x16 alone: {placed('return torch.tanh(x) /', 'torch.tanh(x) / x.shape[2]')} allows no other; a "
        "limit of this port, not of torch, which runs the net at 48x80 as well; for 48x80, convert again with "
        "`--input x=2,3,48,80`"
    )
    where = placed("if x.shape[0] > 3:", "if x.shape[0] > 3:")
    assert found.batch == (
        f"batch size 2 only: forward asks N > 3 of the batch size N, {where}; for another, convert again, as "
        "with `--input x=4,3,16,16`"
    )


class Whole(nn.Module):
    """torch runs it at one size alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 16 * 16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


def test_what_torch_does_not_run_is_no_limit_of_the_port() -> None:
    found = review(Whole(), "x=1,3,16,16").summary
    assert (
        found.sizes
        == "H and W were traced at 16x16 alone: torch does not run the net at 48x80, which tells nothing of other sizes"
    )
    assert found.batch == "any batch size"


class Branches(nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = ids.float()
        if ids.shape[1] > 10:
            x = torch.tanh(x).abs()
            x = torch.tanh(x)
        else:
            x = torch.sigmoid(x)
        return x


def test_other_ops_at_another_length() -> None:
    said = review(Branches(), "ids=1,12:int64").summary.sizes
    line = placed("if ids.shape[1] > 10:", "if ids.shape[1] > 10:")
    assert said.startswith(
        f"sequences are of length 12 alone: forward runs other ops at length 8, {line}; a limit of this port"
    )


def test_code_among_words() -> None:
    words = "by `a[:, :n_1 | m]` (`a_b.py:3`), x_y"
    assert marked(words) == "by `a[:, :n_1 \\| m]` (`a_b.py:3`), x\\_y"
    assert unmarked(marked(words)) == words
    assert marked_html("`a<b` & c") == "<code>a&lt;b</code> &amp; c"
    assert unmarked(marked("a ` b")) == "a ` b"


class Optional(nn.Module):
    """Kinds and places that forward makes where they are not given, and one that it computes of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.types, self.places = nn.Embedding(9, 4), nn.Embedding(2, 4), nn.Embedding(20, 4)

    def forward(
        self,
        ids: torch.Tensor,
        kinds: torch.Tensor | None = None,
        places: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        unread: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if kinds is None:
            kinds = torch.zeros(ids.shape, dtype=torch.long)
        if places is None:
            places = torch.arange(ids.shape[1]).unsqueeze(0)
        if mask is None:
            mask = ids.ne(0)
        return (self.words(ids) + self.types(kinds) + self.places(places)) * mask.unsqueeze(2)


def test_what_forward_makes_where_nothing_is_given() -> None:
    found = review(Optional(), "ids=1,6:int64")
    file = "test_review_sizes.py"
    assert found.made == (
        MadeRow("kinds", "zeros", "(N, 6)", f"{file}:{line_of('kinds = torch.zeros(')}"),
        MadeRow(
            "places",
            "0 to 5, one after the other",
            "(1, 6)",
            f"{file}:{line_of('places = torch.arange(ids.shape[1]).unsq')}",
        ),
        MadeRow("mask", "its default: None", "", ""),
        MadeRow("unread", "its default: None", "", ""),
    )
    assert parsed(markdown(found)) == plain(found)
    left = review(Optional(), "ids=1,6:int64", "kinds=1,6:int64", "places=1,6:int64").made
    assert [row.name for row in left] == ["mask", "unread"]


class Buffered(nn.Module):
    """A buffer that no state_dict has."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("scale", torch.arange(4.0) + 1, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) * self.scale


def test_a_buffer_that_no_state_dict_has_is_no_key_of_torchs() -> None:
    rows = {row.name: row for row in review(Buffered(), "x=1,4").weights}
    assert rows["fc_weight"].keys == ("fc.weight",)
    assert rows["scale"].keys == ()
    assert (
        rows["scale"].constant == "buffer scale, which the net makes when it is built and no state_dict has"
    )


def test_lines_that_may_not_be_all() -> None:
    found = tuple(Source(file=__file__, line=n) for n in (1, 2))
    sizes = OtherSizes((), "f() depends on them", found[0], is_limit=True, holders=found, are_more=True)
    said = _reason(sizes, Path(__file__).parent)
    assert said.startswith("lines of the net allow no other, first of all `")
    assert said.endswith(", and perhaps others")


def test_the_page_has_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(Path(__file__).read_text())
    done = fx2mx(
        "model.py:Optional", "--out", "net.py", "--input", "ids=1,6:int64", "--report", "review.html"
    )
    assert done.status == 0, done.err
    page = Path("review.html").read_text()
    assert "<td><code>kinds</code></td><td>zeros</td>" in page
    assert "convert again with <code>--input ids=1,4:int64</code></dd>" in page
