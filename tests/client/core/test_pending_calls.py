"""The ledger: nothing asked is lost, repeated or told twice, whatever connections come and go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule
from tq.client.core.pending_calls import COLLECT_TASKS_MAX, WATCH_TASKS_MAX, Call, Ledger
from tq.common.contract.tasks import OutcomeRow
from tq.common.errors import Forbidden, ProtocolError, QuotaExceeded, StoreError, Unreachable

from ...properties import examples

QUEUE = ("get_task_queue", "default")


def ids(*numbers: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in numbers]


def sent(ledger: Ledger) -> list[tuple[str, Any]]:
    """Method and first argument of what goes out."""
    return [(call.method, call.args[0]) for call in ledger.take_outgoing()]


def ask(ledger: Ledger, ticket: str, *, again: bool = True, **more: Any) -> None:
    ledger.call(ticket, QUEUE, "submit", [ticket], again=again, **more)


def answer_all(ledger: Ledger, calls: list[Call]) -> None:
    for call in calls:
        if call.method != "collect":
            ledger.answered(call.number, None)


def collect_of(ledger: Ledger) -> Call:
    return next(call for call in ledger.take_outgoing() if call.method == "collect")


class Listening:
    """A ledger, connected, that watches some tasks for one listener."""

    def __init__(self, *numbers: int) -> None:
        self.ledger = Ledger("default")
        self.ledger.connected()
        self.ledger.watch("box", ids(*numbers))
        calls = self.ledger.take_outgoing()
        answer_all(self.ledger, calls)
        self.collect = next(call for call in calls if call.method == "collect")


def test_calls_wait_for_a_connection_and_leave_in_order() -> None:
    ledger = Ledger("default")
    ask(ledger, "a")
    ask(ledger, "b")
    assert sent(ledger) == []
    assert ledger.has_business
    ledger.connected()
    assert sent(ledger) == [("submit", "a"), ("submit", "b")]


def test_an_answer_settles_its_call_once() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "a")
    [call] = ledger.take_outgoing()
    ledger.answered(call.number, 7)
    ledger.answered(call.number, 8)
    assert ledger.take_settled() == [("a", 7, None)]
    assert not ledger.has_business


def test_what_is_insisted_on_goes_out_again_until_it_is_done() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "a", insists=True)
    ask(ledger, "b")
    for refusal in (
        StoreError("the disk is full"),
        QuotaExceeded("too many calls"),
        None,
        StoreError("it is full"),
    ):
        call = ledger.take_outgoing()[0]
        assert call.args[0] == "a"
        if refusal is None:
            ledger.lost(call.number)
        else:
            ledger.refused(call.number, refusal)
        assert ledger.take_settled() == []
        assert ledger.is_insisting
        ledger.connected()
    [call] = [one for one in ledger.take_outgoing() if one.args[0] == "a"]
    ledger.answered(call.number, 7)
    assert ledger.take_settled() == [("a", 7, None)]
    assert not ledger.is_insisting


def test_who_insists_is_told_of_a_refusal_that_stays() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "a", insists=True)
    [call] = ledger.take_outgoing()
    ledger.refused(call.number, error := Forbidden("no"))
    assert ledger.take_settled() == [("a", None, error)]
    assert not ledger.is_insisting


def test_a_refusal_settles_with_the_error() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "a")
    [call] = ledger.take_outgoing()
    error = Forbidden("no")
    ledger.refused(call.number, error)
    assert ledger.take_settled() == [("a", None, error)]


def test_unanswered_calls_are_repeated_in_their_old_order_after_a_reconnect() -> None:
    ledger = Ledger("default")
    ledger.connected()
    for ticket in "abc":
        ask(ledger, ticket)
    first = ledger.take_outgoing()
    ledger.answered(first[1].number, None)
    ledger.disconnected()
    ask(ledger, "d")
    ledger.connected()
    again = ledger.take_outgoing()
    assert [call.ticket for call in again] == ["a", "c", "d"]
    assert again[0] is first[0]  # unchanged, with the same ids


def test_a_call_that_must_not_be_repeated_is_told_that_nobody_knows() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "add", again=False)
    ledger.take_outgoing()
    ledger.disconnected()
    [(ticket, _, error)] = ledger.take_settled()
    assert ticket == "add"
    assert isinstance(error, Unreachable)
    assert "nobody knows" in str(error)


def test_a_call_that_must_not_be_repeated_may_still_wait_for_its_first_connection() -> None:
    ledger = Ledger("default")
    ask(ledger, "add", again=False)
    ledger.connected()
    assert sent(ledger) == [("submit", "add")]


def test_one_collect_is_under_way_while_something_is_watched() -> None:
    ledger = Ledger("mine")
    ledger.connected()
    ledger.watch("box", ids(1))
    ledger.watch("box", ids(2))
    calls = ledger.take_outgoing()
    assert [call.method for call in calls] == ["watch", "collect", "watch"]
    assert {tuple(call.target) for call in calls} == {("get_result_queue", "mine")}


def test_outcomes_go_to_who_listens_and_the_collecting_ends_with_the_last() -> None:
    listening = Listening(1, 2)
    ledger = listening.ledger
    one, two = ids(1, 2)
    ledger.answered(listening.collect.number, [[one, 10, b"x"]])
    assert ledger.take_told() == [("box", [OutcomeRow(one, 10, b"x")], None)]
    collect = collect_of(ledger)
    ledger.answered(collect.number, [[two, 11, None]])
    assert ledger.take_told() == [("box", [OutcomeRow(two, 11, None)], None)]
    assert sent(ledger) == []
    assert not ledger.has_business


def test_two_listeners_of_one_task_both_hear_of_it_and_it_is_watched_once() -> None:
    listening = Listening(1)
    ledger = listening.ledger
    ledger.watch("other", ids(1))
    assert sent(ledger) == []
    ledger.answered(listening.collect.number, [[*ids(1), 10, b"x"]])
    assert [told.listener for told in ledger.take_told()] == ["box", "other"]


@pytest.mark.parametrize("answer", [[[b"1" * 16, 10]], [7], None])
def test_an_answer_of_an_unknown_form_ends_the_waiting_with_an_error(answer: object) -> None:
    listening = Listening(1)
    ledger = listening.ledger
    ledger.answered(listening.collect.number, answer)
    [(listener, rows, error)] = ledger.take_told()
    assert (listener, rows) == ("box", [])
    assert isinstance(error, ProtocolError)
    assert not ledger.has_business


def test_an_outcome_that_comes_twice_is_told_once() -> None:
    listening = Listening(1, 2)
    ledger, row = listening.ledger, [*ids(1), 10, b"x"]
    ledger.answered(listening.collect.number, [row, row])
    assert ledger.take_told() == [("box", [OutcomeRow(*ids(1), 10, b"x")], None)]


def test_outcomes_are_cut_into_runs_of_one_listener_in_order() -> None:
    listening = Listening(1, 2, 3)
    ledger = listening.ledger
    ledger.watch("other", ids(4))
    rows = [[id, 10, b""] for id in ids(1, 4, 2, 3)]
    ledger.answered(listening.collect.number, rows)
    told = ledger.take_told()
    assert [(one.listener, len(one.rows)) for one in told] == [("box", 1), ("other", 1), ("box", 2)]


def test_what_is_watched_is_watched_again_on_the_next_connection() -> None:
    listening = Listening(1, 2)
    ledger = listening.ledger
    ledger.disconnected()
    ledger.connected()
    assert sent(ledger)[:1] == [("watch", ids(1, 2))]


def test_a_task_is_not_watched_again_while_its_submit_is_repeated() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "new", ids=ids(1), listener="box")
    ledger.watch("box", ids(2))
    ledger.take_outgoing()
    ledger.disconnected()
    ledger.connected()
    assert sent(ledger)[:2] == [("submit", "new"), ("watch", ids(2))]


def test_a_large_watch_is_cut_into_calls() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ledger.watch("box", ids(*range(WATCH_TASKS_MAX + 1)))
    sizes = [len(args) for method, args in sent(ledger) if method == "watch"]
    assert sizes == [WATCH_TASKS_MAX, 1]


def test_a_refused_watch_ends_the_waiting_of_its_listener() -> None:
    ledger = Ledger("default")
    ledger.connected()
    ledger.watch("box", ids(1))
    watch = next(call for call in ledger.take_outgoing() if call.method == "watch")
    error = Forbidden("no")
    ledger.refused(watch.number, error)
    assert ledger.take_told() == [("box", [], error)]
    assert ledger.watched_tasks == 0


def test_a_failing_store_ends_nobodys_waiting_the_next_connection_watches_anew() -> None:
    here = Listening(1, 2)
    here.ledger.watch("box", ids(3))
    [watch] = here.ledger.take_outgoing()
    for call in (watch, here.collect):
        here.ledger.refused(call.number, StoreError("the disk is full"))
    assert here.ledger.take_told() == []
    here.ledger.disconnected()
    here.ledger.connected()
    assert sent(here.ledger)[0] == ("watch", ids(1, 2, 3))


def test_a_refused_submit_ends_the_watching_of_its_tasks_only() -> None:
    listening = Listening(9)
    ledger = listening.ledger
    ask(ledger, "new", ids=ids(1, 2), listener="new box")
    [submit] = ledger.take_outgoing()
    error = Forbidden("no")
    ledger.refused(submit.number, error)
    assert ledger.take_told() == [("new box", [], error)]
    assert ledger.watched_tasks == 1


def test_forgetting_a_listener_unwatches_what_nobody_else_waits_for() -> None:
    listening = Listening(1, 2)
    ledger = listening.ledger
    ledger.watch("other", ids(2))
    ledger.forget("box")
    assert sent(ledger) == [("unwatch", ids(1))]
    ledger.answered(listening.collect.number, [[id, 10, b""] for id in ids(1, 2)])
    assert [told.listener for told in ledger.take_told()] == ["other"]


def test_a_collect_left_over_when_all_is_forgotten_wants_no_connection() -> None:
    listening = Listening(1)
    ledger = listening.ledger
    ledger.forget("box")
    [unwatch] = ledger.take_outgoing()
    ledger.answered(unwatch.number, None)
    assert not ledger.has_business
    ledger.watch("box", ids(2))
    assert sent(ledger) == [("watch", ids(2))]  # the one that is parked will tell
    ledger.disconnected()
    ledger.connected()
    assert sent(ledger) == [("watch", ids(2)), ("collect", COLLECT_TASKS_MAX)]


def test_a_forgotten_task_whose_submit_is_under_way_is_still_submitted() -> None:
    ledger = Ledger("default")
    ask(ledger, "new", ids=ids(1), listener="box")
    ledger.forget("box")
    ledger.connected()
    assert sent(ledger) == [("submit", "new")]


def test_giving_up_tells_everybody_and_leaves_nothing() -> None:
    listening = Listening(1)
    ledger = listening.ledger
    ask(ledger, "a")
    error = Unreachable("gone")
    ledger.give_up(error)
    assert ledger.take_settled() == [("a", None, error)]
    assert ledger.take_told() == [("box", [], error)]
    assert sent(ledger) == []
    assert not ledger.has_business


def test_a_single_lost_call_is_repeated_by_the_next_connection_while_others_are_still_under_way() -> None:
    """As in a worker's child, whose line outlives the connections behind it."""
    ledger = Ledger("default")
    ledger.connected()
    ask(ledger, "a")
    ask(ledger, "b")
    a, b = ledger.take_outgoing()
    ledger.lost(a.number)
    ledger.connected()
    assert ledger.take_outgoing() == [a]
    ledger.answered(b.number, 1)
    ledger.answered(a.number, 2)
    assert [settled.ticket for settled in ledger.take_settled()] == ["b", "a"]


class History(RuleBasedStateMachine):
    """Any order of events. A model of the master beside it knows what it was told on this connection."""

    tasks: Bundle[bytes] = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger("default")
        self.up = False
        self.line: list[Call] = []  # on their way to the master, in order
        self.session: set[bytes] = set()  # what the master's session watches
        self.stored: set[bytes] = set()
        self.ended: set[bytes] = set()
        self.to_tell: list[bytes] = []
        self.collect: Call | None = None
        self.asked: list[str] = []
        self.settled: list[str] = []
        self.waiting: dict[tuple[str, bytes], int] = {}  # (listener, task) not told yet
        self.next_id = 0

    def settle(self) -> None:
        for call in self.ledger.take_outgoing():
            assert self.up
            self.line.append(call)
        self.settled += [one.ticket for one in self.ledger.take_settled()]
        for listener, rows, error in self.ledger.take_told():
            assert error is None
            for id, state, _ in rows:
                assert state == 10, "told of a task that the master did not know"
                assert self.waiting.pop((listener, id), None) is not None, "told twice, or unasked"

    @rule(target=tasks, listener=st.sampled_from(["x", "y", None]), count=st.integers(1, 3))
    def submit(self, listener: str | None, count: int) -> Any:
        made = ids(*range(self.next_id, self.next_id + count))
        self.next_id += count
        ticket = f"submit {made[0].hex()}"
        self.asked.append(ticket)
        args = [made, listener is not None]
        self.ledger.call(ticket, QUEUE, "submit", args, again=True, ids=made, listener=listener)
        if listener is not None:
            self.waiting.update({(listener, id): 1 for id in made})
        self.settle()
        return multiple(*made)

    @rule(id=tasks, listener=st.sampled_from(["x", "y"]))
    def watch(self, id: bytes, listener: str) -> None:
        if id in self.stored:  # a handle is given out when its submit was answered
            self.ledger.watch(listener, [id])
            self.waiting[listener, id] = 1
            self.settle()

    @rule(listener=st.sampled_from(["x", "y"]))
    def forget(self, listener: str) -> None:
        self.ledger.forget(listener)
        self.waiting = {key: 1 for key in self.waiting if key[0] != listener}
        self.settle()

    @rule()
    def connect(self) -> None:
        if not self.up:
            self.up = True
            self.ledger.connected()
            self.settle()

    @rule()
    def disconnect(self) -> None:
        if self.up:
            self.up, self.collect = False, None
            self.line.clear()
            self.session.clear()
            self.to_tell.clear()
            self.ledger.disconnected()
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
            self.ledger.answered(call.number, None)
        self.settle()

    def _perform(self, call: Call) -> None:
        [made, *more] = call.args
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
            self.ledger.answered(call.number, rows)
            self.settle()

    @invariant()
    def nothing_is_settled_twice(self) -> None:
        assert len(self.settled) == len(set(self.settled))

    def teardown(self) -> None:
        """Then the connection holds: everything asked is answered, everything watched is told."""
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
        assert not self.ledger.has_business


TestHistory = History.TestCase
TestHistory.settings = examples(200, stateful_step_count=40)
