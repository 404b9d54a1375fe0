"""Which child is sent what, where each runs many jobs at a time."""

from __future__ import annotations

from tq.worker.agent.concurrent_child import SUSPECTS_MAX

from ..workshop import Workshop


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places=places)


def test_a_child_is_sent_as_many_jobs_as_it_has_places_and_one_more_for_each_that_ends() -> None:
    shop = shop_of(places=3)
    assert list(shop.leases) == [3]
    shop.grant(3)
    first, second, third = shop.begin_all(1)
    shop.end(1, second)
    assert list(shop.leases) == [1]
    shop.grant(1)
    assert len(shop.begin_all(1)) == 1
    assert len(shop.sims[1].jobs) == 3
    shop.end(1, third, first)
    assert not any(action == "child.distrusted" for action, _ in shop.reports)


def test_jobs_are_spread_over_the_children_of_the_pool() -> None:
    shop = shop_of(places=10, children=2)
    shop.grant(10)
    assert [len(sim.jobs) for sim in shop.sims.values()] == [5, 5]


def test_what_was_sent_and_not_begun_is_taken_back_by_a_drain_and_the_rest_finishes() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    sim = shop.sims[1]
    assert sim.page.begin(sim.unstarted.popleft())
    shop.agent.drain(shop.now)
    assert [row[0] for row in shop.released] == ids[1:]
    assert not shop.agent.idle
    shop.end(1, 1)
    shop.acknowledge()
    assert shop.agent.idle


def test_of_suspects_only_some_run_in_a_child_at_a_time() -> None:
    shop = shop_of(places=100)
    shop.grant(shop.tasks(50, suspect=True))
    announced = [id for ids in shop.starts for id in ids]
    assert len(announced) == SUSPECTS_MAX
    shop.agent.may_start(announced, shop.now)
    ordinals = shop.begin_all(1)
    assert len(ordinals) == SUSPECTS_MAX
    shop.starts.clear()
    shop.end(1, ordinals[0])
    assert len(shop.starts) == 1


def test_a_child_that_has_run_as_many_as_it_may_is_replaced_while_the_last_ones_run() -> None:
    shop = Workshop(1, places=3, max_tasks_per_child=2)
    shop.grant(3)
    ordinals = shop.begin_all(1)
    assert len(ordinals) == 2
    assert shop.replaced == [1]
    shop.hire(2)
    assert len(shop.sims[2].jobs) == 1
    shop.end(1, *ordinals)
    assert shop.retired == [1]
