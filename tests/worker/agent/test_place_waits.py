"""Waits of jobs among others of their child, which the master looks at."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun

from ..workshop import Workshop


def shop_of(places: int) -> Workshop:
    return Workshop(1, places=places)


def wait_of(id: bytes) -> IdRun:
    return IdRun(id, 1)


def test_the_master_is_asked_whether_a_wait_among_others_can_end_and_what_it_refuses_ends_that_wait_alone() -> (
    None
):
    shop = shop_of(places=2)
    shop.grant(2)
    waiting, other = shop.begin_all(1)
    ids = {job.ordinal: job.id for job in shop.jobs}
    for number, ordinal in ((7, waiting), (8, other)):
        shop.agent.lending.waits(1, number, ordinal, [wait_of(bytes(16))], shop.now)
    (first, waiter, runs, want), _ = shop.lends
    assert (waiter, runs, want) == (ids[waiting], [wait_of(bytes(16))], 0)
    shop.lends.clear()
    shop.agent.disconnect()
    shop.agent.connect([], shop.now)
    assert [one[1] for one in shop.lends] == [ids[waiting], ids[other]], "asked again on a new connection"
    shop.agent.lending.refused(first, "of the connection before", shop.now)
    assert shop.refused == []
    shop.agent.lending.refused(shop.lends[0][0], "it holds the permit itself", shop.now)
    assert shop.refused == [(1, 7, "it holds the permit itself")]
    shop.lends.clear()
    shop.agent.lending.woke(1, 8, shop.now)
    assert [(one[1], one[2]) for one in shop.lends] == [(ids[other], [])], "it waits no longer"


def test_nothing_is_asked_for_the_waits_of_a_child_that_has_died() -> None:
    shop = shop_of(places=2)
    shop.grant(1)
    [waiting] = shop.begin_all(1)
    shop.agent.lending.waits(1, 7, waiting, [wait_of(bytes(16))], shop.now)
    [(token, *_)] = shop.lends
    shop.lends.clear()
    shop.die(1)
    shop.agent.lending.refused(token, "too late", shop.now)
    shop.agent.lending.woke(1, 7, shop.now)
    assert (shop.refused, list(shop.lends)) == ([], [])
