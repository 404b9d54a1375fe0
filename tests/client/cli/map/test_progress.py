"""How far running items are: when the master is asked, and what is made of its answer."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

import pytest
from tq.client.cli.map.progress import ASK_SECONDS, ASKED_ITEMS_MAX, ItemProgress, ProgressPoller, slowest
from tq.client.cli.map.window import Window
from tq.common.errors import InvalidArgument, TqError, Unreachable

from .test_window import entry

DONE = 10


class Master:
    """Takes questions, and answers when the test wants it."""

    def __init__(self) -> None:
        self.questions: list[list[bytes]] = []
        self.answer: Future[Any] = Future()
        self.is_closed = False

    def ask(self, ids: list[bytes]) -> Future[Any]:
        if self.is_closed:
            raise Unreachable("closed")
        self.questions.append(ids)
        self.answer = Future()
        return self.answer


class Run:
    """A window of so many items, and a clock that stands still."""

    def __init__(self, items: int = 3) -> None:
        self.master, self.now = Master(), 100.0
        self.window = Window(items_max=1_000, bytes_max=10**6, ordered=True)
        self.ids = [(number).to_bytes(16, "big") for number in range(1, items + 1)]
        for number in range(1, items + 1):
            self.window.add(entry(number))
        self.inquiry = ProgressPoller(self.master.ask, lambda: self.now)

    def later(self, seconds: float = ASK_SECONDS) -> list[ItemProgress]:
        self.now += seconds
        return self.inquiry.look(self.window)


def test_one_question_at_a_time_and_none_too_soon() -> None:
    run = Run()
    assert run.later(ASK_SECONDS / 2) == []
    assert run.master.questions == []
    run.later()
    assert run.master.questions == [run.ids]
    run.later(60)
    assert len(run.master.questions) == 1  # not answered: not asked again
    run.master.answer.set_result([[run.ids[1], 5.0, 3, 10, "resizing"]])
    assert run.later(0) == [ItemProgress(2, 5.0, 3, 10, "resizing")]
    assert len(run.master.questions) == 2
    run.master.answer.set_result([])
    assert run.later(0.1) == []
    assert len(run.master.questions) == 2


def test_the_oldest_open_items_are_asked_about_and_one_that_ended_is_not_shown() -> None:
    run = Run(items=ASKED_ITEMS_MAX + 50)
    run.window.end(run.ids[0], DONE, b"")
    run.later()
    assert run.master.questions == [run.ids[1 : ASKED_ITEMS_MAX + 1]]
    run.master.answer.set_result([[id, 1.0, 1, 2, ""] for id in run.ids[:3]])
    assert [item.number for item in run.later(0)] == [2, 3]
    run.window.end(run.ids[1], DONE, b"")
    assert [item.number for item in run.later(0)] == [3]


def test_nothing_open_nothing_asked() -> None:
    run = Run(items=0)
    run.later()
    assert run.master.questions == []


@pytest.mark.parametrize(
    ("error", "asked"), [(Unreachable("gone"), 2), (InvalidArgument("no such method"), 1)]
)
def test_an_error_is_noted_for_debugging_and_ends_the_asking_if_it_will_come_again(
    error: TqError, asked: int, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run()
    with caplog.at_level(logging.DEBUG, "tq.client"):
        run.later()
        run.master.answer.set_exception(error)
        assert run.later(0) == []
        run.later()
    assert len(run.master.questions) == asked
    assert [(one.levelno, str(error) in one.getMessage()) for one in caplog.records] == [
        (logging.DEBUG, True)
    ]


def test_a_question_that_cannot_be_put_or_was_cancelled_is_put_again_later() -> None:
    run = Run()
    run.master.is_closed = True
    assert run.later() == []
    run.master.is_closed = False
    run.later()
    run.master.answer.cancel()
    assert run.later() == []
    assert len(run.master.questions) == 2


@pytest.mark.parametrize(
    "answer",
    [None, 7, {}, [7], [[]], [[b"x" * 16, 1.0, 1, 2, ""]], [["text", 1.0, 1, 2, ""]], [[1, 2, 3, 4, 5]]],
)
def test_an_answer_that_is_none_shows_nothing(answer: Any) -> None:
    run = Run()
    run.later()
    run.master.answer.set_result(answer)
    assert run.later(0) == []


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ([], ""),
        (
            [ItemProgress(17, 5.0, 3, 10, "resizing"), ItemProgress(18, 6.0, 0, 1, "")],
            "item 17: 3/10 resizing",
        ),
        ([ItemProgress(18, 6.0, 0, 1, ""), ItemProgress(1_017, 5.0, 0.1 + 0.2, None, "")], "item 1,017: 0.3"),
        ([ItemProgress(2, 5.0, 1, 2, "two\nlines \x1b[2Jand more")], "item 2: 1/2 two lines ␛[2Jand more"),
        ([ItemProgress(2, 5.0, 1_234_567, 2_500_000.5, "bytes")], "item 2: 1,234,567/2,500,000.5 bytes"),
    ],
)
def test_the_item_that_runs_longest_is_named(items: list[ItemProgress], line: str) -> None:
    assert slowest(items) == line
