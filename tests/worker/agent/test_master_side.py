"""One worker and the masters of several shards: what is leased from one is reported to it, and one that is away holds up no other."""

from __future__ import annotations

from tq.common.domain.indexes import Indexes, Own
from tq.common.domain.shards import shard_of_id
from tq.worker.agent.backlog import PARKED_SECONDS
from tq.worker.agent.credit import SILENT_SECONDS

from ..shards import ShardedWorkshop
from ..workshop import LONG


def busy(shop: ShardedWorkshop) -> dict[bytes, int]:
    """The child of each task that one has."""
    return {job.id: number for number, sim in shop.sims.items() for job in sim.jobs.values()}


def test_what_was_leased_from_a_shard_is_reported_to_it() -> None:
    shop = ShardedWorkshop(3)
    shop.settle(1, 2)
    [one], [two] = shop.answer(1), shop.answer(2)
    for child in busy(shop).values():
        shop.run(child, seconds=LONG)
    assert sorted(shard for shard, _ in shop.finished) == [1, 2]
    assert [row[0] for row in shop.acknowledge_of(2)] == [two]
    assert [row[0] for row in shop.acknowledge_of(1)] == [one]
    assert not shop.agent.side.outbox


def test_equal_leases_and_places_of_two_shards_are_two_tasks() -> None:
    """Nothing but their shards differs."""
    shop = ShardedWorkshop(2)
    shop._ids = iter([7, 7])  # type: ignore[assignment]
    [one], [two] = shop.answer(0), shop.answer(1)
    assert one != two
    assert [shard_of_id(one), shard_of_id(two)] == [0, 1]
    for child in busy(shop).values():
        shop.run(child, seconds=LONG)
    assert [row[0] for row in shop.acknowledge_of(0)] == [one]
    assert [id for id, *_ in shop.held] == [two]


def test_reports_of_a_shard_that_is_away_wait_by_themselves() -> None:
    shop = ShardedWorkshop(2, slots=1)
    shop.settle(0, 1)
    shop.answer(0)
    shop.lose(0)
    shop.run(1, seconds=LONG)
    assert not shop.finished
    for _ in range(3):
        shop.settle(1)
        [id] = shop.answer(1)
        assert shop.run(1, seconds=LONG) == id
        shop.acknowledge_of(1)
    shop.agent.connect([], shop.now, 0)
    assert len(shop.acknowledge_of(0)) == 1


def test_leases_of_one_shard_that_are_lost_while_it_was_away_leave_the_others_as_they_are() -> None:
    shop = ShardedWorkshop(2)
    [lost], [kept] = shop.answer(0), shop.answer(1)
    shop.lose(0)
    shop.agent.connect([lost], shop.now, 0)
    for child in busy(shop).values():
        shop.run(child, seconds=LONG)
    rows = [row[0] for _, call in shop.finished for row in call.rows()]
    assert kept in rows
    assert lost not in rows or shop.reports, "it had begun: its report comes, and is stale"


def test_a_shard_that_takes_no_reports_keeps_no_slot() -> None:
    """Its disk is full: the finish call is parked there."""
    shop = ShardedWorkshop(2, slots=1)
    shop.settle(0)
    shop.answer(0)
    shop.run(1, seconds=LONG)
    assert [shard for shard, _ in shop.finished] == [0]
    shop.be_silent(2 * SILENT_SECONDS)
    for _ in range(5):
        [id] = shop.answer(1)
        shop.run(1, seconds=LONG)
        assert [row[0] for row in shop.acknowledge_of(1)] == [id]
        shop.be_silent(2 * SILENT_SECONDS)
        shop.settle(0, 1)
    assert [shard for shard, _ in shop.finished] == [0]


def test_a_suspect_of_a_shard_that_is_silent_keeps_no_child_from_the_others() -> None:
    shop = ShardedWorkshop(2, slots=1)
    shop.settle(0)
    [suspect] = shop.answer(0, suspect=True)
    assert [list(one) for one in shop.starts] == [[suspect]]
    shop.settle(0)
    assert not busy(shop)
    shop.be_silent(3 * SILENT_SECONDS)
    [other] = shop.answer(1)
    assert list(busy(shop)) == [other]
    shop.run(1, seconds=LONG)
    shop.agent.may_start([suspect], shop.now)  # its master answers after all
    assert list(busy(shop)) == [suspect]


def test_a_suspect_of_a_shard_that_is_away_lets_others_pass_and_is_announced_when_it_is_back() -> None:
    shop = ShardedWorkshop(2, slots=1)
    shop.settle()
    shop.answer(0)
    [suspect] = shop.answer(1, suspect=True)
    shop.lose(1)
    shop.run(1, seconds=LONG)
    [other] = shop.answer(0)
    assert list(busy(shop)) == [other]
    shop.agent.connect([], shop.now, 1)
    assert not shop.starts, "no child is free for it"
    shop.run(1, seconds=LONG)
    assert [list(one) for one in shop.starts] == [[suspect]]


def test_too_much_goes_back_to_the_shards_it_came_from() -> None:
    shop = ShardedWorkshop(4, slots=1)
    shop.settle()
    assert all(list(calls) == [(1, True)] for calls in shop.asked), "each would give one"
    granted = [shop.answer(shard)[0] for shard in range(4)]
    shop.begin(1)
    shop.wait(1.0)
    assert sorted(shop.released_ids) == sorted(granted[1:])
    assert not any(shop.asked), "there is no room: nothing is asked for"


def test_a_drain_gives_back_what_each_shard_gave_and_what_comes_later() -> None:
    shop = ShardedWorkshop(2, slots=1)
    shop.settle()
    [runs], [waits] = shop.answer(0), shop.answer(1)
    shop.begin(1)
    shop.agent.drain(shop.now)
    assert shop.released_ids == [waits]
    shop.sims[1].end(seconds=LONG)
    shop.report(1)
    assert [row[0] for row in shop.acknowledge_of(0)] == [runs]
    assert shop.agent.idle


def test_what_masters_give_too_much_of_a_resource_waits_and_goes_back_to_other_workers() -> None:
    indexes = Indexes({})
    indexes.count_amounts({"memory": Own(16_000)})
    shop = ShardedWorkshop(2, slots=2, indexes=indexes)
    shop.settle()
    [first] = shop.answer(0, needs={"memory": 10_000})
    [second] = shop.answer(1, needs={"memory": 10_000})
    assert list(busy(shop)) == [first], "both do not fit, though each master has counted right"
    shop.begin(busy(shop)[first])
    shop.wait(PARKED_SECONDS / 2)
    assert shop.released_ids == []
    shop.wait(PARKED_SECONDS)
    assert shop.released_ids == [second]


def test_an_amount_is_free_again_when_its_task_has_ended() -> None:
    indexes = Indexes({})
    indexes.count_amounts({"memory": Own(16_000)})
    shop = ShardedWorkshop(2, slots=2, indexes=indexes)
    shop.settle()
    shop.answer(0, needs={"memory": 10_000})
    [second] = shop.answer(1, needs={"memory": 10_000})
    shop.run(1, seconds=LONG)
    assert list(busy(shop)) == [second]
