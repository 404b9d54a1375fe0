"""When a wait asks why its task waits, and what it does with the answer."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any, cast

import pytest
from tq.client.core.session import ClientSession
from tq.client.tasks import stalls
from tq.client.tasks.outcomes import OutcomeBox
from tq.client.tasks.stalls import Stall, StallQuestions

ID = (1).to_bytes(16, "big")


class Session:
    """What a session does for a wait; the master answers when the test wants it."""

    def __init__(self) -> None:
        self.away_seconds = 0.0
        self.asked: list[Future[Any]] = []
        self.questions = StallQuestions(cast(ClientSession, self))
        self.warnings: list[str] = []
        self.questions.warn = self.warnings.append

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


def wait(one: Stall, seconds: float) -> bool:
    return one.wait(OutcomeBox(), ID, time.monotonic() + seconds)


def test_a_wait_asks_after_half_of_its_timeout_and_its_end_has_the_answer() -> None:
    session = Session()
    one = stall(session, 0.4)
    assert not wait(one, 0.4)
    assert (len(session.asked), one.reason) == (
        1,
        "",
    )  # not answered: nothing is known, and nothing is waited for
    session.asked[0].set_result(answer())
    assert one.reason == "no worker serves it"


def test_a_function_is_warned_of_once_and_what_goes_on_by_itself_never() -> None:
    session = Session()
    for fields in ({"stuck": False}, {}, {}, {"name": "m:g"}):
        session.questions._asked_at = 0.0
        question = session.questions.ask(ID)
        assert question is not None
        question.set_result(answer(**fields))
    assert [words[:19] for words in session.warnings] == ["no worker serves it"] * 2


def test_many_waits_of_a_program_ask_seldom() -> None:
    session = Session()
    assert [session.questions.ask(ID) is not None for _ in range(3)] == [True, False, False]


def test_a_wait_that_may_not_ask_because_another_did_just_now_asks_before_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stalls, "ASK_SECONDS_MIN", 0.1)
    session = Session()
    assert session.questions.ask(ID) is not None
    session.questions._asked_at += 0.15  # just before this one looks for the first time
    assert not wait(stall(session, 0.4), 0.4)
    assert len(session.asked) == 2


def test_a_short_wait_and_one_without_a_connection_ask_nothing() -> None:
    session = Session()
    wait(stall(session, 0.01), 0.01)
    session.away_seconds = 1.0
    wait(stall(session, 0.3), 0.3)
    assert session.asked == []


def test_a_master_that_does_not_know_the_call_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "SHORT_SECONDS", 0.0)
    session = Session()
    one = stall(session, 0.1)
    wait(one, 0.1)
    session.asked[0].set_exception(LookupError("no such method"))
    assert (one.reason, session.warnings) == ("", [])
