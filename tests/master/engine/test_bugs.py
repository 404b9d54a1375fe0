"""What a bug of the master costs, and whom."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import StateNumber
from tq.common.errors import RemoteError, StoreError

from .test_engine import lease, row, submit


def test_a_bug_in_one_transaction_is_reported_and_the_next_one_works(bench: Any) -> None:
    client = bench.client()

    def broken(call: Any) -> None:
        raise ZeroDivisionError

    other = bench.client()
    asked = other.ask("get_tasks", "states", [])
    bench.engine.call(client.session, 10_000, broken)
    bench.step()
    with pytest.raises(RemoteError, match="bug"):  # for good: asked again, it would be the same
        client.answer(10_000)
    with pytest.raises(StoreError, match="bug"):
        other.answer(asked)
    assert any(action == "master.bug" for action, _ in bench.reports)
    assert submit(client, b"")


def test_a_bug_in_a_call_that_only_reads_costs_that_call(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other session is affected: no call of the same transaction, no watcher and no worker."""
    client, watcher, worker = bench.client(), bench.client(), bench.worker("m:f")
    bench.reports.clear()
    [id] = submit(client, b"")
    watcher.call("get_result_queue", "watch", [id])
    lease_id, [_] = lease(worker)
    monkeypatch.setattr("tq.master.tasks.calls.details", lambda engine, task: 1 / 0)
    report = worker.ask("get_dispatcher", "finish", [row(id, 1, lease_id)])
    shown = client.ask("get_tasks", "show", id)
    bench.step()
    with pytest.raises(RemoteError, match="the master has a bug: ZeroDivisionError"):
        client.answer(shown)
    assert worker.answer(report) == []
    assert watcher.call("get_result_queue", "collect", 10) == [[id, StateNumber.SUCCEEDED, b"r"]]
    assert (client.disconnected, watcher.disconnected, worker.disconnected) == ("", "", "")
    assert [action for action, _ in bench.reports] == ["master.bug"]
