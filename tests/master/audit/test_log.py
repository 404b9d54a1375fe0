"""What is changed stands in the audit log: in the same transaction, bounded, and without what was given to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.contract.audit import AuditRow
from tq.common.contract.rows import from_wire
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, StoreError
from tq.master.audit import log
from tq.master.audit.log import AuditLog

from tests.master.conftest import Bench, Peer
from tests.master.new_store import NewStore

DAY_MS = 24 * 3600 * 1000


def submit(bench: Bench, count: int) -> list[bytes]:
    ids: list[bytes] = new_ids.many(count)
    bench.client().call("get_task_queue/q", "submit", "m:f", {}, [[id, b""] for id in ids])
    return ids


def rows(bench: Bench, **wanted: Any) -> list[AuditRow]:
    found = bench.client(role=Role.VIEWER).call("get_audit", "list", **wanted)
    return [from_wire(AuditRow, row) for row in found]


def said(bench: Bench) -> list[tuple[str, str, int, int | None]]:
    return [(one.words, one.target, one.calls, one.reached) for one in rows(bench)]


def pass_days(bench: Bench, days: int) -> None:
    ms = days * DAY_MS
    bench.now = bench.now._replace(wall=bench.now.wall + ms, mono=bench.now.mono + ms)
    bench.step()


def refuse() -> None:
    raise StoreError("the disk is full")


@pytest.fixture
def admin(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def test_a_change_says_when_which_key_from_where_did_what_to_what(bench: Bench, admin: Peer) -> None:
    admin.call("get_task_queue/mail", "pause", "the relay is down: password hunter2")
    [row] = rows(bench)
    assert (row.key, row.address, row.node) == ("admin", "test", admin.session.node)
    assert (row.method, row.words, row.target) == ("get_task_queue.pause", "paused queue", "mail")
    assert row.at == row.last == bench.now.wall / 1000
    assert "hunter2" not in str(rows(bench))


def test_a_refused_change_and_what_only_looks_are_in_no_row(bench: Bench, admin: Peer) -> None:
    with pytest.raises(InvalidArgument):
        admin.call("get_strikes", "remove", 7)
    admin.call("get_keys", "list")
    admin.call("get_queues", "list")
    assert rows(bench) == []


def test_a_key_is_named_by_its_id_and_its_token_is_in_no_row(bench: Bench, admin: Peer) -> None:
    token = admin.call("get_keys", "add", "client", [], "for the office")
    [row] = rows(bench)
    _, key_id, secret, *_ = token.split(".")
    assert (row.words, row.target) == ("made key", f"{key_id} (client)")
    assert secret not in str(row)


def test_cancels_of_one_program_are_one_row_for_a_minute_with_how_many_they_reached(bench: Bench) -> None:
    client = bench.client()
    first, second, third = submit(bench, 3)
    client.call("get_tasks", "cancel", [first])
    bench.advance(30)
    client.call("get_tasks", "cancel", [second])
    assert said(bench) == [("cancelled tasks", f"{show_id(first)} and others", 2, 2)]
    bench.advance(70)
    client.call("get_tasks", "cancel", [third])
    assert said(bench)[0] == ("cancelled tasks", show_id(third), 1, 1)
    bench.client().call("get_tasks", "cancel", [third])
    assert len(rows(bench)) == 3, "another program has its own row"


def test_a_filter_is_said_without_what_tasks_were_given(bench: Bench, admin: Peer) -> None:
    submit(bench, 2)
    wanted = {"queues": ["q"], "states": [0], "tags": {"customer": ["4711"]}}
    admin.call("get_tasks", "cancel_where", wanted)
    admin.call("get_tasks", "cancel_where", {"queues": ["q"]})
    admin.call("get_tasks", "purge", {"names": ["jobs:*"]})
    assert [row[:3] for row in said(bench)] == [
        ("deleted tasks", "name=jobs:*", 1),
        ("cancelled tasks", "queue=q", 1),
        ("cancelled tasks", "queue=q state=ready tags=…", 1),
    ]


def test_a_call_that_takes_several_transactions_says_at_its_end_how_many_it_reached(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.master.tasks.calls.RUNS_TOGETHER", 10)
    bench = make_bench()
    ids = [one for _ in range(25) for one in submit(bench, 1)]
    client = bench.client()
    call = client.ask("get_tasks", "cancel", ids)
    bench.step()
    assert call not in client.answers
    assert said(bench) == [("cancelled tasks", f"{show_id(ids[0])} and others", 1, None)]
    for _ in range(5):
        bench.step()
    assert len(client.answer(call)) == 25
    assert said(bench) == [("cancelled tasks", f"{show_id(ids[0])} and others", 1, 25)]


def test_no_change_without_its_row_and_no_row_without_its_change(bench: Bench, admin: Peer) -> None:
    call = admin.ask("get_task_queue/mail", "pause", "")
    bench.step(commit=refuse)
    with pytest.raises(StoreError):
        admin.answer(call)
    bench.advance(60)
    assert rows(bench) == []
    assert not any(row["paused"] for row in admin.call("get_queues", "list"))
    admin = bench.client(role=Role.ADMIN)
    admin.call("get_task_queue/mail", "pause", "")
    assert said(bench) == [("paused queue", "mail", 1, None)]


def test_what_a_failed_transaction_added_to_a_row_is_not_in_it(bench: Bench) -> None:
    client = bench.client()
    first, second = submit(bench, 2)
    client.call("get_tasks", "cancel", [first])
    client.ask("get_tasks", "cancel", [second])
    bench.step(commit=refuse)
    bench.advance(30)
    assert said(bench) == [("cancelled tasks", show_id(first), 1, 1)]


def test_a_restarted_master_still_has_it(bench: Bench, admin: Peer) -> None:
    admin.call("get_task_queue/mail", "pause", "")
    again = Bench(bench.engine.store, now=bench.now)
    assert said(again) == [("paused queue", "mail", 1, None)]


def test_rows_are_deleted_after_ninety_days(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.client(role=Role.ADMIN).call("get_task_queue/mail", "pause", "")
    pass_days(bench, 89)
    assert len(rows(bench)) == 1
    pass_days(bench, 2)
    assert rows(bench) == []
    assert not bench.engine.part(AuditLog)._rows


def test_a_key_that_changes_very_much_drives_out_its_own_rows_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log, "KEY_ROWS_MAX", 5)
    monkeypatch.setattr(log, "PORTION", 1)
    bench = Bench(NewStore())
    bench.client(role=Role.ADMIN).call("get_task_queue/mail", "pause", "")
    client, ids = bench.client(), submit(bench, 12)
    for id in ids:
        client.call("get_tasks", "cancel", [id])
        bench.advance(70)
    assert [row.key for row in rows(bench)] == ["client"] * 5 + ["admin"]
    assert rows(bench)[0].target == show_id(ids[-1])
