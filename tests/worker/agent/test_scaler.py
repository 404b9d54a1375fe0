"""A pool whose number of children follows its work: what it leases, which children it starts and ends."""

from __future__ import annotations

from typing import Any

from tq.worker.agent.scaler import Scaler
from tq.worker.agent.scaling import GROW_SECONDS, IDLE_SECONDS, Scaling
from tq.worker.agent.watchdog import TICK_SECONDS

from ..workshop import LONG, Workshop


class Scaled:
    """A workshop with a scaler; children that are started are ready at once."""

    def __init__(self, least: int, most: int, places: int = 0) -> None:
        self.shop = Workshop(least, connected=False, places=places)
        self.spared: list[int] = []
        self.changes = 0
        self.scaler = Scaler(
            self.shop.agent, Scaling(least, most), max(1, places), self, self.report, "a pool", self.tell
        )
        self.shop.agent.connect([], self.shop.now)

    def report(self, action: str, **fields: Any) -> None:
        self.shop.reports.append((action, fields))

    def start(self) -> None:
        self.shop.hire()

    def spare(self, child: int) -> None:
        self.spared.append(child)

    def tell(self) -> None:
        self.changes += 1

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_SECONDS)):
            self.shop.wait(TICK_SECONDS)
            self.scaler.look(self.shop.now)


def test_as_much_is_leased_as_the_children_to_be_started_next_could_run_and_no_more_at_its_most() -> None:
    one = Scaled(2, 4)
    shop = one.shop
    assert sum(shop.leases) == 3
    shop.grant(2)
    shop.grant(1)  # more than its two children run
    one.wait(GROW_SECONDS + 0.2)
    assert (shop.agent.slots, one.changes) == (3, 1)
    assert not shop.agent.backlog.waiting  # the third runs in a child that was started for it
    [fields] = [fields for action, fields in shop.reports if action == "pool.scaled"]
    assert fields == {"pool": "a pool", "children": 3, "before": 2, "waiting": 1}
    shop.grant(1)
    one.wait(GROW_SECONDS + 0.2)
    assert (shop.agent.slots, shop.agent.ahead) == (4, 0)
    assert not shop.leases  # each of the four it may have runs one


def test_what_waits_while_there_is_no_connection_starts_no_child() -> None:
    one = Scaled(1, 4)
    one.shop.grant(2)
    one.shop.cut()
    one.wait(3 * GROW_SECONDS)
    assert one.shop.agent.slots == 1


def test_a_child_that_runs_a_task_is_never_let_go() -> None:
    one = Scaled(1, 3)
    shop = one.shop
    for _ in range(3):
        shop.grant(1)
        one.wait(GROW_SECONDS + 0.2)
    assert shop.agent.slots == 3
    for child in shop.sims:
        shop.begin(child)
    one.wait(3 * IDLE_SECONDS)
    assert one.spared == []
    for child in (1, 2):
        shop.sims[child].end(seconds=LONG)
        shop.report(child)
    one.wait(4 * IDLE_SECONDS)
    assert len(one.spared) == 2
    assert set(one.spared) == {1, 2}
    assert shop.retired == one.spared
    assert shop.agent.slots == 1
    assert not one.scaler.is_above_least


def test_of_children_that_run_many_the_one_with_the_fewest_gets_no_more_and_ends_when_it_has_none() -> None:
    one = Scaled(1, 2, places=4)
    shop = one.shop
    shop.grant(5)
    one.wait(GROW_SECONDS + 0.2)
    assert shop.agent.slots == 8
    ordinals = {child: shop.begin_all(child) for child in (1, 2)}
    assert [len(ordinals[child]) for child in (1, 2)] == [4, 1]
    shop.end(1, *ordinals[1][2:])
    one.wait(2 * IDLE_SECONDS)
    assert one.spared == [2]
    assert shop.retired == []  # it has a task yet
    shop.grant(1)
    assert len(shop.agent.children[2].jobs) == 1  # and gets no more
    shop.end(2, ordinals[2][0])
    assert shop.retired == [2]
