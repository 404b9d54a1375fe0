"""Children within limits: how many tasks, how much memory; what a time limit leaves behind, what is taken back. No process is run."""

from __future__ import annotations

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.jobs import Death
from tq.worker.agent.task_durations import LONG_SECONDS
from tq.worker.agent.watchdog import DUMP_SECONDS, TICK_SECONDS

from ..workshop import KILL_GRACE_SECONDS, LONG, SHORT, Workshop, failure_of, jobs_of, outcome_of

MIB = 1024 * 1024
LIMIT = 100 * MIB


def weigh(shop: Workshop, **sizes: int) -> None:
    shop.agent.measured({int(name[1:]): size for name, size in sizes.items()}, shop.now)


@pytest.fixture
def shop() -> Workshop:
    return Workshop(slots=1, max_memory_per_child=LIMIT)


# so many tasks


def test_a_child_gets_as_many_tasks_as_it_may_run_and_is_replaced() -> None:
    shop = Workshop(slots=1, max_tasks_per_child=3)
    for _ in range(3):
        assert not shop.retired
        shop.grant(1)
        shop.run(1, seconds=LONG)
        shop.acknowledge()
    assert shop.retired == [1]
    shop.hire()
    shop.grant(1)
    assert len(shop.sims[2].unstarted) == 1
    shop.die(1, code=0)
    shop.run(2, seconds=LONG)
    assert [outcome_of(row) for row in shop.acknowledge()] == [OutcomeNumber.SUCCESS]


def test_a_batch_is_no_larger_than_what_the_child_may_still_run() -> None:
    shop = Workshop(slots=1, max_tasks_per_child=10)
    shop.warm_up(count=3)
    shop.grant(50)
    assert len(shop.sims[1].unstarted) == 7
    for _ in range(7):
        shop.run(1)
    assert shop.retired == [1]
    assert len(shop.agent.backlog.waiting) == 43


def test_what_was_taken_back_does_not_count() -> None:
    shop = Workshop(slots=1, max_tasks_per_child=5)
    shop.warm_up(count=1)
    shop.grant(4)
    shop.begin(1)
    shop.wait(0.2)  # it turns out to be long: the others come back
    assert len(shop.agent.backlog.waiting) + len(shop.released) == 3
    shop.sims[1].end(seconds=0.2)
    shop.report(1)
    assert not shop.retired


def test_without_a_limit_no_child_is_replaced() -> None:
    shop = Workshop(slots=1)
    shop.warm_up(count=50)
    weigh(shop, c1=10**12)
    assert shop.agent.children[
        1
    ].is_retiring  # asked, the agent judges; it is asked only when there is a limit
    assert not Workshop(slots=1).retired


@pytest.mark.parametrize("code", [0, -9])
def test_the_death_of_a_retired_child_costs_nothing(code: int) -> None:
    shop = Workshop(slots=2, max_tasks_per_child=1)
    shop.grant(2)
    shop.run(1, seconds=LONG)
    assert shop.retired == [1]
    shop.die(1, code=code)
    shop.run(2, seconds=LONG)
    rows = shop.acknowledge() + shop.acknowledge()
    assert [outcome_of(row) for row in rows] == [OutcomeNumber.SUCCESS] * 2
    assert not shop.held


def test_a_child_that_dies_in_its_last_task_is_charged_for_that_one_only() -> None:
    shop = Workshop(slots=1, max_tasks_per_child=2)
    shop.warm_up(count=1)
    shop.grant(3)
    shop.begin(1)
    shop.die(1)
    [row] = shop.acknowledge()
    assert outcome_of(row) == OutcomeNumber.CRASH
    assert len(shop.agent.backlog.waiting) == 2
    assert not shop.retired


def test_no_child_is_replaced_while_the_worker_drains() -> None:
    shop = Workshop(slots=1, max_tasks_per_child=1)
    shop.grant(1)
    shop.begin(1)
    shop.agent.drain(shop.now)
    shop.sims[1].end()
    shop.report(1)
    assert not shop.retired


# so much memory


def test_an_idle_child_beyond_its_limit_is_replaced(shop: Workshop) -> None:
    weigh(shop, c1=LIMIT)
    assert not shop.retired
    weigh(shop, c1=LIMIT + 1)
    assert shop.retired == [1]


def test_a_task_that_grows_its_process_beyond_the_limit_is_ended_with_the_reason(shop: Workshop) -> None:
    weigh(shop, c1=50 * MIB)
    shop.grant(1)
    shop.begin(1)
    shop.wait(0.3)
    weigh(shop, c1=120 * MIB)
    assert (shop.dumped, shop.signals, shop.notices) == ([1], [], [])
    shop.wait(2 * TICK_SECONDS)
    assert shop.signals[0] == (1, True)
    death = Death(-9, peak_bytes=130 * MIB, limit_bytes=LIMIT, is_ours=True, stacks="the stacks")
    shop.agent.child_died(1, death, shop.sims.pop(1).page.begun, shop.now)
    [row] = shop.acknowledge()
    failure = failure_of(row)
    assert (outcome_of(row), failure.type, failure.traceback) == (
        OutcomeNumber.ERROR,
        "MemoryLimit",
        "the stacks",
    )
    assert "130 MiB" in failure.message
    assert "the limit is 100 MiB (max_memory_per_child)" in failure.message


def test_a_task_is_not_blamed_for_what_others_left_but_the_child_goes_after_it(shop: Workshop) -> None:
    shop.grant(1)
    shop.run(1, seconds=LONG)
    shop.acknowledge()
    shop.now += 0.1
    shop.grant(1)
    shop.begin(1)
    shop.now += 0.05
    weigh(shop, c1=150 * MIB)
    shop.wait(0.3)
    weigh(shop, c1=150 * MIB)
    assert (shop.dumped, shop.signals, shop.retired) == ([], [], [])
    shop.sims[1].end(seconds=LONG)
    shop.report(1)
    assert shop.retired == [1]
    assert [outcome_of(row) for row in shop.acknowledge()] == [OutcomeNumber.SUCCESS]


def test_even_then_it_may_not_grow_without_end(shop: Workshop) -> None:
    shop.grant(1)
    shop.run(1, seconds=LONG)
    shop.now += 0.1
    shop.grant(1)
    shop.begin(1)
    shop.now += 0.05
    weigh(shop, c1=150 * MIB)
    shop.wait(0.3)
    weigh(shop, c1=260 * MIB)
    assert shop.dumped == [1]


def test_a_worn_child_gives_back_what_it_has_not_begun(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(5)
    shop.begin(1)
    weigh(shop, c1=LIMIT + 1)
    assert len(shop.agent.backlog.waiting) == 4
    assert not shop.sims[1].unstarted


# what a time limit leaves behind


def test_the_stacks_of_a_task_that_does_not_stop_are_written_before_it_is_killed() -> None:
    shop = Workshop(slots=1)
    shop.grant(1, timeout=1.0)
    shop.begin(1)
    shop.wait(1.1)
    assert [kind for _, _, kind in shop.notices] == ["timeout"]
    assert shop.dumped == []
    shop.wait(DUMP_SECONDS)
    assert (shop.dumped, shop.signals) == ([1], [])
    shop.wait(KILL_GRACE_SECONDS)
    assert (shop.dumped, shop.signals[0]) == ([1], (1, True))
    death = Death(-9, is_ours=True, stacks="in spin", last_lines="a line")
    shop.agent.child_died(1, death, shop.sims.pop(1).page.begun, shop.now)
    [row] = shop.acknowledge()
    failure = failure_of(row)
    assert (outcome_of(row), failure.traceback) == (OutcomeNumber.TIMEOUT, "in spin")
    assert failure.detail["last_lines"] == "a line"
    assert "out_of_memory" not in failure.detail


def test_a_task_that_stops_when_asked_leaves_no_stacks() -> None:
    shop = Workshop(slots=1)
    shop.grant(1, timeout=1.0)
    shop.begin(1)
    shop.wait(1.1)
    shop.sims[1].end(OutcomeNumber.TIMEOUT)
    shop.report(1)
    shop.grant(1)
    shop.begin(1)
    shop.wait(2 * DUMP_SECONDS)
    assert shop.dumped == []


# whose output it is


def test_output_is_the_jobs_that_it_names_or_else_the_first_ones_that_has_begun() -> None:
    shop = Workshop(slots=1)
    assert shop.agent.children.job_of(1, 0) is None
    shop.warm_up()
    ids = shop.grant(3)
    assert shop.agent.children.job_of(1, 0) is None  # it has begun none
    shop.begin(1)
    first, second = jobs_of(shop.agent.children[1].jobs)[:2]
    assert shop.agent.children.job_of(1, second.ordinal) == second
    assert shop.agent.children.job_of(1, 0) == shop.agent.children.job_of(1, 10**9) == first
    assert shop.agent.children.job_of(99, 0) is None
    assert shop.agent.children.ran(1, shop.begun(1), Death(-9)) == first
    assert first.id == ids[0]
    shop.sims[1].end(seconds=SHORT)


# what it takes back


def test_short_tasks_are_not_sent_again_and_again_behind_a_long_one() -> None:
    """What is taken back stays in the pipe to its child, which reads nothing while its task runs."""
    shop = Workshop()
    shop.warm_up()
    shop.grant(1, name="m:long")
    shop.begin(1)
    shop.wait(2 * LONG_SECONDS)
    last = shop.sims[1].last_sent
    for _ in range(20):
        while shop.leases:
            shop.grant(shop.leases[0])
        while shop.sims[2].unstarted:
            shop.run(2)
        while shop.finishing:
            shop.acknowledge()
        shop.wait(LONG_SECONDS)
    assert shop.sims[1].last_sent == last
    # It takes tasks of any name again when it has ended.
    shop.sims[1].end(seconds=LONG)
    shop.report(1)
    while shop.finishing:
        shop.acknowledge()
    while shop.leases:
        shop.grant(shop.leases[0])
    assert shop.sims[1].unstarted
