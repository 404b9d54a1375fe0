"""Signals: what comes first counts, each is taken once, and a task that waits without a slot is woken in the signal's transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.directives import Suspended
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.steps import Signal
from tq.common.errors import InvalidArgument, QuotaExceeded, StepChanged, UnknownTask
from tq.common.values.codec import encode
from tq.master.steps.signals import first, takes
from tq.master.store.interface.steps import SignalRow, StepRow
from tq.worker.child.steps import AttemptSteps

from ..conftest import Peer
from .conftest import TaskLife

TOKEN = b"k" * 16


def send(
    life: TaskLife, value: Any, *, name: str = "approved", peer: Peer | None = None, token: bytes = b""
) -> None:
    token = token or new_ids()
    (peer or life.client).call("get_steps", "signal", life.id, name, encode(value), token)


def waits(steps: AttemptSteps, timeout: float | None = 100, role: str | None = None) -> Any:
    return steps.wait("approved", timeout, role)


def test_a_task_that_waits_is_woken_by_its_signal_and_learns_who_sent_it(life: TaskLife) -> None:
    assert isinstance(life.run(waits), Suspended)
    shown = life.show()
    assert shown["state"] == StateNumber.SCHEDULED
    assert "it waits for the signal 'approved', for 100.0 s more at most" in shown["why"]
    life.bench.advance(10)
    send(life, {"by": "ops"})
    assert life.state == StateNumber.READY, "in the transaction of the signal"
    got = life.end(
        life.lease(), lambda steps: (lambda signal: [signal.value, signal.key, signal.role])(waits(steps))
    )
    assert got == [{"by": "ops"}, "client", "client"]
    shown = life.show()
    assert [row[:3] for row in shown["steps"]] == [[1, 3, "approved"]]
    [[name, key, role, _, _, step]] = shown["signals"]
    assert (name, key, role, step) == ("approved", "client", "client", 1)


def test_a_signal_that_comes_first_is_kept_and_each_is_taken_once_in_their_order(life: TaskLife) -> None:
    send(life, 1)
    send(life, "other", name="other")
    send(life, 2)

    def both(steps: AttemptSteps) -> list[Any]:
        return [waits(steps).value, waits(steps).value]

    steps = life.lease()
    assert both(steps) == [1, 2]
    life.lose()
    assert life.end(life.lease(), both) == [1, 2], "replayed"
    assert [row[5] for row in life.show()["signals"]] == [1, None, 2]


def test_no_signal_in_time_is_a_timeout_that_stays_one(life: TaskLife) -> None:
    def body(steps: AttemptSteps) -> str:
        try:
            return str(waits(steps))
        except TimeoutError as error:
            text = str(error)
        steps.suspend(5)
        return text

    life.run(body)
    life.bench.advance(101)
    assert isinstance(life.run(body), Suspended), "it sleeps behind the timeout"
    send(life, "late")
    life.bench.advance(6)
    assert life.run(body) == "no signal 'approved' came in time"
    assert [row[1] for row in life.show()["steps"]] == [4, 1]


def test_what_comes_first_counts_however_late_the_task_runs_again(life: TaskLife) -> None:
    life.run(waits)
    gone, life.worker = life.worker, None  # type: ignore[assignment]
    gone.close()
    life.bench.advance(99)
    send(life, "in time")
    life.bench.advance(1_000)
    life.worker = life.bench.worker("m:f")
    assert life.end(life.lease(), lambda steps: waits(steps).value) == "in time"


def test_a_signal_between_the_wait_and_the_report_of_its_attempt_is_not_missed(life: TaskLife) -> None:
    steps = life.lease()
    with pytest.raises(Suspended) as caught:
        waits(steps, 86_400)
    send(life, "soon")
    life.report(steps, 4, b"", caught.value.seconds)
    life.bench.advance(1)
    assert life.run(lambda steps: waits(steps).value) == "soon"


def test_a_signal_does_not_cut_short_the_pause_before_a_retry(make_life: Callable[..., TaskLife]) -> None:
    life = make_life(retries=3, backoff=60.0)
    steps = life.lease()
    with pytest.raises(Suspended):
        waits(steps)
    life.report(steps, 5, b"", None)  # its time limit struck before it was reported
    send(life, "soon")
    assert life.state == StateNumber.SCHEDULED
    assert "before the next attempt" in life.show()["why"]


def test_a_wait_may_ask_for_the_role_of_the_sender(life: TaskLife) -> None:
    life.run(lambda steps: waits(steps, 100, "admin"))
    assert "of a key with the role admin" in life.show()["why"]
    send(life, "from a client")
    assert life.state == StateNumber.SCHEDULED
    send(life, "from an admin", peer=life.bench.client(role=Role.ADMIN))
    assert life.run(lambda steps: waits(steps, 100, "admin").value) == "from an admin"


def test_a_task_that_sends_a_signal_does_so_as_a_client_whatever_its_worker_may(life: TaskLife) -> None:
    worker = life.bench.client(role=Role.ADMIN)
    worker.session.is_child = True
    send(life, 1, peer=worker)
    assert life.show()["signals"][0][2] == "client"


def test_a_repeated_call_is_one_signal_also_when_the_task_has_ended_meanwhile(life: TaskLife) -> None:
    send(life, 1, token=TOKEN)
    send(life, 1, token=TOKEN)
    assert life.run(lambda steps: waits(steps).value) == 1
    send(life, 1, token=TOKEN)
    assert len(life.show()["signals"]) == 1


def test_a_signal_to_an_ended_or_unknown_task_or_one_too_many_is_refused(life: TaskLife) -> None:
    for _ in range(100):
        send(life, 1)
    with pytest.raises(QuotaExceeded, match="at most 100 signals"):
        send(life, 1)
    with pytest.raises(InvalidArgument, match="at most 65,536 bytes"):
        send(life, "x" * 70_000)
    with pytest.raises(UnknownTask):
        send(life, 1, peer=life.bench.client(queues=("other",)))
    life.client.call("get_tasks", "cancel", [life.id])
    with pytest.raises(
        InvalidArgument, match="the task has been cancelled; only one that has not ended takes signals"
    ):
        send(life, 1)


def test_another_step_in_the_place_of_a_wait_is_an_error_that_names_both(life: TaskLife) -> None:
    life.run(waits)
    send(life, 1)
    ended = life.run(lambda steps: steps.wait("paid", 100, None))
    assert isinstance(ended, StepChanged)
    assert "step 1 is 'paid' in the code and was 'approved'" in str(ended)


def test_a_task_that_may_not_be_started_twice_cannot_wait(make_life: Callable[..., TaskLife]) -> None:
    life = make_life(delivery="at_most_once")
    with pytest.raises(InvalidArgument, match="this task is at_most_once"):
        waits(life.lease())


def test_signals_go_with_their_task(life: TaskLife) -> None:
    send(life, "x" * 100)
    life.run(lambda steps: waits(steps).value)
    [kept] = life.store.steps.signals(1)
    assert (kept.size, life.store.steps.signal(1, kept.token)) == (102, kept)
    life.bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [int(StateNumber.SUCCEEDED)]})
    assert life.store.steps.signals(1) == []


# lives


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "send other", "pass", "run", "kill", "restart", "repeat"]),
            st.integers(1, 60),
        ),
        max_size=25,
    )
)
def test_each_wait_gets_the_first_signal_that_came_in_its_time_or_a_timeout(
    events: list[tuple[str, int]],
) -> None:
    """The oracle has the moments of signals, and of waits; nothing of states or attempts."""
    from ..new_store import NewStore

    life = TaskLife(NewStore(), max_crashes=1_000)
    arrived: list[tuple[int, int, bytes]] = []  # steady, value, token
    began: list[int] = []  # when each of two waits began

    def body(steps: AttemptSteps) -> list[Any]:
        got: list[Any] = []
        for place in range(2):
            if len(began) == place:
                began.append(life.bench.now.steady)
            try:
                got.append(waits(steps, 50).value)
            except TimeoutError:
                got.append(None)
        return got

    def run() -> Any:
        return life.run(body) if life.state == StateNumber.READY else None

    def expected() -> list[Any]:
        left = [(moment, value) for moment, value, _ in arrived]
        outcomes: list[Any] = []
        for moment in began:
            one = next((one for one in left if one[0] <= moment + 50_000), None)
            outcomes.append(None if one is None else one[1])
            if one is not None:
                left.remove(one)
        return outcomes

    try:
        ended: Any = None
        for number, (what, seconds) in enumerate([*events, *[("run", 1), ("pass", 60)] * 3, ("run", 1)]):
            if life.state >= StateNumber.SUCCEEDED:
                break
            if what == "send":
                token = new_ids()
                send(life, number, token=token)
                arrived.append((life.bench.now.steady, number, token))
            elif what == "send other":
                send(life, number, name="other")
            elif what == "repeat" and arrived:
                send(life, arrived[0][1], token=arrived[0][2])
            elif what == "pass":
                life.bench.advance(seconds)
            elif what == "run":
                ended = run()
            elif what == "restart":
                life.restart(None)
            elif what == "kill" and life.state == StateNumber.READY:
                with contextlib.suppress(Suspended):
                    body(life.lease())
                life.lose()
        assert life.state == StateNumber.SUCCEEDED
        assert ended == expected()
    finally:
        life.store.close()


def wait_row(until: int | None, role: str | None = None) -> StepRow:
    return StepRow(1, 1, 2, "approved", 1, 0, None, until, 0, None, role)


def signal_row(
    arrived: int, *, name: str = "approved", role: str = "client", step: int | None = None
) -> SignalRow:
    return SignalRow(1, arrived.to_bytes(16, "big"), name, "key", role, arrived, step, 0, None)


def test_at_the_very_moment_of_the_timeout_a_signal_still_counts() -> None:
    assert takes(wait_row(10), signal_row(10))
    assert not takes(wait_row(10), signal_row(11))
    assert takes(wait_row(None), signal_row(11))
    assert not takes(wait_row(None, "admin"), signal_row(1))
    assert takes(wait_row(None, "client"), signal_row(1, role="admin"))
    others = [signal_row(1, name="other"), signal_row(2, step=1), signal_row(3), signal_row(4)]
    assert first(wait_row(10), others) == others[2]
    assert first(wait_row(2), others) is None


def test_what_a_task_gets_is_a_record() -> None:
    assert Signal(name="x", value=1, key="k", role="admin", at=1.5).value == 1
