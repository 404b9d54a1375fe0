"""The permits of limits go first to workers that can start something at once; what these leave is read ahead."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import OutcomeNumber, Role
from tq.master.tasks.places import FreePlaces
from tq.master.tasks.routes import Routes

from tests.master.leased import each

from ..conftest import Bench, Peer
from ..flows.conftest import run_of

DISPATCHER = "get_dispatcher"


def submit(peer: Peer, tasks: int, task: str = "m:f", *, options: Any = None, **limit: Any) -> IdRun:
    run = run_of(tasks)
    columns = {"limits": [[{"name": "api", **limit}, ""]]} if limit else {}
    said = [[run.first, [b"p"] * tasks]]
    peer.call("get_task_queue/q", "submit", task, options or {}, said, columns=columns)
    return run


def submit_of(peer: Peer, tenant: str, tasks: int) -> IdRun:
    run = run_of(tasks)
    said = [[run.first, [b"p"] * tasks]]
    peer.call("get_task_queue/q", "submit", "m:f", {}, said, columns={"tenant": tenant})
    return run


class Asker:
    """A worker that has a call parked for so many tasks."""

    def __init__(self, bench: Bench, want: int = 10, **has: Any) -> None:
        self.bench, self.want = bench, want
        self.peer = bench.worker("m:f", "m:g", **{"slots": 1, **has})
        self.held: list[list[Any]] = []
        self.groups: list[list[Any]] = []
        self._park()

    def _park(self) -> None:
        self.call = self.peer.ask(DISPATCHER, "lease", self.want)
        self.bench.step()

    def got(self) -> int:
        """How many it has been given since, and asks for more."""
        before = len(self.held)
        while self.call in self.peer.answers:
            lease, self.groups = self.peer.answer(self.call)
            self.held += [[id, attempt, lease] for id, attempt, *_ in each(self.groups)]
            self._park()
        return len(self.held) - before

    def end_one(self) -> None:
        row = self.held.pop(0)
        self.peer.call(DISPATCHER, "finish", [[*row, int(OutcomeNumber.SUCCESS), b"r", 0.0, 0.1, None]])


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def places(bench: Bench) -> FreePlaces:
    return bench.engine.part(Routes).placements.places


@pytest.mark.parametrize(("most", "given"), [(1, [1, 0]), (2, [1, 1]), (3, [2, 1]), (8, [7, 1])])
def test_each_has_one_that_it_can_start_before_another_reads_ahead(
    bench: Bench, client: Peer, most: int, given: list[int]
) -> None:
    askers = [Asker(bench), Asker(bench)]
    submit(client, 20, max_running=most)
    assert [asker.got() for asker in askers] == given


def test_who_has_nothing_to_do_is_served_before_who_reads_ahead_and_asked_first(
    bench: Bench, client: Peer
) -> None:
    busy = Asker(bench)
    submit(client, 1, "m:g")
    assert busy.got() == 1
    idle = Asker(bench)
    submit(client, 3, max_running=1)
    assert (busy.got(), idle.got()) == (0, 1)


def test_where_all_have_something_to_do_the_rest_is_read_ahead_and_a_permit_goes_to_who_becomes_free(
    bench: Bench, client: Peer
) -> None:
    first, second = Asker(bench), Asker(bench)
    submit(client, 20, max_running=4)
    assert (first.got(), second.got()) == (3, 1)
    second.end_one()
    assert (first.got(), second.got()) == (0, 1)
    first.end_one()
    assert first.got() + second.got() == 1, "both have one, and one of them reads ahead"


def test_a_worker_alone_has_all_that_it_asks_for(bench: Bench, client: Peer) -> None:
    alone = Asker(bench)
    submit(client, 20, max_running=8)
    assert alone.got() == 8


def test_nothing_is_kept_for_who_cannot_run_it(bench: Bench, client: Peer) -> None:
    with_gpu, without = Asker(bench, resources={"gpu": 9_000}), Asker(bench)
    submit(client, 20, options={"needs": {"gpu": 1_000}}, max_running=3)
    assert (with_gpu.got(), without.got()) == (3, 0)


@pytest.mark.parametrize(
    ("limit", "more"), [({"max_running": 3}, [{}, True]), ({"rate": "9/s"}, []), ({}, [])]
)
def test_the_answer_says_which_tasks_hold_a_permit(
    bench: Bench, client: Peer, limit: dict[str, Any], more: list[Any]
) -> None:
    asker = Asker(bench)
    submit(client, 1, **limit)
    asker.got()
    assert [group[4:] for group in asker.groups] == [more]


def test_what_each_worker_has_is_counted_through_ends_returns_and_losses(bench: Bench, client: Peer) -> None:
    asker = Asker(bench, slots=4)
    submit(client, 5, max_running=9)
    submit(client, 2, "m:g")
    asker.got()
    [(worker, leased)] = places(bench).leased.items()
    assert (leased, places(bench).free(worker)) == (7, 0)
    for _ in range(4):
        asker.end_one()
    assert places(bench).free(worker) == 1
    asker.peer.call(DISPATCHER, "release", [asker.held.pop()])
    bench.step()
    asker.got()
    after = Bench(bench.engine.store, now=bench.now)
    assert after.engine.part(Routes).placements.places.leased == places(bench).leased


def test_why_says_how_many_wait_at_their_worker(bench: Bench, client: Peer) -> None:
    asker = Asker(bench, slots=2)
    run = submit(client, 20, max_running=5)
    asker.got()
    why = client.call("get_tasks", "why", run.ids()[-1])
    assert "5 of at most 5 run (3 of these tasks wait at their worker for a free slot)" in why["why"]
    [reason] = why["reasons"]
    assert (reason["running"], reason["ahead"]) == (5, 3)


def test_the_cap_of_a_tenant_is_shared_out_as_permits_are(bench: Bench, client: Peer) -> None:
    client.call("get_tenants", "set", "acme", {"max_running": 3})
    askers = [Asker(bench), Asker(bench)]
    run = submit_of(client, "acme", 20)
    assert [asker.got() for asker in askers] == [2, 1]
    assert [asker.groups[0][4:] for asker in askers] == [[{}, True]] * 2, (
        "what counts under a cap is started first"
    )
    askers[1].end_one()
    assert [asker.got() for asker in askers] == [0, 1], "who becomes free, not who reads ahead"
    why = client.call("get_tasks", "why", run.ids()[-1])
    assert "3 of at most 3 run (1 of these tasks wait at their worker for a free slot)" in why["why"]
    reason = why["reasons"][0]
    assert (reason["kind"], reason["running"], reason["ahead"]) == ("cap", 3, 1)
    assert reason["remedy"] == "tq tenants set acme --max-running N"


def test_tenants_without_a_cap_are_read_ahead_beside_one_that_has_one(bench: Bench, client: Peer) -> None:
    client.call("get_tenants", "set", "acme", {"max_running": 1})
    askers = [Asker(bench), Asker(bench)]
    submit_of(client, "acme", 20)
    submit_of(client, "beta", 6)
    assert sum(asker.got() for asker in askers) == 7
    assert bench.engine.part(Routes).tenants.use("acme").running == 1
    client.call("get_tenants", "remove", "acme")
    bench.step()
    assert not bench.engine.part(Routes).have_permits
