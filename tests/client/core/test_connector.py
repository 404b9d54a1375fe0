"""Connecting: for how long the first connection is tried, and that later ones are tried without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
import tq
from tq.client.core import connector
from tq.client.core.connector import Connector
from tq.client.core.transports import CallResult, Transport
from tq.common.wire.connection import CONNECT_SECONDS
from tq.common.wire.take_over import PAUSE_SECONDS_MAX

TRANSPORT = cast(Transport, object())


class Opener:
    """Fails with the given errors, one after the other, and then succeeds."""

    def __init__(self, *errors: tq.TqError) -> None:
        self.errors = list(errors)
        self.limits: list[float] = []

    async def open(self, on_result: Callable[[CallResult], None], seconds: float) -> Transport:
        self.limits.append(seconds)
        if self.errors:
            raise self.errors.pop(0)
        return TRANSPORT


def opened(connector: Connector) -> Any:
    return asyncio.run(connector.open(lambda result: None))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The failures in a row that each pause was computed for; no pause takes any time."""
    asked: list[int] = []

    def pause(failures: int) -> float:
        asked.append(failures)
        return 0.0

    monkeypatch.setattr(connector, "_pause_seconds", pause)
    return asked


def test_a_late_master_is_found_within_the_time_for_the_first_connection(pauses: list[int]) -> None:
    opener = Opener(tq.Unreachable("not yet"), tq.QuotaExceeded("too many connections"))
    assert opened(Connector(opener.open, 10.0)) is TRANSPORT
    assert pauses == [1, 2, 3]


def test_a_master_that_takes_over_is_found_soon_after_the_others_have_refused_for_long(
    pauses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(connector, "_pause_seconds", lambda failures: 5.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    opener = Opener(
        tq.Unreachable("killed"), tq.NotOwner("it stands by"), tq.Unreachable("it opens the store")
    )
    made = Connector(opener.open, 60.0)
    made.was_connected = True
    assert opened(made) is TRANSPORT
    assert slept == [5.0, PAUSE_SECONDS_MAX, PAUSE_SECONDS_MAX]


def test_the_first_connection_fails_when_its_time_is_over(pauses: list[int]) -> None:
    opener = Opener(tq.Unreachable("no listener"), tq.Unreachable("never tried"))
    with pytest.raises(tq.Unreachable, match="no listener"):
        opened(Connector(opener.open, 0.0))


def test_an_attempt_with_the_rest_of_the_time_does_not_hide_why_those_before_it_failed(
    pauses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    async def open_slowly(on_result: Callable[[CallResult], None], seconds: float) -> Transport:
        nonlocal now
        now += min(seconds, 6.0)
        raise tq.Unreachable("another certificate" if seconds > 6.0 else f"no answer within {seconds:g} s")

    async def tried() -> Transport:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        return await Connector(open_slowly, 6.5).open(lambda result: None)

    with pytest.raises(tq.Unreachable, match="another certificate"):
        asyncio.run(tried())


def test_a_server_that_is_no_master_ends_the_first_attempt_at_once(pauses: list[int]) -> None:
    opener = Opener(tq.ProtocolError("this is a web server"))
    with pytest.raises(tq.ProtocolError, match="web server"):
        opened(Connector(opener.open, 10.0))
    assert pauses == [1]


def test_a_reconnect_is_tried_without_end_until_the_key_is_refused(pauses: list[int]) -> None:
    failures = [tq.Unreachable("down"), tq.ProtocolError("half up")] * 10
    opener = Opener(*failures, tq.Rejected("wrong key"))
    connector = Connector(opener.open, 0.0)
    connector.was_connected = True
    with pytest.raises(tq.Rejected, match="wrong key"):
        opened(connector)
    assert pauses == list(range(1, 22))


def test_one_attempt_that_hangs_leaves_time_for_another() -> None:
    opener = Opener()
    opened(Connector(opener.open, 10 * CONNECT_SECONDS))
    assert opener.limits == [CONNECT_SECONDS]


def test_pauses_grow_with_losses_and_with_connections_that_answered_no_call(pauses: list[int]) -> None:
    connector = Connector(Opener().open, 10.0)
    connector.pause_after_loss()
    connector.pause_after_loss()
    asyncio.run(connector.pause_if_fruitless())
    connector.fruitless = 3
    asyncio.run(connector.pause_if_fruitless())
    assert pauses == [1, 2, 3]
