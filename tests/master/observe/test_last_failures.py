"""What failed last."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun
from tq.master.engine.clock import Now
from tq.master.observe.last_failures import FAILURES_MAX, LastFailures

ONE = IdRun(bytes(16), 1)


def test_of_the_failures_the_latest_are_kept() -> None:
    failures = LastFailures()
    for number in range(FAILURES_MAX + 5):
        failures.ended([(ONE, 1, 3, 11, [None], None), (ONE, 1, 3, 10, [None], None)], Now(number, number))
    kept = [row.at for row in failures.newest_first()]
    assert kept == list(range(FAILURES_MAX + 4, 4, -1))
