"""Jobs of one child that wait for other tasks."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun

from ..workshop import Workshop


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places=places)


def wait_of(id: bytes) -> IdRun:
    return IdRun(id, 1)


def test_a_job_that_waits_for_others_takes_no_place_meanwhile() -> None:
    shop = shop_of(places=1)
    shop.grant(1)
    [waiting] = shop.begin_all(1)
    assert not shop.leases
    wanted = shop.jobs[0]
    assert shop.agent.lending.waits(1, 7, waiting, [wait_of(wanted.id)], shop.now)
    assert list(shop.leases) == [1]
    shop.grant(1)
    [other] = shop.begin_all(1)
    shop.end(1, other)
    shop.agent.lending.woke(1, 7, shop.now)
    shop.end(1, waiting)
    assert not shop.has("child.distrusted")


def test_more_waits_than_there_may_be_are_refused() -> None:
    shop = Workshop(1, places=1, lent_children=1)
    for number in (1, 2):
        shop.grant(1)
        ordinal = shop.begin_all(1)[0]
        shop.agent.lending.waits(1, number, ordinal, [wait_of(bytes(16))], shop.now)
    [(child, wait, why)] = shop.refused
    assert (child, wait) == (1, 2)
    assert "--lent-children" in why
