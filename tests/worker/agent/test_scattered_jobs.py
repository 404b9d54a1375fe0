"""Jobs that end in any order."""

from __future__ import annotations

from ..workshop import Workshop


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places=places)


def test_jobs_of_one_run_end_in_any_order_and_what_is_left_is_still_held() -> None:
    shop = shop_of(places=5)
    ids = shop.grant(5)
    ordinals = shop.begin_all(1)
    shop.end(1, ordinals[3], ordinals[1], ordinals[4])
    assert [job.id for job in shop.jobs] == [ids[0], ids[2]]
    [row_of_first, row_of_third] = [row for row in shop.agent.held_with_seconds(shop.now) if len(row) == 4][
        :2
    ]
    assert row_of_first[0] != row_of_third[0]


def test_a_report_of_a_job_that_it_does_not_have_costs_the_child_its_trust() -> None:
    shop = shop_of(places=2)
    shop.grant(1)
    [ordinal] = shop.begin_all(1)
    shop.end(1, ordinal)
    shop.sims[1].jobs[ordinal] = None  # type: ignore[assignment]  # it reports it once more
    shop.end(1, ordinal)
    assert shop.has("child.distrusted")
    assert shop.signals == [(1, True)]
