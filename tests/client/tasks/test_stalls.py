"""When a wait asks why its task waits, and what it does with the answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest
from tq.client.core.session import ClientSession
from tq.client.tasks import stalls
from tq.client.tasks.stalls import ASK_SECONDS_MIN, Stall, StallQuestions

ID = (1).to_bytes(16, "big")


class Clock:
    """In place of the module: time passes only while a wait lasts, and nothing comes that is waited for."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, want: bytes | int, deadline: float | None) -> bool:
        assert deadline is not None
        self.now = deadline
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stalls, "time", clock)
    return clock


class Session:
    """What a session does for a wait; the master answers when the test wants it."""

    def __init__(self) -> None:
        self.away_seconds = 0.0
        self.asked: list[Future[Any]] = []
        self.questions = StallQuestions(cast(ClientSession, self))
        self.warnings: list[str] = []
        self.questions.warn = self.warnings.append

    def away_from(self, shard: int) -> float:
        return self.away_seconds

    def start_call(self, target: Any, method: str, id: bytes) -> Future[Any]:
        assert (target, method, id) == (("get_tasks",), "why", ID)
        self.asked.append(Future())
        return self.asked[-1]

    def part(self, kind: Any) -> StallQuestions:
        return self.questions


def stall(session: Session, timeout: float | None) -> Stall:
    return Stall(cast(ClientSession, session), lambda: ID, timeout)


def answer(**fields: Any) -> dict[str, Any]:
    return {"id": ID, "queue": "q", "name": "m:f", "why": "no worker serves it", "stuck": True, **fields}


def wait(one: Stall, clock: Clock, seconds: float) -> bool:
    return one.wait(clock, ID, clock.now + seconds)


def test_a_wait_asks_after_half_of_its_timeout_and_its_end_has_the_answer(clock: Clock) -> None:
    session = Session()
    one = stall(session, 0.4)
    assert not wait(one, clock, 0.4)
    assert (len(session.asked), one.reason) == (
        1,
        "",
    )  # not answered: nothing is known, and nothing is waited for
    session.asked[0].set_result(answer())
    assert one.reason == "no worker serves it"


def test_a_function_is_warned_of_once_and_what_goes_on_by_itself_never(clock: Clock) -> None:
    session = Session()
    for fields in ({"stuck": False}, {}, {}, {"name": "m:g"}):
        clock.now += ASK_SECONDS_MIN
        question = session.questions.ask(ID)
        assert question is not None
        question.set_result(answer(**fields))
    assert [words[:19] for words in session.warnings] == ["no worker serves it"] * 2


def test_many_waits_of_a_program_ask_seldom() -> None:
    session = Session()
    assert [session.questions.ask(ID) is not None for _ in range(3)] == [True, False, False]


def test_a_wait_that_may_not_ask_because_another_did_just_now_asks_before_it_is_over(
    clock: Clock,
) -> None:
    session = Session()
    one = stall(session, 2.0)
    clock.now -= 0.1
    assert session.questions.ask(ID) is not None
    clock.now += 0.1
    one._pause = 0.35  # until it looks for the first time
    assert not wait(one, clock, 1.0)
    assert len(session.asked) == 2


def test_a_short_wait_and_one_without_a_connection_ask_nothing(clock: Clock) -> None:
    session = Session()
    wait(stall(session, 0.01), clock, 0.01)
    session.away_seconds = 1.0
    wait(stall(session, 0.3), clock, 0.3)
    assert session.asked == []


def test_a_master_that_does_not_know_the_call_costs_nothing(clock: Clock) -> None:
    session = Session()
    one = stall(session, 0.4)
    wait(one, clock, 0.4)
    session.asked[0].set_exception(LookupError("no such method"))
    assert (one.reason, session.warnings) == ("", [])
