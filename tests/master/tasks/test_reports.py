"""Reports of workers: what is refused, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.lifecycle import SNOOZE_SECONDS_MIN
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import InvalidArgument
from tq.master.tasks.leases import Leases
from tq.master.tasks.reports import ROWS_MAX

from ..engine.test_engine import lease, row, state, submit


@pytest.mark.parametrize("after", [float("inf"), float("nan"), -1.0, 4e8, True, "30"])
def test_a_report_that_is_refused_costs_the_call_and_not_the_connection(bench: Any, after: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"", retries=3)
    lease_id, _ = lease(worker)
    with pytest.raises(InvalidArgument, match="not a report of an attempt"):
        worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, int(OutcomeNumber.RETRY), None, after)])
    assert not worker.disconnected
    assert id in bench.engine.part(Leases).running
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, int(OutcomeNumber.SUCCESS), b"\xc0")])
    assert state(client, id) == StateNumber.SUCCEEDED


def test_a_snooze_of_no_time_waits_for_a_little(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease_id, _ = lease(worker)
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, int(OutcomeNumber.SNOOZE), None, 0.0)])
    assert state(client, id) == StateNumber.SCHEDULED
    bench.advance(SNOOZE_SECONDS_MIN)
    assert state(client, id) == StateNumber.READY


def test_reports_one_by_one_have_a_bound_because_a_failure_takes_long(bench: Any) -> None:
    worker = bench.worker("m:f")
    rows = [row(b"i" * 16, 1, b"l" * 16, int(OutcomeNumber.ERROR), b"")] * (ROWS_MAX + 1)
    with pytest.raises(InvalidArgument, match="2,501 reports in one call; at most 2,500"):
        worker.call("get_dispatcher", "finish", rows)
    assert len(worker.call("get_dispatcher", "finish", rows[1:])) == ROWS_MAX
