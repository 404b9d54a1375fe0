"""Whether anybody runs the items: asked once, after a while in which none has ended."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from tq.client.cli.map.stall_warning import StallWarning
from tq.client.cli.map.window import Window
from tq.client.tasks.stalls import STUCK_SECONDS
from tq.common.errors import UnknownTask

from .test_window import entry


class Run:
    """A window, a clock that stands still, and a master that answers when the test wants it."""

    def __init__(self, items: int = 2) -> None:
        self.now, self.questions, self.answer = 100.0, list[bytes](), Future[Any]()
        self.window = Window(items_max=1_000, bytes_max=10**6, ordered=True)
        for number in range(1, items + 1):
            self.window.add(entry(number))
        self.stall_warning = StallWarning(self.ask, lambda: self.now)

    def ask(self, id: bytes) -> Future[Any]:
        self.questions.append(id)
        return self.answer

    def later(self, seconds: float = STUCK_SECONDS) -> str:
        self.now += seconds
        return self.stall_warning.look(self.window)


def task(**fields: Any) -> dict[str, Any]:
    return {"id": (1).to_bytes(16, "big"), "stuck": True, "why": "no worker serves it", **fields}


def test_it_asks_once_and_warns_once() -> None:
    run = Run()
    assert [run.later(0), run.later(STUCK_SECONDS / 2), run.later(), run.later()] == [""] * 4
    assert run.questions == [(1).to_bytes(16, "big")]
    run.answer.set_result(task())
    assert (
        run.later()
        == "no worker serves it; `tq why 00000000-0000-0000-0000-000000000001` shows the current reason"
    )
    assert [run.later(), run.later()] == ["", ""]
    assert len(run.questions) == 1


def test_nothing_is_asked_once_an_item_has_ended_or_while_there_is_none() -> None:
    run, empty = Run(), Run(0)
    run.later(0)
    run.stall_warning.item_ended()
    assert [run.later(), empty.later(), empty.later()] == ["", "", ""]
    assert (run.questions, empty.questions) == ([], [])


def test_what_goes_on_by_itself_or_is_not_known_is_not_reported() -> None:
    busy, unknown = Run(), Run()
    for run in (busy, unknown):
        assert [run.later(0), run.later()] == ["", ""]
    busy.answer.set_result(task(stuck=False))
    unknown.answer.set_exception(UnknownTask("not stored yet"))
    assert [busy.later(), unknown.later()] == ["", ""]
