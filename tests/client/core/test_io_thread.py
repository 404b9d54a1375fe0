"""The I/O thread: connecting, reconnecting, giving up, closing. Transports are made by hand; no sockets."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tq
from tq.client.core import connector
from tq.client.core.io_thread import FINISH_SECONDS, ClientLink
from tq.client.core.pending_calls import PendingCall
from tq.client.core.transports import CallResult, Transport
from tq.client.tasks.outcomes import OutcomeBox
from tq.common.domain.id_runs import IdRun

from ..conftest import MasterInMemory

SECONDS = 10.0  # more than anything here takes
QUEUE = ("get_task_queue", "default")


class ManualTransport:
    """A transport whose other end is the test."""

    def __init__(self, report: Callable[[CallResult], None], shards: int = 1) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self.sent: list[PendingCall] = []
        self.something = threading.Semaphore(0)
        self.closed_with: str | None = None
        self.cluster: str | None = "c1"
        self.shards = shards
        self.probes, self.gives_signs = 0, False

    def send(self, call: PendingCall) -> None:
        self.sent.append(call)
        self.something.release()

    def probe(self) -> Callable[[], bool]:
        self.probes += 1
        return lambda: self.gives_signs

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

    def next(self) -> PendingCall:
        assert self.something.acquire(timeout=SECONDS)
        return self.sent.pop(0)

    def answer(self, call: PendingCall, value: Any = None, error: tq.TqError | None = None) -> None:
        self._loop.call_soon_threadsafe(self._report, CallResult(call.number, value, error))

    def lose(self) -> None:
        def lost() -> None:
            self._gone.set_result("cut")

        self._loop.call_soon_threadsafe(lost)


class ManualOpener:
    """Opens transports, or fails as the test says. Each attempt is counted."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards
        self.errors: list[tq.TqError] = []
        self.always: tq.TqError | None = None
        self.attempts = 0
        self._transports: list[ManualTransport] = []
        self._opened = threading.Semaphore(0)

    async def open(self, report: Callable[[CallResult], None], seconds: float) -> Transport:
        self.attempts += 1
        if self.always is not None:
            raise self.always
        if self.errors:
            raise self.errors.pop(0)
        transport = ManualTransport(report, self.shards)
        self._transports.append(transport)
        self._opened.release()
        return transport

    def transport(self) -> ManualTransport:
        assert self._opened.acquire(timeout=SECONDS)
        return self._transports[-1]


@pytest.fixture
def opener() -> ManualOpener:
    return ManualOpener()


@pytest.fixture
def link(opener: ManualOpener) -> Iterator[ClientLink]:
    link = ClientLink(opener.open, stream="default", connect_seconds=0.2)
    yield link
    link.close()


def submit(link: ClientLink, *, repeatable: bool = True) -> Any:
    return link.call(QUEUE, "submit", ("m:f",), repeatable=repeatable)


def test_nothing_is_connected_until_something_is_asked(link: ClientLink, opener: ManualOpener) -> None:
    link.forget(OutcomeBox())
    link.close()
    assert opener.attempts == 0


def test_a_call_goes_out_and_its_answer_comes_back(link: ClientLink, opener: ManualOpener) -> None:
    future = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 3)
    assert future.result(SECONDS) == 3


def test_calls_of_many_threads_are_all_answered(link: ClientLink, opener: ManualOpener) -> None:
    futures: list[Any] = []
    threads = [
        threading.Thread(target=lambda: futures.extend(submit(link) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    transport = opener.transport()
    for _ in range(200):
        call = transport.next()
        transport.answer(call, call.number)
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(future.result(SECONDS) for future in futures) == list(range(1, 201))


def test_the_first_connection_is_tried_for_a_while_and_then_all_callers_get_an_error(
    link: ClientLink, opener: ManualOpener
) -> None:
    opener.always = tq.Unreachable("no listener; is tq-master running?")
    box = OutcomeBox()
    link.watch(box, [IdRun(b"x" * 16, 1)])
    with pytest.raises(tq.Unreachable, match="is tq-master running"):
        submit(link).result(SECONDS)
    with pytest.raises(tq.Unreachable):
        box.wait(1, None)
    assert opener.attempts > 1


def test_after_giving_up_the_next_call_tries_again(link: ClientLink, opener: ManualOpener) -> None:
    opener.always = tq.Unreachable("no listener")
    with pytest.raises(tq.Unreachable):
        submit(link).result(SECONDS)
    opener.always = None
    future = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 1)
    assert future.result(SECONDS) == 1


def test_a_master_that_comes_late_but_in_time_is_found(link: ClientLink, opener: ManualOpener) -> None:
    opener.errors = [tq.Unreachable("not yet")]
    future = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 1)
    assert future.result(SECONDS) == 1


def test_a_program_with_a_seed_gets_the_same_numbers_while_we_reconnect(
    link: ClientLink, opener: ManualOpener
) -> None:
    before = random.getstate()
    opener.errors = [tq.Unreachable("not yet"), tq.Unreachable("not yet")]
    future = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 1)
    assert future.result(SECONDS) == 1
    assert random.getstate() == before


def test_a_refused_key_is_reported_to_all_callers_at_once_and_never_tried_again(
    link: ClientLink, opener: ManualOpener
) -> None:
    opener.errors = [tq.Rejected("wrong key")]
    box = OutcomeBox()
    link.watch(box, [IdRun(b"x" * 16, 1)])
    for _ in range(2):
        with pytest.raises(tq.Rejected, match="wrong key"):
            submit(link).result(SECONDS)
    with pytest.raises(tq.Rejected):
        box.wait(1, None)
    assert opener.attempts == 1


def test_another_server_at_the_port_is_reported_at_once(link: ClientLink, opener: ManualOpener) -> None:
    opener.errors = [tq.ProtocolError("this is a web server")]
    with pytest.raises(tq.ProtocolError, match="web server"):
        submit(link).result(SECONDS)
    assert opener.attempts == 1


def test_after_a_lost_connection_calls_are_repeated_and_watches_renewed(
    link: ClientLink, opener: ManualOpener
) -> None:
    box, id = OutcomeBox(), b"x" * 16
    link.watch(box, [IdRun(id, 1)])
    future = submit(link)
    first = opener.transport()
    assert {first.next().method for _ in range(3)} == {"watch", "collect", "submit"}
    opener.errors = [tq.Unreachable("down"), tq.ProtocolError("half up"), tq.Unreachable("down")]
    first.lose()
    second = opener.transport()
    repeated, watch, collect = second.next(), second.next(), second.next()
    assert [call.method for call in (repeated, watch, collect)] == ["submit", "watch", "collect"]
    second.answer(repeated, 1)
    second.answer(collect, [[id, 10, b"\x05"]])
    assert future.result(SECONDS) == 1
    assert box.wait(id, None)


def test_what_must_not_be_repeated_fails_when_its_connection_does(
    link: ClientLink, opener: ManualOpener
) -> None:
    future = submit(link, repeatable=False)
    transport = opener.transport()
    transport.next()
    transport.lose()
    with pytest.raises(tq.Unreachable, match="it is unknown whether"):
        future.result(SECONDS)


def test_an_idle_lost_connection_is_not_restored_until_it_is_needed(
    link: ClientLink, opener: ManualOpener
) -> None:
    future = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 1)
    future.result(SECONDS)
    transport.lose()
    future = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 2)
    assert future.result(SECONDS) == 2
    assert opener.attempts == 2


def test_closing_says_goodbye_and_fails_what_is_open(link: ClientLink, opener: ManualOpener) -> None:
    future, box = submit(link), OutcomeBox()
    link.watch(box, [IdRun(b"x" * 16, 1)])
    transport = opener.transport()
    transport.next()
    link.close()
    assert transport.closed_with
    with pytest.raises(tq.Unreachable, match="closed"):
        future.result(SECONDS)
    with pytest.raises(tq.Unreachable, match="closed"):
        box.wait(1, None)


def test_a_closed_link_refuses_instead_of_hanging(link: ClientLink) -> None:
    link.close()
    link.close()
    box = OutcomeBox()
    link.watch(box, [IdRun(b"x" * 16, 1)])
    with pytest.raises(tq.Unreachable, match="closed"):
        submit(link).result(SECONDS)
    with pytest.raises(tq.Unreachable, match="closed"):
        box.wait(1, None)


def test_closing_ends_a_connection_attempt_that_hangs(opener: ManualOpener) -> None:
    begun = threading.Event()

    async def hang(report: Callable[[CallResult], None], seconds: float) -> Transport:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    link = ClientLink(hang, stream="default", connect_seconds=SECONDS)
    future = submit(link)
    assert begun.wait(SECONDS)
    link.close()
    with pytest.raises(tq.Unreachable, match="closed"):
        future.result(SECONDS)


def test_closing_before_the_thread_has_begun_does_not_wait_for_nothing(opener: ManualOpener) -> None:
    closed = threading.Event()

    class LateThread(ClientLink):
        def _run(self) -> None:
            assert closed.wait(SECONDS)
            super()._run()

    link = LateThread(opener, stream="default", connect_seconds=SECONDS)
    link.stop()
    closed.set()
    link._thread.join(FINISH_SECONDS / 2)
    assert not link._thread.is_alive()


def test_an_await_that_was_cancelled_does_not_disturb_the_others(
    link: ClientLink, opener: ManualOpener
) -> None:
    cancelled, kept = submit(link), submit(link)
    assert cancelled.cancel()
    transport = opener.transport()
    for _ in range(2):
        transport.answer(transport.next(), 1)
    assert kept.result(SECONDS) == 1


def test_what_is_posted_by_something_that_was_posted_is_done_with_it(
    app: tq.App, master: MasterInMemory
) -> None:
    """A call after the submits of a submission queue may be about them: it must not overtake them."""
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


def until_done(link: ClientLink) -> Any:
    return link.call(("get_queue", "q"), "confirm", ([b"t" * 16],), repeatable=True, until_done=True)


def test_a_call_until_done_is_repeated_on_the_same_connection_after_the_store_has_failed(
    link: ClientLink, opener: ManualOpener
) -> None:
    future = until_done(link)
    transport = opener.transport()
    for _ in range(3):
        transport.answer(transport.next(), error=tq.StoreError("the disk is full"))
    transport.answer(transport.next(), "done")
    assert future.result(SECONDS) == "done"


def test_closing_waits_for_calls_until_done_and_for_nothing_else(
    link: ClientLink, opener: ManualOpener
) -> None:
    future, other = until_done(link), submit(link)
    transport = opener.transport()
    first, _ = transport.next(), transport.next()
    transport.answer(first, error=tq.StoreError("the disk is full"))
    closing = threading.Thread(target=link.close)
    closing.start()
    transport.answer(transport.next(), "done")
    closing.join(SECONDS)
    assert future.result(0) == "done"
    with pytest.raises(tq.Unreachable, match="closed"):
        other.result(0)
    assert transport.closed_with is not None


def test_closing_reconnects_for_a_call_until_done_when_its_connection_is_lost(
    link: ClientLink, opener: ManualOpener
) -> None:
    future = until_done(link)
    transport = opener.transport()
    transport.next()
    closing = threading.Thread(target=link.close)
    closing.start()
    transport.lose()
    transport = opener.transport()
    transport.answer(transport.next(), "done")
    closing.join(SECONDS)
    assert future.result(0) == "done"


def test_closing_has_an_end_though_a_call_until_done_is_never_answered(
    link: ClientLink, opener: ManualOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.client.core.io_thread.FINISH_SECONDS", 0.1)
    future = until_done(link)
    opener.transport().next()
    link.close()
    with pytest.raises(tq.Unreachable, match="closed"):
        future.result(0)


def test_a_master_that_admits_and_hangs_up_is_asked_after_growing_pauses_until_it_answers(
    link: ClientLink, opener: ManualOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def pause(failures: int) -> float:
        pauses.append(failures)
        return 0.0

    monkeypatch.setattr(connector, "_pause_seconds", pause)
    future = submit(link)
    for _ in range(4):
        transport = opener.transport()
        transport.next()
        transport.lose()
    transport = opener.transport()
    transport.answer(transport.next(), 3)
    assert future.result(SECONDS) == 3
    assert [count for count in pauses if count > 1] == [2, 3, 4]
    pauses.clear()
    transport.lose()
    again = submit(link)
    transport = opener.transport()
    transport.answer(transport.next(), 4)
    assert again.result(SECONDS) == 4
    assert max(pauses, default=0) <= 1
