"""The I/O thread: connecting, reconnecting, giving up, closing. Lines are made by hand; no sockets."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tq
from tq.client.core import io_thread
from tq.client.core.io_thread import ClientLink
from tq.client.core.pending_calls import Call
from tq.client.core.transports import Line, Report
from tq.client.tasks.outcomes import Box

from ..conftest import MasterInMemory

SECONDS = 10.0  # more than anything here takes
QUEUE = ("get_task_queue", "default")


class HandLine:
    """A line whose other end is the test."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self.sent: list[Call] = []
        self.something = threading.Semaphore(0)
        self.closed_with: str | None = None
        self.cluster: str | None = "c1"

    def send(self, call: Call) -> None:
        self.sent.append(call)
        self.something.release()

    @property
    def is_gone(self) -> bool:
        return self._gone.done()

    async def wait_gone(self) -> str:
        return await asyncio.shield(self._gone)

    def close(self, reason: str) -> None:
        self.closed_with = reason

    def abandon_in_child(self) -> None:
        pass

    # the test's side

    def next(self) -> Call:
        assert self.something.acquire(timeout=SECONDS)
        return self.sent.pop(0)

    def answer(self, call: Call, value: Any = None, error: tq.TqError | None = None) -> None:
        self._loop.call_soon_threadsafe(self._report, Report(call.number, value, error))

    def lose(self) -> None:
        def lost() -> None:
            self._gone.set_result("cut")

        self._loop.call_soon_threadsafe(lost)


class Door:
    """Opens lines, or fails as told. Each opening is noted."""

    def __init__(self) -> None:
        self.errors: list[tq.TqError] = []
        self.always: tq.TqError | None = None
        self.attempts = 0
        self._lines: list[HandLine] = []
        self._opened = threading.Semaphore(0)

    async def open(self, report: Callable[[Report], None], seconds: float) -> Line:
        self.attempts += 1
        if self.always is not None:
            raise self.always
        if self.errors:
            raise self.errors.pop(0)
        line = HandLine(report)
        self._lines.append(line)
        self._opened.release()
        return line

    def line(self) -> HandLine:
        assert self._opened.acquire(timeout=SECONDS)
        return self._lines[-1]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def link(door: Door) -> Iterator[ClientLink]:
    link = ClientLink(door.open, stream="default", connect_seconds=0.2)
    yield link
    link.close()


def submit(link: ClientLink, *, again: bool = True) -> Any:
    return link.call(QUEUE, "submit", ("m:f",), again=again)


def test_nothing_is_connected_until_something_is_asked(link: ClientLink, door: Door) -> None:
    link.forget(Box())
    link.close()
    assert door.attempts == 0


def test_a_call_goes_out_and_its_answer_comes_back(link: ClientLink, door: Door) -> None:
    future = submit(link)
    line = door.line()
    line.answer(line.next(), 3)
    assert future.result(SECONDS) == 3


def test_calls_of_many_threads_are_all_answered(link: ClientLink, door: Door) -> None:
    futures: list[Any] = []
    threads = [
        threading.Thread(target=lambda: futures.extend(submit(link) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    line = door.line()
    for _ in range(200):
        call = line.next()
        line.answer(call, call.number)
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(future.result(SECONDS) for future in futures) == list(range(1, 201))


def test_the_first_connection_is_tried_for_a_while_and_then_everybody_is_told(
    link: ClientLink, door: Door
) -> None:
    door.always = tq.Unreachable("nobody there; is tq-master running?")
    box = Box()
    link.watch(box, [b"x" * 16])
    with pytest.raises(tq.Unreachable, match="is tq-master running"):
        submit(link).result(SECONDS)
    with pytest.raises(tq.Unreachable):
        box.wait(1, None)
    assert door.attempts > 1


def test_after_giving_up_the_next_call_tries_again(link: ClientLink, door: Door) -> None:
    door.always = tq.Unreachable("nobody there")
    with pytest.raises(tq.Unreachable):
        submit(link).result(SECONDS)
    door.always = None
    future = submit(link)
    line = door.line()
    line.answer(line.next(), 1)
    assert future.result(SECONDS) == 1


def test_a_master_that_comes_late_but_in_time_is_found(link: ClientLink, door: Door) -> None:
    door.errors = [tq.Unreachable("not yet")]
    future = submit(link)
    line = door.line()
    line.answer(line.next(), 1)
    assert future.result(SECONDS) == 1


def test_a_program_with_a_seed_gets_the_same_numbers_while_we_reconnect(link: ClientLink, door: Door) -> None:
    before = random.getstate()
    door.errors = [tq.Unreachable("not yet"), tq.Unreachable("not yet")]
    future = submit(link)
    line = door.line()
    line.answer(line.next(), 1)
    assert future.result(SECONDS) == 1
    assert random.getstate() == before


def test_a_refused_key_is_told_to_everybody_at_once_and_never_tried_again(
    link: ClientLink, door: Door
) -> None:
    door.errors = [tq.Rejected("wrong key")]
    box = Box()
    link.watch(box, [b"x" * 16])
    for _ in range(2):
        with pytest.raises(tq.Rejected, match="wrong key"):
            submit(link).result(SECONDS)
    with pytest.raises(tq.Rejected):
        box.wait(1, None)
    assert door.attempts == 1


def test_a_stranger_at_the_port_is_told_at_once(link: ClientLink, door: Door) -> None:
    door.errors = [tq.ProtocolError("this is a web server")]
    with pytest.raises(tq.ProtocolError, match="web server"):
        submit(link).result(SECONDS)
    assert door.attempts == 1


def test_after_a_lost_connection_calls_are_repeated_and_watches_renewed(link: ClientLink, door: Door) -> None:
    box, id = Box(), b"x" * 16
    link.watch(box, [id])
    future = submit(link)
    first = door.line()
    assert {first.next().method for _ in range(3)} == {"watch", "collect", "submit"}
    door.errors = [tq.Unreachable("down"), tq.ProtocolError("half up"), tq.Unreachable("down")]
    first.lose()
    second = door.line()
    repeated, watch, collect = second.next(), second.next(), second.next()
    assert [call.method for call in (repeated, watch, collect)] == ["submit", "watch", "collect"]
    second.answer(repeated, 1)
    second.answer(collect, [[id, 10, b"\x05"]])
    assert future.result(SECONDS) == 1
    assert box.wait(id, None)


def test_what_must_not_be_repeated_fails_when_its_connection_does(link: ClientLink, door: Door) -> None:
    future = submit(link, again=False)
    line = door.line()
    line.next()
    line.lose()
    with pytest.raises(tq.Unreachable, match="nobody knows"):
        future.result(SECONDS)


def test_an_idle_lost_connection_is_not_restored_until_it_is_needed(link: ClientLink, door: Door) -> None:
    future = submit(link)
    line = door.line()
    line.answer(line.next(), 1)
    future.result(SECONDS)
    line.lose()
    future = submit(link)
    line = door.line()
    line.answer(line.next(), 2)
    assert future.result(SECONDS) == 2
    assert door.attempts == 2


def test_closing_says_goodbye_and_fails_what_is_open(link: ClientLink, door: Door) -> None:
    future, box = submit(link), Box()
    link.watch(box, [b"x" * 16])
    line = door.line()
    line.next()
    link.close()
    assert line.closed_with
    with pytest.raises(tq.Unreachable, match="closed"):
        future.result(SECONDS)
    with pytest.raises(tq.Unreachable, match="closed"):
        box.wait(1, None)


def test_a_closed_link_refuses_instead_of_hanging(link: ClientLink) -> None:
    link.close()
    link.close()
    box = Box()
    link.watch(box, [b"x" * 16])
    with pytest.raises(tq.Unreachable, match="closed"):
        submit(link).result(SECONDS)
    with pytest.raises(tq.Unreachable, match="closed"):
        box.wait(1, None)


def test_closing_ends_a_connection_attempt_that_hangs(door: Door) -> None:
    begun = threading.Event()

    async def hang(report: Callable[[Report], None], seconds: float) -> Line:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    link = ClientLink(hang, stream="default", connect_seconds=SECONDS)
    future = submit(link)
    assert begun.wait(SECONDS)
    link.close()
    with pytest.raises(tq.Unreachable, match="closed"):
        future.result(SECONDS)


def test_an_await_that_was_cancelled_does_not_disturb_the_others(link: ClientLink, door: Door) -> None:
    cancelled, kept = submit(link), submit(link)
    assert cancelled.cancel()
    line = door.line()
    for _ in range(2):
        line.answer(line.next(), 1)
    assert kept.result(SECONDS) == 1


def test_what_is_posted_by_something_that_was_posted_is_done_with_it(
    app: tq.App, master: MasterInMemory
) -> None:
    """A call behind a courier's submits is a question about them: it must not overtake them."""
    app.call(("get_tasks",), "states", [])
    done: list[str] = []
    over = threading.Event()
    held = threading.Event()
    link = app.session.link
    link.post(lambda: bool(held.wait(10)))  # so that all of the following is posted before any of it is done
    link.post(lambda: done.append(f"first {link.post(lambda: done.append('part of the first'))}"))
    link.post(lambda: done.append("second"))
    link.post(over.set)
    held.set()
    assert over.wait(10)
    assert done == ["part of the first", "first True", "second"]


def insist(link: ClientLink) -> Any:
    return link.call(("get_queue", "q"), "confirm", ([b"t" * 16],), again=True, insists=True)


def test_what_is_insisted_on_is_asked_again_on_the_same_line_after_the_store_has_failed(
    link: ClientLink, door: Door
) -> None:
    future = insist(link)
    line = door.line()
    for _ in range(3):
        line.answer(line.next(), error=tq.StoreError("the disk is full"))
    line.answer(line.next(), "done")
    assert future.result(SECONDS) == "done"


def test_closing_waits_for_what_was_insisted_on_and_for_nothing_else(link: ClientLink, door: Door) -> None:
    future, other = insist(link), submit(link)
    line = door.line()
    first, _ = line.next(), line.next()
    line.answer(first, error=tq.StoreError("the disk is full"))
    closing = threading.Thread(target=link.close)
    closing.start()
    line.answer(line.next(), "done")
    closing.join(SECONDS)
    assert future.result(0) == "done"
    with pytest.raises(tq.Unreachable, match="closed"):
        other.result(0)
    assert line.closed_with is not None


def test_closing_comes_back_for_what_was_insisted_on_when_its_connection_is_lost(
    link: ClientLink, door: Door
) -> None:
    future = insist(link)
    line = door.line()
    line.next()
    closing = threading.Thread(target=link.close)
    closing.start()
    line.lose()
    line = door.line()
    line.answer(line.next(), "done")
    closing.join(SECONDS)
    assert future.result(0) == "done"


def test_closing_has_an_end_though_what_was_insisted_on_is_never_answered(
    link: ClientLink, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.client.core.io_thread.FINISH_SECONDS", 0.1)
    future = insist(link)
    door.line().next()
    link.close()
    with pytest.raises(tq.Unreachable, match="closed"):
        future.result(0)


def test_a_master_that_admits_and_hangs_up_is_asked_after_growing_pauses_until_it_answers(
    link: ClientLink, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def pause(failures: int) -> float:
        pauses.append(failures)
        return 0.0

    monkeypatch.setattr(io_thread, "_pause_seconds", pause)
    future = submit(link)
    for _ in range(4):
        line = door.line()
        line.next()
        line.lose()
    line = door.line()
    line.answer(line.next(), 3)
    assert future.result(SECONDS) == 3
    assert [count for count in pauses if count > 1] == [2, 3, 4]
    pauses.clear()
    line.lose()
    again = submit(link)
    line = door.line()
    line.answer(line.next(), 4)
    assert again.result(SECONDS) == 4
    assert max(pauses, default=0) <= 1
