"""How long a lane is known."""

from __future__ import annotations

from collections.abc import Callable

from tq.common.domain.model import Role, StateNumber
from tq.master.engine.accounts import Resource
from tq.master.tasks.route import LaneKey
from tq.master.tasks.routes import Routes

from ..conftest import Bench
from ..in_lanes import DISPATCHER, A, B, lane, leased, submit, within


def test_after_a_restart_lanes_are_as_they_were(make_bench: Callable[..., Bench]) -> None:
    before = make_bench()
    ids = submit(before, B) + submit(before, A, delay=5.0)
    after = make_bench(before.engine.store)
    lanes = {one.key for one in after.engine.part(Routes)}
    assert lanes == {LaneKey(), A, B}
    worker = after.worker("m:f")
    assert leased(worker, 2) == ids[:1]
    call = worker.ask(DISPATCHER, "lease", 2)
    after.advance(6)
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids[1:]


def test_a_lane_is_forgotten_with_the_last_of_its_tasks(bench: Bench) -> None:
    account = bench.client().session.account
    routes = bench.engine.part(Routes)
    within(bench, lambda: routes.lane(routes.route("q", "m:f"), A, account))
    plain, made = routes
    assert account.held[Resource.LANES] == 1
    submit(bench, A)
    assert made.number in routes.by_number
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [0]})
    bench.step()
    bench.step()
    assert list(routes.by_number) == [plain.number]
    assert account.held[Resource.LANES] == 0
    assert [row[0] for row in bench.engine.store.load().routes] == [plain.number]


def test_a_lane_for_which_nothing_was_accepted_is_forgotten(bench: Bench) -> None:
    within(bench, lambda: lane(bench, A))
    for _ in range(3):
        bench.step()
    assert len(bench.engine.part(Routes).by_number) == 1
    assert len(submit(bench, A)) == 1
    assert len(bench.engine.part(Routes).by_number) == 2


def test_a_lane_is_never_taken_for_one_that_was_forgotten(bench: Bench) -> None:
    """What stands in line of the old one is still there."""
    admin, worker = bench.client(role=Role.ADMIN), bench.worker("m:f", slots=9)
    ids = submit(bench, A)
    for limit in "abc":
        gone = submit(bench, LaneKey("a", ((limit, "k", 1),)))
        admin.call("get_tasks", "cancel", gone)
        admin.call("get_tasks", "purge", {"states": [int(StateNumber.CANCELLED)]})
        for _ in range(3):
            bench.step()
    ids += submit(bench, LaneKey("a", (("d", "k", 1),)))
    assert leased(worker, 9) == ids
