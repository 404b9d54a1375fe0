"""Tasks by their worker and by its host, on the shipped engine: in arrays and by themselves, as lists, lines and actions see them."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role, StateNumber
from tq.master.tasks import lines, selection

from ..conftest import Bench, Peer
from .test_array_tags import found
from .test_explain import finish, lease, submit
from .test_lines import Program
from .test_selection import counted, fail, performed

READY, SUCCEEDED, FAILED, CANCELLED = (
    int(state)
    for state in (StateNumber.READY, StateNumber.SUCCEEDED, StateNumber.FAILED, StateNumber.CANCELLED)
)
NODE = bytes.fromhex("0a1b" + "00" * 14)


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


@pytest.fixture
def two(bench: Bench, client: Peer) -> tuple[Peer, Peer]:
    """A map of 40 and three tasks by themselves; of the map web-1 ran ten, of which two failed, and db-1 holds five."""
    web, db = bench.worker("m:f", host="web-1", node=NODE), bench.worker("m:f", host="db-1")
    Program(bench).submit(40)
    submit(client, count=3)
    finish(web, lease(web, 8))
    fail(web, 2, "ValueError: no")
    lease(db, 5)
    return web, db


@pytest.mark.usefixtures("two")
def test_tasks_are_found_by_the_host_that_has_them_or_had_them_last(client: Peer) -> None:
    for look in (counted, found):
        assert look(client, {"hosts": ["web-1"]}) == {SUCCEEDED: 8, FAILED: 2}
        assert look(client, {"hosts": ["*-1"]}) == {SUCCEEDED: 8, FAILED: 2, READY: 5}, "five wait at db-1"
        assert look(client, {"hosts": ["web-1"], "errors": ["ValueError"]}) == {FAILED: 2}
        assert look(client, {"hosts": ["web-1"], "states": [SUCCEEDED]}) == {SUCCEEDED: 8}
        assert look(client, {"hosts": ["db-1"], "states": [SUCCEEDED]}) == {}
        assert look(client, {"hosts": ["web"]}) == {}


@pytest.mark.usefixtures("two")
def test_tasks_are_found_by_the_start_of_the_workers_id(client: Peer) -> None:
    for look in (counted, found):
        assert look(client, {"workers": ["0a1b*"]}) == {SUCCEEDED: 8, FAILED: 2}
        assert look(client, {"workers": ["0a1b*"], "hosts": ["db-1"]}) == {}
        assert look(client, {"workers": ["ff*"]}) == {}


def test_a_task_that_runs_elsewhere_again_is_found_there_and_no_longer_where_it_failed(
    client: Peer, two: tuple[Peer, Peer]
) -> None:
    _, db = two
    assert performed(client, "retry_where", {"hosts": ["web-1"], "states": [FAILED]}) == [2]
    assert counted(client, {"hosts": ["web-1"]}) == {SUCCEEDED: 8, READY: 2}, "had them last"
    finish(db, lease(db, 30))
    assert counted(client, {"hosts": ["web-1"]}) == {SUCCEEDED: 8}
    assert counted(client, {"hosts": ["db-1"], "states": [SUCCEEDED]})[SUCCEEDED] == 30


def test_an_action_takes_those_of_the_host_and_no_others(client: Peer, two: tuple[Peer, Peer]) -> None:
    assert performed(client, "purge", {"hosts": ["web-1"]}) == [10]
    assert counted(client, {"hosts": ["*"]}) == {READY: 5}
    assert sum(counted(client, {}).values()) == 33


def test_a_small_array_and_single_tasks_are_listed_by_their_worker(bench: Bench, client: Peer) -> None:
    worker = bench.worker("m:f", host="web-1")
    small = Program(bench).submit(3)
    [single] = submit(client)
    finish(worker, lease(worker, 2))
    rows: list[Any] = client.call("get_tasks", "lines", {"hosts": ["web-1"]}, 100)["rows"]
    assert {row["id"] for row in rows} == set(small[:2])
    finish(worker, lease(worker, 2))
    rows = client.call("get_tasks", "lines", {"hosts": ["web-1"]}, 100)["rows"]
    assert {row["id"] for row in rows} == {*small, single}


def test_of_a_host_that_no_worker_has_is_known_at_once_that_there_is_nothing(
    client: Peer, two: tuple[Peer, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lines, selection):
        monkeypatch.setattr(module, "VISITED_MAX", 1)
    for wanted in ({"hosts": ["nosuch"]}, {"workers": ["ff*"]}, {"hosts": ["db-1"], "workers": ["0a1b*"]}):
        for method in ("lines", "select"):
            answer = client.call("get_tasks", method, wanted, 10)
            assert (answer["rows"], answer["before"]) == ([], None)
    assert client.call("get_tasks", "select", {"hosts": ["web-1"]}, 10)["before"] is not None


def test_a_task_by_itself_that_cannot_match_is_not_read(
    client: Peer, two: tuple[Peer, Peer], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(client, count=5)
    finish(two[1], lease(two[1], 100))
    read: list[int] = []
    brief = bench.engine.store.brief
    monkeypatch.setattr(bench.engine.store, "brief", lambda seq: read.append(seq) or brief(seq))
    for wanted in ({"hosts": ["web-1"]}, {"errors": ["KeyError"]}, {"tags": {"order": ["1"]}}):
        assert client.call("get_tasks", "lines", wanted, 100)["before"] is None
    assert len(read) == 1, "the newest failure of the map"
