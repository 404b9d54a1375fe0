"""Steps of a task: called once per task, replayed by later attempts, recorded by none that has lost its lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain import steps as limits
from tq.common.domain.directives import Suspended
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import (
    InvalidArgument,
    LeaseLost,
    QuotaExceeded,
    StepChanged,
    StoreError,
    StoreFull,
    Unreachable,
)
from tq.common.values.failure import Failure
from tq.master.steps import steps as master_steps
from tq.worker.child.steps import AttemptSteps

from .conftest import TaskLife

FAILS = ArithmeticError("the task fails")


class Calls:
    """A function for steps, which notes each call."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, value: Any = None) -> Any:
        self.names.append(name)
        return value

    def step(self, steps: AttemptSteps, name: str, value: Any = None) -> Any:
        return steps.call(name, self, (name, value), {})


@pytest.fixture
def calls() -> Calls:
    return Calls()


def failing() -> None:
    raise StoreError("the store says: disk I/O error")


def fails_after(calls: Calls, *names: str) -> Callable[[AttemptSteps], Any]:
    def body(steps: AttemptSteps) -> Any:
        values = [calls.step(steps, name, (name, 1)) for name in names]
        if values:
            raise FAILS
        return values

    return body


def test_a_step_is_called_once_and_a_retry_goes_on_behind_the_last_one(life: TaskLife, calls: Calls) -> None:
    assert life.run(fails_after(calls, "charge", "ship")) is FAILS
    life.bench.advance(1)

    def again(steps: AttemptSteps) -> list[Any]:
        return [calls.step(steps, name, "another value") for name in ("charge", "ship", "mail")]

    assert life.run(again) == [("charge", 1), ("ship", 1), "another value"]
    assert calls.names == ["charge", "ship", "mail"]
    assert life.state == StateNumber.SUCCEEDED
    assert [row[:4] for row in life.show()["steps"]] == [
        [1, 0, "charge", 1],
        [2, 0, "ship", 1],
        [3, 0, "mail", 2],
    ]


def test_a_first_attempt_asks_for_nothing_and_a_later_one_once(life: TaskLife, calls: Calls) -> None:
    asked: list[str] = []
    life.link.before = asked.append
    life.run(fails_after(calls, "a", "b"))
    life.bench.advance(1)
    life.run(fails_after(calls, "a", "b", "c"))
    assert asked == [
        "record",
        "record",
        "recorded",
        "recorded",
        "record",
    ]  # the second is empty: there are no more
    life.bench.advance(1)
    life.run(lambda steps: None)
    assert len(asked) == 5, "a task without steps asks for nothing"


def test_what_a_step_raises_is_not_recorded_and_later_steps_keep_their_places(
    life: TaskLife, calls: Calls
) -> None:
    def body(steps: AttemptSteps) -> str:
        try:
            steps.call("reserve", lambda: 1 / 0, (), {})
        except ZeroDivisionError:
            calls.step(steps, "refund")
        raise FAILS

    life.run(body)
    life.bench.advance(1)
    life.run(body)
    assert (calls.names, life.names) == (["refund"], ["refund"])
    assert life.show()["steps"][0][0] == 2


def test_a_step_whose_name_or_order_changed_is_an_error_that_names_both_and_ends_all_steps(
    life: TaskLife, calls: Calls
) -> None:
    life.run(fails_after(calls, "charge", "ship"))
    life.bench.advance(1)

    def changed(steps: AttemptSteps) -> None:
        with pytest.raises(StepChanged, match="step 1 is 'ship' in the code and was 'charge'"):
            calls.step(steps, "ship")
        calls.step(steps, "compensate")

    assert isinstance(life.run(changed), StepChanged)
    assert calls.names == ["charge", "ship"]


def test_an_attempt_that_lost_its_lease_records_nothing_and_learns_that(life: TaskLife, calls: Calls) -> None:
    stale = life.lease()
    life.lose()
    fresh = life.lease()
    with pytest.raises(LeaseLost):
        calls.step(stale, "charge", "stale")
    with pytest.raises(LeaseLost):
        calls.step(stale, "refund", "stale")
    assert not issubclass(LeaseLost, Exception), "`except Exception: compensate()` must not see it"
    assert calls.step(fresh, "charge", "fresh") == "fresh"
    assert (calls.names, life.names) == (["charge", "charge"], ["charge"])


def test_a_record_whose_answer_is_lost_is_repeated_and_stands_once(life: TaskLife, calls: Calls) -> None:
    lost = ["answer", "request"]

    def after(method: str) -> None:
        if lost and lost.pop() == "answer":
            raise Unreachable("the connection broke")

    def before(method: str) -> None:
        if len(lost) == 2:
            lost.pop()
            raise Unreachable("the connection broke")

    life.link.before, life.link.after = before, after
    assert life.run(lambda steps: calls.step(steps, "charge", 5)) == 5
    assert (calls.names, life.names) == (["charge"], ["charge"])


def test_a_step_waits_while_the_masters_disk_is_full_for_its_function_was_called(
    life: TaskLife, calls: Calls
) -> None:
    full = [StoreFull("full"), StoreFull("full")]

    def before(method: str) -> None:
        if full:
            raise full.pop()

    life.link.before = before
    assert life.run(lambda steps: calls.step(steps, "charge", 5)) == 5
    assert calls.names == ["charge"]
    steps = life.bench.engine.core.room
    steps.disk_is_full = True
    with pytest.raises(StoreFull):
        life.client.call("get_steps", "record", life.id, 1, b"", 1, "x", b"", 0.0)


def test_an_attempt_that_recorded_a_step_has_begun_so_that_its_worker_cannot_give_it_back_unstarted(
    life: TaskLife, calls: Calls
) -> None:
    steps = life.lease()
    calls.step(steps, "charge")
    life.worker.call("get_dispatcher", "release", [list(steps.token)])
    assert [attempt["outcome"] for attempt in life.show()["attempts"]] == [8]
    assert life.run(fails_after(calls, "charge")) is FAILS
    assert calls.names == ["charge"]


def test_steps_are_limited_in_number_and_bytes_for_each_task(
    life: TaskLife, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = life.lease()
    with pytest.raises(InvalidArgument, match="returned 1,048,581 bytes; at most 1,048,576"):
        calls.step(steps, "large", "x" * limits.STEP_BYTES_MAX)
    monkeypatch.setattr(master_steps, "STEPS_BYTES_MAX", 100)
    calls.step(steps, "small", "x" * 90)
    with pytest.raises(QuotaExceeded, match="at most 100 bytes together"):
        calls.step(steps, "too much", "x" * 20)
    monkeypatch.setattr(master_steps, "STEPS_MAX", 1)
    with pytest.raises(QuotaExceeded, match="at most 1 steps"):
        calls.step(steps, "too many")


def test_what_a_key_has_recorded_and_sent_is_bounded_until_the_task_has_succeeded(
    life: TaskLife, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def records(steps: AttemptSteps) -> Any:
        calls.step(steps, "a", "x" * 100)
        monkeypatch.setattr(master_steps, "KEY_BYTES_MAX", 150)
        with pytest.raises(QuotaExceeded, match=r"signals of this key take 1[0-9]{2} bytes; at most 150"):
            calls.step(steps, "b", "x" * 100)
        monkeypatch.setattr(master_steps, "KEY_BYTES_MAX", 1_000)
        monkeypatch.setattr(master_steps, "ALL_BYTES_MAX", 150)
        with pytest.raises(QuotaExceeded, match=r"of all keys take 1[0-9]{2} bytes; at most 150"):
            life.client.call("get_steps", "signal", life.id, "go", b"x" * 100, bytes(16))
        return calls.step(steps, "b", "less")

    assert life.run(records) == "less"
    life.client.call("get_task_queue/q", "submit", "m:f", {}, [[bytes([1] * 16), b"payload"]])
    life.client.call(
        "get_steps", "signal", bytes([1] * 16), "go", b"x" * 150, bytes(16)
    )  # there is room again


def test_large_steps_travel_in_portions(
    life: TaskLife, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_steps, "PORTION_BYTES", 250)
    life.run(fails_after(calls, *"abcdef"))
    life.bench.advance(1)
    values = life.run(lambda steps: [calls.step(steps, name, "x" * 100) for name in "abcdef"])
    assert values == [(name, 1) for name in "abcdef"]


def test_they_stay_for_a_retry_by_hand_and_go_with_their_task(
    make_life: Callable[..., TaskLife], calls: Calls
) -> None:
    life = make_life()
    life.run(fails_after(calls, "charge"))
    assert life.state == StateNumber.FAILED
    life.client.call("get_tasks", "retry", [life.id])
    assert life.run(lambda steps: calls.step(steps, "charge")) == ("charge", 1)
    assert calls.names == ["charge"]
    store = life.store.steps
    store_rows = life.store._all("any_step")
    assert store_rows == [(1,)]
    life.bench.client(role="admin").call("get_tasks", "purge", {"states": [int(StateNumber.SUCCEEDED)]})  # type: ignore[arg-type]
    assert store.shown(1) == []
    assert life.store._all("any_step") == [(0,)]


def test_what_steps_returned_is_dropped_when_the_task_has_succeeded(life: TaskLife, calls: Calls) -> None:
    life.run(lambda steps: calls.step(steps, "charge", "receipt"))
    [row] = life.store.steps.after(1, 0, 1_000)
    assert (row.body, row.size) == (None, 8)


@pytest.mark.parametrize("fails", [False, True])
def test_of_many_that_succeed_together_some_are_dropped_in_each_transaction(
    life: TaskLife, calls: Calls, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(master_steps, "DROPPED_AT_ONCE", 1)
    more = [[bytes([number]) * 16, b"payload"] for number in (1, 2)]
    life.client.call("get_task_queue/q", "submit", "m:f", {}, more)
    lease, groups = life.worker.call("get_dispatcher", "lease", 9)
    running = [
        AttemptSteps(life.link, (id, attempt, lease)) for group in groups for id, attempt, _ in group[3]
    ]
    for steps in running:
        calls.step(steps, "charge", "receipt")
    rows = [[*steps.token, int(OutcomeNumber.SUCCESS), b"", 0.0, 0.5, None] for steps in running]
    life.worker.ask("get_dispatcher", "finish", rows)

    def kept() -> list[int]:
        return [seq for seq in (1, 2, 3) if life.store.steps.after(seq, 0, 1_000)[0].body]

    if fails:
        assert life.bench.step(commit=failing).failed
        life.bench.step()
        assert kept() == [1, 2, 3], "they run still"
    else:
        for left in ([2, 3], [3], []):
            life.bench.step()
            assert kept() == left
        assert not life.bench.engine.has_work


# ctx.sleep


def test_a_sleep_ends_the_attempt_uncharged_and_is_passed_when_its_time_has_come(
    life: TaskLife, calls: Calls
) -> None:
    ran: list[str] = []

    def body(steps: AttemptSteps) -> str:
        try:
            calls.step(steps, "before")
            steps.suspend(3_600)
        finally:
            ran.append("finally")
        calls.step(steps, "behind")
        return "done"

    assert isinstance(life.run(body), Suspended)
    shown = life.show()
    assert (shown["state"], shown["failures"], ran) == (StateNumber.SCHEDULED, 0, ["finally"])
    assert "it waits 60 min more" in shown["why"]
    life.bench.advance(3_590)
    assert life.state == StateNumber.SCHEDULED
    life.bench.advance(11)
    assert life.run(body) == "done"
    assert calls.names == ["before", "behind"]


def test_an_attempt_that_is_killed_while_it_begins_to_sleep_waits_only_for_the_rest(life: TaskLife) -> None:
    with pytest.raises(Suspended):
        life.lease().suspend(100)
    life.lose()  # for 60 s: before its attempt was reported
    with pytest.raises(Suspended) as caught:
        life.lease().suspend(100)
    assert 35 < caught.value.seconds < 45
    life.lose()
    assert life.lease().suspend(100) is None


def test_a_sleep_is_not_shorter_because_the_master_answered_late(life: TaskLife) -> None:
    with pytest.raises(Suspended):
        life.lease().suspend(100)
    life.lose()  # for 60 s
    steps, clock = life.lease(), [0.0]
    steps._clock = lambda: clock[0]  # type: ignore[method-assign]

    def master_was_away(method: str) -> None:
        clock[0] += 300 if method == "recorded" else 0

    life.link.before = master_was_away
    with pytest.raises(Suspended) as caught:
        steps.suspend(100)
    assert 35 < caught.value.seconds < 45


def test_behind_a_sleep_that_was_caught_no_step_runs(life: TaskLife, calls: Calls) -> None:
    steps = life.lease()
    with pytest.raises(Suspended):
        steps.suspend(100)
    with pytest.raises(Suspended):
        calls.step(steps, "in the finally of the task")
    assert calls.names == []


def test_a_sleep_of_no_time_is_only_a_step(life: TaskLife) -> None:
    assert life.run(lambda steps: steps.suspend(0)) is None
    assert life.names == ["sleep"]


def test_a_task_that_may_not_be_started_twice_cannot_sleep(make_life: Callable[..., TaskLife]) -> None:
    life = make_life(delivery="at_most_once")
    with pytest.raises(InvalidArgument, match="this task is at_most_once"):
        life.lease().suspend(1)


@pytest.mark.parametrize("size", [1, 3])
def test_a_task_that_sleeps_has_begun_and_does_not_expire(
    make_life: Callable[..., TaskLife], size: int
) -> None:
    life = make_life(size, expires=10.0)
    life.run(lambda steps: steps.suspend(100))
    life.bench.advance(101)
    assert life.run(lambda steps: steps.suspend(100)) is None
    assert life.state == StateNumber.SUCCEEDED


def test_what_suspends_a_task_is_shown_as_no_error(life: TaskLife) -> None:
    life.run(lambda steps: steps.suspend(3_600))
    failure = Failure.decode(life.show()["attempts"][0]["body"])
    assert (failure.type, failure.message, failure.traceback) == ("Suspended", "it sleeps for 60 min", "")


def test_a_sleeping_task_that_is_cancelled_ends(life: TaskLife) -> None:
    life.run(lambda steps: steps.suspend(100))
    life.client.call("get_tasks", "cancel", [life.id])
    assert life.state == StateNumber.CANCELLED


def test_a_key_of_other_queues_reaches_no_step(life: TaskLife) -> None:
    steps = life.lease()
    other = life.bench.client(queues=("other",))
    assert other.call("get_steps", "record", *steps.token, 1, "x", b"\xc0", 0.0) is None
    assert other.call("get_steps", "recorded", *steps.token) is None
    assert other.call("get_steps", "sleep", *steps.token, 1, 5.0) is None
    assert life.names == []
