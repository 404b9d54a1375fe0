"""What is read of the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.contract.audit import AuditRow
from tq.common.contract.rows import from_wire
from tq.common.domain.model import Role
from tq.common.errors import Forbidden

from tests.master.conftest import Bench, Peer


def rows(bench: Bench, **wanted: Any) -> list[AuditRow]:
    found = bench.client(role=Role.VIEWER).call("get_audit", "list", **wanted)
    return [from_wire(AuditRow, row) for row in found]


@pytest.fixture
def admin(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def test_a_list_is_read_page_by_page_and_by_key_and_age(bench: Bench, admin: Peer) -> None:
    for name in ("a", "b", "c"):
        admin.call(("get_task_queue", name), "pause", "")
        bench.advance(100)
    newest = rows(bench, limit=2)
    assert [row.target for row in newest] == ["c", "b"]
    assert [row.target for row in rows(bench, before=newest[-1].number)] == ["a"]
    assert [row.target for row in rows(bench, since=bench.now.wall / 1000 - 150)] == ["c"]
    assert rows(bench, key="other") == []


def test_a_clock_that_is_set_moves_the_times_of_all_rows_together(bench: Bench, admin: Peer) -> None:
    admin.call("get_task_queue/mail", "pause", "")
    bench.set_clock(3600)
    admin.call("get_task_queue/mail", "resume")
    after, before = rows(bench)
    assert after.at == before.at == bench.now.wall / 1000


def test_a_key_that_may_use_some_queues_does_not_see_it(bench: Bench) -> None:
    with pytest.raises(Forbidden, match="all queues"):
        bench.client(queues=("mail",), role=Role.VIEWER).call("get_audit", "list")
