"""Pending calls: no call is lost or repeated in error, no outcome is delivered twice, whatever connections come and go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule
from tq.client.core.pending_calls import COLLECT_TASKS_MAX, WATCH_TASKS_MAX, PendingCall, PendingCalls
from tq.common.contract.tasks import OutcomeSlice, rows_of
from tq.common.domain.id_runs import IdRun, ids_named, runs_of
from tq.common.errors import Forbidden, ProtocolError, QuotaExceeded, StoreError, Unreachable

from ...properties import examples

QUEUE = ("get_task_queue", "default")


def ids(*numbers: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in numbers]


def runs(*numbers: int) -> list[IdRun]:
    return list(runs_of(ids(*numbers)))


def sent(pending: PendingCalls) -> list[tuple[str, Any]]:
    """Method and first argument of what goes out; of a watch the ids that it names."""
    return [
        (call.method, ids_named(call.args[0]) if call.method.endswith("watch") else call.args[0])
        for call in pending.take_outgoing()
    ]


def ask(pending: PendingCalls, ticket: str, *, repeatable: bool = True, **more: Any) -> None:
    pending.call(ticket, QUEUE, "submit", [ticket], repeatable=repeatable, **more)


def answer_all(pending: PendingCalls, calls: list[PendingCall]) -> None:
    for call in calls:
        if call.method != "collect":
            pending.answered(call.number, None)


def collect_of(pending: PendingCalls) -> PendingCall:
    return next(call for call in pending.take_outgoing() if call.method == "collect")


class Listening:
    """A pending, connected, that watches some tasks for one listener."""

    def __init__(self, *numbers: int) -> None:
        self.pending = PendingCalls("default")
        self.pending.connected()
        self.pending.watch("box", runs(*numbers))
        calls = self.pending.take_outgoing()
        answer_all(self.pending, calls)
        self.collect = next(call for call in calls if call.method == "collect")


def test_calls_wait_for_a_connection_and_leave_in_order() -> None:
    pending = PendingCalls("default")
    ask(pending, "a")
    ask(pending, "b")
    assert sent(pending) == []
    assert pending.has_work
    pending.connected()
    assert sent(pending) == [("submit", "a"), ("submit", "b")]


def test_an_answer_settles_its_call_once() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "a")
    [call] = pending.take_outgoing()
    pending.answered(call.number, 7)
    pending.answered(call.number, 8)
    assert pending.take_settled() == [("a", 7, None)]
    assert not pending.has_work


def test_a_call_until_done_is_sent_again_until_it_is_done() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "a", until_done=True)
    ask(pending, "b")
    for refusal in (
        StoreError("the disk is full"),
        QuotaExceeded("too many calls"),
        None,
        StoreError("it is full"),
    ):
        call = pending.take_outgoing()[0]
        assert call.args[0] == "a"
        if refusal is None:
            pending.lost(call.number)
        else:
            pending.refused(call.number, refusal)
        assert pending.take_settled() == []
        assert any(call.until_done for call in pending.open_calls)
        pending.connected()
    [call] = [one for one in pending.take_outgoing() if one.args[0] == "a"]
    pending.answered(call.number, 7)
    assert pending.take_settled() == [("a", 7, None)]
    assert not any(call.until_done for call in pending.open_calls)


def test_a_call_that_is_repeated_until_done_fails_on_a_permanent_refusal() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "a", until_done=True)
    [call] = pending.take_outgoing()
    pending.refused(call.number, error := Forbidden("no"))
    assert pending.take_settled() == [("a", None, error)]
    assert not any(call.until_done for call in pending.open_calls)


def test_a_refusal_settles_with_the_error() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "a")
    [call] = pending.take_outgoing()
    error = Forbidden("no")
    pending.refused(call.number, error)
    assert pending.take_settled() == [("a", None, error)]


def test_unanswered_calls_are_repeated_in_their_old_order_after_a_reconnect() -> None:
    pending = PendingCalls("default")
    pending.connected()
    for ticket in "abc":
        ask(pending, ticket)
    first = pending.take_outgoing()
    pending.answered(first[1].number, None)
    pending.disconnected()
    ask(pending, "d")
    pending.connected()
    again = pending.take_outgoing()
    assert [call.ticket for call in again] == ["a", "c", "d"]
    assert again[0] is first[0]  # unchanged, with the same ids


def test_a_call_that_must_not_be_repeated_fails_with_an_unknown_outcome() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "add", repeatable=False)
    pending.take_outgoing()
    pending.disconnected()
    [(ticket, _, error)] = pending.take_settled()
    assert ticket == "add"
    assert isinstance(error, Unreachable)
    assert "it is unknown whether" in str(error)


def test_a_call_that_must_not_be_repeated_may_still_wait_for_its_first_connection() -> None:
    pending = PendingCalls("default")
    ask(pending, "add", repeatable=False)
    pending.connected()
    assert sent(pending) == [("submit", "add")]


def test_one_collect_is_under_way_while_something_is_watched() -> None:
    pending = PendingCalls("mine")
    pending.connected()
    pending.watch("box", runs(1))
    pending.watch("box", runs(2))
    calls = pending.take_outgoing()
    assert [call.method for call in calls] == ["watch", "collect", "watch"]
    assert {tuple(call.target) for call in calls} == {("get_result_queue", "mine")}


def test_outcomes_go_to_who_listens_and_the_collecting_ends_with_the_last() -> None:
    listening = Listening(1, 2)
    pending = listening.pending
    one, two = ids(1, 2)
    pending.answered(listening.collect.number, [[one, 10, b"x"]])
    assert pending.take_deliveries() == [("box", [OutcomeSlice(one, 10, [b"x"])], None)]
    collect = collect_of(pending)
    pending.answered(collect.number, [[two, 11, None]])
    assert pending.take_deliveries() == [("box", [OutcomeSlice(two, 11, [None])], None)]
    assert sent(pending) == []
    assert not pending.has_work


def test_two_listeners_of_one_task_both_get_its_outcome_and_it_is_watched_once() -> None:
    listening = Listening(1)
    pending = listening.pending
    pending.watch("other", runs(1))
    assert sent(pending) == []
    pending.answered(listening.collect.number, [[*ids(1), 10, b"x"]])
    assert [delivery.listener for delivery in pending.take_deliveries()] == ["box", "other"]


@pytest.mark.parametrize("answer", [[[b"1" * 16, 10]], [7], None])
def test_an_answer_of_an_unknown_form_ends_the_waiting_with_an_error(answer: object) -> None:
    listening = Listening(1)
    pending = listening.pending
    pending.answered(listening.collect.number, answer)
    [(listener, rows, error)] = pending.take_deliveries()
    assert (listener, rows) == ("box", [])
    assert isinstance(error, ProtocolError)
    assert not pending.has_work


def test_an_outcome_that_arrives_twice_is_delivered_once() -> None:
    listening = Listening(1, 2)
    pending, row = listening.pending, [*ids(1), 10, b"x"]
    pending.answered(listening.collect.number, [row, row])
    assert pending.take_deliveries() == [("box", [OutcomeSlice(*ids(1), 10, [b"x"])], None)]


def test_outcomes_are_cut_into_runs_of_one_listener_in_order() -> None:
    listening = Listening(1, 2, 3)
    pending = listening.pending
    pending.watch("other", runs(4))
    rows = [[id, 10, b""] for id in ids(1, 4, 2, 3)]
    pending.answered(listening.collect.number, rows)
    delivery = pending.take_deliveries()
    assert [(one.listener, len(one.slices)) for one in delivery] == [("box", 1), ("other", 1), ("box", 2)]


def test_what_is_watched_is_watched_again_on_the_next_connection() -> None:
    listening = Listening(1, 2)
    pending = listening.pending
    pending.disconnected()
    pending.connected()
    assert sent(pending)[:1] == [("watch", ids(1, 2))]


def test_a_task_is_not_watched_again_while_its_submit_is_repeated() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "new", runs=runs(1), listener="box")
    pending.watch("box", runs(2))
    pending.take_outgoing()
    pending.disconnected()
    pending.connected()
    assert sent(pending)[:2] == [("submit", "new"), ("watch", ids(2))]


def test_a_large_watch_is_cut_into_calls() -> None:
    pending = PendingCalls("default")
    pending.connected()
    pending.watch("box", runs(*range(WATCH_TASKS_MAX + 1)))
    sizes = [len(args) for method, args in sent(pending) if method == "watch"]
    assert sizes == [WATCH_TASKS_MAX, 1]


def test_a_refused_watch_ends_the_waiting_of_its_listener() -> None:
    pending = PendingCalls("default")
    pending.connected()
    pending.watch("box", runs(1))
    watch = next(call for call in pending.take_outgoing() if call.method == "watch")
    error = Forbidden("no")
    pending.refused(watch.number, error)
    assert pending.take_deliveries() == [("box", [], error)]
    assert pending.watched_tasks == 0


def test_a_failing_store_ends_no_wait_and_the_next_connection_watches_again() -> None:
    here = Listening(1, 2)
    here.pending.watch("box", runs(3))
    [watch] = here.pending.take_outgoing()
    for call in (watch, here.collect):
        here.pending.refused(call.number, StoreError("the disk is full"))
    assert here.pending.take_deliveries() == []
    here.pending.disconnected()
    here.pending.connected()
    assert sent(here.pending)[0] == ("watch", ids(1, 2, 3))


def test_a_refused_submit_ends_the_watching_of_its_tasks_only() -> None:
    listening = Listening(9)
    pending = listening.pending
    ask(pending, "new", runs=runs(1, 2), listener="new box")
    [submit] = pending.take_outgoing()
    error = Forbidden("no")
    pending.refused(submit.number, error)
    assert pending.take_deliveries() == [("new box", [], error)]
    assert pending.watched_tasks == 1


def test_forgetting_a_listener_unwatches_tasks_without_another_listener() -> None:
    listening = Listening(1, 2)
    pending = listening.pending
    pending.watch("other", runs(2))
    pending.forget("box")
    assert sent(pending) == [("unwatch", ids(1))]
    pending.answered(listening.collect.number, [[id, 10, b""] for id in ids(1, 2)])
    assert [delivery.listener for delivery in pending.take_deliveries()] == ["other"]


def test_a_collect_left_over_when_all_is_forgotten_wants_no_connection() -> None:
    listening = Listening(1)
    pending = listening.pending
    pending.forget("box")
    [unwatch] = pending.take_outgoing()
    pending.answered(unwatch.number, None)
    assert not pending.has_work
    pending.watch("box", runs(2))
    assert sent(pending) == [("watch", ids(2))]  # the one that is parked will tell
    pending.disconnected()
    pending.connected()
    assert sent(pending) == [("watch", ids(2)), ("collect", COLLECT_TASKS_MAX)]


def test_a_forgotten_task_whose_submit_is_under_way_is_still_submitted() -> None:
    pending = PendingCalls("default")
    ask(pending, "new", runs=runs(1), listener="box")
    pending.forget("box")
    pending.connected()
    assert sent(pending) == [("submit", "new")]


def test_giving_up_fails_all_and_leaves_nothing() -> None:
    listening = Listening(1)
    pending = listening.pending
    ask(pending, "a")
    error = Unreachable("gone")
    pending.give_up(error)
    assert pending.take_settled() == [("a", None, error)]
    assert pending.take_deliveries() == [("box", [], error)]
    assert sent(pending) == []
    assert not pending.has_work


def test_a_single_lost_call_is_repeated_by_the_next_connection_while_others_are_still_under_way() -> None:
    """As in a worker's child, whose line outlives the connections behind it."""
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "a")
    ask(pending, "b")
    a, b = pending.take_outgoing()
    pending.lost(a.number)
    pending.connected()
    assert pending.take_outgoing() == [a]
    pending.answered(b.number, 1)
    pending.answered(a.number, 2)
    assert [settled.ticket for settled in pending.take_settled()] == ["b", "a"]


class History(RuleBasedStateMachine):
    """Any order of events. A model of the master beside it knows what it was sent on this connection."""

    tasks: Bundle[bytes] = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.pending = PendingCalls("default")
        self.up = False
        self.line: list[PendingCall] = []  # on their way to the master, in order
        self.session: set[bytes] = set()  # what the master's session watches
        self.stored: set[bytes] = set()
        self.ended: set[bytes] = set()
        self.to_tell: list[bytes] = []
        self.collect: PendingCall | None = None
        self.asked: list[str] = []
        self.settled: list[str] = []
        self.waiting: dict[tuple[str, bytes], int] = {}  # (listener, task) not delivered yet
        self.next_id = 0

    def settle(self) -> None:
        for call in self.pending.take_outgoing():
            assert self.up
            self.line.append(call)
        self.settled += [one.ticket for one in self.pending.take_settled()]
        for listener, slices, error in self.pending.take_deliveries():
            assert error is None
            for id, state, _ in rows_of(slices):
                assert state == 10, "an outcome of a task that the master did not know"
                assert self.waiting.pop((listener, id), None) is not None, "delivered twice, or unasked"

    @rule(target=tasks, listener=st.sampled_from(["x", "y", None]), count=st.integers(1, 3))
    def submit(self, listener: str | None, count: int) -> Any:
        made = ids(*range(self.next_id, self.next_id + count))
        self.next_id += count
        ticket = f"submit {made[0].hex()}"
        self.asked.append(ticket)
        args = [made, listener is not None]
        self.pending.call(
            ticket, QUEUE, "submit", args, repeatable=True, runs=list(runs_of(made)), listener=listener
        )
        if listener is not None:
            self.waiting.update({(listener, id): 1 for id in made})
        self.settle()
        return multiple(*made)

    @rule(id=tasks, listener=st.sampled_from(["x", "y"]))
    def watch(self, id: bytes, listener: str) -> None:
        if id in self.stored:  # a handle is given out when its submit was answered
            self.pending.watch(listener, [IdRun(id, 1)])
            self.waiting[listener, id] = 1
            self.settle()

    @rule(listener=st.sampled_from(["x", "y"]))
    def forget(self, listener: str) -> None:
        self.pending.forget(listener)
        self.waiting = {key: 1 for key in self.waiting if key[0] != listener}
        self.settle()

    @rule()
    def connect(self) -> None:
        if not self.up:
            self.up = True
            self.pending.connected()
            self.settle()

    @rule()
    def disconnect(self) -> None:
        if self.up:
            self.up, self.collect = False, None
            self.line.clear()
            self.session.clear()
            self.to_tell.clear()
            self.pending.disconnected()
            self.settle()

    @rule(answered=st.booleans())
    def perform(self, answered: bool) -> None:
        """The master performs the next call; its answer arrives, or the connection goes before."""
        if not self.line:
            return
        call = self.line.pop(0)
        if call.method == "collect":
            assert self.collect is None, "two collects at once"
            self.collect = call
        else:
            self._perform(call)
            if not answered:
                self.disconnect()
                return
            self.pending.answered(call.number, None)
        self.settle()

    def _perform(self, call: PendingCall) -> None:
        [made, *more] = call.args
        made = ids_named(made)
        if call.method == "submit":
            self.stored.update(made)
        if call.method == "watch" or (call.method == "submit" and more[0]):
            assert self.stored.issuperset(made), "watched before it was submitted"
            self.to_tell += [id for id in made if id in self.ended]
            self.session.update(set(made) - self.ended)
        if call.method == "unwatch":
            self.session.difference_update(made)

    @rule(id=tasks)
    def end_task(self, id: bytes) -> None:
        if id in self.stored and id not in self.ended:
            self.ended.add(id)
            if id in self.session:
                self.session.discard(id)
                self.to_tell.append(id)

    @rule()
    def tell(self) -> None:
        if self.collect is not None and self.to_tell:
            call, self.collect = self.collect, None
            rows = [[id, 10, b""] for id in self.to_tell]
            self.to_tell.clear()
            self.pending.answered(call.number, rows)
            self.settle()

    @invariant()
    def nothing_is_settled_twice(self) -> None:
        assert len(self.settled) == len(set(self.settled))

    def teardown(self) -> None:
        """Then the connection holds: every call is answered, every watched task is delivered."""
        self.connect()
        while self.line:
            self.perform(True)
        self.ended |= self.stored
        self.to_tell += sorted(self.session)
        self.session.clear()
        while self.to_tell and self.collect is not None:
            self.tell()
            while self.line:
                self.perform(True)
        assert sorted(self.settled) == sorted(self.asked)
        assert not self.waiting
        assert not self.pending.has_work


TestHistory = History.TestCase
TestHistory.settings = examples(60, stateful_step_count=40)


def test_what_was_not_sent_when_the_connection_was_lost_is_sent_once_and_behind_older_calls() -> None:
    pending = PendingCalls("default")
    pending.connected()
    ask(pending, "a")
    pending.take_outgoing()
    ask(pending, "b")
    pending.disconnected()
    pending.connected()
    assert [call.ticket for call in pending.take_outgoing()] == ["a", "b"]
