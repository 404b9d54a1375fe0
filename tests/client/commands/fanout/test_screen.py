"""What stands beside the bar."""

from __future__ import annotations

import pytest
from tq.client.commands.fanout.run import Counts
from tq.client.commands.fanout.screen import described


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
