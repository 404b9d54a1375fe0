"""A computation beside the loop: its result, its error, and what happens without another thread."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tq.common.runtime.own_thread import in_own_thread


def thread_of(_: object) -> str:
    return threading.current_thread().name


def test_it_runs_in_a_thread_of_the_given_name() -> None:
    assert asyncio.run(in_own_thread(thread_of, None, name="beside")) == "beside"


def test_what_it_raises_is_raised_where_it_is_awaited() -> None:
    with pytest.raises(ValueError, match="not a number"):
        asyncio.run(in_own_thread(lambda text: [][int(text)], "not a number", name="beside"))


def test_without_another_thread_it_runs_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert asyncio.run(in_own_thread(thread_of, None, name="beside")) == threading.current_thread().name


def test_a_caller_that_stops_waiting_disturbs_nothing() -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def compute(_: object) -> None:
        may_end.wait()
        has_ended.set()

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_own_thread(compute, None, name="beside"), 0.01)
        may_end.set()

    asyncio.run(run())
    assert has_ended.wait(10)
