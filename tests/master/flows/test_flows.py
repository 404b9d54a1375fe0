"""Flows: when they end and how, what is counted, and what happens to their tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import show_id
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import InvalidArgument, QuotaExceeded
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.flows import flows as module
from tq.master.flows.flows import Flows
from tq.master.store.sqlite.store import SqliteStore

from .conftest import FLOW, FLOWS, Flowing, run_of


def test_a_flow_ends_when_it_is_sealed_and_each_of_its_tasks_has_ended(flowing: Flowing) -> None:
    flowing.open(name="nightly")
    flowing.submit(3)
    flowing.submit()
    worker = flowing.worker()
    assert flowing.finish(worker) == 4
    assert flowing.counts() == ("open", 4, 4, 0, 0)
    flowing.client.call(FLOWS, "seal", FLOW)
    assert flowing.counts() == ("succeeded", 4, 4, 0, 0)
    assert flowing.show()["finished"] is not None


def test_tasks_outside_of_it_are_not_counted(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit(2)
    flowing.submit(5, None)
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.finish(flowing.worker())
    assert flowing.counts() == ("succeeded", 2, 2, 0, 0)


def test_a_flow_without_tasks_succeeds_when_it_is_sealed(flowing: Flowing) -> None:
    flowing.open()
    flowing.client.call(FLOWS, "seal", FLOW)
    assert flowing.counts() == ("succeeded", 0, 0, 0, 0)


def test_after_a_failure_the_others_are_cancelled(flowing: Flowing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKED_MAX", 7)
    flowing.open()
    run = flowing.submit(50)
    bad = run.ids()[3]
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.finish(flowing.worker(), lambda task: task == bad, want=10)
    flowing.settle()
    assert flowing.counts() == ("failed", 50, 9, 1, 40)
    assert flowing.show()["first_failure"] == show_id(bad)


def test_however_many_flows_are_ended_at_once_a_transaction_does_its_share_and_other_keys_have_theirs(
    flowing: Flowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WORKED_MAX", 50)
    monkeypatch.setattr(module, "PORTION", 10)
    flows = [bytes([number]) * 16 for number in range(20)]
    for flow in flows:
        flowing.open(flow)
        flowing.submit(30, flow)
    other = flowing.bench.client()
    other.session.verifier = replace(other.session.verifier, key_id="another")
    other.call(FLOWS, "open", FLOW)
    flowing.submit_ids(run_of(5), FLOW, other)
    for flow in flows:
        flowing.client.ask(FLOWS, "cancel", flow)
    flowing.bench.step()
    other.call(FLOWS, "cancel", FLOW)
    table = flowing.bench.engine.part(Flows).table

    def cancelled() -> int:
        rows = [table.row(flow) for flow in (*flows, FLOW)]
        return sum(row.cancelled for row in rows if row is not None)

    done = [cancelled()]
    while done[-1] < 605:
        flowing.bench.step()
        done.append(cancelled())
        assert done[-1] - done[-2] <= 50
        last = table.row(FLOW)
        assert len(done) == 2 or (last is not None and last.finished is not None)
    assert {flowing.counts(flow) for flow in flows} == {("cancelled", 30, 0, 0, 30)}


def test_a_flow_that_is_retried_is_on_the_account_of_its_key_again(flowing: Flowing) -> None:
    account = flowing.client.session.account = Accounts().of("a")
    flowing.open()
    flowing.submit()
    flowing.client.call(FLOWS, "cancel", FLOW)
    flowing.settle()
    assert account.held[Resource.FLOWS] == 0
    account.note(Resource.FLOWS, LIMITS[Resource.FLOWS].key)
    with pytest.raises(QuotaExceeded, match="flows that have not ended"):
        flowing.client.call(FLOWS, "retry", FLOW, 1)
    account.give(Resource.FLOWS, LIMITS[Resource.FLOWS].key)
    flowing.client.call(FLOWS, "retry", FLOW, 1)
    assert account.held[Resource.FLOWS] == 1


def test_what_is_submitted_into_an_open_flow_after_a_failure_is_cancelled(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit(3)
    worker = flowing.worker()
    flowing.finish(worker, lambda task: True, want=1)
    flowing.settle()
    assert flowing.counts() == ("open", 3, 0, 1, 2)
    flowing.submit(5)
    flowing.settle()
    assert flowing.counts() == ("open", 8, 0, 1, 7)
    flowing.client.call(FLOWS, "seal", FLOW)
    assert flowing.counts() == ("failed", 8, 0, 1, 7)


def test_after_a_failure_a_flow_that_collects_goes_on(flowing: Flowing) -> None:
    flowing.open(on_error="collect")
    bad = flowing.submit(20).first
    flowing.client.call(FLOWS, "seal", FLOW)
    worker = flowing.worker()
    flowing.finish(worker, lambda task: task == bad, want=10)
    assert flowing.counts() == ("running", 20, 9, 1, 0)
    flowing.finish(worker)
    assert flowing.counts() == ("failed", 20, 19, 1, 0)


def test_a_cancelled_flow_cancels_what_waits_and_what_runs(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit(10)
    worker = flowing.worker()
    call = worker.ask("get_dispatcher", "lease", 4)
    flowing.bench.step()
    lease, [[_, _, _, [[first, attempt, payloads]]]] = worker.answer(call)
    assert flowing.client.call(FLOWS, "cancel", FLOW, "no more")["is_ending"]
    flowing.settle()
    assert flowing.counts() == ("running", 10, 0, 0, 6)
    rows = [[id, attempt, lease] for id in IdRun(first, len(payloads)).ids()]
    worker.call("get_dispatcher", "release", rows)
    flowing.settle()
    assert flowing.counts() == ("cancelled", 10, 0, 0, 10)
    assert flowing.show()["reason"] == "no more"
    with pytest.raises(InvalidArgument, match="was cancelled and takes no more tasks"):
        flowing.submit()


def test_a_retry_retries_what_did_not_succeed_and_is_the_next_run(
    flowing: Flowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WORKED_MAX", 7)
    flowing.open()
    run = flowing.submit(30)
    flowing.client.call(FLOWS, "seal", FLOW)
    with pytest.raises(InvalidArgument, match="is running; wait until it has ended"):
        flowing.client.call(FLOWS, "retry", FLOW, 1)
    worker = flowing.worker()
    bad = run.ids()[3]
    flowing.finish(worker, lambda task: task == bad, want=10)
    flowing.settle()
    assert flowing.client.call(FLOWS, "retry", FLOW, 1)["run"] == 2
    assert flowing.client.call(FLOWS, "retry", FLOW, 1)["run"] == 2  # repeated: it is that run
    flowing.settle()
    assert flowing.counts() == ("running", 30, 9, 0, 0)
    flowing.finish(worker)
    assert flowing.counts() == ("succeeded", 30, 30, 0, 0)
    assert flowing.show()["first_failure"] is None
    assert flowing.client.call(FLOWS, "retry", FLOW, 2)["run"] == 2  # nothing is left to retry


def test_a_task_that_is_retried_by_itself_has_its_flow_go_on(flowing: Flowing) -> None:
    flowing.open()
    bad = flowing.submit().first
    flowing.client.call(FLOWS, "seal", FLOW)
    worker = flowing.worker()
    flowing.finish(worker, lambda task: True)
    assert flowing.counts() == ("failed", 1, 0, 1, 0)
    flowing.client.call("get_tasks", "retry", [bad])
    assert (flowing.counts(), flowing.show()["run"]) == (("running", 1, 0, 0, 0), 2)
    flowing.finish(worker)
    assert flowing.counts() == ("succeeded", 1, 1, 0, 0)


def test_an_expired_or_purged_task_counts_as_cancelled(flowing: Flowing) -> None:
    flowing.open(on_error="collect")
    flowing.submit(expires=1.0)
    flowing.submit()
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.pass_time(2)
    assert flowing.counts() == ("running", 2, 0, 0, 1)
    flowing.peer(Role.ADMIN).call("get_tasks", "purge", {"states": [int(StateNumber.READY)]})
    assert flowing.counts() == ("failed", 2, 0, 0, 2)


def test_a_task_of_it_may_submit_into_it_after_it_is_sealed(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit()
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.submit(2)
    worker = flowing.worker()
    flowing.finish(worker)
    assert flowing.counts() == ("succeeded", 3, 3, 0, 0)
    with pytest.raises(InvalidArgument, match="has succeeded and takes no more tasks"):
        flowing.submit()


def test_the_same_submit_of_a_flow_that_has_ended_changes_nothing(flowing: Flowing) -> None:
    flowing.open()
    run = flowing.submit(3)
    assert flowing.submit_ids(run) == 0
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.finish(flowing.worker())
    assert flowing.submit_ids(run) == 0
    assert flowing.counts() == ("succeeded", 3, 3, 0, 0)


def test_a_flow_whose_program_is_lost_before_it_is_sealed_is_cancelled(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit(2)
    viewer = flowing.peer(Role.VIEWER)
    flowing.client.close()
    flowing.bench.advance(2)
    assert viewer.call(FLOWS, "show", FLOW)["state"] == "open"
    flowing.bench.advance(2)
    flowing.settle()
    shown = viewer.call(FLOWS, "show", FLOW)
    assert (shown["state"], shown["cancelled"]) == ("cancelled", 2)
    assert shown["reason"] == "the program that filled it was lost before it was complete"


def test_a_sealed_flow_outlives_its_program(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit(2)
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.client.close()
    flowing.bench.advance(10)
    flowing.client = flowing.peer()
    flowing.finish(flowing.worker())
    assert flowing.counts() == ("succeeded", 2, 2, 0, 0)


def test_flows_outlive_the_master(make_flowing: Callable[..., Flowing], tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    flowing = make_flowing(SqliteStore(file))
    flowing.open()
    bad = flowing.submit(20).first
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.finish(flowing.worker(), lambda task: task == bad, want=1)  # and the others are not cancelled yet
    now = flowing.bench.now
    flowing.bench.engine.store.close()
    flowing = make_flowing(SqliteStore(file), now)
    flowing.settle()
    assert flowing.counts() == ("failed", 20, 0, 1, 19)


def test_an_open_flow_whose_program_does_not_come_back_to_a_new_master_is_cancelled(
    make_flowing: Callable[..., Flowing], tmp_path: Path
) -> None:
    file = tmp_path / "tq.db"
    flowing = make_flowing(SqliteStore(file))
    flowing.open()
    flowing.submit()
    now = flowing.bench.now
    flowing.bench.engine.store.close()
    flowing = make_flowing(SqliteStore(file), now)
    assert flowing.counts()[0] == "open"
    flowing.bench.advance(25)
    flowing.settle()
    assert flowing.counts()[0] == "cancelled"
