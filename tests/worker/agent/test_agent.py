"""What a worker decides: read-ahead, the way of a lease, a broken line, and how it ends. No sockets."""

from __future__ import annotations

import re

import pytest
from tq.common.contract.workers import ReportRow
from tq.common.domain.ids import show_id
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.leasing import LEASE_CALLS_MAX
from tq.worker.agent.outbox import BODY_BYTES_MAX, FINISH_BYTES_MAX, FINISH_ROWS_MAX
from tq.worker.agent.reports import JobReport
from tq.worker.agent.task_durations import LONG_SECONDS

from ..workshop import LEASE, LONG, SHORT, Workshop, failure_of, jobs_of, outcome_of

HASH = b"h" * 32


@pytest.fixture
def shop() -> Workshop:
    return Workshop()


# what is asked for


def test_a_worker_asks_for_as_many_tasks_as_it_has_slots() -> None:
    assert list(Workshop(slots=3).leases) == [3]


def test_nothing_is_asked_for_before_a_child_is_ready() -> None:
    shop = Workshop(slots=0)
    assert not shop.leases
    shop.hire()
    assert list(shop.leases) == [1]


def test_nothing_is_asked_for_without_a_connection() -> None:
    shop = Workshop(connected=False)
    assert not shop.leases
    shop.agent.connect([], shop.now)
    assert list(shop.leases) == [2]


def test_short_tasks_are_asked_for_ahead_in_two_calls(shop: Workshop) -> None:
    shop.warm_up()
    shop.wait(1.0)
    assert len(shop.leases) == LEASE_CALLS_MAX
    assert 100 <= sum(shop.leases) <= shop.agent.durations.prefetch(2)


def test_long_tasks_are_asked_for_when_a_slot_is_free(shop: Workshop) -> None:
    shop.warm_up(seconds=LONG, count=1)
    shop.grant(1)
    shop.grant(1)
    assert not shop.leases
    shop.run(1, seconds=LONG)
    assert list(shop.leases) == [1]


def test_a_dead_child_is_asked_for_nothing_until_it_is_replaced(shop: Workshop) -> None:
    shop.grant(2)
    for child in (1, 2):
        shop.begin(child)
        shop.die(child)
    assert not shop.leases
    shop.hire()
    assert sum(shop.leases) == 1


# the way of a lease


def test_each_child_gets_one_task_of_an_unknown_kind(shop: Workshop) -> None:
    shop.grant(2)
    assert [len(sim.unstarted) for sim in shop.sims.values()] == [1, 1]


def test_short_tasks_go_to_children_in_batches(shop: Workshop) -> None:
    shop.warm_up()
    size = shop.agent.durations.batch_size("m:f")
    shop.grant(3 * size)
    assert sorted(len(sim.unstarted) for sim in shop.sims.values()) == [size, 2 * size]
    assert not shop.agent.backlog.waiting


def test_an_end_is_reported_with_attempt_lease_and_body(shop: Workshop) -> None:
    [id] = shop.grant([[b"i" * 16, 7, b"payload"]], lease=b"of the seventh")
    shop.run(1, seconds=0.25, body=b"42")
    [[row]] = shop.finishing
    assert row == ReportRow(id, 7, b"of the seventh", OutcomeNumber.SUCCESS, b"42", 1.7e9, 0.25, None)


def test_ends_are_reported_in_one_call_at_a_time(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(20)
    for child in (1, 2, 1):
        shop.run(child)
    assert len(shop.finishing) == 1
    first = shop.acknowledge()
    second = shop.acknowledge()
    assert (len(first), len(second)) == (1, 2)
    assert {row[0] for row in first + second} < set(ids)


def test_a_finish_call_has_a_bound_of_rows() -> None:
    shop = Workshop(slots=1, connected=False)
    shop.agent.connect([], shop.now)
    shop.warm_up(seconds=1e-6, count=1)
    shop.agent.disconnect()
    shop.agent.granted(LEASE, [["q", "m:f", None, shop.tasks(FINISH_ROWS_MAX + 1)]], shop.now)
    for _ in range(FINISH_ROWS_MAX + 1):
        shop.run(1, seconds=1e-6)
    shop.cut()
    shop.agent.connect([], shop.now)
    assert len(shop.acknowledge()) == FINISH_ROWS_MAX
    assert len(shop.acknowledge()) == 1


def test_a_finish_call_has_a_bound_of_bytes_and_carries_at_least_one_row(shop: Workshop) -> None:
    shop.grant(2)
    shop.agent.disconnect()
    for child in (1, 2):
        shop.run(child, body=bytes(FINISH_BYTES_MAX + 1))
    shop.cut()
    shop.agent.connect([], shop.now)
    assert [len(shop.acknowledge()), len(shop.acknowledge())] == [1, 1]


def test_a_finish_call_never_grows_over_a_frame_by_its_last_row(shop: Workshop) -> None:
    shop.grant(2)
    shop.agent.disconnect()
    shop.run(1, body=bytes(FINISH_BYTES_MAX))
    shop.run(2, body=bytes(BODY_BYTES_MAX))
    shop.cut()
    shop.agent.connect([], shop.now)
    assert [len(shop.acknowledge()), len(shop.acknowledge())] == [1, 1]


@pytest.mark.parametrize(("size", "outcome"), [(1_000, OutcomeNumber.SUCCESS), (1_001, OutcomeNumber.ERROR)])
def test_a_result_over_the_frame_limit_is_a_failure_that_names_the_ways_out(
    shop: Workshop, size: int, outcome: OutcomeNumber
) -> None:
    shop.agent.side.outbox.body_bytes_max = 1_000
    shop.grant()
    shop.run(1, body=bytes(size))
    [row] = shop.acknowledge()
    assert outcome_of(row) == outcome
    if outcome == OutcomeNumber.ERROR:
        assert failure_of(row).message == (
            "the result has 1,001 bytes, the limit is 1,000; large data travels with a task as a tq.Blob, "
            "and anywhere as a path on shared storage"
        )
        assert not shop.held


def test_the_content_a_result_names_is_sent_with_its_row_until_it_is_answered(shop: Workshop) -> None:
    shop.grant(2)
    shop.agent.disconnect()
    shop.run(1)
    begun = shop.begin(2)
    [job] = jobs_of(shop.agent.children[2].jobs)
    assert job.id == begun
    shop.agent.child_reported(2, [JobReport(job.ordinal, 0, b"r", 0.0, 0.1, None, [HASH])], shop.now)
    for _ in range(2):  # the second time on a new connection
        shop.cut()
        shop.agent.connect([], shop.now)
        assert shop.call.arguments[1] == [[0, [HASH]]]


def test_a_result_that_came_too_late_is_reported_and_forgotten(shop: Workshop) -> None:
    [id] = shop.grant()
    shop.run(1)
    shop.acknowledge(stale=[0])
    assert ("task.stale", {"level": "warning", "task": show_id(id)}) in shop.reports
    assert not shop.held


def test_what_is_acknowledged_is_held_no_longer(shop: Workshop) -> None:
    [id] = shop.grant()
    assert shop.held == [[id, 1, LEASE]]
    shop.run(1)
    assert shop.held == [[id, 1, LEASE]]
    shop.acknowledge()
    assert shop.held == []
    assert shop.agent.idle


def test_only_what_children_have_begun_counts_as_started(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(20)
    assert shop.agent.starts.running() == []
    begun = shop.begin(2)
    assert [job.id for job in shop.agent.starts.running()] == [begun]


# tasks stuck behind a long one


def test_a_task_behind_a_long_one_moves_to_a_free_child_within_a_tenth_of_a_second(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(20)
    shop.begin(1)
    while shop.sims[2].unstarted:
        shop.run(2)
    stuck = [shop.sims[1].jobs[ordinal].id for ordinal in shop.sims[1].unstarted]
    assert stuck
    shop.wait(0.1)
    assert not shop.sims[1].unstarted
    assert shop.run(2) == stuck[0]
    assert shop.run(2) == stuck[1]


def test_a_result_is_not_kept_back_by_the_long_job_after_it() -> None:
    """A child tells of several ends at once; before a long job it may have had no occasion to."""
    shop = Workshop(slots=1)
    shop.warm_up()
    shop.grant(2)
    over = shop.begin(1)
    shop.sims[1].end()
    shop.begin(1)
    ordinal = shop.sims[1].running.ordinal  # type: ignore[union-attr]
    shop.wait(0.5)
    assert shop.notices == [(1, ordinal, "flush")]  # once: it is a signal in the middle of a user's code
    shop.report(1)
    assert [row[0] for row in shop.acknowledge()] == [over]
    shop.wait(0.5)
    assert len(shop.notices) == 1


def test_what_no_child_can_take_soon_is_handed_back(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(20)
    hanging = [shop.begin(child) for child in (1, 2)]
    shop.wait(4 * LONG_SECONDS)
    assert {row[0] for row in shop.released} == set(ids) - set(hanging)
    assert {row[0] for row in shop.held} == set(hanging)


def test_nothing_is_handed_back_while_there_is_no_master_to_take_it(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(20)
    for child in (1, 2):
        shop.begin(child)
    shop.cut()
    shop.wait(10 * LONG_SECONDS)
    assert not shop.released
    assert {row[0] for row in shop.held} == set(ids)


# suspects


def test_a_suspect_starts_only_after_the_master_knows(shop: Workshop) -> None:
    [id] = shop.grant(shop.tasks(1, suspect=True))
    assert not shop.sims[1].unstarted
    assert list(shop.starts) == [[id]]
    assert shop.held == [[id, 1, LEASE]]
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert shop.run(1) == id


def test_no_more_suspects_are_announced_than_children_can_start() -> None:
    """The announced suspect is charged when the worker dies; those that only wait must not be."""
    shop = Workshop(slots=1)
    first, second, third = shop.grant(shop.tasks(3, suspect=True))
    for id in (first, second, third):
        assert list(shop.starts) == [[id]]
        shop.agent.may_start(shop.starts.popleft(), shop.now)
        assert shop.begin(1) == id
        assert not shop.starts
        shop.sims[1].end()
        shop.report(1)


def test_a_suspect_waits_behind_nothing(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(20)
    [id] = shop.grant(shop.tasks(1, suspect=True))
    assert not shop.starts
    while shop.sims[2].unstarted:
        shop.run(2)
    assert list(shop.starts) == [[id]]


def test_the_child_of_an_announced_suspect_is_kept_free_for_it() -> None:
    shop = Workshop(slots=1)
    [suspect] = shop.grant(shop.tasks(1, suspect=True))
    shop.agent.granted(LEASE, [["q", "m:f", None, shop.tasks(1)]], shop.now)
    assert not shop.sims[1].unstarted
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert shop.begin(1) == suspect


def test_a_suspect_whose_child_died_meanwhile_is_announced_again() -> None:
    shop = Workshop(slots=1)
    [suspect] = shop.grant(shop.tasks(1, suspect=True))
    asked = shop.starts.popleft()
    shop.die(1)
    shop.agent.may_start(asked, shop.now)
    new = shop.hire()
    assert list(shop.starts) == [[suspect]]
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert shop.begin(new) == suspect


def test_a_suspect_is_announced_again_on_the_next_connection(shop: Workshop) -> None:
    [id] = shop.grant(shop.tasks(1, suspect=True))
    shop.cut()
    shop.wait(1.0)
    assert not shop.starts
    shop.agent.connect([], shop.now)
    assert list(shop.starts) == [[id]]


# a broken line


def test_what_runs_goes_on_without_a_connection_and_its_result_waits(shop: Workshop) -> None:
    ids = shop.grant(2)
    shop.cut()
    assert {shop.run(child) for child in (1, 2)} == set(ids)
    shop.wait(5.0)
    assert not shop.finishing
    assert {row[0] for row in shop.held} == set(ids)
    shop.agent.connect([], shop.now)
    assert {row[0] for row in shop.acknowledge()} == set(ids)
    assert shop.agent.idle


def test_a_result_whose_acknowledgement_was_lost_is_reported_again(shop: Workshop) -> None:
    [id] = shop.grant()
    shop.run(1)
    shop.cut()
    shop.agent.connect([], shop.now)
    assert [row[0] for row in shop.acknowledge()] == [id]


def test_a_result_the_master_has_already_is_not_reported_again(shop: Workshop) -> None:
    [id] = shop.grant()
    shop.run(1)
    shop.cut()
    shop.agent.connect([id], shop.now)
    assert not shop.finishing
    assert shop.agent.idle
    assert ("task.dropped", {"level": "warning", "task": show_id(id)}) in shop.reports


def test_after_a_reconnect_work_is_asked_for_afresh(shop: Workshop) -> None:
    shop.cut()
    shop.agent.connect([], shop.now)
    assert list(shop.leases) == [2]


def test_a_lost_lease_that_waits_is_forgotten_and_never_started(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(20)
    for child in (1, 2):
        shop.begin(child)
    shop.cut()
    waiting = [id for id in ids if id not in shop.running()]
    shop.agent.connect(waiting, shop.now)
    assert {row[0] for row in shop.held} == set(shop.running())
    assert not any(sim.unstarted for sim in shop.sims.values())


def test_a_lost_lease_that_runs_is_ended(shop: Workshop) -> None:
    [id] = shop.grant()
    shop.begin(1)
    ordinal = shop.sims[1].running.ordinal  # type: ignore[union-attr]
    shop.cut()
    shop.agent.connect([id], shop.now)
    assert shop.notices == [(1, ordinal, "cancel")]
    actions = [action for action, _ in shop.reports]
    assert "task.given_up" in actions, "it says what happened"
    assert "task.cancelled" not in actions


def test_a_lost_lease_of_an_announced_suspect_is_forgotten(shop: Workshop) -> None:
    [id] = shop.grant(shop.tasks(1, suspect=True))
    shop.cut()
    shop.agent.connect([id], shop.now)
    assert not shop.starts
    assert shop.held == []


@pytest.mark.parametrize("lost", [1, 2])
def test_of_two_attempts_of_one_task_the_older_is_lost_first(shop: Workshop, lost: int) -> None:
    """It was leased here again while the first attempt, lost before, had not ended yet."""
    [id] = shop.grant()
    shop.begin(1)
    shop.cut()
    shop.agent.connect([id], shop.now)
    shop.grant([[id, 2, b"payload"]])
    shop.begin(2)
    shop.cut()
    shop.agent.connect([id] * lost, shop.now)
    notified = {child for child, _, kind in shop.notices if kind == "cancel"}
    assert notified == ({1} if lost == 1 else {1, 2})


def test_a_lost_lease_that_is_over_ends_no_neighbour(shop: Workshop) -> None:
    """A child tells of several ends at once: what it runs now may not be the job that is meant."""
    shop.warm_up()
    ids = shop.grant(2)
    shop.agent.granted(LEASE, [["q", "m:f", None, shop.tasks(2)]], shop.now)
    over = shop.begin(1)
    shop.sims[1].end()
    innocent = shop.begin(1)
    assert over in ids
    shop.cut()
    shop.agent.connect([over], shop.now)
    assert shop.notices == []
    shop.sims[1].end()
    shop.report(1)
    assert innocent in [row[0] for row in shop.acknowledge()]


# the end


def test_a_draining_worker_finishes_what_runs_and_hands_back_the_rest(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(20)
    running = [shop.begin(child) for child in (1, 2)]
    shop.agent.drain(shop.now)
    assert sorted(row[0] for row in shop.released) == sorted(set(ids) - set(running))
    assert not any(sim.unstarted for sim in shop.sims.values())
    assert not shop.agent.idle
    for child in (1, 2):
        shop.sims[child].end()
        shop.report(child)
    assert not shop.agent.idle
    while shop.finishing:
        shop.acknowledge()
    assert shop.agent.idle


def test_what_is_leased_to_a_draining_worker_is_handed_back_at_once(shop: Workshop) -> None:
    shop.agent.drain(shop.now)
    ids = shop.grant(2)
    assert [row[0] for row in shop.released] == ids
    assert shop.agent.idle


def test_a_draining_worker_asks_for_nothing(shop: Workshop) -> None:
    shop.grant(2)
    for child in (1, 2):
        shop.begin(child)
    shop.agent.drain(shop.now)
    shop.leases.clear()
    for child in (1, 2):
        shop.sims[child].end()
        shop.report(child)
    shop.wait(1.0)
    assert not shop.leases


def test_a_draining_worker_starts_no_suspect_it_announced(shop: Workshop) -> None:
    [id] = shop.grant(shop.tasks(1, suspect=True))
    shop.agent.drain(shop.now)
    shop.agent.may_start([id], shop.now)
    assert [row[0] for row in shop.released] == [id]
    assert not shop.sims[1].unstarted


def test_unstarted_jobs_of_a_child_that_dies_while_draining_are_handed_back(shop: Workshop) -> None:
    """Between the drain and the death nothing is sent, but what the child had not begun may come back late."""
    shop.warm_up()
    ids = shop.grant(4)
    running = shop.begin(1)
    shop.agent.drain(shop.now)
    shop.die(1)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (running, OutcomeNumber.CRASH)
    assert {row[0] for row in shop.released} == set(ids) - {running}


def test_drained_without_a_connection_nothing_is_held_that_was_not_started(shop: Workshop) -> None:
    """The next announcement leaves it out, and so the master gives it to others."""
    shop.warm_up()
    shop.grant(20)
    running = shop.begin(1)
    shop.cut()
    shop.agent.drain(shop.now)
    assert not shop.released
    assert [row[0] for row in shop.held] == [running]


def test_after_a_drain_giving_up_reports_what_has_ended_and_hands_back_what_has_begun(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(20)
    shop.grant(shop.tasks(1, suspect=True))
    under_way, waiting, running = shop.run(1), shop.run(1), shop.begin(1)
    shop.agent.drain(shop.now)
    calls, held = shop.agent.give_up(shop.now)
    assert [row[0] for row in shop.finishing[0]] == [under_way], "it is reported already"
    assert [row[0] for call in calls for row in call.rows()] == [waiting]
    assert [(row[0], len(row)) for row in held] == [(running, 4)], "with the seconds it has run"


# dead children


def test_a_dead_child_costs_its_running_job_one_crash_and_the_others_nothing(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(10)
    running = shop.begin(1)
    shop.die(1, code=-11)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (running, OutcomeNumber.CRASH)
    assert "SIGSEGV" in failure_of(row).message
    assert {row[0] for row in shop.held} == set(ids) - {running}
    done = set()
    while shop.sims[2].unstarted:
        done.add(shop.run(2))
    assert done == set(ids) - {running}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exited with status 0"),
        (41, "exited with status 41"),
        (-6, "killed by SIGABRT"),
        (-9, r"SIGKILL \(likely out of memory"),
        (-99, "killed by signal 99"),
    ],
)
def test_a_death_says_how(shop: Workshop, code: int, words: str) -> None:
    shop.grant()
    shop.begin(1)
    shop.die(1, code=code)
    [row] = shop.acknowledge()
    assert re.search(words, failure_of(row).message)
    assert failure_of(row).detail["code"] == code


def test_a_job_that_was_over_when_its_child_died_says_so(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(10)
    over = shop.begin(1)
    shop.sims[1].end()
    running = shop.begin(1)
    shop.die(1)
    rows = {row[0]: row for row in shop.acknowledge()}
    assert set(rows) == {over, running}
    assert "it was over" in failure_of(rows[over]).message
    assert "the process running it" in failure_of(rows[running]).message


def test_the_death_of_an_idle_child_costs_nothing(shop: Workshop) -> None:
    shop.die(1)
    assert not shop.finishing
    assert not shop.released


def test_a_busy_worker_goes_on_with_the_children_it_has(shop: Workshop) -> None:
    shop.die(1)
    [id] = shop.grant(1)
    assert shop.run(2, seconds=SHORT) == id


# children that are not believed


@pytest.mark.parametrize("ordinal", [0, 7_777])
def test_a_report_of_a_job_that_is_not_held_is_ignored_and_its_child_replaced(
    shop: Workshop, ordinal: int
) -> None:
    shop.warm_up()
    ids = shop.grant(10)
    running = shop.begin(1)
    lie = JobReport(ordinal, int(OutcomeNumber.SUCCESS), b"a lie", 1.7e9, SHORT, None)
    shop.agent.child_reported(1, [lie, lie], shop.now)
    assert shop.signals == [(1, True)]
    assert not shop.finishing
    shop.sims[1].end()
    shop.report(1)
    assert not shop.finishing, "nothing of it is believed any more"
    shop.die(1)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (running, OutcomeNumber.CRASH)
    assert "reports that cannot be its own" in failure_of(row).message
    assert {job.id for job in shop.jobs} == set(ids) - {running}


def test_a_report_out_of_order_is_not_believed(shop: Workshop) -> None:
    shop.warm_up()
    shop.grant(10)
    first, second, *_ = jobs_of(shop.agent.children[1].jobs)
    late = JobReport(second.ordinal, int(OutcomeNumber.SUCCESS), b"late", 1.7e9, SHORT, None)
    shop.agent.child_reported(1, [late], shop.now)
    assert shop.signals == [(1, True)]
    assert first in jobs_of(shop.agent.children[1].jobs)
