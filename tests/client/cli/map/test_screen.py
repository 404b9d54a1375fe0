"""The bar: what stands beside and below it, and how far it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from tq.client.cli.map.progress import ItemProgress
from tq.client.cli.map.results import Counts
from tq.client.cli.map.run import InProgress
from tq.client.cli.map.screen import Bar, described, worth


@pytest.mark.parametrize(
    ("counts", "total", "seconds", "text"),
    [
        (Counts(), None, 0.0, "0  0.0/s"),
        (Counts(done=1_204, failed=2), 5_000, 10.0, "1,206/5,000  121/s  2 failed"),
        (Counts(done=60, before=50), 100, 4.0, "60/100  2.5/s"),  # another run did fifty of them
    ],
)
def test_counts_rate_and_failures(counts: Counts, total: int | None, seconds: float, text: str) -> None:
    assert described(counts, total, seconds) == text


def test_what_runs_counts_by_its_part_and_what_waits_for_its_turn_as_a_whole() -> None:
    items = [
        ItemProgress(1, 0.0, 3, 10, ""),
        ItemProgress(2, 0.0, 12, 10, ""),
        ItemProgress(3, 0.0, 5, None, ""),
        ItemProgress(4, 0.0, -1, 0, ""),
    ]
    assert worth(Counts(done=5, failed=1), InProgress(ended=2, items=items)) == pytest.approx(
        5 + 1 + 2 + 0.3 + 1
    )


def drawn(bar: Bar, width: int) -> list[str]:
    page = io.StringIO()
    Console(file=page, width=width).print(bar.drawn())
    return page.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 80, 132])
def test_the_slowest_item_is_named_below_the_bar_in_one_line_and_goes_with_it(width: int) -> None:
    bar = Bar(Console(file=io.StringIO(), width=width), "photos:resize")
    note = "resizing [b]/srv/photos/2024/[/b] " + "a long name " * 20
    items = [ItemProgress(18, 9.0, 1, 2, "the younger"), ItemProgress(17, 5.0, 3, 10, note)]
    bar.show(Counts(done=4), 20, InProgress(items=items))
    _, below = drawn(bar, width)
    assert below.startswith("item 17: 3/10 resizing [b]/sr"[: width - 1])
    assert len(below) == width
    assert below.endswith("…")
    bar.show(Counts(done=20), 20, InProgress())
    assert len(drawn(bar, width)) == 1
